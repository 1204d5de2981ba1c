"""Pictures of lines come out as columns of ink, or one line says why not."""

import sys

import numpy as np
import pytest
from PIL import Image

from seq2seq.data.corpora.line_images import LineImageCorpus, line_series
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.errors import UserError

SHADES = np.array([[0, 51, 255], [255, 204, 102]], np.uint8)  # two pixels high, three wide
INK = 1 - SHADES.T / 255  # time feature


def picture(path, values=SHADES, mode="L"):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(values).convert(mode).save(path)
    return path


def test_frames_are_columns_of_ink_from_the_top(tmp_path):
    found = line_series(picture(tmp_path / "x.png"), 2)
    np.testing.assert_allclose(found.values, INK, atol=1e-6)
    assert found.place == str(tmp_path / "x.png")


def test_light_ink_on_dark_is_ink_too(tmp_path):
    dark = picture(tmp_path / "x.png", 255 - SHADES)
    np.testing.assert_allclose(line_series(dark, 2, inverted=True).values, INK, atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "I", "1"])
def test_pictures_of_every_mode_are_read(tmp_path, mode):
    values = SHADES if mode != "1" else np.where(SHADES > 127, 255, 0).astype(np.uint8)
    path = tmp_path / "x.png"
    if mode == "I":  # of 16 bits, where 65535 is white
        Image.fromarray(values.astype(np.uint16) * 257).save(path)
    else:
        picture(path, values, mode)
    np.testing.assert_allclose(line_series(path, 2).values, 1 - values.T / 255, atol=0.005)


def test_what_is_transparent_is_paper(tmp_path):
    black = np.zeros((2, 3, 4), np.uint8)
    black[:, 1, 3] = 255  # one column can be seen
    Image.fromarray(black).save(tmp_path / "x.png")
    assert line_series(tmp_path / "x.png", 2).values.tolist() == [[0, 0], [1, 1], [0, 0]]
    white = black.copy()
    white[..., :3] = 255
    Image.fromarray(white).save(tmp_path / "y.png")
    assert line_series(tmp_path / "y.png", 2, inverted=True).values.tolist() == [[0, 0], [1, 1], [0, 0]]


def test_jpeg_is_read_and_turned_as_it_says(tmp_path):
    wide = Image.fromarray(np.tile(np.array([[0], [255]], np.uint8), (8, 32)).repeat(2, 0)[:16])
    exif = Image.Exif()
    exif[274] = 6  # a quarter to the right
    wide.save(tmp_path / "x.jpg", exif=exif)
    assert line_series(tmp_path / "x.jpg", 32).values.shape == (16, 32)


def test_other_heights_are_scaled_with_the_width(tmp_path):
    half = picture(tmp_path / "x.png", np.full((20, 50), 127, np.uint8))
    found = line_series(half, 8).values
    assert found.shape == (20, 8)
    np.testing.assert_allclose(found, 1 - 127 / 255, atol=1e-6)
    assert line_series(picture(tmp_path / "thin.png", np.zeros((100, 1), np.uint8)), 8).values.shape == (1, 8)


def test_a_table_has_paths_from_its_folder_and_texts(tmp_path):
    picture(tmp_path / "own" / "a.png")
    picture(tmp_path / "own" / "b.png", SHADES[:, ::-1].copy())
    table = tmp_path / "own" / "lines.csv"
    table.write_text('text,picture,hand\n"one, two",a.png,x\nthree,b.png,y\n')
    corpus = LineImageCorpus(options=FileOptions(str(table), dev=str(table)), source="picture", target="text", height=2)
    train = corpus.load().train
    assert [example.targets for example in train] == [("one, two",), ("three",)]
    np.testing.assert_allclose(train[1].source.values, INK[::-1], atol=1e-6)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"no picture", "x.png cannot be read as a picture: cannot identify image file"),
        (None, "x.png cannot be read as a picture: [Errno 2] No such file or directory"),
    ],
)
def test_what_is_no_picture_is_told_by_its_path(tmp_path, contents, message):
    if contents is not None:
        (tmp_path / "x.png").write_bytes(contents)
    (tmp_path / "lines.tsv").write_text("x.png\tone\n")
    corpus = LineImageCorpus(options=FileOptions(str(tmp_path / "lines.tsv")))
    with pytest.raises(UserError) as error:
        corpus.load()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_picture_is_told(tmp_path):
    whole = picture(tmp_path / "x.png", np.random.default_rng(1).integers(0, 256, (32, 200)).astype(np.uint8))
    whole.write_bytes(whole.read_bytes()[:-900])
    with pytest.raises(UserError, match=r"x\.png cannot be read as a picture: "):
        line_series(whole)


def test_pictures_without_an_end_and_heights_without_a_pixel_are_told(tmp_path):
    long = picture(tmp_path / "x.png", np.zeros((1, 2000), np.uint8))
    with pytest.raises(UserError, match="must have at most 32768 columns at height=32, but has 64000: cut it"):
        line_series(long)
    with pytest.raises(UserError, match=r"^height must be at least 1 pixel, but is 0\.$"):
        LineImageCorpus(options=FileOptions("lines.tsv"), height=0)


def test_without_pillow_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    for ask in (lambda: LineImageCorpus(options=FileOptions("x.tsv")), lambda: line_series(tmp_path / "x.png")):
        with pytest.raises(UserError, match=r"need the library Pillow: pip install -e '\.\[images\]'\."):
            ask()
