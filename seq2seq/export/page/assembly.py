"""The page as one HTML file: model, script and style inside, and nothing loaded from elsewhere."""

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from seq2seq.export.page.weight_bytes import WeightBytes
from seq2seq.finite import strict_json

RUNTIME = ("numbers.js", "cells.js", "encoder.js", "decoder.js", "tokenizer.js", "search.js", "model.js")
_VIEW = ("drawing.js", "page.js")


def assemble(about: Mapping[str, Any], weights: WeightBytes, title: str) -> bytes:
    """The page of a model that was described, with its weights, as bytes.

    Its policy lets run what is in it by its digest, and load nothing.
    """
    runtime, view, style = script(RUNTIME), script(_VIEW), _read("page.css")
    parts = {
        "title": html.escape(title),
        "style": style,
        "styles": _digest(style),
        "scripts": f"{_digest(runtime)} {_digest(view)}",
        "about": inlined({**about, "tensors": weights.places}),
        "weights": base64.b64encode(weights.data).decode("ascii"),
        "runtime": runtime,
        "view": view,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _read("page.html")).encode()


def script(names: tuple[str, ...]) -> str:
    """Files of a script as one, as it stands in the page."""
    return '"use strict";\n' + "\n".join(_read(name) for name in names)


def inlined(contents: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element: no text can end it."""
    text = strict_json(contents, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _read(name: str) -> str:
    return (files("seq2seq.export.page") / "contents" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The source expression by which a policy knows a script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
