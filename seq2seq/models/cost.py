"""The arithmetic of a forward pass."""

from collections.abc import Sequence

from torch import Tensor, nn

from seq2seq.layers.recurrent.blockwise import BlockwiseLayer
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.masking import shortened
from seq2seq.models.seq2seq import Seq2Seq


def _matrices(parts: Sequence[nn.Module], without: Sequence[nn.Module] = ()) -> int:
    """Multiply-accumulates of a step of parts but for some: the weights in matrices that are not looked up."""
    modules = [module for part in parts for module in part.modules()]
    cells = [module for module in modules if isinstance(module, Cell)]
    tables = [module for module in modules if isinstance(module, nn.Embedding)]
    used = {id(weight): cell.reuse for cell in cells for weight in cell.parameters()}
    used |= {id(getattr(cell, name)): 0 for cell in cells for name in cell.stacked_vectors}
    used |= {id(weight): 0 for part in (*without, *tables) for weight in part.parameters()}
    weights = sum(w.numel() * used.get(id(w), 1) for part in parts for w in part.parameters() if w.dim() >= 2)
    return weights + sum(cell.read_products * cell.reuse for cell in cells)


def _of_source(part: nn.Module, steps: Tensor) -> Tensor:
    """Multiply-accumulates of a part of the encoder over so many steps of its own."""
    again = _matrices([part.backwards]) * part.read_again(steps) if isinstance(part, BlockwiseLayer) else 0
    return _matrices([part]) * steps + again


def multiply_accumulates(model: Seq2Seq, source_length: Tensor, target_length: Tensor) -> Tensor:
    """Multiply-accumulates of one forward pass per sentence of the given lengths.

    Every weight matrix is used once per step of its part: of LSTMs, 8 H (I + H) for a bidirectional layer and
    4 H (I + H) for another; k H I for one of k gates and no recurrent matrix; w I C for C filters of width w, C F for
    the readout, V F for the output. Steps are the target's tokens, or the source's, fewer where time is reduced. Of
    attention, keys and values are projected once per step of the source, and each pair of a step of the source and one
    of the target costs what the attention says of it, such as 2 C for dot products and sums. A model without a source
    has the steps of the target alone.
    """
    decoder = model.decoder
    if model.sourceless:
        return (_matrices([decoder]) + model.output.products) * target_length
    encoder, attention = model.encoder, decoder.attention
    values = shortened(source_length, encoder.reduction)
    of_source = sum(_of_source(part, shortened(source_length, tokens)) for part, tokens in encoder.parts)
    of_source += _matrices(attention.source_parts) * values + _matrices([model.bridge])
    per_target = _matrices([decoder], [*attention.source_parts, *attention.pair_parts]) + model.output.products
    per_pair = _matrices(attention.pair_parts) + attention.pair_products(encoder.output_size)
    of_target = (per_target + per_pair * values) * target_length
    return of_source + of_target + _of_copying(model, source_length, values) * target_length


def _of_copying(model: Seq2Seq, source_length: Tensor, values: Tensor) -> Tensor:
    """Multiply-accumulates of a pointer per step of the target: its switch, and what attention has for each piece."""
    if model.copying is None:
        return source_length * 0
    return _matrices([model.copying]) + model.encoder.output_size * values + source_length**2
