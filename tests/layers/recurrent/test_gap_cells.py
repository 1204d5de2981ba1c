"""Laws and equations of the cells that read gaps."""

import math
from functools import partial

import pytest
import torch
from test_cells import (  # noqa: F401  laws of every cell, which hold for these, too
    BATCH,
    HIDDEN_SIZE,
    TIME,
    test_a_first_state_is_made_of_the_parts_that_are_read,
    test_a_gate_s_bias_opens_that_gate_alone,
    test_a_sentence_masked_from_the_start_keeps_its_first_state,
    test_a_step_reads_those_parts_of_a_state_that_its_layout_says,
    test_company_and_order_change_nothing,
    test_every_parameter_learns,
    test_gates_and_memory_are_float32_whatever_products_are_computed_in,
    test_gates_that_nobody_asked_for_are_gone_after_their_step,
    test_gradient_norms_of_gates_make_up_the_cell_s,
    test_half_precision_keeps_the_memory_in_full,
    test_masked_inputs_get_no_gradient,
    test_masked_steps_leave_the_state_untouched,
    test_projecting_a_sequence_is_projecting_every_step,
    test_scan_shows_the_gates_of_every_step,
    test_start_is_zero_for_as_many_sentences_of_the_same_type,
    test_the_visible_path_equals_the_fast_one,
    test_under_float64_all_is_float64,
    test_unroll_equals_repeated_step_in_values_and_gradients,
)
from tiny_models import GAP_CELLS

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.cells.gru_d import GRUDCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.cells.phased_lstm import PhasedLSTMCell
from seq2seq.layers.recurrent.cells.time_lstm import TimeLSTMCell
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.layers.recurrent.scan import scan
from seq2seq.layers.recurrent.stack import RecurrentStack, StackOptions
from seq2seq.layers.recurrent.state import HiddenState, LSTMState

SIZE, GAPS = 4, 3


@pytest.fixture(params=GAP_CELLS)
def gap_kind(request):
    return GAP_CELLS[request.param]


@pytest.fixture
def cell_kind(gap_kind):
    return partial(gap_kind, gap_size=2)


@pytest.fixture
def cell(cell_kind, rough):
    return rough(cell_kind(3, HIDDEN_SIZE))


@pytest.fixture
def first(cell, random_state):
    return random_state(cell, BATCH)


@pytest.fixture
def sequence():
    return with_gaps(torch.randn(BATCH, TIME, 1), torch.rand(BATCH, TIME, 2) + 0.1).requires_grad_()


def with_gaps(vectors, gaps):
    return torch.cat([vectors, gaps], -1)


def some(size: int = SIZE, batch: int = 3, time: int = 5):
    """Vectors with gaps of whole numbers."""
    return torch.cat([torch.randn(batch, time, size), torch.randint(0, 9, (batch, time, GAPS)).float()], -1)


def sums(cell, name, vectors, hidden):
    gate = cell.gates[name]
    return vectors @ gate.input.T + hidden @ gate.recurrent.T + gate.bias


def test_gradients_are_those_of_the_values_over_gaps(cell_kind, rough, random_state):
    cell = rough(cell_kind(4, 3)).double()
    vectors, gaps = torch.randn(2, 3, 2, dtype=torch.float64), torch.rand(2, 3, 2, dtype=torch.float64)
    state = random_state(cell, 2, torch.float64)

    def run(sequence, *rest):
        outputs, last = cell.unroll(sequence, type(state)(*rest[: len(state)]))
        return outputs, *last

    given = with_gaps(vectors, gaps).requires_grad_()
    assert torch.autograd.gradcheck(run, (given, *state, *cell.parameters()))


