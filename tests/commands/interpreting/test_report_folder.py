"""What commands leave in a folder, and what they show beside it."""

import json
import logging

import pytest
from matplotlib.figure import Figure

from seq2seq.commands.interpreting.report_folder import report_folder, write_pages, write_report
from seq2seq.errors import UserError
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


def test_two_pictures_of_one_file_are_refused_and_nothing_is_written(tmp_path):
    figures = {"of one": Figure(), "of_one": Figure()}
    with pytest.raises(UserError) as error:
        write_report(tmp_path / "a", "found", {}, figures, ["svg"])
    assert str(error.value) == "figures must be of one file each, but several are written as of_one.svg: rename one."
    assert not (tmp_path / "a").exists()


@pytest.fixture
def options(tmp_path) -> dict[str, object]:
    """Options of a command that leave its folder to the run."""
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "last.ckpt").touch()
    return {"run": str(tmp_path / "run"), "out": None}


def test_reports_of_one_name_that_are_made_at_once_are_all_kept(options, tmp_path):
    folders = [report_folder(options, "a b") for _ in range(3)]
    for number, folder in enumerate(folders):
        (path,) = write_pages(folder, {"report.html": str(number)}, {}, [])
        assert path.read_text() == str(number)
    home = tmp_path / "run" / "interpretation"
    assert {path.name: [own.name for own in path.iterdir()] for path in home.iterdir()} == {
        name: ["report.html"] for name in ("a_b", "a_b_2", "a_b_3")
    }


def test_a_folder_that_is_taken_while_a_report_is_written_is_left_for_the_next(options, tmp_path):
    home = tmp_path / "run" / "interpretation"

    class LateFigure(Figure):
        """One that takes so long to draw that another process writes the same report."""

        def savefig(self, *given, **named) -> None:
            (home / "a").mkdir(exist_ok=True)
            (home / "a" / "other").touch()
            super().savefig(*given, **named)

    paths = write_pages(report_folder(options, "a"), {"report.html": "<p>"}, {"b": LateFigure()}, ["svg"])
    assert paths == [home / "a_2" / "report.html", home / "a_2" / "b.svg"]
    assert sorted(path.name for path in home.iterdir()) == ["a", "a_2"]


def test_an_error_of_a_report_in_a_run_is_told_once(options, tmp_path):
    class WrongFigure(Figure):
        def savefig(self, *given, **named) -> None:
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_pages(report_folder(options, "a"), {"report.html": "<p>"}, {"b": WrongFigure()}, ["svg"])
    assert not any((tmp_path / "run" / "interpretation").iterdir())


def test_a_folder_that_is_asked_for_is_no_other(options, tmp_path):
    folders = [report_folder(options | {"out": str(tmp_path / "own")}, "a") for _ in range(2)]
    write_pages(folders[0], {"report.html": ""}, {}, [])
    with pytest.raises(UserError, match="was new or empty, but another process has written into it"):
        write_pages(folders[1], {"report.html": ""}, {}, [])


@pytest.mark.parametrize(("window", "least", "width"), [(40, 110, 110), (200, 110, 200)])
def test_a_narrow_window_folds_no_table(monkeypatch, window, least, width):
    monkeypatch.setenv("COLUMNS", str(window))
    console = watching_console(least)
    assert (console.width, console.stderr) == (width, True)
    assert watching_console().width == max(window, 100)
