"""What a proof finds, and what it lets pass."""

from copy import copy
from typing import Any

import pytest

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.export.proof import EXACT, SHAPES, Limits, _compare, prove, prove_alone
from seq2seq.symbols import EOS

SOURCES = ["ab", "c d e", "fghij", "z", "a", "klmno pqrst", "x y", "uvw"]
TIED = [(5, -0.5), (6, -0.500001), (6, -0.50002)]  # ids and scores: the first two are as good


class Changed:
    """A model whose logits are changed by a function of them, of how many sentences were started, and of the beam."""

    def __init__(self, model: Any, change: Any) -> None:
        self.model, self.change = model, change

    def start(self, source, lengths) -> Any:
        self.started = len(source)
        return self.model.start(source, lengths)

    def step(self, ids, memory, states) -> Any:
        logits, weights, states = self.model.step(ids, memory, states)
        return self.change(logits, (self.started, ids.shape[1])), weights, states


@pytest.fixture
def pair(babbler):
    """A translator, and the same with changed logits."""

    def build(change):
        plain = babbler()
        other = copy(plain)
        other.stepper = Changed(plain.stepper, change)
        return plain, other

    return build


def test_the_same_is_proved(pair):
    proof = prove(*pair(lambda logits, shape: logits + 3.0), SOURCES)  # a softmax does not see it
    assert proof.lines == len(SOURCES)
    assert proof.worst < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_a_difference_in_any_shape_is_found(pair, shape):
    count, width = shape
    changed = pair(lambda logits, shape: logits * (1.01 if shape == (min(count, 8), width) else 1.0))
    with pytest.raises(UserError, match=f"of .* at a time, {'greedy' if width == 1 else f'beam {width}'}, at '"):
        prove(*changed, SOURCES)


@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize("place", [0, 1, 57, 98, 99])
def test_a_difference_at_any_line_is_found(babbler, monkeypatch, width, place):
    """By the greedy search and by the beam, each by itself: as many lines are compared as the proof says."""
    sources = ["".join("abcdefghij"[int(digit)] for digit in f"{number:03}") for number in range(100)]
    plain = babbler()
    other = copy(plain)

    def found(translator, search, lines, count):
        off = translator is other and search.width == width
        ids = [(4, 5) if off and line == sources[place] else (4,) for line in lines]
        return [Hypothesis([*own], -float(len(own)), True, token_scores=[-1.0] * len(own)) for own in ids]

    monkeypatch.setattr("seq2seq.export.proof._found", found)
    with pytest.raises(UserError, match=f"at '{sources[place]}'"):
        prove(plain, other, sources)
    assert prove(plain, plain, sources).lines == 100


def test_other_tokens_pass_where_their_score_is_the_same():
    one, tied, worse = (Hypothesis([ids], score, True, token_scores=[score]) for ids, score in TIED)
    assert _compare("the model", [one], [tied], ["a"], "here") == 0.0
    with pytest.raises(UserError, match="the tokens are others"):
        _compare("the model", [one], [worse], ["a"], "here")


def test_the_message_says_what_differs(pair):
    with pytest.raises(UserError) as error:
        prove(*pair(lambda logits, shape: logits * 1.001), SOURCES)
    assert str(error.value).startswith("to=onnx must do what the model does, but differs of ")
    assert "nats off. Nothing was written: decode by the run." in str(error.value)

    def silent(logits, shape):
        logits[..., EOS] += 30.0
        return logits

    with pytest.raises(UserError, match="the tokens are others. Nothing was written"):
        prove(*pair(silent), SOURCES)
    with pytest.raises(UserError, match="nan nats off|the tokens are others"):
        prove(*pair(lambda logits, shape: logits * float("nan")), SOURCES)


def test_what_hangs_on_neighbours_is_found_alone(pair):
    _, other = pair(lambda logits, shape: logits * (1.0 + 0.0005 * shape[0]))
    with pytest.raises(UserError, match="^to=onnx must do what each line alone does, but differs of all together"):
        prove_alone(other, SOURCES, EXACT)
    assert 1e-5 < prove_alone(other, SOURCES, Limits(0.5, 1.0)) < 0.5


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_score_that_is_no_number_proves_nothing_wherever_it_stands(place):
    wanted = Hypothesis([5, 6], -3.0, True, token_scores=[-1.0] * 3)
    found = Hypothesis([5, 6], -3.0, True, token_scores=[float("nan") if at == place else -1.0 for at in range(3)])
    with pytest.raises(UserError, match="to=onnx must do what the model does, but differs here, at 'a'"):
        _compare("the model", [wanted], [found], ["a"], "here")
