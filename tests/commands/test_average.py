"""The mean of runs, as a run."""

import json
import shutil

import pytest
import torch

from seq2seq.commands import average as command
from seq2seq.commands.average import average
from seq2seq.commands.prune import prune
from seq2seq.commands.train import train
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.run import load_run
from seq2seq.runs.soup import zero_share


@pytest.fixture(scope="module")
def other(finished, tiny_config, tmp_path_factory):
    """A run that went on from `finished` for a few steps."""
    folder = tmp_path_factory.mktemp("other") / "run"
    folder.mkdir()
    config = tiny_config("seed=2", "budget.max_steps=5", "trainer.val_check_interval=5", f"init={finished}")
    train(config, folder, resume=False)
    return folder


@pytest.mark.parametrize(("name", "title"), [("wer", "(3 examples, %)"), ("mae", "(3 examples)")])
def test_scores_are_told_with_the_unit_that_they_have(capsys, name, title):
    scores = {"split": "dev", "sentences": 3, "scores": {name: 1.0}, "members": []}
    command._print({**scores, "members": [{"run": "a" * 40, "scores": {name: 1.0}, "taken": True}]})
    assert f"scores on dev {title}" in " ".join(capsys.readouterr().err.split())


def test_the_mean_is_a_run_like_others(finished, other, config_of, tmp_path, capsys):
    out = tmp_path / "mean"
    record = average(config_of("average", f"run=[{finished},{other}]", f"out={out}"))
    one, two, mean = (load_run(path).model.state_dict() for path in (finished, other, out))
    assert all(torch.allclose(mean[name], (one[name] + two[name]) / 2) for name in one)
    assert any(not torch.equal(one[name], two[name]) for name in one)
    assert record["scores"].keys() == record["members"][0]["scores"].keys()
    assert [row["taken"] for row in record["members"]] == [True, True]
    assert json.loads((out / "metrics.json").read_text())["scores"] == record["scores"]
    assert "mean of the taken" in capsys.readouterr().err
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["best.ckpt"]
    assert read_checkpoint(out / "checkpoints" / "best.ckpt", whole=True)["global_step"] == 30


def test_a_greedy_soup_is_no_worse_than_any_member_by_the_monitored_score(finished, other, config_of, tmp_path):
    record = average(
        config_of("average", f"run=[{other},{finished},{finished}]", f"out={tmp_path / 'm'}", "soup=greedy")
    )
    best = max(row["scores"]["exact_match"] for row in record["members"])
    assert record["scores"]["exact_match"] >= best
    assert sum(row["taken"] for row in record["members"]) >= 1


def test_other_lines_and_searches_score(finished, config_of, tmp_path):
    (tmp_path / "pairs.tsv").write_text("a b\tb a\n", encoding="utf-8")
    options = f"file={tmp_path / 'pairs.tsv'}", "decoding=beam", "metrics=exact_match"
    record = average(config_of("average", f"run=[{finished},{finished}]", f"out={tmp_path / 'm'}", *options))
    assert (record["split"], record["sentences"]) == (str(tmp_path / "pairs.tsv"), 1)


def test_a_pruned_run_has_no_mean_with_what_it_was_pruned_from(finished, config_of, tmp_path):
    sparse, out = tmp_path / "sparse", tmp_path / "mean"
    prune(config_of("prune", f"run={finished}", f"out={sparse}", "method=magnitude", "method.share=0.5"))
    with pytest.raises(UserError) as error:
        average(config_of("average", f"run=[{finished},{sparse}]", f"out={out}"))
    assert str(error.value) == (
        f"run must name runs that are all pruned, or none of them, but {sparse} is and {finished} is not: their mean "
        "would have none of the zeros. Leave one out, or average before you prune."
    )
    average(config_of("average", f"run=[{sparse},{sparse}]", f"out={out}"))
    shares = [zero_share(read_checkpoint(path / "checkpoints" / "best.ckpt")["weights"]) for path in (sparse, out)]
    assert shares[0] == shares[1] > 0.4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run={run}"], "run must name two runs or more, but names {run}: give run=[A,B], or a pattern such as"),
        (["run=[{run},nowhere]"], "run=nowhere does not exist: give a run folder or a checkpoint file."),
        (["run=[{run},{run}]", "soup=thick"], "soup must be one of uniform, greedy, but is 'thick'."),
        (["run=[{run},{run}]", "out={run}"], "out={run} must be a new or empty folder, but is not: choose another"),
    ],
)
def test_a_mistake_is_one_line(finished, config_of, tmp_path, overrides, message):
    before = sorted(finished.rglob("*"))
    given = [text.format(run=finished) for text in overrides]
    with pytest.raises(UserError) as error:
        average(config_of("average", f"out={tmp_path / 'mean'}", *given))
    assert str(error.value).startswith(message.format(run=finished))
    assert not (tmp_path / "mean").exists()
    assert sorted(finished.rglob("*")) == before


def test_a_run_that_is_damaged_is_refused(finished, config_of, tmp_path):
    shutil.copytree(finished, tmp_path / "copy")
    path = tmp_path / "copy" / "checkpoints" / "best.ckpt"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="is not a checkpoint of seq2seq"):
        average(config_of("average", f"run=[{finished},{path}]", f"out={tmp_path / 'mean'}"))


def test_a_greedy_soup_needs_the_score_that_runs_were_monitored_by(finished, config_of, tmp_path):
    given = f"run=[{finished},{finished}]", f"out={tmp_path / 'm'}", "soup=greedy", "metrics=pronunciation"
    with pytest.raises(
        UserError, match="^soup=greedy chooses by the score .* but exact_match is none of .*: take soup=uni"
    ):
        average(config_of("average", *given))
    assert not (tmp_path / "m").exists()
