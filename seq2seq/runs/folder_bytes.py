"""Small folders as bytes, on their way to another machine."""

import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def packed(folder: Path) -> bytes:
    """The files of a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as files:
        for path in sorted(folder.iterdir()):
            files.add(path, path.name, recursive=False)
    return buffer.getvalue()


@contextmanager
def unpacked(data: bytes) -> Iterator[Path]:
    """A folder with those files, which is there for as long as the context is open."""
    with tempfile.TemporaryDirectory() as name, tarfile.open(fileobj=io.BytesIO(data)) as files:
        files.extractall(name, filter="data")
        yield Path(name)
