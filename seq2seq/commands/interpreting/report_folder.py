"""The folder that a report and its pictures are written into."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.interpretation.plots import FORMATS, write_picture
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.run_folder import check_room, new_folder
from seq2seq.runs.versions import home_of
from seq2seq.whole_file import check_writable, write_whole
from seq2seq.whole_folder import whole_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FirstFree:
    """A folder that is not there, by a name and from the second on a number, once something is written into it.

    Other processes may write reports of the same name until then.
    """

    name: Path

    def path(self) -> Path:
        """The folder as things stand."""
        names = (self.name if number == 1 else self.name.with_name(f"{self.name.name}_{number}") for number in count(1))
        return next(folder for folder in names if not folder.exists())


def report_folder(options: Mapping[str, Any], name: str) -> Path | FirstFree:
    """A folder with nothing in it yet: `out`, or one in the run with the name as far as a path may have it.

    Raises UserError if the one that is asked for holds something, and where it cannot be written.
    """
    if options["out"] is not None:
        return new_folder("out", str(options["out"]))
    home = home_of(find_checkpoint(str(options["run"])).absolute())
    name = re.sub(r"\W+", "_", name).strip("_")[:40] or "text"
    folder = home / "interpretation" / name
    _check_home(home, folder)
    return FirstFree(folder)


def folder_here(options: Mapping[str, Any], name: str) -> Path | FirstFree:
    """A folder with nothing in it yet, of a report that is of no one run: `out`, or one of the name where we are.

    Raises UserError if the one that is asked for holds something, and where it cannot be written.
    """
    if options["out"] is not None:
        return new_folder("out", str(options["out"]))
    check_room("out", Path(name))
    return FirstFree(Path(name))


def _check_home(run: Path, folder: Path) -> None:
    """Raise UserError where a run cannot be written into: others read it, too."""
    try:
        check_writable(folder)
    except OSError as error:
        raise UserError(
            f"out must be given, as reports go into the run, but {run} cannot be written ({error.strerror}): add "
            "out=FOLDER."
        ) from None


def check_formats(formats: Any) -> None:
    """Check the formats of pictures. Raises UserError at others than there are."""
    if not isinstance(formats, list) or not formats or not set(map(str, formats)) <= set(FORMATS):
        raise UserError(f"formats must be a list of some of {', '.join(FORMATS)}, but is {formats!r}.")


def write_report(
    folder: Path | FirstFree,
    name: str,
    record: Mapping[str, Any],
    figures: Mapping[str, Figure],
    formats: Sequence[str],
    **pages: str,
) -> None:
    """Write a record as NAME.json into a new folder, and pictures and pages beside it; each path is logged."""
    text = strict_json(record, indent=2, ensure_ascii=False) + "\n"
    texts = {f"{name}.json": text} | {f"{page}.html": content for page, content in pages.items()}
    for path in write_pages(folder, texts, figures, formats):
        logger.info("wrote %s", path)


def write_pages(
    folder: Path | FirstFree, texts: Mapping[str, str], figures: Mapping[str, Figure], formats: Sequence[str]
) -> list[Path]:
    """Write texts by the names of their files, and pictures, into a new folder, and return their paths in order.

    All of them are there at the end, or the folder is not. Raises UserError where two pictures are of one file.
    """
    if isinstance(folder, Path):
        return _written(folder, texts, figures, formats)
    while True:
        own = folder.path()
        try:
            return _written(own, texts, figures, formats)
        except (UserError, OSError):
            if not own.exists():  # else another process has taken it meanwhile
                raise


def _written(
    folder: Path, texts: Mapping[str, str], figures: Mapping[str, Figure], formats: Sequence[str]
) -> list[Path]:
    with whole_folder(folder) as half:
        for name, text in texts.items():
            write_whole(half / name, text.encode())
        drawn = list(_drawn(figures, half, formats))
    return [folder / name for name in (*texts, *drawn)]


def _drawn(figures: Mapping[str, Figure], folder: Path, formats: Sequence[str]) -> Iterator[str]:
    """Names of the pictures, each as it has been written."""
    written = set()
    for name, figure in figures.items():
        for kind in dict.fromkeys(formats):
            file = f"{name.replace(' ', '_')}.{kind}"
            if file in written:
                raise UserError(f"figures must be of one file each, but several are written as {file}: rename one.")
            written.add(file)
            write_picture(figure, folder / file, dpi=100)
            yield file
