"""A page's own script run by Node, where it is installed, and what it finds beside what the model does."""

import json
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from seq2seq.errors import UserError
from seq2seq.translation.line import Translation

logger = logging.getLogger(__name__)
_NATS = 1e-4  # that a score may be off, and that make two answers equally good
_SECONDS = 1800
# Runs the script of each page as it stands, and says what it finds for lines, in JSON.
_DRIVER = """
const { readFileSync } = require("fs");
const { runInThisContext } = require("vm");
const part = (page, id) => new RegExp(`<script[^>]* id="${id}">([^]*?)</script>`).exec(page)[1];
const answers = JSON.parse(readFileSync(0, "utf8")).map(({ page, lines, width, best }) => {
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


class Asked(NamedTuple):
    """Lines for a page to translate: by a beam so wide, greedily at 0, and so many of the best of each."""

    page: str
    lines: Sequence[str]
    width: int
    best: int = 1


def node() -> str | None:
    """The path of Node, if it is installed."""
    return shutil.which("node")


def answers_in_node(program: str, asked: Iterable[Asked]) -> list[list[dict[str, Any]]]:
    """A page's `ids` of each source and the best `found`. Raises OSError where it cannot run."""
    given = json.dumps([one._asdict() for one in asked], allow_nan=False)
    found = subprocess.run(
        [program, "-e", _DRIVER], input=given, capture_output=True, encoding="utf-8", timeout=_SECONDS, check=False
    )
    if found.returncode != 0:
        raise OSError(found.stderr.strip() or f"exit code {found.returncode}")
    answers: list[list[dict[str, Any]]] = json.loads(found.stdout)
    return answers


def prove_script(
    page: str, lines: Sequence[str], wanted: Callable[[int], Sequence[Translation]], widths: Sequence[int]
) -> dict[str, Any] | None:
    """The number of lines that a page's script was asked, and how far a score is off at most; None without Node.

    `wanted` tells what the model with the page's numbers finds by a beam so wide, greedily at 0. Raises UserError where
    the page answers otherwise: two answers that are equally good are no difference.
    """
    if (program := node()) is None:
        logger.warning("node is not installed: the page's own script was not run beside the model")
        return None
    try:
        answers = answers_in_node(program, [Asked(page, lines, width) for width in widths])
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning(
            "%s cannot run the page's script, which was not proved: %s", program, str(error).splitlines()[-1]
        )
        return None
    worst = 0.0
    for width, found in zip(widths, answers, strict=True):
        for line, own, other in zip(lines, found, wanted(width), strict=True):
            worst = max(worst, _gap(line, own["found"][0], other))
    return {"lines": len(lines), "worst_difference": worst}


def _gap(line: str, own: dict[str, Any], other: Translation) -> float:
    """The difference of two answers' scores, in nats. Raises UserError where it is too large, or only one is there."""
    gap = abs(own["score"] - other.hypothesis.score)
    if not gap <= _NATS:
        raise UserError(
            f"to=page must answer as the model does, but says {own['text']!r} to {line!r}, with a score that is "
            f"{gap:.1e} nats off that of {other.text!r}. Nothing was written: choose to=onnx, or decode by the run."
        )
    return float(gap)
