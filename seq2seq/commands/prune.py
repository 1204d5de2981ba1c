"""Make a trained model smaller, as a run of its own."""

import logging
from typing import Any

from omegaconf import DictConfig

from seq2seq.compression.method import Described
from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import read_options
from seq2seq.errors import UserError
from seq2seq.models.sizes import parameter_count, zero_count
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.derived_run import PASSED_ON, write_run
from seq2seq.runs.run import load_run
from seq2seq.runs.run_folder import new_folder
from seq2seq.training.callbacks.pruning import KeptZeros

logger = logging.getLogger(__name__)
_KEPT = {"_target_": f"{KeptZeros.__module__}.{KeptZeros.__qualname__}"}  # by which a run is known as a pruned one


def prune(given: DictConfig) -> dict[str, Any]:
    """Write what a method leaves of a run's model into a folder as a run, and return what was done, and the sizes.

    Raises UserError, before anything is written, at a model that the method knows nothing of.
    """
    options = read_options(given)
    if isinstance(options["run"], list):
        raise UserError("run must be one run, as each of an ensemble is made smaller by itself: prune one by one.")
    folder = new_folder("out", str(options["out"]))
    path = find_checkpoint(str(options["run"]))
    run, checkpoint = load_run(str(path)), read_checkpoint(path)
    sides = {side: getattr(run.tokenizers, side).size for side in ("source", "target")}
    vocabularies = {f"{side}_vocabulary_size": size for side, size in sides.items()}
    method = build(options["method"], "method")
    with told_at("method", type(method)):
        reduced = method(whole := Described(run.model, run.config["model"], vocabularies, build))
    logger.info("%s", reduced.said)
    kept = {key: checkpoint[key] for key in PASSED_ON if key in checkpoint}
    config = run.config | {"model": reduced.config} | ({"pruning": _KEPT} if reduced.sparse else {})
    kept |= {"weights": reduced.weights, "global_step": run.step, "config": config}
    smaller = whole.built(reduced.config)
    smaller.load_state_dict(reduced.weights)
    record = {
        "said": reduced.said,
        "pruned": str(options["run"]),
        "parameters": {"before": parameter_count(run.model), "after": parameter_count(smaller)},
        "zeros": zero_count(smaller),
        "step": run.step,
    }
    write_run(folder, kept, record, run.tokenizers)
    return {"out": str(folder), **record}
