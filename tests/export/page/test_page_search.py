"""The script's searches find what ours find, on random tables of probabilities: every stop and limit comes in some."""

import json
import subprocess

import pytest
import torch
from page_programs import NODE, needs_node

from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import AverageRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.table import Table
from seq2seq.export.page.assembly import RUNTIME, script
from seq2seq.symbols import BOS, EOS

TOKENS = 9
DRIVER = """
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const answer = ({ table, limit, width, best }) => {
  const scores = table.map((row) => Float64Array.from(row, (score) => score ?? -Infinity));
  const step = (hypotheses) => hypotheses.map(({ ids }) => ({ scores: scores[ids.at(-1) ?? BOS] }));
  const stepper = { first: null, step };
  return finish(width ? beam(stepper, limit, width, best) : greedy(stepper, limit))
    .map(({ ids, total, scores, finished }) => [ids, total, scores, finished]);
};
console.log(JSON.stringify(cases.map(answer)));
"""


def random_table(number: int) -> Table:
    """A table whose rows are even for some numbers and sure of one token for others; some never end."""
    random = torch.Generator().manual_seed(number)
    rows = {}
    for token in (BOS, *range(EOS + 1, TOKENS)):
        following = torch.randn(TOKENS - EOS, generator=random) * (0.5, 1.5, 4.0)[number % 3]
        following[0] += (-30.0, -1.0, 0.0, 1.0)[number % 4]  # of EOS
        shares = following.double().softmax(0).tolist()
        rows[token] = dict(zip(range(EOS, TOKENS), shares, strict=True))
    return Table(rows)


@needs_node
def test_searches_of_random_tables():
    cases, wanted = [], []
    for number in range(120):
        table, width = random_table(number), number % 6
        length, best = 1 + number % 7, 1 + number % max(width, 1)
        limits = LengthLimits(max_ratio=1.5, max_extra=2)
        search = BeamSearch(beam_size=width, ranking=AverageRanking(), length=limits) if width else None
        lengths = torch.tensor([length])
        request = Request(best)
        (found,) = (search or GreedySearch(length=limits))(table, torch.zeros(1, length).long(), lengths, request)
        rows = [
            [None if score == float("-inf") else score for score in row] for row in table.log_probabilities.tolist()
        ]
        limit = int(limits.max_length(lengths))
        cases.append({"table": rows, "limit": limit, "width": width, "best": best})
        wanted.append(found)
    command = [str(NODE), "-e", script(RUNTIME) + DRIVER]
    answers = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=120)
    for found, hypotheses in zip(json.loads(answers.stdout), wanted, strict=True):
        assert [ids for ids, *_ in found] == [own.ids for own in hypotheses]
        assert [finished for *_, finished in found] == [own.finished for own in hypotheses]
        for (_, total, scores, _), own in zip(found, hypotheses, strict=True):
            assert total == pytest.approx(own.score, abs=1e-4)
            assert scores == pytest.approx(own.token_scores, abs=1e-4)
    ends = [{own.finished for own in found} for found in wanted]
    assert {True, False} in ends
    assert {True} in ends
    assert {False} in ends
