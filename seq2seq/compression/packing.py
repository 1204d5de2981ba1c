"""A trained model made ready to be stepped on a CPU: one prepared matrix product per layer and step."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.compression.bfloat16 import AutocastSeq2Seq, BFloat16Stack, take_over
from seq2seq.compression.full_rank import multiply_out
from seq2seq.compression.packed_gnmt import BeamGNMTDecoder, reads_means
from seq2seq.compression.prepared import (
    Int8Linear,
    PreparedLinear,
    Results,
    Rows,
    check_precision,
    computes_bfloat16,
)
from seq2seq.compression.prepared_gates import packable
from seq2seq.compression.prepared_lstm import GateEmbedding, GateLSTMCell, PackedFeed, PackedLSTMCell
from seq2seq.compression.product_library import Products
from seq2seq.layers.copying import PointerOutput
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.light import LightCell
from seq2seq.layers.recurrent.connections import PlainConnection
from seq2seq.models.decoder import GNMTDecoder, LuongDecoder
from seq2seq.models.input_feeding import BahdanauDecoder
from seq2seq.models.language_model import LanguageModel, SourcelessDecoder
from seq2seq.models.readout import Readout
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import Context, Features, Outputs, Source

# Random sentences that show the range of an int8 product's inputs, and their greatest length.
_SENTENCES, _LENGTH = 256, 32
_FEW_ROWS = 4  # of which a step takes as long as its weights take to pass by
_MOST_LOOKED_UP = 1 << 22  # numbers in a table of what the bottom cell's gates make of every token


@torch.no_grad()
def pack(model: Seq2Seq, products: Products | str = "float32", ranges: Mapping[str, float] | None = None) -> Seq2Seq:
    """The given model, changed in place so that `start` and `step` are fast on a CPU.

    A step of a layer becomes one product of [inputs; hidden] with weights laid out for this processor, or of the hidden
    state alone where a table tells what the gates make of each token; they are copies, so load weights before. float32
    gives the same results up to rounding. With bfloat16, what goes into a product and what comes out is rounded to 8
    significant bits, cell states are not. With int8, weights are rounded to 8 bits in a range per row, inputs in a
    range per product that is fixed here: one found at every step would be the whole batch's, and a sentence's result
    would depend on its neighbours. `ranges` has those that `found_ranges` found; the rest are of random sentences.
    With both the encoder runs in bfloat16 where the processor multiplies it, and matrices that are too small to matter
    stay in float32. On CUDA, float32 is the given model as it is, and bfloat16 runs it under autocast. A name alone is
    that of a precision. Raises UserError at any other precision, and where bfloat16 or int8 cannot be had.
    """
    products = Products(products) if isinstance(products, str) else products
    precision, device = products.precision, next(model.parameters()).device
    check_precision(precision, device)
    if device.type != "cpu":
        return model if precision == "float32" else AutocastSeq2Seq(model)
    made = _pack_here(model, products)
    calibrating = [product for name, product in made.items() if not product.limited((ranges or {}).get(name))]
    if calibrating:
        with _calibrated(calibrating):
            _see_random_sentences(model)
    return model


@torch.no_grad()
def found_ranges(model: Seq2Seq, decode: Callable[[Seq2Seq], Any]) -> dict[str, float]:
    """Ranges of what comes into int8 products, by the product's name, while `decode` searches with packed copies.

    There is one copy for a hypothesis of each sentence, and one for several, as those have products of their own.
    """
    ranges: dict[str, float] = {}
    for hypotheses in (1, 2):
        packed = deepcopy(model)
        products = _pack_here(packed, Products("int8", hypotheses=hypotheses))
        if products.keys() <= ranges.keys():
            continue
        with _calibrated(products.values()):
            decode(packed)
        ranges |= {name: product.limit for name, product in products.items()}
    return ranges


def _pack_here(model: Seq2Seq, choice: Products) -> dict[str, Int8Linear]:
    """Pack the model for a CPU and return its int8 products by name; no range of them is known yet."""
    packer = _Packer(choice)
    if isinstance(model.decoder, BahdanauDecoder):
        packer.pack_feed(model.decoder)
    elif model.copying is None:  # which reads the tokens' own vectors
        packer.pack_look_up(model.decoder)
        packer.pack_beams(model)
    packer.pack(model.decoder, "decoder")
    packer.pack(model.output, "output")
    holder, name = (model.output, "words") if isinstance(model.output, PointerOutput) else (model, "output")
    if isinstance(words := getattr(holder, name), TiedOutput):
        setattr(holder, name, PackedTiedOutput(words, packer.named("output.scores")))
    if not isinstance(model, LanguageModel):
        multiply_out(model.encoder.stack)
        if choice.precision != "float32" and computes_bfloat16():
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

    def __init__(self, linear: nn.Linear, make: Callable[..., PreparedLinear], *, activation: str = "none") -> None:
        take_over(self, linear)
        self.product = make(self.weight, self.bias, activation=activation)

    def forward(self, input: Rows) -> Results:
        return self.product(input)


class PackedTiedOutput(TiedOutput):
    """A tied output by a prepared product."""

    def __init__(self, output: TiedOutput, make: Callable[..., PreparedLinear]) -> None:
        take_over(self, output)
        self.product = make(self.weight, self.bias)

    def scores(self, features: Rows) -> Results:
        return self.product(self.projection(features))


class PackedReadout(Readout):
    """A readout whose tanh comes with the product."""

    def __init__(self, readout: Readout, make: Callable[..., PreparedLinear]) -> None:
        take_over(self, readout)
        self._modules = {**self._modules, "projection": PackedLinear(readout.projection, make, activation="tanh")}

    def forward(self, hidden: Outputs, context: Context) -> Features:
        return self.dropout(self.projection(torch.cat([hidden, context], -1)))


class _Packer:
    """A packer that replaces what it knows, layer by layer, and remembers the products that it made by name."""

    def __init__(self, choice: Products) -> None:
        self.choice = choice
        self.products: dict[str, PreparedLinear] = {}
        self.own: list[nn.Module] = []  # parts that have a form of their own

    def pack_feed(self, decoder: BahdanauDecoder) -> None:
        """Join the products of the bottom cell and of the context, if the cell has a packed form."""
        cell = decoder.cells.bottom
        if packable(cell):
            decoder.feed = PackedFeed(decoder.feed, cell, self.named("decoder.feed"))
            self.own.append(cell)

    def pack_look_up(self, decoder: nn.Module) -> None:
        """Make a table of the bottom cell's part of each token, if nothing else reads the token's vector."""
        if not isinstance(decoder, GNMTDecoder | LuongDecoder | SourcelessDecoder):
            return
        cell, embedding = decoder.layers[0], decoder.embedding
        alone = isinstance(decoder, GNMTDecoder) or type(decoder.connections[0]) is PlainConnection
        if not (alone and type(embedding) is Embedding and packable(cell)):
            return
        if embedding.vocabulary_size * 4 * cell.hidden_size > _MOST_LOOKED_UP:
            return
        bottom = GateLSTMCell(cell, self.named("decoder.gates"))
        decoder.embedding = GateEmbedding(embedding, cell)
        if isinstance(decoder, GNMTDecoder):
            decoder.bottom = bottom
        else:
            decoder.cells[0] = bottom

    def pack_beams(self, model: Seq2Seq) -> None:
        """Move products with contexts into the memory, if several hypotheses of a sentence read it, or one alone.

        For few rows it is not the arithmetic that takes time, but weights that pass by at every step: fewer do.
        """
        if (self.choice.hypotheses > 1 or self.choice.rows <= _FEW_ROWS) and reads_means(model.decoder):
            assert isinstance(model.decoder, GNMTDecoder)
            model.decoder = BeamGNMTDecoder(model.decoder, self.named)
            self.own.append(model.decoder.readout)

    def named(self, name: str) -> Callable[..., PreparedLinear]:
        """The function that prepares a product, and remembers it by a name."""
        return partial(self._prepared, name)

    def pack(self, parent: nn.Module, path: str) -> None:
        """Replace the linear layers and cells below; what a cell without a packed form holds stays as it is."""
        for name, child in parent.named_children():
            make = self.named(own := f"{path}.{name}")
            if type(child) is nn.Linear:
                setattr(parent, name, PackedLinear(child, make))
            elif any(child is own_form for own_form in self.own):
                continue
            elif type(child) is Readout:
                setattr(parent, name, PackedReadout(child, self.named(f"{own}.projection")))
            elif isinstance(child, TiedOutput):
                self.pack(child, own)
                setattr(parent, name, PackedTiedOutput(child, make))
            elif isinstance(child, Cell) and packable(child):
                setattr(parent, name, PackedLSTMCell(child, make))
            elif isinstance(child, LightCell) or not isinstance(child, Cell):
                self.pack(child, own)

    def _prepared(
        self, name: str, weight: Tensor, bias: Tensor | None, *, activation: str = "none", part: str | None = None
    ) -> PreparedLinear:
        name = name if part is None else f"{name}.{part}"
        bias, scores = bias if bias is None else bias.detach(), name.startswith("output")
        made = self.choice.prepare(weight.detach(), bias, activation=activation, scores=scores)
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
