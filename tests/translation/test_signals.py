"""Signals of a translation, by hand, and of the line alone."""

from collections.abc import Callable
from math import log

import numpy as np
import pytest
import torch

from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.series import Series
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.runs.run import load_run
from seq2seq.translation.line import Line, Translation
from seq2seq.translation.signals import SIGNALS, signals_of
from seq2seq.translation.translator import Translator


@pytest.fixture
def translation(finished) -> Callable[[Hypothesis, str], Translation]:
    """A translation of a source, whose letters are pieces; z is unknown."""
    tokenizers = load_run(finished).tokenizers
    return lambda hypothesis, source: Translation("", hypothesis, source, tokenizers)


def test_signals_by_hand(translation):
    attention = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.25, 0.25, 0.5]])
    hypothesis = Hypothesis([7, 8, 9], -4.0, True, token_scores=[-1.0, -2.0, -0.5, -0.5], attention=attention)
    assert signals_of(translation(hypothesis, "a z")) == {
        "nll": 1.0,
        "unknown": 0.5,
        "length_ratio": 1.5,
        "entropy": pytest.approx((log(2) + 0.0 + 1.5 * log(2)) / 3),
    }


def test_of_a_source_that_was_cut_the_part_that_was_read_counts(translation):
    hypothesis = Hypothesis([7], -1.0, False, token_scores=[-1.0], attention=torch.tensor([[1.0, 0.0, 0.0]]))
    found = signals_of(translation(hypothesis, "a b z z"))
    assert (found["unknown"], found["length_ratio"]) == (0.0, 0.5)


@pytest.mark.parametrize("frames", [1, 5])
def test_of_a_series_every_frame_counts(finished, frames):
    """Frames have no end of their own that attention could be over."""
    tokenizers = Tokenizers(FrameReader(2, missing=False), load_run(finished).tokenizers.target)
    hypothesis = Hypothesis([7], -1.0, True, token_scores=[-1.0, 0.0], attention=torch.ones(1, frames) / frames)
    found = signals_of(Translation("", hypothesis, Series(np.ones((frames, 2))), tokenizers))
    assert (found["unknown"], found["length_ratio"]) == (0.0, 1 / frames)


def test_what_there_is_nothing_of_is_left_out(translation):
    without = Hypothesis([7], -1.0, True, token_scores=[-0.5, -0.5])
    assert signals_of(translation(without, "a")).keys() == SIGNALS.keys() - {"entropy"}
    nothing_said = Hypothesis([], -1.0, True, token_scores=[-1.0], attention=torch.zeros(0, 2))
    assert signals_of(translation(nothing_said, "a")) == {"nll": 1.0, "unknown": 0.0, "length_ratio": 0.0}
    assert signals_of(translation(Hypothesis([], 0.0, True), "")) == {}


def test_signals_are_of_the_line_alone(finished):
    run = load_run(finished)
    lines = [Line(text) for text in ("a b c", "f", "d d a b e", "zz a", "c c")]
    translator = Translator(run.model, run.tokenizers, BeamSearch(beam_size=3))
    together = [signals_of(own[0]) for own in translator.translations(lines, attention=True)]
    assert together[3]["unknown"] > 0
    for line, signals in zip(lines, together, strict=True):
        ((alone,),) = translator.translations([line], attention=True)
        assert signals_of(alone) == pytest.approx(signals, abs=1e-5)
        assert signals.keys() == SIGNALS.keys()
