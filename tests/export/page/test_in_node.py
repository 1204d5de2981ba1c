"""What is made of a Node that answers nothing usable, and of a page that finds other answers than the model."""

from collections.abc import Sequence
from typing import Any

import pytest

from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.export.page import in_node
from seq2seq.export.page.in_node import prove_script
from seq2seq.translation.line import Translation

TEXTS = {(5, 6): "ab", (5, 7): "ac", (): ""}


class NoTokenizers(Tokenizers):
    """Those of answers that nobody cuts."""

    def __init__(self) -> None:
        pass


def hypothesis(ids: Sequence[int], scores: Sequence[float]) -> Hypothesis:
    return Hypothesis([*ids], sum(scores), True, token_scores=[*scores])


def model_s(ids: Sequence[int], scores: Sequence[float]) -> Translation:
    return Translation(TEXTS[tuple(ids)], hypothesis(ids, scores), "x", NoTokenizers())


def page_s(ids: Sequence[int], scores: Sequence[Any]) -> dict[str, Any]:
    total = sum(scores) if None not in scores else None
    return {"text": TEXTS[tuple(ids)], "ids": [*ids], "score": total, "scores": [*scores], "finished": True}


def proved(monkeypatch, found: Any, other: Translation, by_model: Sequence[float] = (), *, width: int = 5) -> Any:
    """Record of a page that finds something for one line, and of a model that finds `other`."""
    monkeypatch.setattr(in_node, "node", lambda: "node")
    monkeypatch.setattr(in_node, "answers_in_node", lambda *_: [[{"ids": [4], "found": found}]])

    def scored(lines: Sequence[str], ids: Sequence[Sequence[int]]) -> list[Hypothesis]:
        return [hypothesis(own, by_model) for own in ids]

    return prove_script("page", ["x"], lambda _: [other], scored, [width])


@pytest.mark.parametrize("printed", ["hello", "", "[1, 2", "3", "null", "[]", "[[]]", "[[3]]", '[[{"found": 1}]]'])
def test_a_node_that_says_something_else_is_warned_of(printed, tmp_path, monkeypatch, caplog):
    program = tmp_path / "node"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\nprintf '%s' '{printed}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(in_node, "node", lambda: str(program))
    assert prove_script("page", ["x"], lambda _: [], lambda *_: [], [0]) is None
    start = f"{program} cannot run the page's script, which was not proved: "
    assert [message.startswith(start) and len(message) > len(start) for message in caplog.messages] == [True]


@pytest.mark.parametrize("found", [[], [page_s([5, 6], [-1.0, None, -1.0])]])
def test_a_page_without_an_answer_or_a_score_is_refused(monkeypatch, found):
    with pytest.raises(UserError, match="^to=page must answer as the model does, but has no scored answer to 'x', .*"):
        proved(monkeypatch, found, model_s([5, 6], [-1.0, -1.0, -1.0]))


@pytest.mark.parametrize("scores", [[-1.0, -1.0002, -1.0], [-1.0, float("nan"), -1.0]])
def test_a_token_s_score_that_is_off_is_refused(monkeypatch, scores):
    with pytest.raises(UserError, match=r"^to=page must answer as the model does, but says 'ab' to 'x', with a token"):
        proved(monkeypatch, [page_s([5, 6], [-1.0] * 3)], model_s([5, 6], scores))


def test_differences_of_tokens_are_not_those_of_their_sum(monkeypatch):
    """A longer sentence may be off by more."""
    report = proved(monkeypatch, [page_s([5, 6], [-1.00009] * 3)], model_s([5, 6], [-1.0] * 3))
    assert report == {"lines": 1, "others": 0, "worst_difference": pytest.approx(9e-5)}


def test_a_beam_that_parts_a_near_tie_otherwise_is_warned_of(monkeypatch, caplog):
    own, other = [page_s([5, 7], [-1.0, -1.2, -1.0])], model_s([5, 6], [-1.0, -1.1, -1.0])
    report = proved(monkeypatch, own, other, [-1.0, -1.2, -1.0])
    assert report == {"lines": 1, "others": 1, "worst_difference": 0.0}
    assert caplog.messages == [
        "by a beam of 5, the page has another answer than the model to 1 of 1 lines, with the scores that the model "
        "gives to it: near ties"
    ]
    with pytest.raises(UserError, match="but says 'ac' to 'x', with a token's score that is 1.0e-01 nats off the"):
        proved(monkeypatch, own, other, [-1.0, -1.1, -1.0])


def test_greedy_answers_may_part_only_where_two_tokens_are_as_good(monkeypatch):
    own = [page_s([5, 7], [-1.0, -1.20005, -1.0])]
    report = proved(monkeypatch, own, model_s([5, 6], [-1.0, -1.2, -2.0]), [-1.0, -1.20005, -1.0], width=0)
    assert report["others"] == 1
    with pytest.raises(UserError, match="but says 'ac' to 'x', with a token's score that is 5.0e-02 nats off the"):
        proved(monkeypatch, own, model_s([5, 6], [-1.0, -1.15, -2.0]), [-1.0, -1.20005, -1.0], width=0)


def test_an_answer_that_comes_to_no_end_has_no_score_of_one(monkeypatch):
    """The model that scores it gives one to its end, too."""
    cut = page_s([5, 7], [-1.0, -1.2])
    assert proved(monkeypatch, [cut], model_s([5, 6], [-1.0, -1.2]), [-1.0, -1.2, -3.0])["others"] == 1
