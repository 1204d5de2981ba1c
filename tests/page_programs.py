"""Programs that run a page's script: Node, and a browser. What needs one is skipped where there is none."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from seq2seq.export.page.weight_bytes import WeightBytes

NODE = shutil.which("node")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_node = pytest.mark.skipif(NODE is None, reason="no node on PATH: apt-get install nodejs")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH: apt-get install chromium")
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


def answers_in_node(given: Iterable[tuple[Path, Sequence[str], int, int]]) -> list[list[dict[str, Any]]]:
    """What pages find for lines: of each (file, lines, width, best), where a width of 0 is greedy search."""
    asked = [dict(zip(("file", "lines", "width", "best"), (str(one[0]), *one[1:]), strict=True)) for one in given]
    command = [NODE or "node", "-e", _DRIVER]
    found = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stderr
    answers: list[list[dict[str, Any]]] = json.loads(found.stdout)
    return answers


def weights_in_node(script: str, weights: WeightBytes) -> dict[str, list[float]]:
    """The numbers that a page's script reads from weights, by the names of their tensors."""
    driver = f"""{script}
    const {{ index, data }} = JSON.parse(require("fs").readFileSync(0, "utf8"));
    const read = new Weights(index, bytesOf(data));
    const found = Object.keys(index).map((name) => [name, Array.from(read.matrix(name).values)]);
    process.stdout.write(JSON.stringify(Object.fromEntries(found)));"""
    given = json.dumps({"index": weights.places, "data": base64.b64encode(weights.data).decode("ascii")})
    found = subprocess.run([NODE or "node", "-e", driver], input=given, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    numbers: dict[str, list[float]] = json.loads(found.stdout)
    return numbers
