"""Find out what the units of a run know."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure
from omegaconf import DictConfig

from seq2seq.commands.evaluate import with_data
from seq2seq.commands.interpreting.report_folder import check_formats, report_folder, write_report
from seq2seq.config.closed_table import find_function, trusted
from seq2seq.config.contract import check_counts, check_limit, check_seed, read_options
from seq2seq.config.overrides import command, override
from seq2seq.data.frame_reader import FrameReader
from seq2seq.errors import UserError
from seq2seq.interpretation.chosen_cells import check_layers, chosen_cells
from seq2seq.interpretation.linear_probe import LEAST_LINES
from seq2seq.interpretation.signals import NamedSignal, find_signals
from seq2seq.interpretation.trace import named_cells
from seq2seq.interpretation.unit_examples import ShownUnit, clearest, shown_units
from seq2seq.interpretation.unit_page import units_page
from seq2seq.interpretation.unit_plot import units_figure
from seq2seq.interpretation.unit_steps import UnitSteps
from seq2seq.interpretation.unit_study import UnitFinding, UnitStudy
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.of_frames import refuse_forecaster
from seq2seq.runs.probe_table import print_probes
from seq2seq.runs.probed_lines import lines_to_force
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.sourceless import refuse_language_model

logger = logging.getLogger(__name__)
_USUAL = ("position", "distance_to_end", "vowel", "piece_before")


def probe(config: DictConfig) -> dict[str, Any]:
    """Hold the units of a run against signals, write page, pictures and record, and return the record.

    Of correlations the printed record has the clearest, that in the file all. Raises UserError before anything is
    written.
    """
    options = read_options(config)
    signals = _read(options)
    folder = report_folder(options, "units")
    run = with_data(load_runs(options)[0], options)
    refuse_language_model(run, options["run"], "probe")
    refuse_forecaster(run.config, options["run"], "probe")
    names = _layers(run, options)
    data, lines = lines_to_force(run, options, names, least=LEAST_LINES)
    steps = UnitSteps(run.model, names)
    for batch in lines.batches(next(run.model.parameters()).device):
        steps.add(*batch)
    study = UnitStudy(lines.sides(), steps.cells(), signals, all_change=options["signals"] is not None)
    _tell_of_left_out(study)
    findings = study.findings()
    record = {"data": data, "lines": len(lines), "step": run.step, "tests": len(findings)}
    record["probes"] = [
        {"cell": cell.name, "signal": signal.name} | _rounded({**asdict(score), "selectivity": score.selectivity})
        for cell, signal, score in study.probes(seed=options["seed"])
    ]
    changing = [signal.name for signal in signals if signal.name not in study.unchanging]
    shown = clearest(findings, changing, options["units"])
    printed = {name: [_row(finding) for finding in own] for name, own in shown.items()}
    print_probes(record, printed)
    units = {name: shown_units(study, own) for name, own in shown.items()}
    title = f"{options['run']} on {data}"
    whole = record | {"units": [_row(finding) for finding in findings]}
    page = _page(options, units, record, title)
    write_report(folder, "units", whole, _figures(units, title), options["formats"], units=page)
    return record | {"units": printed}


def _tell_of_left_out(study: UnitStudy) -> None:
    """Say which cells and which of the usual signals are not looked at."""
    if study.left_out:
        logger.warning("left out, as they have steps of their own, not one for each piece: %s", study.left_out)
    if study.unchanging:
        logger.info("left out, as these lines say nothing of them: %s", ", ".join(study.unchanging))


def _read(options: Mapping[str, Any]) -> list[NamedSignal]:
    check_counts(options, units=1, max_tokens=1)
    check_seed(options)
    check_limit(options)
    check_formats(options["formats"])
    check_layers(options["layers"])
    given: Any = [*_USUAL] if options["signals"] is None else options["signals"]
    if not (isinstance(given, list) and given and all(isinstance(one, str) for one in given)):
        raise UserError(f"signals must be a list of names, or null for the usual ones, but is {given!r}.")
    if isinstance(options["run"], list):
        raise UserError("run must be one run, as an ensemble has no units of its own: give run=DIR.")
    return find_signals(given, lambda name: find_function(name, "signals"))


def _layers(run: LoadedRun, options: Mapping[str, Any]) -> list[str]:
    """Names of the cells to look at, all that have pieces where none are named."""
    frames = isinstance(run.tokenizers.source, FrameReader)
    known = [name for name in named_cells(run.model) if not (frames and name.startswith("encoder"))]
    if not known:
        raise UserError(
            f"run must have a cell that goes through pieces, but run={options['run']} reads frames, which are no "
            "pieces, and its decoder has no cells: give another run."
        )
    if options["layers"] is None:
        return known
    names = chosen_cells(run.model, options["layers"], named_cells(run.model))
    for name in names:
        if frames and name.startswith("encoder"):
            raise UserError(
                f"layers must be of the decoder, as run={options['run']} reads frames, which are no pieces, but has "
                f"{name.replace(' ', '.')}."
            )
    return names


def _figures(units: Mapping[str, Sequence[ShownUnit]], title: str) -> dict[str, Figure]:
    """A picture of the units of each signal that some follow, by its last name, or the whole where others share it."""
    last = {name: name.rpartition(".")[2] for name in units}
    shared = Counter(last.values())
    return {
        f"units {name if shared[last[name]] > 1 else last[name]}": units_figure(
            own, title=f"Units that follow {name}: {title}"
        )
        for name, own in units.items()
        if own
    }


def _page(
    options: Mapping[str, Any], units: Mapping[str, Sequence[ShownUnit]], record: Mapping[str, Any], title: str
) -> str:
    """The page of the units that are shown, with what is said of all above them."""
    summary = (
        f"{record['lines']:,} lines, step {record['step']:,}; {record['tests']:,} correlations, their p corrected for "
        "that number (Holm). Partial: with position, length and the piece that was read given, but those that a "
        "signal is made of."
    )
    return units_page(units, record["probes"], lambda one: _intervention(options, one), title=title, summary=summary)


def _intervention(options: Mapping[str, Any], finding: UnitFinding) -> str:
    """The command that stills a unit alone and scores the run."""
    told = [f"trust=[{','.join(trusted())}]"] if trusted() else []
    cell = finding.cell.replace(" ", ".")
    chosen = ["gates=[]", "attention=[]", "state=[silence]", f"layers=[{cell}]", f"units=[{finding.unit}]"]
    lists = (f'"{word}"' for word in (*told, *chosen))  # or some shells look for files of such names
    return command("scripts/intervene.py", [override("run", str(options["run"])), *lists])


def _row(finding: UnitFinding) -> dict[str, Any]:
    return _rounded(asdict(finding) | {"p": float(f"{finding.p:.3g}")})


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) and name != "p" else value for name, value in row.items()}
