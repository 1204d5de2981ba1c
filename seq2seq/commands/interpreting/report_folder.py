"""The folder that a report and its pictures are written into."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.interpretation.plots import FORMATS, write_picture
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.run_folder import new_folder
from seq2seq.runs.versions import home_of
from seq2seq.whole_file import write_whole

logger = logging.getLogger(__name__)


def report_folder(options: Mapping[str, Any], name: str) -> Path:
    """A folder with nothing in it yet: `out`, or one in the run with the name as far as a path may have it.

    Raises UserError if the one that is asked for holds something.
    """
    if options["out"] is not None:
        return new_folder("out", str(options["out"]))
    home = home_of(find_checkpoint(str(options["run"])).absolute())
    name = re.sub(r"\W+", "_", name).strip("_")[:40] or "text"
    names = (name if number == 1 else f"{name}_{number}" for number in count(1))
    return next(folder for folder in (home / "interpretation" / name for name in names) if not folder.exists())


def check_formats(formats: Any) -> None:
    """Check the formats of pictures. Raises UserError at others than there are."""
    if not isinstance(formats, list) or not formats or not set(map(str, formats)) <= set(FORMATS):
        raise UserError(f"formats must be a list of some of {', '.join(FORMATS)}, but is {formats!r}.")


def write_report(
    folder: Path, name: str, record: Mapping[str, Any], figures: Mapping[str, Figure], formats: Sequence[str]
) -> None:
    """Write a record as NAME.json into a folder, which is made, and pictures beside it; each path is logged."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_whole(path, (strict_json(record, indent=2, ensure_ascii=False) + "\n").encode())
    logger.info("wrote %s", path)
    for path in write_pictures(figures, folder, formats):
        logger.info("wrote %s", path)


def write_pictures(figures: Mapping[str, Figure], folder: Path, formats: Sequence[str]) -> Iterator[Path]:
    """Paths of the pictures, each as it has been written."""
    for name, figure in figures.items():
        for kind in formats:
            path = folder / f"{name.replace(' ', '_')}.{kind}"
            write_picture(figure, path, dpi=100)
            yield path
