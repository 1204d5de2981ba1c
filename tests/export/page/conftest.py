"""Pages, and the programs that run their scripts: Node, and a browser, both skipped where there are none."""

import json
import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.ranking import AverageRanking
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.export.page.assembly import assemble
from seq2seq.export.page.description import describe
from seq2seq.export.page.pieces import tables
from seq2seq.export.page.stored_weights import store
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.translation.line import Line, Translation
from seq2seq.translation.translator import Translator

NODE = shutil.which("node")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-logging=stderr --v=0"
)
# Runs the script of each page as it stands, and says what it finds for lines, in JSON.
_DRIVER = """
const { readFileSync } = require("fs");
const { runInThisContext } = require("vm");
const part = (page, id) => new RegExp(`<script[^>]* id="${id}">([^]*?)</script>`).exec(page)[1];
const answers = JSON.parse(readFileSync(0, "utf8")).map(({ file, lines, width, best }) => {
  const page = readFileSync(file, "utf8");
  const open = runInThisContext(`(() => {${part(page, "runtime")}
    return { finish, model: (about, weights) => new Model(JSON.parse(about), weights) };
  })()`);
  const model = open.model(part(page, "about"), part(page, "weights"));
  return lines.map((line) => ({
    ids: model.source.encode(line, 1024).ids,
    found: open.finish(model.translate(line, { width, best })).found
      .map(({ text, score, scores, finished, weights }) => ({ text, score, scores, finished, weights })),
  }));
});
process.stdout.write(JSON.stringify(answers));
"""


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
def in_node() -> Callable[[Iterable[tuple[Path, Sequence[str], int, int]]], list[list[dict[str, Any]]]]:
    """What pages find for lines, by Node: in_node([(file, lines, width, best), ...]); a width of 0 is greedy."""
    if NODE is None:
        pytest.skip("no node on PATH: apt-get install nodejs")

    def answers(given: Iterable[tuple[Path, Sequence[str], int, int]]) -> list[list[dict[str, Any]]]:
        asked = [dict(zip(("file", "lines", "width", "best"), (str(one[0]), *one[1:]), strict=True)) for one in given]
        command = [NODE, "-e", _DRIVER]
        found = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=False
        )
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout)

    return answers


@pytest.fixture
def in_browser(tmp_path: Path) -> Callable[..., tuple[str, list[str]]]:
    """The document of a page after its scripts and one of ours ran, and what they wrote to the console.

    in_browser(page, "root.dataset.found = 1;", place="#text"), with time that passes as fast as scripts let it.
    """
    if BROWSER is None:
        pytest.skip("no chromium on PATH: apt-get install chromium")

    def opened(page: bytes, script: str = "", *, place: str = "", width: int = 1200) -> tuple[str, list[str]]:
        text, digest = page.decode(), b64encode(sha256(script.encode()).digest()).decode()
        text = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
        file = tmp_path / "page.html"
        file.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
        flags = ("--virtual-time-budget=4000", f"--window-size={width},900")
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [BROWSER, *_FLAGS.split(), profile, *flags, "--dump-dom", file.as_uri() + place]
        environment = os.environ | {"HOME": str(tmp_path)}
        found = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True, env=environment)
        return found.stdout, [line for line in found.stderr.splitlines() if ":CONSOLE" in line]

    return opened


@pytest.fixture
def translations() -> Callable[..., list[list[Translation]]]:
    """What translate.py finds for lines: translations(model, tokenizers, lines, width, best)."""

    def found(
        model: Seq2Seq, tokenizers: Tokenizers, lines: Sequence[str], width: int, best: int
    ) -> list[list[Translation]]:
        search = BeamSearch(beam_size=width, ranking=AverageRanking()) if width else GreedySearch()
        translator = Translator(model, tokenizers, search)
        return translator.translations([Line(line) for line in lines], n_best=best, attention=True)

    return found
