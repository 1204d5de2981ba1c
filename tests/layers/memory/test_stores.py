"""Memories: hard pushes and pops are those of Python's own list and deque, soft ones those of the equations."""

from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from seq2seq.errors import UserError
from seq2seq.layers.memory.neural import NeuralQueue, NeuralStack
from seq2seq.layers.memory.superposition import SuperposedStack

WIDTH, DEPTH = 2, 6
PROGRAMS = some.lists(some.tuples(some.booleans(), some.booleans()), min_size=1, max_size=30)  # push, pop


def run(store, steps):
    """What is read after each of some steps, (shares, value)."""
    contents, found = torch.zeros(store.size), []
    for shares, value in steps:
        contents, read = store.advance(contents, torch.tensor(shares), torch.as_tensor(value, dtype=torch.float32))
        found.append(read)
    return found, contents


@pytest.mark.parametrize(("kind", "pop"), [(NeuralStack, list.pop), (NeuralQueue, deque.popleft)])
@given(program=PROGRAMS)
@settings(max_examples=50, deadline=None)
def test_hard_programs_are_python_s(kind, pop, program):
    ours, theirs, steps, wanted = kind(width=WIDTH, depth=40), deque() if kind is NeuralQueue else [], [], []
    for number, (pushes, pops) in enumerate(program, 1):
        value = [float(number), -float(number)]
        steps.append(([float(pushes), float(pops)], value))
        if pops and theirs:
            pop(theirs)
        if pushes:
            theirs.append(value)
        front = (theirs[0] if kind is NeuralQueue else theirs[-1]) if theirs else [0.0, 0.0]
        wanted.append(torch.tensor(front))
    found, _ = run(ours, steps)
    for read, expected in zip(found, wanted, strict=True):
        assert torch.equal(read, expected)


@given(program=PROGRAMS)
@settings(max_examples=40, deadline=None)
def test_what_was_popped_makes_room(program):
    """Only what is there at once has to fit, however much is ever pushed."""
    wide, steps, most, held = NeuralStack(width=1, depth=60), [], 0, 0
    for number, (pushes, pops) in enumerate(program, 1):
        held = max(0, held - pops) + pushes
        most = max(most, held)
        steps.append(([float(pushes), float(pops)], [float(number)]))
    narrow = NeuralStack(width=1, depth=most + 1)
    for first, second in zip(run(wide, steps)[0], run(narrow, steps)[0], strict=True):
        assert torch.equal(first, second)


def test_the_worked_case_of_the_paper():
    """Grefenstette et al. 2015, figure 1: strengths and readings of a stack after three steps."""
    stack, values = NeuralStack(width=3, depth=3), torch.eye(3)
    steps = [([0.8, 0.0], values[0]), ([0.5, 0.1], values[1]), ([0.9, 0.9], values[2])]
    (first, second, third), contents = run(stack, steps)
    torch.testing.assert_close(first, torch.tensor([0.8, 0.0, 0.0]))
    torch.testing.assert_close(second, torch.tensor([0.5, 0.5, 0.0]))
    torch.testing.assert_close(third, torch.tensor([0.1, 0.0, 0.9]))
    torch.testing.assert_close(contents[:3], torch.tensor([0.3, 0.0, 0.9]))


def test_superposed_hard_programs_are_a_list():
    stack, held = SuperposedStack(width=1, depth=DEPTH), []
    contents, draw = torch.zeros(stack.size), torch.Generator().manual_seed(3)
    for number in range(1, 60):
        action = int(torch.randint(3, (), generator=draw))
        contents, read = stack.advance(contents, torch.eye(3)[action], torch.tensor([float(number)]))
        if action == 0:
            held = [*held, float(number)][-DEPTH:]
        elif action == 1:
            held = held[:-1]
        assert read.item() == (held[-1] if held else 0.0)


@pytest.mark.parametrize("kind", [NeuralStack, NeuralQueue])
def test_no_more_than_one_is_read(kind):
    store = kind(width=1, depth=DEPTH)
    steps = [(torch.rand(2).tolist(), [1.0]) for _ in range(40)]
    found, contents = run(store, steps)
    assert all(0 <= float(read) <= 1 + 1e-6 for read in found)
    assert (contents[:DEPTH] >= 0).all()


@pytest.mark.parametrize("kind", [NeuralStack, NeuralQueue])
def test_gradients_away_from_the_kinks_are_those_of_the_values(kind):
    store = kind(width=WIDTH, depth=4)
    given_ = [torch.rand(3, size, dtype=torch.float64, requires_grad=True) for size in (store.size, 2, WIDTH)]
    assert torch.autograd.gradcheck(store.advance, given_)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 0, "depth": 2}, "width must be at least 1, but is 0."),
        ({"width": 2, "depth": 0}, "depth must be at least 1, but is 0."),
    ],
)
def test_a_memory_without_room_is_told(sizes, message):
    with pytest.raises(UserError) as error:
        NeuralStack(**sizes)
    assert str(error.value) == message
