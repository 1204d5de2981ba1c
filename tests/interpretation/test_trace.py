import pytest
import torch
from torch import nn

from seq2seq.errors import UserError
from seq2seq.interpretation.trace import trace
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.memory import MemoryCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.symbols import BOS, EOS, PAD

NAMES = ["encoder 1 forward", "encoder 1 backward", "encoder 2 forward", "encoder 2 backward", "decoder 1"]

READINGS = [{"direction": "forward"}, {"block_size": 2, "lookahead": 1}, {"block_size": 1}, {"block_size": 50}]


def roughened(model: nn.Module) -> nn.Module:
    """All parameters differ, biases and peepholes too, so that nothing in the wrong place goes unseen."""
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.5)
    return model.eval()


def test_every_cell_is_found_bottom_first(build_model, pairs):
    source, lengths, target = pairs
    found = trace(build_model(decoder="gnmt"), source, lengths, target).cells
    assert list(found) == [*NAMES, "decoder 2"]
    assert [cell.name for cell in found.values()] == list(found)
    assert [cell.side for cell in found.values()] == ["source"] * 4 + ["target"] * 2


def test_a_traced_run_equals_an_untraced_one(build_model, pairs, cell_kind, any_decoder):
    source, lengths, target = pairs
    model = roughened(build_model(cell=cell_kind, decoder=any_decoder, decoder_layers=3, encoder_layers=3))
    with torch.no_grad():
        features, weights, *_ = model(source, lengths, target[:, :-1])
    found = trace(model, source, lengths, target)
    torch.testing.assert_close(found.features, features)
    for row, length in enumerate(found.target_lengths.tolist()):
        torch.testing.assert_close(found.weights[row, :length], weights[row, :length])
        assert found.weights[row, length:].abs().sum() == 0


def test_scores_are_those_of_the_next_token(build_model, pairs):
    source, lengths, target = pairs
    model = roughened(build_model())
    found = trace(model, source, lengths, target)
    assert found.target_lengths.tolist() == [4, 6, 2]
    with torch.no_grad():
        features, *_ = model(source, lengths, target[:, :-1])
    for row, length in enumerate(found.target_lengths.tolist()):
        logits = model.output.logits(features[row])
        for step in range(length):
            token = int(target[row, step + 1])
            torch.testing.assert_close(found.logits[row, step], logits[step, token])
            torch.testing.assert_close(found.log_probabilities[row, step], logits[step].log_softmax(-1)[token])
        assert found.logits[row, length:].abs().sum() == 0
        assert found.log_probabilities[row, length:].abs().sum() == 0


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_streaming_encoders_are_traced_like_others(build_model, pairs, padded, reading):
    source, lengths, target = pairs
    model = roughened(build_model(encoder_layers=3, halvings=1, **reading))
    together = trace(model, nn.functional.pad(source, (0, 2)), lengths, target)
    with torch.no_grad():
        torch.testing.assert_close(together.features, model(source, lengths, target[:, :-1])[0])
    ways = ["forward"] if "direction" in reading else ["forward", "backward"]
    assert list(together.cells)[:-1] == [f"encoder {number} {way}" for number in (1, 2, 3) for way in ways]
    for row, length in enumerate(lengths.tolist()):
        end = int((target[row] != PAD).sum())
        alone = trace(model, source[row : row + 1, :length], lengths[row : row + 1], target[row : row + 1, :end])
        for name, cell in alone.cells.items():
            other, steps = together.cells[name], int(cell.lengths[0])
            torch.testing.assert_close(other.hidden[row, :steps], cell.hidden[0])
            torch.testing.assert_close(other.hidden, other.gates["output"] * other.cell.tanh())


