"""Series of a file are translated and scored, line i for series i, and refused where lines of text are read."""

import json

import numpy as np
import pytest

import seq2seq
from seq2seq.commands.score import score_lines
from seq2seq.commands.train import train
from seq2seq.commands.translate import build_live_stream, stream_and_series, translate
from seq2seq.errors import UserError

RUN = [
    "data=npz",
    "model=luong",
    "model/input=frames",
    "tokenizer=word",
    "model.embedding_size=8",
    "model.encoder.hidden_size=8",
    "model.decoder.hidden_size=16",
    "model.decoder.feature_size=16",
    "trainer.accelerator=cpu",
    "trainer.val_check_interval=40",
    "precision=32-true",
    "threads=1",
    "logger=none",
    "optimizer.lr=0.03",
    "batches.max_tokens=300",
    "budget.max_steps=40",
]
NAMES = np.array(["left", "right", "up"])


def series(count: int, seed: int) -> tuple[list[np.ndarray], list[str]]:
    random = np.random.default_rng(seed)
    classes = random.integers(0, 3, count)
    return [random.normal(size=(int(random.integers(3, 9)), 3)) + 3 * np.eye(3)[one] for one in classes], [
        *NAMES[classes]
    ]


def write(path, count: int, seed: int) -> None:
    frames, targets = series(count, seed)
    np.savez(path, frames=np.concatenate(frames), lengths=np.array([*map(len, frames)]), targets=np.array(targets))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, plain_config_of):
    found = tmp_path_factory.mktemp("series")
    write(found / "train.npz", 100, 1)
    write(found / "test.npz", 20, 2)
    frames, _ = series(20, 2)
    rows = [
        f"{number},{time},,{','.join(map(str, row))}"
        for number, own in enumerate(frames)
        for time, row in enumerate(own)
    ]
    (found / "test.csv").write_text("series,time,target,x,y,z\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (found / "run").mkdir()
    train(plain_config_of("train", *RUN, f"data.train={found / 'train.npz'}"), found / "run", resume=False)
    return found


@pytest.fixture(scope="module")
def answers(folder) -> list[str]:
    return seq2seq.load(str(folder / "run")).translate(series(20, 2)[0])


@pytest.fixture
def asked(folder, config_of):
    return lambda script, *overrides: config_of(script, f"run={folder / 'run'}", *overrides)


def answers_to(config) -> list[str]:
    stream, found = stream_and_series(config)
    return [*stream.of_series(found)]


@pytest.mark.parametrize("buffer", [1, 7, 4096])
@pytest.mark.parametrize("file", ["test.npz", "test.csv"])
def test_line_i_answers_series_i_whatever_the_buffer(folder, asked, answers, file, buffer):
    assert answers_to(asked("translate", f"file={folder / file}", f"buffer={buffer}")) == answers
    assert len({*answers}) == 3


def test_the_command_reads_the_file_and_not_stdin(folder, asked, answers, capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    translate(asked("translate", f"file={folder}/test.npz", "format=json", "n_best=2", "decoding=beam"))
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [one["line"] for one in found] == [*range(1, 21)]
    assert [one["translations"][0]["text"] for one in found] == answers
    assert found[0]["source_pieces"] == [str(place + 1) for place in range(len(series(20, 2)[0][0]))]
    assert {len(one["translations"]) for one in found} == {2}


@pytest.mark.parametrize("buffer", [3, 4096])
def test_targets_of_a_file_are_scored(folder, asked, buffer):
    rows = [*score_lines(asked("score", f"file={folder}/test.npz", f"buffer={buffer}"), [])]
    frames, targets = series(20, 2)
    expected = seq2seq.load(str(folder / "run")).score([*zip(frames, targets, strict=True)])
    assert len(rows) == 20
    for row, one in zip(rows, expected, strict=True):
        score, count, tokens = row.split("\t")
        assert float(score) == pytest.approx(one.score, abs=1e-4)
        assert int(count) == len(tokens.split()) == 2  # its label, and the end
    written = json.loads(next(score_lines(asked("score", f"file={folder}/test.npz", "format=json"), [])))
    assert written["pieces"][-1] == "</s>"


REFUSED = {
    "file=nowhere.npz": "file=nowhere.npz does not exist",
    "file=nowhere.csv": "file=nowhere.csv does not exist",
    "file=nowhere.parquet": "file=nowhere.parquet does not exist",
    "file=conf": "file=conf is a folder",
    "file=''": "file='' is no path",
    "input=json": "input must be text with a file of series, which is for lines of text.",
    "tag=left": "tag must be none with a file of series",
    "file=7": "file must be",
    "file=series.txt": "file",
}


@pytest.mark.parametrize("overrides", REFUSED)
def test_what_a_file_of_series_cannot_have_is_refused(folder, asked, overrides):
    with pytest.raises(UserError) as caught:
        answers_to(asked("translate", f"file={folder}/test.npz", overrides))
    assert REFUSED[overrides] in str(caught.value)


@pytest.mark.parametrize("ending", ["npz", "csv", "parquet"])
def test_a_file_that_is_not_there_is_told_before_the_first_series(asked, ending):
    for script, call in (
        ("translate", stream_and_series),
        ("score", lambda config: next(score_lines(config, []))),
    ):
        with pytest.raises(UserError, match=rf"^file=nowhere.{ending} does not exist"):
            call(asked(script, f"file=nowhere.{ending}"))


def test_what_comes_all_at_once_is_not_read_while_it_comes(folder, asked):
    with pytest.raises(UserError, match="simultaneous must be none with a file of series, which is there whole"):
        build_live_stream(asked("translate", f"file={folder}/test.npz", "simultaneous=wait_k"))


def test_a_run_of_text_has_no_file(finished, config_of, folder, monkeypatch):
    """Which is told before a translator is laid out."""
    for name in ("score", "translate"):
        monkeypatch.setattr(f"seq2seq.commands.{name}.open_translator", None)
    for call in (stream_and_series, lambda config: next(score_lines(config, []))):
        script = "translate" if call is stream_and_series else "score"
        with pytest.raises(UserError, match="^file must be null with run=.*, which reads lines of text from stdin"):
            call(config_of(script, f"run={finished}", f"file={folder}/test.npz"))


def test_without_a_file_it_is_said_what_to_give(asked):
    for script, call in (
        ("translate", stream_and_series),
        ("score", lambda config: next(score_lines(config, [b"a\tb"]))),
    ):
        with pytest.raises(
            UserError, match=rf"^{script} reads lines of text without a file, but run=.* give file=series"
        ):
            call(asked(script))
