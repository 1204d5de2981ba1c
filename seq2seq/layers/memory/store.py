"""Interface of the memories that cells write to and read from."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError

Contents = Float[Tensor, "*batch contents"]
Actions = Float[Tensor, "*batch actions"]
Value = Float[Tensor, "*batch width"]


class Store(ABC):
    """A memory of up to `depth` values of a `width`, without parameters; its contents lie in one vector, zero if empty.

    When it is full, a value falls out. Raises UserError where there is no room.
    """

    actions: ClassVar[tuple[str, ...]]  # names of the shares that `advance` takes

    def __init__(self, *, width: int, depth: int) -> None:
        for name, value in (("width", width), ("depth", depth)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, but is {value}.")
        self.width, self.depth = width, depth

    @property
    @abstractmethod
    def size(self) -> int:
        """The width of the contents."""

    @property
    def products(self) -> int:
        """Multiply-accumulates of reading it once."""
        return 0

    def filled(self, contents: Contents) -> Float[Tensor, "*batch"] | None:
        """The number of values that are there, in parts, too; None where that is not known."""
        return None

    @abstractmethod
    def shares(self, sums: Actions) -> Actions:
        """Shares of all actions, between 0 and 1, from sums that know no bounds."""

    @abstractmethod
    def advance(self, contents: Contents, shares: Actions, value: Value) -> tuple[Contents, Value]:
        """The contents after a step that pops and pushes by shares, and what is then read at the top, or the front."""
