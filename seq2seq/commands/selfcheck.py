"""The promises of decoding, tested on a user's own checkpoint and sources."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.config.builder import build
from seq2seq.config.contract import check_counts, check_seed, check_type, read_options
from seq2seq.config.open_parts import with_own_data
from seq2seq.data.spreading import spread_over
from seq2seq.errors import UserError
from seq2seq.runs.evaluation import load_sources
from seq2seq.runs.named_runs import load_decoding_runs
from seq2seq.runs.translator import open_translator
from seq2seq.translation.promises import Finding, Tolerance, find

# In reduced precision, how many lines are searched together can move the last bit of a sum, and with it a rounding to
# 8 bits: 5e-3 nats and 1 of 3,000 sentences were seen, on a processor without VNNI.
_EXACT, _ROUNDED = Tolerance(1e-5, 0.0), Tolerance(0.05, 0.01)


def selfcheck(config: DictConfig) -> bool:
    """Print a table of the promises and tell whether all are kept."""
    options = read_options(config)
    check_counts(options, sentences=1)
    check_seed(options)
    tolerance = _tolerance(options["tolerance"], options)
    runs = load_decoding_runs(options)
    run = replace(runs[0], config=with_own_data(runs[0].config, options["data"], options["file"]))
    name, sources = load_sources(run, options["file"], options["split"])
    sources = spread_over(sources, options["sentences"])
    if not sources:
        if run.model.sourceless and options["file"] is None:
            raise UserError(
                "file must be given with a language model, whose own data have no sources: file=lines.txt, of "
                "beginnings to go on from."
            )
        raise UserError(f"{name} must hold a source that is not empty: give file=lines.txt or another split.")
    translator = open_translator(options, runs=runs)
    findings = find(translator, sources, build(options["decoding"], "decoding"), seed=options["seed"])
    _print(findings, name, tolerance)
    return all(finding.kept(tolerance) for finding in findings)


def _tolerance(nats: Any, options: Mapping[str, Any]) -> Tolerance:
    """The tolerance of a precision, with the nats that are asked for. Raises UserError below 0."""
    check_type("tolerance", nats, float | None)
    exact = options["precision"] == "float32" and options["matmul_precision"] == "highest"
    own = _EXACT if exact else _ROUNDED
    if nats is None:
        return own
    if not nats >= 0:
        raise UserError(f"tolerance must be at least 0, but is {nats}.")
    return own._replace(nats=float(nats))


def _print(findings: Sequence[Finding], name: str, tolerance: Tolerance) -> None:
    allowed = f"{tolerance.nats:g} nats a token" + (f", {tolerance.share:.0%} other tokens" if tolerance.share else "")
    table = Table(title=Text(f"promises on {name}, {findings[0].sentences} sentences, tolerance {allowed}"))
    for column in ("promise", "other tokens", "worst difference", ""):
        table.add_column(column, justify="left" if column == "promise" else "right")
    for finding in findings:
        verdict = "kept" if finding.kept(tolerance) else "BROKEN"
        table.add_row(finding.promise, str(finding.different), f"{finding.worst:.1e}", verdict)
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table)