@pytest.mark.parametrize("fading", ["logarithmic", "hyperbolic"])
def test_without_gaps_the_t_lstm_is_the_lstm_bit_for_bit(rough, random_state, fading):
    cell = rough(TimeLSTMCell(SIZE + GAPS, SIZE, gap_size=GAPS, fading=fading))
    plain, kernel = LSTMVariant(SIZE, SIZE), LSTMCell(SIZE, SIZE)
    plain.load_state_dict({name: cell.state_dict()[name] for name in plain.state_dict()})
    for name, gate in cell.gates.items():
        for own, given in ((kernel.gates[name].input, gate.input), (kernel.gates[name].recurrent, gate.recurrent)):
            own.copy_(given)
        kernel.gates[name].set_bias(gate.bias)
    inputs, first = some(), random_state(plain, 3)
    inputs[..., SIZE] = 0
    found = cell.unroll(inputs, first)
    wanted = plain.unroll(inputs[..., :SIZE], first)
    for own, given in zip((found[0], *found[1]), (wanted[0], *wanted[1]), strict=True):
        assert torch.equal(own, given)
    torch.testing.assert_close(found, kernel.unroll(inputs[..., :SIZE], first))
    inputs[..., SIZE] = 3
    assert not torch.allclose(cell.unroll(inputs, first)[0], wanted[0])


@pytest.mark.parametrize(
    ("fading", "left"),
    [("logarithmic", lambda gap: 1 / (math.e + gap).log()), ("hyperbolic", lambda gap: 1 / (1 + gap))],
)
@torch.no_grad()
def test_the_t_lstm_by_its_equations(rough, random_state, fading, left):
    cell = rough(TimeLSTMCell(SIZE + GAPS, SIZE, gap_size=GAPS, fading=fading))
    x, (h, c) = some()[:, 0], random_state(cell, 3)
    short = torch.tanh(c @ cell.short_weight.T + cell.short_bias)
    faded = c - short + left(x[:, SIZE : SIZE + 1]) * short
    i, f, g, o = (sums(cell, name, x[:, :SIZE], h) for name in ("input", "forget", "candidate", "output"))
    memory = f.sigmoid() * faded + i.sigmoid() * g.tanh()
    torch.testing.assert_close(cell.step(x, LSTMState(h, c)), LSTMState(o.sigmoid() * memory.tanh(), memory))


@torch.no_grad()
def test_gru_d_by_its_equations(rough, random_state):
    cell = rough(GRUDCell(SIZE + GAPS, SIZE, gap_size=GAPS))
    x, (h,) = some()[:, 0], random_state(cell, 3)
    kept = torch.exp(-(x[:, SIZE + 1 :] @ cell.decay_weight.T + cell.decay_bias).clamp(min=0))
    faded = kept * h
    z = sums(cell, "update", x[:, :SIZE], faded).sigmoid()
    r = sums(cell, "reset", x[:, :SIZE], faded).sigmoid()
    candidate = sums(cell, "candidate", x[:, :SIZE], r * faded).tanh()
    torch.testing.assert_close(cell.step(x, HiddenState(h)).hidden, z * faded + (1 - z) * candidate)


@torch.no_grad()
def test_the_phased_lstm_by_its_equations_and_the_time_itself(rough, random_state):
    cell = rough(PhasedLSTMCell(SIZE + GAPS, SIZE, gap_size=GAPS, leak=0.1))
    inputs = some(time=40).double()
    cell = cell.double()
    plain = LSTMVariant(SIZE, SIZE).double()
    plain.load_state_dict({name: cell.state_dict()[name] for name in plain.state_dict()})
    for training in (True, False):
        cell.train(training)
        outputs, _ = cell.unroll(inputs, cell.start(inputs[:, 0]))
        state, time = plain.start(inputs[:, 0]), torch.zeros(3, 1, dtype=torch.double)
        period, share = cell.log_period.exp(), cell.open_logit.sigmoid()
        for step, now in enumerate(inputs.unbind(1)):
            time = time + now[:, SIZE : SIZE + 1]
            phase = ((time - cell.shift * period) % period) / period
            closed = 0.1 * phase if training else 0 * phase
            k = torch.where(phase < share, 2 - 2 * phase / share, closed)
            k = torch.where(phase < share / 2, 2 * phase / share, k)
            new = plain.step(now[:, :SIZE], state)
            state = LSTMState(*(k * after + (1 - k) * before for after, before in zip(new, state, strict=True)))
            torch.testing.assert_close(outputs[:, step], state.hidden)


