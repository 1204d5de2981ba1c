"""Every letter is in a family that has it, or a box stands for it and one warning says so."""

import io
import warnings

import pytest
import torch
from matplotlib import font_manager

from seq2seq.interpretation import fonts
from seq2seq.interpretation.fonts import font_families, writable
from seq2seq.interpretation.plots import attention_figure, time_constants_figure

FIRST, EVERYTHING = "DejaVu Sans", "Last Resort High-Efficiency"  # both come with matplotlib
MIXED = ["kat", "漢字", "नमस्ते", "سلام", "한", "\u3000", "a漢"]


def file_of(family: str) -> str:
    return font_manager.findfont(font_manager.FontProperties(family=[family]))


@pytest.fixture
def installed(monkeypatch):
    """Only the given families are installed: installed(FIRST)."""
    caches = (fonts._family, fonts._letters, fonts._warn)

    def _installed(*families: str) -> None:
        files = {family: file_of(family) for family in families}
        monkeypatch.setattr(fonts, "_families", lambda: files)
        for cache in caches:
            cache.cache_clear()

    yield _installed
    for cache in caches:
        cache.cache_clear()


def test_a_family_is_added_for_letters_that_the_first_lacks(installed):
    installed(FIRST, EVERYTHING)
    assert font_families(["kat"]) == [FIRST]
    assert font_families(["kat", "漢字"]) == [FIRST, EVERYTHING]
    assert [writable(piece) for piece in MIXED] == MIXED


def test_a_box_stands_for_what_no_font_has_and_a_script_is_warned_of_once(installed, caplog):
    installed(FIRST)
    assert [writable(piece) for piece in MIXED] == ["kat", "□□", "□" * 6, "سلام", "□", " ", "a□"]
    assert font_families(["a漢"]) == [FIRST]
    told = [record.getMessage() for record in caplog.records]
    assert [message.split(":")[0] for message in told] == [
        f"no installed font has all letters of {script}" for script in ("CJK", "DEVANAGARI", "HANGUL")
    ]
    assert told[0].endswith(": pictures show □ instead; install one that has, like Noto Sans")


@pytest.mark.parametrize("families", [[FIRST], [FIRST, EVERYTHING]])
def test_pictures_in_any_script_are_drawn_without_a_word_of_matplotlib_s(installed, caplog, families):
    installed(*families)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("png", "svg"):
            picture = io.BytesIO()
            figure = attention_figure(torch.rand(7, 7), MIXED, MIXED, title=" ".join(MIXED))
            figure.savefig(picture, format=kind)
            time_constants_figure({"decoder 1": torch.rand(9)}, title=MIXED[1]).savefig(picture, format=kind)
    assert {record.name for record in caplog.records} <= {fonts.__name__}
    assert bool(caplog.records) == (families == [FIRST])


def test_families_that_are_installed_have_files_that_can_be_read():
    assert next(iter(fonts._families())) == FIRST
    assert EVERYTHING not in fonts._families()  # it has a box for every letter
    assert all(fonts._letters(family) for family in fonts._families())


def test_a_font_that_cannot_be_read_has_no_letters(installed, monkeypatch, tmp_path):
    installed(FIRST)
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    files = {FIRST: file_of(FIRST), "Broken": str(broken), "Gone": str(tmp_path / "gone.ttf")}
    monkeypatch.setattr(fonts, "_families", lambda: files)
    assert font_families(["漢"]) == [FIRST]
