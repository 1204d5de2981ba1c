"""Runs on pairs that are made anew in every epoch."""

import pytest
import torch

from seq2seq.config.moved import up_to_date
from seq2seq.errors import UserError

MADE = ["augmentation=hallucination", "augmentation.amount=0.5"]


def weights(folder):
    return last(folder)["state_dict"]


def last(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("steps", [2, 14])  # within the first epoch, within the second
def test_a_run_that_is_resumed_is_the_same(train_tiny, tmp_path, steps):
    options = ["data=copy", "data.min_length=4", "tokenizer=char", "schedule=constant", "trainer.val_check_interval=2"]
    options += ["batches.max_tokens=256"]
    train_tiny(tmp_path / "whole", *MADE, *options, f"budget.max_steps={steps + 2}")
    train_tiny(tmp_path / "parts", *MADE, *options, f"budget.max_steps={steps}")
    train_tiny(tmp_path / "parts", *MADE, *options, f"budget.max_steps={steps + 2}", resume=True)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert (last(tmp_path / "whole")["epoch"] > 0) == (steps > 2)
    train_tiny(tmp_path / "plain", *options, f"budget.max_steps={steps + 2}")
    assert not torch.equal(weights(tmp_path / "plain")["model.output.bias"], whole["model.output.bias"])


def test_spliced_words_change_what_is_learnt_and_a_run_goes_on_to_the_bit(train_tiny, tmp_path):
    options = ["data=reverse", "tokenizer=char", "schedule=constant", "trainer.val_check_interval=2"]
    spliced = [*options, "augmentation=splicing", "augmentation.context=1"]
    train_tiny(tmp_path / "whole", *spliced, "budget.max_steps=4")
    train_tiny(tmp_path / "parts", *spliced, "budget.max_steps=2")
    train_tiny(tmp_path / "parts", *spliced, "budget.max_steps=4", resume=True)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    train_tiny(tmp_path / "plain", *options, "budget.max_steps=4")
    assert not torch.equal(weights(tmp_path / "plain")["model.output.bias"], whole["model.output.bias"])


def test_configs_of_before_have_no_augmentation():
    assert up_to_date({"budget": {}})["augmentation"] is None


def test_a_tag_that_is_no_symbol_is_refused_before_data_are_read(train_tiny, tmp_path):
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, "augmentation=copying", "budget.max_steps=2", "data.train_size=0")
    assert str(error.value) == (
        "augmentation.tag must be one of tokenizer.symbols, but '<copy>' is none: add "
        "\"tokenizer.symbols=['<copy>']\", or set it to null."
    )
