"""Numbers that an optimizer cannot take are told in our words, by the option, whichever optimizer it is."""

import pytest

from seq2seq.config.contract import check
from seq2seq.config.optimizer_bounds import check_bounds
from seq2seq.errors import UserError

KINDS = ("Adam", "AdamW", "NAdam", "RAdam", "Adagrad", "Adadelta", "RMSprop", "SGD", "Adafactor")


def refusal(kind: str, **options: object) -> str:
    with pytest.raises(UserError) as error:
        check({"optimizer": {"_target_": f"torch.optim.{kind}", "_partial_": True, **options}})
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [-1, 0, 0.0])
def test_a_rate_is_above_0(kind, rate):
    assert refusal(kind, lr=rate) == f"optimizer.lr must be above 0, but is {rate}: 0.002 is the default of Adam."


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [float("nan"), float("inf")])
def test_a_rate_is_finite(kind, rate):
    assert refusal(kind, lr=rate) == f"optimizer.lr must be a finite number, but is {rate}."


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Adam", "eps"),
        ("AdamW", "weight_decay"),
        ("RMSprop", "momentum"),
        ("SGD", "momentum"),
        ("SGD", "dampening"),
        ("NAdam", "momentum_decay"),
        ("Adagrad", "lr_decay"),
        ("Adagrad", "initial_accumulator_value"),
    ],
)
def test_what_is_at_least_0(kind, name):
    assert refusal(kind, **{name: -0.5}) == f"optimizer.{name} must be at least 0, but is -0.5."
    check_bounds("optimizer", {name: 0})


@pytest.mark.parametrize("betas", [[0.9, 1.0], [-0.1, 0.9]])
def test_betas_are_shares(betas):
    assert refusal("Adam", betas=betas) == (
        f"optimizer.betas must be two numbers of at least 0 and below 1, but are {betas}."
    )


@pytest.mark.parametrize(("kind", "name"), [("RMSprop", "alpha"), ("Adadelta", "rho")])
def test_other_shares(kind, name):
    assert refusal(kind, **{name: 1.5}) == f"optimizer.{name} must be at least 0 and below 1, but is 1.5."


@pytest.mark.parametrize("options", [{}, {"momentum": 0.0}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_needs_momentum(options):
    assert refusal("SGD", nesterov=True, **options) == (
        "optimizer.nesterov needs a momentum above 0, and no dampening: set optimizer.momentum."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta2_decay": 0.5}, "optimizer.beta2_decay must be below 0, but is 0.5: -0.8 is the default of Adafactor."),
        ({"d": 0.5}, "optimizer.d must be at least 1, but is 0.5."),
        ({"eps": [None, -1.0]}, "optimizer.eps must be at least 0, but is [None, -1.0]."),
    ],
)
def test_options_of_adafactor(options, message):
    assert refusal("Adafactor", **options) == message
    check_bounds("optimizer", {"beta2_decay": -0.8, "d": 1.0, "eps": [None, 1e-3]})
