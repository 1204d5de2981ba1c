"""A trained model made ready to be stepped on a CPU: one prepared matrix product per layer and step."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.compression.bfloat16 import AutocastSeq2Seq, BFloat16Stack, take_over
from seq2seq.compression.prepared import (
    Int8Linear,
    PreparedLinear,
    Results,
    Rows,
    check_precision,
    computes_bfloat16,
    prepare,
)
from seq2seq.layers.copying import PointerOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.light import LightCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.scan import scan
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.models.input_feeding import BahdanauDecoder, Feed
from seq2seq.models.language_model import LanguageModel
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import (
    BeamFeatures,
    Context,
    Inputs,
    Outputs,
    Source,
)

# Random sentences that show the range of an int8 product's inputs, and their greatest length.
_SENTENCES, _LENGTH = 256, 32


@torch.no_grad()
def pack(model: Seq2Seq, precision: str = "float32", ranges: Mapping[str, float] | None = None) -> Seq2Seq:
    """The given model, changed in place so that `start` and `step` are fast on a CPU.

    A step of a layer becomes one product of [inputs; hidden] with weights laid out for this processor; they are
    copies, so load weights before. float32 gives the same results up to rounding. With bfloat16, what goes into a
    product and what comes out is rounded to 8 significant bits, cell states are not. With int8, weights are rounded
    to 8 bits in a range per row, inputs in a range per product that is fixed here: one found at every step would be
    the whole batch's, and a sentence's result would depend on its neighbours. `ranges` has those that `found_ranges`
    found; the rest are of random sentences. With both the encoder runs in bfloat16 where the processor multiplies it,
    and matrices that are too small to matter stay in float32. On CUDA, float32 is the given model as it is, and
    bfloat16 runs it under autocast. Raises UserError at any other precision, and where bfloat16 or int8 cannot be had.
    """
    device = next(model.parameters()).device
    check_precision(precision, device)
    if device.type != "cpu":
        return model if precision == "float32" else AutocastSeq2Seq(model)
    products = _pack_here(model, precision)
    calibrating = [product for name, product in products.items() if not product.limited((ranges or {}).get(name))]
    if calibrating:
        with _calibrated(calibrating):
            _see_random_sentences(model)
    return model


@torch.no_grad()
def found_ranges(model: Seq2Seq, decode: Callable[[Seq2Seq], Any]) -> dict[str, float]:
    """Ranges of what comes into int8 products, by the product's name, while `decode` searches with a packed copy."""
    packed = deepcopy(model)
    products = _pack_here(packed, "int8")
    with _calibrated(products.values()):
        decode(packed)
    return {name: product.limit for name, product in products.items()}


def _pack_here(model: Seq2Seq, precision: str) -> dict[str, Int8Linear]:
    """Pack the model for a CPU and return its int8 products by name; no range of them is known yet."""
    packer = _Packer(precision)
    if isinstance(model.decoder, BahdanauDecoder):
        packer.pack_feed(model.decoder)
    packer.pack(model.decoder, "decoder")
    packer.pack(model.output, "output")
    holder, name = (model.output, "words") if isinstance(model.output, PointerOutput) else (model, "output")
    if isinstance(words := getattr(holder, name), TiedOutput):
        setattr(holder, name, PackedTiedOutput(words, packer.named("output.scores")))
    if precision != "float32" and computes_bfloat16() and not isinstance(model, LanguageModel):
        model.encoder.stack = BFloat16Stack(model.encoder.stack)
    return {name: product for name, product in packer.products.items() if isinstance(product, Int8Linear)}


@contextmanager
def _calibrated(products: Iterable[Int8Linear]) -> Iterator[None]:
    """Let products widen their ranges to what comes in, for as long as the context is open."""
    for product in products:
        product.calibrating = True
    yield
    for product in products:
        product.calibrating = False


class PackedLinear(nn.Linear):
    """A linear layer by a prepared product."""

    def __init__(self, linear: nn.Linear, make: Callable[..., PreparedLinear]) -> None:
        take_over(self, linear)
        self.product = make(self.weight, self.bias)

    def forward(self, input: Rows) -> Results:
        return self.product(input)


class PackedTiedOutput(TiedOutput):
    """A tied output by a prepared product."""

    def __init__(self, output: TiedOutput, make: Callable[..., PreparedLinear]) -> None:
        take_over(self, output)
        self.product = make(self.weight, self.bias)

    def scores(self, features: Rows) -> Results:
        return self.product(self.projection(features))


class PreparedLSTM:
    """A step whose gates are one product of [inputs; hidden], with four passes over the cell after it.

    As tanh x = 2 sigmoid(2 x) - 1, a doubled candidate leaves one sigmoid for all gates, which oneDNN computes with the
    product. With s = (g + 1) / 2:  c' = f c - i + 2 i s,  h' = o tanh(c').
    """

    def __init__(self, cell: LSTMCell, make: Callable[..., PreparedLinear], *between: Tensor) -> None:
        weight, recurrent_weight, input_bias, recurrent_bias = cell.kernel.all_weights[0]
        # (4 hidden, input) beside (4 hidden, memory), if any, beside (4 hidden, hidden)
        joined = torch.cat([weight, *between, recurrent_weight], 1)
        bias = input_bias + recurrent_bias
        for part in (joined, bias):  # the rows of the candidate, third of four gates
            part[2 * cell.hidden_size : 3 * cell.hidden_size] *= 2
        self.product = make(joined, bias, sigmoid=True)

    def __call__(self, *inputs: Tensor, state: LSTMState) -> LSTMState:
        # (*batch, inputs + hidden) -> (*batch, 4 hidden) -> four times (*batch, hidden)
        i, f, s, o = self.product(torch.cat([*inputs, state.hidden], -1)).chunk(4, -1)
        cell = (f * state.cell).sub_(i).addcmul_(i, s, value=2)
        return LSTMState(cell.tanh().mul_(o), cell)


