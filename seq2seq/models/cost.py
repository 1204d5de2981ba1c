"""The arithmetic of a forward pass."""

from torch import Tensor, nn

from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.masking import shortened
from seq2seq.models.seq2seq import Seq2Seq


def _matrices(module: nn.Module, *without: nn.Module) -> int:
    """The number of weights in matrices, but for those of some parts, each as often as a step uses it."""
    left_out = {id(weight) for part in without for weight in part.parameters()}
    often = {id(w): cell.reuse for cell in module.modules() if isinstance(cell, Cell) for w in cell.parameters()}
    return sum(w.numel() * often.get(id(w), 1) for w in module.parameters() if w.dim() >= 2 and id(w) not in left_out)


def multiply_accumulates(model: Seq2Seq, source_length: Tensor, target_length: Tensor) -> Tensor:
    """Multiply-accumulates of one forward pass per sentence of the given lengths.

    Every weight matrix is used once per step of its part: of LSTMs, 8 H (I + H) for a bidirectional layer and
    4 H (I + H) for another; k H I for one of k gates and no recurrent matrix; w I C for C filters of width w, C F for
    the readout, V F for the output; attention adds 2 S C per target token. Steps are the target's tokens, or the
    source's, fewer where time is reduced.
    """
    encoder, decoder = model.encoder, model.decoder
    of_source = sum(_matrices(part) * shortened(source_length, tokens) for part, tokens in encoder.parts)
    per_target = _matrices(decoder, decoder.embedding) + model.output.products
    attention = 2 * encoder.output_size * shortened(source_length, encoder.reduction) * target_length
    return of_source + per_target * target_length + attention + _matrices(model.bridge)
