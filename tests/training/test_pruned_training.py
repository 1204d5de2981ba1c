"""Training that leaves weights at zero."""

import re
from types import SimpleNamespace

import pytest
import torch

from seq2seq.commands.prune import prune
from seq2seq.commands.train import train
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.run import load_run
from seq2seq.training.averaging import TriggeredAverage
from seq2seq.training.callbacks.early_stopping import EarlyStopping
from seq2seq.training.callbacks.pruning import KeptZeros, MagnitudeSchedule
from seq2seq.training.checkpoints import BestCheckpoint
from seq2seq.training.plateau import PlateauSchedule

PRUNED = ["pruning=magnitude", "pruning.every=2", "trainer.val_check_interval=4", "schedule=constant"]


def checkpoint_of(folder, name="last"):
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def matrices(weights):
    return {name: weight for name, weight in weights.items() if weight.dim() > 1 and not name.startswith("output.")}


def share_of_zeros(weights) -> float:
    zeros = sum(int((weight == 0).sum()) for weight in matrices(weights).values())
    return zeros / sum(weight.numel() for weight in matrices(weights).values())


def test_the_share_grows_by_the_cubic_schedule():
    schedule = MagnitudeSchedule(share=0.8, initial=0.2, begin=0.25, end=0.75)
    assert schedule.share_at(0.2) == 0
    assert schedule.share_at(0.25) == pytest.approx(0.2)
    assert schedule.share_at(0.5) == pytest.approx(0.8 - 0.6 / 8)
    assert schedule.share_at(0.75) == schedule.share_at(1.0) == 0.8


@pytest.mark.parametrize("optimizer", ["adam", "muon", "adafactor"])
def test_weights_average_and_moments_are_zero_where_masked(train_tiny, tmp_path, optimizer):
    train_tiny(tmp_path, *PRUNED, "pruning.end=0.5", "budget.max_steps=12", f"optimizer={optimizer}")
    checkpoint = checkpoint_of(tmp_path)
    weights = {name.removeprefix("model."): value for name, value in checkpoint["state_dict"].items()}
    assert share_of_zeros(weights) == pytest.approx(0.8, abs=0.005)
    assert share_of_zeros(checkpoint["weights"]) == pytest.approx(0.8, abs=0.005)
    (masks,) = [state["masks"] for state in checkpoint["callbacks"].values() if "masks" in state]
    assert all(torch.equal(weights[name] != 0, mask) for name, mask in masks.items())
    if optimizer != "adam":
        return
    moments = checkpoint["optimizer_states"][0]["state"]
    names = [name for name, _ in load_run(tmp_path).model.named_parameters()]
    for number, name in enumerate(names):
        for kind in ("exp_avg", "exp_avg_sq"):
            assert name not in masks or not moments[number][kind][~masks[name]].any()
            assert moments[number][kind].any()


def test_a_matrix_of_an_output_of_its_own_is_masked_too(train_tiny, tmp_path):
    train_tiny(tmp_path, *PRUNED, "model/output=full", "pruning.end=0.5", "budget.max_steps=4")
    checkpoint = checkpoint_of(tmp_path)
    (masks,) = [state["masks"] for state in checkpoint["callbacks"].values() if "masks" in state]
    ((name, mask),) = [(name, mask) for name, mask in masks.items() if name.startswith("output.")]
    assert 0 < int((~mask).sum()) < mask.numel()
    for weight in (checkpoint["weights"][name], checkpoint["state_dict"][f"model.{name}"]):
        assert torch.equal(weight != 0, mask)


def test_the_best_is_chosen_among_what_has_the_whole_share(train_tiny, tmp_path):
    train_tiny(tmp_path, *PRUNED, "pruning.begin=0.5", "pruning.end=0.7", "budget.max_steps=12")
    assert share_of_zeros(read_checkpoint(tmp_path / "checkpoints" / "best.ckpt")["weights"]) > 0.79


