"""The stack whose next contents are a mixture of all that could be done."""

import torch
from torch.nn import functional

from seq2seq.layers.memory.store import Actions, Contents, Store, Value


class SuperposedStack(Store):
    """A stack in superposition (Joulin & Mikolov 2015): S' = push (v, S_0, ...) + pop (S_1, S_2, ...) + keep S.

    Shares sum to 1; the top is read. A value that falls out at the bottom does so in part.

    >>> import torch
    >>> from seq2seq.layers.memory.superposition import SuperposedStack
    >>> stack = SuperposedStack(width=1, depth=2)
    >>> contents, read = stack.advance(torch.tensor([4.0, 8.0]), torch.tensor([0.5, 0.5, 0.0]), torch.tensor([2.0]))
    >>> contents, read
    (tensor([5., 2.]), tensor([5.]))
    """

    actions = ("push", "pop", "keep")

    @property
    def size(self) -> int:
        return self.depth * self.width

    def shares(self, sums: Actions) -> Actions:
        return sums.softmax(-1)

    def advance(self, contents: Contents, shares: Actions, value: Value) -> tuple[Contents, Value]:
        push, pop, keep = shares.split(1, -1)
        pushed = torch.cat([value, contents[..., : -self.width]], -1)
        popped = functional.pad(contents[..., self.width :], (0, self.width))
        contents = push * pushed + pop * popped + keep * contents
        return contents, contents[..., : self.width]
