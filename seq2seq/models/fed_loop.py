"""The loop of a decoder that is fed its context, with gradients written out: it leaves no graph behind.

Autograd would keep a node for every operation of every step, and add up a gradient of every weight at each of them.
Here a step is recorded on tapes, the way back is the same loop in reverse for states and contexts alone, and each
weight's gradient is one product over all steps (as in haste's and cuDNN's recurrent layers).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from seq2seq.layers.attention.score_tapes import ScoreTape
from seq2seq.layers.entmax import normalize, scores_gradient
from seq2seq.layers.recurrent.lstm_tape import LSTMGradients, LSTMRecorder, LSTMTape
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.precise import precise


class FedLayer(NamedTuple):
    """A layer of the loop: its weight for [hidden; input], the offset of its gates, and the state it starts from."""

    weight: Tensor  # gates read
    offset: Tensor  # time batch gates, or of all steps: gates
    hidden: Tensor  # batch hidden
    memory: Tensor  # batch hidden


class FedOutputs(NamedTuple):
    """Hidden states of each layer and its last memory, contexts and weights; time first, then the batch."""

    hidden: tuple[Tensor, ...]
    memories: tuple[Tensor, ...]
    contexts: Tensor
    weights: Tensor


@dataclass(frozen=True)
class FedLoop:
    """Parts of the loop beside the tensors that have gradients: masks, and how attention and layers are joined."""

    tape: type[ScoreTape]
    normalizer: str
    readable: Tensor  # batch 1 source, or batch time source
    kept: tuple[Tensor, ...]  # factors of the weights that values are read by, batch source, or nothing
    dropped: Sequence[Tensor]  # for each layer the mask of what goes up, batch hidden
    recurrent: Sequence[Tensor | None]  # for each layer the mask of what its own weights read
    residual: Sequence[bool]  # for each layer whether its input is added to what goes up

    def __call__(self, layers: Sequence[FedLayer], values: Tensor, scored: Sequence[Tensor]) -> FedOutputs:
        """Outputs of all steps; `scored` is what the attention's tape is made of."""
        found, count = cast(Any, _Looped).apply(self, len(layers), *chain(*layers), values, *scored), len(layers)
        return FedOutputs(found[:count], found[count:-2], *found[-2:])

    def read(self, weights: Tensor, dtype: torch.dtype) -> Tensor:
        """The weights that values are read by, `... source`, in the type of the values."""
        for kept in self.kept:
            weights = weights * kept
        return weights.to(dtype)

    def unseen(self, steps: int) -> Sequence[Tensor]:
        """Places of the source that each step cannot see, `batch source`."""
        return (~self.readable).expand(-1, steps, -1).unbind(1)


class _Tapes(NamedTuple):
    """Records of all that gradients are made of."""

    layers: list[LSTMTape]
    scores: ScoreTape
    queries: Tensor  # what attention was asked by at every step, time batch hidden
    values: Tensor
    weights: Tensor


class _Looped(Function):
    @staticmethod
    def forward(ctx: Any, loop: FedLoop, count: int, *given: Tensor) -> tuple[Tensor, ...]:
        layers = [FedLayer(*given[4 * depth : 4 * depth + 4]) for depth in range(count)]
        values, *scored = given[4 * count :]
        with torch.autocast(values.device.type, enabled=False):
            tapes, hidden = _record(loop, layers, values, scored)
        ctx.loop, ctx.score_tape, ctx.count = loop, type(tapes.scores), count
        ctx.offsets = [layer.offset.dim() for layer in layers]
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*chain(*tapes.layers), *tapes.scores.kept(), *tapes[2:])
        return *hidden, *(tape.memory[-1].clone() for tape in tapes.layers), tapes.layers[0].inputs, tapes.weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        saved, count = iter(ctx.saved_tensors), ctx.count
        layers = [LSTMTape(*islice(saved, len(LSTMTape._fields))) for _ in range(count)]
        scores = ctx.score_tape(*islice(saved, len(ctx.score_tape._fields)))
        tapes = _Tapes(layers, scores, *saved)
        outputs = FedOutputs(given[:count], given[count:-2], *given[-2:])  # type: ignore[arg-type]
        return None, None, *_Return(ctx.loop, tapes, outputs).gradients(ctx.offsets)


