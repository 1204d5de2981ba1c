"""Mistakes in training on streams, known before there are data."""

from collections.abc import Iterator
from typing import Any

from seq2seq.config.builder import told_at
from seq2seq.data.text_batches import TextBatches
from seq2seq.errors import UserError, needed_by
from seq2seq.models.encoder import Encoder
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.models.source_streams import check_carries
from seq2seq.training.objectives.distillation import parts_of
from seq2seq.training.objectives.objective import Objective

# What puts pairs in another order, adds some, or looks at a source by itself.
_OFF = (
    *("augmentation", "segmentation", "curriculum", "batch_growth", "distill", "scheduled_sampling", "truncation"),
    *("rehearsal",),
)


def refuse_carry(config: dict[str, Any], objective: Objective, model: Seq2Seq) -> None:
    """Raise UserError where streams cannot be trained on, or what is asked for beside them would have no effect."""
    if config.get("carry") is None:
        return
    with needed_by("carry"), told_at("model.encoder", Encoder):
        check_carries(model)
    for problem in (*_of_data(config), *_problems(config, model), *_of_objective(objective)):
        raise UserError(f"{problem} with carry, which reads lines in their order: see docs/streams.md.")


def _of_data(config: dict[str, Any]) -> Iterator[str]:
    if not config["data"].get("dev"):
        yield "data.dev must name a split of its own, as lines held out of train would leave holes in it,"
    if "parts" in config["data"]:
        yield "data must not be a mixture"
    if config["data"].get("in_order") is False:
        yield "data.in_order must be true, as else rows of one source are taken together,"
    if config["references"] != "each":
        yield "references must be each"
    for name in _OFF:
        if config.get(name):
            yield f"{name} must be {'0' if name == 'rehearsal' else 'none'}"


def _problems(config: dict[str, Any], model: Seq2Seq) -> Iterator[str]:
    default = TextBatches().pool_batches
    if config["batches"].get("pool_batches", default) != default:
        yield f"batches.pool_batches must be {default}, as nothing is sorted,"
    if model.decoder.waiting is not None:
        yield "model.waiting must be none"
    encoder = config["model"]["encoder"]
    if config["model"].get("checkpointing"):
        yield "model.checkpointing must be false, as segments are short,"
    if encoder.get("chunk_size") is not None:
        yield "model.encoder.chunk_size must be null, as segments are short,"
    if (encoder["cell"].get("regularization") or {}).get("weight_drop"):
        yield "model.cell.regularization.weight_drop must be 0, as it would be drawn anew for lines of other lengths,"


def _of_objective(objective: Objective) -> Iterator[str]:
    for part in parts_of(objective):
        if type(part).__call__ is not Objective.__call__:
            yield f"objective must judge what a model makes of a batch, which {type(part).__name__} does not"