class PackedLSTMCell(LSTMCell):
    """An LSTM cell whose step is one prepared product; all else stays as it was.

    >>> import torch
    >>> from seq2seq.compression.packing import PackedLSTMCell
    >>> from seq2seq.compression.prepared import PlainLinear
    >>> from seq2seq.layers.recurrent.cells.lstm import LSTMCell
    >>> cell, inputs = LSTMCell(3, 4), torch.randn(2, 3)
    >>> plain, packed = (each.step(inputs, each.start(inputs)) for each in (cell, PackedLSTMCell(cell, PlainLinear)))
    >>> torch.allclose(plain.hidden, packed.hidden, atol=1e-5)
    True
    """

    def __init__(self, cell: LSTMCell, make: Callable[..., PreparedLinear]) -> None:
        take_over(self, cell)
        self.packed = PreparedLSTM(cell, make)

    def step(self, inputs: Float[Tensor, "*batch input"], state: Any) -> LSTMState:
        return self.packed(inputs, state=state)

    def unroll(self, inputs: Inputs, state: Any) -> tuple[Outputs, Any]:
        outputs, last, _ = scan(self._packed_step, inputs, state)  # not torch's kernel: to round as a search does
        return outputs, last

    def _packed_step(self, inputs: Float[Tensor, "*batch input"], state: Any) -> tuple[LSTMState, None]:
        return self.step(inputs, state), None


class PackedFeed(Feed):
    """The step of a cell that a context is fed to: one prepared product of [inputs; context; hidden]."""

    def __init__(self, feed: Feed, cell: LSTMCell, make: Callable[..., PreparedLinear]) -> None:
        take_over(self, feed)
        self.packed = PreparedLSTM(cell, make, feed.weight)  # (4 hidden, memory), as an LSTM projects to its gates

    def step(self, cell: Cell, inputs: BeamFeatures, context: Context, state: Any) -> LSTMState:
        return self.packed(inputs, context, state=state)


class _Packer:
    """A packer that replaces what it knows, layer by layer, and remembers the products that it made by name."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.products: dict[str, PreparedLinear] = {}
        self.fed: Cell | None = None  # the cell whose step is its feed's

    def pack_feed(self, decoder: BahdanauDecoder) -> None:
        """Join the products of the bottom cell and of the context, if the cell has a packed form."""
        cell = decoder.cells.bottom
        if type(cell) is LSTMCell and cell.plain:
            decoder.feed = PackedFeed(decoder.feed, cell, self.named("decoder.feed"))
            self.fed = cell

    def named(self, name: str) -> Callable[..., PreparedLinear]:
        """The function that prepares a product, and remembers it by a name."""
        return partial(self._prepared, name)

    def pack(self, parent: nn.Module, path: str) -> None:
        """Replace the linear layers and cells below; what a cell without a packed form holds stays as it is."""
        for name, child in parent.named_children():
            make = self.named(own := f"{path}.{name}")
            if type(child) is nn.Linear:
                setattr(parent, name, PackedLinear(child, make))
            elif child is self.fed:
                continue
            elif isinstance(child, TiedOutput):
                self.pack(child, own)
                setattr(parent, name, PackedTiedOutput(child, make))
            elif type(child) is LSTMCell and child.plain:
                setattr(parent, name, PackedLSTMCell(child, make))
            elif isinstance(child, LightCell) or not isinstance(child, Cell):
                self.pack(child, own)

    def _prepared(self, name: str, weight: Tensor, bias: Tensor | None, *, sigmoid: bool = False) -> PreparedLinear:
        bias, scores = bias if bias is None else bias.detach(), name.startswith("output")
        made = prepare(weight.detach(), bias, self.precision, sigmoid=sigmoid, scores=scores)
        self.products[name] = made
        return made


def _see_random_sentences(model: Seq2Seq) -> None:
    """Step as if random tokens followed random sources, for products to see what can come in."""
    random = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, _LENGTH + 1, (_SENTENCES,), generator=random)
    source = _random_source(model, random)
    memory, states = model.start(source, lengths)  # (sentences, 1, ...): one hypothesis of each
    tokens = model.decoder.embedding.vocabulary_size
    for _ in range(_LENGTH):
        ids = torch.randint(tokens, (_SENTENCES, 1), generator=random)
        *_, states = model.step(ids, memory, states)


def _random_source(model: Seq2Seq, random: torch.Generator) -> Source:
    """Sources such as an input can get; what a language model gets is counted alone."""
    shape = _SENTENCES, _LENGTH
    if isinstance(model, LanguageModel):
        return torch.zeros(shape, dtype=torch.long)
    return model.encoder.input.drawn(shape, random)
