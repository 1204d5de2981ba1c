"""Formats that lines of input are read from, and translations are written in."""

import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from seq2seq.data.text import encodable
from seq2seq.errors import UserError, shown
from seq2seq.finite import strict_json
from seq2seq.translation.line import Line, Translation

Read = Callable[[str, int], Line]
Write = Callable[[int, Line, Sequence[Translation]], str]
_KEYS = ("source", "prefix", "constraints")


def read_text(text: str, number: int) -> Line:
    """The line whose source is the text, with nothing else asked for."""
    return Line(text)


def read_json(text: str, number: int) -> Line:
    """The line of an object with `source`, and `prefix` and `constraints` (a list of phrases) if wanted.

    Empty text is an empty line. Raises UserError, with the line's number, at anything else.
    """
    if not text.strip():
        return Line("")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:  # also at numbers and nests beyond Python's limits
        raise UserError(f"line {number} must be a JSON object, but cannot be read: {error}.") from None
    if not isinstance(found, dict) or "source" not in found or not found.keys() <= {*_KEYS}:
        raise UserError(
            f"line {number} must be a JSON object with source, and prefix and constraints if wanted, but "
            f"{_fault(found, text)}"
        )
    phrases = found.get("constraints", [])
    if not isinstance(phrases, list) or not all(
        isinstance(value, str) for value in (found["source"], found.get("prefix", ""), *phrases)
    ):
        raise UserError(f"line {number}: source and prefix must be texts and constraints a list of texts.")
    return Line(
        encodable(found["source"]),
        encodable(found.get("prefix", "")),
        tuple(encodable(phrase) for phrase in phrases if phrase.strip()),
    )


def is_request(text: str) -> bool:
    """Tell whether a text is a JSON object with a source, which may have been meant to be read as one."""
    text = text.strip()
    if not text.startswith("{") or not text.endswith("}"):
        return False
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return "source" in found


def _fault(found: Any, text: str) -> str:
    """The reason why a value is no object that asks for a translation."""
    if not isinstance(found, dict):
        return f"is {text[:80]}"
    unknown = [name for name in found if name not in _KEYS]
    if not unknown:
        return f"lacks source: {text[:80]}"
    near = get_close_matches(unknown[0], [name for name in _KEYS if name not in found], n=1)
    lacking = "source" if "source" not in found else ""
    meant = near[0] if near else lacking
    return f"has {shown(unknown[0])}: {f'did you mean {meant}?' if meant else 'leave it out.'}"


def write_text(number: int, line: Line, translations: Sequence[Translation]) -> str:
    """The text of the best translation, on one line."""
    return _on_one_line(translations[0].text)


def write_tsv(number: int, line: Line, translations: Sequence[Translation]) -> str:
    """Rows, one per translation, joined by newlines.

    Columns: number, rank, score, ranking score, text, alignment (source-target pairs of pieces, from 0).
    """
    rows = []
    for rank, found in enumerate(translations, 1):
        pairs = " ".join(f"{source}-{target}" for target, source in enumerate(found.alignment))
        scores = (f"{value:.6f}" for value in (found.hypothesis.score, found.hypothesis.rank_score))
        rows.append("\t".join([str(number), str(rank), *scores, _on_one_line(found.text).replace("\t", " "), pairs]))
    return "\n".join(rows)


def write_json(number: int, line: Line, translations: Sequence[Translation]) -> str:
    """A JSON object for a line, with everything that is known of its translations."""
    pieces = translations[0].source_pieces
    found = [_as_object(rank, translation) for rank, translation in enumerate(translations, 1)]
    return strict_json(
        {"line": number, "source": line.source, "source_pieces": pieces, "translations": found}, ensure_ascii=False
    )


def _as_object(rank: int, translation: Translation) -> dict[str, object]:
    hypothesis = translation.hypothesis
    weights = [] if hypothesis.attention is None else hypothesis.attention.tolist()
    return {
        "rank": rank,
        "text": translation.text,
        "score": round(hypothesis.score, 6),
        "rank_score": round(hypothesis.rank_score, 6),
        "finished": hypothesis.finished,
        "pieces": translation.pieces,
        "token_scores": [round(score, 6) for score in hypothesis.token_scores],
        "alignment": translation.alignment,
        "attention": [[round(weight, 4) for weight in row] for row in weights],
    }


def _on_one_line(text: str) -> str:
    return " ".join(text.splitlines())


INPUTS: dict[str, Read] = {"text": read_text, "json": read_json}
FORMATS: dict[str, Write] = {"text": write_text, "tsv": write_tsv, "json": write_json}