def test_a_best_that_begins_anew_is_the_next_one():
    best = BestCheckpoint(dirpath="/", filename="best", monitor="dev/loss", mode="min")
    best.best_model_score, best.best_k_models = torch.tensor(0.1), {"best.ckpt": torch.tensor(0.1)}
    best.begin_anew()
    assert best.best_model_score is None
    assert super(BestCheckpoint, best).check_monitor_top_k(None, torch.tensor(7.0))


def test_whatever_compares_scores_begins_anew_as_the_share_grows():
    model, stopping, schedule = torch.nn.Linear(4, 4), EarlyStopping(monitor="dev/loss"), PlateauSchedule(patience=2)
    best = BestCheckpoint(dirpath="/", filename="best", monitor="dev/loss", mode="min")
    average = TriggeredAverage(model, "dev/loss", "min", 1)
    stopping.best_score, stopping.wait_count, best.best_model_score = torch.tensor(0.1), 3, torch.tensor(0.1)
    for loss in (0.1, 0.2):
        schedule.note({"dev/loss": loss})
    average.note({"dev/loss": 0.1})
    trainer = SimpleNamespace(
        global_step=2,
        checkpoint_callbacks=[best],
        early_stopping_callbacks=[stopping],
        optimizers=[torch.optim.SGD(model.parameters())],
    )
    module = SimpleNamespace(model=model, spent=0.3, step=SimpleNamespace(schedule=schedule, average=average))
    MagnitudeSchedule(every=2).on_train_batch_end(trainer, module, None, None, 0)
    assert (stopping.wait_count, stopping.best_score, best.best_model_score) == (0, torch.inf, None)
    for loss in (0.9, 0.8, 0.9):  # worse than of the denser model, and then better
        schedule.note({"dev/loss": loss})
    assert schedule.falls == 0
    for loss in (0.9, 0.8):
        average.note({"dev/loss": loss})
    assert not average.triggered


def test_training_that_ends_before_the_whole_share_says_so(train_tiny, tmp_path, caplog):
    early = ["callbacks=early_stopping", "+callbacks.early_stopping.stopping_threshold=-1.0"]
    options = [*PRUNED, *early, "monitor.metric=dev/loss", "monitor.mode=max", "pruning.end=0.9", "budget.max_steps=12"]
    train_tiny(tmp_path, *options)
    (said,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("pruning: ")]
    assert re.fullmatch(
        r"pruning: training ended with \d+ % of the weights in matrices at zero, below pruning.share=0.8, which "
        r"is for 0.9 of the budget: train on with resume=true, or lower pruning.end",
        said,
    )


