"""Overrides as users type them, made readable for Hydra; and as they have to be typed to mean a certain value."""

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from seq2seq.config.places import INSTALLED
from seq2seq.errors import UserError, shown

_FORM = re.compile(r"(\+{0,2}[^\W\d][\w./@:\-]*)=(.*)", re.DOTALL | re.ASCII)
_DECIMAL, _THOUSANDS = re.compile(r"[+-]?0,\d+"), re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_UNSET = (None, "???")
# Options that are names of files and folders, or texts, where a number is one, too: 1.10 is not 1.1. Of the first the
# last part of a key says so, as in data.train and data.parts.a.train; the others are whole keys.
_FILES = {
    *("alarms", "alignments", "dev", "file", "folder", "frames", "from", "in", "init", "out", "picture", "replay"),
    *("run", "run_dir", "sources", "space_file", "stream", "teachers", "test", "train"),
}
_TEXTS = {"data.name", "name", "tag", "target", "task", "text", "watch.reference"}


def readable(argument: str, *, multirun: bool = False) -> str:
    """The argument in a form that Hydra reads: a value that its grammar does not take is quoted, `~/` is made whole.

    So is a name that it would take for a number or a switch. With multirun, each value between commas for itself.
    """
    form = _FORM.fullmatch(argument)
    if form is None:
        return argument
    key, value = form[1].lstrip("+"), form[2]
    if is_name(key):
        value = _as_names(value, multirun=multirun)
    return f"{form[1]}={_readable_value(value, multirun=multirun)}"


def is_name(key: str) -> bool:
    """Tell whether an option is a name or a text, also where what is given looks like a number."""
    return key in _TEXTS or key.rpartition(".")[2] in _FILES


def one_value(argument: str, defaults: Mapping[str, Any]) -> str:
    """The argument of a plain run, in which a text with commas is one text where the option is a free text.

    Raises UserError where it looks like values to try, which takes --multirun.
    """
    form = _FORM.fullmatch(argument)
    read = parsed(argument)
    if form is None or read is None or not read.is_sweep_override():
        return argument
    key, value = form[1], form[2]
    parts = list(read.sweep_string_iterator()) if read.is_choice_sweep() else []
    words = any(isinstance(own.value(), str) for part in parts if (own := parsed(f"key={part}")))
    if words and key.lstrip("+") in defaults and defaults[key.lstrip("+")] in _UNSET:
        return f"{key}={quoted(value)}"
    raise UserError(
        f"{argument} holds several values to try: add --multirun to run with each of them, or give one value; "
        f"{_advice_on_comma(key, value)}."
    )


def _advice_on_comma(key: str, value: str) -> str:
    """Advice on a comma that was meant as one: in numbers of many languages, or in a text."""
    if _DECIMAL.fullmatch(value):
        return f"a number has a point and no comma: {key}={value.replace(',', '.')}"
    if _THOUSANDS.fullmatch(value):
        return f"a number has no comma: {key}={value.replace(',', '')}"
    return f"a comma inside of a text needs quotes: {_word(f'{key}={quoted(value)}')}"


def parsed(argument: str) -> Override | None:
    """The override that Hydra reads in an argument; None if it cannot be read."""
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def added_key(argument: str) -> str | None:
    """The key that an argument adds to the config with a plus; None if it adds none."""
    form = _FORM.fullmatch(argument)
    return form[1].lstrip("+").partition("@")[0] if form and form[1].startswith("+") else None


def switched_on(argument: str) -> str | None:
    """The key that an argument sets to true; None if it does anything else."""
    read = parsed(argument) if "=" in argument else None
    return read.key_or_group if read is not None and read._value is True else None


def resuming(arguments: Sequence[str]) -> list[str]:
    """Arguments that name the run to continue, and the others in a list `changes`: they are not of conf/, but of it."""
    keys = ("run_dir", "resume", "trust", "changes", "hydra")
    own = [text for text in arguments if re.split(r"[.=/]", text.lstrip("+"))[0] in keys or text.startswith("-")]
    others = [quoted(text) for text in arguments if text not in own]
    return [*own, f"+changes=[{','.join(others)}]"] if others else own


def sweep_into(argument: str) -> str:
    """The argument of a sweep, in which run_dir is the folder that every job has a subfolder of.

    Raises UserError if it is not one folder.
    """
    key, _, value = argument.partition("=")
    if key != "run_dir":
        return argument
    read = parsed(argument)
    if read is None or read.is_sweep_override() or "${" in value:
        raise UserError(
            f"{argument} must be one folder with --multirun, in which every job has its own: give one, "
            "and hydra.sweep.subdir for names of your own."
        )
    return f"hydra.sweep.dir={value}"


def override(key: str, value: str) -> str:
    """The word to type in a shell for an option to be a text, whatever is in it."""
    plain = parsed(f"{key}={value}")
    same = plain is not None and not plain.is_sweep_override() and plain.value() == value and "~" not in value
    return _word(f"{key}={value if same else quoted(value)}")


def command(script: str, overrides: Sequence[str]) -> str:
    """The line to type in a shell that runs a script with overrides, which are words of a shell already."""
    runs = ["seq2seq", Path(script).stem] if INSTALLED else ["python", shlex.quote(script)]
    return " ".join([*runs, *overrides])


def quoted(text: str) -> str:
    """The text in quotes of Hydra's grammar."""
    return QuotedString(text=text, quote=Quote.single).with_quotes()


def written(key: str, value: Any) -> str:
    """The value as Hydra reads it in an override. Raises UserError at one that no config can hold."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        read = parsed(f"{key}={value}")
        same = read is not None and not read.is_sweep_override() and read.value() == value
        return value if same else quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(written(key, item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{written(key, name)}:{written(key, item)}' for name, item in value.items())}}}"
    if callable(getattr(value, "item", None)) and getattr(value, "ndim", 1) == 0:  # a number of NumPy or torch
        return written(key, value.item())
    raise UserError(
        f"{key} must be a number, a text, a switch, None, or a list or dict of them, but is {shown(value)} of type "
        f"{type(value).__name__}{': give its path.' if isinstance(getattr(value, 'path', None), os.PathLike) else '.'}"
    )


def _word(text: str) -> str:
    """The word of a shell that is the text; with the outer quotes that read best."""
    plain = re.search(r'["$`!\\]', text) is None
    return f'"{text}"' if "'" in text and plain else shlex.quote(text)


def _as_names(value: str, *, multirun: bool = False) -> str:
    """The value of an option of names, in which numbers and switches, alone, in a list or a sweep, are in quotes."""
    if value.startswith("[") and value.endswith("]"):
        return f"[{','.join(map(_as_names, value[1:-1].split(',')))}]"
    read = parsed(f"key={value}")
    if multirun and not set(value) & set("[]{}()'\"") and read is not None and read.is_choice_sweep():
        return ",".join(map(_as_names, value.split(",")))
    is_name = read is None or read.is_sweep_override() or not isinstance(read.value(), int | float)
    return value if is_name else quoted(value.strip())


def _readable_value(value: str, *, multirun: bool) -> str:
    if value.startswith("~/"):
        value = os.path.expanduser(value)  # the shell does so at the beginning of a word alone
    if parsed(f"key={value}") is not None:
        return value
    if multirun and "," in value:
        return ",".join(_readable_value(part, multirun=False) for part in value.split(","))
    if value.startswith("[") and value.endswith("]"):
        return f"[{','.join(_readable_value(part.strip(), multirun=False) for part in value[1:-1].split(','))}]"
    return quoted(value)
