"""Versions of a run that goes on learning: folders that never change, and a pointer to the one that is used."""

import logging
from collections.abc import Callable
from pathlib import Path

from seq2seq.errors import UserError
from seq2seq.whole_file import remove_parts, write_whole
from seq2seq.whole_folder import whole_folder

logger = logging.getLogger(__name__)
_FOLDER, _POINTER = "versions", "current"


class Versions:
    """The versions of a run folder, each a run in a folder named by its number; the first, 0000, is the start.

    A folder gets its name once all in it is on disk, and the pointer, a file with that name, is exchanged after it: at
    every moment the pointer names a whole version.
    """

    def __init__(self, run: Path) -> None:
        self.run, self.folder = run, run / _FOLDER

    @property
    def current(self) -> int | None:
        """The number of the version that is used; None where a run has no versions.

        Raises UserError where the pointer names none.
        """
        pointer = self.folder / _POINTER
        if not pointer.is_file():
            return None
        text = pointer.read_text(encoding="utf-8", errors="replace").strip()
        if not (text.isascii() and text.isdigit() and self.path(int(text)).is_dir()):
            known = ", ".join(self.path(number).name for number in self.numbers) or "none"
            raise UserError(
                f"{pointer} must name a version that is there ({known}), but holds {text[:20]!r}: write one."
            )
        return int(text)

    @property
    def numbers(self) -> list[int]:
        """The numbers of all versions, ascending."""
        return sorted(int(path.name) for path in self.folder.glob("[0-9]*") if path.name.isdigit() and path.is_dir())

    def path(self, number: int) -> Path:
        """The folder of a version."""
        return self.folder / f"{number:04}"

    def add(self, write: Callable[[Path], None]) -> int:
        """Have a version written into a folder, give it the next number, and point to it."""
        remove_parts(self.folder)
        number = self.numbers[-1] + 1 if self.numbers else 0
        with whole_folder(self.path(number)) as half:
            write(half)
        self.point_to(number)
        return number

    def point_to(self, number: int) -> None:
        """Have a version used from now on."""
        write_whole(self.folder / _POINTER, f"{self.path(number).name}\n".encode())


def folder_in_use(run: Path) -> Path:
    """The folder that a run folder is used by: that of its version, else itself."""
    versions = Versions(run)
    return run if (number := versions.current) is None else versions.path(number)


def home_of(checkpoint: Path) -> Path:
    """The run folder that a checkpoint belongs to, whose version it may be."""
    folder = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    is_version = folder.parent.name == _FOLDER and folder.name.isdigit() and (folder.parent / _POINTER).is_file()
    return folder.parent.parent if is_version else folder


def tell_version(given: Path, found: Path) -> None:
    """Log which version a run folder is used by, if it has any."""
    versions = Versions(given)
    if given.is_dir() and versions.folder in found.parents:
        used, *_, last = found.relative_to(versions.folder).parts[0], versions.path(versions.numbers[-1]).name
        logger.info("run=%s: version %s is used, of those up to %s in %s", given, used, last, versions.folder)


def refuse_versions(option: str, run: Path) -> None:
    """Raise UserError where a run that would be trained on has versions, which would still be used afterwards."""
    if (number := Versions(run).current) is not None:
        raise UserError(
            f"{option} cannot train on what scripts/adapt.py has made version {number} of: start another run with "
            f"init={run}, or remove {run / _FOLDER}."
        )
