"""What the machine computes in."""

from pathlib import Path

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.training.precision import resolve_precision

CPU_INFO = Path("/proc/cpuinfo")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="auto would be the GPU")


@without_gpu
@pytest.mark.skipif(not CPU_INFO.exists(), reason="says what the processor can")
@pytest.mark.parametrize("accelerator", ["cpu", "auto"])
def test_auto_is_bf16_where_this_processor_multiplies_it(accelerator):
    flags = set(CPU_INFO.read_text().split())
    fast = bool(flags & {"avx512_bf16", "amx_tile"})
    assert resolve_precision("auto", accelerator) == ("bf16-mixed" if fast else "32-true")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true", "64-true"])
def test_a_precision_that_is_named_is_kept(precision):
    assert resolve_precision(precision, "cpu") == precision


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
