"""What a profile says of the operations that ran in it."""

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn import functional

from seq2seq.commands.benchmark import benchmark_config
from seq2seq.errors import UserError
from seq2seq.runs.summary import print_profile
from seq2seq.training.profile import Profile
from seq2seq.training.speed import Conditions, benchmark


def costs(run, part: str = "forward"):
    profile = Profile()
    with profile, profile.part(part):
        run()
    return profile.costs


def test_products_are_counted_with_their_flop_and_bytes():
    left, right = torch.randn(3, 5), torch.randn(7, 5)
    found = costs(lambda: functional.linear(left, right))
    assert found.keys() == {"products"}
    assert found["products"].calls == 1
    assert found["products"].flop == 2 * 3 * 5 * 7
    assert found["products"].bytes == 4 * (3 * 5 + 5 * 7 + 3 * 7)
    assert found["products"].seconds > 0


def test_a_recurrent_layer_costs_its_weights_at_each_step_and_twice_that_backwards():
    layer, inputs = nn.LSTM(3, 4), torch.randn(6, 2, 3)
    forward = costs(lambda: layer(inputs))
    both = costs(lambda: layer(inputs)[0].sum().backward())
    flop = 2 * 6 * 2 * 4 * 4 * (3 + 4)
    assert forward["recurrent layers"].flop == flop
    assert both["recurrent layers"].flop == 3 * flop
    assert both["recurrent layers"].calls == 2


@pytest.mark.parametrize(
    ("kind", "run"),
    [
        ("element-wise", lambda: torch.ones(3).add(1).tanh()),
        ("dropout", lambda: torch.empty(3).bernoulli_(0.5)),
        ("gathers", lambda: torch.arange(6.0)[torch.tensor([1, 2])]),
        ("copies", lambda: torch.cat([torch.ones(2), torch.ones(2)])),
    ],
)
def test_operations_have_their_kind(kind, run):
    assert kind in costs(run)


def test_all_that_the_optimizer_calls_is_its_own():
    weight = nn.Parameter(torch.ones(3))
    weight.grad = torch.ones(3)
    optimizer = torch.optim.Adam([weight], fused=True)
    assert costs(optimizer.step, "optimizer").keys() == {"optimizer, clipping and average"}


def test_rows_are_of_a_step_and_all_time_is_in_them():
    profile = Profile()
    with profile:
        torch.ones(300, 300).mm(torch.ones(300, 300))
    spent = sum(cost.seconds for cost in profile.costs.values())
    rows = profile.report(2, 2 * spent)
    assert rows[0]["share"] >= rows[1]["share"] >= rows[2]["share"]
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=1e-3)
    assert next(row for row in rows if row["kind"] == "Python and dispatch")["share"] == pytest.approx(0.5, abs=1e-3)


def test_a_profiled_benchmark_takes_each_step_twice_and_reports_the_plain_one(new_module, new_data):
    module = new_module()
    report = benchmark(module, new_data(), Conditions("32-true", "cpu"), steps=2, warmup=1, profile=True)
    assert module.step.average.updates == 1 + 2 * 2
    assert report["steps"] == 2
    kinds = {row["kind"] for row in report["profile"]}
    assert {"recurrent layers", "products", "copies", "optimizer, clipping and average"} <= kinds
    rounded = len(report["seconds"]) / 2 + 0.01 * len(report["profile"])
    assert sum(row["milliseconds"] for row in report["profile"]) >= 1000 * sum(report["seconds"].values()) / 2 - rounded


def test_a_profile_that_is_no_switch_is_refused(tiny_config):
    config = OmegaConf.create(tiny_config("profile=3", "budget.max_steps=1", name="benchmark"))
    with pytest.raises(UserError, match=r"^profile must be bool, but is 3\.$"):
        benchmark_config(config)


def test_the_table_has_a_row_for_each_kind(capsys):
    profile = Profile()
    with profile:
        torch.ones(300, 300).mm(torch.ones(300, 300))
    print_profile(profile.report(1, 1.0))
    said = capsys.readouterr().err
    assert all(kind in said for kind in ("products", "copies", "Python and dispatch"))
