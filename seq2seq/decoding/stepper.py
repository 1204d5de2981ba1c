"""The interface of models to searches, and what a search does to their states."""

from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils import _pytree as pytree

from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, Source, TargetIds

Memory = TypeVar("Memory")
States = TypeVar("States")
Nest = TypeVar("Nest")


@runtime_checkable
class Stepper(Protocol[Memory, States]):
    """A model that starts on a batch of sources, then scores the next tokens of its hypotheses, step by step.

    Memory is what all hypotheses of a sentence share, states are what each has of its own. Both are nests of
    tuples of tensors with the batch on axis 0; states have the hypotheses on axis 1, one of them at the start.
    Logits are new at every step: who asked for them may write into them.
    """

    def start(self, source: Source, lengths: Lengths) -> tuple[Memory, States]:
        """The memory, and the states of one empty hypothesis of each sentence, `batch 1 ...`."""

    def step(self, ids: BeamIds, memory: Memory, states: States) -> tuple[Logits, BeamWeights, States]:
        """Logits after `ids`, `batch beam vocabulary`, attention to the source, `batch beam source`, and new states."""


@runtime_checkable
class WholeTargetStepper(Stepper[Memory, States], Protocol[Memory, States]):
    """A Stepper that also scores all tokens of given targets at once, to the same result but for rounding."""

    whole_target: bool  # whether that is faster than step by step

    def token_scores(self, target: TargetIds, memory: Memory, states: States) -> Float[Tensor, "batch target"]:
        """Log-probabilities of the tokens of each sentence's target, from the memory and states that it starts with."""


@runtime_checkable
class LabelStepper(Stepper[Memory, States], Protocol[Memory, States]):
    """A Stepper that reads nothing of what was written, and so says all at once: the same, but for rounding."""

    def labels(self, memory: Memory, states: States) -> tuple[TargetIds, Float[Tensor, "batch target"]]:
        """The likeliest tokens of each sentence up to its EOS, with their log-probabilities; behind it, anything."""


def says_unknown(stepper: object) -> bool:
    """Tell whether a stepper's search may say UNK, as it may unless the stepper says otherwise."""
    return bool(getattr(stepper, "says_unknown", True))


def attends(stepper: object) -> bool:
    """Tell whether the weights of a stepper say where in a source it looked, as they do unless it says otherwise."""
    return bool(getattr(stepper, "attends", True))


def select(nest: Nest, rows: Int[Tensor, " rows"]) -> Nest:
    """The nest with the given rows of every tensor, in their order; the first rows are a view and cost nothing."""
    first = torch.equal(rows, torch.arange(len(rows), device=rows.device))
    tensors, shape = pytree.tree_flatten(nest)
    once = {id(tensor): tensor for tensor in tensors}  # one can be in a nest twice: values that are their own keys
    taken = {key: one[: len(rows)] if first else one.index_select(0, rows) for key, one in once.items()}
    return pytree.tree_unflatten([taken[id(tensor)] for tensor in tensors], shape)


def reorder(states: States, parents: Int[Tensor, "batch beam"]) -> States:
    """The states of each hypothesis's parent, `batch beam ...`."""
    return pytree.tree_map(lambda tensor: _of_parents(tensor, parents), states)


def _of_parents(tensor: Tensor, parents: Int[Tensor, "batch beam"]) -> Tensor:
    starts = torch.arange(len(parents), device=parents.device).unsqueeze(1) * tensor.shape[1]
    # (batch, 1) + (batch, beam) = (batch, beam): places in the tensor's first two axes as one
    return tensor.flatten(0, 1).index_select(0, (starts + parents).flatten()).unflatten(0, parents.shape)
