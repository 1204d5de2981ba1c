"""Frames that a model has learnt and is judged by, as windows that overlap hold them."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int64

from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series, Values

logger = logging.getLogger(__name__)
_RUN = 8  # frames one behind the other, which do not come twice by chance
_LEAST = 5  # different ones among them: silence comes again, and what two switches say
_SHARE = 0.4  # of a series' runs: windows of labels overlap by half, and one neighbour may be held out, too
_MOST = 5_000_000  # frames of a split that are looked at, which takes four seconds or so
_OVERHEAD, _AT_ONCE = 100, 64  # frames in the time that an example takes; numbers of one in that of its own
_FACTOR = np.int64(0x5851F42D4C957F2D)
Hashes = Int64[np.ndarray, " _"]


def warn_of_shared_frames(splits: Splits) -> None:
    """Warn of series of dev and test whose answers train holds, as windows that overlap do: they are learnt by heart.

    Of forecasts these are the frames to come: those before them may be known. Of labels they are the sources. Of long
    splits the beginnings are looked at.
    """
    if not isinstance(splits.train[0].source, Series):
        return
    for name, examples in (("dev", splits.dev), ("test", splits.test)):
        runs = [*map(_judged, _beginning(examples))]
        learnt = _learnt(np.unique(np.concatenate([*runs, np.empty(0, np.int64)])), splits.train)
        if shared := sum(bool(len(own)) and _found(learnt, own)[1].mean() > _SHARE for own in runs):
            logger.warning(
                "%s: %d of %d series share what answers them with train, as windows that overlap do: scores on them "
                "say what was learnt by heart; cut train, dev and test out of parts that do not overlap",
                *(name, shared, len(runs)),
            )


def _learnt(judged: Hashes, train: Sequence[Example]) -> Hashes:
    """Hashes of some runs, in order, that train holds, as far as it is looked at."""
    held = np.zeros(len(judged), bool)
    for example in _beginning(train) if len(judged) else ():
        at, same = _found(judged, _held(example))
        held[at[same]] = True
    return judged[held]


def _beginning(examples: Sequence[Example]) -> Iterator[Example]:
    """The first examples, until there have been too many to wait for."""
    looked_at = 0
    for example in examples:
        yield example
        frames = [text.values for text in (example.source, *example.targets) if isinstance(text, Series)]
        looked_at += _OVERHEAD + sum(len(part) + part.size // _AT_ONCE for part in frames)
        if looked_at > _MOST:
            return


def _found(known: Hashes, runs: Hashes) -> tuple[Int64[np.ndarray, " _"], Bool[np.ndarray, " _"]]:
    """Places where hashes would stand among those that are known, in order, and which of them do."""
    if not len(known):
        return np.zeros(len(runs), np.int64), np.zeros(len(runs), bool)
    at = np.searchsorted(known, runs).clip(max=len(known) - 1)
    return at, known[at] == runs


def _judged(example: Example) -> Hashes:
    """Runs that answer an example: those that end in what it is to forecast, or those of what has a label."""
    assert isinstance(example.source, Series)
    past, target = example.source.values, example.targets[0]
    if not isinstance(target, Series):
        return _runs(past)
    future = target.values
    return _runs(np.concatenate([past[1 - _RUN :], future]) if past.shape[1] == future.shape[1] else future)


def _held(example: Example) -> Hashes:
    """Runs that an example holds, of each target behind the frames before it where both are of as many features."""
    assert isinstance(example.source, Series)
    past = example.source.values
    ends = [target.values for target in example.targets if isinstance(target, Series)]
    parts = [np.concatenate([past[1 - _RUN :], end]) if end.shape[1] == past.shape[1] else end for end in ends]
    return np.concatenate([_runs(part) for part in (past, *parts)])


def _runs(values: Values) -> Hashes:
    """Hashes of all runs of frames, of which enough are different."""
    if len(values) < _RUN:
        return np.empty(0, np.int64)
    bits = np.ascontiguousarray(values + np.float32(0)).view(np.int32).astype(np.int64)  # -0 is 0
    frames = _mixed(bits @ _powers(values.shape[1]))
    parts = np.lib.stride_tricks.sliding_window_view(frames, _RUN)
    different = 1 + (np.diff(np.sort(parts, 1), axis=1) != 0).sum(1)
    return _mixed(parts @ _powers(_RUN))[different >= _LEAST]


def _powers(count: int) -> Hashes:
    return np.multiply.accumulate(np.full(count, _FACTOR))


def _mixed(hashes: Hashes) -> Hashes:
    return (hashes ^ (hashes >> 29)) * _FACTOR
