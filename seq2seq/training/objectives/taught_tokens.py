"""Probable tokens at every place of pairs, as teachers say, found once and kept."""

import logging
import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.data.batch import Batch, PairSequences
from seq2seq.data.batching import TokenBudget
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq

logger = logging.getLogger(__name__)
_AT_ONCE = TokenBudget(max_tokens=1 << 14, max_sentences=256)  # that teachers read

TopIds = Int[Tensor, "rows top"]
TopScores = Float[Tensor, "rows top"]
Key = tuple[bytes, bytes]  # token ids of a source and of its target


class TaughtTokens:
    """The most probable tokens at every place of pairs' targets, and logarithms of their mean probabilities.

    Pairs are read in an order of their own, so that what is kept is the same whenever it is found anew.
    """

    def __init__(self, models: Sequence[Seq2Seq], pairs: PairSequences, top: int, device: torch.device) -> None:
        logger.info("distillation: teachers read %d pairs, and the %d best of every token are kept", len(pairs), top)
        self._starts: dict[Key, int] = {}
        self._count = 0  # of tokens that were read
        found = [self._read(models, batch.to(device), top) for batch in _batches(pairs)]
        self.ids, self.scores = (torch.cat(parts) for parts in zip(*found, strict=True))

    def of(self, batch: Batch) -> tuple[TopScores, TopIds]:
        """The scores and ids of every token to predict. Raises UserError where a pair is none of those read."""
        try:
            spans = [(self._starts[key], count) for key, count in _keys(batch)]
        except KeyError:
            raise UserError(
                "top needs pairs as train has them, which teachers have read, but something has changed one: "
                "set top to null."
            ) from None
        places = torch.cat([torch.arange(0), *(torch.arange(start, start + count) for start, count in spans)])
        device = batch.source.device
        return self.scores[places].to(device), self.ids[places].long().to(device)

    def _read(self, models: Sequence[Seq2Seq], batch: Batch, top: int) -> tuple[Tensor, Tensor]:
        """Ids and scores of a batch's tokens, whose places are noted."""
        for key, count in _keys(batch):
            self._starts.setdefault(key, self._count)
            self._count += count
        with torch.no_grad(), torch.autocast(batch.source.device.type, enabled=False):
            scores, ids = _best(models, batch, top)
        return ids.int().cpu(), scores.float().cpu()


def _best(models: Sequence[Seq2Seq], batch: Batch, top: int) -> tuple[TopScores, TopIds]:
    """The greatest logarithms of the models' mean probabilities of every token to predict, and whose they are."""

    def best_of(*read: Tensor) -> tuple[Tensor, Tensor]:
        found = [model.output.log_probabilities(rows) for model, rows in zip(models, read, strict=True)]
        said = torch.stack(found).logsumexp(0) - math.log(len(found))
        scores, ids = said.topk(min(top, said.shape[1]))
        return scores, ids

    read = [batch.of_tokens(one(batch.source, batch.source_lengths, batch.target_inputs).features) for one in models]
    scores, ids = models[0].output.in_chunks(best_of, *read)  # scores of a whole batch would be many
    return scores, ids


def _batches(pairs: PairSequences) -> Iterator[Batch]:
    """Batches of all pairs, those of like lengths together, as many as are few tokens."""
    source, target = (side.lengths + side.end for side in (pairs.source, pairs.target))
    for rows in _AT_ONCE.cut(source.numpy(), target.numpy(), target.argsort(stable=True).numpy()):
        yield pairs.batch(torch.from_numpy(rows), step_tokens=1.0)


def _keys(batch: Batch) -> Iterator[tuple[Key, int]]:
    """Keys of the pairs that have tokens to predict, by which each is found again, and numbers of these."""
    sources, targets = batch.source.cpu().numpy(), batch.target_outputs.cpu().numpy()
    lengths, counts = batch.source_lengths.tolist(), batch.target_mask.sum(1).tolist()
    for row, (length, count) in enumerate(zip(lengths, counts, strict=True)):
        if count:
            yield (sources[row, :length].tobytes(), targets[row, :count].tobytes()), count
