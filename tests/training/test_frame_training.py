"""Models of frames train, go on, come back and answer as those of tokens do; what they cannot do is refused."""

import numpy as np
import pytest
import torch
from frame_runs import FIXED, RUN, check_company, goes_on, trainer_on

import seq2seq
from seq2seq.commands.adapt import adapt
from seq2seq.commands.interpret import interpret
from seq2seq.commands.train import train
from seq2seq.compression.packing import pack
from seq2seq.data.series import Series
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.errors import UserError
from seq2seq.interpretation.attribution import gradient_times_input, integrated_gradients, occlusion
from seq2seq.runs.evaluation import load_examples, load_sources
from seq2seq.runs.possible import checked
from seq2seq.runs.run import load_run
from seq2seq.symbols import BOS, EOS
from seq2seq.translation.translator import Translator


def write(path, *, seed: int = 1, count: int = 120, missing: float = 0.0) -> None:
    """Series of three classes, each of which has a feature that is higher; their features are of unlike size."""
    random = np.random.default_rng(seed)
    lengths, classes = random.integers(3, 9, count), random.integers(0, 3, count)
    frames = random.normal(size=(int(lengths.sum()), 3)) + 2.5 * np.eye(3)[np.repeat(classes, lengths)]
    frames = frames * [1, 100, 0.01] + [0, 500, 0]
    frames[random.random(frames.shape) < missing] = np.nan
    np.savez(path, frames=frames, lengths=lengths, targets=np.array(["left", "right", "up"])[classes])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("frames")
    write(found / "train.npz")
    write(found / "gaps.npz", missing=0.3)
    write(found / "test.npz", seed=2, count=30)
    return found


@pytest.fixture(scope="module")
def train_on(folder, plain_config_of):
    return trainer_on(folder, plain_config_of, *RUN)


@pytest.fixture(scope="module")
def learnt(folder, train_on, tmp_path_factory):
    """The folder of a run that has learnt to tell the classes apart."""
    place = tmp_path_factory.mktemp("learnt")
    train_on(place, f"data.test={folder / 'test.npz'}", "budget.max_steps=60")
    return place


def test_classes_are_learnt(learnt):
    run = load_run(learnt)
    _, examples = load_examples(run, None, "test")
    found = Translator(run.model, run.tokenizers, BeamSearch(beam_size=2))([one.source for one in examples])
    right = sum(text in one.targets for text, one in zip(found, examples, strict=True))
    assert right >= 0.9 * len(examples)


def test_statistics_are_those_of_train_in_float64(learnt):
    run = load_run(learnt)
    _, examples = load_examples(run, None, "train")
    frames = np.concatenate([one.source.values for one in examples]).astype(np.float64)
    found = run.model.encoder.input.normalization
    np.testing.assert_array_equal(found.center.numpy(), frames.mean(0).astype(np.float32))
    np.testing.assert_allclose(found.factor.numpy(), 1 / frames.std(0), rtol=1e-6)


CHANGED = ["augmentation=frames", "augmentation.feature_width=1"]


@pytest.mark.parametrize(
    ("data", "options"),
    [("train", []), ("train", CHANGED), ("gaps", ["model.input.imputation=interpolation", "model.input.mask=true"])],
    ids=str,
)
def test_a_run_goes_on_bit_for_bit(train_on, tmp_path, data, options):
    assert goes_on(train_on, tmp_path, *options, data=data)


@pytest.mark.parametrize(
    "options",
    [
        ["augmentation=spec_augment", "augmentation.feature_width=1"],
        ["augmentation=frame_noise"],
        ["augmentation=frame_noise", "augmentation.power=true"],
        CHANGED,
    ],
    ids=str,
)
def test_changed_series_change_what_is_learnt_and_neither_dev_nor_statistics(train_on, tmp_path, folder, options):
    for name, own in (("plain", []), ("changed", options)):
        (tmp_path / name).mkdir()
        train_on(tmp_path / name, *FIXED, *own, "budget.max_steps=2")
    plain, changed = (load_run(tmp_path / name) for name in ("plain", "changed"))
    weights = [run.model.output.bias for run in (plain, changed)]
    assert not torch.equal(*weights)
    assert plain.splits == changed.splits
    centers = [run.model.encoder.input.normalization.center for run in (plain, changed)]
    assert torch.equal(*centers)


@pytest.mark.parametrize("search", [BeamSearch(beam_size=2), Sampling(samples=2, temperature=3.0)])
def test_company_and_order_change_no_answer(learnt, search):
    run = load_run(learnt)
    check_company(run, [one.source for one in load_examples(run, None, "test")[1]], search=search)


def test_int8_gives_the_same_answers(learnt):
    run, packed = load_run(learnt), pack(load_run(learnt).model, "int8")
    sources = [one.source for one in load_examples(run, None, "test")[1]]
    plain, rounded = (Translator(one, run.tokenizers, BeamSearch(beam_size=2))(sources) for one in (run.model, packed))
    assert sum(one != other for one, other in zip(plain, rounded, strict=True)) <= 1


def test_attributions_are_of_frames(learnt):
    run = load_run(learnt)
    source = load_examples(run, None, "test")[1][0].source
    frames, target = torch.from_numpy(source.values)[None], torch.tensor([[BOS, 5, EOS]])
    for method in (integrated_gradients, occlusion, gradient_times_input):
        shares = method(run.model, frames, target).shares
        assert shares.shape == (2, len(source.values))
        assert shares.isfinite().all()
        assert shares.ne(0).any()


