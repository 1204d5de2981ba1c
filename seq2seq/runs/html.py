"""Tables for notebooks."""

import html
from collections.abc import Iterable, Sequence

from seq2seq.errors import printable


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in HTML, with all text as it is; numbers with a point have two places."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><caption>{html.escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td style="text-align:right">{value:.2f}</td>'
    return f'<td style="text-align:left">{html.escape(printable(str(value)))}</td>'
