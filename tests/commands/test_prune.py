"""A smaller model as a run."""

import json

import pytest
import torch

from seq2seq.commands.prune import prune
from seq2seq.commands.train import train
from seq2seq.errors import UserError
from seq2seq.models.sizes import parameter_count
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.run import load_run


@pytest.fixture(scope="module")
def half(finished, config_of, tmp_path_factory):
    """The folder of `finished` with half of its units, and what was said of it."""
    out = tmp_path_factory.mktemp("pruned") / "half"
    return out, prune(config_of("prune", f"run={finished}", f"out={out}", "method.features=0.5"))


def test_a_pruned_run_is_a_run_like_others(finished, half):
    out, record = half
    before, after = load_run(finished), load_run(out)
    assert record["parameters"] == {"before": parameter_count(before.model), "after": parameter_count(after.model)}
    assert record["parameters"]["after"] < record["parameters"]["before"] / 2
    assert after.config["model"]["encoder"]["hidden_size"] == before.config["model"]["encoder"]["hidden_size"] // 2
    assert after.tokenizers.source.serialized == before.tokenizers.source.serialized
    assert json.loads((out / "metrics.json").read_text())["said"] == record["said"]
    assert record["said"].startswith("removed ")
    assert read_checkpoint(out / "checkpoints" / "best.ckpt", whole=True)["global_step"] == record["step"]


def test_zeros_are_those_of_parameters_each_of_which_counts_once(tiny_config, config_of, tmp_path):
    for name in ("tied", "out"):
        (tmp_path / name).mkdir()
    train(tiny_config("model/output=tied", "budget.max_steps=1"), tmp_path / "tied", resume=False)
    given = [f"run={tmp_path / 'tied'}", f"out={tmp_path / 'out'}", "method=magnitude", "method.share=0.6"]
    record, after = prune(config_of("prune", *given)), load_run(tmp_path / "out").model
    names = [name for name, _ in after.named_parameters(remove_duplicate=False)]
    assert len(names) > len(list(after.parameters()))  # a table and the output's matrix are one
    assert record["zeros"] == sum(int((weight == 0).sum()) for weight in after.parameters())
    matrices = sum(weight.numel() for weight in after.parameters() if weight.dim() > 1)
    assert 0.6 * matrices - 2 < record["zeros"] < record["parameters"]["after"]


def test_training_goes_on_from_it_at_its_sizes(half, tiny_config, tmp_path):
    out, _ = half
    train(tiny_config(f"init={out}", "budget.max_steps=2"), tmp_path, resume=False)
    assert load_run(tmp_path).config["model"] == load_run(out).config["model"]


def test_a_run_that_copies_is_pruned_and_copies_on(tiny_config, config_of, tmp_path):
    """With embeddings that come to be as wide as a layer, whose connection the new run's config names."""
    sizes = ["model.embedding_size=8", "model.encoder.hidden_size=8", "model.decoder.hidden_size=16"]
    (tmp_path / "run").mkdir()
    train(tiny_config("model/copying=pointer", *sizes, "budget.max_steps=1"), tmp_path / "run", resume=False)
    prune(config_of("prune", f"run={tmp_path / 'run'}", f"out={tmp_path / 'out'}"))
    pruned = load_run(tmp_path / "out")
    assert pruned.config["model"]["encoder"]["hidden_size"] == 4
    assert pruned.config["model"]["encoder"]["connection"][0] == "none"
    own = pruned.model.copying.target_ids
    assert torch.equal(own, load_run(tmp_path / "run").model.copying.target_ids)
    (tmp_path / "on").mkdir()
    train(tiny_config(f"init={tmp_path / 'out'}", "budget.max_steps=1"), tmp_path / "on", resume=False)
    assert load_run(tmp_path / "on").config["model"] == pruned.config["model"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["method.share=1.0"], "method.share must be above 0 and below 1, which would leave no unit, but is 1.0."),
        (["method.share=0.95"], "method.share=0.95 leaves none of the 8 units of encoder in multiples of 4: take a"),
        (["method=magnitude", "method.share=0.0"], "method.share must be above 0 and below 1, which would leave no"),
        (["method=magnitude", "method.share=half"], "method.share must be float, but is 'half'."),
        (["run=[{run},{run}]"], "run must be one run, as each of an ensemble is made smaller by itself: prune one by"),
        (["run=7"], "run=7 does not exist: give a run folder or a checkpoint file."),
        (["out={run}"], "out={run} must be a new or empty folder, but is not: choose another"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(finished, config_of, tmp_path, overrides, message):
    given = [f"out={tmp_path / 'out'}", *(text.format(run=finished) for text in overrides)]
    with pytest.raises(UserError) as error:
        prune(config_of("prune", f"run={finished}", *given))
    assert str(error.value).startswith(message.format(run=finished))
    assert not (tmp_path / "out").exists()
