"""Models that read pictures of lines learn to."""

import numpy as np
import pytest
from PIL import Image

import seq2seq
from seq2seq.commands.interpret import figures_of, interpret
from seq2seq.commands.train import train
from seq2seq.data.corpora.line_images import line_series
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run

GLYPHS = {  # eight pixels high
    "a": ["........", "..####..", ".#....#.", ".#....#."],
    "b": ["########", "...#..#.", "...####."],
    "c": [".######.", ".#....#."],
}
RUN = [
    "data=lines",
    "data.height=8",
    "model=luong",
    "model/attention=general",
    "model/input=pictures",
    "model.embedding_size=16",
    "model.encoder.hidden_size=16",
    "model.encoder.num_layers=1",
    "model.decoder.hidden_size=32",
    "model.decoder.feature_size=32",
    "model.dropout=0.0",
    "tokenizer=char",
    "metrics=characters",
    "trainer.accelerator=cpu",
    "precision=32-true",
    "threads=1",
    "logger=none",
    "optimizer.lr=0.02",
    "batches.max_tokens=1000",
]
SWEEPS = [
    "model/front_end=sweeps",
    "model.front_end.patch_height=4",
    "model.front_end.patch_width=2",
    "model.front_end.hidden_size=8",
]


def write(folder, name: str, *, seed: int, count: int) -> None:
    """Pictures of one to three letters, twice as high as they are read, at places of their own."""
    random, rows = np.random.default_rng(seed), []
    for number in range(count):
        text = "".join(random.choice(list(GLYPHS), random.integers(1, 4)))
        gap = ["........"]
        columns = gap * random.integers(1, 4) + [column for letter in text for column in [*GLYPHS[letter], *gap]]
        ink = np.array([[pixel == "#" for pixel in column] for column in columns]).T
        shades = np.where(ink, random.integers(0, 80), random.integers(180, 256)).astype(np.uint8)
        Image.fromarray(shades.repeat(2, 0).repeat(2, 1)).save(folder / f"{name}{number}.png")
        rows.append(f"{name}{number}.png\t{text}\n")
    (folder / f"{name}.tsv").write_text("".join(rows))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("lines")
    write(found, "train", seed=1, count=200)
    write(found, "test", seed=2, count=30)
    return found


@pytest.fixture(scope="module")
def learn(folder, plain_config_of):
    def run(place, *overrides):
        files = [
            f"data.train={folder / 'train.tsv'}",
            f"data.test={folder / 'test.tsv'}",
            "trainer.val_check_interval=500",
        ]
        return train(plain_config_of("train", *RUN, *files, *overrides), place, resume=False).scores

    return run


@pytest.fixture(scope="module")
def learnt(learn, tmp_path_factory):
    place = tmp_path_factory.mktemp("learnt")
    assert learn(place, *SWEEPS, "budget.max_steps=150")["cer"] < 10
    return place


def test_lines_are_read_from_their_pictures(learnt, folder):
    run = seq2seq.Run(str(learnt))
    lines = [line.split("\t") for line in (folder / "test.tsv").read_text().splitlines()]
    found = run.translate([line_series(folder / name, 8).values for name, _ in lines])
    right = sum(text == written for text, (_, written) in zip(found, lines, strict=True))
    assert right >= 0.85 * len(lines)


def test_conv_lstms_read_pictures_column_by_column(learn, tmp_path):
    """Each column is a picture of 2 x 4, whose channels come beside each other above."""
    cell = ["+model/cell@model.encoder.cell=conv_lstm", "model.encoder.cell.height=4", "model.encoder.cell.width=2"]
    learn(tmp_path, *cell, "budget.max_steps=3")
    encoder = load_run(tmp_path).model.encoder
    assert [tuple(one.recurrent_weight.shape) for one in encoder.stack.layers[0].directions.values()] == [
        (8, 2, 3, 3)
    ] * 2


def test_other_heights_than_those_of_train_are_told(learnt, folder):
    run = seq2seq.Run(str(learnt))
    with pytest.raises(UserError, match=r"must have 8 features, as the data to train on, but has 16\.$"):
        run.translate(line_series(folder / "test0.png", 16).values)


def test_attention_is_drawn_over_the_line(learnt, folder, config_of, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr("seq2seq.commands.interpret.report", lambda reading, units: read.append(reading) or "")
    given = [f"run={learnt}", f"frames={folder / 'test0.png'}", f"out={tmp_path / 'out'}", "device=cpu", "steps=2"]
    files = interpret(config_of("interpret", *given, "formats=[svg]"))
    assert {"attention.svg", "occlusion.svg"} <= {file.name for file in files}
    (reading,) = read
    pixels = line_series(folder / "test0.png", 8).values
    assert reading.source == [str(number) for number in range(1, len(pixels) + 1)]
    np.testing.assert_allclose(np.corrcoef(reading.frames.flatten(), pixels.flatten())[0, 1], 1.0, rtol=1e-5)
    panels = figures_of(reading)["attention"].axes
    assert [axes.get_yticklabels()[0].get_text() for axes in panels] == ["line", *reading.target]
