"""What commands leave in a folder, and what they show beside it."""

import json
import logging

import pytest
from matplotlib.figure import Figure

from seq2seq.commands.interpreting.report_folder import write_report
from seq2seq.runs.watching_console import watching_console


def test_a_record_and_its_pictures_are_written_and_every_path_is_told(tmp_path, caplog):
    folder, record = tmp_path / "a" / "b", {"score": 1.5, "name": "ä", "none": float("nan")}
    with caplog.at_level(logging.INFO):
        write_report(folder, "found", record, {"one": Figure(), "the other": Figure()}, ["png", "svg"])
    names = ["found.json", "one.png", "one.svg", "the_other.png", "the_other.svg"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert caplog.messages == [f"wrote {folder / name}" for name in names]
    text = (folder / "found.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"score": 1.5, "name": "ä", "none": None}
    assert text.endswith("}\n")
    assert "ä" in text


@pytest.mark.parametrize(("window", "least", "width"), [(40, 110, 110), (200, 110, 200)])
def test_a_narrow_window_folds_no_table(monkeypatch, window, least, width):
    monkeypatch.setenv("COLUMNS", str(window))
    console = watching_console(least)
    assert (console.width, console.stderr) == (width, True)
    assert watching_console().width == max(window, 100)
