"""Laws of every cell."""

import math
import weakref

import pytest
import torch

from seq2seq.layers.recurrent.cells.coupled import CoupledLSTMCell
from seq2seq.layers.recurrent.cells.highway import RecurrentHighwayCell
from seq2seq.layers.recurrent.cells.memory import SuperpositionCell
from seq2seq.layers.recurrent.cells.min_lstm import MinLSTMCell
from seq2seq.layers.recurrent.cells.peephole import PeepholeLSTMCell
from seq2seq.layers.recurrent.scan import scan
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.masking import length_mask

INPUT_SIZE, HIDDEN_SIZE, BATCH, TIME = 3, 5, 4, 6
LENGTHS = torch.tensor([6, 1, 4, 2])
SHARED = {MinLSTMCell: {"input", "forget"}, SuperpositionCell: {"push", "pop", "keep"}}


@pytest.fixture
def cell(cell_kind, rough):
    return rough(cell_kind(INPUT_SIZE, HIDDEN_SIZE))


@pytest.fixture
def first(cell, random_state):
    return random_state(cell, BATCH)


@pytest.fixture
def sequence():
    return torch.randn(BATCH, TIME, INPUT_SIZE, requires_grad=True)


def test_unroll_equals_repeated_step_in_values_and_gradients(cell, sequence, first, gradients):
    outputs, last = cell.unroll(sequence, first)
    stepwise, state = [], first
    for inputs in sequence.unbind(1):
        state = cell.step(inputs, state)
        stepwise.append(state.hidden)
    torch.testing.assert_close(outputs, torch.stack(stepwise, 1))
    torch.testing.assert_close(last, state)
    wanted = [sequence, *first, *cell.parameters()]
    torch.testing.assert_close(gradients(outputs, wanted), gradients(torch.stack(stepwise, 1), wanted))


def test_the_visible_path_equals_the_fast_one(cell, sequence, first, gradients):
    wanted = [sequence, *first, *cell.parameters()]
    fast, last = cell.unroll(sequence, first)
    fast_gradients = gradients(fast, wanted)
    cell.fused = False
    visible, visible_last = cell.unroll(sequence, first)
    torch.testing.assert_close(visible, fast)
    torch.testing.assert_close(visible_last, last)
    torch.testing.assert_close(gradients(visible, wanted), fast_gradients)


def test_gradients_are_those_of_the_values(cell_kind, rough, random_state, ways):
    cell = rough(cell_kind(2, 3)).double()
    sequence = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    state = random_state(cell, 2, torch.float64)

    def run(sequence, *rest):
        outputs, last = cell.unroll(sequence, type(state)(*rest[: len(state)]))
        return outputs, *last

    for fused in ways(cell):
        cell.fused = fused
        assert torch.autograd.gradcheck(run, (sequence, *state, *cell.parameters()))


def test_masked_steps_leave_the_state_untouched(cell, sequence, first):
    outputs, last, _ = scan(cell, cell.project(sequence), first, length_mask(LENGTHS, TIME))
    for row, length in enumerate(LENGTHS.tolist()):
        own = type(first)(*(part[row : row + 1] for part in first))
        expected, expected_last, _ = scan(cell, cell.project(sequence[row : row + 1, :length]), own)
        torch.testing.assert_close(outputs[row : row + 1, :length], expected)
        torch.testing.assert_close([part[row : row + 1] for part in last], list(expected_last))
        assert torch.equal(outputs[row, length:], outputs[row, length - 1].expand(TIME - length, -1))


def test_a_sentence_masked_from_the_start_keeps_its_first_state(cell, sequence, first):
    _, last, _ = scan(cell, cell.project(sequence), first, torch.zeros(BATCH, TIME, dtype=torch.bool))
    for after, before in zip(last, first, strict=True):
        assert torch.equal(after, before)


def test_masked_inputs_get_no_gradient(cell, sequence, first, gradients):
    mask = length_mask(LENGTHS, TIME)
    outputs, _, _ = scan(cell, cell.project(sequence), first, mask)
    (gradient,) = gradients(outputs, [sequence])
    assert not gradient[~mask].any()
    assert gradient[mask].any()


