import pytest
import torch
from torch import nn

from seq2seq.layers.recurrent.cells import LSTMCell, LSTMState
from seq2seq.layers.recurrent.scan import scan
from seq2seq.masking import length_mask

INPUT_SIZE, HIDDEN_SIZE, BATCH, TIME = 3, 5, 4, 6
LENGTHS = torch.tensor([6, 1, 4, 2])


def inputs(dtype=torch.float32) -> torch.Tensor:
    return torch.randn(BATCH, TIME, INPUT_SIZE, dtype=dtype, requires_grad=True)


def state(dtype=torch.float32) -> LSTMState:
    return LSTMState(*(torch.randn(BATCH, HIDDEN_SIZE, dtype=dtype, requires_grad=True) for _ in range(2)))


def all_steps() -> torch.Tensor:
    return torch.ones(BATCH, TIME, dtype=torch.bool)


def rough_cell() -> LSTMCell:
    """A cell whose four biases and matrices all differ, so that a gate in the wrong place shows."""
    cell = LSTMCell(INPUT_SIZE, HIDDEN_SIZE)
    for weight in cell.parameters():
        nn.init.normal_(weight, std=0.5)
    return cell


def gradients(outputs: torch.Tensor, of: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Of a loss that weighs every output differently."""
    weights = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    return torch.autograd.grad((outputs * weights).sum(), of)


def test_scan_equals_torch_lstm_with_copied_weights():
    cell, sequence, first = rough_cell(), inputs(), state()
    reference = nn.LSTM(INPUT_SIZE, HIDDEN_SIZE, batch_first=True)
    reference.load_state_dict(cell.kernel.state_dict())
    outputs, last, _ = scan(cell, sequence, first, all_steps())
    expected, (hidden, memory) = reference(sequence, tuple(part.unsqueeze(0) for part in first))
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(last, LSTMState(hidden[0], memory[0]))
    ours = gradients(outputs, [sequence, *first, *cell.parameters()])
    theirs = gradients(expected, [sequence, *first, *reference.parameters()])
    torch.testing.assert_close(ours, theirs)


def test_fused_unroll_equals_scan_in_values_and_gradients():
    cell, sequence, first = rough_cell(), inputs(), state()
    wanted = [sequence, *first, *cell.parameters()]
    stepwise, _, _ = scan(cell, sequence, first, all_steps())
    fused = cell.unroll(sequence, first)
    torch.testing.assert_close(fused, stepwise)
    torch.testing.assert_close(gradients(fused, wanted), gradients(stepwise, wanted))


@pytest.mark.parametrize("path", ["scan", "unroll"])
def test_gradients_are_those_of_the_values(path):
    cell = rough_cell().double()
    arguments = (
        inputs(torch.float64)[:2, :3].detach().requires_grad_(),
        *(s[:2].detach().requires_grad_() for s in state(torch.float64)),
    )

    def run(sequence, hidden, memory, *_):
        if path == "unroll":
            return cell.unroll(sequence, LSTMState(hidden, memory))
        outputs, last, _ = scan(cell, sequence, LSTMState(hidden, memory), torch.ones(2, 3, dtype=torch.bool))
        return outputs, *last

    assert torch.autograd.gradcheck(run, (*arguments, *cell.parameters()))


def test_masked_steps_leave_the_state_untouched():
    cell, sequence, first = rough_cell(), inputs(), state()
    outputs, last, _ = scan(cell, sequence, first, length_mask(LENGTHS, TIME))
    for row, length in enumerate(LENGTHS.tolist()):
        alone = LSTMState(*(part[row : row + 1] for part in first))
        expected, expected_last, _ = scan(cell, sequence[row : row + 1, :length], alone, all_steps()[:1, :length])
        torch.testing.assert_close(outputs[row : row + 1, :length], expected)
        torch.testing.assert_close([part[row : row + 1] for part in last], list(expected_last))
        assert torch.equal(outputs[row, length:], outputs[row, length - 1].expand(TIME - length, -1))


def test_a_sentence_masked_from_the_start_keeps_its_first_state():
    cell, first = rough_cell(), state()
    _, last, _ = scan(cell, inputs(), first, ~all_steps())
    assert torch.equal(last.hidden, first.hidden)
    assert torch.equal(last.cell, first.cell)


def test_masked_inputs_get_no_gradient():
    cell, sequence = rough_cell(), inputs()
    mask = length_mask(LENGTHS, TIME)
    outputs, _, _ = scan(cell, sequence, state(), mask)
    (gradient,) = gradients(outputs, [sequence])
    assert torch.equal(gradient.abs().sum(-1) > 0, mask)


def test_gates_are_those_that_made_the_state():
    cell, first = rough_cell(), state()
    projected = cell.project(inputs())[:, 0]
    last, gates = cell(projected, first)
    for gate in (gates.input, gates.forget, gates.output):
        assert gate.gt(0).all()
        assert gate.lt(1).all()
    assert gates.candidate.abs().lt(1).all()
    torch.testing.assert_close(last.cell, gates.forget * first.cell + gates.input * gates.candidate)
    torch.testing.assert_close(last.hidden, gates.output * last.cell.tanh())


def test_scan_shows_the_gates_of_every_step():
    cell, sequence, first = rough_cell(), inputs(), state()
    _, _, history = scan(cell, sequence, first, all_steps())
    assert len(history) == TIME
    carried = first
    for step, gates in enumerate(history):
        carried, expected = cell(cell.project(sequence[:, step]), carried)
        torch.testing.assert_close(gates, expected)


def test_projecting_a_sequence_is_projecting_every_step():
    cell, sequence = rough_cell(), inputs()
    steps = torch.stack([cell.project(step) for step in sequence.unbind(1)], 1)
    torch.testing.assert_close(cell.project(sequence), steps)
    assert sequence.shape[-1] == cell.input_size
    assert steps.shape[-1] == cell.projected_size


@pytest.mark.parametrize("forget_bias", [1.0, -2.0])
def test_only_the_forget_gate_starts_with_a_bias(forget_bias):
    cell = LSTMCell(INPUT_SIZE, HIDDEN_SIZE, forget_bias=forget_bias)
    biases = cell.project(torch.zeros(1, INPUT_SIZE))
    expected = torch.zeros(1, 4 * HIDDEN_SIZE)
    expected[:, HIDDEN_SIZE : 2 * HIDDEN_SIZE] = forget_bias
    torch.testing.assert_close(biases, expected)


def test_the_forget_bias_is_one_unless_told():
    _, gates = LSTMCell(INPUT_SIZE, HIDDEN_SIZE)(torch.zeros(1, 4 * HIDDEN_SIZE), LSTMState(*torch.zeros(2, 1, 5)))
    torch.testing.assert_close(gates.forget, torch.full((1, 5), 0.5))
    cell = LSTMCell(INPUT_SIZE, HIDDEN_SIZE)
    _, gates = cell(cell.project(torch.zeros(1, INPUT_SIZE)), LSTMState(*torch.zeros(2, 1, HIDDEN_SIZE)))
    torch.testing.assert_close(gates.forget, torch.ones(1, HIDDEN_SIZE).sigmoid())


def test_recurrent_matrices_start_orthogonal():
    gates = LSTMCell(INPUT_SIZE, 8).kernel.weight_hh_l0.detach().view(4, 8, 8)
    # Products of rows from a QR in float32 are right to a few 1e-7.
    torch.testing.assert_close(gates @ gates.mT, torch.eye(8).expand(4, 8, 8), atol=1e-5, rtol=0)


def test_start_is_zero_for_as_many_sentences_of_the_same_type():
    first = LSTMCell(INPUT_SIZE, HIDDEN_SIZE).start(torch.randn(7, 2, dtype=torch.float64))
    for part in first:
        assert torch.equal(part, torch.zeros(7, HIDDEN_SIZE, dtype=torch.float64))
