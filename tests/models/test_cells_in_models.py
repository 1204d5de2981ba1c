"""Every kind of cell in every recipe, from encoding to searching."""

from functools import partial

import pytest
import torch

from seq2seq.compression.packing import pack
from seq2seq.config.builder import call
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.memory import StackCell
from seq2seq.layers.recurrent.cells.multi_timescale import MultiTimescaleLSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.cells.peephole import PeepholeLSTMCell
from seq2seq.layers.recurrent.cells.projected import ProjectedLSTMCell
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.symbols import BOS

SOURCES = [[5, 6, 7, 8, 3], [4, 3], [9, 10, 3]]


@pytest.fixture(params=["luong", "gnmt", "bahdanau"])
def decoder(request):
    return request.param


@pytest.fixture
def model(cell_kind, decoder, build_model):
    return build_model(decoder=decoder, decoder_layers=2, cell=cell_kind).eval()


@torch.no_grad()
def test_forward_equals_start_and_repeated_step(model, padded):
    source, lengths = padded(SOURCES)
    target = torch.tensor([[BOS, 5, 6, 7], [BOS, 8, 9, 4], [BOS, 5, 4, 10]])
    features, weights, *_ = model(source, lengths, target)
    memory, states = model.start(source, lengths)
    for step in range(target.shape[1]):
        logits, looked, states = model.step(target[:, step : step + 1], memory, states)
        torch.testing.assert_close(logits[:, 0], model.output.logits(features[:, step]))
        torch.testing.assert_close(looked[:, 0], weights[:, step])


def test_every_parameter_learns(model, padded):
    """The bridge's, too, whichever part of its state a cell reads."""
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    outputs = model.train()(*padded(SOURCES), torch.tensor([[BOS, 5, 6, 7], [BOS, 8, 9, 4], [BOS, 5, 4, 10]]))
    model.output.loss(outputs.features.flatten(0, 1), torch.arange(1, 13)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        learning = parameter.grad.view(len(parameter), -1).any(1)  # of every row
        assert learning.all() if name.startswith("bridge") else learning.any(), name


@torch.no_grad()
def test_padding_and_company_change_nothing(model, padded):
    target = torch.tensor([[BOS, 5, 6, 7]] * len(SOURCES))
    features, *_ = model(*padded(SOURCES, extra=2), target)
    for row, source in enumerate(SOURCES):
        alone, *_ = model(*padded([source]), target[:1])
        torch.testing.assert_close(alone[0], features[row])


@torch.no_grad()
def test_a_packed_model_finds_the_same_with_the_same_scores(model, padded, build_model):
    source, lengths = padded(SOURCES)
    target = torch.tensor([[BOS, 5, 6, 7]] * len(SOURCES))
    features, *_ = model(source, lengths, target)
    expected = model.output.logits(features.flatten(0, 1)).view(3, 4, -1)
    packed = pack(model)
    memory, states = packed.start(source, lengths)
    for step in range(target.shape[1]):
        logits, _, states = packed.step(target[:, step : step + 1], memory, states)
        torch.testing.assert_close(logits[:, 0], expected[:, step], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [GRUCell, ProjectedLSTMCell, MultiTimescaleLSTMCell, StackCell])
def test_beams_follow_states_of_every_shape(kind, decoder, build_model, padded):
    model = build_model(decoder=decoder, cell=kind).eval()
    found = BeamSearch(beam_size=4)(model, *padded(SOURCES))
    for row, source in enumerate(SOURCES):
        alone = BeamSearch(beam_size=4)(model, *padded([source]))
        assert [one.ids for one in alone[0]] == [one.ids for one in found[row]]
        assert [one.score for one in alone[0]] == pytest.approx([one.score for one in found[row]], abs=1e-5)


def test_noise_is_on_in_training_and_weights_stay_dropped_over_a_target(decoder, build_model, padded):
    drop = Regularization(weight_drop=0.5)
    model = build_model(
        decoder=decoder, decoder_layers=2, cell=partial(PeepholeLSTMCell, options=GatedCellOptions(regularization=drop))
    )
    drawn = []
    for cell in model.decoder.layers:
        dropped_weights = cell.dropped_weights
        cell.dropped_weights = lambda draw=dropped_weights: drawn.append(draw()) or drawn[-1]
    target = torch.tensor([[BOS, 5, 6, 7]] * len(SOURCES))
    features, *_ = model(*padded(SOURCES), target)
    assert len(drawn) == len(model.decoder.layers)
    assert not torch.allclose(features, model.eval()(*padded(SOURCES), target)[0])


@pytest.mark.parametrize("options", [{"activation": "relu"}, {"regularization": Regularization(zoneout_cell=0.3)}])
@torch.no_grad()
def test_an_lstm_that_is_not_torch_s_is_not_packed_as_if_it_were(options, decoder, build_model, padded):
    model = build_model(decoder=decoder, cell=partial(call, LSTMCell, **options)).eval()
    source, lengths = padded(SOURCES)
    memory, states = model.start(source, lengths)
    before, _, _ = model.step(torch.full((3, 1), BOS), memory, states)
    packed = pack(model)
    after, _, _ = packed.step(torch.full((3, 1), BOS), *packed.start(source, lengths))
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)
