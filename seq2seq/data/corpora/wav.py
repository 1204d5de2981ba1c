"""Recordings with what is said in them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from seq2seq.data.corpora.frame_files import FrameCorpus
from seq2seq.data.corpora.pair_table import read_pairs
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.log_mel import LogMel
from seq2seq.data.series import Series
from seq2seq.data.text_files import lines_of_file
from seq2seq.data.wav_file import read_sound
from seq2seq.errors import UserError


class WavCorpus(FrameCorpus):
    """A corpus of WAV files as log-mel spectra, each with its text.

    A split is a table of paths and texts, where paths are from the table's folder, or a folder, where the text of
    `a.wav` is in `a.txt`. All sounds have the rate of the `spectrum`.
    """

    def __init__(self, *, options: FileOptions, spectrum: LogMel) -> None:
        super().__init__(options=options)
        self.spectrum = spectrum

    def read(self, path: str) -> Iterable[tuple[Series, str]]:
        """Spectra and texts of a split. Raises UserError, by the file, at a sound that cannot be read."""
        place = Path(path)
        pairs = _of_folder(place) if place.is_dir() else _of_table(place)
        return ((spectrum_of(sound, self.spectrum), text) for sound, text in pairs)


def spectrum_of(path: Path, spectrum: LogMel) -> Series:
    """The spectrum of a sound in a file. Raises UserError at another rate, and where it is shorter than a window."""
    samples, rate = read_sound(path)
    if rate != spectrum.rate:
        raise UserError(
            f"{path} must have {spectrum.rate} samples a second, as spectrum.rate says, but has {rate}: resample it, "
            f"or where all have as many, set spectrum.rate={rate}."
        )
    if len(samples) < spectrum.window:
        raise UserError(
            f"{path} must be at least a window long, {spectrum.window} samples, but has {len(samples)}: leave it out."
        )
    return Series(spectrum(samples).numpy(), str(path))


def _of_folder(folder: Path) -> Iterator[tuple[Path, str]]:
    sounds = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".wav")
    for sound in sounds:
        if not (text := sound.with_suffix(".txt")).is_file():
            raise UserError(f"{sound} must have its text in {text.name} beside it, but there is none.")
        yield sound, " ".join(lines_of_file(text)).strip()


def _of_table(table: Path) -> Iterator[tuple[Path, str]]:
    return ((table.parent / sound, text) for sound, text in read_pairs(str(table)))