@pytest.mark.parametrize("kind", [GRUDCell, PhasedLSTMCell, TimeLSTMCell])
def test_dropped_units_are_those_that_weights_read(rough, random_state, kind):
    """With a mask of ones nothing changes, and with one of zeros as much is kept as without."""
    cell = rough(kind(SIZE + GAPS, SIZE, gap_size=GAPS)).eval()
    projected, state = cell.project(some()[:, 0]), random_state(cell, 3)
    whole, none = cell(projected, state, torch.ones(3, SIZE)), cell(projected, state, torch.zeros(3, SIZE))
    torch.testing.assert_close(whole, cell(projected, state))
    with torch.no_grad():
        cell.recurrent_weight.zero_()
    torch.testing.assert_close(none, cell(projected, state))


@pytest.mark.parametrize("cuts", [[1] * 13, [2, 0, 7, 4]], ids=["single", "few"])
@pytest.mark.parametrize("connection", ["none", "dense", "highway"])
def test_any_cut_of_a_stream_gives_what_the_whole_gives_over_gaps(gap_kind, cuts, connection):
    options = StackOptions(
        SIZE, 2, LSTMCell, gap_cell=gap_kind, connection=connection, dropout=0.0, direction="forward"
    )
    layers = RecurrentStack(SIZE, options, GAPS).double().eval()
    given, lengths = some(time=13).double(), torch.tensor([13, 8, 1])
    whole, state, found, start = layers(given, lengths), layers.start(given[:, 0]), [], 0
    for size in cuts:
        left = (lengths - start).clamp(0, size)
        encoded, state = layers.advance(given[:, start : start + size], left, state, torch.zeros(3, dtype=torch.bool))
        found.append(encoded.values)
        start += size
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(torch.cat(found, 1)[row, :length], whole.values[row, :length])
    torch.testing.assert_close(encoded.last, whole.last)
    longer = given.clone()
    longer[..., SIZE:] *= 2
    assert not torch.allclose(layers(longer, lengths).last, whole.last)


def test_gates_are_shares(cell, sequence, first):
    assert cell.keep_gate in cell.gates
    for gates in scan(cell, cell.project(sequence), first, keep_gates=True)[2]:
        assert gates._fields[-1] in ("discount", "decay", "time")
        assert all(
            gate.ge(0).all() and gate.le(1).all() for name, gate in gates._asdict().items() if name != "candidate"
        )


MISTAKES = [
    (
        lambda: TimeLSTMCell(5, 4),
        "gap_size must be at least 2, the gap before each step and that of a feature, but is 0",
    ),
    (lambda: TimeLSTMCell(5, 4, gap_size=2, fading="x"), "fading must be one of logarithmic, hyperbolic, but is 'x'."),
    (
        lambda: PhasedLSTMCell(5, 4, gap_size=2, shortest_period=0.0),
        "shortest_period must be above 0 and not above longest_period, which is 100.0, but is 0.0.",
    ),
    (lambda: PhasedLSTMCell(5, 4, gap_size=2, open_share=1.0), "open_share must be above 0 and below 1, but is 1.0."),
    (lambda: PhasedLSTMCell(5, 4, gap_size=2, leak=-1.0), "leak must be at least 0 and below 1, but is -1.0."),
    (
        lambda: PhasedLSTMCell(
            5, 4, gap_size=2, options=GatedCellOptions(regularization=Regularization(zoneout_cell=0.1))
        ),
        "regularization must leave zoneout_cell at 0 for a cell whose state has clocks, but has 0.1",
    ),
    (
        lambda: RecurrentStack(3, StackOptions(4, 2, LSTMCell, gap_cell=GRUDCell), 1),
        "direction must be forward with a gap_cell, as gaps are before each step, but is both.",
    ),
    (
        lambda: RecurrentStack(3, StackOptions(4, 2, LSTMCell, gap_cell=GRUDCell, direction="forward", halvings=1), 1),
        "halvings must be 0 with a gap_cell, which reads a gap for each step, but is 1.",
    ),
]


@pytest.mark.parametrize(("build", "message"), MISTAKES, ids=[message[:30] for _, message in MISTAKES])
def test_mistakes_are_told_by_the_parameter(build, message):
    with pytest.raises(UserError) as error:
        build()
    assert str(error.value).startswith(message)