def test_company_and_order_change_nothing(cell, sequence, first):
    outputs, last = cell.unroll(sequence, first)
    order = torch.tensor([2, 0, 3, 1])
    shuffled, _ = cell.unroll(sequence[order], type(first)(*(part[order] for part in first)))
    torch.testing.assert_close(shuffled, outputs[order])
    alone, alone_last = cell.unroll(sequence[1:2], type(first)(*(part[1:2] for part in first)))
    torch.testing.assert_close(alone, outputs[1:2])
    torch.testing.assert_close(list(alone_last), [part[1:2] for part in last])


def test_projecting_a_sequence_is_projecting_every_step(cell, sequence):
    steps = torch.stack([cell.project(step) for step in sequence.unbind(1)], 1)
    torch.testing.assert_close(cell.project(sequence), steps)
    assert steps.shape[-1] == cell.projected_size


def test_scan_shows_the_gates_of_every_step(cell, sequence, first):
    _, _, history = scan(cell, cell.project(sequence), first, keep_gates=True)
    assert len(history) == TIME
    state = first
    for inputs, gates in zip(sequence.unbind(1), history, strict=True):
        state, expected = cell(cell.project(inputs), state)
        torch.testing.assert_close(gates, expected)


@torch.no_grad()
def test_gates_that_nobody_asked_for_are_gone_after_their_step(cell, sequence, first):
    """An observed run equals an unobserved one; only the first has the gates of all steps in memory at its end."""
    seen = []

    def watched(projected, state):
        stepped, gates = cell(projected, state)
        seen.append([weakref.ref(gate) for gate in gates if all(gate is not part for part in stepped)])
        return stepped, gates

    outputs, last, history = scan(watched, cell.project(sequence), first)
    assert history == []
    assert len(seen) == TIME
    assert all(gate() is None for gates in seen for gate in gates)
    seen.clear()
    observed = scan(watched, cell.project(sequence), first, keep_gates=True)
    assert all(gate() is not None for gates in seen for gate in gates)
    torch.testing.assert_close((outputs, last), observed[:2], rtol=0, atol=0)


def test_gates_open_between_zero_and_one(cell, sequence, first):
    _, gates = cell(cell.project(sequence[:, 0]), first)
    assert cell.keep_gate is None or cell.keep_gate in gates._fields
    for name, gate in gates._asdict().items():
        if name != "candidate":
            assert gate.gt(0).all()
            assert gate.lt(1).all()


def test_a_gate_s_bias_opens_that_gate_alone(cell_kind, sequence):
    for name in cell_kind(INPUT_SIZE, HIDDEN_SIZE).gates:
        cell = cell_kind(INPUT_SIZE, HIDDEN_SIZE)
        projected, start = sequence[:, 0], cell.start(sequence[:, 0])
        _, before = cell(cell.project(projected), start)
        cell.gates[name].set_bias(100.0)
        _, after = cell(cell.project(projected), start)
        shared = SHARED.get(type(cell), set())  # what one wins, the others lose
        least = getattr(before, name) if name in shared else torch.tensor(1.0)
        assert (getattr(after, name) >= least).all()
        derived = shared if name in shared else {"input"} - cell.gates.keys()  # a coupled gate shuts the other
        if isinstance(cell, RecurrentHighwayCell):
            derived |= {"carry"}  # that of its upper layers reads what the first one made
        for other in set(after._fields) - {name} - derived:
            torch.testing.assert_close(getattr(after, other), getattr(before, other))


def test_gradient_norms_of_gates_make_up_the_cell_s(cell, sequence, first):
    assert all(gate.gradient_norm() == 0 for gate in cell.gates.values())
    outputs, _ = cell.unroll(sequence, first)
    outputs.pow(2).sum().backward()
    by_gate = torch.stack([gate.gradient_norm() for gate in cell.gates.values()])
    view = next(iter(cell.gates.values()))
    parameters = (view.input_parameter, view.recurrent_parameter, *view.bias_parameters)
    together = torch.stack([parameter.grad.norm() for parameter in parameters if parameter is not None])
    torch.testing.assert_close(by_gate.norm(), together.norm())
    assert by_gate.gt(0).all()


def test_every_parameter_learns(cell, sequence, first):
    cell.unroll(sequence, first)[0].pow(2).sum().backward()
    for name, parameter in cell.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_a_step_reads_those_parts_of_a_state_that_its_layout_says(cell, sequence, first):
    for fused in (True, False):
        cell.fused = fused
        outputs, last = cell.unroll(sequence, first)
        loss = outputs.sum() + sum(part.sum() for part in last)
        read = [gradient is not None for gradient in torch.autograd.grad(loss, list(first), allow_unused=True)]
        assert read == [cell.layout.reads_hidden, True][: len(first)]


