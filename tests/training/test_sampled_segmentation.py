"""Runs whose subwords are drawn anew in every epoch."""

import pytest
import torch

from seq2seq.errors import UserError

SUBWORDS = ["data=copy", "tokenizer=bpe", "tokenizer.source_size=12", "tokenizer.target_size=12"]
SUBWORDS += [
    "tokenizer.exact_size=false",
    "schedule=constant",
    "trainer.val_check_interval=2",
    "batches.max_tokens=256",
]


def last(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("steps", [2, 14])  # within the first epoch, within the second
def test_a_run_that_is_resumed_is_the_same(train_tiny, tmp_path, steps):
    sampled = [*SUBWORDS, "segmentation=sampled"]
    train_tiny(tmp_path / "whole", *sampled, f"budget.max_steps={steps + 2}")
    train_tiny(tmp_path / "parts", *sampled, f"budget.max_steps={steps}")
    train_tiny(tmp_path / "parts", *sampled, f"budget.max_steps={steps + 2}", resume=True)
    whole, parts = last(tmp_path / "whole"), last(tmp_path / "parts")
    assert all(torch.equal(whole["state_dict"][name], parts["state_dict"][name]) for name in whole["state_dict"])
    assert (whole["epoch"] > 0) == (steps > 2)
    train_tiny(tmp_path / "plain", *SUBWORDS, f"budget.max_steps={steps + 2}")
    plain = last(tmp_path / "plain")["state_dict"]["model.output.bias"]
    assert not torch.equal(plain, whole["state_dict"]["model.output.bias"])


def test_tokenizers_that_cut_in_one_way_are_refused_before_data_are_read(train_tiny, tmp_path):
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, "segmentation=sampled", "tokenizer=char", "budget.max_steps=2", "data.train_size=0")
    assert str(error.value) == (
        "segmentation=sampled needs tokenizers of subwords, but they are char, char, which cut a text in one way: "
        "choose tokenizer=unigram or tokenizer=bpe, or segmentation=none."
    )
