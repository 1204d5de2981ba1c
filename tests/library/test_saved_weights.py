"""A run whose weights were changed in memory can be saved as a run of its own."""

import pytest
import torch

import seq2seq
from seq2seq.commands.evaluate import evaluate_run

PAIRS = [("bcd", "DCB"), ("hgf", "F")]


@pytest.fixture
def run(finished) -> seq2seq.Run:
    run = seq2seq.load(finished)
    with torch.no_grad():
        for weight in run.model.parameters():
            weight.mul_(1.1)
    return run


def scores(run: seq2seq.Run) -> list[float]:
    return [found.score for found in run.score(PAIRS)]


def test_what_was_saved_answers_as_the_run_in_memory(run, finished, tmp_path):
    saved = run.save(tmp_path / "changed")
    assert saved.path == tmp_path / "changed"
    assert scores(saved) == scores(run) != scores(seq2seq.load(finished))
    assert (saved.config, saved.step) == (run.config, run.step)


def test_what_was_saved_is_a_run_for_commands_and_for_training(run, config_of, tmp_path):
    saved = run.save(tmp_path / "changed")
    found = saved.evaluate(split="dev")
    assert found.scores == run.evaluate(split="dev").scores
    told = evaluate_run(config_of("evaluate", f"run={saved.path}", "split=dev"))
    assert told["scores"] == pytest.approx(found.scores)
    tuned = saved.fine_tune([("ab", "b a")] * 4, dev=[("ab", "b a")], run_dir=str(tmp_path / "t"), budget__max_steps=1)
    assert tuned.config["init"] == str(saved.path)


def test_a_folder_with_something_in_it_is_refused(run, tmp_path):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(seq2seq.UserError) as error:
        run.save(tmp_path)
    assert str(error.value) == (
        f"folder={tmp_path} must be a new or empty folder, but is not: choose another, or remove it."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_weights_of_another_model_are_refused(run, tmp_path):
    run.model.double()
    with pytest.raises(seq2seq.UserError, match="^save writes weights of the model that the run's config describes: "):
        run.save(tmp_path / "changed")
    assert not (tmp_path / "changed").exists()


def test_weights_that_are_not_finite_are_refused(run, tmp_path):
    name, weight = next(iter(run.model.named_parameters()))
    weight.data.view(-1)[0] = float("nan")
    with pytest.raises(seq2seq.UserError) as error:
        run.save(tmp_path / "changed")
    assert str(error.value) == f"save writes finite weights, but {name} has others: load the run again."
    assert not (tmp_path / "changed").exists()
