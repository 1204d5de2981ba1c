"""Series in the .ts text format of aeon and sktime, as the UEA and UCR archives have them."""

from collections.abc import Iterable, Iterator

import numpy as np

from seq2seq.data.corpora.frame_cells import as_float
from seq2seq.data.corpora.frame_files import FrameCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.series import Series
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError


class TsCorpus(FrameCorpus):
    """A corpus of .ts files: `v,v,v:v,v,v:label` is a series, with the values of a feature behind each other.

    `?` and `NaN` are missing values. Raises UserError at time stamps, which are not read, and without class labels.
    """

    def __init__(self, *, options: FileOptions) -> None:
        super().__init__(options=options)

    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Series and labels of a file. Raises UserError at a line that is none, by its number."""
        lines = enumerate(lines_of_file(path), 1)
        _read_header(path, lines)
        for number, line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            *features, label = line.strip().split(":")
            if not features or not label.strip():
                raise UserError(f"{path}, line {number} must be `values:values:label`, but is {line[:40]!r}.")
            place = f"{path}, line {number}"
            columns = [_values(place, feature) for feature in features]
            if len({*map(len, columns)}) > 1:
                raise UserError(f"{place} must have as many values of each feature, but has {[*map(len, columns)]}.")
            yield Series(np.stack(columns, 1), place), label.strip()


def _read_header(path: str, lines: Iterator[tuple[int, str]]) -> None:
    """Read what stands before the data. Raises UserError where these are of a kind that is not read."""
    for _, line in lines:
        key, *values = line.strip().lower().split() or [""]
        if key == "@data":
            return
        if key == "@timestamps" and values[:1] == ["true"]:
            raise UserError(f"{path} must have no time stamps (@timestamps false), but has some: data=csv_frames.")
        if key in ("@classlabel", "@targetlabel") and values[:1] == ["false"]:
            raise UserError(f"{path} must have labels ({key} true), but has none.")
    raise UserError(f"{path} must have a line @data before its series, but has none.")


def _values(place: str, text: str) -> np.ndarray:
    try:
        return np.array([np.nan if value.strip() == "?" else as_float(value) for value in text.split(",")])
    except ValueError:
        raise UserError(f"{place} must hold numbers between commas, but holds {text[:40]!r}.") from None
