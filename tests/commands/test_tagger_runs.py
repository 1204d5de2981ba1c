"""Taggers through every command: of letters and of frames, labels and values; trained, resumed, read back, drawn."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from kept_runs import last, same

import seq2seq
from seq2seq.commands.export import export
from seq2seq.commands.forecast import forecast
from seq2seq.commands.interpret import figures_of, read
from seq2seq.commands.selfcheck import selfcheck
from seq2seq.commands.train import train
from seq2seq.config.contract import read_options
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import UserError
from seq2seq.interpretation.report import contents, report
from seq2seq.models.decoder import States
from seq2seq.models.tagger import Tagger
from seq2seq.runs.run import load_run
from seq2seq.runs.translator import following
from seq2seq.symbols import EOS
from seq2seq.translation.translator import Translator

TINY = [
    "model=tagger",
    "sizing=none",
    "model.embedding_size=16",
    "model.encoder.hidden_size=16",
    "model.encoder.num_layers=1",
    "model.decoder.hidden_size=16",
    "model.decoder.feature_size=16",
    "model.dropout=0.0",
    "optimizer.lr=0.03",
    "schedule=constant",
    "schedule.warmup_steps=2",
    "averaging.decay=0.9",
    "batches.max_tokens=512",
    "budget.max_steps=60",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "trainer.val_check_interval=20",
    "precision=32-true",
    "threads=1",
    "logger=none",
]


def words(count: int, seed: int) -> list[str]:
    draw = np.random.default_rng(seed)
    return ["".join(draw.choice([*"abeid"], draw.integers(2, 7))) for _ in range(count)]


def tagged(word: str) -> str:
    """Vowels and consonants, the last vowel being stressed: what comes after a letter counts, too."""
    last_vowel = max((place for place, letter in enumerate(word) if letter in "aei"), default=-1)
    kinds = ["V" if letter in "aei" else "C" for letter in word]
    return " ".join("S" if place == last_vowel else kind for place, kind in enumerate(kinds))


def signals(count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Series of two features, and of each frame whether the first has been above 1 by then."""
    draw = np.random.default_rng(seed)
    series = [draw.normal(size=(int(draw.integers(4, 12)), 2)).astype(np.float32) for _ in range(count)]
    return [(values, np.maximum.accumulate(values[:, 0] > 1)) for values in series]


def as_npz(path: Path, pairs: list[tuple[np.ndarray, np.ndarray]], *, values: bool) -> None:
    arrays = {
        "frames": np.concatenate([source for source, _ in pairs]),
        "lengths": np.array([len(source) for source, _ in pairs]),
        "targets": np.array([" ".join("ny"[int(one)] for one in seen) for _, seen in pairs]),
    }
    if values:
        arrays["targets"] = np.concatenate([np.cumsum(source[:, :1], 0) for source, _ in pairs])
        arrays["target_lengths"] = arrays["lengths"]
    np.savez(path, **arrays)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name, count, seed in (("train", 120, 1), ("dev", 20, 2)):
        lines = [f"{word}\t{tagged(word)}" for word in dict.fromkeys(words(count, seed))]
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        as_npz(folder / f"{name}.npz", signals(count, seed), values=False)
        as_npz(folder / f"{name}_values.npz", signals(count, seed), values=True)
    return folder


@pytest.fixture(scope="module")
def configured(files, plain_config_of):
    data = ["data=tsv", f"data.train={files}/train.tsv", f"data.dev={files}/dev.tsv"]
    return lambda *overrides: plain_config_of("train", *data, *TINY, *overrides)


@pytest.fixture(scope="module")
def carried(configured):
    options = ["data.in_order=true", "carry=streams", "model.encoder.direction=forward", "batches.max_tokens=200"]
    return lambda *overrides: configured(*options, *overrides)


@pytest.fixture(scope="module")
def of_frames(files, plain_config_of):
    data = ["data=npz", f"data.train={files}/train.npz", f"data.dev={files}/dev.npz", "model/input=frames"]
    return lambda *overrides: plain_config_of("train", *data, *TINY, "model.encoder.direction=forward", *overrides)


@pytest.fixture(scope="module")
def of_values(files, plain_config_of):
    data = [f"data.train={files}/train_values.npz", f"data.dev={files}/dev_values.npz"]
    return lambda *overrides: plain_config_of("train", "experiment=forecast", *data, *TINY, *overrides)


