"""Programs that run a page's script: Node, and a browser. What needs one is skipped where there is none."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from seq2seq.export.page import in_node
from seq2seq.export.page.weight_bytes import WeightBytes

NODE = shutil.which("node")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_node = pytest.mark.skipif(NODE is None, reason="no node on PATH: apt-get install nodejs")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH: apt-get install chromium")


def answers_in_node(given: Iterable[tuple[Path, Sequence[str], int, int]]) -> list[list[dict[str, Any]]]:
    """What pages find for lines: of each (file, lines, width, best), where a width of 0 is greedy search."""
    asked = [in_node.Asked(file.read_text(encoding="utf-8"), lines, width, best) for file, lines, width, best in given]
    return in_node.answers_in_node(NODE or "node", asked)


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
