"""Models that write frames learn, go on, come back and forecast; what they cannot do is refused."""

import json
from functools import partial

import numpy as np
import pandas
import pytest
import torch
from frame_runs import SMALL, goes_on, trainer_on
from line_streams import build_stream

import seq2seq
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.forecast import forecast
from seq2seq.commands.gradients import gradients
from seq2seq.commands.health import health
from seq2seq.commands.interpret import interpret
from seq2seq.commands.intervene import intervene
from seq2seq.commands.probe import probe
from seq2seq.commands.score import score_lines
from seq2seq.commands.time_constants import find_time_constants
from seq2seq.commands.train import train
from seq2seq.compression.packing import pack
from seq2seq.data.frame_reader import FrameReader, source_sequences
from seq2seq.errors import UserError
from seq2seq.runs.evaluation import load_examples
from seq2seq.runs.rescoring import TranslatorRescoring
from seq2seq.runs.run import load_run
from seq2seq.translation.forecaster import Forecaster

RUN = [
    *("experiment=forecast", "data.horizon=4", *SMALL),
    *("optimizer.lr=0.02", "batches.max_tokens=600", "batches.max_length=40"),
]


def series(*, seed: int = 1, count: int = 120) -> list[np.ndarray]:
    """Two features of unlike size that swing with one phase; series of 8 to 16 frames."""
    random = np.random.default_rng(seed)
    found = []
    for length in random.integers(8, 17, count):
        angle = random.uniform(0, 2 * np.pi) + 0.7 * np.arange(length)
        found.append(np.stack([500 + 100 * np.sin(angle), 0.01 * np.cos(angle)], 1))
    return found


