"""Targets that are written while frames come: nothing to come changes them, and waiting for all is offline."""

import numpy as np
import pytest
import torch
from torch import nn

from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.frame_session import FrameSession
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.simultaneous import WaitKPolicy
from seq2seq.errors import UserError
from seq2seq.layers.inputs.frames import FrameInput
from seq2seq.models.reading import GrowingReader
from seq2seq.models.waiting import WaitK, revealed
from seq2seq.symbols import BOS, EOS, PAD
from seq2seq.translation.series_session import SeriesSession

LIMITS = LengthLimits(max_ratio=0.5, max_extra=4)
SEARCHES = {"greedy": GreedySearch(length=LIMITS), "beam": BeamSearch(beam_size=3, length=LIMITS)}
FRAMES = torch.randn(30, 3, generator=torch.Generator().manual_seed(1), dtype=torch.double)
K, PACE = 5, 4


def reading_model(build_model, **options):
    built = build_model(
        direction="forward", encoder_size=8, source_vocabulary_size=3, input=FrameInput, **options
    ).double()
    for weight in built.parameters():
        nn.init.normal_(weight, std=0.7)
    return built.eval()


def session(model, policy, search: str = "greedy") -> FrameSession:
    return FrameSession(GrowingReader(model), policy, SEARCHES[search])


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_waiting_for_all_frames_is_the_offline_search(build_model, decoder, search):
    model = reading_model(build_model, decoder=decoder)
    for length in (1, 7, 30):
        ((offline, *_),) = SEARCHES[search](model, FRAMES[None, :length], torch.tensor([length]))
        mine = session(model, WaitKPolicy(k=50, pace=float(PACE)), search)
        assert [*mine.feed_frames(FRAMES[:length]), *mine.end()] == offline.ids
        assert [*mine.delays] == [length] * len(offline.ids)


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_each_token_is_what_training_would_have_predicted(build_model, decoder):
    model = reading_model(build_model, decoder=decoder)
    mine = session(model, WaitKPolicy(k=K, pace=float(PACE)))
    before = mine.feed_frames(FRAMES)
    assert [*mine.delays] == list(range(K, 31, PACE))
    model.decoder.waiting = WaitK(K, K, float(PACE))
    model.train()
    target = torch.tensor([[BOS, *before[:-1]]])
    features = model(FRAMES[None], torch.tensor([30]), target).features
    scores = model.output.logits(features.flatten(0, 1)).index_fill(1, torch.tensor([PAD, BOS, EOS]), float("-inf"))
    assert scores.argmax(-1).tolist() == before


def test_how_frames_are_fed_changes_nothing(build_model):
    model = reading_model(build_model)
    at_once, by_frame = (session(model, WaitKPolicy(k=K, pace=float(PACE))) for _ in range(2))
    whole = [*at_once.feed_frames(FRAMES), *at_once.end()]
    assert [token for frame in FRAMES.split(7) for token in by_frame.feed_frames(frame)] + by_frame.end() == whole
    assert by_frame.delays == at_once.delays


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_no_step_sees_frames_that_have_not_come(build_model, decoder):
    model = reading_model(build_model, decoder=decoder, waiting=WaitK(K, K, float(PACE))).train()
    target, lengths = torch.tensor([[BOS, 4, 5, 6, 7, 8, 9]]), torch.tensor([30])
    first = model(FRAMES[None], lengths, target)
    for place in (K, K + 3, K + PACE, 20, 28):
        changed = FRAMES.clone()
        changed[place] += 3
        again = model(changed[None], lengths, target)
        before = -(-(place - K + 1) // PACE)  # steps that have read no more than `place` frames
        assert torch.equal(again.features[:, :before], first.features[:, :before])
        if before < target.shape[1]:
            assert not torch.equal(again.features[:, before:], first.features[:, before:])


def test_the_pace_is_of_what_is_revealed(build_model):
    memory, _ = reading_model(build_model).encode(FRAMES[None], torch.tensor([30]))
    seen = revealed(memory, torch.tensor([K]), 4, float(PACE)).revealed[0]
    assert seen.sum(-1).tolist() == [[5, 9, 13, 17]]


def test_a_pace_below_one_is_refused():
    for make in (lambda: WaitK(pace=0.0), lambda: WaitKPolicy(pace=0.0)):
        with pytest.raises(UserError, match="^pace must be above 0 tokens and finite, but is 0.0.$"):
            make()


@pytest.fixture
def tokenizers():
    words = [Example(text, (text,)) for text in ("a b c d", "e f g h i")]
    return Tokenizers(FrameReader(3, missing=False), TokenizerTrainer(source="word", target="word").train(words).target)


def test_text_is_said_while_frames_come_and_never_taken_back(build_model, tokenizers):
    model = reading_model(build_model, target_vocabulary_size=tokenizers.target.size).float()
    frames = FRAMES.float().numpy()
    mine = SeriesSession(session(model, WaitKPolicy(k=K, pace=float(PACE))), tokenizers)
    parts = [mine.feed(frames[:4]), *(mine.feed(part) for part in np.split(frames[4:], 2)), mine.end()]
    assert parts[0] == ""
    assert "".join(parts) == mine.said
    assert len(parts[1].split()) >= 2
    assert mine.delays[:3] == [K, K + PACE, K + 2 * PACE]
    assert mine.units == 30
    alone = session(model, WaitKPolicy(k=K, pace=float(PACE)))
    assert tokenizers.target.decode([[*alone.feed_frames(FRAMES.float()), *alone.end()]])[0] == mine.said
    assert SeriesSession(session(model, WaitKPolicy()), tokenizers).end() == ""


def test_mistakes_are_told(build_model, tokenizers):
    model = reading_model(build_model)
    mine = session(model, WaitKPolicy())
    mine.feed_frames(FRAMES[:2])
    with pytest.raises(UserError, match="A session of frames must be fed by feed_frames, but is given 2 ids."):
        mine.feed([4, 5])
    mine.end()
    with pytest.raises(UserError, match="A series that has ended takes no more frames: open another session."):
        mine.feed_frames(FRAMES[:2])
    with pytest.raises(UserError, match="the frames must have 3 features, as the data to train on, but has 2."):
        SeriesSession(mine, tokenizers).feed(np.zeros((1, 2), np.float32))
    with pytest.raises(UserError, match="model must read frames to answer while they come, but reads text."):
        SeriesSession(mine, Tokenizers(tokenizers.target, tokenizers.target))
