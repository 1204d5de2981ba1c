"""Series in Python: forecasts and classes are learnt from arrays and tables, in the run's own folder."""

from inspect import unwrap

import numpy as np
import pandas
import pytest

import seq2seq
from seq2seq.data.corpora.frame_files import NpzCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.series import Series
from seq2seq.library.forecasts import Forecast

SMALL = {
    "model__embedding_size": 8,
    "model__encoder__hidden_size": 8,
    "model__decoder": {"hidden_size": 16, "feature_size": 16},
    "trainer__val_check_interval": 20,
    "trainer__accelerator": "cpu",
    "optimizer__lr": 0.02,
    "precision": "32-true",
    "threads": 1,
    "logger": "none",
    "verbose": False,
}


def waves(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Swings of one feature, 12 frames of which 4 are to come, and how fast each swings."""
    random = np.random.default_rng(seed)
    fast = random.integers(0, 2, count)
    angle = random.uniform(0, 2 * np.pi, (count, 1)) + np.where(fast, 1.2, 0.5)[:, None] * np.arange(12)
    return (20 + 5 * np.sin(angle))[..., None], fast


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> seq2seq.Run:
    values, _ = waves(150)
    pairs = [(one[:8], one[8:]) for one in values]
    return seq2seq.train(pairs, run_dir=tmp_path_factory.mktemp("forecast") / "run", budget__max_steps=120, **SMALL)


def test_forecasts_are_learnt_from_arrays(run):
    values, _ = waves(30, seed=2)
    naive = np.abs(values[:, 8:] - values[:, 7:8]).mean()
    found = run.evaluate([(one[:8], one[8:]) for one in values])
    assert found.scores["mae"] < 0.7 * naive
    assert set(found.intervals) == {"mae", "rmse", "crps"}
    assert "scores, series 30" in found._repr_html_()
    assert (run.path / "pairs" / "train.npz").exists()


def test_a_forecast_is_arrays_with_intervals_and_a_picture(run):
    values, _ = waves(3, seed=3)
    first, second, _ = run.forecast(list(values[:, :8]))
    assert first.means.shape == first.deviations.shape == (4, 1)
    alone = run.forecast(values[1, :8, 0])  # one feature over time
    np.testing.assert_allclose(alone.means, second.means, rtol=1e-5)
    for several in (values[:2, :8], values[:2, :8].tolist()):
        for found, wanted in zip(run.forecast(several), (first, second), strict=True):
            np.testing.assert_allclose(found.means, wanted.means, rtol=1e-5)
    np.testing.assert_allclose(run.forecast(values[1, :8, 0].tolist()).means, second.means, rtol=1e-5)
    assert run.forecast(pandas.DataFrame({"x": values[1, :8, 0]}), length=7).means.shape == (7, 1)
    assert run.forecast(values[1, :8], samples=20).deviations[-1] > second.deviations[-1] / 2
    low, high = first.interval(0.9)
    np.testing.assert_allclose(high - low, 2 * 1.6448536 * first.deviations, rtol=1e-5)
    axes = first.figure(values[0, :8], values[0, 8:]).axes
    assert len(axes) == 1
    assert [line.get_label() for line in axes[0].get_lines()[:3]] == ["read", "came", "forecast"]


def test_numbers_of_frames_are_those_of_numpy_too_and_may_differ(run):
    found = run.forecast(ARRAYS[:2], length=np.int64(3))
    assert [len(one.means) for one in found] == [3, 3]
    for length in ([2, np.int64(6)], (2, 6), np.array([2, 6])):
        assert [len(one.means) for one in run.forecast(ARRAYS[:2], length=length)] == [2, 6]
    np.testing.assert_allclose(run.forecast(ARRAYS[1], length=[6]).means[:3], found[1].means, rtol=1e-5)


@pytest.mark.parametrize("came", [1, 3, 6])
def test_what_came_may_be_shorter_or_longer_than_a_forecast(came):
    figure = Forecast(np.zeros((4, 1))).figure(np.zeros((8, 1)), np.ones(came))
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_label() == "came"]
    assert line.get_xdata().tolist() == [*range(1, came + 1)]


def test_a_run_goes_on_with_the_series_that_it_keeps(run, tmp_path):
    values, _ = waves(40)
    pairs = {"source": values[:, :8], "target": values[:, 8:]}
    folder = tmp_path / "run"
    seq2seq.train(pairs, run_dir=folder, budget__max_steps=2, **SMALL)
    again = seq2seq.train(run_dir=folder, resume=True, budget__max_steps=4, verbose=False)
    assert again.evaluate(split="train", bootstrap=0).counts["forecast"][:, 0].tolist() == [4.0] * 36
    (moved := tmp_path / "moved").mkdir()
    folder.rename(moved / "run")
    assert seq2seq.load(moved / "run").evaluate(split="dev", bootstrap=0).scores


def test_classes_are_learnt_from_arrays_and_scored_as_such(tmp_path):
    values, fast = waves(150)
    values = values + 20 * fast[:, None, None]
    run = seq2seq.train({"source": values, "target": fast}, run_dir=tmp_path / "run", budget__max_steps=60, **SMALL)
    others, labels = waves(30, seed=2)
    others = others + 20 * labels[:, None, None]
    assert run.config["tokenizer"]["target"] == "word"
    found = run.evaluate(zip(others, labels, strict=True))
    assert set(found.scores) == {"accuracy", "macro_f1"}
    assert found.scores["accuracy"] > 90
    assert run.translate(list(others[:2])) == [str(label) for label in labels[:2]]


def test_times_of_series_are_kept_and_read(tmp_path):
    values, fast = waves(60)
    pairs = [
        (Series(one, times=(40 - 39 * label) * np.arange(12)), str(label))
        for one, label in zip(values, fast, strict=True)
    ]
    timed = {"model__input__time_unit": 10.0, "model__input__gaps": True}
    run = seq2seq.train(pairs, run_dir=tmp_path / "run", budget__max_steps=2, **SMALL, **timed)
    assert run.evaluate(pairs, bootstrap=0).scores
    kept = NpzCorpus(options=FileOptions("")).examples(str(tmp_path / "run" / "pairs" / "train.npz"))
    assert {example.source for example in kept} <= {source for source, _ in pairs}  # times are of what they are
    assert all(example.source.times is not None for example in kept)


def test_a_number_of_each_series_is_one_frame(tmp_path):
    values, fast = waves(100)
    pairs = [(one, 0.25 + float(label)) for one, label in zip(values + 20 * fast[:, None, None], fast, strict=True)]
    run = seq2seq.train(pairs, run_dir=tmp_path / "run", budget__max_steps=40, **SMALL)
    assert run.forecast(pairs[0][0]).means.shape == (1, 1)
    assert run.evaluate(pairs, bootstrap=0).scores["mae"] < 0.3


ARRAYS = list(waves(4)[0])
MISTAKES = [
    (lambda run: run.forecast([np.zeros((3, 2))]), r"series\[0\] must have 1 features, as the data to train on, but"),
    (lambda run: run.forecast("text"), "series must be an array, or several, but are of type str."),
    (lambda run: run.forecast(["text"]), r"series\[0\] must be an array of numbers, `time feature`, but is 'text'."),
    (lambda run: run.forecast(ARRAYS, length=0), "length must be a whole number of at least 1, but is 0."),
    *(
        (lambda run, length=length: run.forecast(ARRAYS, length=length), f"length must be a whole number .* is {shown}")
        for length, shown in (
            (4.0, "4.0"),
            ("4", "'4'"),
            (True, "True"),
            ([2, -1, 1, 1], "-1"),
            ([2, 1, 1, 2.5], "2.5"),
        )
    ),
    *(
        (
            lambda run, length=length: run.forecast(ARRAYS, length=length),
            f"length must be a number, or one for each of 4 series, but there are {len(length)}.",
        )
        for length in ([2], (2, 2, 2, 2, 2), np.array([3, 3]), [])
    ),
    (
        lambda run: unwrap(Forecast.interval)(Forecast(ARRAYS[0], ARRAYS[0]), "0.9"),
        "share must be a number above 0 and below 1, but is '0.9'.",
    ),
    (
        lambda run: Forecast(np.zeros((4, 2))).figure(np.zeros((8, 2)), np.zeros((4, 1))),
        "truth must have 2 features, as the forecast, but has 1.",
    ),
    (lambda run: run.forecast(ARRAYS, file="x.npz"), "file is an option of the command line alone: leave it out."),
    (lambda run: run.translate(ARRAYS[0]), "writes frames, which are not searched for: use forecast, or evaluate."),
    (lambda run: run.score([(ARRAYS[0], "a")]), "writes frames, which are not searched for: use forecast, or evaluate"),
    (lambda run: run.evaluate([(ARRAYS[0], "a")]), "targets must be frames, which this model writes, but one is the"),
    (lambda run: run.evaluate([(ARRAYS[0], ARRAYS[1])], precision="int8"), "precision must be float32 with a run that"),
    (
        lambda run: seq2seq.ensemble([run, run]).forecast(ARRAYS),
        "run must be one run alone where it writes frames: an ensemble of such is not there.",
    ),
    (
        lambda run: seq2seq.train([(ARRAYS[0], ARRAYS[1]), (ARRAYS[2], "a")], verbose=False),
        "pairs must have targets of one kind, but some are frames and some are text.",
    ),
    (
        lambda run: seq2seq.train([(ARRAYS[0], "a"), (np.zeros((3, 2)), "a")], verbose=False),
        r"pairs\[1\] must have 1 features, as the first, but has 2.",
    ),
    (
        lambda run: seq2seq.train([("a", ARRAYS[0]), ("b", ARRAYS[1])], verbose=False),
        r"pairs\[0\] must have frames as its source, as its target is frames, but has a text.",
    ),
    (
        lambda run: run.evaluate([(ARRAYS[0], ARRAYS[1]), ("a", ARRAYS[0])]),
        r"pairs\[1\] must have frames as its source",
    ),
    (
        lambda run: seq2seq.train([("a", "b"), (ARRAYS[0], "b")], verbose=False),
        "pairs must have sources of one kind, but some are frames and some are text.",
    ),
    (
        lambda run: seq2seq.train([(ARRAYS[0], "a"), (Series(ARRAYS[1], times=np.arange(12)), "a")], verbose=False),
        r"pairs\[0\] must have times, as other series have, but has none: give each some, or none any.",
    ),
    (lambda run: Forecast(ARRAYS[0]).interval(), "interval needs deviations, which this model has none of"),
    (
        lambda run: Forecast(ARRAYS[0], ARRAYS[0]).interval(1.0),
        "share must be a number above 0 and below 1, but is 1.0.",
    ),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES, ids=[message[:30] for _, message in MISTAKES])
def test_mistakes_are_told(run, call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(seq2seq.UserError, match=message):
        call(run)


def test_a_run_of_text_forecasts_nothing(tmp_path):
    pairs = [(one, "up" if number % 2 else "down") for number, one in enumerate(waves(20)[0])]
    run = seq2seq.train(pairs, run_dir=tmp_path / "run", budget__max_steps=2, **SMALL)
    with pytest.raises(seq2seq.UserError, match="forecast needs a run that writes frames, but this one writes text"):
        run.forecast(ARRAYS)
    with pytest.raises(seq2seq.UserError, match="samples must be 0 with a run that writes text, but is 5: see"):
        run.evaluate(pairs, samples=5)
