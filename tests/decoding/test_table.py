import pytest
import torch

from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.table import Table
from seq2seq.errors import UserError
from seq2seq.symbols import BOS, EOS

FOLLOWING = {BOS: {4: 0.6, 5: 0.4}, 4: {4: 0.5, EOS: 0.5}, 5: {6: 1.0}}
SOURCE, LENGTHS = torch.tensor([[9, 9, EOS], [9, EOS, 0]]), torch.tensor([3, 2])


def test_the_next_token_has_the_probabilities_of_the_last_one_s_row():
    memory, states = Table(FOLLOWING).start(SOURCE, LENGTHS)
    logits, weights, _ = Table(FOLLOWING).step(torch.tensor([[BOS, 5], [4, 6]]), memory, states)
    expected = torch.zeros(2, 2, 7)
    expected[0, 0, [4, 5]], expected[0, 1, 6] = torch.tensor([0.6, 0.4]), 1.0
    expected[1, 0, [4, EOS]], expected[1, 1, EOS] = torch.tensor([0.5, 0.5]), 1.0
    torch.testing.assert_close(logits.exp(), expected)
    torch.testing.assert_close(weights[:, 0], torch.tensor([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 1 / 2, 0.0]]))


def test_searches_take_it_for_a_model():
    greedy = GreedySearch()(Table(FOLLOWING), SOURCE, LENGTHS)
    beam = BeamSearch(beam_size=3)(Table(FOLLOWING), SOURCE, LENGTHS)
    assert [own[0].ids[0] for own in greedy] == [4, 4]
    assert beam[0][0].ids == [5, 6]
    assert beam[0][0].score == pytest.approx(torch.tensor(0.4).log().item())


@pytest.mark.parametrize("row", [{4: 0.5}, {4: 1.5, 5: -0.5}, {}])
def test_a_row_that_is_no_distribution_is_refused(row):
    with pytest.raises(UserError) as error:
        Table({BOS: row})
    assert str(error.value) == f"Probabilities of following[{BOS}] must be at least 0 and sum to 1, but are {row}."