def test_a_first_state_is_made_of_the_parts_that_are_read(cell):
    values = torch.randn(BATCH, sum(cell.layout.free_sizes), requires_grad=True)
    state = cell.layout.split(values)
    assert [part.shape for part in state] == [(BATCH, size) for size in cell.layout.sizes]
    (gradient,) = torch.autograd.grad(cell.unroll(torch.randn(BATCH, TIME, INPUT_SIZE), state)[0].sum(), [values])
    assert gradient.ne(0).all()


def test_start_is_zero_for_as_many_sentences_of_the_same_type(cell):
    first = cell.start(torch.randn(7, 2, dtype=torch.float64))
    assert first.hidden.shape == (7, HIDDEN_SIZE)
    for part, size in zip(first, cell.layout.sizes, strict=True):
        assert torch.equal(part, torch.zeros(7, size, dtype=torch.float64))


def test_half_precision_keeps_the_memory_in_full(cell, sequence):
    with torch.autocast("cpu", torch.bfloat16):
        cell.fused = False
        outputs, last = cell.unroll(sequence, cell.start(sequence[:, 0]))
    expected, _ = cell.unroll(sequence, cell.start(sequence[:, 0]))
    torch.testing.assert_close(outputs.float(), expected, atol=0.1, rtol=0.1)
    if len(last) == 2:
        assert last.cell.dtype == torch.float32


@pytest.mark.parametrize("whole", [False, True], ids=["autocast", "weights too"])
def test_gates_and_memory_are_float32_whatever_products_are_computed_in(cell, sequence, whole):
    """And the hidden state keeps the type that it began with."""
    inputs = sequence.bfloat16()
    start = cell.start(inputs[:, 0])
    assert [part.dtype for part in start] == [torch.bfloat16, torch.float32][: len(start)]
    with torch.autocast("cpu", torch.bfloat16, enabled=not whole):
        cell = cell.bfloat16() if whole else cell
        state, gates = cell(cell.project(inputs[:, 0]), start)
        outputs, last, _ = scan(cell, cell.project(inputs), start)
    assert {part.dtype for part in gates} == {torch.float32}
    assert outputs.dtype == torch.bfloat16
    for reached in (state, last):
        assert [part.dtype for part in reached] == [part.dtype for part in start]


def test_under_float64_all_is_float64(cell, sequence):
    cell, inputs = cell.double(), sequence.double()
    state, gates = cell(cell.project(inputs[:, 0]), cell.start(inputs[:, 0]))
    assert {part.dtype for part in (*state, *gates)} == {torch.float64}


def test_a_long_memory_fades_in_half_precision_as_in_full():
    """In bfloat16 a gate above 0.998 is either 1 or 0.996: there is nothing between 256 steps and for ever."""
    cell, inputs = CoupledLSTMCell(INPUT_SIZE, HIDDEN_SIZE), torch.zeros(1, 400, INPUT_SIZE)
    with torch.no_grad():
        cell.recurrent_weight.zero_()
        cell.gates["forget"].set_bias(math.log(399))  # a time constant of 400 steps
        cell.gates["candidate"].set_bias(0.0)
    start = LSTMState(torch.zeros(1, HIDDEN_SIZE).bfloat16(), torch.ones(1, HIDDEN_SIZE))
    with torch.autocast("cpu", torch.bfloat16):
        faded = cell.unroll(inputs, start)[1].cell
    # The bias alone is rounded, from 5.9890 to 6.
    torch.testing.assert_close(faded, torch.full((1, HIDDEN_SIZE), math.exp(-1)), rtol=0.02, atol=0)


def test_a_carried_state_makes_two_halves_one(cell, sequence, first):
    whole, last = cell.unroll(sequence, first)
    left, middle = cell.unroll(sequence[:, :2], first)
    right, end = cell.unroll(sequence[:, 2:], middle)
    torch.testing.assert_close(torch.cat([left, right], 1), whole)
    torch.testing.assert_close(end, last)


def test_peepholes_start_shut():
    assert not PeepholeLSTMCell(INPUT_SIZE, HIDDEN_SIZE).peepholes.any()
