"""Pages of tiny models, what translate.py finds, and pages in a browser."""

import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from page_programs import BROWSER

from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.ranking import AverageRanking
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.search import Search
from seq2seq.export.page.assembly import assemble
from seq2seq.export.page.description import describe
from seq2seq.export.page.pieces import tables
from seq2seq.export.page.weight_bytes import store
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.translation.line import Line, Translation
from seq2seq.translation.translator import Translator

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=4000"
)


@pytest.fixture
def page_of() -> Callable[..., tuple[bytes, Seq2Seq]]:
    """The page of a model, and the model with the numbers that the page has: page_of(model, tokenizers, "int8")."""

    def build(model: Seq2Seq, tokenizers: Tokenizers, kind: str = "float16", **about: Any) -> tuple[bytes, Seq2Seq]:
        weights = store(model, kind)
        limits = {"max_ratio": 2.0, "max_extra": 20, "max_source_tokens": 1024}
        told = {"limits": limits, "example": "abc", "facts": "Facts.", **about}
        page = assemble({**describe(model), **tables(tokenizers), **told}, weights, "A title")
        return page, weights.widened(model)

    return build


@pytest.fixture
def in_browser(tmp_path: Path) -> Callable[..., tuple[str, list[str]]]:
    """The document of a page after its scripts and one of ours ran, and what they wrote to the console.

    in_browser(page, "root.dataset.found = 1;", place="#text"), with time that passes as fast as scripts let it. With a
    width, what is seen is a frame as wide as that, as windows cannot be narrower than 500 pixels, and the document is
    what the script posted to its parent.
    """

    def opened(page: bytes, script: str = "", *, place: str = "", width: int | None = None) -> tuple[str, list[str]]:
        text, digest = page.decode(), b64encode(sha256(script.encode()).digest()).decode()
        text = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
        file = tmp_path / "page.html"
        file.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
        if width is not None:
            shown = f'<iframe src="{file.name}{place}" style="width: {width}px; height: 900px; border: 0"></iframe>'
            file = tmp_path / "frame.html"
            file.write_text(f"<script>onmessage = (event) => document.body.append(event.data);</script>{shown}")
        options = [*_FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1300,900"]
        command = [str(BROWSER), *options, "--dump-dom", file.as_uri() + place]
        environment = os.environ | {"HOME": str(tmp_path)}
        found = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True, env=environment)
        return found.stdout, [line for line in found.stderr.splitlines() if ":CONSOLE" in line]

    return opened


@pytest.fixture
def translations() -> Callable[..., list[list[Translation]]]:
    """What translate.py finds for lines: translations(model, tokenizers, lines, width or a search, best)."""

    def found(
        model: Seq2Seq, tokenizers: Tokenizers, lines: Sequence[str], width: int | Search, best: int, **options: Any
    ) -> list[list[Translation]]:
        search = width
        if isinstance(width, int):
            search = BeamSearch(beam_size=width, ranking=AverageRanking()) if width else GreedySearch()
        translator = Translator(model, tokenizers, search, **options)
        return translator.translations([Line(line) for line in lines], n_best=best, attention=True)

    return found
