"""The promises of decoding, tested on a user's own checkpoint and sources."""

import sys
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from seq2seq.assembly.contract import check_counts, check_type
from seq2seq.assembly.evaluation import load_sources
from seq2seq.assembly.inference import build_translator, load_runs, read_options
from seq2seq.assembly.threads import set_threads
from seq2seq.decoding.beam import BeamSearch
from seq2seq.decoding.greedy import GreedySearch
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.search import Search
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError


class Tolerance(NamedTuple):
    """What a promise may miss: nats in a token's score, and the share of sentences that have other tokens."""

    nats: float
    share: float


# In reduced precision, how many lines are searched together can move the last bit of a sum, and with it a rounding to
# 8 bits: 5e-3 nats and 1 of 3,000 sentences were seen, on a processor without VNNI.
_EXACT, _ROUNDED = Tolerance(1e-5, 0.0), Tolerance(0.05, 0.01)


@dataclass(frozen=True)
class Finding:
    """One promise: of so many sentences, how many have other tokens, and the worst difference of a token's score."""

    promise: str
    sentences: int
    different: int
    worst: float

    def kept(self, tolerance: Tolerance) -> bool:
        return self.different <= tolerance.share * self.sentences and self.worst <= tolerance.nats


def selfcheck(config: DictConfig) -> bool:
    """Print a table of the promises; whether all are kept."""
    options = read_options(config)
    check_counts(options, sentences=1)
    check_type("seed", options["seed"], int)
    tolerance = _tolerance(options["tolerance"], options["precision"])
    runs = load_runs(options)
    name, sources = load_sources(runs[0], options["file"], options["split"] or "dev")
    sources = _spread(sources, options["sentences"])
    if not sources:
        raise UserError(f"{name} must hold a source that is not empty: give file=lines.txt or another split.")
    translator = build_translator(options, runs)
    set_threads(options["threads"], translator, lines=options["batch_size"])
    findings = find(translator, sources, instantiate(options["decoding"]), seed=options["seed"])
    _print(findings, name, tolerance)
    return all(finding.kept(tolerance) for finding in findings)


def _tolerance(nats: Any, precision: str) -> Tolerance:
    """That of a precision, with the nats that are asked for. Raises UserError below 0."""
    check_type("tolerance", nats, float | None)
    own = _EXACT if precision == "float32" else _ROUNDED
    if nats is None:
        return own
    if not nats >= 0:
        raise UserError(f"tolerance must be at least 0, but is {nats}.")
    return own._replace(nats=float(nats))


def _spread(sources: Sequence[str], count: int) -> list[str]:
    """At most `count`, from all over the file."""
    count = min(count, len(sources))
    return [sources[place * len(sources) // count] for place in range(count)]


def find(translator: Translator, sources: Sequence[str], search: Search, *, seed: int) -> list[Finding]:
    """Every promise, on greedy, beam and the search that is asked for."""
    limits: dict[str, Any] = {"length": search.length, "filters": search.filters}
    greedy, beam = GreedySearch(**limits), BeamSearch(beam_size=5, **limits)
    searches = {type(own).__name__: own for own in (greedy, beam, search)}
    found = {name: _run(translator, own, sources) for name, own in searches.items()}
    one = _run(translator, BeamSearch(beam_size=1, **limits), sources)
    findings = [_compare("greedy is a beam of 1", found["GreedySearch"], one)]
    order = torch.randperm(len(sources), generator=torch.Generator().manual_seed(seed)).tolist()
    for name, own in searches.items():
        scored = translator.score(sources, [hypothesis.ids for hypothesis in found[name]])
        findings.append(_compare(f"{name}: forced score is search score", found[name], scored))
        alone = [_run(translator, own, [source])[0] for source in sources]
        findings.append(_compare(f"{name}: one by one is all together", found[name], alone))
        shuffled = _run(translator, own, [sources[row] for row in order])
        findings.append(_compare(f"{name}: shuffled is in order", [found[name][row] for row in order], shuffled))
    return findings


def _run(translator: Translator, search: Search, sources: Sequence[str]) -> list[Hypothesis]:
    """The best hypothesis of every source, by one search."""
    own = copy(translator)
    own.search = search
    return own.hypotheses(sources)


def _compare(promise: str, first: Sequence[Hypothesis], second: Sequence[Hypothesis]) -> Finding:
    """Token by token, as far as both go: a hypothesis cut at its limit has no score of its end."""
    different, worst = 0, 0.0
    for one, other in zip(first, second, strict=True):
        different += one.ids != other.ids
        gaps = (abs(a - b) for a, b in zip(one.token_scores, other.token_scores, strict=False))
        if one.ids == other.ids:
            worst = float(torch.tensor([worst, *gaps], dtype=torch.float64).max())  # NaN, if one of them is
    return Finding(promise, len(first), different, worst)


def _print(findings: Sequence[Finding], name: str, tolerance: Tolerance) -> None:
    allowed = f"{tolerance.nats:g} nats a token" + (f", {tolerance.share:.0%} other tokens" if tolerance.share else "")
    table = Table(title=f"promises on {name}, {findings[0].sentences} sentences, tolerance {allowed}")
    for column in ("promise", "other tokens", "worst difference", ""):
        table.add_column(column, justify="left" if column == "promise" else "right")
    for finding in findings:
        verdict = "kept" if finding.kept(tolerance) else "BROKEN"
        table.add_row(finding.promise, str(finding.different), f"{finding.worst:.1e}", verdict)
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table)
