"""A decoder without a source: a language model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.dropout import LockedDropout, WordDropout
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.frames import refuse_frame_output
from seq2seq.layers.output.output import Output
from seq2seq.layers.recurrent.cells.cell import Cell, Cells
from seq2seq.layers.recurrent.connections import by_layer, connect
from seq2seq.layers.recurrent.state import map_state
from seq2seq.masking import length_mask
from seq2seq.models.decoder import Decoder, States, Unrolled
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import BeamFeatures, BeamIds, BeamWeights, Lengths, SoftIds, Source, TargetIds


@dataclass(frozen=True)
class LanguageModelOptions:
    """Options of a language model's layers, and of what training drops.

    `dropout` is of embeddings, `hidden_dropout` between layers, `output_dropout` of the top layer, all three locked
    over time; `type_dropout` is of words by type, `word_dropout` of single words. The top layer has `top_size` units,
    at None as many as the others: the embedding's size leaves a tied output without a projection. Raises UserError if
    there are no layers.
    """

    embedding_size: int
    hidden_size: int
    cell: Callable[[int, int], Cell]
    num_layers: int = 2
    top_size: int | None = None
    connection: str | Sequence[str] = "none"
    dropout: float = 0.3
    hidden_dropout: float = 0.3
    output_dropout: float = 0.3
    type_dropout: float = 0.0
    word_dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise UserError(f"num_layers must be at least 1, but is {self.num_layers}.")
        if self.top_size is not None and self.top_size < 1:
            raise UserError(f"top_size must be at least 1, or null for hidden_size, but is {self.top_size}.")

    @property
    def sizes(self) -> list[int]:
        """Numbers of units, bottom first."""
        return [self.hidden_size] * (self.num_layers - 1) + [self.top_size or self.hidden_size]


class SourcelessDecoder(Decoder):
    """A decoder of what was said so far alone: embedding and recurrent layers, whose top outputs are the features.

    What it attends to is no source; the weights that it returns are even.
    """

    def __init__(self, embedding: Embedding, options: LanguageModelOptions) -> None:
        nn.Module.__init__(self)  # not with attention and readout
        self.embedding = embedding
        cells, connections, size = [], [], embedding.size
        names = by_layer(options.connection, options.num_layers)
        for depth, (units, name) in enumerate(zip(options.sizes, names, strict=True), 1):
            cells.append(options.cell(size, units))
            connections.append(connect(name, size, units, top=depth == options.num_layers))
            size = connections[-1].size
        self.cells, self.connections = Cells(cells), nn.ModuleList(connections)
        self.feature_size = size
        self.hidden_dropout = LockedDropout(options.hidden_dropout, "hidden_dropout")
        self.output_dropout = LockedDropout(options.output_dropout, "output_dropout")

    @property
    def layers(self) -> Sequence[Cell]:
        return list(self.cells)

    def start(self, like: Tensor) -> States:
        """The states before the first token of a batch as long as `like`: zero."""
        return States(tuple(cell.start(like) for cell in self.layers), ())

    def step(self, ids: BeamIds | SoftIds, memory: Memory, states: States) -> tuple[BeamFeatures, BeamWeights, States]:
        hidden, stepped = self.embedding(ids), []
        for cell, connection, state in zip(self.cells, self.connections, states.layers, strict=True):
            stepped.append(cell.step(hidden, state))
            hidden = connection(hidden, stepped[-1].hidden)
        return hidden, _even(memory, hidden.shape[1]), States(tuple(stepped), ())

    def unroll(self, ids: TargetIds | SoftIds, memory: Memory, states: States) -> Unrolled:
        hidden, after = self.embedding(ids), []
        undropped = hidden
        for depth, cell in enumerate(self.cells):
            undropped, last = cell.unroll(hidden, states.layers[depth])
            after.append(last)
            if depth + 1 < len(self.cells):
                hidden = self.connections[depth](hidden, self.hidden_dropout(undropped))
        # What a connection adds to the top layer's outputs is dropped with them, as the output reads the sum.
        hidden = self.output_dropout(self.connections[-1](hidden, undropped))
        return Unrolled(hidden, _even(memory, hidden.shape[1]), hidden, undropped, States(tuple(after), ()))


class LanguageModel(Seq2Seq):
    """A language model: p(text) = product of p(token | all before it) (Mikolov et al. 2010; Merity et al. 2018).

    It stands wherever a model with a source does and looks at none: what it is started on only counts the sentences.
    """

    sourceless: ClassVar[bool] = True
    decoder: SourcelessDecoder

    def __init__(
        self,
        *,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        options: LanguageModelOptions,
        output: Callable[..., Output],
    ) -> None:
        nn.Module.__init__(self)  # not with encoder and bridge
        refuse_frame_output(output, "a language model")
        self.target_words = WordDropout(options.word_dropout)
        embedding = Embedding(
            target_vocabulary_size, options.embedding_size, dropout=options.dropout, type_dropout=options.type_dropout
        )
        self.decoder = SourcelessDecoder(embedding, options)
        self.output = output(feature_size=self.decoder.feature_size, embedding=embedding)
        self.copying = None

    @property
    def attends(self) -> bool:
        """Tell whether it looks at a source; there is none."""
        return False

    def encode(self, source: Source, lengths: Lengths) -> tuple[Memory, States]:
        """A memory with nothing in it, and zero states, `batch ...`."""
        assert isinstance(self.decoder.embedding, Embedding)
        like = self.decoder.embedding.table.weight.new_zeros(*source.shape, 0)
        return Memory(like, like, length_mask(lengths, source.shape[1])), self.decoder.start(like[:, 0])

    def forward(self, source: Source, lengths: Lengths, target: TargetIds | SoftIds) -> ModelOutputs:
        """Features and outputs of what follows each token; the attention that objectives read is even."""
        return self.going_on(source, lengths, target, None)[0]

    def going_on(
        self, source: Source, lengths: Lengths, target: TargetIds | SoftIds, entering: States | None
    ) -> tuple[ModelOutputs, States]:
        """The same from states that text before has left, none at its beginning; and the last ones, detached."""
        memory, states = self.encode(source, lengths)
        unrolled = self.decoder.unroll(self.target_words(target), memory, states if entering is None else entering)
        leaving = States(tuple(map_state(Tensor.detach, state) for state in unrolled.states.layers), ())
        return ModelOutputs(unrolled.features, unrolled.weights, memory.values, *unrolled[2:4]), leaving


def _even(memory: Memory, count: int) -> Float[Tensor, "batch target source"]:
    """Even weights of `count` steps."""
    weights = memory.mask / memory.mask.sum(1, keepdim=True)
    return weights.unsqueeze(1).expand(-1, count, -1)
