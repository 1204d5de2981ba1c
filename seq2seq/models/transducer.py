"""A transducer: it writes by edits of its source, which a pointer reads from left to right."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from seq2seq.edit_actions import EditActions
from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.attention.hard_monotonic import HardMonotonicAttention, at_end
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.barred import BarredOutput
from seq2seq.layers.output.output import Output
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.layers import build_layers
from seq2seq.layers.recurrent.recomputing import unroll
from seq2seq.models.decoder import Decoder, DecoderOptions, States, Unrolled
from seq2seq.models.model_options import ModelOptions
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import BeamFeatures, BeamWeights, BeamWritten, SoftIds, Written


class TransducerDecoder(Decoder):
    """Recurrent layers over a history of actions, each beside what the pointer then reads (Makarov & Clematide 2020).

    h_t = LSTM([E a_(t-1); v_p(t)], h_(t-1)), where the pointer p(t) has moved by one for every action so far that reads
    a symbol. As it hangs on actions alone, `unroll` runs each layer over the whole target in one call. Features end
    with a number of their own, 1 at the end of the source and 0 before: it tells the output what can be done.
    """

    moves: Tensor  # of the pointer, by action

    def __init__(
        self,
        *,
        embedding: Embedding,
        memory_size: int,
        hidden_size: int,
        feature_size: int,
        cell: Callable[[int, int], Cell],
        num_layers: int = 1,
        connection: str | Sequence[str] = "none",
        dropout: float = 0.3,
    ) -> None:
        options = DecoderOptions(hidden_size, feature_size, cell, HardMonotonicAttention, dropout)
        super().__init__(embedding, options)
        self.cells, self.connections = build_layers(
            cell, embedding.size + memory_size, hidden_size, num_layers, connection=connection, around_bottom=False
        )
        self.attention = options.new_attention(memory_size)
        self.readout = options.new_readout(memory_size)
        self.register_buffer("moves", EditActions.of(embedding.vocabulary_size).moves.float(), persistent=False)

    @property
    def layers(self) -> list[Cell]:
        return list(self.cells)

    def step(self, ids: BeamWritten, memory: Memory, states: States) -> tuple[BeamFeatures, BeamWeights, States]:
        context, weights, attention = self.attention.step(self._moves(ids), memory, states.attention)
        hidden, stepped = torch.cat([self.embedding(ids), context], -1), []
        for cell, connection, state in zip(self.cells, self.connections, states.layers, strict=True):
            stepped.append(cell.step(hidden, state))
            hidden = connection(hidden, self.dropout(stepped[-1].hidden))
        features = torch.cat([self.readout(hidden, context), at_end(weights, memory).to(hidden.dtype)], -1)
        return features, weights, States(tuple(stepped), attention)

    def unroll(self, ids: Written, memory: Memory, states: States) -> Unrolled:
        context, weights = self.attention.unroll(self._moves(ids), memory, states.attention)
        hidden, after = torch.cat([self.embedding(ids), context], -1), []
        for cell, connection, state in zip(self.cells, self.connections, states.layers, strict=True):
            undropped, state = unroll(cell, hidden, state)
            after.append(state)
            hidden = connection(hidden, self.dropout(undropped))
        features = torch.cat([self.readout(hidden, context), at_end(weights, memory).to(hidden.dtype)], -1)
        last = States(tuple(after), self.attention.after(states.attention, weights))
        return Unrolled(features, weights, hidden, undropped, last)

    def _moves(self, ids: Written | BeamWritten) -> Tensor:
        """The positions that the pointer moves by each action, `batch target 1`. Raises UserError at mixtures."""
        if isinstance(ids, SoftIds):
            raise UserError("feed must be argmax or sample, as a pointer cannot move by a mixture of actions.")
        return self.moves[ids].unsqueeze(-1)


class Transducer(Seq2Seq):
    """A hard monotonic transducer: its target ids are actions, edits that turn the source into the target.

    One decoder step per action: COPY, DELETE, INSERT(c), SUBSTITUTE(c) or END (Makarov & Clematide 2018). Raises
    UserError at options by which a pointer would lose its place.
    """

    edits: ClassVar[bool] = True

    def _refuse(self, options: ModelOptions, *, copies: bool) -> None:
        if options.share_embeddings:
            raise UserError("share_embeddings must be false for a transducer, whose target side are actions.")
        if options.target_word_dropout:
            raise UserError(
                f"target_word_dropout must be 0 for a transducer, whose actions move its pointer, but is "
                f"{options.target_word_dropout}."
            )
        if copies:
            raise UserError("copying must be null for a transducer, which copies by actions of its own.")

    def _own_output(self, output: Output) -> Output:
        if self.encoder.reduction > 1:
            raise UserError(
                "halvings and stride must leave a transducer a value for every source token, but one value is for "
                f"{self.encoder.reduction}."
            )
        return BarredOutput(output, EditActions.of(self.decoder.embedding.vocabulary_size).barred, "a transducer")
