"""Learning from what trained models write: pairs that are made before training, and kept."""

import json
import shutil

import pytest
import torch

from seq2seq.commands.train import train
from seq2seq.config.moved import up_to_date
from seq2seq.data.corpora.kept_pairs import read_kept_pairs
from seq2seq.data.examples import Example
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import AverageRanking
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.run import load_run
from seq2seq.runs.run_folder import released_at_failure
from seq2seq.runs.teacher_targets import TeacherTargets
from seq2seq.translation.pieces import PieceLimits
from seq2seq.translation.translator import Translator

SHORT = ["budget.max_steps=2", "trainer.val_check_interval=2", "schedule=constant"]
LIMITS = LengthLimits(max_ratio=1.0, max_extra=3)


@pytest.fixture(scope="module")
def teacher(train_tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "run"
    folder.mkdir()
    train_tiny(folder, "budget.max_steps=40", "optimizer.lr=0.03")
    return folder


@pytest.fixture
def answers(teacher):
    """Answers of the teacher to sources."""
    run = load_run(teacher)
    search = BeamSearch(beam_size=3, length=LIMITS, ranking=AverageRanking())
    return Translator(run.model, run.tokenizers, search, pieces=PieceLimits(forbidden=["<unk>"]))


def learn(train_tiny, teacher, folder, *overrides):
    folder.mkdir(exist_ok=True)
    asked = ["distill=teachers", f"distill.teachers=[{teacher}]", "distill.beam_size=3"]
    train_tiny(folder, *SHORT, *asked, *overrides)
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")


def test_the_truth_stays_one_for_one_beside_the_best_answer_of_the_teacher(
    train_tiny, tiny_config, teacher, answers, tmp_path, caplog
):
    truth = load_splits(tiny_config())
    dev = [example.source for example in truth.dev]
    new = ["a a b b a", "b a b a b a"]
    (tmp_path / "more.txt").write_text("\n".join([dev[0], *new, f" {new[0]} \tignored", truth.train[0].source, ""]))
    with caplog.at_level("INFO"):
        checkpoint = learn(train_tiny, teacher, tmp_path / "run", f"distill.sources={tmp_path / 'more.txt'}")
    found = read_kept_pairs(str(tmp_path / "run" / "distilled" / "train.jsonl"))
    sources = [example.source for example in truth.train]
    assert found[: len(sources)] == truth.train
    made = [Example(source, (text,)) for source in [*sources, *new] if (text := answers([source])[0])]
    assert found[len(sources) :] == made
    assert len(made) > 60
    assert not {example.source for example in found} & set(dev)
    assert "2 of 4 sources of " in caplog.text
    assert "1 are of dev or test, and left out" in caplog.text
    assert f"distill: {len(sources) + 2} of {len(sources) + 2} sources translated" in caplog.text
    splits = load_splits(checkpoint["config"])
    assert (splits.train, splits.dev, splits.test) == (found, truth.dev, truth.test)
    assert checkpoint["splits"]["train"]["examples"] == len(found)
    record = json.loads((tmp_path / "run" / "distilled" / "made.json").read_text())
    assert record["distill"]["teachers"] == [str(teacher)]


def test_without_the_truth_only_the_teacher_is_learnt_from(train_tiny, tiny_config, teacher, answers, tmp_path):
    learn(train_tiny, teacher, tmp_path / "run", "distill.truth=false")
    found = read_kept_pairs(str(tmp_path / "run" / "distilled" / "train.jsonl"))
    sources = [example.source for example in load_splits(tiny_config()).train]
    assert found == [Example(source, (text,)) for source in sources if (text := answers([source])[0])]


def test_a_run_goes_on_and_is_repeated_without_its_teachers(train_tiny, teacher, tmp_path):
    own = shutil.copytree(teacher, tmp_path / "teacher")
    checkpoint = learn(train_tiny, own, tmp_path / "parts")
    whole = learn(train_tiny, own, tmp_path / "whole", "budget.max_steps=4")
    shutil.rmtree(own)
    config = checkpoint["config"]
    assert config["distill"] is None
    config["budget"]["max_steps"] = 4
    train(config, tmp_path / "parts", resume=True)
    parts = read_checkpoint(tmp_path / "parts" / "checkpoints" / "last.ckpt")
    assert all(torch.equal(weight, parts["weights"][name]) for name, weight in whole["weights"].items())
    (tmp_path / "again").mkdir()
    train(whole["config"], tmp_path / "again", resume=False)
    again = read_checkpoint(tmp_path / "again" / "checkpoints" / "last.ckpt")
    assert all(torch.equal(weight, again["weights"][name]) for name, weight in whole["weights"].items())


def test_it_composes_with_what_teachers_say_of_every_token(train_tiny, teacher, tmp_path):
    """Tokenizers are the teacher's, though there are more pairs than it learnt them from."""
    asked = ["objective=distillation", f"objective.teachers=[{teacher}]", "objective.weight=1.0"]
    learn(train_tiny, teacher, tmp_path / "run", *asked)
    mine, its = (load_run(folder).tokenizers for folder in (tmp_path / "run", teacher))
    assert (mine.source.serialized, mine.target.serialized) == (its.source.serialized, its.target.serialized)
    learn(train_tiny, teacher, tmp_path / "other")
    assert load_run(tmp_path / "other").tokenizers.target.serialized != its.target.serialized


def test_what_was_made_is_removed_where_the_run_never_begins(train_tiny, teacher, tmp_path):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    with pytest.raises(UserError, match="max_tokens must be at least"), released_at_failure(folder):
        learn(train_tiny, teacher, folder, "batches.max_tokens=3")
    assert not folder.exists()


def test_configs_of_before_have_no_teachers():
    assert up_to_date({"budget": {}})["distill"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teachers": []}, "teachers must name at least one run, but is empty: give teachers=[RUN]."),
        ({"beam_size": 0}, "beam_size must be at least 1, but is 0."),
    ],
)
def test_a_bad_value_is_refused(options, message):
    with pytest.raises(UserError) as error:
        TeacherTargets(**{"teachers": ["a"], **options})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["distill.teachers=[nowhere]"],
            "distill.teachers must be runs that are there for as long as others learn from",
        ),
        (["distill.sources=nothing.txt"], "distill.sources=nothing.txt does not exist: give the path of a file"),
    ],
)
def test_teachers_and_sources_that_are_not_there_are_refused_before_data_are_read(
    train_tiny, teacher, tmp_path, overrides, message
):
    with pytest.raises(UserError) as error:
        learn(train_tiny, teacher, tmp_path / "run", *overrides, "data.train_size=0")
    assert str(error.value).startswith(message)
    assert not any((tmp_path / "run").iterdir())
