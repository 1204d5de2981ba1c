"""Recurrent layers that are computed anew for gradients: the same numbers to the bit, and less memory."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from tiny_models import BESIDE_MEMORY, CELLS, LIGHT

from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.training.footprint import Kept

SOURCE = torch.randint(4, 12, (5, 9))
LENGTHS = torch.tensor([9, 7, 9, 3, 1])
TARGET = torch.randint(4, 13, (5, 8))


def trained(build_model, *, bf16=False, **options):
    """Loss, gradients and bytes that are kept for them, of a model on random sentences."""
    torch.manual_seed(1)
    noise = {"encoder_dropout": 0.3, "decoder_dropout": 0.3, "dropout": 0.2, "attention_dropout": 0.1}
    model = build_model(**noise | options)
    kept = Kept([*model.parameters(), *model.buffers()])
    torch.manual_seed(2)
    with kept.counted(), torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
        features = model(SOURCE, LENGTHS, TARGET).features
    loss = features.float().square().sum()
    loss.backward()
    after = torch.rand(3)  # what is drawn next
    return loss, [parameter.grad for parameter in model.parameters()], after, sum(kept.bytes.values())


def assert_same_in_less(build_model, *, times=1.0, **options):
    *plain, more = trained(build_model, **options)
    *anew, less = trained(build_model, checkpointing=True, **options)
    for one, other in zip(plain, anew, strict=True):
        pairs = zip(one, other, strict=True) if isinstance(one, list) else [(one, other)]
        assert all(left is right or torch.equal(left, right) for left, right in pairs)
    assert times * less < more


@pytest.mark.parametrize("kind", CELLS)
def test_all_numbers_stay_to_the_bit_with_every_cell_and_all_noise(build_model, kind):
    one = CELLS[kind](3, 4)
    noise = {
        "zoneout_hidden": 0.2,
        "zoneout_cell": 0.2 if len(one.layout.sizes) > 1 and kind not in BESIDE_MEMORY else 0.0,
    }
    noise["weight_drop"] = 0.0 if kind in LIGHT else 0.3
    cell = partial(CELLS[kind], regularization=Regularization(**noise))
    assert_same_in_less(build_model, cell=cell, decoder="gnmt", times=1.5)


@pytest.mark.parametrize("options", [{}, {"encoder_layers": 3, "chunk_size": 4}, {"halvings": 1}])
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_every_decoder_keeps_less_by_kernels_too(build_model, decoder, options):
    assert_same_in_less(build_model, decoder=decoder, decoder_layers=2, **options)


@pytest.mark.parametrize("kind", ["lstm_peephole", "sru"])
def test_it_goes_with_bfloat16(build_model, kind):
    assert_same_in_less(build_model, cell=CELLS[kind], bf16=True)


def test_what_is_kept_of_visible_equations_falls_by_more_than_half(build_model):
    sizes = {"encoder_size": 64, "decoder_size": 128, "encoder_layers": 3, "decoder_layers": 3}
    assert_same_in_less(build_model, cell=CELLS["lstm_layer_norm"], decoder="gnmt", times=4.0, **sizes)


def test_nothing_is_computed_twice_without_gradients(build_model, monkeypatch):
    model = build_model(checkpointing=True)
    cell, calls = model.decoder.layers[0], []
    unroll = cell.unroll
    monkeypatch.setattr(cell, "unroll", lambda *given: calls.append(1) or unroll(*given))
    with torch.no_grad():
        model(SOURCE, LENGTHS, TARGET)
    assert len(calls) == 1
    model(SOURCE, LENGTHS, TARGET).features.sum().backward()
    assert len(calls) == 3
