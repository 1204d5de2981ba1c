"""The loop with written-out gradients is autograd's loop: values, gradients and noise; and it keeps no more."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from tiny_models import ATTENTIONS, CELLS

from seq2seq.config.builder import call
from seq2seq.layers.attention.additive import AdditiveAttention
from seq2seq.layers.attention.general import GeneralAttention
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.masking import length_mask
from seq2seq.models.decoder import States
from seq2seq.models.input_feeding import BahdanauDecoder, path
from seq2seq.models.waiting import revealed
from seq2seq.training.footprint import Kept

SOURCE, TARGET, SIZE = 6, 5, 8
RECORDED = ["additive", "dot", "general", "normalized_additive", "scaled_dot"]


def decoder_of(attention="additive", cell=LSTMCell, **options):
    attention = ATTENTIONS[attention] if isinstance(attention, str) else attention
    options = {"dropout": 0.3, "embedding": Embedding(12, 5, dropout=0.2), "feature_size": 7} | options
    return call(BahdanauDecoder, memory_size=SIZE, hidden_size=SIZE, cell=cell, attention=attention, **options).train()


def given(decoder, dtype=torch.float64, source=SOURCE, target=TARGET):
    """Values of sentences of every length, first states and tokens; the first two ask for gradients."""
    batch = source
    values = torch.randn(batch, source, SIZE, dtype=dtype, requires_grad=True)
    parts = [torch.randn(batch, SIZE, dtype=dtype, requires_grad=True) for _ in range(2 * len(decoder.layers))]
    ids = torch.where(length_mask(torch.arange(batch) % target + 1, target), torch.randint(4, 12, (batch, target)), 0)
    return values, parts, ids


def unrolled(decoder, recorded, values, parts, ids, waited=None):
    """All that comes of unrolling, by either loop, with the same noise."""
    for cell in decoder.cells:
        cell.fused = recorded
    assert path(decoder) == ("recorded loop" if recorded else "loop")
    torch.manual_seed(7)
    memory = decoder.remember(values, length_mask(torch.arange(1, len(values) + 1), values.shape[1]))
    if waited is not None:
        memory = revealed(memory, waited, ids.shape[1])
    layers = tuple(LSTMState(*parts[2 * depth : 2 * depth + 2]) for depth in range(len(decoder.layers)))
    found = decoder.unroll(ids, memory, States(layers, ()))
    return [*found[:4], *(part for state in found.states.layers for part in state)]


def gradients(found, wanted):
    torch.manual_seed(8)
    loss = sum((torch.randn(part.shape).to(part) * part).sum() for part in found)
    return torch.autograd.grad(loss, wanted, allow_unused=True)


def assert_same(decoder, values, parts, ids, *, waited=None, **tolerance):
    mine, theirs = (unrolled(decoder, recorded, values, parts, ids, waited) for recorded in (True, False))
    torch.testing.assert_close(mine, theirs, **tolerance)
    wanted = [values, *parts, *decoder.parameters()]
    torch.testing.assert_close(gradients(mine, wanted), gradients(theirs, wanted), **tolerance)


@pytest.mark.parametrize("normalizer", ["softmax", "entmax"])
@pytest.mark.parametrize(("layers", "connection"), [(1, "none"), (2, "none"), (3, "residual")])
@pytest.mark.parametrize("attention", RECORDED)
def test_values_and_gradients_are_those_of_autograds_loop(attention, layers, connection, normalizer):
    options = {"num_layers": layers, "connection": connection, "attention_normalizer": normalizer}
    decoder = decoder_of(attention, attention_dropout=0.3, **options).double()
    assert_same(decoder, *given(decoder), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("source", "target"), [(1, 1), (1, 4), (9, 2), (4, 13)])
def test_shapes_of_all_kinds(source, target):
    decoder = decoder_of(num_layers=2).double()
    assert_same(decoder, *given(decoder, source=source, target=target), rtol=0, atol=1e-10)


@pytest.mark.parametrize("noise", [{"recurrent_dropout": 0.4}, {"weight_drop": 0.4}])
def test_noise_inside_of_the_recurrence_is_the_same(noise):
    cell = partial(LSTMCell, options=GatedCellOptions(regularization=Regularization(**noise)))
    decoder = decoder_of(cell=cell, num_layers=2).double()
    assert_same(decoder, *given(decoder), rtol=0, atol=1e-10)


def test_each_step_sees_what_it_may_of_the_source():
    decoder = decoder_of().double()
    assert_same(decoder, *given(decoder), waited=torch.full((SOURCE,), 2), rtol=0, atol=1e-10)


@pytest.mark.parametrize("attention", RECORDED)
def test_float32(attention):
    decoder = decoder_of(attention, num_layers=2)
    assert_same(decoder, *given(decoder, torch.float32), rtol=1e-5, atol=1e-5)


@pytest.mark.needs_bfloat16
@pytest.mark.parametrize("attention", RECORDED)
def test_products_in_bfloat16_with_gates_and_memory_in_float32(attention):
    decoder = decoder_of(attention, num_layers=2, dropout=0.0)
    values, parts, ids = given(decoder, torch.float32)
    wanted = [values, *parts, *decoder.parameters()]
    exact = gradients(unrolled(decoder, False, values, parts, ids), wanted)
    away = []
    for recorded in (True, False):
        with torch.autocast("cpu", torch.bfloat16):
            found = unrolled(decoder, recorded, values, parts, ids)
        assert found[1].dtype == found[5].dtype == torch.float32  # weights and memory
        rounded = gradients(found, wanted)
        away.append(sum((mine - other).square().sum() for mine, other in zip(rounded, exact, strict=True)))
    assert 0 < away[0] < 2 * away[1]


@pytest.mark.parametrize("attention", ["additive", "general"])
def test_gradcheck(attention):
    decoder = decoder_of(attention, dropout=0.0, num_layers=2, connection="residual").double().eval()
    values, parts, ids = given(decoder, source=2, target=3)
    assert torch.autograd.gradcheck(
        lambda values, *parts: tuple(unrolled(decoder, True, values, parts, ids)), (values, *parts), fast_mode=True
    )


@pytest.mark.parametrize("place", range(6))
def test_any_one_output_alone_has_its_gradients(place):
    decoder = decoder_of().double()
    values, parts, ids = given(decoder)
    mine, theirs = (
        gradients(
            [unrolled(decoder, recorded, values, parts, ids)[place]], [values, *parts, *decoder.cells.parameters()]
        )
        for recorded in (True, False)
    )
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)


def test_gradients_can_be_asked_for_twice():
    decoder = decoder_of().double()
    values, parts, ids = given(decoder)
    loss = sum(part.square().sum() for part in unrolled(decoder, True, values, parts, ids))
    first = torch.autograd.grad(loss, [values, *parts], retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(loss, [values, *parts]), first, rtol=0, atol=0)


@pytest.mark.parametrize("bf16", [False, pytest.param(True, marks=pytest.mark.needs_bfloat16)])
@pytest.mark.parametrize(("attention", "layers"), [("additive", 1), ("dot", 2)])
def test_a_step_keeps_no_more_for_gradients(attention, layers, bf16):
    decoder = decoder_of(attention, num_layers=layers)

    def kept(recorded, target):
        found = Kept(decoder.parameters())
        with found.counted(), torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            unrolled(decoder, recorded, *given(decoder, torch.float32, source=16, target=target))
        return sum(found.bytes.values())

    mine, autograds = (kept(recorded, 20) - kept(recorded, 10) for recorded in (True, False))
    assert 0 < mine <= autograds


class OwnCell(LSTMCell):
    """Equations of someone else's."""


