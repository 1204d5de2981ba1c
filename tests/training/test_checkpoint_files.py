"""Checkpoints are on disk, whole, or training ends in an error that names the file."""

import errno
from pathlib import Path

import pytest
import torch

from seq2seq.training.checkpoints import WholeFiles


@pytest.fixture
def kept(tmp_path) -> Path:
    """The file of an earlier checkpoint."""
    path = tmp_path / "checkpoints" / "last.ckpt"
    WholeFiles().save_checkpoint({"step": 1}, path)
    return path


def test_a_file_takes_the_place_of_that_of_before(kept):
    WholeFiles().save_checkpoint({"step": 2}, kept)
    assert torch.load(kept, weights_only=True) == {"step": 2}
    assert [path.name for path in kept.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("place", ["os.fsync", "pathlib.Path.open", "pathlib.Path.replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_cannot_be_written_is_told_with_its_path_and_leaves_what_was_there(kept, monkeypatch, place, number):
    def fail(*_, **__) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(place, fail)
    with pytest.raises(OSError, match="no") as error:
        WholeFiles().save_checkpoint({"step": 2}, kept)
    monkeypatch.undo()
    assert (error.value.errno, error.value.filename) == (number, str(kept))
    assert torch.load(kept, weights_only=True) == {"step": 1}
    assert [path.name for path in kept.parent.iterdir()] == ["last.ckpt"]


def test_training_ends_where_a_checkpoint_cannot_be_written(train_tiny, tmp_path, monkeypatch):
    """The second validation finds the folder closed, as a user without permission would."""
    write, paths = Path.open, []

    def once(path: Path, mode: str = "r", *given, **options):
        if path.name.startswith(".last"):
            paths.append(path)
            if len(paths) == 2:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return write(path, mode, *given, **options)

    monkeypatch.setattr(Path, "open", once)
    with pytest.raises(PermissionError) as error:
        train_tiny(tmp_path, "budget.max_steps=6", "trainer.val_check_interval=2")
    assert Path(error.value.filename).name == "last.ckpt"