def _record(
    loop: FedLoop, layers: Sequence[FedLayer], values: Tensor, scored: Sequence[Tensor]
) -> tuple[_Tapes, list[Tensor]]:
    """Tapes of all steps, and hidden states of each layer, `time batch hidden`."""
    steps, top = len(layers[0].offset), layers[-1].hidden
    tapes = [LSTMTape.blank(layer.weight, layer.memory, steps) for layer in layers]
    run = [
        LSTMRecorder(tape, layer.offset, LSTMState(layer.hidden, layer.memory), mask)
        for tape, layer, mask in zip(tapes, layers, loop.recurrent, strict=True)
    ]
    scores, query = loop.tape.blank(steps, *scored), top
    weights = layers[0].memory.new_empty(steps, *values.shape[:2])
    rows, unseen = weights.unbind(0), loop.unseen(steps)
    for time, (row, hides, context) in enumerate(zip(rows, unseen, run[0].inputs, strict=True)):
        found = precise(scores.score(time, query.to(values.dtype))).masked_fill_(hides, float("-inf"))
        normalize(loop.normalizer, found, row)
        torch.bmm(loop.read(row, values.dtype).unsqueeze(1), values, out=context.unsqueeze(1))
        query = _step_layers(loop, run, time)
    hidden = [layer.hidden for layer in run]
    queries = tapes[-1].read[:, :, : tapes[-1].size]
    if loop.recurrent[-1] is not None:  # of which some units are missing there
        queries = torch.cat([top.unsqueeze(0), hidden[-1][:-1]]).to(values.dtype)
    return _Tapes(tapes, scores, queries, values, weights), hidden


def _step_layers(loop: FedLoop, run: Sequence[LSTMRecorder], time: int) -> Tensor:
    """The hidden state of the top layer after a step, whose context is the bottom one's input."""
    below = run[0].inputs[time]
    hidden = run[0].step(time)
    for layer, mask, residual in zip(run[1:], loop.dropped, loop.residual, strict=False):
        handed = hidden * mask
        layer.inputs[time].copy_(handed + below if residual else handed)
        below, hidden = layer.inputs[time], layer.step(time)
    return hidden


class _Return:
    """The way back through recorded steps, from gradients of what they gave."""

    def __init__(self, loop: FedLoop, tapes: _Tapes, given: FedOutputs) -> None:
        self.loop, self.tapes, self.given = loop, tapes, given
        self.layers = [LSTMGradients(*each) for each in zip(tapes.layers, given.memories, loop.recurrent, strict=True)]
        self.scores = tapes.scores.gradients()
        steps, batch, _ = tapes.weights.shape
        self.of_contexts = tapes.values.new_empty(steps, batch, tapes.values.shape[2])
        self.of_scores = torch.empty_like(tapes.weights)

    def gradients(self, offsets: Sequence[int]) -> list[Tensor]:
        """Gradients of what the loop was given: of each layer, the values and what scores are made of."""
        for time in reversed(range(len(self.of_scores))):
            self._step_layers(time)
            self._step_attention(time)
        found: list[Tensor] = []
        for layer, axes in zip(self.layers, offsets, strict=True):
            of_offset = layer.of_sums if axes == 3 else layer.of_sums.sum((0, 1))
            found += [layer.of_weight(), of_offset, layer.of_hidden, layer.of_memory]
        weights = self.loop.read(self.tapes.weights, self.tapes.values.dtype).permute(1, 2, 0)
        of_values = torch.bmm(weights, self.of_contexts.transpose(0, 1))
        return [*found, of_values, *self.scores.of_given(self.of_scores, self.tapes.queries)]

    def _step_layers(self, time: int) -> None:
        of_above = None  # the gradient of what a layer hands up
        for depth in reversed(range(len(self.layers))):
            layer, given = self.layers[depth], self.given.hidden[depth]
            if given is not None:
                layer.of_hidden.add_(given[time])
            of_above = layer.step(time) if of_above is None else self._step_below(depth, time, of_above)
        self.of_contexts[time] = cast(Tensor, of_above)
        if self.given.contexts is not None:
            self.of_contexts[time] += self.given.contexts[time]

    def _step_below(self, depth: int, time: int, of_above: Tensor) -> Tensor:
        """The gradient of the input of a layer that hands its output to another."""
        layer = self.layers[depth]
        layer.of_hidden.add_(of_above * self.loop.dropped[depth])
        of_input = layer.step(time)
        return of_input + of_above if self.loop.residual[depth] else of_input

    def _step_attention(self, time: int) -> None:
        values, weights = self.tapes.values, self.tapes.weights[time]
        of_weights = torch.bmm(self.of_contexts[time].unsqueeze(1), values.transpose(1, 2)).squeeze(1)
        of_weights = self.loop.read(of_weights, weights.dtype)
        if self.given.weights is not None:
            of_weights = of_weights + self.given.weights[time]
        self.of_scores[time] = scores_gradient(self.loop.normalizer, weights, of_weights)
        self.layers[-1].of_hidden.add_(self.scores.step(time, self.of_scores[time]))
