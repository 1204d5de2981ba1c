"""Limits of length where sources are frames, which have no end of their own that counts."""

import numpy as np
import pytest

from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.series import Series
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.layers.inputs.frames import FrameInput
from seq2seq.symbols import EOS
from seq2seq.translation.line import Line
from seq2seq.translation.reachability import unreachable
from seq2seq.translation.translator import Translator

LIMITS = LengthLimits(max_ratio=1.0, max_extra=1)
SERIES = [Series(np.zeros((count, 3), np.float32)) for count in (3, 5)]


@pytest.fixture
def tokenizers():
    words = [Example("a b c d e f", ("a b c d e f",))]
    return Tokenizers(FrameReader(3, missing=False), TokenizerTrainer(source="word", target="word").train(words).target)


def test_an_answer_that_does_not_end_has_met_the_limit_and_no_filter(build_model, tokenizers, caplog):
    size = tokenizers.target.size
    model = build_model(source_vocabulary_size=3, target_vocabulary_size=size, input=FrameInput).eval()
    model.output.bias.data[EOS] = -100.0
    translator = Translator(model, tokenizers, GreedySearch(length=LIMITS))
    found = [own[0] for own in translator.search_lines([Line(series) for series in SERIES])]
    assert [(len(one.ids), one.finished) for one in found] == [(4, False), (6, False)]
    assert not caplog.messages
    translator.check(Line(SERIES[0], prefix="a b c"), 1)


def test_a_reference_of_frames_is_within_reach_up_to_the_limit(tokenizers):
    def told(target):
        return unreachable([Example(SERIES[0], (target,))], tokenizers, LIMITS, max_source_tokens=9).reason

    assert told("a b c") == ""  # 3 frames: at most 4 tokens with EOS
    assert "it has 5 tokens with its end, but the length limits allow 4" in told("a b c d")
