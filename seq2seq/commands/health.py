"""Look at the health of a run: its vital signs as it is, and over training."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure
from omegaconf import DictConfig

from seq2seq.commands.evaluate import with_data
from seq2seq.commands.interpreting.report_folder import check_formats, report_folder, write_report
from seq2seq.config.contract import check_counts, check_limit, read_options
from seq2seq.errors import UserError
from seq2seq.interpretation.health_rules import health_sentences, not_taken
from seq2seq.interpretation.trace import named_cells
from seq2seq.interpretation.vital_plot import vital_figure
from seq2seq.interpretation.vital_signs import VitalSigns
from seq2seq.runs.health_table import print_health
from seq2seq.runs.kept_vital_signs import kept_vital_signs
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.of_frames import refuse_forecaster
from seq2seq.runs.probed_lines import lines_to_force
from seq2seq.runs.sourceless import refuse_language_model

logger = logging.getLogger(__name__)


def health(config: DictConfig) -> dict[str, Any]:
    """Measure the vital signs of a run, write record and picture, and return the record.

    The picture is of its validations, where the run kept their signs. Raises UserError before anything is written.
    """
    options = read_options(config)
    check_counts(options, max_tokens=1)
    check_limit(options)
    check_formats(options["formats"])
    if isinstance(options["run"], list):
        raise UserError("run must be one run, as an ensemble has no cells of its own: give run=DIR.")
    folder = report_folder(options, "health")
    run = with_data(load_runs(options)[0], options)
    refuse_language_model(run, options["run"], "health")
    refuse_forecaster(run.config, options["run"], "health")
    data, lines = lines_to_force(run, options, list(named_cells(run.model)), least=1)
    measured = VitalSigns(run.model)
    for batch in lines.batches(next(run.model.parameters()).device):
        measured.add(*batch)
    signs = measured.signs()
    record = {
        "data": data,
        "lines": len(lines),
        "step": run.step,
        "signs": [asdict(sign) | {"value": round(sign.value, 4)} for sign in signs],
        "advice": list(health_sentences(signs, not_taken(run.model))),
    }
    print_health(record)
    write_report(folder, "health", record, _figures(options), options["formats"])
    return record


def _figures(options: Mapping[str, Any]) -> dict[str, Figure]:
    """The picture of the signs over the run's validations, where it kept them."""
    if not (points := kept_vital_signs(str(options["run"]))):
        logger.info("no picture: the run kept no vital signs of its validations (callbacks.vital_signs)")
        return {}
    return {"vital_signs": vital_figure(points, title=f"Vital signs: {options['run']}")}
