"""Keep the weights of a run in fewer bits, as a run of its own."""

import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from seq2seq.commands.evaluating.weight_scores import WeightScores
from seq2seq.compression.packing import found_ranges, pack
from seq2seq.compression.prepared import check_precision
from seq2seq.compression.stored import FORMS, StoredWeights, names_of_tables, stored, widened
from seq2seq.config.contract import read_options
from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import COMPACT, as_tensors, read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.compact_weights import compact_entries
from seq2seq.runs.derived_run import PASSED_ON, write_run
from seq2seq.runs.evaluation import load_examples, load_splits
from seq2seq.runs.run import LoadedRun, load_run, pick_device
from seq2seq.runs.run_folder import new_folder
from seq2seq.runs.smaller_vocabulary import with_used_pieces

logger = logging.getLogger(__name__)
_CPU = torch.device("cpu")
_VOCABULARIES = ("all", "used")


def compress(config: DictConfig) -> dict[str, Any]:
    """Write a run into a folder with weights in fewer bits, and return its size and scores beside those of before.

    Raises UserError, before anything is written, at forms that there are none of and at weights that do not fit.
    """
    options = read_options(config)
    forms = _forms(options)
    if isinstance(options["run"], list):
        raise UserError("run must be one run, as each of an ensemble is kept by itself: compress one by one.")
    folder = new_folder("out", str(options["out"]))
    checkpoint = read_checkpoint(find_checkpoint(str(options["run"])))
    whole = load_run(str(options["run"]))
    before = _there(whole, options)
    run = whole if options["vocabulary"] == "all" else with_used_pieces(whole, _lines(before, options))
    weights, tables = run.model.state_dict(), names_of_tables(run.model)
    found = stored(weights, lambda name: forms["tables" if name in tables else "to"])
    after, wide = _there(run, options, before), widened(found)
    scores = {"before": before(whole.model.state_dict()), "after": after(wide)}
    ranges = _ranges(after, wide) if forms["to"] == "int8" and not run.model.output.frames else {}
    if ranges:
        scores["int8 products"] = after.of(pack(after.with_weights(wide).to(_CPU), "int8", ranges))
    record = {"split": after.name, "sentences": len(after.examples), "scores": scores["after"], "compact": forms}
    kept = {name: checkpoint[name] for name in PASSED_ON if name in checkpoint}
    kept |= {"format": COMPACT, "tokenizers": as_tensors(run.tokenizers), "global_step": run.step}
    write_run(folder, {**kept, **compact_entries(found, forms, ranges)}, {**record, "step": run.step}, run.tokenizers)
    return {"out": str(folder), **record, "scores": scores, **_sizes(whole, run, found, folder), "ranges": ranges}


def _there(run: LoadedRun, options: Mapping[str, Any], known: WeightScores | None = None) -> WeightScores:
    """Scores of a run's weights on the device that options name, on the examples of those that are known.

    The run itself stays where it is.
    """
    model = deepcopy(run.model).to(pick_device(str(options["device"])))
    return WeightScores(replace(run, model=model), options, "compress", known)


def _lines(scored: WeightScores, options: Mapping[str, Any]) -> Sequence[Example]:
    """The examples whose pieces stay: those of a file, or of train and dev."""
    if options["lines"] is not None:
        return load_examples(scored.run, options["lines"], None)[1]
    splits = load_splits(scored.run.config)
    return [*splits.train, *splits.dev]


def _sizes(whole: LoadedRun, run: LoadedRun, found: StoredWeights, folder: Path) -> dict[str, Any]:
    """Bytes of the weights before and after, and of the file; and how many pieces there are on each side."""
    sizes = {
        "before": _bytes(whole.model.state_dict()),
        "after": _bytes(found.weights) + _bytes(found.limits),
        "file": (folder / "checkpoints" / "best.ckpt").stat().st_size,
    }
    pieces = {
        side: [getattr(own.tokenizers, side).size for own in (whole, run)]
        for side in ("source", "target")
        if whole is not run
    }
    return {"bytes": sizes} | ({"pieces": pieces} if pieces else {})


def _forms(options: Mapping[str, Any]) -> dict[str, str]:
    """The forms of matrices and tables. Raises UserError at one there is none of, and where nothing gets smaller."""
    forms = {"to": options["to"], "tables": options["to"] if options["tables"] is None else options["tables"]}
    for name, form in forms.items():
        if form not in FORMS:
            raise UserError(f"{name} must be one of {', '.join(FORMS)}, but is {form!r}.")
    if options["vocabulary"] not in _VOCABULARIES:
        raise UserError(f"vocabulary must be one of {', '.join(_VOCABULARIES)}, but is {options['vocabulary']!r}.")
    if options["vocabulary"] == "all" and options["lines"] is not None:
        raise UserError(f"lines has no effect with vocabulary=all, but is {options['lines']}: add vocabulary=used.")
    if set(forms.values()) == {"float32"} and options["vocabulary"] == "all":
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
