"""Series of train as an augmentation changes them for every epoch."""

from dataclasses import replace

from seq2seq.data.augmentation.frame_augmentation import FrameAugmentation
from seq2seq.data.augmentation.frame_changes import OtherLength
from seq2seq.data.batch import PairSequences
from seq2seq.data.batching import BatchPlan
from seq2seq.data.frame_sequences import FrameSequences
from seq2seq.data.references import too_large
from seq2seq.data.series import Values


class ChangedFrames:
    """Pairs of train with their series changed anew for every epoch, by the plan's seed, the epoch and the example.

    A series that would become too long for the plan's batches, or longer than is allowed, stays as it is.
    """

    def __init__(
        self, augmentation: FrameAugmentation, pairs: PairSequences, plan: BatchPlan, *, max_length: int
    ) -> None:
        augmentation.learn(_frames(pairs).flat[:-1].numpy())
        self.augmentation, self.max_length = augmentation, max_length
        self.seed, self.max_tokens = plan.seed, plan.budget.max_tokens

    def epoch(self, number: int, pairs: PairSequences) -> PairSequences:
        """The pairs as an epoch sees them."""
        source = _frames(pairs)
        owners = range(len(pairs)) if pairs.owners is None else pairs.owners.tolist()
        targets = pairs.target.lengths.tolist()
        series = [source.flat[start : start + length].numpy() for start, length in _spans(source)]
        changed = [self._changed(*each, number) for each in zip(series, targets, owners, strict=True)]
        found = FrameSequences.from_values(changed, source.flat.shape[1])
        if pairs.together is not None:
            lengths = found.lengths + 1, pairs.target.lengths + 1
            for start, end in too_large(pairs.together, *lengths, self.max_tokens):
                changed[start:end] = series[start:end]
            found = FrameSequences.from_values(changed, source.flat.shape[1])
        return replace(pairs, source=found)

    def _changed(self, values: Values, target: int, owner: int, number: int) -> OtherLength:
        changed = self.augmentation.changed(values, self.seed, number, owner)
        fits = len(changed) <= self.max_length and len(changed) + target + 2 <= self.max_tokens
        return changed if fits else values


def _frames(pairs: PairSequences) -> FrameSequences:
    assert isinstance(pairs.source, FrameSequences), "the edge refuses text"
    return pairs.source


def _spans(source: FrameSequences) -> list[tuple[int, int]]:
    return list(zip(source.starts.tolist(), source.lengths.tolist(), strict=True))
