"""Runs near a path that is none, which may be those that are meant."""

from difflib import get_close_matches
from pathlib import Path

_CHECKPOINTS = ("best.ckpt", "last.ckpt")
_MOST = 1000  # names of a folder that are looked at


def run_advice(path: Path, option: str) -> str:
    """Advice on a path that holds no run: to give the run around it, or in it; empty if there is none."""
    around = next((folder for folder in [path, *path.parents][1:3] if folder.name and _is_run(folder)), None)
    if around is not None:
        return f"give its run folder, {option}={around}"
    inside = [folder for folder in _names_in(path) if _is_run(folder)]
    if not inside:
        return ""
    newest = max(inside, key=lambda folder: (folder / "checkpoints").stat().st_mtime)
    return f"give a run in it, such as {option}={newest}{', the newest' if len(inside) > 1 else ''}"


def meant_by(path: Path) -> str:
    """The name beside a path that does not exist which it may be a slip of, as a question; empty if there is none."""
    whole = path.with_name(f"{path.name}.ckpt")
    names = [found.name for found in _names_in(path.parent) if found.is_dir() or found.suffix == whole.suffix]
    found = [whole.name] if whole.is_file() else get_close_matches(path.name, names, n=1, cutoff=0.8)
    return f"did you mean {path.with_name(found[0])}?" if found else ""


def _is_run(folder: Path) -> bool:
    try:
        return any((folder / "checkpoints" / name).is_file() for name in _CHECKPOINTS)
    except OSError:  # of a folder that may not be entered
        return False


def _names_in(folder: Path) -> list[Path]:
    """Paths in a folder, but for what is hidden; none where it is no folder, or cannot be read."""
    try:
        found = [inside for inside, _ in zip(folder.iterdir(), range(_MOST), strict=False)]
    except OSError:
        return []
    return sorted(inside for inside in found if not inside.name.startswith("."))
