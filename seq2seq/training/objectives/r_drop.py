"""Agreement of the model with itself under another dropout."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.errors import UserError, check_finite
from seq2seq.layers.dropout import LockedDropout, WordDropout
from seq2seq.layers.output.output import Output
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq
from seq2seq.shapes import SoftIds, Written
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.references import weighed
from seq2seq.training.objectives.wrapping import WrappingObjective

LogProbabilities = Float[Tensor, "rows vocabulary"]


class RDrop(WrappingObjective):
    """Another objective on each batch twice, by two draws of dropout that must agree (Liang et al. 2021, eq. 4).

    loss = base(first) + base(second) + alpha (KL(p || q) + KL(q || p)) / 2, where p and q are what the model says of a
    token under either draw. Both are one pass, read the same decoder inputs and are not smoothed. Raises UserError
    if alpha is not above 0, and for a model whose two draws could not differ.
    """

    def __init__(self, *, base: Objective, alpha: float = 5.0) -> None:
        check_finite(alpha=alpha)
        if not alpha > 0:
            raise UserError(f"alpha must be above 0, but is {alpha}: without the agreement, choose another objective.")
        if type(base).__call__ is not Objective.__call__:
            raise UserError(
                f"base must be an objective of the batch as it is, but is {type(base).__name__}: choose another."
            )
        super().__init__(base)
        self.alpha = alpha

    def check(self, model: Seq2Seq) -> None:
        """Check the base's needs, and that dropout is on. Raises UserError if it is not."""
        super().check(model)
        model.output.refuse_samples("R-Drop")
        if model.output.normalizer != "softmax":
            raise UserError(
                "R-Drop needs an output by softmax, as the divergence from zeros is infinite, but normalizer is "
                f"{model.output.normalizer}: choose softmax, or another objective."
            )
        if not any(_differs(part) for part in model.modules()):
            raise UserError(
                "R-Drop needs dropout, as it compares two draws of it, but dropout is 0 everywhere "
                "(weight_drop is drawn once for both): raise dropout, or choose another objective."
            )

    def __call__(self, model: Seq2Seq, batch: Batch, inputs: Written) -> Tensor:
        if isinstance(inputs, SoftIds):
            return super().__call__(model, batch.twice(), SoftIds(*(torch.cat([part, part]) for part in inputs)))
        return super().__call__(model, batch.twice(), torch.cat([inputs, inputs]))

    def loss(self, model: Seq2Seq, batch: Batch, outputs: ModelOutputs) -> Tensor:
        """The loss of a batch that holds every pair twice: first all of them, then all again."""
        total = self.base.loss(model, batch, outputs)
        self.likelihood = None if self.base.likelihood is None else self.base.likelihood / 2
        first, second = batch.of_tokens(outputs.features).chunk(2)
        weights = self.base.token_weights
        if weights is not None:  # of either draw, which may prefer another reference
            weights = torch.stack(weights.chunk(2)).mean(0)
        apart = model.output.in_chunks(partial(_divergences_of, model.output), first, second)
        return total + self.alpha * weighed(apart, weights).sum()


def _divergences_of(output: Output, *draws: Float[Tensor, "rows feature"]) -> Float[Tensor, " rows"]:
    return divergences(*output.log_probabilities(torch.cat(draws)).chunk(2))


def divergences(first: LogProbabilities, second: LogProbabilities) -> Float[Tensor, " rows"]:
    """Means of both Kullback-Leibler divergences, sum of (p - q) (log p - log q) / 2, of each row in nats."""
    # What neither can say has no difference, where minus infinity less itself would be no number.
    differences = torch.where(first.isfinite() & second.isfinite(), first - second, 0.0)
    return ((first.exp() - second.exp()) * differences).sum(-1) / 2


def _differs(part: torch.nn.Module) -> bool:
    """Tell whether a part is another for every sentence of a batch."""
    if isinstance(part, LockedDropout | WordDropout):
        return part.probability > 0
    noise = getattr(part, "regularization", None)
    return isinstance(noise, Regularization) and (noise.zoneout or noise.recurrent_dropout > 0)
