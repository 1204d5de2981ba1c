"""An output that bars some tokens, by where in its source a model is."""

from jaxtyping import Bool, Int
from torch import Tensor

from seq2seq.layers.output.output import Output, Rows, RowScores


class BarredOutput(Output):
    """Another output, of which tokens have no share before the end of the source, and others none at it.

    Features end with a number of their own, 1 at the end and 0 before; `barred`, `2 vocabulary`, tells which tokens.
    Raises UserError, in the name of a kind of model, where training's loss is of a sample of the tokens.
    """

    bars_by_row = True
    impossible: Tensor  # tokens before the end of the source, and at it

    def __init__(self, scored: Output, barred: Bool[Tensor, "2 vocabulary"], who: str) -> None:
        scored.refuse_samples(who)
        super().__init__(scored.normalizer, chunk=scored.chunk, vocabulary_size=barred.shape[-1])
        self.scored, self.by_token = scored, scored.by_token
        self.register_buffer("impossible", barred, persistent=False)

    @property
    def products(self) -> int:
        return self.scored.products

    def prepare(self, counts: Int[Tensor, " vocabulary"]) -> None:
        self.scored.prepare(counts)

    def scores(self, features: Rows) -> RowScores:
        place = (features[:, -1] > 0.5).long()
        scores = self.scored.scores(features[:, :-1])[:, : self.vocabulary_size]
        return scores.masked_fill(self.impossible[place], float("-inf"))
