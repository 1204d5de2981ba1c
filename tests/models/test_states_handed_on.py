"""Decoders that begin where the encoder has ended, and attend to nothing."""

from functools import partial

import pytest
import torch
from tiny_models import ATTENTIONS, BESIDE_MEMORY, CELLS
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.layers.copying import Pointer
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.models.bridge import StateBridge, ZeroBridge
from seq2seq.models.reading import GrowingReader
from seq2seq.models.waiting import WaitK
from seq2seq.symbols import BOS
from seq2seq.training.objectives.cross_entropy import CrossEntropy

APART = (
    "bridge must not be state unless both sides have layers of the same cells and sizes, but states are of {} numbers "
    "in the encoder and {} in the decoder: choose the same num_layers, hidden_size and cell."
)
SOURCES = [[5, 6, 7, 8, 3], [4, 3], [9, 10, 3]]
TARGET = torch.tensor([[BOS, 5, 6, 7], [BOS, 8, 9, 4], [BOS, 5, 4, 10]])
SAME = {"direction": "forward", "encoder_size": 8, "decoder_size": 8, "encoder_layers": 2, "decoder_layers": 2}


@pytest.fixture
def build(build_model):
    return partial(build_model, bridge=StateBridge, attention="none", **SAME)


@pytest.mark.parametrize("kind", ["lstm", "gru", "elman_residual", "sru", *BESIDE_MEMORY])
def test_the_decoder_begins_with_the_states_that_the_encoder_has_left(build, padded, kind):
    model = build(cell=CELLS[kind]).eval()
    source, lengths = padded(SOURCES)
    _, states = model.encode(source, lengths)
    for row, own in enumerate(SOURCES):
        inputs = model.encoder.input(torch.tensor([own]))
        for depth, layer in enumerate(model.encoder.stack.layers):
            outputs, last = layer.forwards.unroll(inputs, layer.start(inputs[:, 0]))
            assert_close(type(last)(*(part[row : row + 1] for part in states.layers[depth])), last)
            inputs = model.encoder.stack.connections[depth](inputs, outputs)


@pytest.mark.parametrize("kind", ["lstm", "stack", "queue"])
def test_what_the_source_says_comes_through_the_state_alone(build, padded, kind):
    model = build(cell=CELLS[kind]).eval()
    source, lengths = padded(SOURCES, extra=2)
    features, weights, *_ = model(source, lengths, TARGET)
    other = source.clone()
    other[0, 1] = 11
    changed, *_ = model(other, lengths, TARGET)
    assert (changed - features)[0].abs().max() > 1e-6
    assert_close(changed[1:], features[1:])
    assert_close(weights.sum(-1), torch.ones(3, 4))
    features.pow(2).sum().backward()
    assert all(weight.grad.any() for weight in model.encoder.parameters())


def test_no_attention_sees_nothing(padded):
    attention = ATTENTIONS["none"](query_size=4, memory_size=6)
    memory = attention.remember(torch.randn(2, 3, 6), torch.tensor([[True, True, False], [True, True, True]]))
    context, weights = attention(torch.randn(2, 2, 4), memory)
    assert torch.equal(context, torch.zeros(2, 2, 6))
    assert_close(weights[:, 0], torch.tensor([[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"decoder_layers": 1},
            APART.format("(8, 8) and (8, 8)", "(8, 8)"),
        ),
        (
            {"encoder_size": 4},
            APART.format("(4, 4) and (4, 4)", "(8, 8) and (8, 8)"),
        ),
        (
            {"direction": "both", "encoder_size": 4},
            "encoder must leave its states where bridge is state: direction must be forward, as others have several.",
        ),
        ({"waiting": WaitK()}, "bridge must not be state where waiting is on, as it is what all of a source has left."),
    ],
)
def test_sides_that_do_not_fit_are_told(build_model, options, message):
    with pytest.raises(UserError) as error:
        build_model(bridge=StateBridge, **SAME | options)
    assert str(error.value) == message


def test_a_reader_that_begins_early_has_no_last_state(build):
    with pytest.raises(UserError) as error:
        GrowingReader(build(cell=GRUCell, attention="general"))
    assert str(error.value) == "bridge must not be state to read on, as it is what all of a source has left."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"bridge": ZeroBridge},
            "bridge must not be zero where attention is none, as the decoder would know nothing of the "
            "source: choose last, or state.",
        ),
        ({"attention_dropout": 0.1}, "attention_dropout must be 0 where attention is none, but is 0.1."),
        (
            {"waiting": WaitK(), "direction": "forward", "encoder_size": 8},
            "attention must not be none where waiting is on, as nothing would be read after the first words.",
        ),
        ({"copying": Pointer}, "copying must be none where attention is, as it copies what is attended to."),
    ],
)
def test_what_needs_attention_is_refused_without(build_model, options, message):
    with pytest.raises(UserError) as error:
        build_model(**{"attention": "none"} | options)
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["coverage_loss", "entropy_floor"])
def test_losses_of_attention_are_refused_without(build_model, name):
    with pytest.raises(UserError) as error:
        CrossEntropy(**{name: 0.5}).check(build_model(attention="none"))
    assert str(error.value) == f"{name} must be 0 where attention is none, but is 0.5."


def test_a_stream_of_segments_hands_on_what_all_of_it_has_left(build, padded):
    model = build(cell=CELLS["stack"]).eval()
    source, lengths = padded([[5, 6, 7, 8, 9]])
    whole, _ = model.encoder.advance(source, lengths, model.encoder.start(1))
    state = model.encoder.start(1)
    for part in (source[:, :2], source[:, 2:]):
        found, state = model.encoder.advance(part, torch.tensor([part.shape[1]]), state)
    assert_close(found.last, whole.last)
    assert_close(found.last, model.encoder(source, lengths).last)
