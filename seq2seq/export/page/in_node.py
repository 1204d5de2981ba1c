"""A page's own script run by Node, where it is installed, and what it finds beside what the model does."""

import json
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.symbols import EOS
from seq2seq.translation.line import Translation

logger = logging.getLogger(__name__)
_NATS = 1e-4  # that the score of a token may be off, and that make two of them equally good
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
      .map(({ text, ids, score, scores, finished, weights }) => ({ text, ids, score, scores, finished, weights })),
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
    asked = list(asked)
    given = json.dumps([one._asdict() for one in asked], allow_nan=False).encode()
    found = subprocess.run([program, "-e", _DRIVER], input=given, capture_output=True, timeout=_SECONDS, check=False)
    if found.returncode != 0:
        raise OSError(found.stderr.decode(errors="replace").strip() or f"exit code {found.returncode}")
    try:
        answers: list[list[dict[str, Any]]] = json.loads(found.stdout)
        whole = [[isinstance(own["found"], list) for own in each] for each in answers]
    except (ValueError, TypeError, LookupError):
        whole = []
    if whole != [[True] * len(one.lines) for one in asked]:
        raise OSError(f"it prints {found.stdout[:40].decode(errors='replace')!r}, and no answers")
    return answers


class _AnsweredLine(NamedTuple):
    """Answers of a page to a line, and of the model."""

    line: str
    own: dict[str, Any]
    other: Translation

    @property
    def alike(self) -> bool:
        """The two are one sequence of tokens."""
        found = self.other.hypothesis
        return self.own["ids"] == found.ids and len(self.own["scores"]) == len(found.token_scores)


def prove_script(
    page: str,
    lines: Sequence[str],
    wanted: Callable[[int], Sequence[Translation]],
    scored: Callable[[Sequence[str], Sequence[Sequence[int]]], Sequence[Hypothesis]],
    widths: Sequence[int],
) -> dict[str, Any] | None:
    """The number of lines that a page's script was asked, of other answers to them, and how far a token's score is off.

    None without Node. `wanted` tells what the model with the page's numbers finds by a beam so wide, greedily at 0, and
    `scored` what it gives to ids. A beam that parts a near tie otherwise ends elsewhere: this is told. Raises UserError
    where the page's scores are not the model's, or it takes another token greedily which is not as good.
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
    worst, others = 0.0, 0
    for width, found in zip(widths, answers, strict=True):
        pairs = [
            _AnsweredLine(line, _best(line, own["found"], other), other)
            for line, own, other in zip(lines, found, wanted(width), strict=True)
        ]
        worst = max([worst, *_gaps(pairs, scored, greedy=not width)])
        if unlike := sum(not one.alike for one in pairs):
            _tell(unlike, len(pairs), width)
        others += unlike
    return {"lines": len(lines), "others": others, "worst_difference": worst}


def _best(line: str, found: Sequence[dict[str, Any]], other: Translation) -> dict[str, Any]:
    """The best that a page finds. Raises UserError where there is none, or a score is no number."""
    if found and None not in (found[0]["score"], *found[0]["scores"]):
        return found[0]
    raise UserError(
        f"to=page must answer as the model does, but has no scored answer to {line!r}, where that says {other.text!r}. "
        "Nothing was written: choose to=onnx, or decode by the run."
    )


def _gaps(
    pairs: Sequence[_AnsweredLine],
    scored: Callable[[Sequence[str], Sequence[Sequence[int]]], Sequence[Hypothesis]],
    *,
    greedy: bool,
) -> Iterator[float]:
    """The distance of each answer's scores from those of the model, in nats of a token. Raises UserError if far."""
    unlike = [one for one in pairs if not one.alike]
    forced = iter(scored([one.line for one in unlike], [one.own["ids"] for one in unlike]) if unlike else ())
    for one in pairs:
        own, by_model = one.own["scores"], one.other.hypothesis if one.alike else next(forced)
        # What was cut has no score of an end, which the model may have.
        gaps = [abs(score - same) for score, same in zip(own, by_model.token_scores, strict=False)]
        if greedy and not one.alike:
            gaps.append(_parting(one))
        if wrong := [gap for gap in gaps if not gap <= _NATS]:  # one that is no number, too
            raise UserError(
                f"to=page must answer as the model does, but says {one.own['text']!r} to {one.line!r}, with a token's "
                f"score that is {wrong[0]:.1e} nats off the model's, which says {one.other.text!r}. Nothing was "
                "written: choose to=onnx, or decode by the run."
            )
        yield max(gaps, default=0.0)


def _parting(one: _AnsweredLine) -> float:
    """The difference of the first two tokens that are unlike: behind the same ones, they are as good."""
    found = one.other.hypothesis
    ids = zip([*one.own["ids"], EOS], [*found.ids, EOS], strict=False)
    place = next((place for place, (own, same) in enumerate(ids) if own != same), None)
    scores = one.own["scores"], found.token_scores
    return 0.0 if place is None or place >= min(map(len, scores)) else abs(scores[0][place] - scores[1][place])


def _tell(unlike: int, count: int, width: int) -> None:
    search = f"by a beam of {width}" if width else "greedily"
    logger.warning(
        "%s, the page has another answer than the model to %d of %d lines, with the scores that the model gives to it: "
        "near ties",
        *(search, unlike, count),
    )