@pytest.fixture(scope="module")
def run(configured, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    train(configured(), folder, resume=False)
    return folder


@pytest.fixture(scope="module")
def frame_run(of_frames, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    train(of_frames("budget.max_steps=100"), folder, resume=False)
    return folder


@pytest.fixture(scope="module")
def value_run(of_values, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    train(of_values("model/output=huber"), folder, resume=False)
    return folder


def test_letters_are_labelled_by_what_is_before_and_behind_them(run):
    found = json.loads((run / "metrics.json").read_text())
    assert found["scores"]["accuracy"] >= 90
    assert found["signatures"]["labels"] == "labels by place; macro over the 3 classes of the references"
    loaded = load_run(run)
    assert isinstance(loaded.model, Tagger)
    assert not any("impossible" in name for name in last(run)["weights"])


def test_letters_that_were_never_seen_have_a_label_each(run, configured, files, tmp_path):
    model = seq2seq.load(str(run))
    assert [len(answer.split()) for answer in model.translate(["azzzub", "zz", "zxab"])] == [6, 2, 4]
    unknown = model.score([("azzzub", "S C C C V C"), ("ab", "Q Z")])
    assert all(len(one.token_scores) == length for one, length in zip(unknown, (7, 3), strict=True))
    assert all(np.isfinite(one.score) for one in unknown)
    (files / "unseen.tsv").write_text("azzzub\tV C C C V C\nab\tQ Z\n", encoding="utf-8")
    train(configured(f"data.dev={files}/unseen.tsv", "budget.max_steps=1"), tmp_path / "new", resume=False)


def test_python_labels_scores_and_evaluates(run):
    model = seq2seq.load(str(run))
    dev = words(20, 2)
    answers = model.translate(dev)
    assert [len(answer.split()) for answer in answers] == [len(word) for word in dev]
    assert model.translate(dev[3]) == answers[3]  # whatever its neighbours
    assert model.evaluate([(word, tagged(word)) for word in dev]).scores["accuracy"] >= 90
    (scored,) = model.score([(dev[0], answers[0])])
    assert scored.token_scores[-1] == pytest.approx(0, abs=1e-5)
    best = model.translate(dev[0], decoding="beam", n_best=3)
    assert best[0].text == answers[0]
    assert len({one.text for one in best}) == 3


@pytest.mark.parametrize("kind", ["configured", "of_frames", "of_values"])
def test_a_resumed_run_is_the_uninterrupted_one(kind, request, tmp_path):
    config = request.getfixturevalue(kind)
    wanted = ["model.dropout=0.2", "budget.max_steps=14", "trainer.val_check_interval=5"]
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    train(config(*wanted), tmp_path / "whole", resume=False)
    train(config(*wanted, "budget.max_steps=7"), tmp_path / "parts", resume=False)
    train(config(*wanted), tmp_path / "parts", resume=True)
    assert same(last(tmp_path / "whole"), last(tmp_path / "parts"))


def test_a_tagger_reads_on_from_line_to_line(carried, tmp_path):
    train(carried("budget.max_steps=10"), tmp_path, resume=False)
    run, dev = load_run(tmp_path), words(8, 2)
    plain = Translator(run.model, run.tokenizers, GreedySearch())
    alone, found = plain.hypotheses(dev), following(run.config, plain).hypotheses(dev)
    assert any(
        one.token_scores != pytest.approx(other.token_scores, abs=1e-3) for one, other in zip(found, alone, strict=True)
    )
    lines = [[*ids, EOS] for ids in run.tokenizers.source.encode(dev)]
    joined = torch.tensor([[token for line in lines for token in line]])
    with torch.no_grad():
        values = run.model.encoder(joined, torch.tensor([joined.shape[1]])).values
        for own, one in zip(values.split([len(line) for line in lines], 1), found, strict=True):
            memory = run.model.decoder.remember(own, torch.ones(own.shape[:2], dtype=torch.bool))
            states = States((), run.model.decoder.attention.start(memory))
            ids, scores = run.model.labels(memory, states.of_one_hypothesis())
            assert ids[0].tolist() == [*one.ids, EOS]
            assert one.token_scores == pytest.approx(scores[0].tolist(), abs=1e-5)


def test_frames_are_labelled_by_what_has_come(frame_run):
    model = seq2seq.load(str(frame_run))
    dev = signals(20, 2)
    pairs = [(source, " ".join("ny"[int(one)] for one in seen)) for source, seen in dev]
    assert model.evaluate(pairs).scores["macro_f1"] >= 85
    answers = model.translate([source for source, _ in dev])
    assert [len(answer.split()) for answer in answers] == [len(source) for source, _ in dev]
    begun = model.translate(dev[0][0][:3])
    assert answers[0].split()[:3] == begun.split()  # a one-way tagger knows no more


def test_frames_are_told_values(value_run, files, config_of):
    dev = signals(20, 2)
    found = json.loads((value_run / "metrics.json").read_text())["scores"]
    sums = [np.cumsum(source[:, 0]) for source, _ in dev]
    assert found["mae"] < 0.6 * np.abs(np.concatenate(sums) - np.concatenate(sums).mean()).mean()
    table = forecast(config_of("forecast", f"run={value_run}", f"file={files}/dev_values.npz"))
    assert table.count("\n") == 1 + sum(map(len, sums))
    with pytest.raises(UserError, match="length must be null with a tagger, which writes a frame for each of the"):
        forecast(config_of("forecast", f"run={value_run}", f"file={files}/dev_values.npz", "length=50"))
    with pytest.raises(UserError, match="samples must be 0 with"):
        forecast(config_of("forecast", f"run={value_run}", f"file={files}/dev_values.npz", "samples=5"))


def test_it_is_no_model_to_export(run, config_of, tmp_path):
    with pytest.raises(UserError, match="is a tagger: decode by it"):
        export(config_of("export", f"run={run}", f"out={tmp_path / 'out'}"))


def test_every_promise_is_kept(run, config_of):
    assert selfcheck(config_of("selfcheck", f"run={run}", "sentences=6", "decoding=beam"))


def test_a_report_shows_each_label_at_its_position(run, config_of):
    options = read_options(config_of("interpret", f"run={run}", "text=bade", "steps=2"))
    reading = read(load_run(run), options)
    assert reading.trace.weights[0].argmax(-1).tolist() == [0, 1, 2, 3, 4]
    assert "encoder" in report(reading, units=2)


@pytest.mark.parametrize(("labels", "none"), [("V C", [2]), ("V C V C V", [4]), ("V C V C V C", [4, 5])])
def test_a_label_behind_the_last_and_an_early_end_have_no_probability_in_a_report(run, config_of, labels, none):
    options = read_options(config_of("interpret", f"run={run}", "text=bade", f"target='{labels}'", "steps=2"))
    reading = read(load_run(run), options)
    scores = contents(reading, units=2)["scores"]
    assert [place for place, score in enumerate(scores) if score is None] == none
    assert "encoder" in report(reading, units=2)
    for figure in figures_of(reading).values():
        figure.savefig(BytesIO(), format="svg")


def test_labels_are_learnt_from_arrays_in_python(tmp_path):
    pairs = [(source, np.array([*"ny"])[seen.astype(int)]) for source, seen in signals(60, 1)]
    sizes = {"model__embedding_size": 8, "model__encoder__hidden_size": 8, "budget__max_steps": 4}
    options = {"logger": "none", "trainer__accelerator": "cpu", "verbose": False, "threads": 1}
    found = seq2seq.train(pairs, model="tagger", run_dir=str(tmp_path / "run"), **sizes, **options)
    answer = found.translate(pairs[0][0])
    assert len(answer.split()) == len(pairs[0][0])
    assert "accuracy" in found.evaluate(pairs).scores


REFUSED = {
    "objective=r_drop": "objective must be cross_entropy, but is RDrop, with model=tagger",
    "objective.coverage_loss=0.1": "objective.coverage_loss must be 0, but is 0.1, with model=tagger",
    "scheduled_sampling=linear": "scheduled_sampling must be none with model=tagger",
    "truncation=window": "truncation must be none with model=tagger",
    "augmentation=noise": "augmentation must be none, or one of frames, with model=tagger",
    "model/output=tied": "output must be full or adaptive for a tagger",
    "model.share_embeddings=true": "model.share_embeddings",
    "model.encoder.num_layers=2 model.encoder.halvings=1": "halvings",
}


@pytest.mark.parametrize("overrides", REFUSED)
def test_what_does_not_go_together_is_refused_before_anything_is_read(overrides, configured, tmp_path):
    with pytest.raises(UserError) as caught:
        train(configured("data.train=nowhere.tsv", *overrides.split()), tmp_path / "run", resume=False)
    assert REFUSED[overrides] in str(caught.value)
    assert "nowhere" not in str(caught.value)


def test_frames_that_move_away_from_their_labels_are_refused(of_frames, tmp_path):
    with pytest.raises(UserError, match="augmentation.stretch must be 0, but is 0.1, with model=tagger"):
        train(of_frames("augmentation=frames"), tmp_path / "run", resume=False)


def test_a_pair_with_more_labels_than_tokens_is_shown(configured, tmp_path):
    (tmp_path / "dev.tsv").write_text("abba\tV C C V\nade\tV C\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        train(configured(f"data.dev={tmp_path}/dev.tsv"), tmp_path / "run", resume=False)
    assert "but in dev source 'ade' has 3 tokens and 2 labels: mend the pair" in str(caught.value)
