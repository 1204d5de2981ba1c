"""The table of a resumed run is that of the uninterrupted one."""

import csv
from pathlib import Path

import pytest

from seq2seq.errors import UserError
from seq2seq.training.csv_logger import CSVLogger

# What depends on the clock differs between runs.
TIMED = ("train/target_tokens_per_second", "dev/seconds", "memory/peak_mib")
RUN = ["logger=csv", "schedule=constant", "trainer.val_check_interval=2", "model.dropout=0.3"]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics" / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def timeless(folder: Path) -> list[dict[str, str]]:
    """Rows of training; each part of a run ends with one of scores on test."""
    trained = [row for row in rows(folder) if not row["test/exact_match"]]
    return [{key: value for key, value in row.items() if key not in TIMED} for row in trained]


@pytest.mark.parametrize("batches", [64, 4096], ids=["mid-epoch", "an epoch's end"])
def test_a_resumed_run_has_every_row_once(train_tiny, tmp_path, batches):
    whole, parted, run = tmp_path / "whole", tmp_path / "parted", [*RUN, f"batches.max_tokens={batches}"]
    train_tiny(whole, *run, "budget.max_steps=7")
    train_tiny(parted, *run, "budget.max_steps=4")
    train_tiny(parted, *run, "budget.max_steps=7", resume=True)
    found = timeless(parted)
    assert found == timeless(whole)
    assert [row["step"] for row in found if row["train/loss"]] == [str(step) for step in range(7)]


def test_rows_after_the_checkpoint_give_way_to_those_that_are_trained_again(train_tiny, tmp_path):
    train_tiny(tmp_path, *RUN, "budget.max_steps=4")
    before = rows(tmp_path)
    logger = new_logger(tmp_path)
    logger.log_metrics({"train/loss": 9.0}, step=4)
    logger.log_metrics({"train/loss": 9.0}, step=5)
    logger.finalize("failed")
    train_tiny(tmp_path, *RUN, "budget.max_steps=5", resume=True)
    found = rows(tmp_path)
    of_test = before.pop()  # which is scored anew, at the end
    assert not of_test["train/loss"]
    assert found[: len(before)] == before
    assert [row["step"] for row in found if row["train/loss"]] == ["0", "1", "2", "3", "4"]
    assert "9.0" not in {row["train/loss"] for row in found}


def new_logger(folder: Path) -> CSVLogger:
    return CSVLogger(save_dir=str(folder), name="metrics", version="")


def logged(folder: Path, *metrics: dict[str, float], first: int = 0, up_to: int | None = None) -> list[dict[str, str]]:
    logger = new_logger(folder)
    if up_to is not None:
        logger.go_on_from(up_to)
    for step, one in enumerate(metrics, first):
        logger.log_metrics(one, step=step)
    logger.finalize("success")
    return rows(folder)


def test_columns_that_come_later_leave_earlier_rows_empty(tmp_path):
    logged(tmp_path, {"b": 1.0}, {"b": 2.0})
    assert logged(tmp_path, {"a": 3.0, "b": 4.0}, first=1, up_to=1) == [
        {"a": "", "b": "1.0", "step": "0"},
        {"a": "3.0", "b": "4.0", "step": "1"},
    ]


def test_what_the_last_validation_logged_under_later_steps_stays(tmp_path):
    """Gates are logged by the steps that are done, the rest by the step that is."""
    logger = new_logger(tmp_path)
    for metrics, step in (({"loss": 1.0}, 0), ({"gates": 1.0}, 1), ({"dev": 1.0}, 0), ({"loss": 2.0}, 1)):
        logger.log_metrics(metrics, step=step)
    logger.finalize("failed")
    assert [(row["step"], row["loss"]) for row in logged(tmp_path, {"loss": 3.0}, first=1, up_to=1)] == [
        ("0", "1.0"),
        ("1", ""),
        ("0", ""),
        ("1", "3.0"),
    ]


def test_nothing_is_lost_where_nothing_was_logged(tmp_path):
    assert logged(tmp_path, {"a": 1.0}, first=5, up_to=5) == [{"a": "1.0", "step": "5"}]


def test_rows_are_on_disk_with_every_checkpoint(tmp_path):
    logger = new_logger(tmp_path)
    logger.log_metrics({"a": 1.0}, step=0)
    logger.after_save_checkpoint(None)
    assert rows(tmp_path) == [{"a": "1.0", "step": "0"}]


def test_a_damaged_table_is_told_in_one_line(tmp_path):
    (tmp_path / "metrics").mkdir()
    path = tmp_path / "metrics" / "metrics.csv"
    path.write_text("step,a\nzero,1\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        logged(tmp_path, {"a": 1.0}, up_to=3)
    assert str(error.value) == (
        f"{path}, row 1 must have a whole number as its step, but has 'zero': mend the row, or move the file away."
    )


@pytest.mark.parametrize("damage", [b"step,a\n0,\xff\xfe\n", b'step,a\n0,"' + b"x" * 200_000 + b'"\n'])
def test_a_table_that_is_none_is_told_in_one_line_and_stays(damage, tmp_path):
    path = tmp_path / "metrics" / "metrics.csv"
    path.parent.mkdir()
    path.write_bytes(damage)
    with pytest.raises(UserError) as error:
        logged(tmp_path, {"a": 1.0}, up_to=3)
    assert str(error.value).startswith(f"{path} must be a table in UTF-8, but ")
    assert str(error.value).endswith(": move the file away.")
    assert path.read_bytes() == damage


def test_a_table_that_cannot_be_cut_is_as_it_was(tmp_path, monkeypatch):
    logger = new_logger(tmp_path)
    for step in range(4):
        logger.log_metrics({"train/loss": float(step)}, step=step)
    logger.save()
    table = tmp_path / "metrics" / "metrics.csv"
    before = table.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        new_logger(tmp_path).go_on_from(2)
    assert table.read_bytes() == before
