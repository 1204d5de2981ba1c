"""No option of the regime is inert: each changes something, or is refused by name where it could not."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.config.moved import up_to_date
from seq2seq.config.signatures import parameters
from seq2seq.errors import UserError
from seq2seq.training.averaging import KINDS, new_average

VALUES = {"decay": 0.3, "start": 0.3, "patience": 2, "monitor": "dev/other", "mode": "max"}
OF_KIND = {"decay": "ema", "start": "swa"} | dict.fromkeys(("patience", "monitor", "mode"), "triggered")
OPTIONS = [name for name in parameters(new_average) if name not in ("model", "kind")]


def average_of(**options: Any) -> torch.Tensor:
    """What becomes of ten weights, with a validation after each whose scores rise and fall."""
    model = nn.Linear(1, 1, bias=False)
    average = new_average(model, **options)
    for step in range(10):
        with torch.no_grad():
            model.weight.fill_(float(step**2))
        average.update(None, step / 10)
        average.note({"dev/loss": float(step % 8), "dev/other": -float(step % 8)})
    return average.weights["weight"]


def test_values_are_known_for_every_option():
    assert set(VALUES) == set(OF_KIND) == set(OPTIONS)


@pytest.mark.parametrize(("kind", "name"), list(itertools.product(KINDS, OPTIONS)))
def test_each_option_of_an_average_changes_it_or_is_refused(kind, name):
    if kind == OF_KIND[name]:
        assert not torch.equal(average_of(kind=kind, **{name: VALUES[name]}), average_of(kind=kind))
    else:
        with pytest.raises(UserError, match=f"{name} needs kind={OF_KIND[name]}, but that is {kind}: "):
            average_of(kind=kind, **{name: VALUES[name]})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["averaging.kind=swa", "averaging.decay=0.9"],
            "averaging.decay needs kind=ema, but that is swa: set it to null.",
        ),
        (
            ["averaging.kind=triggered", "averaging.decay=0.9"],
            "averaging.decay needs kind=ema, but that is triggered: set it to null.",
        ),
        (["averaging.monitor=dev/loss"], "averaging.monitor needs kind=triggered, but that is ema: set it to null."),
        (["averaging.mode=max"], "averaging.mode needs kind=triggered, but that is ema: set it to null."),
        (
            ["max_rollbacks=5"],
            "max_rollbacks needs on_divergence=roll_back, but that is stop: leave it at 3, or roll back.",
        ),
        (
            ["optimizer=muon", "decay_all=true"],
            "decay_all=true says nothing new with optimizer=muon, which decays all weights: leave it out.",
        ),
        (["decay_all=true"], "decay_all=true needs an optimizer with a weight_decay: choose adamw, or leave it out."),
    ],
)
def test_what_would_change_nothing_is_refused_before_data_are_read(tiny_config, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        refuse_mistakes(tiny_config(*overrides), tmp_path)
    assert str(error.value) == message


def test_a_decay_that_data_settle_is_for_the_moving_average_alone(plain_config_of, tmp_path):
    refuse_mistakes(plain_config_of("train", "averaging.kind=swa", "trainer.accelerator=cpu"), tmp_path)


@pytest.mark.parametrize(
    ("averaging", "expected"),
    [
        ({"kind": "ema", "decay": 0.9, "monitor": "dev/loss", "mode": "min"}, {"decay": 0.9}),
        ({"kind": "swa", "decay": 0.9, "start": 0.5, "monitor": "dev/loss"}, {"start": 0.5}),
        ({"kind": "triggered", "decay": 0.9, "monitor": "dev/x"}, {"monitor": "dev/x"}),
        ({"decay": 0.9}, {"decay": 0.9}),
    ],
)
def test_what_was_inert_in_a_run_of_before_is_dropped(averaging, expected):
    found = up_to_date({"averaging": averaging})["averaging"]
    assert {name: value for name, value in found.items() if value is not None and name != "kind"} == expected
    muon = {"_target_": "seq2seq.training.muon.MuonWithAdamW", "weight_decay": 0.01}
    old = up_to_date({"budget": {}, "optimizer": muon, "max_rollbacks": 7})
    assert (old["max_rollbacks"], old["decay_all"]) == (3, False)
