"""Stacks and queues of values that are there in part."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.layers.memory.store import Actions, Contents, Store, Value

Strengths = Float[Tensor, "*batch depth"]


class StrengthStore(Store):
    """A memory whose values have strengths: how much of each is there (Grefenstette et al. 2015).

    A step first pops so much of what is in front, s_i' = max(0, s_i - max(0, pop - b_i)), where b_i is all that is in
    front of value i; then pushes a value of strength push; then reads the first 1 of strength,
    sum_i min(s_i, max(0, 1 - b_i)) v_i. Where there is no room, the weakest value falls out.
    """

    actions = ("push", "pop")

    @property
    def size(self) -> int:
        return self.depth * (1 + self.width)

    @property
    def products(self) -> int:
        return self.depth * self.width

    def filled(self, contents: Contents) -> Float[Tensor, "*batch"]:
        return contents[..., : self.depth].sum(-1)

    def shares(self, sums: Actions) -> Actions:
        return sums.sigmoid()

    def advance(self, contents: Contents, shares: Actions, value: Value) -> tuple[Contents, Value]:
        push, pop = shares.split(1, -1)
        strengths, flat = contents.split((self.depth, self.size - self.depth), -1)
        left = (strengths - (pop - self.before(strengths)).relu()).relu()
        values = flat.unflatten(-1, (self.depth, self.width))
        gone = left.argmin(-1, keepdim=True).unsqueeze(
            -1
        )  # the weakest, of which the oldest: what was popped makes room
        strengths = _pushed(left.unsqueeze(-1), push.unsqueeze(-1), gone).squeeze(-1)
        values = _pushed(values, value.unsqueeze(-2), gone)
        seen = torch.minimum(strengths, (1 - self.before(strengths)).relu())
        # (*batch, 1, depth) @ (*batch, depth, width) -> (*batch, 1, width)
        read = seen.unsqueeze(-2) @ values
        return torch.cat([strengths, values.flatten(-2)], -1), read.squeeze(-2)

    @abstractmethod
    def before(self, strengths: Strengths) -> Strengths:
        """The strength of all that is in front of each value, the oldest of which is first."""


def _pushed(
    rows: Float[Tensor, "*batch depth size"], new: Float[Tensor, "*batch 1 size"], gone: Int[Tensor, "*batch 1 1"]
) -> Float[Tensor, "*batch depth size"]:
    """The rows without the one that is gone, and with a new one behind them."""
    stays = torch.arange(rows.shape[-2], device=rows.device).unsqueeze(-1) < gone
    return torch.where(stays, rows, torch.cat([rows[..., 1:, :], new], -2))


class NeuralStack(StrengthStore):
    """A stack: what was pushed last is in front.

    >>> import torch
    >>> from seq2seq.layers.memory.neural import NeuralStack
    >>> stack, contents = NeuralStack(width=1, depth=3), torch.zeros(6)
    >>> for push, pop, value in ((1.0, 0.0, 5.0), (1.0, 0.0, 7.0), (0.0, 1.0, 9.0)):
    ...     contents, read = stack.advance(contents, torch.tensor([push, pop]), torch.tensor([value]))
    >>> read
    tensor([5.])
    """

    def before(self, strengths: Strengths) -> Strengths:
        return strengths.flip(-1).cumsum(-1).flip(-1) - strengths


class NeuralQueue(StrengthStore):
    """A queue: what was pushed first is in front.

    >>> import torch
    >>> from seq2seq.layers.memory.neural import NeuralQueue
    >>> queue, contents = NeuralQueue(width=1, depth=3), torch.zeros(6)
    >>> for push, pop, value in ((1.0, 0.0, 5.0), (1.0, 0.0, 7.0), (0.0, 1.0, 9.0)):
    ...     contents, read = queue.advance(contents, torch.tensor([push, pop]), torch.tensor([value]))
    >>> read
    tensor([7.])
    """

    def before(self, strengths: Strengths) -> Strengths:
        return strengths.cumsum(-1) - strengths