def test_too_long_series_are_read_as_far_as_asked(learnt, caplog):
    run = load_run(learnt)
    long = Series(np.tile(load_examples(run, None, "test")[1][0].source.values, (4, 1)))
    translator = Translator(run.model, run.tokenizers, BeamSearch(beam_size=1), max_source_tokens=4)
    (cut,) = translator.hypotheses([long])
    (own,) = translator.hypotheses([Series(long.values[:4])])
    assert cut.score == own.score
    assert "only the first 4 are read" in caplog.text


REFUSALS = [
    (["model=transducer"], "model must be bahdanau, luong or gnmt with model/input=frames, whose sources are no text."),
    (["model=auto"], "model must be bahdanau, luong or gnmt with model/input=frames"),
    (["model/ngrams=bigrams"], "model.ngrams must be none with model/input=frames"),
    (
        ["augmentation=noise"],
        "augmentation must be none, or change frames, as spec_augment, frame_noise or frames does, with model/input=fr",
    ),
    (["augmentation=spec_augment"], "augmentation.feature_width must be at most the number of features, 3, but is 8."),
    (
        ["augmentation=frame_noise", "model/input=tokens"],
        "augmentation must be one of text where sources are text, but",
    ),
    (["carry=streams"], "carry must be none with model/input=frames"),
    (["segmentation=sampled"], "segmentation must be none with model/input=frames"),
    (["objective=minimum_risk"], "objective must not be minimum_risk with model/input=frames"),
    (["curriculum=competence", "curriculum.difficulty=rarity"], "curriculum.difficulty must be length"),
    (["model/copying=pointer"], "model.copying must be none with frames"),
    (["metrics=forecast"], "metrics must not be forecast where model.output writes text: choose others, or"),
    (["model.source_word_dropout=0.1"], "source_word_dropout must be 0 with frames"),
    (["model.input.gaps=true"], "model.input.gaps must be false without imputation"),
    (["model.input.normalization=l2"], "model.input.normalization must be one of standard, robust, log, none"),
    (["data=copy"], "data must give series of frames, which model/input=frames reads, but give text"),
    (["model/input=tokens"], "model.input must be frames, as data give series of frames: add model/input=frames."),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSALS, ids=lambda value: str(value)[:40])
def test_what_frames_cannot_have_is_refused_at_the_start(plain_config_of, folder, tmp_path, overrides, message):
    kept = [one for one in RUN if one.partition("=")[0] not in {own.partition("=")[0] for own in overrides}]
    data = [] if "data=copy" in overrides else [f"data.train={folder / 'train'}.npz"]
    if "model=transducer" in overrides:
        kept = [one for one in kept if "decoder" not in one]
    with pytest.raises(UserError) as error:
        train(plain_config_of("train", *kept, *data, *overrides), tmp_path, resume=False)
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_value_that_is_missing_is_named(train_on, tmp_path):
    with pytest.raises(UserError, match=r"gaps.npz, series \d+, frame \d+, feature \d has no value: fill it, or train"):
        train_on(tmp_path, data="gaps")


def test_no_run_starts_from_frames(learnt, plain_config_of, tmp_path):
    with pytest.raises(UserError, match="init must be a run that reads text, but init=.* reads frames: train it anew."):
        train(plain_config_of("train", f"init={learnt}"), tmp_path, resume=False)


def test_a_stream_of_text_is_not_looked_into_by_the_run(learnt, config_of):
    with pytest.raises(UserError) as error:
        interpret(config_of("interpret", f"run={learnt}", f"stream={__file__}"))
    assert str(error.value) == f"stream reads text, but run={learnt} reads frames: give frames=FILE."


def test_a_run_of_frames_is_not_adapted_to_text(learnt, config_of, tmp_path):
    (tmp_path / "pairs.tsv").write_text("a\tb\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        adapt(config_of("adapt", f"run={learnt}", f"in={tmp_path / 'pairs.tsv'}", "device=cpu"))
    assert str(error.value) == f"adapt reads text, but run={learnt} reads frames: train it on."


def test_sources_of_a_file_of_series_are_read_as_the_run_s_own(learnt, folder):
    name, sources = load_sources(load_run(learnt), str(folder / "test.npz"), None)
    assert name == str(folder / "test.npz")
    assert [source.values.tolist() for source in sources] == [
        example.source.values.tolist() for example in load_examples(load_run(learnt), None, "test")[1]
    ]


@pytest.mark.parametrize("side", ["source", "both"])
def test_readers_of_frames_are_no_tokenizers_of_another_run(learnt, plain_config_of, side):
    given = ("experiment=reverse", "tokenizer=run", f"tokenizer.run={learnt}", f"tokenizer.side={side}")
    with pytest.raises(UserError) as error:
        checked(plain_config_of("train", *given))
    assert str(error.value) == (
        f"tokenizer.side must be one of text, but is {side}, and run={learnt} has frames there: give another side, or "
        "another run."
    )
    checked(plain_config_of("train", *given[:-1], "tokenizer.side=target"))


def test_from_python_a_series_is_an_array(learnt):
    run = seq2seq.Run(str(learnt))
    examples = load_examples(load_run(learnt), None, "test")[1]
    arrays, answers = [one.source.values for one in examples], [one.targets[0] for one in examples]
    found = run.translate(arrays)
    assert run.translate(arrays[0]) == found[0]
    right = 100 * np.mean([text == answer for text, answer in zip(found, answers, strict=True)])
    assert run.evaluate(list(zip(arrays, answers, strict=True))).scores["accuracy"] == pytest.approx(right)
    assert run.translate(arrays[0], n_best=2, decoding="beam")[0].source_pieces == [
        str(number + 1) for number in range(len(arrays[0]))
    ]
    with pytest.raises(UserError, match=r"texts\[0\] must have 3 features, as the data to train on, but has 2"):
        run.translate([np.zeros((4, 2))])
