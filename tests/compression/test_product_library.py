"""The library that a decoder's products are computed by."""

import pytest
import torch
from torch import nn

from seq2seq import machine
from seq2seq.compression import product_library as module
from seq2seq.compression.prepared import OneDNNLinear, PlainLinear
from seq2seq.compression.product_library import Products, check_library, faster_library
from seq2seq.errors import UserError

KINDS = {"onednn": OneDNNLinear, "blas": PlainLinear}
ROWS, INPUTS, OUTPUTS = 70, 200, 90


@pytest.fixture
def seconds(monkeypatch):
    """Set the seconds that a product takes by library; what was asked is noted."""
    asked = []

    def take(**found):
        def measured(question, ways):
            asked.append(question)
            return {name: found[name] for name in ways}

        monkeypatch.setattr(machine, "measured", measured)
        return asked

    return take


@pytest.fixture
def terms():
    torch.manual_seed(1)
    return torch.randn(ROWS, INPUTS), torch.randn(OUTPUTS, INPUTS) / 8, torch.randn(OUTPUTS)


@pytest.mark.parametrize("library", KINDS)
def test_a_named_library_is_taken_without_a_measurement(monkeypatch, terms, library):
    monkeypatch.setattr(machine, "measured", None)
    assert type(Products(library=library).prepare(*terms[1:])) is KINDS[library]


@pytest.mark.parametrize(
    ("onednn", "blas", "chosen"), [(1.0, 2.0, "onednn"), (1.0, 0.99, "onednn"), (1.0, 0.5, "blas")]
)
def test_auto_is_the_faster_one_and_says_so(seconds, terms, caplog, onednn, blas, chosen):
    asked = seconds(onednn=onednn, blas=blas)
    with caplog.at_level("INFO"):
        assert type(Products(library="auto", rows=50).prepare(*terms[1:])) is KINDS[chosen]
    assert asked == ["a product of 64 rows, 200 to 90"]
    said = ["product_library: blas for 200 to 90, 2.0 times as fast as onednn here"]
    assert [record.getMessage() for record in caplog.records] == (said if chosen == "blas" else [])


def test_large_products_are_timed_with_fewer_rows(seconds):
    asked = seconds(onednn=1.0, blas=1.0)
    for rows in (1, 2, 3, 256, 1280):
        faster_library(1024, 768, rows=rows)
    assert asked == [f"a product of {rows} rows, 768 to 1024" for rows in (1, 2, 4, 127, 127)]


@pytest.mark.parametrize(
    "precision",
    [
        pytest.param("bfloat16", marks=pytest.mark.needs_bfloat16),
        pytest.param("int8", marks=pytest.mark.needs_int8),
    ],
)
def test_nothing_is_measured_where_there_is_no_choice(monkeypatch, terms, precision):
    monkeypatch.setattr(machine, "measured", None)
    _, weight, bias = terms
    Products(precision, "auto").prepare(weight, bias)
    assert isinstance(Products(library="auto").prepare(weight[:20], bias[:20]), PlainLinear)  # too small to matter
    monkeypatch.setattr(OneDNNLinear, "available", staticmethod(lambda: False))
    assert isinstance(Products(library="auto").prepare(weight, bias), PlainLinear)


@pytest.mark.processor
@pytest.mark.parametrize("activation", ["none", "sigmoid", "tanh"])
def test_both_give_the_same_up_to_rounding_and_each_row_for_itself(terms, activation):
    inputs, weight, bias = terms
    wanted = nn.functional.linear(inputs, weight, bias)
    wanted = wanted if activation == "none" else getattr(wanted, activation)()
    for library in KINDS:
        product = Products(library=library).prepare(weight, bias, activation=activation)
        together = product(inputs)
        torch.testing.assert_close(together, wanted, atol=2e-5, rtol=0)
        for rows in (slice(3, 4), slice(10, 15), slice(20, 60)):
            torch.testing.assert_close(product(inputs[rows]), together[rows], atol=1e-5, rtol=0)


def test_what_is_timed_is_a_product_of_that_library_and_size():
    for library, kind in KINDS.items():
        timed = module._product(library, 5, INPUTS, OUTPUTS)
        product, inputs = timed.args
        assert type(product) is kind
        assert inputs.shape == (5, INPUTS)
        timed()
        with torch.inference_mode():
            assert product(inputs).shape == (5, OUTPUTS)


def test_what_cannot_be_had_is_refused(monkeypatch):
    assert [check_library(name, "float32") for name in ("auto", "onednn", "blas")] == ["auto", "onednn", "blas"]
    with pytest.raises(UserError, match=r"^product_library must be one of auto, onednn, blas, but is 'mkl'\.$"):
        check_library("mkl", "float32")
    with pytest.raises(UserError, match=r"^product_library must be auto or onednn with precision=int8, but is blas\.$"):
        check_library("blas", "int8")
    monkeypatch.setattr(OneDNNLinear, "available", staticmethod(lambda: False))
    message = r"^product_library=onednn needs a torch with oneDNN's products, and this has none: use auto\.$"
    with pytest.raises(UserError, match=message):
        check_library("onednn", "float32")
