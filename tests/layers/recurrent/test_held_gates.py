"""Laws of the one way that the gates of every cell go, where they can be set."""

from functools import partial

import pytest
import torch
from tiny_models import CELLS, GAP_CELLS

from seq2seq.layers.recurrent.scan import scan

INPUT_SIZE, HIDDEN_SIZE, BATCH, TIME = 3, 4, 2, 5
KINDS = CELLS | {name: partial(kind, gap_size=2) for name, kind in GAP_CELLS.items()}
# Gates of these follow from another, which can be set.
DERIVED = {"min_lstm": {"input"}, "lstm_coupled": {"input"}, "time_lstm": {"discount"}}


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return request.param


@pytest.fixture
def cell(kind, rough):
    wide = INPUT_SIZE + (2 if kind in GAP_CELLS else 0)
    return rough(KINDS[kind](wide, HIDDEN_SIZE)).eval()


@pytest.fixture
def inputs(cell):
    return torch.rand(BATCH, TIME, cell.input_size)


@pytest.fixture
def run(cell, inputs, random_state):
    """Outputs, last state and gates of the visible path from one and the same state."""
    first = random_state(cell, BATCH)
    return torch.no_grad()(lambda: scan(cell, cell.project(inputs), first, keep_gates=True))


def noted(cell, run):
    seen = []
    cell.hold = lambda name, own: seen.append((name, own)) or own
    found = run()
    del cell.hold
    return seen, found


def same(one, other):
    return all(torch.equal(*pair) for pair in zip((one[0], *one[1]), (other[0], *other[1]), strict=True))


def test_every_gate_that_a_step_shows_can_be_set_or_follows_from_one(kind, cell, run):
    seen, (_, _, gates) = noted(cell, run)
    assert {name for name, _ in seen} - {"peepholes"} == set(gates[0]._fields) - DERIVED.get(kind, set())


def test_gates_that_are_set_to_what_they_are_change_nothing(cell, run):
    plain = run()
    seen, looked_at = noted(cell, run)
    waiting = iter(seen)
    cell.hold = lambda name, own: next(value.clone() for known, value in [next(waiting)] if known == name)
    assert same(plain, looked_at)
    assert same(plain, run())
    del cell.hold
    assert same(plain, run())


def test_each_gate_that_is_set_changes_what_comes_out_and_is_shown(cell, run):
    plain = run()
    for name in {name for name, _ in noted(cell, run)[0]}:
        cell.hold = lambda gate, own, name=name: torch.full_like(own, 0.3) if gate == name else own
        changed = run()
        assert not same(plain, changed), name
        if name in changed[2][0]._fields and changed[2][0]._fields != ("carry", "candidate"):  # a product over layers
            assert (getattr(changed[2][-1], name) == 0.3).all(), name
        del cell.hold
