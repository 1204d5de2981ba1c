"""Score a run on examples, or compare several."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from omegaconf import DictConfig

from seq2seq.commands.evaluating.latency import score_while_reading, with_policies
from seq2seq.commands.evaluating.text_scores import refuse_deaf, score_text
from seq2seq.config.contract import check_counts, check_seed, check_type, read_options
from seq2seq.config.job import given_overrides
from seq2seq.config.open_parts import changed, with_own_data
from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.metrics.scores import Scores
from seq2seq.metrics.significance import Draws
from seq2seq.runs.comparison import compare, find_runs, refuse_other_examples
from seq2seq.runs.evaluation import build_scores, evaluate, load_examples
from seq2seq.runs.forecaster import open_forecaster
from seq2seq.runs.last_values import warn_of_last_values
from seq2seq.runs.model_kinds import writes_frames
from seq2seq.runs.named_runs import load_decoding_runs
from seq2seq.runs.of_frames import check_metrics
from seq2seq.runs.run import DecodingRun, LoadedRun
from seq2seq.runs.sourceless import refuse_language_model
from seq2seq.runs.summary import print_comparison
from seq2seq.runs.translator import open_translator
from seq2seq.runs.unknown_examples import warn_of_unknown
from seq2seq.standard_streams import check_no_output
from seq2seq.translation.forecaster import Forecaster
from seq2seq.translation.translator import Translator

Loaded = TypeVar("Loaded", bound=DecodingRun)


def evaluate_run(config: DictConfig) -> dict[str, Any]:
    """Score the `run` of a config on its `file` or `split` and return the report.

    Where it says `compare`, runs are scored one by one, and a table of them is printed on stderr.
    """
    config, policies = with_policies(config)
    options = read_options(config) | {"policies": policies}
    check_type("compare", options["compare"], bool)
    _refuse_deaf_policies(options)
    if options["file"] is not None:
        check_no_output("file", str(options["file"]))
    draws = read_draws(options)
    return _compare_runs(options, draws) if options["compare"] else _score_run(options, draws)


def _refuse_deaf_policies(options: dict[str, Any]) -> None:
    if options["compare"] and options["policies"]:
        raise UserError("compare must be false with simultaneous, which scores the policies of one run.")
    given = [text for text in given_overrides() if text.startswith("randomization=")]
    if given and not options["compare"]:
        raise UserError(
            f"{given[0]} has no effect on one run, which has no p-value: give compare=true, or leave it out."
        )
    if options["picture"] is not None and not options["policies"]:
        raise UserError(f"picture needs simultaneous, whose lags it shows, but is {options['picture']} without it.")


def read_draws(options: dict[str, Any]) -> Draws:
    """The draws behind intervals and p-values. Raises UserError where a number of them is none."""
    check_counts(options, bootstrap=0, randomization=0)
    check_seed(options)
    return Draws(options["bootstrap"], options["randomization"], options["seed"])


def _score_run(options: dict[str, Any], draws: Draws) -> dict[str, Any]:
    runs = [with_data(run, options) for run in load_decoding_runs(options)]
    if runs[0].model.sourceless:
        refuse_deaf(given_overrides())
        assert isinstance(runs[0], LoadedRun)  # no language model is exported
        return score_text(runs[0], options)
    metrics = build_metrics(runs[0], options)
    name, examples = load_examples(runs[0], options["file"], options["split"], in_order=options["reset"] is not None)
    translator = _opened(options, runs)
    _warn_of_unknown(name, examples, translator, set())
    if options["policies"]:
        if not isinstance(translator, Translator):
            raise UserError(f"simultaneous needs a run that writes text, but run={options['run']} writes frames.")
        return {
            "data": name,
            **score_while_reading(options, translator, examples, metrics, draws),
            "step": runs[0].step,
        }
    evaluation = evaluate(translator, examples, metrics, draws)
    warn_of_last_values(examples, evaluation)
    return {"data": name, **evaluation.report(), "step": runs[0].step}


def _compare_runs(options: dict[str, Any], draws: Draws) -> dict[str, Any]:
    paths = find_runs(options["run"])
    runs = [with_data(load_decoding_runs(options | {"run": path})[0], options) for path in paths]
    for path, run in zip(paths, runs, strict=True):
        refuse_language_model(run, path, "compare")
    metrics = build_metrics(runs[0], options)
    name, examples = load_examples(runs[0], options["file"], options["split"], in_order=options["reset"] is not None)
    if options["file"] is None:
        refuse_other_examples(paths, runs, name, examples)
    told: set[tuple[bytes, ...]] = set()
    evaluations = []
    for run in runs:
        translator = _opened(options, [run])
        _warn_of_unknown(name, examples, translator, told)
        evaluations.append(evaluate(translator, examples, metrics, draws))
        del translator  # before the next, as each lays out the weights anew
    comparison = compare(paths, [run.step for run in runs], evaluations, metrics, draws)
    report = {"data": name, **comparison.report()}
    print_comparison(report)
    return report


def _opened(options: dict[str, Any], runs: Sequence[DecodingRun]) -> Translator | Forecaster:
    """The translator, or forecaster, of runs."""
    loaded = [run for run in runs if isinstance(run, LoadedRun)]
    if loaded and writes_frames(loaded[0].config):
        return open_forecaster(options, runs=loaded)
    if options["samples"]:
        raise UserError(
            f"samples must be 0 with a run that writes text, but is {options['samples']}: see decoding=sampling."
        )
    return open_translator(options, runs=runs)


def _warn_of_unknown(
    name: str, examples: Sequence[Example], translator: Translator | Forecaster, told: set[tuple[bytes, ...]]
) -> None:
    """Warn of what is unknown to a translator, unless its vocabulary is among those that were told of."""
    if not isinstance(translator, Translator):
        return
    vocabulary = tuple(translator.tokenizers.serialized.values())
    if vocabulary not in told:
        told.add(vocabulary)
        warn_of_unknown(name, examples, translator)


def with_data(run: Loaded, options: dict[str, Any]) -> Loaded:
    """The run with its data where the options say that they are."""
    return replace(run, config=with_own_data(run.config, options["data"], options["file"]))


def build_metrics(run: DecodingRun, options: dict[str, Any]) -> dict[str, Scores]:
    """The metrics of a run, with the changes of the options."""
    metrics = changed("metrics", run.config["metrics"], options["metrics"])
    check_metrics(run.config, metrics)
    return build_scores({"metrics": metrics})
