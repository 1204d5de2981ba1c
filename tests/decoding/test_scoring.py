"""Scores of given targets are those that steps give, by whichever path."""

import math

import pytest
import torch

from seq2seq.compression.packing import pack
from seq2seq.decoding.ensemble import EnsembleStepper
from seq2seq.decoding.scoring import score_targets
from seq2seq.models import seq2seq
from seq2seq.symbols import BOS, EOS

TARGETS = [[5, EOS], [EOS], [4, 6, 7, 4, EOS], [9, 8, EOS], [12, EOS]]


class Steps:
    """A Stepper that steps as the model does, and does nothing else."""

    def __init__(self, model) -> None:
        self.start, self.step = model.start, model.step


def scored(stepper, sentences, padded):
    return score_targets(stepper, *padded(sentences[: len(TARGETS)]), *padded(TARGETS, extra=1))


def assert_alike(scores, wanted, *, near_zero: float) -> None:
    for score, other in zip(scores, wanted, strict=True):
        assert score == pytest.approx(other, abs=1e-5 if other > math.log(1e-6) else near_zero)


def near_zero_of(model) -> float:
    """How near scores must be where logarithms are steep: with entmax as rounding leaves them."""
    return 1e-2 if model.output.normalizer == "entmax" else 1e-5


def assert_close(found, wanted, *, near_zero: float = 1e-5) -> None:
    """Assert that scores are alike; those of probabilities below 1e-6 as near as `near_zero`."""
    for one, other in zip(found, wanted, strict=True):
        assert (one.ids, one.finished) == (other.ids, other.finished)
        assert_alike(one.token_scores, other.token_scores, near_zero=near_zero)
        assert one.score == one.rank_score == pytest.approx(sum(one.token_scores), abs=1e-6)


@pytest.mark.parametrize("rows", [2, 2048])
@pytest.mark.parametrize("attention", ["general", "location", "coverage", "monotonic"])
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_scores_of_a_whole_target_are_those_of_its_steps(
    build_model, sentences, padded, monkeypatch, decoder, attention, rows
):
    monkeypatch.setattr(seq2seq, "_ROWS", rows)
    model = build_model(decoder=decoder, attention=attention).eval()
    assert_close(scored(model, sentences, padded), scored(Steps(model), sentences, padded))


@pytest.mark.parametrize("halvings", [0, 1])
def test_and_where_a_value_stands_for_two_tokens(build_model, sentences, padded, halvings):
    model = build_model(halvings=halvings).eval()
    assert_close(scored(model, sentences, padded), scored(Steps(model), sentences, padded))


def test_and_those_of_training(model, sentences, padded):
    found = scored(model, sentences, padded)
    for sentence, target, one in zip(sentences, TARGETS, found, strict=False):
        outputs = model(*padded([sentence]), torch.tensor([[BOS, *target[:-1]]]))
        wanted = model.output.target_scores(outputs.features[0], torch.tensor(target))
        assert_alike(one.token_scores, wanted.tolist(), near_zero=near_zero_of(model))


@pytest.mark.parametrize(
    "precision",
    [
        "float32",
        pytest.param("int8", marks=pytest.mark.needs_int8),
        pytest.param("bfloat16", marks=pytest.mark.needs_bfloat16),
    ],
)
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
@pytest.mark.processor
def test_packed_models_round_alike_on_both_paths(build_model, sentences, padded, decoder, precision):
    model = pack(build_model(decoder=decoder, decoder_size=64, feature_size=64).eval(), precision)
    assert_close(scored(model, sentences, padded), scored(Steps(model), sentences, padded))


def test_steps_are_taken_only_where_a_context_is_fed_back(model, sentences, padded, monkeypatch):
    steps, step = [], model.step
    monkeypatch.setattr(model, "step", lambda *given: steps.append(1) or step(*given))
    scored(model, sentences, padded)
    assert bool(steps) == (not model.whole_target)


def test_an_ensemble_steps(model, sentences, padded):
    found = scored(EnsembleStepper([model, model]), sentences, padded)
    assert_close(found, scored(model, sentences, padded), near_zero=near_zero_of(model))
