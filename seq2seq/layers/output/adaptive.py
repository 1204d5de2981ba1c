"""An output by clusters of tokens, where frequent ones come cheap."""

import logging
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Int
from torch import Tensor, nn

from seq2seq.errors import UserError, check_finite
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.linear import linear
from seq2seq.layers.output.output import Losses, Output, Rows, RowScores, Targets
from seq2seq.precise import precise
from seq2seq.symbols import BOS, EOS, PAD

logger = logging.getLogger(__name__)
_HEAD, _NEXT = 16, 4  # shares of a vocabulary that are clusters, unless told: one in so many tokens
_ENOUGH = 10  # times as many tokens as the head has must have been counted to tell
_WORST = 0.8  # of the tokens that a head could hold, before there is a warning


class AdaptiveOutput(Output):
    """Output by adaptive softmax: p(w) = p(cluster of w) p(w | cluster) (Grave et al. 2017).

    The head scores the tokens before the first of `cutoffs`, and each cluster behind as one more; cluster i has scores
    by features / `shrink`^i units, at least one. Training finds the probabilities of targets' own clusters alone, but
    with label smoothing, a mean over all tokens, those of every token; searches always see all. Ids should be in the
    order of frequency, as those of unigram and word tokenizers are. At None, cutoffs are a sixteenth and a quarter of
    the vocabulary. Raises UserError at cutoffs that do not rise from behind EOS to below the vocabulary.
    """

    by_token = False
    bounds: Tensor
    unsaid: Tensor  # columns of the head

    def __init__(
        self,
        *,
        feature_size: int,
        embedding: Embedding,
        cutoffs: Sequence[int] | None = None,
        shrink: float = 4.0,
        chunk: int | None = None,
    ) -> None:
        check_finite(shrink=shrink)
        size = embedding.vocabulary_size
        super().__init__(chunk=chunk, vocabulary_size=size)
        if not shrink >= 1:
            raise UserError(f"shrink must be at least 1, but is {shrink}.")
        self.cutoffs = _default_cutoffs(size) if cutoffs is None else _checked_cutoffs(list(cutoffs), size)
        bounds = [*self.cutoffs, size]
        self.head = linear(feature_size, bounds[0] + len(bounds) - 1)
        self.register_buffer("bounds", torch.tensor(self.cutoffs, dtype=torch.long), persistent=False)
        unsaid = [column in (PAD, BOS) for column in range(self.head.out_features)]
        self.register_buffer("unsaid", torch.tensor(unsaid), persistent=False)
        self.clusters = nn.ModuleList(
            _cluster(feature_size, max(1, int(feature_size / shrink**number)), end - start)
            for number, (start, end) in enumerate(pairwise(bounds), 1)
        )

    def prepare(self, counts: Int[Tensor, " vocabulary"]) -> None:
        """Warn where ids are not in the order of frequency: then the head is not what comes most."""
        first = self.cutoffs[0] if self.cutoffs else 0
        if counts.sum() < _ENOUGH * first or first == 0:
            return
        own, best = (float(each[:first].sum() / counts.sum()) for each in (counts, counts.sort(descending=True).values))
        if own < _WORST * best:
            logger.warning(
                "adaptive output: the first %d tokens are %.0f %% of the targets in train, the most frequent would be "
                "%.0f %%, so little is saved: a unigram or word tokenizer orders them by frequency",
                *(first, 100 * own, 100 * best),
            )

    def scores(self, features: Rows) -> RowScores:
        return self.log_probabilities(features)

    def barred(self, features: Rows) -> RowScores:
        """Logarithms of probabilities, which are scores, too: minus infinity of PAD and BOS."""
        return self.log_probabilities(features)

    def log_probabilities(self, features: Rows) -> RowScores:
        head = self._head(features)
        parts = [head[:, : head.shape[1] - len(self.clusters)]]
        for column, cluster in enumerate(self.clusters, parts[0].shape[1]):
            # (rows, 1) + (rows, tokens of the cluster)
            parts.append(head[:, column : column + 1] + precise(cluster(features)).log_softmax(-1))
        return torch.cat(parts, 1)

    def losses_of(self, features: Rows, targets: Targets) -> Losses:
        clusters = torch.bucketize(targets.contiguous(), self.bounds, right=True)  # 0 is the head
        head = self._head(features)
        first = head.shape[1] - len(self.clusters)
        columns = torch.where(clusters == 0, targets, first - 1 + clusters)
        found = head.gather(1, columns.unsqueeze(1)).squeeze(1)
        for number, cluster in enumerate(self.clusters, 1):
            rows = (clusters == number).nonzero().squeeze(1)  # perhaps none: processes must agree on what has gradients
            scores = precise(cluster(features[rows])).log_softmax(-1)
            own = scores.gather(1, (targets[rows] - self.cutoffs[number - 1]).unsqueeze(1)).squeeze(1)
            found = found.index_add(0, rows, own)
        return -found

    def _head(self, features: Rows) -> Tensor:
        """Log-probabilities of the first tokens and of every cluster."""
        scores = precise(self.head(features))
        return scores.masked_fill(self.unsaid, float("-inf")).log_softmax(-1)


def _cluster(feature_size: int, size: int, tokens: int) -> nn.Sequential:
    return nn.Sequential(linear(feature_size, size, bias=False), linear(size, tokens))


def _default_cutoffs(size: int) -> list[int]:
    first = max(EOS + 2, size // _HEAD)
    return [cut for cut in (first, max(first + 1, size // _NEXT)) if cut < size]


def _checked_cutoffs(cutoffs: list[int], size: int) -> list[int]:
    if not cutoffs or sorted(set(cutoffs)) != cutoffs or cutoffs[0] <= EOS:
        raise UserError(f"cutoffs must rise, the first of at least {EOS + 1}, but are {cutoffs}.")
    if cutoffs[-1] >= size:
        raise UserError(f"cutoffs must be below the vocabulary of {size} tokens, but are {cutoffs}.")
    return cutoffs
