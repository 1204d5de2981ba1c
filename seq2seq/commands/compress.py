"""Keep the weights of a run in fewer bits, as a run of its own."""

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from omegaconf import DictConfig

from seq2seq.commands.weight_scores import WeightScores
from seq2seq.compression.packing import found_ranges, pack
from seq2seq.compression.prepared import check_precision
from seq2seq.compression.stored import FORMS, names_of_tables, stored, widened
from seq2seq.config.contract import read_options
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import COMPACT, read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.compact_weights import compact_entries
from seq2seq.runs.derived_run import PASSED_ON, write_run
from seq2seq.runs.run import load_run, pick_device
from seq2seq.runs.run_folder import new_folder

logger = logging.getLogger(__name__)
_CPU = torch.device("cpu")


def compress(config: DictConfig) -> dict[str, Any]:
    """Write a run into a folder with weights in fewer bits, and return its size and scores beside those of before.

    Raises UserError, before anything is written, at forms that there are none of and at weights that do not fit.
    """
    options = read_options(config)
    forms = _forms(options)
    folder = new_folder("out", str(options["out"]))
    if isinstance(options["run"], list):
        raise UserError("run must be one run, as each of an ensemble is kept by itself: compress one by one.")
    checkpoint = read_checkpoint(find_checkpoint(options["run"]))
    run = load_run(options["run"])
    weights, tables = run.model.state_dict(), names_of_tables(run.model)
    there = deepcopy(run.model).to(pick_device(str(options["device"])))
    scored = WeightScores(replace(run, model=there), options, "compress")
    found = stored(weights, lambda name: forms["tables" if name in tables else "to"])
    wide = widened(found)
    scores = {"before": scored(weights), "after": scored(wide)}
    ranges = _ranges(scored, wide) if forms["to"] == "int8" and not run.model.output.frames else {}
    if ranges:
        scores["int8 products"] = scored.of(pack(scored.with_weights(wide).to(_CPU), "int8", ranges))
    sizes = {"before": _bytes(weights), "after": _bytes(found.weights) + _bytes(found.limits)}
    record = {"split": scored.name, "sentences": len(scored.examples), "scores": scores["after"], "compact": forms}
    step = checkpoint["global_step"]
    kept = {name: checkpoint[name] for name in PASSED_ON if name in checkpoint}
    whole = {**kept, **compact_entries(found, forms, ranges), "format": COMPACT, "global_step": step}
    write_run(folder, whole, {**record, "step": step}, run.tokenizers)
    file = (folder / "checkpoints" / "best.ckpt").stat().st_size
    return {"out": str(folder), **record, "scores": scores, "bytes": sizes | {"file": file}, "ranges": ranges}


def _forms(options: Mapping[str, Any]) -> dict[str, str]:
    """The forms of matrices and tables. Raises UserError at one there is none of, and where none has fewer bits."""
    forms = {"to": options["to"], "tables": options["to"] if options["tables"] is None else options["tables"]}
    for name, form in forms.items():
        if form not in FORMS:
            raise UserError(f"{name} must be one of {', '.join(FORMS)}, but is {form!r}.")
    if set(forms.values()) == {"float32"}:
        raise UserError("to must be float16 or int8 where tables stay in float32, too: nothing else is made smaller.")
    return forms


def _ranges(scored: WeightScores, weights: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Ranges of int8 products on the sources that scores are of; none where the processor has no such products."""
    try:
        check_precision("int8", _CPU)
    except UserError:
        logger.warning("there are no int8 products on this processor, and no ranges for them: find them on an x86")
        return {}
    model = scored.with_weights(weights).to(_CPU)
    return found_ranges(model, scored.of)


def _bytes(tensors: Mapping[str, torch.Tensor]) -> int:
    """Bytes of tensors; one that several names share counts once."""
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in tensors.values()}.values())
