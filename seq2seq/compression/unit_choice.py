"""The choice of the units that go, one vector of a model after the other."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.compression.wired_model import DECODER, EMBEDDING, ENCODER, FEATURES, WiredModel
from seq2seq.compression.wiring import Units
from seq2seq.errors import UserError

ORDER = (ENCODER, DECODER, FEATURES, EMBEDDING)  # options, of vectors of one size


class UnitChoice:
    """Units that are `gone`, those of lowest norm, and the `sizes` that are left by option.

    `wanted` gives the number of units that an option leaves of a size. Vectors have units in common: what one has
    decided on, others have to take. Those that have nothing left to decide on come first: the size that they are left
    with is then that of all vectors of their option. Raises UserError where an option would get two sizes.
    """

    def __init__(self, wired: WiredModel, norms: Float[Tensor, " unit"], wanted: Callable[[str, int], int]) -> None:
        self._wiring, self._pending, self.norms, self.wanted = wired.wiring, list(wired.found()), norms, wanted
        self.gone, self._decided = (torch.zeros(len(norms), dtype=torch.bool) for _ in range(2))
        self.sizes: dict[str, int] = {}
        while self._pending:
            self._decide(*self._next())

    def _next(self) -> tuple[str, Units]:
        """The vector to decide on, which is pending no more."""
        return self._pending.pop(min(range(len(self._pending)), key=self._rank))

    def _rank(self, number: int) -> tuple[bool, int, int]:
        option, vector = self._pending[number]
        return len(self._free(vector)) > 0, len(vector), ORDER.index(option)

    def _free(self, vector: Units) -> Units:
        """Units of a vector that can go, and that no other has decided on."""
        own = vector[vector >= 0]
        return own[~self._decided[own]].unique()

    def _decide(self, option: str, vector: Units) -> None:
        free, left = self._free(vector), int(self._wiring.stays(vector, self.gone).sum())
        size = self.sizes.setdefault(option, self.wanted(option, len(vector)) if len(free) else left)
        if not 0 <= left - size <= len(free):
            raise UserError(
                f"share leaves {size} of {len(vector)} units of {option}, which has units in common with parts that "
                "keep another number: prune features by the same share, or by 0."
            )
        self.gone[free[self.norms[free].argsort(stable=True)[: left - size]]] = True
        self._decided[vector[vector >= 0]] = True
