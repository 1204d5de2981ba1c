"""Times of frames that nothing reads, where they are far apart."""

import logging

from seq2seq.data.examples import Splits
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.long_gaps import LONG, long_gaps
from seq2seq.data.series import Series
from seq2seq.data.tokenizers import Tokenizers

logger = logging.getLogger(__name__)


def warn_of_uncounted_gaps(splits: Splits, tokenizers: Tokenizers) -> None:
    """Warn of frames to train on that come long after the one before, where the model counts frames and not time."""
    if not isinstance(tokenizers.source, FrameReader) or tokenizers.source.timed:
        return
    frames, first = [], ""
    for series in (example.source for example in splits.train):
        if isinstance(series, Series) and series.times is not None:
            found = long_gaps(series.times)
            frames.append((len(found), len(series.times)))
            first = first or (f"{series.place}, frame {found[0] + 1}" if len(found) else "")
    if first:
        logger.warning(
            "train: %d of %d frames come more than %d times the usual gap after the one before, the first at %s: "
            "frames are counted, not time; cut or resample series there, or have gaps read, by model.input.time_unit",
            *(sum(long for long, _ in frames), sum(count for _, count in frames), LONG, first),
        )
