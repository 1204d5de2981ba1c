"""Score a run while gates are set, units stilled or attention changed."""

import logging
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from matplotlib.figure import Figure
from omegaconf import DictConfig

from seq2seq.commands.evaluate import build_metrics, with_data
from seq2seq.commands.interpreting.report_folder import check_formats, report_folder, write_report
from seq2seq.config.contract import check_counts, check_distinct, check_limit, check_seed, read_options
from seq2seq.errors import UserError
from seq2seq.interpretation.intervention_plan import USUAL, InterventionPlan, value_name
from seq2seq.interpretation.intervention_plot import InterventionBar, interventions_figure
from seq2seq.interpretation.intervention_steps_plot import steps_figure
from seq2seq.interpretation.other_input import ONE_HYPOTHESIS, OtherInputs
from seq2seq.metrics.significance import Draws
from seq2seq.runs.evaluation import load_dev_examples
from seq2seq.runs.gold import check_gold
from seq2seq.runs.intervened import InterventionResult, InterventionTrials
from seq2seq.runs.intervention_table import print_interventions
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.of_frames import refuse_forecaster
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.sourceless import refuse_language_model
from seq2seq.runs.translator import open_translator
from seq2seq.training.time_left import duration

logger = logging.getLogger(__name__)
_LISTS = {
    "gates": None,
    "to": [*USUAL],
    "units": None,
    "state": [],
    "attention": None,
    "steps": None,
}
_TOLD = 10  # seconds from one message to the next
_SHARE = 0.1  # of the targets that still go on where a picture ends


def intervene(config: DictConfig) -> dict[str, Any]:
    """Try every intervention of a config alone, write record and picture, and return the record.

    A table is printed on stderr. Raises UserError before anything is written.
    """
    options = read_options(config)
    plan = _read_plan(options)
    folder = report_folder(options, "interventions")
    run = _load(options)
    metrics = build_metrics(run, options)
    data, examples = load_dev_examples(run, options["file"], options["split"])
    draws = Draws(options["bootstrap"], 0, options["seed"])
    model = deepcopy(run.model)  # a translator's own is packed, and shows no gates
    translator = open_translator({**options, "precision": "float32"}, runs=[run])
    examples = translator.some(examples, options["limit"])
    check_gold(data, examples)
    trials = InterventionTrials(model, translator, examples, metrics, draws)
    if "other" in options["to"] and translator.search.width > 1:
        raise UserError(ONE_HYPOTHESIS)
    others = OtherInputs(options["seed"], translator.search.length)
    plan.interventions(model, others)  # a mistake shows before means are found
    results = _tried(trials, plan.interventions(model, others, trials.means() if plan.needs_means else {}))
    head = {"data": data, "examples": len(examples), "step": run.step, "none": trials.report(trials.baseline)}
    record = {**head, "interventions": [trials.report(result) for result in results]}
    print_interventions(record)
    _tell_of_losses([trials.baseline, *results])
    figures = {"interventions": _figure(trials, results, f"{options['run']} on {data}")} if results else {}
    write_report(folder, "interventions", record, figures, options["formats"])
    return record


def _read_plan(options: Mapping[str, Any]) -> InterventionPlan:
    check_counts(options, bootstrap=0)
    check_seed(options)
    check_limit(options)
    check_formats(options["formats"])
    for name, default in _LISTS.items():
        given = options[name]
        if not isinstance(given, list) and not (given is None and default is None):
            raise UserError(f"{name} must be a list{' or null' if default is None else ''}, but is {given!r}.")
    for unit in options["units"] or ():
        if type(unit) is not int:
            raise UserError(f"units must be whole numbers, but has {unit!r}.")
    for name in ("gates", "state", "attention"):
        if not all(isinstance(one, str) for one in options[name] or ()):
            raise UserError(f"{name} must be a list of names, but is {options[name]!r}.")
    if isinstance(options["run"], list):
        raise UserError("run must be one run, as an ensemble has no gates of its own: give run=DIR.")
    lists = {name: options[name] for name in ("layers", *_LISTS)}
    plan = InterventionPlan(**lists, seed=options["seed"])
    for name in _LISTS:
        check_distinct(name, map(value_name, options["to"]) if name == "to" else options[name] or ())
    return plan


def _load(options: Mapping[str, Any]) -> LoadedRun:
    run = with_data(load_runs(options)[0], dict(options))
    refuse_language_model(run, options["run"], "intervene")
    refuse_forecaster(run.config, options["run"], "intervene")
    return run


def _tried(trials: InterventionTrials, interventions: Sequence[Any]) -> list[InterventionResult]:
    """Results of all interventions, with messages of how long it still takes."""
    _, started, told = trials.baseline, time.monotonic(), 0.0
    results = []
    for number, intervention in enumerate(interventions, 1):
        results.append(trials.result(intervention))
        passed = time.monotonic() - started
        if passed - told >= _TOLD:
            told, left = passed, duration(passed / number * (len(interventions) - number))
            logger.info("%d of %d interventions, %s left", number, len(interventions), left)
    return results


def _tell_of_losses(results: Sequence[InterventionResult]) -> None:
    """Say what a loss that is not finite comes from, where there is one."""
    if changed := sum(result.not_finite > 0 for result in results):
        logger.warning(
            "the loss of %d of %d rows is not finite (not_finite: of so many examples): a token of a target has no "
            "probability at all, as with model.output.normalizer=entmax, or a number is too large for the run",
            *(changed, len(results)),
        )


def _figure(trials: InterventionTrials, results: Sequence[InterventionResult], title: str) -> Figure:
    """The picture of the first metric."""
    metric = next(iter(trials.baseline.evaluation.scores))
    if results[0].step is not None:
        return _by_step(trials, results, metric, title)
    plain = trials.baseline.course
    bars = []
    for result in results:
        found = trials.differences(result)
        course = [own - without for own, without in zip(result.course, plain, strict=True)]
        name, score, loss = f"{result.place}: {result.change}", found[metric], found["loss"]
        bars.append(InterventionBar(name, score.difference, score.interval, loss.difference, loss.interval, course))
    lengths = sorted((int(tokens) for tokens in trials.baseline.losses[:, 1]), reverse=True)
    shown = lengths[int(_SHARE * len(lengths))]
    return interventions_figure(bars, metric, shown=shown, title=title)


def _by_step(trials: InterventionTrials, results: Sequence[InterventionResult], metric: str, title: str) -> Figure:
    """The picture of a metric and the loss by the step at which each change was made alone."""
    names = (metric, "loss")
    effects: dict[str, dict[str, list[float]]] = {}
    for result in results:
        found = trials.differences(result)
        row = effects.setdefault(f"{result.place}: {result.change}", {name: [] for name in names})
        for name in names:
            row[name].append(found[name].difference)
    steps = list(dict.fromkeys(result.step for result in results if result.step is not None))
    return steps_figure(effects, steps, names, title)
