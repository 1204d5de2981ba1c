"""Files of series of frames with their targets, each split in a file of its own."""

import lzma
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from functools import cache
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np

from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.data.lost_digits import warn_of_lost_digits
from seq2seq.data.series import Series
from seq2seq.data.text_files import check_readable, seekable
from seq2seq.errors import UserError

# What NumPy and zipfile raise at arrays that are damaged, encrypted, packed otherwise, or larger than memory.
UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError, MemoryError, RuntimeError),
    *(BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
_NAMES = ("frames", "lengths", "targets", "target_lengths", "times")


class FrameCorpus(ABC):
    """A corpus of files with series of frames, each with what answers it: a text, the label of a class, or frames.

    With a `horizon`, files have no targets: the last so many frames of each series are to be forecast from those before
    them. Raises UserError below 1.
    """

    def __init__(self, *, options: FileOptions, horizon: int | None = None) -> None:
        if horizon is not None and horizon < 1:
            raise UserError(f"horizon must be at least 1 frame, or null where there are targets, but is {horizon}.")
        self.options, self.horizon = options, horizon

    def load(self) -> Splits:
        """The splits. Raises UserError at a file that cannot be read, by series and frame."""
        options = self.options.without_missing(lambda path: Path(path).exists())
        return options.load(cache(self.split))

    def split(self, path: str) -> Examples:
        """Examples of a split."""
        return self.examples(path)

    def examples(self, path: str) -> Examples:
        """Examples of a file; of its series alone, where each has what is to be forecast as its end."""
        horizon = self.horizon
        pairs = self.read(path) if horizon is None else (parted(one, horizon) for one in self.series(path))
        return examples_of(path, pairs)

    @abstractmethod
    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Series and targets of a file."""

    def series(self, path: str) -> Iterable[Series]:
        """Series of a file, whether it has targets or not."""
        return (source for source, _ in self.read(path))

    def named_series(self, path: str) -> tuple[list[str], Iterable[Series]]:
        """The names of the features that targets have, none where a file does not tell, and its series."""
        return [], self.series(path)


def parted(series: Series, horizon: int) -> tuple[Series, Series]:
    """A series without its last frames, and these. Raises UserError at one that is no longer."""
    if len(series.values) <= horizon:
        raise UserError(
            f"{series.place} must have more frames than horizon={horizon}, but has {len(series.values)}: leave it out."
        )
    past, future = series.values[:-horizon], series.values[-horizon:]
    times = None if series.times is None else series.times[:-horizon]
    before = Series(past, series.place, times)
    before.lost = series.lost  # of the whole, as what is given here is of 32 bits
    return before, Series(future, f"the end of {series.place}")


def examples_of(path: str, pairs: Iterable[tuple[Series, str]]) -> Examples:
    """Examples of a file's series and targets. Raises UserError where there are none, or features are not as many."""
    return Examples.of(_examples(path, pairs))


def _examples(path: str, pairs: Iterable[tuple[Series, str]]) -> Iterator[Example]:
    """Examples of pairs, which are of as many features each."""
    features: dict[str, int] = {}
    told = False
    for source, target in pairs:
        told = told or warn_of_lost_digits((source, target))
        for side, text in (("source", source), ("target", target)):
            if not isinstance(text, Series):
                continue
            found = text.values.shape[1]
            if found != features.setdefault(side, found):
                raise UserError(f"{text.place} must have {features[side]} features, as the first, but has {found}.")
        yield Example(source, (target,))
    if not features:
        raise UserError(f"{path} must hold at least one series, but holds none.")


class NpzCorpus(FrameCorpus):
    """A corpus of NumPy's .npz files with arrays `frames`, `lengths` and `targets`.

    Frames are `series time feature`, of which lengths say how many count, or those of all series one behind the other,
    `time feature`. Where all of `series time feature` counts, lengths may be left out. There may be an array `times`,
    of the shape of frames but for the features. Targets are a row of texts or whole numbers, which are labels, or
    frames in the same way, with `target_lengths`; a row of other numbers is a frame of one feature for each series, or
    with lengths the frames of all.
    """

    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Series and targets of a file. Raises UserError where its arrays do not fit together."""
        arrays = _arrays(path, ("frames", "targets"))
        frames, targets = arrays["frames"], _targets(path, arrays["targets"], arrays.get("target_lengths"))
        as_frames = targets.ndim in (2, 3) and targets.dtype.kind in "fiu"
        if not _are_frames(frames) or not (as_frames or targets.ndim == 1):
            raise UserError(
                f"{path} must hold numbers `time feature` or `series time feature` as frames and a row of targets, but "
                f"they are {_kind(frames)} and {_kind(targets)}."
            )
        count = None if as_frames else len(targets)
        series = _split(path, frames, arrays.get("lengths"), "lengths", count)
        named = _named(series, path, "", _times(path, arrays))
        if not as_frames:
            return zip(named, map(str, targets.tolist()), strict=True)
        answers = _split(path, targets, arrays.get("target_lengths"), "target_lengths", len(series))
        return zip(named, _named(answers, path, "the target of "), strict=True)

    def series(self, path: str) -> Iterable[Series]:
        """Series of a file, whatever targets it has."""
        return _series(path, _arrays(path, ("frames",)))


def one_series(path: str) -> Series:
    """The series of a .npz file that holds one alone, as `NpzCorpus` reads it; frames `time feature` need no lengths.

    Raises UserError where it holds several.
    """
    arrays = _arrays(path, ("frames",))
    if arrays["frames"].ndim == 2:
        arrays = {"lengths": np.array([len(arrays["frames"])]), **arrays}
    found = list(_series(path, arrays))
    if len(found) != 1:
        raise UserError(f"{path} must hold one series, but holds {len(found)}: write the one to a file of its own.")
    return found[0]


def _series(path: str, arrays: dict[str, np.ndarray]) -> Iterator[Series]:
    frames = arrays["frames"]
    if not _are_frames(frames):
        raise UserError(
            f"{path} must hold numbers `time feature` or `series time feature` as frames, but they are {_kind(frames)}."
        )
    series = _split(path, frames, arrays.get("lengths"), "lengths", None)
    return _named(series, path, "", _times(path, arrays))


def _are_frames(array: np.ndarray) -> bool:
    return array.ndim in (2, 3) and array.dtype.kind in "fiub"


def _kind(array: np.ndarray) -> str:
    """The shape of an array and what it holds, for a message."""
    return f"{list(array.shape)} of {array.dtype.name if array.dtype.names is None else 'records'}"


def _targets(path: str, targets: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Targets, bytes as texts, and a row of numbers that are no labels as frames of one feature."""
    if targets.ndim == 1 and targets.dtype.kind == "f":
        return targets[:, None, None] if lengths is None else targets[:, None]
    if targets.dtype.kind != "S":
        return targets
    try:
        return np.char.decode(targets, "utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{path} must hold targets in UTF-8, but holds others: save texts of Python.") from None


def _named(parts: list[np.ndarray], path: str, what: str, times: list[np.ndarray] | None = None) -> Iterator[Series]:
    known = [None] * len(parts) if times is None else times
    rows = enumerate(zip(parts, known, strict=True), 1)
    return (Series(values, f"{what}{path}, series {number}", own) for number, (values, own) in rows)


def _times(path: str, arrays: dict[str, np.ndarray]) -> list[np.ndarray] | None:
    """The times of each series, if there are any. Raises UserError where they are not one for each frame."""
    times, frames = arrays.get("times"), arrays["frames"]
    if times is None:
        return None
    if times.shape != frames.shape[:-1] or times.dtype.kind not in "fiu":
        raise UserError(
            f"{path} must hold a number for each frame as times, {list(frames.shape[:-1])}, but they are "
            f"{_kind(times)}."
        )
    return [own[..., 0] for own in _split(path, times[..., None], arrays.get("lengths"), "lengths", None)]


def _split(path: str, frames: np.ndarray, lengths: np.ndarray | None, name: str, count: int | None) -> list[np.ndarray]:
    """Frames by series, of which there are so many if that is known. Raises UserError where lengths do not fit."""
    stacked = frames.ndim == 3
    if lengths is None and not stacked:
        raise UserError(f"{path} must hold {name}, as its frames are one behind the other, but holds none.")
    lengths = np.full(len(frames), frames.shape[1]) if lengths is None else lengths
    most = frames.shape[1] if stacked else len(frames)
    count = (len(frames) if stacked else len(lengths)) if count is None else count
    if lengths.shape != (count,):
        raise UserError(f"{path} must hold a length and a target for each series, {count}, but does not.")
    if lengths.dtype.kind not in "iu" or (lengths < 0).any():
        raise UserError(f"{path} must hold whole numbers of at least 0 as {name}, but holds others.")
    if (lengths.max(initial=0) > most) if stacked else (lengths.sum() != most):
        raise UserError(f"{path} must hold as many frames as {name} say, but holds {most}.")
    if stacked and len(frames) != count:
        raise UserError(f"{path} must hold a target for each of {len(frames)} series, but holds {count}.")
    if stacked:
        return [own[:length] for own, length in zip(frames, lengths.tolist(), strict=True)]
    return np.split(frames, np.cumsum(lengths)[:-1]) if count else []


def reason_of(error: Exception) -> str:
    """Reason that NumPy gives, in one line; of objects, whose reading would run what they hold, words of our own."""
    said = " ".join(str(error).split())[:120] or "it is cut short or damaged."
    return "it holds Python objects rather than numbers or texts: save arrays of these." if "pickle" in said else said


def _arrays(path: str, needed: tuple[str, ...]) -> dict[str, np.ndarray]:
    check_readable(Path(path))
    if not is_zipfile(held := seekable(path)):
        raise UserError(f"{path} is no .npz file, which numpy.savez writes: give one, or choose what reads this kind.")
    try:
        with nullcontext(held) if isinstance(held, BytesIO) else Path(held).open("rb") as opened:
            opened.seek(0)
            file = np.load(opened, allow_pickle=False)
            wanted = (*needed, "lengths", "target_lengths", "times")
            found = {name: file[name] for name in _NAMES if name in file and name in wanted}
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read as .npz: {reason_of(error)}") from None
    for name in needed:
        if name not in found:
            raise UserError(f"{path} must hold an array `{name}`, but holds none: numpy.savez(path, frames=..., ...).")
    return found
