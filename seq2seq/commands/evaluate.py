"""Score a run on examples."""

from typing import Any

from omegaconf import DictConfig

from seq2seq.config.changes import changed
from seq2seq.config.contract import check, read_options
from seq2seq.runs.evaluation import build_scores, evaluate, load_examples
from seq2seq.runs.run import Run, refuse_foreign_code
from seq2seq.runs.translator import load_runs, open_translator


def evaluate_run(config: DictConfig) -> dict[str, Any]:
    """Score the `run` of a config on its `file` or `split` and return the report."""
    options = read_options(config)
    runs = load_runs(options)
    run = runs[0]
    metrics = _metrics(run, options)
    name, examples = load_examples(run, options["file"], options["split"])
    translator = open_translator(options, runs=runs)
    return {
        "data": name,
        **evaluate(translator, examples, build_scores({"metrics": metrics})).report(),
        "step": run.step,
    }


def _metrics(run: Run, options: dict[str, Any]) -> dict[str, Any]:
    """The metrics of a run, with the changes of the options."""
    refuse_foreign_code(run.config, "metrics")
    metrics = changed("metrics", run.config["metrics"], options["metrics"])
    check({"metrics": metrics})
    return metrics
