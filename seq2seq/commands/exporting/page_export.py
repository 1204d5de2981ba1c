"""Write a run as one HTML page that translates while one types."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seq2seq.commands.exporting.exported_sources import ExportedSources, searching
from seq2seq.config.contract import check_type
from seq2seq.data.text import check_whole
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.ranking import AverageRanking
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.stepper import Stepper
from seq2seq.export.page.assembly import assemble
from seq2seq.export.page.description import describe
from seq2seq.export.page.in_node import prove_script
from seq2seq.export.page.pieces import tables
from seq2seq.export.page.weight_bytes import store
from seq2seq.models.sizes import parameter_count, shortened
from seq2seq.runs.exported_run import export_home
from seq2seq.runs.named_files import new_file
from seq2seq.runs.run import LoadedRun
from seq2seq.translation.line import Line, Translation
from seq2seq.translation.translator import Translator
from seq2seq.whole_file import behind_links, write_whole

logger = logging.getLogger(__name__)
_FILE = "page.html"  # in a run: its page
_MEGABYTE, _LARGE = 1_000_000, 10  # of a page, above which 8 bits are worth a thought
_BEAM = partial(BeamSearch, ranking=AverageRanking())  # as the page searches, and decoding=beam
_WIDTHS = (0, 5)  # of the beams that are compared; 0: greedily


def place(options: Mapping[str, Any]) -> Path:
    """The file that a page is written to. Raises UserError if it is there, or cannot be written."""
    if options["example"] is not None:
        check_type("example", options["example"], str)
        check_whole(options["example"], "example")
    file = Path(str(options["out"])) if options["out"] is not None else export_home(str(options["run"])) / _FILE
    return new_file("out", file)


def write(run: LoadedRun, sources: ExportedSources, options: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Write the page of a run, and return its size, and in what its weights lead to other answers than the run's.

    Raises UserError, by name, at a part that the page's script does not compute, and where it computes something else.
    """
    about = {**describe(run.model), **tables(run.tokenizers)}
    kind = "int8" if options["int8"] else "float16"
    weights = store(run.model, kind)
    small = weights.widened(run.model)
    report: dict[str, Any] = _compared(run, small, sources.lines)
    logger.info("searched %d lines of %s: %d have another answer", report["lines"], sources.name, report["others"])
    if options["int8"]:
        report["scores"] = sources.scores(run, {"float32": run.model, "int8": small})
    example = sources.lines[0] if options["example"] is None else options["example"]
    page = assemble(_told(run, about, kind, example), weights, str(run.config["task"]))
    forced = partial(_searching(run, small, 0).score, first_number=None)
    found = partial(_found, run, small, sources.lines)
    report["script"] = prove_script(page.decode(), sources.lines, found, forced, _WIDTHS)
    if len(page) > _LARGE * _MEGABYTE and kind == "float16":
        logger.warning("the page has %.1f MB: int8=true halves it", len(page) / _MEGABYTE)
    write_whole(behind_links(file), page)
    return {**report, "weights": kind, "bytes": len(page)}


def _compared(run: LoadedRun, small: Stepper, lines: Sequence[str]) -> dict[str, Any]:
    """Numbers of lines with another answer, greedily or by beam, and the worst difference of other lines' scores."""
    others, worst = set(), 0.0
    for width in _WIDTHS:
        pairs = zip(*(_searching(run, own, width).hypotheses(lines) for own in (run.model, small)), strict=True)
        for number, (one, other) in enumerate(pairs):
            if one.ids != other.ids:
                others.add(number)
            else:
                worst = max(worst, _gap(one, other))
    return {"lines": len(lines), "others": len(others), "worst_difference": worst}


def _searching(run: LoadedRun, stepper: Stepper, width: int) -> Translator:
    return searching(run, stepper, _BEAM(beam_size=width) if width else None)


def _found(run: LoadedRun, stepper: Stepper, lines: Sequence[str], width: int) -> list[Translation]:
    found = _searching(run, stepper, width).translations([Line(line) for line in lines])
    return [translations[0] for translations in found]


def _gap(one: Hypothesis, other: Hypothesis) -> float:
    pairs = zip(one.token_scores, other.token_scores, strict=True)
    return max((abs(own - same) for own, same in pairs), default=0.0)


def _told(run: LoadedRun, about: Mapping[str, Any], kind: str, example: str) -> dict[str, Any]:
    """Knowledge that the page has beside weights, in plain types."""
    translator = searching(run, run.model)
    limits = translator.search.length
    most = {
        "max_ratio": limits.max_ratio,
        "max_extra": limits.max_extra,
        "max_source_tokens": translator.max_source_tokens,
    }
    return {**about, "limits": most, "example": example, "facts": _facts(run, about["decoder"], kind)}


def _facts(run: LoadedRun, decoder: Mapping[str, Any], kind: str) -> str:
    """Line that tells a reader of a model."""
    size, bits = shortened(parameter_count(run.model)), 16 if kind == "float16" else 8
    parts = f"{decoder['cells'][0]['kind']} cells, {decoder['kind']} decoder, {decoder['attention']['kind']} attention"
    return f"{size} parameters of {bits} bits each: {parts}. Trained for {run.step:,} steps."
