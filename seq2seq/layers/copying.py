"""Copying: a switch between saying a piece of the vocabulary and copying a piece of the source."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.linear import linear
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.output import Output, Rows, RowScores, Targets
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.precise import precise
from seq2seq.shapes import AttentionWeights, Features, Outputs, SourceIds, SourceMask, TimeVectors
from seq2seq.symbols import EOS, UNK

_COMPLETE = (FullOutput, TiedOutput)  # outputs whose loss is made of a probability of every token
_NEVER = float("-inf")
_Numbers = Float[Tensor, " rows"]


class Reach(NamedTuple):
    """Pieces that can be copied from each source: the first of equal ones, with what attention has for all of them.

    `places` are their ids among all that can be said, and of another position one that is no piece's. `sums` takes
    weights of positions to those of pieces.
    """

    places: Int[Tensor, "batch source"]
    sums: Float[Tensor, "batch source source"]


class Pointer(nn.Module):
    """A pointer to the source beside the vocabulary (See, Liu & Manning 2017, eq. 8 and 9).

    p(w) = g p_vocabulary(w) + (1 - g) sum of the attention to all source pieces that are w,
    g = sigmoid(u . [context; state; input] + b).

    What the target vocabulary lacks has an id behind its last: that plus the position, from 0, where the piece first
    comes in the source. The end of the source is EOS, so copying it ends. A source id behind the last of its own
    vocabulary stands for an unknown piece: equal ids are equal pieces. `target_ids` tells, by source id, which target
    id has the same text, and -1 where there is none; at first none has but EOS.
    """

    target_ids: Tensor

    def __init__(
        self,
        *,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        state_size: int,
        memory_size: int,
        input_size: int,
    ) -> None:
        super().__init__()
        self.vocabulary_size = target_vocabulary_size
        self.switch = linear(memory_size + state_size + input_size, 1)
        none = torch.full((source_vocabulary_size,), -1)
        none[EOS] = EOS
        self.register_buffer("target_ids", none, persistent=False)

    def spell(self, target_ids: Int[Tensor, " vocabulary"]) -> None:
        """Take in which target id every source id is."""
        self.target_ids.copy_(target_ids)

    def reach(self, source: SourceIds, mask: SourceMask) -> Reach:
        """The pieces that can be copied from sources, `batch source`, which are tokens where the mask is True."""
        known = source < len(self.target_ids)
        found = torch.where(known, self.target_ids[source.where(known, UNK)], -1)
        same = (source.unsqueeze(2) == source.unsqueeze(1)) & mask.unsqueeze(1)  # (batch, source, source)
        first = mask & ~same.tril(-1).any(2)
        places = self.vocabulary_size + torch.arange(source.shape[1], device=source.device)
        sums = same & first.unsqueeze(1)  # position i is one of the piece that is first at j
        return Reach(torch.where(first & (found >= 0), found, places), sums.float())

    def forward(
        self,
        features: Features,
        weights: Float[Tensor, "batch target position"],
        token_weights: AttentionWeights,
        memory: Memory,
        state: Outputs,
        inputs: TimeVectors,
    ) -> Float[Tensor, "batch target row"]:
        """Rows for a `PointerOutput`: features, the switch, and each position's piece with what attention has for it.

        `weights` are of the memory's positions, which the context is made of, `token_weights` of source tokens.
        """
        reach = Reach(*memory.copies)
        context = torch.bmm(weights.to(memory.values.dtype), memory.values)
        joined = torch.cat([context, state.to(context.dtype), inputs.to(context.dtype)], -1)
        switch = precise(self.switch(joined))
        with torch.autocast(features.device.type, enabled=False):
            sums = torch.bmm(token_weights, reach.sums.to(token_weights.dtype))
        # Weights can vanish; what can be said has some probability, so that a target never costs infinitely much.
        can = reach.sums.any(1, keepdim=True)
        sums = torch.where(can, sums.clamp(min=torch.finfo(sums.dtype).tiny), 0.0)
        places = reach.places.unsqueeze(1).expand_as(sums)
        return torch.cat([features.to(sums.dtype), switch.to(sums.dtype), sums, places.to(sums.dtype)], -1)


class PointerOutput(Output):
    """Output of words or copies of the source: log-probabilities of the vocabulary and of each position, from rows.

    A row is what `Pointer` makes. Columns behind the vocabulary are of the source's positions: minus infinity unless
    a piece that the vocabulary lacks is there for the first time. Raises UserError for words that have no full
    probabilities.
    """

    def __init__(self, words: Output, *, feature_size: int, vocabulary_size: int) -> None:
        super().__init__()
        if not isinstance(words, _COMPLETE):
            raise UserError(
                "copying needs an output with a probability of every token, full or tied, but it is "
                f"{type(words).__name__}: choose another output, or copying=none."
            )
        if words.normalizer != "softmax":
            raise UserError(
                f"normalizer must be softmax with copying, which takes logarithms, but is {words.normalizer}: "
                "choose softmax, or copying=none."
            )
        words.refuse_samples("copying")
        self.words = words
        self.feature_size = feature_size
        self.chunk, self.words_size = words.chunk, vocabulary_size
        self.vocabulary_size = vocabulary_size

    def scores(self, features: Rows) -> RowScores:
        return self.log_probabilities(features)

    def log_probabilities(self, features: Rows) -> RowScores:
        """Natural logarithms of probabilities of the vocabulary and the source's positions, in float32 (or better)."""
        features, switch, sums, places = self._parts(features)
        words = self.words.log_probabilities(features)[:, : self.vocabulary_size]
        said = functional.pad(words + functional.logsigmoid(switch), (0, sums.shape[1]), value=_NEVER)
        can = sums > 0
        copied = functional.logsigmoid(-switch) + sums.where(can, 1.0).log()
        # Where nothing can be copied both are 0 first: minus infinity twice would have no gradient.
        both = torch.logaddexp(said.gather(1, places).where(can, 0.0), copied.where(can, 0.0))
        return said.scatter(1, places, both.where(can, _NEVER))

    def barred(self, features: Rows) -> RowScores:
        return self.scores(features)  # where PAD and BOS have none

    def logits(self, features: Rows) -> RowScores:
        return self.log_probabilities(features)

    def losses_of(self, features: Rows, targets: Targets) -> _Numbers:
        """The negative log-likelihood of every row's target, in nats, in float32 (or better)."""
        return -torch.logaddexp(*self._ways(features, targets))

    def copied(self, features: Rows, targets: Targets) -> tuple[_Numbers, _Numbers]:
        """The share of each target's probability that is copying's, and that of the switch: 1 - g."""
        said, copied = self._ways(features, targets)
        return (copied - said).sigmoid(), self._parts(features)[1].squeeze(1).neg().sigmoid()

    def _ways(self, features: Rows, targets: Targets) -> tuple[_Numbers, _Numbers]:
        """Log-probabilities that each row's target is said from the vocabulary, and that it is copied."""
        features, switch, sums, places = self._parts(features)
        word = targets < self.words_size
        losses = self.words.losses_of(features, targets.where(word, UNK))
        said = (functional.logsigmoid(switch).squeeze(1) - losses).where(word, _NEVER)
        total = (sums * (places == targets.unsqueeze(1))).sum(1)
        here = total > 0
        copied = functional.logsigmoid(-switch).squeeze(1) + total.where(here, 1.0).log()
        return said, copied.where(here, _NEVER)

    def _parts(self, rows: Rows) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        after = self.feature_size + 1
        places = (after + rows.shape[1]) // 2  # where they begin; not by chunk, which no graph has for open sizes
        dtype = next(self.words.parameters()).dtype
        features, switch = rows[:, : self.feature_size].to(dtype), rows[:, self.feature_size : after]
        return features, switch, rows[:, after:places], rows[:, places:].long()
