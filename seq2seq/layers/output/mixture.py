"""An output that mixes several softmaxes."""

from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.linear import linear
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.matrix import MatrixOutput
from seq2seq.layers.output.output import Losses, Output, Rows, RowScores, Targets
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.precise import precise


class MixtureOutput(Output):
    """Output by a mixture of softmaxes: p = sum_k pi_k softmax(W tanh(U_k features) + b) (Yang et al. 2018).

    pi = softmax(V features) weighs `components` distributions of one matrix W, so that the logarithms of p have a
    higher rank than features have units. W is the embedding's matrix where `tied`. A step costs and holds as much as
    that many softmaxes. Raises UserError below one component.
    """

    def __init__(
        self,
        *,
        feature_size: int,
        embedding: Embedding,
        components: int = 5,
        tied: bool = True,
        chunk: int | None = None,
    ) -> None:
        super().__init__(chunk=chunk, vocabulary_size=embedding.vocabulary_size)
        if components < 1:
            raise UserError(f"components must be at least 1, but is {components}.")
        self.components = components
        self.weights = linear(feature_size, components, bias=False)
        self.latent = linear(feature_size, components * embedding.size)
        words = TiedOutput if tied else FullOutput
        self.words: MatrixOutput = words(feature_size=embedding.size, embedding=embedding)

    @property
    def products(self) -> int:
        return super().products + (self.components - 1) * self.words.products

    def scores(self, features: Rows) -> RowScores:
        return self.log_probabilities(features)

    def barred(self, features: Rows) -> RowScores:
        """Logarithms of probabilities, which are scores, too: minus infinity of PAD and BOS."""
        return self.log_probabilities(features)

    def log_probabilities(self, features: Rows) -> RowScores:
        each = self.words.log_probabilities(self._rows(features))  # (rows components, vocabulary)
        never = each[:1] == float("-inf")  # of what is barred, whose sum would be no number
        each = each.masked_fill(never, 0).unflatten(0, (len(features), self.components))
        mixed = (self._log_weights(features).unsqueeze(2) + each).logsumexp(1)
        return mixed.masked_fill(never, float("-inf"))

    def losses_of(self, features: Rows, targets: Targets) -> Losses:
        each = self.words.losses_of(self._rows(features), targets.repeat_interleave(self.components))
        return -(self._log_weights(features) - each.unflatten(0, (len(features), self.components))).logsumexp(1)

    def rows_at_once(self, rows: int) -> int | None:
        if self.chunk is not None:
            return super().rows_at_once(rows)
        found = super().rows_at_once(rows * self.components)
        return None if found is None else max(1, found // self.components)

    def _rows(self, features: Rows) -> Float[Tensor, "all size"]:
        """Rows that components read, `rows components size` in two axes: all components of a row together."""
        return self.latent(features).tanh().unflatten(1, (self.components, -1)).flatten(0, 1)

    def _log_weights(self, features: Rows) -> Float[Tensor, "rows component"]:
        return precise(self.weights(features)).log_softmax(-1)
