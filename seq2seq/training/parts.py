"""Parts of a model, by the names of its modules: frozen for a while, or trained at rates of their own."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.gradients.transformation import GradientTransformation, global_norm

_SHOWN = 2  # levels of names


class FrozenParts(GradientTransformation):
    """Parts whose weights stay as they are for `freeze_steps` steps, at None for all; then the rest is transformed.

    Their gradients are dropped after the backward pass, so that processes and accumulated batches agree on what there
    is. Raises UserError at a name that is no part, where nothing is left to train, and at fewer steps than 1.
    """

    def __init__(
        self,
        model: nn.Module,
        freeze: list[str],
        freeze_steps: int | None = None,
        then: GradientTransformation | None = None,
    ) -> None:
        if freeze_steps is not None and freeze_steps < 1:
            raise UserError(f"freeze_steps must be at least 1, or null for all, but is {freeze_steps}.")
        if freeze_steps is not None and not freeze:
            raise UserError(f"freeze_steps needs parts to freeze, but is {freeze_steps} beside freeze=[].")
        frozen = {id(one): one for name in freeze for one in part_of(model, name, "freeze").parameters()}
        if freeze_steps is None and len(frozen) == len(list(model.parameters())):
            raise UserError(f"freeze must leave a part to train, but {', '.join(freeze)} is all of the model.")
        self.frozen = list(frozen.values())
        self.steps, self.then = freeze_steps, then

    def prepare(self, model: Seq2Seq) -> None:
        """Let what comes then look at the model."""
        if self.then is not None:
            self.then.prepare(model)

    def __call__(self, parameters: Sequence[nn.Parameter], step: int) -> Tensor:
        if self.steps is None or step < self.steps:
            for one in self.frozen:
                one.grad = None
        return global_norm(parameters) if self.then is None else self.then(parameters, step)


class PartedOptimizer:
    """A factory of optimizers whose parameters of a part learn at a multiple of the rate; the inner part's counts.

    Weight decay is not for parameters that are `undecayed`. Raises UserError at a name that is no part, and at a
    multiple that is not above 0.
    """

    def __init__(
        self,
        factory: Callable[[Any], Optimizer],
        model: nn.Module,
        rates: Mapping[str, float | int],
        undecayed: Sequence[nn.Parameter] = (),
    ) -> None:
        for name, rate in rates.items():
            if not rate > 0:
                raise UserError(f"rates must be above 0, but that of {name} is {rate}: to keep it as it is, freeze it.")
        self.factory, self.rates = factory, [1.0, *rates.values()]
        self._group: dict[int, int] = {}
        for number, name in sorted(enumerate(rates, 1), key=lambda item: item[1].count(".")):
            self._group |= {id(one): number for one in part_of(model, name, "rates").parameters()}
        self._undecayed = {id(one) for one in undecayed}

    def __call__(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        groups: list[dict[str, Any]] = [{"params": []} for _ in self.rates]
        if self._undecayed:
            groups += [{"params": [], "weight_decay": 0.0} for _ in self.rates]
        for one in parameters:
            behind = len(self.rates) if id(one) in self._undecayed else 0
            groups[self._group.get(id(one), 0) + behind]["params"].append(one)
        optimizer = self.factory(groups)
        for number, group in enumerate(optimizer.param_groups):
            group["lr"] *= self.rates[number % len(self.rates)]
        return optimizer


def spared_from_decay(model: nn.Module) -> list[nn.Parameter]:
    """Parameters that weight decay is not for: biases, gains and other vectors, and the tables of embeddings.

    What is rarely seen would be forgotten, as Adam decays the rows of a table whether they have a gradient or not.
    """
    spared = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    spared |= {id(getattr(part, name)) for part in model.modules() for name in getattr(part, "stacked_vectors", ())}
    return [one for one in model.parameters() if one.dim() < 2 or id(one) in spared]


def part_of(model: nn.Module, name: str, option: str) -> nn.Module:
    """The module of a name. Raises UserError, naming the option, if there is none or it has no weights."""
    parts = {known: part for known, part in model.named_modules() if known and any(True for _ in part.parameters())}
    if name in parts:
        return parts[name]
    close = difflib.get_close_matches(name, parts, n=1)
    shown = [known for known in parts if known.count(".") < _SHOWN]
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(shown)} and what is in them."
    raise UserError(f"{option} must name parts of the model with weights, but {name!r} is none: {hint}")