class OwnScore(AdditiveAttention):
    def score(self, query, memory, more=None):
        return 2 * super().score(query, memory)


class OwnWeights(GeneralAttention):
    def weights(self, scores, mask):
        return super().weights(2 * scores, mask)


ZONEOUT = partial(LSTMCell, options=GatedCellOptions(regularization=Regularization(zoneout_hidden=0.1)))
HARD = partial(LSTMCell, options=GatedCellOptions(gate_activation="hard_sigmoid"))


@pytest.mark.parametrize(
    "options",
    [
        *({"attention": kind} for kind in sorted(ATTENTIONS.keys() - set(RECORDED))),
        *({"cell": CELLS[kind]} for kind in ("gru", "lstm_peephole", "sru")),
        *({"cell": cell} for cell in (OwnCell, ZONEOUT, HARD)),
        *({"attention": attention} for attention in (OwnScore, OwnWeights)),
        {"num_layers": 2, "connection": "highway"},
        {"num_layers": 3, "connection": "dense"},
    ],
    ids="-".join,
)
def test_whatever_has_equations_of_its_own_takes_autograds_loop(options):
    decoder = decoder_of(**options)
    assert not decoder.recordable
    assert path(decoder) == "loop"


def test_without_gradients_nothing_is_recorded(monkeypatch):
    decoder = decoder_of()
    monkeypatch.setattr(decoder, "_record", lambda *_: pytest.fail("recorded"))
    values, parts, ids = given(decoder, torch.float32)
    with torch.no_grad():
        unrolled(decoder, True, values, parts, ids)
