"""Score a run on examples."""

from typing import Any

from omegaconf import DictConfig

from seq2seq.config.contract import read_options
from seq2seq.runs.evaluation import build_scores, evaluate, load_examples
from seq2seq.runs.translator import load_runs, open_translator


def evaluate_run(config: DictConfig) -> dict[str, Any]:
    """Score the `run` of a config on its `file` or `split` and return the report."""
    options = read_options(config)
    runs = load_runs(options)
    run = runs[0]
    name, examples = load_examples(run, options["file"], options["split"])
    translator = open_translator(options, runs=runs)
    return {"data": name, **evaluate(translator, examples, build_scores(run.config)).report(), "step": run.step}