def test_a_backward_cell_of_blocks_is_aligned_with_the_source(build_model, pairs):
    """Step i of the trace is what reading from one step behind the block's end down to i leaves."""
    source, lengths, target = pairs
    model = roughened(build_model(block_size=2, lookahead=1))
    found = trace(model, source, lengths, target).cells["encoder 1 backward"]
    cell = model.encoder.stack.layers[0].backwards
    for row, length in enumerate(lengths.tolist()):
        for position in range(length):
            end = min(length, position // 2 * 2 + 3)
            seen = model.encoder.input(source[row : row + 1, position:end].flip(1))
            _, last = cell.unroll(seen, cell.start(seen))
            torch.testing.assert_close(found.hidden[row, position], last.hidden[0])
            torch.testing.assert_close(found.cell[row, position], last.cell[0])


def previous(cell, row: int, length: int, part: torch.Tensor) -> torch.Tensor:
    """The part of the state that each step within the length began from, as far as the trace shows it."""
    part = part[row, :length]
    if cell.name.endswith("backward"):
        return torch.cat([part[1:], part.new_zeros(1, part.shape[-1])])
    return torch.cat([part.new_full((1, part.shape[-1]), float("nan") if cell.side == "target" else 0.0), part[:-1]])


def remembered(kind: str, gates: dict[str, torch.Tensor], before: torch.Tensor) -> torch.Tensor:
    """The published equation of the memory, from its gates."""
    if kind == "ElmanCell":
        return gates["candidate"]
    if kind == "ResidualElmanCell":
        return gates["new"] * gates["candidate"] + gates["old"] * before
    if kind == "RecurrentHighwayCell":
        return gates["carry"] * before + (1 - gates["carry"]) * gates["candidate"]
    if kind in ("GRUCell", "MinGRUCell"):
        return gates["update"] * before + (1 - gates["update"]) * gates["candidate"]
    if kind in ("CoupledLSTMCell", "QRNNCell", "SRUCell"):
        return gates["forget"] * before + (1 - gates["forget"]) * gates["candidate"]
    if kind == "NoForgetLSTMCell":
        return before + gates["input"] * gates["candidate"]
    if kind == "MultiTimescaleLSTMCell":
        return gates["forget"] * before + gates["input"] * torch.cat([gates["candidate"]] * 3, -1)
    return gates["forget"] * before + gates["input"] * gates["candidate"]


def test_memory_follows_from_the_recorded_gates(build_model, pairs, cell_kind, any_decoder):
    source, lengths, target = pairs
    model = roughened(build_model(cell=cell_kind, decoder=any_decoder, encoder_layers=2))
    if isinstance(model.decoder.layers[0], MemoryCell):
        pytest.skip("what is read is of all that was pushed: test_memory_plot.py")
    for cell in trace(model, source, lengths, target).cells.values():
        for row, length in enumerate(cell.lengths.tolist()):
            gates = {name: values[row, :length] for name, values in cell.gates.items()}
            before = previous(cell, row, length, cell.memory)
            known = ~before.isnan().any(-1)
            kind = type(model.decoder.layers[0]).__name__
            torch.testing.assert_close(cell.memory[row, :length][known], remembered(kind, gates, before)[known])
            assert known.sum() == length - (cell.side == "target")


def test_hidden_is_what_the_output_gate_shows(build_model, pairs):
    source, lengths, target = pairs
    for cell in trace(roughened(build_model()), source, lengths, target).cells.values():
        torch.testing.assert_close(cell.hidden, cell.gates["output"] * cell.cell.tanh())


def test_a_backward_cell_is_aligned_with_the_source(build_model, pairs):
    """Step i of the trace is what reading the sentence's end down to i leaves."""
    source, lengths, target = pairs
    model = roughened(build_model())
    found = trace(model, source, lengths, target).cells["encoder 1 backward"]
    cell = model.encoder.stack.layers[0].backwards
    for row, length in enumerate(lengths.tolist()):
        for position in range(length):
            seen = model.encoder.input(source[row : row + 1, position:length].flip(1))
            outputs, last = cell.unroll(seen, cell.start(seen))
            torch.testing.assert_close(found.hidden[row, position], last.hidden[0])
            torch.testing.assert_close(found.cell[row, position], last.cell[0])


def test_padding_and_company_change_nothing(build_model, pairs, padded, cell_kind, any_decoder):
    source, lengths, target = pairs
    model = roughened(build_model(cell=cell_kind, decoder=any_decoder))
    together = trace(model, nn.functional.pad(source, (0, 2)), lengths, nn.functional.pad(target, (0, 3)))
    for row, length in enumerate(lengths.tolist()):
        end = int((target[row] != PAD).sum())
        alone = trace(model, source[row : row + 1, :length], lengths[row : row + 1], target[row : row + 1, :end])
        for name, cell in alone.cells.items():
            other, steps = together.cells[name], int(cell.lengths[0])
            assert int(other.lengths[row]) == steps == cell.hidden.shape[1]
            assert other.gates.keys() == cell.gates.keys()
            values = torch.cat([*cell.gates.values(), cell.hidden, cell.memory], -1)[0]
            others = torch.cat([*other.gates.values(), other.hidden, other.memory], -1)[row]
            torch.testing.assert_close(others[:steps], values)
            assert not others[steps:].any()
        torch.testing.assert_close(together.weights[row, : end - 1, :length], alone.weights[0])
        torch.testing.assert_close(together.log_probabilities[row, : end - 1], alone.log_probabilities[0])


def settings(model: nn.Module) -> list:
    """All that a trace must leave as it was."""
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]
    fused = [module.fused for module in model.modules() if isinstance(module, Cell)]
    return [hooks, fused, [module.training for module in model.modules()]]