def write(path, **options) -> None:
    found = series(**options)
    np.savez(path, frames=np.concatenate(found), lengths=np.array([len(one) for one in found]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("forecasts")
    write(found / "train.npz")
    write(found / "test.npz", seed=2, count=30)
    return found


@pytest.fixture(scope="module")
def train_on(folder, plain_config_of):
    return trainer_on(folder, plain_config_of, *RUN)


@pytest.fixture(scope="module")
def learnt(folder, train_on, tmp_path_factory):
    place = tmp_path_factory.mktemp("learnt")
    train_on(place, f"data.test={folder / 'test.npz'}", "budget.max_steps=120")
    return place


def test_forecasts_are_learnt_in_the_units_of_the_data(learnt):
    scores = json.loads((learnt / "metrics.json").read_text())["scores"]
    examples = load_examples(load_run(learnt), None, "test")[1]
    truths = np.concatenate([one.targets[0].values for one in examples])
    naive = np.concatenate([np.repeat(one.source.values[-1:], 4, 0) for one in examples])
    assert scores["mae"] < 0.5 * np.abs(truths - naive).mean()
    assert scores["crps"] < scores["mae"] <= scores["rmse"]


def test_statistics_are_those_of_all_targets_in_float64(learnt):
    run = load_run(learnt)
    examples = load_examples(run, None, "train")[1]
    targets = np.concatenate([one.targets[0].values for one in examples]).astype(np.float64)
    found = run.model.output.normalization
    np.testing.assert_array_equal(found.center.numpy(), targets.mean(0).astype(np.float32))
    np.testing.assert_allclose(found.factor.numpy(), 1 / targets.std(0), rtol=1e-6)
    assert run.model.decoder.embedding.normalization is found


@pytest.mark.parametrize("options", [[], ["model/output=huber", "model=bahdanau"]], ids=str)
def test_a_run_goes_on_bit_for_bit(train_on, tmp_path, options):
    assert goes_on(train_on, tmp_path, *options)


@pytest.mark.needs_bfloat16
def test_forecasts_are_learnt_in_mixed_precision(train_on, tmp_path):
    scores = train_on(tmp_path, "precision=bf16-mixed", "budget.max_steps=60").scores
    assert scores["mae"] < 40  # of swings by 100 and by 0.01


def test_steps_fed_their_means_are_the_unrolled_model(learnt):
    run = load_run(learnt)
    sources = [one.source for one in load_examples(run, None, "test")[1]]
    found = Forecaster(run.model, run.tokenizers).forecasts(sources, 6)
    means = torch.from_numpy(np.stack([one.values for one in found]))
    inputs = torch.cat([torch.full_like(means[:, :1], float("nan")), means[:, :-1]], 1)
    with torch.no_grad():
        source, lengths = source_sequences(run.tokenizers.source, sources).padded(torch.arange(len(sources)), end=True)
        features = run.model(source, lengths, inputs).features
        unrolled, deviations = run.model.output.forecasts(features.flatten(0, 1))
    torch.testing.assert_close(unrolled, means.flatten(0, 1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        deviations, torch.from_numpy(np.concatenate([one.deviations for one in found])), rtol=1e-3, atol=1e-5
    )


def test_company_order_length_and_packing_change_no_forecast(learnt):
    run = load_run(learnt)
    sources = [one.source for one in load_examples(run, None, "test")[1]]
    plain = Forecaster(run.model, run.tokenizers).forecasts(sources)
    packed = Forecaster(pack(load_run(learnt).model), run.tokenizers, batch_size=7, max_tokens=50)
    lengths = [1 + number % 9 for number in range(len(sources))]
    others = packed.forecasts(sources, lengths)
    for one, other, source, length in zip(plain, others, sources, lengths, strict=True):
        assert other.values.shape == other.deviations.shape == (length, 2)
        (alone,) = packed.forecasts([source])
        for found, count in ((other, min(length, 4)), (alone, 4)):
            np.testing.assert_allclose(found.values[:count], one.values[:count], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(found.deviations[:count], one.deviations[:count], rtol=1e-3, atol=1e-6)


def test_paths_of_draws_know_how_far_frames_stray(learnt):
    run = load_run(learnt)
    sources = [one.source for one in load_examples(run, None, "test")[1]][:6]
    plain = Forecaster(run.model, run.tokenizers).forecasts(sources)
    drawing = Forecaster(run.model, run.tokenizers, samples=40, batch_size=90, max_tokens=3000)
    drawn = drawing.forecasts(sources)
    for one, other, source in zip(plain, drawn, sources, strict=True):
        np.testing.assert_allclose(other.values[0], one.values[0], rtol=1e-4, atol=1e-5)  # nothing is drawn before it
        np.testing.assert_allclose(other.deviations[0], one.deviations[0], rtol=1e-3, atol=1e-6)
        (alone,) = drawing.forecasts([source], 9)
        np.testing.assert_allclose(alone.values[:4], other.values, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(alone.deviations[:4], other.deviations, rtol=1e-2, atol=1e-4)
    widths = [np.mean([one.deviations[-1] / one.deviations[0] for one in found]) for found in (plain, drawn)]
    assert widths[1] > widths[0]
    others = Forecaster(run.model, run.tokenizers, samples=40, seed=2).forecasts(sources)
    assert any(not np.allclose(one.values, other.values) for one, other in zip(drawn, others, strict=True))


def test_a_model_that_is_sure_draws_its_means(learnt):
    run = load_run(learnt)
    sources = [one.source for one in load_examples(run, None, "test")[1]][:4]
    with torch.no_grad():
        run.model.output.projection.bias[2:] = -100.0
    plain, drawn = (Forecaster(run.model, run.tokenizers, samples=count).forecasts(sources) for count in (0, 5))
    for one, other in zip(plain, drawn, strict=True):
        np.testing.assert_allclose(other.values, one.values, rtol=1e-2, atol=1e-3)


REFUSALS = [
    (
        ["model/waiting=wait_k", "model.encoder.direction=forward", "model.encoder.hidden_size=16"],
        "model.waiting must be none with an output of frames, which no session writes: leave one out.",
    ),
    (["model/input=tokens"], "model.input must be frames with targets that are frames: see experiment=forecast."),
    (["objective.label_smoothing=0.1"], "objective.label_smoothing must be 0 with targets that are frames"),
    (["objective=r_drop"], "objective must be cross_entropy with targets that are frames"),
    (["precision=bf16-true"], "precision must be 32-true, bf16-mixed or 16-mixed, which keep what is to be written"),
    (["scheduled_sampling=linear"], "scheduled_sampling must be none with targets that are frames"),
    (["truncation=window"], "truncation must be none with targets that are frames"),
    (["decoding=beam"], "decoding must be greedy, as nothing is searched, with targets that are frames"),
    (["metrics=exact_match"], "metrics must be forecast with targets that are frames"),
    (["references=log_sum"], "references must be each, mean or best with targets that are frames"),
    (["model/copying=pointer"], "model.copying must be none with"),
    (["model.type_dropout=0.1"], "model.type_dropout must be 0 with an output of frames"),
    (["model.target_word_dropout=0.1"], "model.target_word_dropout must be 0 with an output of frames"),
    (["model.vocabulary_multiple=8"], "model.vocabulary_multiple must be 1 with an output of frames, but is 8."),
    (["model/output=tied", "callbacks=default"], "or model/output=gaussian or huber where targets are frames."),
    (["model.output.normalization=log"], "model.output.normalization must be one of standard, robust, none"),
    (["data.horizon=0"], "data.horizon must be at least 1 frame, or null"),
    (["data.horizon=8"], "must have more frames than horizon=8, but has 8: leave it out."),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSALS, ids=lambda value: str(value)[:40])
def test_what_frames_cannot_have_is_refused_at_the_start(train_on, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        train_on(tmp_path, *overrides)
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_without_its_experiment_an_output_of_frames_says_what_else_it_needs(plain_config_of, folder, tmp_path):
    parts = ["data=npz", "model=luong", "model/input=frames", "model/output=gaussian", "objective.label_smoothing=0"]
    config = plain_config_of("train", *parts, f"data.train={folder / 'train.npz'}", "data.horizon=4")
    with pytest.raises(UserError, match="callbacks.perplexity must be null with targets that are frames: see"):
        train(config, tmp_path / "run", resume=False)


def test_targets_that_are_text_are_refused(plain_config_of, tmp_path):
    np.savez(tmp_path / "x.npz", frames=np.random.default_rng(1).normal(size=(20, 3, 1)), targets=["a"] * 20)
    config = plain_config_of("train", *RUN, f"data.train={tmp_path / 'x.npz'}", "data.horizon=null")
    with pytest.raises(UserError, match="data must give targets that are frames, which model.output writes, but they"):
        train(config, tmp_path / "run", resume=False)


def test_a_missing_value_of_a_target_is_named(plain_config_of, tmp_path):
    frames = np.random.default_rng(1).normal(size=(20, 6, 1))
    frames[:, 5] = np.nan
    np.savez(tmp_path / "x.npz", frames=frames)
    config = plain_config_of("train", *RUN, f"data.train={tmp_path / 'x.npz'}", "model.input.imputation=mean")
    with pytest.raises(
        UserError, match=r"the end of .*x.npz, series \d+, frame 4, feature 1 has no value: fill it, or"
    ):
        train(config, tmp_path / "run", resume=False)


COMMANDS = {
    "translate": (build_stream, [], "writes frames, which are not searched for: use forecast, or evaluate."),
    "score": (lambda config: next(score_lines(config, [b"a\tb"])), [], "writes frames, which are not searched for"),
    "interpret": (interpret, ["frames=x.npz"], "interpret needs a run that writes text, but run=.* writes frames: use"),
    **{
        command.__name__.removeprefix("find_"): (command, [], "needs a run that writes text, .* writes frames: use for")
        for command in (gradients, find_time_constants, intervene, health, probe)
    },
    "evaluate": (evaluate_run, ["decoding=beam"], "decoding must be greedy with a run that writes frames"),
}


@pytest.mark.parametrize("script", COMMANDS)
def test_commands_that_search_refuse_the_run(learnt, script, config_of):
    command, overrides, message = COMMANDS[script]
    with pytest.raises(UserError, match=message):
        command(config_of(script, f"run={learnt}", *overrides))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("max_source_tokens=5", "max_source_tokens must be 1024 with a run that writes frames, but is 5."),
        ("ensemble=probabilities", "ensemble must be log_probabilities with a run that writes frames, but is prob"),
        ("pieces.allowed=[a]", "pieces.allowed must be null with a run that writes frames, which says no pieces."),
        ("pieces.function=a.b", "pieces.function must be null with a run that writes frames, which says no pieces."),
        ("runtime=onnx", ", as a run of frames is never exported, but is onnx."),
        ("precision=int8", "precision must be float32 with a run that writes frames, but is int8."),
        ("rerank=mbr", "rerank must be none with a run that writes frames, but is seq2seq.translation.reranking"),
        ("reset=silence", "reset must be none with a run that writes frames"),
        ("replace_unknown=true", "replace_unknown must be false with a run that writes frames, but is True."),
        ("simultaneous=wait_k", "simultaneous must be none with a run that writes frames"),
        ("metrics=exact_match", "metrics must be forecast with targets that are frames"),
        ("samples=1", "samples must be 0, for means that are fed back, or at least 2, but is 1."),
        ("seed=4294967296", "seed must be a whole number from 0 to 4294967295, but is 4294967296."),
        ("batch_size=0", "batch_size must be a whole number of at least 1, but is 0."),
    ],
)
def test_evaluate_refuses_what_only_a_search_has(learnt, config_of, override, message):
    with pytest.raises(UserError) as error:
        evaluate_run(config_of("evaluate", f"run={learnt}", override))
    assert message in str(error.value)


def test_python_looks_into_no_run_that_writes_frames(learnt):
    with pytest.raises(UserError, match="^interpret needs a run that writes text, but run=.* writes frames: use forec"):
        seq2seq.Run(str(learnt)).interpret(np.ones((3, 2)))


@pytest.mark.parametrize(
    ("features", "message"),
    [(2, "run must write text, but .* writes frames: name"), (3, "run must read the features that .* reads others.")],
)
def test_it_does_not_rate_translations(learnt, features, message):
    rerank = TranslatorRescoring(run=str(learnt))
    with pytest.raises(UserError, match=f"^{message}"):
        rerank.prepare(FrameReader(features, missing=False), torch.device("cpu"))


def test_evaluate_scores_with_intervals_and_files(learnt, folder, config_of):
    own = evaluate_run(config_of("evaluate", f"run={learnt}", "bootstrap=100"))
    of_file = evaluate_run(config_of("evaluate", f"run={learnt}", f"file={folder / 'test.npz'}", "bootstrap=100"))
    assert own["scores"] == of_file["scores"]
    low, high = own["intervals"]["mae"]
    assert low < own["scores"]["mae"] < high


def test_forecasts_of_files_are_those_of_python(learnt, folder, config_of, tmp_path):
    run = seq2seq.Run(str(learnt))
    arrays = series(seed=2, count=30)
    expected = run.forecast(arrays, length=6)
    frames = [pandas.DataFrame(one, columns=["x", "y"]).assign(series=n) for n, one in enumerate(arrays)]
    table = pandas.concat(frames).rename_axis("time").reset_index()
    table.to_csv(tmp_path / "x.csv", index=False)
    table.to_parquet(tmp_path / "x.parquet")
    ask = partial(config_of, "forecast", f"run={learnt}", "length=6")
    forecast(ask(f"file={folder / 'test.npz'}", f"out={tmp_path / 'out.npz'}"))
    with np.load(tmp_path / "out.npz") as found:
        assert found["lengths"].tolist() == [6] * 30
        np.testing.assert_allclose(found["frames"], np.concatenate([one.means for one in expected]), rtol=1e-5)
        np.testing.assert_allclose(found["deviations"], np.concatenate([one.deviations for one in expected]), rtol=1e-5)
    (tmp_path / "stdout.csv").write_text(forecast(ask(f"file={tmp_path / 'x.csv'}")))
    assert forecast(ask(f"file={tmp_path / 'x.parquet'}", f"out={tmp_path / 'file.csv'}")) == ""
    for name in ("stdout.csv", "file.csv"):
        read = pandas.read_csv(tmp_path / name)
        assert list(read) == ["series", "step", "x", "y", "x_deviation", "y_deviation"]
        assert read["series"].tolist() == list(np.repeat(range(30), 6))
        np.testing.assert_allclose(read[["x", "y"]], np.concatenate([one.means for one in expected]), rtol=1e-5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "file must be that of the series to forecast, but is null: give file=series.npz."),
        (["file=nowhere.npz"], "file=nowhere.npz does not exist: give the path of a file"),
        (
            ["file=x.npz", "out=x.txt"],
            "out must be a file in .csv or .npz, or null for a table on stdout, but is x.txt",
        ),
        (["file=x.npz", "out=nowhere/x.csv"], "out must be in a folder that is there, but nowhere is none."),
        (["file={test}", "out={test}"], "out must be another file than file={test}, which is read, but is {test}."),
        (["file={test}", "out={link}"], "out must be another file than file={test}, which is read, but is {link}."),
        (["file=w.tsv"], "file must be .npz, .csv or .parquet, but is w.tsv."),
        (["file={test}", "length=0"], "length must be a whole number of at least 1, but is 0."),
        (["file={test}", "threads=0"], "threads must be a whole number of at least 1, but is 0."),
    ],
)
def test_forecast_tells_mistakes(learnt, folder, config_of, tmp_path, overrides, message):
    places = {"test": folder / "test.npz", "link": tmp_path / "link.npz"}
    places["link"].symlink_to(places["test"])
    before = places["test"].read_bytes()
    with pytest.raises(UserError) as error:
        forecast(config_of("forecast", f"run={learnt}", *(one.format(**places) for one in overrides)))
    assert message.format(**places) in str(error.value)
    assert places["test"].read_bytes() == before


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_forecasts_of_every_night_go_into_one_file(learnt, folder, config_of, tmp_path, suffix):
    out, found = tmp_path / f"out{suffix}", {}
    for length in (2, 3, 2):
        options = f"file={folder / 'test.npz'}", f"out={out}", f"length={length}"
        assert forecast(config_of("forecast", f"run={learnt}", *options)) == ""
        assert found.setdefault(length, out.read_bytes()) == out.read_bytes()
    assert found[2] != found[3]
    assert list(tmp_path.iterdir()) == [out]
