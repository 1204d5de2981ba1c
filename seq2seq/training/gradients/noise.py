"""Noise on gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seq2seq.errors import UserError, check_finite
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.gradients.transformation import GradientTransformation, global_norm

_STREAM = 7_019  # keeps these random numbers apart from those of the step's dropout


class AnnealedNoise:
    """Gaussian noise whose variance falls as eta / (1 + step)^decay (Neelakantan et al. 2015, equation 1).

    A relative one is of that many mean squares of the tensor that it is added to; the paper's is not. Raises UserError
    if eta is not above 0, or decay is below 0.
    """

    def __init__(self, *, eta: float = 1.0, decay: float = 0.55, relative: bool = True) -> None:
        check_finite(eta=eta, decay=decay)
        if eta <= 0:
            raise UserError(f"eta must be above 0, but is {eta}: for gradients without noise, choose none.")
        if decay < 0:
            raise UserError(f"decay must be at least 0, but is {decay}: noise may not grow.")
        self.eta, self.decay, self.relative = eta, decay, relative

    def deviation(self, step: int) -> float:
        """The standard deviation at a step, counted from 0."""
        return float((self.eta / (1 + step) ** self.decay) ** 0.5)


class NoisyGradients(GradientTransformation):
    """Gradients as `first` leaves them, and noise on top, which no clipping takes away again.

    The noise is a function of seed and step, and the same in all processes. Gradients that are missing stay so.
    """

    def __init__(self, noise: AnnealedNoise, seed: int, first: GradientTransformation | None = None) -> None:
        self.noise, self.seed, self.first = noise, seed, first

    def prepare(self, model: Seq2Seq) -> None:
        """Let what comes first look at the model."""
        if self.first is not None:
            self.first.prepare(model)

    @torch.no_grad()
    def __call__(self, parameters: Sequence[nn.Parameter], step: int) -> Tensor:
        norm = global_norm(parameters) if self.first is None else self.first(parameters, step)
        deviation, generators = self.noise.deviation(step), {}
        for gradient in (one.grad for one in parameters if one.grad is not None):
            if (device := gradient.device) not in generators:
                seed = hash((self.seed, step, _STREAM)) % 2**63
                generators[device] = torch.Generator(device).manual_seed(seed)
            drawn = torch.empty_like(gradient).normal_(0.0, deviation, generator=generators[device])
            gradient.add_(drawn * gradient.square().mean().sqrt() if self.noise.relative else drawn)
        return norm
