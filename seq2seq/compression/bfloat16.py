"""Models and layers that compute in bfloat16."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.recurrent.stack import Encoded, RecurrentStack, StackState
from seq2seq.models.decoder import States
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import BeamIds, BeamWeights, Inputs, Lengths, Logits, RowMask, Source, TargetIds


class AutocastSeq2Seq(Seq2Seq):
    """A model whose products take and give bfloat16 when it decodes on CUDA; parameters and states are float32."""

    def __init__(self, model: Seq2Seq) -> None:
        take_over(self, model)
        self._plain = (model,)  # which is no part of its own, but all that is in it

    @property
    def says_unknown(self) -> bool:
        """Tell whether UNK may be said."""
        return self._plain[0].says_unknown

    def start(self, source: Source, lengths: Lengths) -> tuple[Memory, States]:
        with torch.autocast("cuda", torch.bfloat16):
            memory, states = self._plain[0].start(source, lengths)
        return memory, pytree.tree_map(_precise, states)  # so that a cell's memory is summed in full

    def step(self, ids: BeamIds, memory: Memory, states: States) -> tuple[Logits, BeamWeights, States]:
        with torch.autocast("cuda", torch.bfloat16):
            return self._plain[0].step(ids, memory, states)

    def token_scores(self, target: TargetIds, memory: Memory, states: States) -> Float[Tensor, "batch target"]:
        with torch.autocast("cuda", torch.bfloat16):
            return self._plain[0].token_scores(target, memory, states)


class BFloat16Stack(RecurrentStack):
    """An encoder's layers in bfloat16; what goes in and comes out is float32."""

    def __init__(self, stack: RecurrentStack) -> None:
        take_over(self, stack)
        self.bfloat16()

    def forward(self, inputs: Inputs, lengths: Lengths, seen: Lengths | None = None) -> Encoded:
        return _in_float32(super().forward(inputs.bfloat16(), lengths, seen))

    def start(self, like: Tensor) -> StackState:
        return super().start(like.bfloat16())

    def advance(
        self, inputs: Inputs, lengths: Lengths, state: StackState, ended: RowMask
    ) -> tuple[Encoded, StackState]:
        encoded, state = super().advance(inputs.bfloat16(), lengths, state, ended)
        return _in_float32(encoded), state


def _in_float32(encoded: Encoded) -> Encoded:
    return encoded._replace(values=encoded.values.float(), last=encoded.last.float())


def _precise(part: Tensor) -> Tensor:
    """A part of a state in float32, but for numbers of places."""
    return part.float() if part.is_floating_point() else part


def take_over(packed: nn.Module, plain: nn.Module) -> None:
    """Give the packed module all that the plain one has, its parameters included."""
    nn.Module.__init__(packed)
    vars(packed).update(vars(plain))
