"""Scores of given targets, line by line."""

import json
import logging

import pytest
import torch

from seq2seq.commands.score import _written, score_lines
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run
from seq2seq.symbols import BOS, EOS

PAIRS = [("a b c", "c b a"), ("f", ""), ("", "d"), ("", ""), ("e d", "never seen"), ("a a a a", "a")]
LINES = [f"{source}\t{target}\n".encode() for source, target in PAIRS]


@pytest.fixture
def scores_of(config_of, finished):
    """An iterator of what is written for lines."""
    return lambda lines, *overrides: score_lines(config_of("score", f"run={finished}", "device=cpu", *overrides), lines)


def teacher_forced(run, source: str, target: str) -> tuple[list[str], list[float]]:
    """Pieces and log-probabilities by one pass over the whole target."""
    ((own,), (wanted,)) = run.tokenizers.source.encode([source]), run.tokenizers.target.encode([target])
    with torch.no_grad():
        batch = torch.tensor([[*own, EOS]]), torch.tensor([len(own) + 1]), torch.tensor([[BOS, *wanted]])
        features, *_ = run.model(*batch)
        scores = -run.model.output.loss(features[0], torch.tensor([*wanted, EOS]))
    return [*run.tokenizers.target.pieces(wanted), "</s>"], scores.tolist()


@pytest.mark.parametrize("buffer", [1, 4, 100])
def test_scores_are_those_of_the_model(scores_of, finished, buffer):
    run = load_run(finished)
    rows = [line.split("\t") for line in scores_of(LINES, f"buffer={buffer}")]
    objects = [json.loads(line) for line in scores_of(LINES, f"buffer={buffer}", "format=json")]
    for row, one, (source, target) in zip(rows, objects, PAIRS, strict=True):
        pieces, scores = teacher_forced(run, source, target)
        total, count, each = row
        assert float(total) == pytest.approx(sum(scores), abs=2e-5)
        assert int(count) == len(scores)
        assert [float(score) for score in each.split()] == pytest.approx(scores, abs=1e-5)
        assert one["pieces"] == pieces
        assert one["token_scores"] == pytest.approx(scores, abs=1e-5)
        assert one["score"] == float(total)


@pytest.mark.parametrize("buffer", [1, 2, 100])
@pytest.mark.parametrize(("bad", "tabs"), [(b"a b\n", 0), (b"a\tb\tc\n", 2), (b"\n", 0)])
def test_a_line_that_is_no_pair_is_told_after_all_before_it(scores_of, buffer, bad, tabs):
    found: list[str] = []
    with pytest.raises(UserError) as error:
        found.extend(scores_of([*LINES[:3], bad, LINES[3]], f"buffer={buffer}"))
    assert str(error.value) == f"line 4 must be source<TAB>target, but has {tabs} tabs."
    assert_alike(found, scores_of(LINES[:3]))


def assert_alike(found, wanted) -> None:
    """Lines of equal numbers; the last digit may depend on how many lines are scored together."""
    for line, other in zip(found, wanted, strict=True):
        assert [float(number) for number in line.split()] == pytest.approx(
            [float(number) for number in other.split()], abs=1e-5
        )


def test_a_score_that_is_not_finite_is_null_in_json(letters):
    hypothesis = Hypothesis([5], float("-inf"), True, 0.0, [float("-inf"), float("nan")], None)
    read = json.loads(_written(hypothesis, letters, "e", "json"))
    assert read["score"] is None
    assert read["token_scores"] == [None, None]


def test_the_first_line_can_be_the_bad_one(scores_of):
    with pytest.raises(UserError, match=r"^line 1 must be source<TAB>target, but has 0 tabs\.$"):
        next(scores_of([b"a\n"]))


def test_no_more_is_read_than_the_buffer_holds(scores_of):
    taken: list[bytes] = []

    def lines():
        for line in LINES:
            taken.append(line)
            yield line

    next(scores_of(lines(), "buffer=2"))
    assert len(taken) == 2


def test_warnings_name_lines_through_all_buffers(scores_of, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")
    list(scores_of(LINES, "buffer=2", "max_source_tokens=3"))
    unseen, *lines = [record.getMessage() for record in caplog.records]
    assert unseen.startswith("never seen among targets in training, scored as unknown: 'never', 'seen'")
    assert lines == ["line 6 has 4 tokens: only the first 3 are read (max_source_tokens)"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("buffer=0", "buffer must be a whole number of at least 1, but is 0."),
        ("buffer=many", "buffer must be a whole number of at least 1, but is 'many'."),
        ("format=text", "format must be one of tsv, json, but is 'text'."),
        ("threads=0", "threads must be auto or at least 1, but is 0."),
        ("max_tokens=none", "max_tokens must be int, but is 'none'."),
    ],
)
def test_options_that_do_not_work_are_told(scores_of, override, message):
    with pytest.raises(UserError) as error:
        next(scores_of(LINES, override))
    assert str(error.value) == message


def test_what_the_vocabularies_lack_is_told_of_either_side(scores_of, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")
    list(scores_of([b"a b\tx a\n", b"A B\tb a\n", b"a\ty\n", b"a\ta\n"], "buffer=1"))
    assert caplog.messages == [
        "never seen among targets in training, scored as unknown: 'x' (in 'x a'; said once)",
        "never seen in training, scored as unknown: 'A', 'B' (in 'A B'; said once); all of it is known in lower "
        "case, as 'a b'",
        "2 lines held what was never seen among targets in training, 2 times in all: 'x' 1, 'y' 1",
    ]
