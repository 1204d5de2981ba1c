"""Interface of the ways to make a trained model smaller."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from seq2seq.models.seq2seq import Seq2Seq

Build = Callable[[Any, str], Any]  # from a node of a config and its path to what it describes


@dataclass(frozen=True)
class Described:
    """A trained model, the node of a config that describes it, and the sizes of both vocabularies by parameter.

    `build` makes parts, or whole models, of such nodes.
    """

    model: Seq2Seq
    config: Mapping[str, Any]
    vocabularies: Mapping[str, int]
    build: Build

    def built(self, config: Mapping[str, Any]) -> Seq2Seq:
        """A new model of the same vocabularies that another node describes."""
        found: Seq2Seq = self.build(dict(config), "model")(**self.vocabularies)
        return found


@dataclass(frozen=True)
class Reduced:
    """Outcome of a method: the node of a config that describes it, its weights, and a line that says what was done.

    `sparse` tells that zeros among the weights are what the method has left, for training on to keep.
    """

    config: dict[str, Any]
    weights: dict[str, Tensor]
    said: str
    sparse: bool = False


class Method(ABC):
    """A way to make a trained model smaller."""

    @abstractmethod
    def __call__(self, whole: Described) -> Reduced:
        """The smaller model of one, which stays as it is.

        Raises UserError, by a parameter or by the name of the part, at what cannot be made smaller so.
        """
