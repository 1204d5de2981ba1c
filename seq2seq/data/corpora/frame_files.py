"""Files of series of frames with their targets, each split in a file of its own."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series
from seq2seq.errors import UserError

_ARRAYS = ("frames", "lengths", "targets", "times")


class FrameCorpus(ABC):
    """A corpus of files with series of frames, each with the target text or the label of a class that answers it."""

    def __init__(self, *, options: FileOptions) -> None:
        self.options = options

    def load(self) -> Splits:
        """The splits. Raises UserError at a file that cannot be read, by series and frame."""
        options = self.options.without_missing(lambda path: Path(path).exists())
        return options.load(lambda path: Examples.of(_examples(path, self.read(path))))

    @abstractmethod
    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Series and targets of a file."""


def _examples(path: str, pairs: Iterable[tuple[Series, str]]) -> Iterable[Example]:
    """Examples of pairs, which are of as many features each."""
    features = None
    for series, target in pairs:
        features = features or series.values.shape[1]
        if series.values.shape[1] != features:
            raise UserError(
                f"{series.place} must have {features} features, as the first, but has {series.values.shape[1]}."
            )
        yield Example(series, (target,))
    if features is None:
        raise UserError(f"{path} must hold at least one series, but holds none.")


class NpzCorpus(FrameCorpus):
    """A corpus of NumPy's .npz files with arrays `frames`, `lengths` and `targets`.

    Frames are `series time feature`, of which lengths say how many count, or those of all series one behind the other,
    `time feature`. Where all of `series time feature` counts, lengths may be left out. There may be an array `times`,
    of the shape of frames but for the features.
    """

    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Series and targets of a file. Raises UserError where its arrays do not fit together."""
        arrays = _arrays(path)
        frames, targets = arrays["frames"], arrays["targets"]
        if frames.ndim not in (2, 3) or targets.ndim != 1 or frames.dtype.kind not in "fiu":
            raise UserError(
                f"{path} must hold numbers `time feature` or `series time feature` as frames and a row of targets, but "
                f"they have shapes {list(frames.shape)} and {list(targets.shape)}."
            )
        stacked = frames.ndim == 3
        if "lengths" not in arrays and not stacked:
            raise UserError(f"{path} must hold lengths, as its frames are one behind the other, but holds none.")
        lengths = arrays.get("lengths", np.full(len(frames), frames.shape[1]))
        most = frames.shape[1] if stacked else len(frames)
        if lengths.shape != targets.shape or lengths.dtype.kind not in "iu" or (lengths < 0).any():
            raise UserError(f"{path} must hold a length and a target for each series, {len(targets)}, but does not.")
        if (lengths.max(initial=0) > most) if stacked else (lengths.sum() != most):
            raise UserError(f"{path} must hold as many frames as lengths say, but holds {most}.")
        if stacked and len(frames) != len(targets):
            raise UserError(f"{path} must hold a target for each of {len(frames)} series, but holds {len(targets)}.")
        times = arrays.get("times")
        if times is not None and (times.shape != frames.shape[:-1] or times.dtype.kind not in "fiu"):
            raise UserError(
                f"{path} must hold a number for each frame as times, {list(frames.shape[:-1])}, but they have shape "
                f"{list(times.shape)}."
            )
        ends = np.cumsum(lengths)
        for number, (length, target) in enumerate(zip(lengths.tolist(), targets.tolist(), strict=True)):
            own = (number, slice(length)) if stacked else slice(ends[number] - length, ends[number])
            known = None if times is None else times[own]
            yield Series(frames[own], f"{path}, series {number + 1}", known), str(target)


def _arrays(path: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in _ARRAYS if name in file}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UserError(f"{path} cannot be read as .npz: {' '.join(str(error).split())[:120]}") from None
    for name in ("frames", "targets"):
        if name not in found:
            raise UserError(f"{path} must hold an array `{name}`, but holds none: numpy.savez(path, frames=..., ...).")
    return found
