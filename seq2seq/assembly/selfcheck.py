"""The promises of decoding, tested on a user's own checkpoint and sources."""

import sys
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Finding:
    """One promise: of so many sentences, how many have other tokens, and the worst difference of a token's score."""

    promise: str
    sentences: int
    different: int
    worst: float

    def kept(self, tolerance: float) -> bool:
        return self.different == 0 and self.worst <= tolerance


def selfcheck(config: DictConfig) -> bool:
    """Print a table of the promises; whether all are kept."""
    options = read_options(config)
    check_counts(options, sentences=1)
    check_type("seed", options["seed"], int)
    check_type("tolerance", options["tolerance"], float)
    if options["tolerance"] < 0:
        raise UserError(f"tolerance must be at least 0, but is {options['tolerance']}.")
    runs = load_runs(options)
    name, sources = load_sources(runs[0], options["file"], options["split"] or "dev")
    sources = _spread(sources, options["sentences"])
    if not sources:
        raise UserError(f"{name} must hold a source that is not empty: give file=lines.txt or another split.")
    translator = build_translator(options, runs)
    set_threads(options["threads"], translator, lines=options["batch_size"])
    findings = find(translator, sources, instantiate(options["decoding"]), seed=options["seed"])
    _print(findings, name, options["tolerance"])
    return all(finding.kept(options["tolerance"]) for finding in findings)


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


def _print(findings: Sequence[Finding], name: str, tolerance: float) -> None:
    table = Table(title=f"promises on {name}, {findings[0].sentences} sentences, tolerance {tolerance:g} nats a token")
    for column in ("promise", "other tokens", "worst difference", ""):
        table.add_column(column, justify="left" if column == "promise" else "right")
    for finding in findings:
        verdict = "kept" if finding.kept(tolerance) else "BROKEN"
        table.add_row(finding.promise, str(finding.different), f"{finding.worst:.1e}", verdict)
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table)
