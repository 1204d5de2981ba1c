"""The script's searches find what ours find, on random probabilities: every stop and limit comes in some."""

import json
import subprocess
from typing import Any

import pytest
import torch
from page_programs import NODE, needs_node

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import AverageRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.export.page.assembly import RUNTIME, script
from seq2seq.symbols import BOS, EOS, PAD

TOKENS, PLACES = 9, 14
LIMITS = LengthLimits(max_ratio=1.5, max_extra=2)
DRIVER = """
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
const answer = ({ table, limit, width, best }) => {
  const scores = table.map((place) => place.map((row) => Float64Array.from(row, (score) => score ?? -Infinity)));
  const step = (hypotheses) => hypotheses.map(({ ids }) => ({ scores: scores[ids.length][ids.at(-1) ?? BOS] }));
  const stepper = { first: null, step };
  return finish(width ? beam(stepper, limit, width, best) : greedy(stepper, limit))
    .map(({ ids, total, scores, finished }) => [ids, total, scores, finished]);
};
console.log(JSON.stringify(cases.map(answer)));
"""


class Drawn:
    """A Stepper of random log-probabilities that hang on the place and the token before, so that no two sums tie.

    The first token is unsure, and later ones more or less sure; for some numbers hardly any hypothesis ends.
    """

    def __init__(self, number: int) -> None:
        random = torch.Generator().manual_seed(number)
        sureness = torch.full((PLACES, 1, 1), (0.5, 1.5, 4.0)[number % 3])
        sureness[0] = 0.5
        scores = torch.randn(PLACES, TOKENS, TOKENS, generator=random) * sureness
        scores[..., EOS] += (-30.0, -1.0, 0.0, 1.0)[number % 4]
        scores[..., [PAD, BOS]] = float("-inf")
        self.log_probabilities = scores.log_softmax(-1)

    def start(self, source: Any, lengths: Any) -> Any:
        return torch.zeros(source.shape), (torch.zeros(len(source), 1, dtype=torch.long),)

    def step(self, ids: Any, memory: Any, states: Any) -> Any:
        (place,) = states
        weights = memory.unsqueeze(1).expand(-1, ids.shape[1], -1)
        return self.log_probabilities[place, ids], weights, (place + 1,)

    @property
    def table(self) -> list[list[list[float | None]]]:
        """The log-probabilities as JSON can hold them: None is minus infinity."""
        kept = self.log_probabilities.nan_to_num(neginf=1.0).tolist()
        return [[[None if one == 1.0 else one for one in row] for row in place] for place in kept]


def searched(number: int) -> tuple[dict[str, Any], list[Hypothesis]]:
    """A case for the script, and what our search finds."""
    drawn, width = Drawn(number), number % 6
    lengths, best = torch.tensor([1 + number % 7]), 1 + number // 7 % max(width, 1)
    ranking = AverageRanking()
    search = BeamSearch(beam_size=width, ranking=ranking, length=LIMITS) if width else GreedySearch(length=LIMITS)
    (found,) = search(drawn, torch.zeros(1, int(lengths), dtype=torch.long), lengths, Request(best))
    return {"table": drawn.table, "limit": int(LIMITS.max_length(lengths)), "width": width, "best": best}, found


@needs_node
def test_searches_of_random_probabilities():
    cases, wanted = zip(*map(searched, range(240)), strict=True)
    command = [str(NODE), "-e", script(RUNTIME) + DRIVER]
    answers = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=120)
    for found, hypotheses in zip(json.loads(answers.stdout), wanted, strict=True):
        assert [ids for ids, *_ in found] == [own.ids for own in hypotheses]
        assert [finished for *_, finished in found] == [own.finished for own in hypotheses]
        for (_, total, scores, _), own in zip(found, hypotheses, strict=True):
            assert total == pytest.approx(own.score, abs=1e-4)
            assert scores == pytest.approx(own.token_scores, abs=1e-4)
    ends = [{own.finished for own in found} for found in wanted]
    assert all(kind in ends for kind in ({True}, {False}, {True, False}))
