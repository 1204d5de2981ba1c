"""Rows that have not as many cells as they must: what is wrong with them, and what to do about it."""

import re
from collections.abc import Sequence
from pathlib import Path

from seq2seq.data.corpora.columns import name_of
from seq2seq.data.corpora.csv_rows import Row, quoted_cells
from seq2seq.data.corpora.header import says_what
from seq2seq.data.corpora.lexicon import LEXICON, is_lexicon
from seq2seq.data.pair_lines import BARS
from seq2seq.errors import UserError, shown

_DELIMITERS = (";", ",", "|", ":", " ")


def irregular(
    path: str | Path, row: Row, wanted: int, delimiter: str, beginning: Sequence[str] = (), *, choosable: bool = False
) -> UserError:
    """The error of a row that must have as many cells as are wanted; of a first row, with the lines it begins.

    Where options of a table can be given, those are told that would read it.
    """
    number, cells = row
    place = f"{path}, line {number}"
    if not "".join(cells).strip() and len(cells) < 2:
        return UserError(f"{place} must be a row of {wanted} columns, but is empty: take it out.")
    rule = f"must have {wanted} columns"
    if wanted == 2 and delimiter == "\t":
        rule = "must be `source<TAB>target` with exactly one tab"
    found = f"has {len(cells) - 1}" if wanted == 2 and delimiter == "\t" else f"has {len(cells)}"
    text = (" " if delimiter == LEXICON else delimiter).join(cells)
    return UserError(
        f"{place} {rule}, but {found}: {shown(text)}{_advice(cells, wanted, delimiter, beginning, choosable)}"
    )


def _advice(cells: Sequence[str], wanted: int, delimiter: str, beginning: Sequence[str], choosable: bool) -> str:
    """The end of the message, which says what to do."""
    if not beginning:
        mark = {"\t": "a tab", ",": "a comma"}.get(delimiter, repr(delimiter))
        many = f"; {mark} inside of a cell needs quotes around it" if delimiter != "\t" else ""
        return f". Give it {wanted} columns, as other lines have{many if len(cells) > wanted else ''}."
    if len(cells) == 1 and (advice := _of_one_cell(beginning, choosable)):
        return advice
    if len(cells) > wanted and choosable:
        names = [cell for cell in cells if says_what(cell)]
        first: int | str = names[0] if len(names) == 2 else 1
        second: int | str = names[1] if len(names) == 2 else len(cells)
        chosen = f"{_option('source', first)} {_option('target', second)}"
        return f". Say which columns to read, for example {chosen}; several are joined: data.source=[1,2]."
    return ". Write a source, a tab and a target on every line."


def _of_one_cell(beginning: Sequence[str], choosable: bool) -> str:
    """Advice on lines without the delimiter: the kind of file that they look like; nothing if they do not."""
    if re.match(r"\[\s*(\{|$)", beginning[0].strip()):
        return ". It is a list in JSON: read it by data=json." if choosable else ". It is a list in JSON."
    if all(line.strip().startswith("{") and line.strip().endswith("}") for line in beginning):
        return ". These are JSON lines: read them by data=json." if choosable else ". These are JSON lines."
    if all(line.count(BARS) == 1 for line in beginning):
        return f". Put a tab in the place of {BARS!r}, for example with sed 's/{BARS}/\\t/'."
    widths = {own: {len(cells) for cells in quoted_cells(beginning, own)} for own in _DELIMITERS}
    regular = [own for own, found in widths.items() if len(found) == 1 and found != {1}]
    if not regular or (regular == [" "] and widths[" "] != {2}):
        lexicon = ". It is a lexicon of words and their phones, as it seems: "
        how = "give data.delimiter=lexicon." if choosable else "put a tab behind each word."
        return lexicon + how if is_lexicon(beginning) else ""
    if not choosable:
        return f". Put a tab in the place of {regular[0]!r}."
    return f". Its cells are between {regular[0]!r}, as it seems: give {_option('delimiter', name_of(regular[0]))}."


def _option(name: str, value: int | str) -> str:
    """The option as a word of a shell."""
    return f"data.{name}={value}" if str(value).isalnum() else f"\"data.{name}='{value}'\""
