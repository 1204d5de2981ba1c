from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from seq2seq.data.batch import Batch, PairSequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.symbols import BOS, EOS, PAD

LAW = settings(deadline=None, max_examples=60)
sentence = st.lists(st.integers(4, 20), min_size=1, max_size=6)
some_pairs = st.lists(st.tuples(sentence, sentence), min_size=1, max_size=6)


def sequences_of(pairs: list[tuple[list[int], list[int]]]) -> PairSequences:
    return PairSequences(*(TokenSequences.from_ids([pair[side] for pair in pairs]) for side in (0, 1)))


def batch_of(pairs: list[tuple[list[int], list[int]]], **options: bool) -> Batch:
    return sequences_of(pairs).batch(torch.arange(len(pairs)), step_tokens=7.0, **options)


@LAW
@given(some_pairs)
def test_a_row_is_source_eos_and_target_eos_then_padding(pairs):
    batch = batch_of(pairs)
    for row, (source, target) in enumerate(pairs):
        for ids, expected in ((batch.source[row], source), (batch.target_outputs[row], target)):
            assert ids.tolist() == [*expected, EOS] + [PAD] * (len(ids) - len(expected) - 1)
        assert batch.source_lengths[row] == len(source) + 1


@LAW
@given(some_pairs)
def test_inputs_are_bos_and_then_the_outputs_one_step_later(pairs):
    batch = batch_of(pairs)
    assert (batch.target_inputs[:, 0] == BOS).all()
    assert_close(batch.target_inputs[:, 1:], batch.target_outputs[:, :-1])


@LAW
@given(some_pairs)
def test_neither_side_is_wider_than_its_longest_sentence_and_eos(pairs):
    batch = batch_of(pairs)
    assert batch.source.shape[1] == max(len(source) for source, _ in pairs) + 1
    assert batch.target_outputs.shape[1] == max(len(target) for _, target in pairs) + 1


def test_rows_come_in_the_order_asked_for():
    pairs = sequences_of([([4], [5]), ([6], [7]), ([8], [9])])
    batch = pairs.batch(torch.tensor([2, 0]), step_tokens=1.0)
    assert batch.source[:, 0].tolist() == [8, 4]
    assert batch.target_outputs[:, 0].tolist() == [9, 5]
    assert len(pairs) == 3


@LAW
@given(some_pairs, st.booleans())
def test_places_are_those_of_tokens_to_predict(pairs, silent):
    batch = batch_of(pairs, silent=silent)
    assert torch.equal(batch.of_tokens(batch.target_outputs), batch.target_outputs[batch.target_mask])
    assert len(batch.target_places) == (0 if silent else sum(len(target) + 1 for _, target in pairs))


@LAW
@given(some_pairs)
def test_a_silent_batch_differs_only_in_having_nothing_to_predict(pairs):
    spoken, silent = batch_of(pairs), batch_of(pairs, silent=True)
    assert (silent.target_outputs == PAD).all()
    assert silent.target_outputs.shape == spoken.target_outputs.shape
    for name in ("source", "source_lengths", "target_inputs"):
        assert_close(getattr(silent, name), getattr(spoken, name))
    assert silent.step_tokens == spoken.step_tokens == 7.0


def test_moving_takes_every_tensor_along_and_leaves_the_original():
    batch = batch_of([([4, 5], [6])])
    moved = batch.to(torch.device("meta"), non_blocking=True)
    for field in fields(Batch):
        value, original = getattr(moved, field.name), getattr(batch, field.name)
        if isinstance(original, Tensor):
            assert (value.device.type, original.device.type) == ("meta", "cpu")
            assert value.shape == original.shape
    assert moved.step_tokens == 7.0


@pytest.mark.parametrize(
    ("device", "options", "wanted"), [("cuda", {}, True), ("cuda", {"non_blocking": False}, False)]
)
def test_copies_to_cuda_come_from_pinned_memory(monkeypatch, device, options, wanted):
    pinned, copied = [], []
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor.clone())
    monkeypatch.setattr(Tensor, "to", lambda tensor, *given, **options: copied.append((tensor, given, options)))
    batch = batch_of([([4, 5], [6])])
    batch.to(torch.device(device), **options)
    tensors = [value for value in vars(batch).values() if isinstance(value, Tensor)]
    assert len(pinned) == len(copied) == len(tensors) == 5
    assert all(own is one for own, one in zip(tensors, pinned, strict=True))
    for own, (source, places, how) in zip(tensors, copied, strict=True):
        assert source is not own
        assert (places, how) == ((torch.device(device),), {"non_blocking": wanted})


def test_copies_elsewhere_do_not(monkeypatch):
    monkeypatch.setattr(Tensor, "pin_memory", None)
    assert batch_of([([4, 5], [6])]).to("meta").source.device.type == "meta"


def test_moving_to_the_same_device_changes_no_value():
    batch = batch_of([([4, 5], [6]), ([7], [8, 9])])
    moved = batch.to(torch.device("cpu"))
    for field in fields(Batch):
        now, before = getattr(moved, field.name), getattr(batch, field.name)
        assert torch.equal(now, before) if isinstance(before, Tensor) else now == before
