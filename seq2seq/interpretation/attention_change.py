"""Interventions at the attention: what a decoder writes without it, or with weights that say nothing."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.interpretation.intervention import Intervention
from seq2seq.interpretation.replacement import replaced
from seq2seq.layers.attention.attention import Attention
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.precise import precise
from seq2seq.shapes import AttentionWeights, Features, StepMask

ATTENTION_CHANGES = ("cut", "even", "shuffle")
_SAID = 20.0  # the logit of a switch that leaves 2e-9 to copying


@dataclass(frozen=True)
class AttentionChange(Intervention):
    """The context cut to 0, or read by weights that are even, or those of the model shuffled over the source.

    What copies by these weights does so by the changed ones. Where the context is cut, the switch of a `Pointer` is at
    the vocabulary: copying keeps at most 2e-9 of the probability. Positions of a sentence are shuffled in one order
    for all steps, which follows from its length and the seed alone.
    Raises UserError, once it is applied, at another manner, and where there are no weights to change.
    """

    manner: str
    seed: int = 12345

    @property
    def place(self) -> str:
        return "attention"

    @property
    def change(self) -> str:
        return self.manner

    @contextmanager
    def applied(self, model: Seq2Seq) -> Iterator[None]:
        """A context in which the decoder attends otherwise."""
        attention = model.decoder.attention
        check_attention_change(self.manner, attention)
        with ExitStack() as stack:
            if self.manner == "cut":
                stack.enter_context(replaced(attention, step=_without_context, unroll=_without_context))
                if model.copying is not None:
                    stack.enter_context(replaced(model.copying, forward=_without_copies))
                    stack.enter_context(replaced(model.copying.switch, forward=_at_the_vocabulary))
            elif self.manner == "even":
                stack.enter_context(replaced(attention, weights=lambda _: _even))
            else:
                stack.enter_context(replaced(attention, weights=lambda weights: _shuffling(weights, self.seed)))
            yield


def check_attention_change(manner: str, attention: Attention) -> None:
    """Raise UserError at a manner that there is not, or not of this attention."""
    if manner not in ATTENTION_CHANGES:
        raise UserError(f"attention must be of {', '.join(ATTENTION_CHANGES)}, but has {manner!r}.")
    if not attention.attends:
        raise UserError(f"attention must be left empty for a decoder that attends to nothing, but has {manner}.")
    if manner != "cut" and not attention.normalizes:
        raise UserError(
            f"attention must be of cut for {type(attention).__name__}, which makes no weights of scores, "
            f"but has {manner}."
        )


def _without_context(method: Any) -> Any:
    def found(*given: Any) -> tuple[Any, ...]:
        context, *others = method(*given)
        return torch.zeros_like(context), *others

    return found


def _without_copies(forward: Any) -> Any:
    def found(features: Features, weights: AttentionWeights, token_weights: AttentionWeights, *others: Any) -> Tensor:
        rows: Tensor = forward(features, torch.zeros_like(weights), torch.zeros_like(token_weights), *others)
        return rows

    return found


def _at_the_vocabulary(forward: Any) -> Any:
    return lambda joined: torch.full_like(forward(joined), _SAID)


def _even(scores: AttentionWeights, mask: StepMask) -> AttentionWeights:
    """The same weight for each position of the source that a step can see."""
    share = mask.to(precise(scores).dtype)
    return (share / share.sum(-1, keepdim=True).clamp(min=1)).expand_as(scores)


def _shuffling(weights: Any, seed: int) -> Any:
    orders: dict[int, Tensor] = {}

    def order(count: int, size: int) -> Tensor:
        if count not in orders:
            orders[count] = torch.randperm(count, generator=torch.Generator().manual_seed(seed + count))
        return torch.cat([orders[count], torch.arange(count, size)])

    def shuffled(scores: AttentionWeights, mask: StepMask) -> AttentionWeights:
        found = weights(scores, mask)
        size = found.shape[-1]
        rows = [torch.stack([order(count, size) for count in row]) for row in mask.sum(-1).tolist()]
        return found.gather(-1, torch.stack(rows).to(found.device).expand_as(found))

    return shuffled
