"""Losses of long targets, window by window."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.masking import length_mask
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import SoftIds, Written
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.objective import Objective


def check_summable(objective: Objective) -> None:
    """Check that a loss is the sum of those of windows. Raises UserError if not, by the name of what is in the way."""
    if type(objective) is not CrossEntropy:
        raise UserError(f"window needs objective=cross_entropy, as {type(objective).__name__} looks at whole targets.")
    for name in ("coverage_loss", "temporal_loss"):
        if (value := getattr(objective, name)) > 0:
            raise UserError(f"window needs {name}=0, as that looks beyond a window, but it is {value}.")


def truncated_loss(model: Seq2Seq, objective: Objective, batch: Batch, inputs: Written, window: int) -> Tensor:
    """The loss of a batch whose gradients go back `window` target tokens at most, with one window in memory at a time.

    States are carried on and detached; the memory of the source gets the gradients of all windows and is gone back
    through once. Its value, and with a window for all the gradient, are those of the objective. Every window draws the
    same dropout: its masks are locked over the whole target.
    """
    if batch.target_inputs.shape[1] <= window or not torch.is_grad_enabled():
        return objective(model, batch, inputs)
    source, target = model.encoder.input.dropped(batch.source), model.target_words(inputs)
    encoded = model.encoder(source, batch.source_lengths)
    given = model.remember(encoded, length_mask(batch.source_lengths, batch.source.shape[1]), batch.source)
    parts = [part for part in (model.decoder, model.output, model.copying) if part is not None]
    own = [weight for part in parts for weight in part.parameters() if weight.requires_grad]
    gradients = _Gradients(list({id(weight): weight for weight in own}.values()))
    memory, states = gradients.cut(given)
    drawn, likelihoods, total = _Drawn(batch.source.device), [], torch.zeros((), device=batch.source.device)
    for part, read in _windows(batch, target, window):
        drawn.again()
        unrolled = model.unroll(read, memory, states)
        outputs = ModelOutputs(*unrolled[:2], memory.values, *unrolled[2:4])
        loss = objective.loss(model, part, outputs)
        gradients.add(loss)
        total = total + loss.detach()
        likelihoods.append(objective.likelihood)
        states = pytree.tree_map(Tensor.detach, unrolled.states)
    known = [one for one in likelihoods if one is not None]
    objective.likelihood = torch.stack(known).sum() if len(known) == len(likelihoods) else None
    return gradients.behind(total)


def _windows(batch: Batch, inputs: Written, size: int) -> Iterator[tuple[Batch, Written]]:
    """Windows of a batch, with what the decoder reads in each."""
    for start in range(0, batch.target_inputs.shape[1], size):
        now = slice(start, start + size)
        read = SoftIds(*(one[:, now] for one in inputs)) if isinstance(inputs, SoftIds) else inputs[:, now]
        cut = {name: getattr(batch, name)[:, now] for name in ("target_inputs", "target_outputs")}
        yield replace(batch, **cut, alignments=None), read


class _Drawn:
    """The state of random numbers before the first window, to which every window goes back."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.state = self._get()

    def again(self) -> None:
        torch.set_rng_state(self.state[0])
        if self.state[1] is not None:
            torch.cuda.set_rng_state(self.state[1], self.device)

    def _get(self) -> tuple[Tensor, Tensor | None]:
        return torch.get_rng_state(), torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None


class _Gradients:
    """Sums of gradients over windows, by weights and by what the windows are given."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self.weights, self.given, self.leaves = list(weights), [], []  # type: list[Tensor], list[Tensor], list[Tensor]
        self.sums: list[Tensor | None] = []

    def cut(self, nest: Any) -> Any:
        """The nest with leaves, whose gradients are kept, in the place of its tensors; one in it twice is one."""
        tensors, shape = pytree.tree_flatten(nest)
        once: dict[int, Tensor] = {}
        for tensor in tensors:
            if id(tensor) not in once:
                once[id(tensor)] = leaf = tensor.detach()
                if tensor.requires_grad:
                    self.given.append(tensor)
                    self.leaves.append(leaf.requires_grad_())
        self.sums = [None] * (len(self.weights) + len(self.leaves))
        return pytree.tree_unflatten([once[id(tensor)] for tensor in tensors], shape)

    def add(self, loss: Tensor) -> None:
        """Go back through a window, which is then forgotten."""
        found = torch.autograd.grad(loss, [*self.weights, *self.leaves], allow_unused=True)
        for place, new in enumerate(found):
            old = self.sums[place]
            self.sums[place] = old if new is None else new if old is None else old + new

    def behind(self, total: Tensor) -> Tensor:
        """The total as a loss whose backward pass hands on the sums."""
        pairs = zip([*self.weights, *self.given], self.sums, strict=True)
        known = [(one, gradient) for one, gradient in pairs if gradient is not None]
        inputs, sums = zip(*known, strict=True)
        return _HandOn.apply(total, len(inputs), *inputs, *sums)


class _HandOn(torch.autograd.Function):
    """Hands gradients that are known already on to inputs."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, count: int, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors[count:])
        return total.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        sums = ctx.saved_tensors
        return (None, None, *(gradient * one for one in sums), *(None for _ in sums))
