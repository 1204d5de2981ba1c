import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.interpretation.gates import (
    Saturation,
    attention_entropy,
    correlations,
    coverage,
    positions,
    probe,
    ranked,
    remaining,
    saturation,
    time_constants,
)
from seq2seq.interpretation.trace import CellTrace, trace

LENGTHS = torch.tensor([4, 2])


@pytest.fixture
def cell() -> CellTrace:
    """Two sentences of 4 and 2 steps, three units; what lies on padding would change every number."""
    values = {name: torch.rand(2, 4, 3) for name in ("input", "forget", "candidate", "output")}
    values["candidate"] = values["candidate"] * 2 - 1
    return CellTrace(
        *(values, torch.randn(2, 4, 3), torch.randn(2, 4, 3)),
        **{"name": "decoder 1", "side": "target", "lengths": LENGTHS, "keep_gate": "forget", "bounded": True},
    )


def inside(values: torch.Tensor) -> np.ndarray:
    return np.concatenate([values[0, :4].numpy(), values[1, :2].numpy()])


def test_saturation_is_the_share_beyond_either_end(cell):
    found = saturation(cell, low=0.3, high=0.6)
    assert list(found) == ["input", "forget", "candidate", "output"]
    for name, values in cell.gates.items():
        steps = inside(values)
        low = -0.6 if name == "candidate" else 0.3
        expected = Saturation((steps < low).mean(), (steps > 0.6).mean())
        assert found[name] == pytest.approx(expected)
        assert 0 < found[name].low < 1
        assert 0 < found[name].high < 1


def test_a_candidate_without_bounds_does_not_saturate(cell):
    assert list(saturation(replace(cell, bounded=False))) == ["input", "forget", "output"]


def test_saturation_looks_at_a_tenth_by_default(cell):
    assert saturation(cell) == saturation(cell, low=0.1, high=0.9)


def test_time_constants_are_those_of_a_memory_that_fades(cell):
    """A memory that keeps the share f a step is at 1/e after as many steps."""
    steps = time_constants(cell)
    kept = inside(cell.gates["forget"]).mean(0)
    np.testing.assert_allclose(kept ** steps.numpy(), math.exp(-1), rtol=1e-5)


def test_time_constants_at_the_ends_of_a_gate(cell):
    gate = torch.tensor([0.0, 0.5, 1.0]).expand(2, 4, 3)
    ends = replace(cell, gates={"update": gate}, keep_gate="update")
    assert time_constants(ends).tolist() == [0.0, pytest.approx(1 / math.log(2)), math.inf]
    assert time_constants(replace(cell, keep_gate=None)) is None


def test_correlations_are_pearsons(cell):
    signal = torch.randn(2, 4)
    found = correlations(cell.memory, signal, cell.mask)
    for unit in range(3):
        expected = np.corrcoef(inside(cell.memory)[:, unit], inside(signal.unsqueeze(-1))[:, 0])[0, 1]
        assert float(found[unit]) == pytest.approx(expected, abs=1e-6)


def test_what_does_not_change_correlates_with_nothing(cell):
    constant = torch.full((2, 4, 3), 0.1)
    assert correlations(constant, positions(cell), cell.mask).tolist() == [0, 0, 0]
    assert correlations(cell.memory, torch.full((2, 4), 1 / 3), cell.mask).tolist() == [0, 0, 0]


def test_position_and_remaining_length(cell):
    assert positions(cell).tolist() == [[0, 1, 2, 3]] * 2
    assert remaining(cell)[cell.mask].tolist() == [3, 2, 1, 0, 1, 0]


def test_units_that_follow_a_signal_are_ranked_first_up_or_down(cell):
    memory = cell.memory.clone()
    memory[..., 2] = -5 * positions(cell) + 3
    memory[..., 0] = positions(cell) + torch.tensor([0.5, -0.5, 0, 0.3])
    first = replace(cell, cell=memory)
    second = replace(cell, name="decoder 2", cell=None, hidden=memory.flip(-1))
    found = ranked([(own, positions(own)) for own in (first, second)], 3)
    assert [(unit.cell, unit.number) for unit in found] == [("decoder 1", 2), ("decoder 2", 0), ("decoder 1", 0)]
    assert [unit.correlation for unit in found[:2]] == [pytest.approx(-1), pytest.approx(-1)]
    assert 0 < found[2].correlation < 1


def test_a_probe_is_a_number_for_each_step(cell):
    assert probe(cell, [[1.0, 0.0, 0.0, 2.0], [3.0, 4.0]]).tolist() == [[1, 0, 0, 2], [3, 4, 0, 0]]


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        ([[1.0, 2.0, 3.0], [1.0, 2.0]], "probe must have 4 numbers, one for each step of decoder 1, but has 3."),
        (
            [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0]],
            "probe must have 2 numbers, one for each step of decoder 1, but has 3.",
        ),
        ([[1.0, 2.0, 3.0, 4.0]], "probe must have a signal for each of 2 sentences, but has 1."),
    ],
)
def test_a_probe_of_another_length_is_refused(cell, signals, message):
    with pytest.raises(UserError) as caught:
        probe(cell, signals)
    assert str(caught.value) == message


def test_entropy_and_coverage_are_those_of_the_weights(build_model):
    found = trace(build_model(), torch.tensor([[5, 6, 7, 3]]), torch.tensor([4]), torch.tensor([[2, 4, 5, 3]]))
    torch.testing.assert_close(coverage(found).sum(1), torch.tensor([3.0]))
    weights = [torch.tensor([[1.0, 0, 0, 0]]), torch.full((1, 4), 0.25), torch.zeros(1, 4)]
    known = replace(found, weights=torch.stack(weights, 1))
    assert attention_entropy(known).tolist() == [[0, pytest.approx(math.log(4)), 0]]
    assert coverage(known).tolist() == [[1.25, 0.25, 0.25, 0.25]]
