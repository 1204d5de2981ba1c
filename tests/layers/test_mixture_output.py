"""Mixtures of softmaxes."""

from functools import partial

import pytest
import torch
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.mixture import MixtureOutput
from seq2seq.layers.output.smoothing import Smoothing
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.symbols import BOS, EOS, PAD


def test_components_are_mixed_by_their_weights_by_hand():
    """Weights 1/4 and 3/4 of (.5, .3, .2) and (.1, .1, .8) make (.2, .15, .65)."""
    output = MixtureOutput(feature_size=1, embedding=Embedding(5, 2), components=2, tied=False)
    with torch.no_grad():
        output.weights.weight.copy_(torch.tensor([[1.0], [3.0]]).log())
        output.latent.weight.zero_()
        output.latent.bias.copy_(torch.tensor([9.0, 0, 0, 9.0]))  # tanh of 9 is 1: units are components
        logarithms = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]).log().T
        output.words.projection.weight[[1, 3, 4]] = logarithms
    features = torch.ones(1, 1)
    expected = torch.tensor([[0, 0.2, 0, 0.15, 0.65]])
    assert_close(output.log_probabilities(features).exp(), expected, atol=1e-5, rtol=1e-5)
    losses = output.loss(features.expand(2, -1), torch.tensor([4, 3]))
    assert_close(losses, -expected[0, [4, 3]].log(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_one_component_is_one_softmax_of_a_tanh(tied):
    embedding = Embedding(9, 6).double()
    output = MixtureOutput(feature_size=4, embedding=embedding, components=1, tied=tied).double()
    plain = (TiedOutput if tied else FullOutput)(feature_size=6, embedding=embedding).double()
    plain.load_state_dict(output.words.state_dict())
    features, targets = torch.randn(10, 4, dtype=torch.float64), torch.randint(EOS, 9, (10,))
    hidden = output.latent(features).tanh()
    assert torch.equal(output.log_probabilities(features), plain.log_probabilities(hidden))
    assert torch.equal(output.loss(features, targets), plain.loss(hidden, targets))


@pytest.mark.parametrize("multiple", [1, 8])
@pytest.mark.parametrize("chunk", [None, 3])
def test_probabilities_sum_to_1_and_gradients_are_finite(chunk, multiple):
    embedding = Embedding(9, 6, multiple=multiple)
    output = MixtureOutput(feature_size=6, embedding=embedding, components=4, chunk=chunk)
    features, targets = torch.randn(10, 6), torch.randint(EOS, 9, (10,))
    found = output.log_probabilities(features)
    assert found.shape == (10, 9)
    assert_close(found.exp().sum(1), torch.ones(10))
    for smoothing in (Smoothing(), Smoothing(0.1)):
        loss = output.training_loss(features, targets, smoothing)
        assert_close(loss.likelihood, -found.gather(1, targets.unsqueeze(1)).sum())
        loss.total.backward()
    assert all(weight.grad.isfinite().all() for weight in output.parameters())
    assert not embedding.table.weight.grad[[PAD, BOS]].any()


def test_its_rank_is_above_that_of_one_softmax():
    """Of logarithms of p, less what is the same in a row: at most the size, whatever the features are."""
    make = partial(MixtureOutput, feature_size=6, embedding=Embedding(40, 2).double())
    features = torch.randn(50, 6, dtype=torch.float64) * 3
    ranks = []
    for components in (1, 4):
        torch.manual_seed(1)
        output = make(components=components).double()
        torch.nn.init.normal_(output.words.weight, std=3.0)
        said = output.log_probabilities(features)[:, EOS:]
        ranks.append(int(torch.linalg.matrix_rank(said - said.mean(1, keepdim=True), rtol=1e-8)))
    assert ranks[0] <= 3 < 20 < ranks[1]


def test_its_scores_count_as_many_times_as_there_are_components():
    output = MixtureOutput(feature_size=6, embedding=Embedding(9, 6), components=4)
    assert output.products == 6 * 4 + 6 * 24 + 4 * 9 * 6
    assert MixtureOutput(feature_size=6, embedding=Embedding(1 << 14, 6)).rows_at_once(1000) == 128 // 5


def test_no_component_is_refused():
    with pytest.raises(UserError) as error:
        MixtureOutput(feature_size=6, embedding=Embedding(9, 6), components=0)
    assert str(error.value) == "components must be at least 1, but is 0."
