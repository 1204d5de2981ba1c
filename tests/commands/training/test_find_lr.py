"""The command that suggests a learning rate."""

import errno
import re
from pathlib import Path

import pytest

from seq2seq.commands.job import run_job
from seq2seq.commands.training.find_lr import find_lr
from seq2seq.errors import UserError

OPTIONS = ["find_lr=true", "lr_finder.steps=40", "lr_finder.lowest=1e-3"]


@pytest.mark.parametrize(
    "overrides", [[], ["trainer.accumulate_grad_batches=2", "optimizer=adamw", "optimizer.lr=9.0", "logger=csv"]]
)
def test_it_prints_an_override_and_writes_a_picture_alone(
    config_of, tiny_run, tmp_path, monkeypatch, capsys, overrides
):
    monkeypatch.chdir(tmp_path)
    rate = run_job(config_of("train", *tiny_run, *OPTIONS, *overrides, "run_dir=runs/mine"))
    said = capsys.readouterr().out
    assert re.fullmatch(r"optimizer\.lr=[\d.e-]+\n", said)
    assert float(said.partition("=")[2]) == rate
    assert 1e-3 < rate < 1
    assert [path for path in Path().rglob("*") if path.is_file()] == [Path("runs/mine_lr.png")]
    assert Path("runs/mine_lr.png").read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_told_by_their_path(config_of, tiny_run):
    with pytest.raises(UserError) as error:
        find_lr(config_of("train", *tiny_run, "lr_finder.steps=5"))
    assert str(error.value) == "lr_finder.steps must be at least 20, but is 5."


@pytest.mark.parametrize("fault", ["a file in place of the folder", "a disk that is read-only"])
def test_a_picture_that_cannot_be_written_is_told_before_anything_is_tried(
    config_of, tiny_run, tmp_path, monkeypatch, fault
):
    monkeypatch.setattr("seq2seq.commands.training.find_lr.load_data", lambda config: 1 / 0)
    place = tmp_path / "place"
    if fault.startswith("a file"):
        place.touch()
    else:
        place.mkdir()
        refused = OSError(errno.EROFS, "Read-only file system")
        monkeypatch.setattr(Path, "open", lambda path, mode: (_ for _ in ()).throw(refused))
    with pytest.raises(OSError, match="place/runs/mine_lr.png"):
        find_lr(config_of("train", *tiny_run, *OPTIONS, f"run_dir={place}/runs/mine"))
    assert list(tmp_path.rglob("*")) == [place]


def test_the_rate_is_said_even_where_the_picture_cannot_be_written_at_the_end(
    config_of, tiny_run, tmp_path, monkeypatch, capsys
):
    refused = OSError(errno.ENOSPC, "No space left on device", "mine_lr.png")
    monkeypatch.setattr(
        "seq2seq.commands.training.find_lr.write_picture", lambda *given: (_ for _ in ()).throw(refused)
    )
    with pytest.raises(OSError, match="No space left"):
        find_lr(config_of("train", *tiny_run, *OPTIONS, f"run_dir={tmp_path}/mine"))
    assert capsys.readouterr().out.startswith("optimizer.lr=")
    assert list(tmp_path.iterdir()) == []


def test_it_is_no_part_of_what_a_run_keeps(tiny_config):
    assert {"find_lr", "lr_finder"}.isdisjoint(tiny_config("lr_finder.steps=50"))
