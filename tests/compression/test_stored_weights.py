"""Weights in fewer bits: how far they move, and that they move once."""

import pytest
import torch

from seq2seq.compression.stored import STEPS, names_of_tables, stored, widened
from seq2seq.errors import UserError


@pytest.fixture
def weights():
    torch.manual_seed(4)
    matrix = torch.randn(12, 7) * torch.logspace(-6, 3, 12).unsqueeze(1)
    matrix[3] = 0
    return {
        "a": matrix,
        "tied": matrix,
        "kernel": torch.randn(4, 3, 5),
        "bias": torch.randn(9),
        "count": torch.arange(3),
    }


def test_in_int8_no_weight_moves_by_more_than_half_a_step_of_its_row(weights):
    found = stored(weights, lambda name: "int8")
    wide = widened(found)
    for name in ("a", "kernel"):
        rows, back = weights[name].flatten(1), wide[name].flatten(1)
        half = rows.abs().amax(1) / STEPS / 2
        assert ((rows - back).abs() <= half.unsqueeze(1) * (1 + 1e-5)).all()
        assert torch.equal(rows.abs().amax(1), back.abs().amax(1))  # the greatest is what it was, to the bit
    assert torch.equal(wide["bias"], weights["bias"])
    assert torch.equal(wide["count"], weights["count"])


@pytest.mark.parametrize("form", ["float16", "int8", "float32"])
def test_what_was_stored_is_stored_again_as_it_was(weights, form):
    once = stored(weights, lambda name: form)
    again = stored(widened(once), lambda name: form)
    for name, weight in once.weights.items():
        assert weight.dtype is again.weights[name].dtype
        assert torch.equal(weight, again.weights[name])
    assert once.limits.keys() == again.limits.keys()
    assert all(torch.equal(rows, again.limits[name]) for name, rows in once.limits.items())


def test_forms_are_by_name_and_tied_weights_stay_one_tensor(weights):
    found = stored(weights, lambda name: "int8" if name in ("a", "tied") else "float16")
    types = {name: weight.dtype for name, weight in found.weights.items()}
    half = torch.float16
    assert types == {"a": torch.int8, "tied": torch.int8, "kernel": half, "bias": half, "count": torch.int64}
    assert found.weights["a"].data_ptr() == found.weights["tied"].data_ptr()
    assert found.limits.keys() == {"a", "tied"}


def test_a_weight_that_float16_cannot_hold_is_refused():
    with pytest.raises(
        UserError, match=r"^float16 holds numbers up to 65,504, but w has greater ones: keep it in int8.$"
    ):
        stored({"w": torch.tensor([[7e4]])}, lambda name: "float16")


def test_tables_are_what_is_looked_up_and_what_is_tied_to_it(build_model):
    names = names_of_tables(build_model(decoder="gnmt", decoder_layers=2))
    assert "output.weight" in names
    assert "decoder.embedding.table.weight" in names
    assert not any("kernel" in name for name in names)
