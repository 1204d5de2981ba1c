"""What the machine computes in."""

import os
import subprocess
import sys
from functools import partial

import pytest
import torch

from seq2seq.compression.prepared import computes_bfloat16
from seq2seq.errors import UserError
from seq2seq.training.gradients.clip_by_norm import ClipByNorm
from seq2seq.training.precision import cpu_speedup, resolve_precision

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="auto would be the GPU")


@pytest.fixture
def speeds(monkeypatch):
    """Set the seconds that an LSTM's step takes on a processor that computes bfloat16."""

    def take(**seconds):
        monkeypatch.setattr("seq2seq.training.precision.computes_bfloat16", lambda: True)
        named = {name.replace("_", "-").replace("float32", "32-true"): value for name, value in seconds.items()}
        monkeypatch.setattr("seq2seq.machine.measured", lambda question, ways: named)

    return take


@without_gpu
@pytest.mark.parametrize("accelerator", ["cpu", "auto"])
@pytest.mark.parametrize(("bf16_mixed", "chosen"), [(0.5, "bf16-mixed"), (0.95, "32-true"), (3.0, "32-true")])
def test_auto_is_bf16_where_this_processor_trains_faster_in_it(speeds, accelerator, bf16_mixed, chosen):
    speeds(float32=1.0, bf16_mixed=bf16_mixed)
    assert resolve_precision("auto", accelerator) == chosen


def test_a_named_precision_that_is_slower_is_taken_and_said(speeds, caplog):
    speeds(float32=1.0, bf16_mixed=3.0)
    assert resolve_precision("bf16-mixed", "cpu") == "bf16-mixed"
    assert [record.getMessage() for record in caplog.records] == [
        "precision=bf16-mixed takes 3.0 times as long as 32-true here; auto takes the faster"
    ]
    caplog.clear()
    speeds(float32=1.0, bf16_mixed=0.5)
    assert resolve_precision("bf16-mixed", "cpu") == "bf16-mixed"
    assert not caplog.records


@pytest.mark.needs_bfloat16
def test_both_precisions_are_measured_and_no_random_number_is_drawn():
    before = torch.get_rng_state()
    with torch.inference_mode():
        assert 0.01 < cpu_speedup() < 100
    assert torch.equal(torch.get_rng_state(), before)


BFLOAT16 = [pytest.param(name, marks=pytest.mark.needs_bfloat16) for name in ("bf16-mixed", "bf16-true")]
OFFERED = ["32-true", *BFLOAT16, "64-true"]


@pytest.mark.parametrize("precision", OFFERED)
def test_a_precision_that_is_named_is_kept(precision):
    assert resolve_precision(precision, "cpu") == precision


@pytest.mark.parametrize("precision", OFFERED)
def test_a_precision_that_is_not_refused_trains_validates_and_saves(new_module, fit, copied, tmp_path, precision):
    module = new_module(optimizer=partial(torch.optim.Adam, lr=0.01, fused=True), gradients=ClipByNorm())
    before = copied(module.model)
    trainer = fit(module, precision=precision, val_check_interval=1)
    assert trainer.global_step == 3
    for name, weight in copied(module.model).items():
        assert weight.isfinite().all()
        assert name == "encoder.input.embedding.table.weight" or not torch.equal(weight, before[name].to(weight.dtype))
    assert trainer.callback_metrics["dev/loss"].isfinite()
    trainer.save_checkpoint(tmp_path / "any.ckpt")
    assert torch.load(tmp_path / "any.ckpt", weights_only=True)["average_updates"] == 3


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_bfloat16_is_refused_where_there_are_no_kernels_for_it(monkeypatch, precision):
    monkeypatch.setattr("seq2seq.training.precision.computes_bfloat16", lambda: False)
    with pytest.raises(UserError) as error:
        resolve_precision(precision, "cpu")
    message = f"precision={precision} needs a processor that computes bfloat16, and this does not: use auto."
    assert str(error.value) == message
    assert resolve_precision("auto", "cpu") == "32-true"


@pytest.mark.processor
def test_instructions_that_are_switched_off_count_as_missing():
    """The processor's flags still show them."""
    code = """
import torch
from seq2seq.compression.prepared import computes_bfloat16
before = torch.get_rng_state()
print(computes_bfloat16(), bool((torch.get_rng_state() == before).all()))
"""
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "True"]


def test_asking_for_bfloat16_draws_no_random_numbers():
    before = torch.get_rng_state()
    with torch.inference_mode():
        computes_bfloat16.__wrapped__()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_gpu_that_only_emulates_bf16_is_not_given_it(monkeypatch):
    asked = {}
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: asked.update(options) or False)
    assert resolve_precision("auto", "gpu") == "32-true"
    assert asked == {"including_emulation": False}


@pytest.mark.parametrize(("bf16_mixed", "chosen"), [(0.5, "bf16-mixed"), (1.3, "32-true")])
def test_auto_is_bf16_where_this_gpu_trains_faster_in_it(monkeypatch, speeds, bf16_mixed, chosen):
    """Small layers are as fast in float32, where all that takes time is to start kernels."""
    timed = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(
        "seq2seq.training.precision.lstm_step", lambda **options: partial(print, timed.append(options["device"]))
    )
    speeds(float32=1.0, bf16_mixed=bf16_mixed)
    assert resolve_precision("auto", "gpu") == chosen
    assert timed == ["cuda", "cuda"]


@pytest.mark.parametrize("precision", ["16-mixed", "16-true"])
def test_float16_is_kept_on_a_gpu(precision):
    assert resolve_precision(precision, "gpu") == precision


@without_gpu
@pytest.mark.parametrize("accelerator", ["cpu", "auto"])
@pytest.mark.parametrize("precision", ["16-mixed", "16-true"])
def test_float16_is_refused_on_a_cpu(precision, accelerator):
    with pytest.raises(UserError) as error:
        resolve_precision(precision, accelerator)
    message = f"precision={precision} cannot train an LSTM on a CPU: use auto, bf16-mixed or 32-true."
    assert str(error.value) == message


def test_an_unknown_precision_is_refused_with_the_list():
    with pytest.raises(UserError) as error:
        resolve_precision("half", "cpu")
    assert str(error.value) == (
        "precision must be one of auto, 32-true, bf16-mixed, bf16-true, 16-mixed, 16-true, 64-true, but is 'half'."
    )


def test_losses_that_nothing_scales_are_warned_of(caplog):
    for precision in ("bf16-true", "bf16-mixed", "16-mixed"):
        assert resolve_precision(precision, "gpu") == precision
    assert not caplog.messages
    assert resolve_precision("16-true", "gpu") == "16-true"
    assert caplog.messages == ["precision=16-true scales no loss, so that small gradients vanish: 16-mixed does"]
