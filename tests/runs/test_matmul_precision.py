"""One word sets how precise float32 products are, for torch's own and for cuDNN's."""

from collections.abc import Iterator

import pytest
import torch

from seq2seq.commands.train import train
from seq2seq.errors import UserError
from seq2seq.runs.matmul_precision import set_matmul_precision
from seq2seq.runs.named_runs import load_runs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    set_matmul_precision("highest")


def tf32() -> tuple[str, bool, bool]:
    allowed = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    return torch.get_float32_matmul_precision(), *allowed


@pytest.mark.parametrize(("precision", "allowed"), [("high", True), ("medium", True), ("highest", False)])
def test_both_flags_follow_the_word(precision, allowed):
    set_matmul_precision(precision)
    assert tf32() == (precision, allowed, allowed)


@pytest.mark.parametrize("precision", ["tf32", "", None, True, 1])
def test_another_word_is_refused(precision):
    with pytest.raises(UserError) as error:
        set_matmul_precision(precision)
    assert str(error.value) == f"matmul_precision must be one of highest, high, medium, but is {precision!r}."


def test_scripts_that_load_a_run_set_it_first(finished):
    options = {"run": str(finished), "device": "cpu"}
    load_runs({**options, "matmul_precision": "high"})
    assert tf32() == ("high", True, True)
    load_runs(options)
    assert tf32() == ("high", True, True)  # whoever calls from Python has a process of their own
    load_runs({**options, "matmul_precision": "highest"})
    assert tf32() == ("highest", False, False)
    with pytest.raises(UserError, match="^matmul_precision must be one of"):
        load_runs({**options, "matmul_precision": "low"})


def test_training_sets_it_before_anything_else(tiny_config, tmp_path):
    with pytest.raises(UserError, match="^matmul_precision must be one of"):
        train(tiny_config("matmul_precision=low"), tmp_path / "run", resume=False)
    with pytest.raises(UserError, match="^batches.max_tokens must be at least"):  # found after it
        train(tiny_config("matmul_precision=high", "batches.max_tokens=2"), tmp_path / "run", resume=False)
    assert tf32() == ("high", True, True)