@pytest.mark.parametrize("failing", [False, True])
def test_the_model_is_left_as_it_was(build_model, pairs, monkeypatch, failing):
    source, lengths, target = pairs
    model = build_model(decoder="gnmt", dropout=0.5, decoder_dropout=0.5).train()
    model.encoder.eval()
    model.decoder.upper[0].fused = False
    model.encoder.input.embedding.table.register_forward_hook(lambda *_: None)
    before = settings(model)
    if failing:
        monkeypatch.setattr(model.output, "logits", lambda rows: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            trace(model, source, lengths, target)
    else:
        found = trace(model, source, lengths, target)
        torch.testing.assert_close(trace(model, source, lengths, target).features, found.features)  # no dropout
        assert not found.features.requires_grad
    assert settings(model) == before


def test_weight_drop_and_zoneout_do_not_touch_a_trace_in_training(build_model, pairs):
    source, lengths, target = pairs
    noise = Regularization(zoneout_hidden=0.3, zoneout_cell=0.2, weight_drop=0.5)
    model = build_model(cell=lambda *sizes: LSTMCell(*sizes, options=GatedCellOptions(regularization=noise)))
    with torch.no_grad():
        expected, *_ = model.eval()(source, lengths, target[:, :-1])
    torch.testing.assert_close(trace(model.train(), source, lengths, target).features, expected)


@pytest.mark.parametrize("target", [[[4, 5, EOS]], [[BOS]], [[BOS, EOS], [4, EOS]], [[BOS, PAD]]])
def test_a_target_must_begin_with_bos_and_go_on(build_model, padded, target):
    source, lengths = padded([[5, EOS]] * len(target))
    with pytest.raises(UserError) as caught:
        trace(build_model(), source, lengths, torch.tensor(target))
    assert str(caught.value) == (
        "A target to trace must be BOS and at least one token, but one is not: put BOS before it."
    )


def test_layers_that_halve_time_have_steps_of_their_own(build_model, pairs):
    source, lengths, target = pairs
    model = roughened(build_model(encoder_layers=3, halvings=1))
    with torch.no_grad():
        features, weights, *_ = model(source, lengths, target[:, :-1])
    found = trace(model, source, lengths, target)
    torch.testing.assert_close(found.features, features)
    assert found.cells["encoder 2 backward"].lengths.tolist() == [5, 3, 7]
    assert found.cells["encoder 3 backward"].lengths.tolist() == [3, 2, 4]
    assert found.cells["encoder 3 backward"].hidden.shape[1] == 4
