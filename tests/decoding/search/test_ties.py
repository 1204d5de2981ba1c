"""Of hypotheses with equal scores each search keeps the same ones, whatever sentences are beside them."""

import pytest
import torch

from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import AverageRanking
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.symbols import EOS

LENGTH = LengthLimits(max_ratio=1.0, max_extra=2)
SEARCHES = {
    "greedy": GreedySearch(length=LENGTH),
    "beam": BeamSearch(beam_size=5, length=LENGTH),
    "beam by average": BeamSearch(beam_size=2, ranking=AverageRanking(), length=LENGTH),
    "diverse beam": DiverseBeamSearch(beam_size=4, groups=2, length=LENGTH),
    "sampling": Sampling(samples=4, top_p=0.7, length=LENGTH),
}


class WholeLogits:
    """Logits of 0, 1 and 2 by the sum of the source and the last token, so that many hypotheses are equal."""

    def __init__(self, vocabulary: int, seed: int) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.logits = torch.randint(3, (13, vocabulary, vocabulary), generator=draw).float()
        self.logits[..., EOS] -= 1

    def start(self, source, lengths):
        return (source.sum(1, keepdim=True) % 13,), ()

    def step(self, ids, memory, states):
        return self.logits[memory[0], ids], torch.ones(*ids.shape, 1), states


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("vocabulary", [6, 20, 300])
def test_an_answer_among_equals_hangs_on_its_own_sentence_alone(kind, vocabulary):
    search = SEARCHES[kind]
    request = Request(n_best=min(search.width, 3))
    lengths = torch.tensor([2, 3, 4, *[9] * 25])  # so few that they stay in the batch when they have ended
    for seed in range(8):
        draw = torch.Generator().manual_seed(seed)
        stepper, source = WholeLogits(vocabulary, seed), torch.randint(4, 6, (28, 9), generator=draw)
        source = source.masked_fill(torch.arange(9) >= lengths.unsqueeze(1), 0)
        beside = search(stepper, source, lengths, request)
        for row, length in enumerate(lengths[:4].tolist()):
            (alone,) = search(stepper, source[row : row + 1, :length], lengths[row : row + 1], request)
            assert [one.ids for one in alone] == [one.ids for one in beside[row]]
