"""Frames that a model has learnt and is judged by, as windows that overlap hold them."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int64

from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series, Values

logger = logging.getLogger(__name__)
_RUN = 8  # frames one behind the other, which do not come twice by chance
_LEAST = 5  # different ones among them: silence comes again, and what two switches say
_SHARE = 0.4  # of a series' runs: windows of labels overlap by half, and one neighbour may be held out, too
_MOST = 5_000_000  # frames of train that are looked at, which takes a second or two
_FACTOR = np.int64(0x5851F42D4C957F2D)
Hashes = Int64[np.ndarray, " _"]


def warn_of_shared_frames(splits: Splits) -> None:
    """Warn of series of dev and test whose answers train holds, as windows that overlap do: they are learnt by heart.

    Of forecasts these are the frames to come: those before them may be known. Of labels they are the sources.
    """
    if not isinstance(splits.train[0].source, Series):
        return
    for name, examples in (("dev", splits.dev), ("test", splits.test)):
        runs = [_judged(example) for example in examples]
        learnt = _learnt(np.unique(np.concatenate([*runs, np.empty(0, np.int64)])), splits.train)
        if shared := sum(bool(len(own)) and np.isin(own, learnt).mean() > _SHARE for own in runs):
            logger.warning(
                "%s: %d of %d series share what answers them with train, as windows that overlap do: scores on them "
                "say what was learnt by heart; cut train, dev and test out of parts that do not overlap",
                *(name, shared, len(examples)),
            )


def _learnt(judged: Hashes, train: Sequence[Example]) -> Hashes:
    """Runs of those judged that train holds, as far as it is looked at."""
    held, seen = np.zeros(len(judged), bool), 0
    for example in train if len(judged) else ():
        for values in _known(example):
            held |= np.isin(judged, _runs(values))
            seen += len(values)
        if seen > _MOST:
            break
    return judged[held]


def _judged(example: Example) -> Hashes:
    """Runs that answer an example: those that end in what it is to forecast, or those of what has a label."""
    assert isinstance(example.source, Series)
    past, target = example.source.values, example.targets[0]
    if not isinstance(target, Series):
        return _runs(past)
    future = target.values
    return _runs(np.concatenate([past[1 - _RUN :], future]) if past.shape[1] == future.shape[1] else future)


def _known(example: Example) -> Iterator[Values]:
    """Frames of an example, those to come behind those before where both are of as many features."""
    parts = [text.values for text in (example.source, *example.targets) if isinstance(text, Series)]
    if len({part.shape[1] for part in parts}) == 1:
        yield np.concatenate(parts[:2])
    else:
        yield from parts


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
