"""Pictures of lines of text, whose columns of pixels are frames."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.data.corpora.columns import Columns
from seq2seq.data.corpora.frame_files import FrameCorpus
from seq2seq.data.corpora.pair_table import pairs_in
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.series import Series
from seq2seq.errors import UserError
from seq2seq.installed import is_installed

_MOST = 1 << 15  # columns


class LineImageCorpus(FrameCorpus):
    """A corpus of tables with a row per line of text: the path of its picture, from the table's folder, and the text.

    A frame is a column of pixels: from the top, `height` shares of ink, 0 on paper and 1 where it is full. Ink is dark
    unless pictures are `inverted`. Those of another height are scaled. Raises UserError at a height below 1,
    and if Pillow is not installed.
    """

    def __init__(
        self,
        *,
        options: FileOptions,
        source: int | str = "auto",
        target: int | str = "auto",
        delimiter: str = "auto",
        header: bool | str = "auto",
        height: int = 32,
        inverted: bool = False,
    ) -> None:
        super().__init__(options=options)
        _check_pillow()
        if height < 1:
            raise UserError(f"height must be at least 1 pixel, but is {height}.")
        self.columns = Columns(source, target, delimiter, header)
        self.height, self.inverted = height, inverted

    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Series and texts of a table. Raises UserError at a picture that cannot be read, by its path."""
        folder = Path(path).parent
        for name, text in pairs_in(path, self.columns):
            yield line_series(folder / name, self.height, inverted=self.inverted), text


def line_series(path: str | Path, height: int = 32, *, inverted: bool = False) -> Series:
    """The columns of pixels of a picture, scaled to a height, as `LineImageCorpus` reads them.

    What is transparent is paper. Raises UserError where there is no picture, or one of too many columns, and if Pillow
    is not installed.
    """
    _check_pillow()
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of what is too large, or damaged
            with Image.open(path) as file:
                grey = _grey(file, paper=0 if inverted else 255)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise UserError(f"{path} cannot be read as a picture: {' '.join(str(error).split())[:120]}") from None
    width = max(1, round(grey.width * height / grey.height))
    if width > _MOST:
        raise UserError(f"{path} must have at most {_MOST} columns at height={height}, but has {width}: cut it.")
    light = np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR), np.float32).T / 255
    return Series(light if inverted else 1 - light, str(path))


def _check_pillow() -> None:
    if not is_installed("PIL"):
        raise UserError("Pictures of lines need the library Pillow: pip install -e '.[images]'.")


def _grey(picture: Any, *, paper: int) -> Any:
    """The picture upright and in shades from 0 to 255, on paper where it is transparent."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):  # more shades than Pillow would not cut
        values = np.asarray(upright, np.float64)
        return Image.fromarray((values * (255 / 65535)).clip(0, 255).astype(np.uint8))
    if not upright.has_transparency_data:
        return upright.convert("L")
    shades, opacity = upright.convert("LA").split()
    return Image.composite(shades, Image.new("L", upright.size, paper), opacity)
