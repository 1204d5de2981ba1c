"""Frames are batched as tokens are, and read by what was trained on them alone."""

import numpy as np
import pytest
import torch

from seq2seq.data.edits.edit_tokenizers import load, restored
from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameReader, FrameWriter
from seq2seq.data.frame_sequences import FrameSequences
from seq2seq.data.series import Series
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.errors import UserError

SERIES = [Series(np.random.default_rng(seed).normal(size=(length, 3))) for seed, length in enumerate([4, 1, 6, 3])]
ROWS = torch.tensor([2, 0, 1])


def check(sequences, series):
    frames, lengths = sequences.padded(torch.arange(len(series)), end=True)
    assert lengths.tolist() == [len(one.values) for one in series]
    assert frames.shape == (len(series), max(lengths), 3)
    for row, one in enumerate(series):
        assert np.array_equal(frames[row, : lengths[row]].numpy(), one.values)
        assert not frames[row, lengths[row] :].any()


def test_batches_hold_the_frames_and_zeros():
    check(FrameSequences.from_series(SERIES, 3), SERIES)


def test_gaps_stand_behind_the_features():
    series = [Series(one.values, times=np.arange(len(one.values)) ** 2.0) for one in SERIES]
    frames, lengths = FrameReader(3, missing=False, timed=True).sequences(series).padded(torch.arange(4), end=True)
    check(FrameSequences(frames[..., :3].flatten(0, 1), torch.arange(4) * 6, lengths), SERIES)
    assert frames[2, :, 3].tolist() == [0.0, 1.0, 3.0, 5.0, 7.0, 9.0]
    assert frames[0, :, 3].tolist() == [0.0, 1.0, 3.0, 5.0, 0.0, 0.0]


def test_what_is_chosen_kept_joined_and_cut_are_the_same_frames():
    sequences = FrameSequences.from_series(SERIES, 3)
    check(sequences.chosen(ROWS), [SERIES[row] for row in ROWS])
    check(sequences.kept(torch.tensor([True, False, True, False])), [SERIES[0], SERIES[2]])
    check(sequences.followed_by(sequences.chosen(ROWS)), [*SERIES, *(SERIES[row] for row in ROWS)])
    check(sequences.cut(2), [Series(one.values[:2]) for one in SERIES])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("text", "a source must be frames, which this model reads, but is the text 'text'."),
        (
            Series(np.ones((2, 4)), "x.npz, series 3"),
            "x.npz, series 3 must have 3 features, as the data to train on, but",
        ),
        (
            Series(np.array([[0, 0, 0], [0, np.nan, 0]]), "x.npz, series 4"),
            "x.npz, series 4, frame 2, feature 2 has no",
        ),
    ],
)
def test_what_cannot_be_read_is_told_by_its_place(source, message):
    with pytest.raises(UserError) as error:
        FrameReader(3, missing=False).sequences([source])
    assert str(error.value).startswith(message)


def test_a_reader_comes_back_as_it_was(tmp_path):
    target = TokenizerTrainer(source="word", target="word").train([Example("a", ("a",)), Example("b", ("b",))]).target
    tokenizers = Tokenizers(FrameReader(3, missing=True), target)
    tokenizers.save(tmp_path)
    for found in (restored(tokenizers.serialized), load(tmp_path)):
        assert isinstance(found.source, FrameReader)
        assert (found.source.features, found.source.missing) == (3, True)
        assert found.serialized == tokenizers.serialized
    tokenizers = Tokenizers(FrameReader(3, missing=True), FrameWriter(2, 24))
    tokenizers.save(tmp_path)
    for found in (restored(tokenizers.serialized), load(tmp_path)):
        assert isinstance(found.target, FrameWriter)
        assert (found.target.features, found.target.horizon) == (2, 24)
    for forged in (b'{"frames": 0, "horizon": null}', b'{"frames": 1, "horizon": 0}', b'{"frames": 1}', b'{"frames"'):
        with pytest.raises(UserError, match="target must be that of frames"):
            FrameWriter.restored(forged)
    timed = FrameReader.restored(FrameReader(3, missing=False, timed=True).serialized)
    assert (timed.features, timed.size, timed.timed) == (3, 4, True)
    assert not FrameReader.restored(b'{"frames": 3, "missing": true}').timed  # of before times were read
    with pytest.raises(UserError, match="source must be that of frames"):
        FrameReader.restored(b'{"frames": -1, "missing": true}')