def test_a_resumed_run_is_the_uninterrupted_one(train_tiny, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    pruned = [*PRUNED, "pruning.end=0.9"]
    train_tiny(whole, *pruned, "budget.max_steps=10")

    after = MagnitudeSchedule.on_train_batch_end

    def stopping(self, trainer, *rest):
        if trainer.global_step == 6:
            raise ZeroDivisionError
        after(self, trainer, *rest)

    monkeypatch.setattr(MagnitudeSchedule, "on_train_batch_end", stopping)
    with pytest.raises(ZeroDivisionError):
        train_tiny(parts, *pruned, "budget.max_steps=10")
    assert 0 < share_of_zeros(checkpoint_of(parts)["weights"]) < 0.8
    monkeypatch.undo()
    train_tiny(parts, *pruned, "budget.max_steps=10", resume=True)
    one, other = checkpoint_of(whole), checkpoint_of(parts)
    for entry in ("state_dict", "weights"):
        assert all(torch.equal(value, other[entry][name]) for name, value in one[entry].items())
    states = [[state for key, state in found["callbacks"].items() if "masks" in state][0] for found in (one, other)]
    assert states[0]["reached"] == states[1]["reached"] == 0.8
    assert all(torch.equal(mask, states[1]["masks"][name]) for name, mask in states[0]["masks"].items())


def test_accumulated_and_half_precision_steps_are_masked_too(train_tiny, tmp_path):
    options = ["trainer.accumulate_grad_batches=2", "precision=bf16-true", "pruning.end=0.5", "budget.max_steps=8"]
    train_tiny(tmp_path, *PRUNED, *options)
    checkpoint = checkpoint_of(tmp_path)
    (state,) = checkpoint["optimizer_states"]
    masters = [one for one in state["masters"] if one.dim() > 1]
    zeros = sum(int((one == 0).sum()) for one in masters) / sum(one.numel() for one in masters)
    assert zeros == pytest.approx(0.8, abs=0.01)
    assert share_of_zeros(checkpoint["weights"]) == pytest.approx(0.8, abs=0.01)


def test_zeros_of_a_pruned_run_stay_zeros_and_others_learn(config_of, tiny_config, train_tiny, tmp_path):
    for name in ("first", "then", "refused"):
        (tmp_path / name).mkdir()
    train_tiny(tmp_path / "first", "budget.max_steps=4")
    record = prune(config_of("prune", f"run={tmp_path / 'first'}", f"out={tmp_path / 'sparse'}", "method=magnitude"))
    assert record["parameters"]["before"] == record["parameters"]["after"]
    options = [f"init={tmp_path / 'sparse'}", "pruning=zeros", "budget.max_steps=4"]
    train(tiny_config(*options), tmp_path / "then", resume=False)
    before, after = (load_run(tmp_path / name).model.state_dict() for name in ("sparse", "then"))
    assert share_of_zeros(before) == pytest.approx(0.8, abs=0.005)
    for name, weight in matrices(before).items():
        assert torch.equal(weight == 0, after[name] == 0)
    assert any(not torch.equal(weight, after[name]) for name, weight in before.items())
    with pytest.raises(
        UserError, match="^pruning=zeros keeps zeros of a pruned run, but training starts from none: give"
    ):
        train(tiny_config(f"init={tmp_path / 'first'}", "pruning=zeros"), tmp_path / "refused", resume=False)
    assert not any((tmp_path / "refused").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 1.0}, "share must be above 0 and below 1, which would leave no weight, but is 1.0."),
        ({"initial": 0.8}, "initial must be at least 0 and below share, which is 0.8, but is 0.8."),
        ({"begin": 0.6}, "begin and end must be shares of the budget, one before the other, but are 0.6, 0.6."),
        ({"every": 0}, "every must be at least 1 step, but is 0."),
    ],
)
def test_a_mistake_is_one_line(options, message):
    with pytest.raises(UserError) as error:
        MagnitudeSchedule(**options)
    assert str(error.value) == message


def test_kept_zeros_are_those_of_the_pruned_run_alone():
    model, kept = torch.nn.ModuleDict({name: torch.nn.Linear(2, 2) for name in ("own", "carried", "new")}), KeptZeros()
    with torch.no_grad():
        for part in model.values():
            part.weight[0, 0] = 0
    pruned = {name: weight.detach().clone() for name, weight in model.named_parameters() if not name.startswith("new")}
    pruned["carried.weight"] = torch.ones(3, 2)  # of other pieces
    kept.take_up(model, pruned)
    assert {name: mask.tolist() for name, mask in kept.masks.items()} == {"own.weight": [[False, True], [True, True]]}
    assert kept.renewed(model, 1, 0.1) is None
    for weights in ({}, pruned | {"own.weight": torch.ones(2, 2)}):
        with pytest.raises(
            UserError, match="^pruning=zeros keeps zeros of a pruned run, but training starts from none"
        ):
            KeptZeros().take_up(model, weights)


def test_zeros_of_n_grams_of_other_pieces_are_no_pruning(tiny_config, train_tiny, tmp_path):
    for name in ("first", "then"):
        (tmp_path / name).mkdir()
    train_tiny(tmp_path / "first", "model/ngrams=bigrams", "budget.max_steps=1")
    options = [f"init={tmp_path / 'first'}", "pruning=zeros", "tokenizer.source=bpe", "tokenizer.source_size=14"]
    with pytest.raises(UserError, match="^pruning=zeros keeps zeros of a pruned run, but training starts from none"):
        train(tiny_config(*options), tmp_path / "then", resume=False)
