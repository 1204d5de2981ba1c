"""A decoder without a source: what it gives to texts, and the states that it hands on."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from seq2seq.config.builder import call
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.stepper import WholeTargetStepper
from seq2seq.errors import UserError
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.models.language_model import LanguageModel
from seq2seq.symbols import BOS, EOS, PAD, UNK

SIZE = 7


def new_model(cell: Callable = LSTMCell, **options: Any) -> LanguageModel:
    chosen = {"embedding_size": 4, "hidden_size": 5, "num_layers": 2, "top_size": 4}
    off = dict.fromkeys(("dropout", "hidden_dropout", "output_dropout"), 0.0)
    sizes = {"source_vocabulary_size": SIZE, "target_vocabulary_size": SIZE}
    return call(LanguageModel, **sizes, **{**chosen, **off, "cell": cell, "output": TiedOutput, **options})


def no_source(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((count, 1), EOS), torch.ones(count, dtype=torch.long)


@pytest.fixture
def model() -> LanguageModel:
    return new_model()


def test_a_tied_output_of_the_embeddings_size_has_no_projection(model):
    shapes = {name: tuple(weight.shape) for name, weight in model.output.named_parameters()}
    assert shapes == {"weight": (SIZE, 4), "bias": (SIZE,)}
    assert [cell.hidden_size for cell in model.decoder.layers] == [5, 4]


@pytest.mark.parametrize("connection", ["none", "residual", "highway", "dense"])
def test_a_whole_text_is_what_single_steps_are(cell_kind, connection):
    model = new_model(cell_kind, connection=connection, hidden_size=4).eval()
    assert isinstance(model, WholeTargetStepper)
    target = torch.tensor([[4, 5, 6, EOS], [6, EOS, PAD, PAD]])
    lengths = torch.tensor([4, 2])
    whole = score_targets(model, *no_source(2), target, lengths)
    model.decoder.whole_target = False
    for one, other in zip(whole, score_targets(model, *no_source(2), target, lengths), strict=True):
        assert_close(one.token_scores, other.token_scores, atol=1e-5, rtol=1e-5)


def test_a_text_has_the_product_of_its_tokens_probabilities(model):
    inputs = torch.tensor([[BOS, 4, 6]])
    outputs = model(*no_source(1), inputs)
    by_hand = model.output.log_probabilities(outputs.features[0])[range(3), [4, 6, EOS]]
    (scored,) = score_targets(model.eval(), *no_source(1), torch.tensor([[4, 6, EOS]]), torch.tensor([3]))
    assert_close(torch.tensor(scored.token_scores), by_hand)


def test_texts_of_up_to_two_tokens_and_what_goes_on_have_all_probability(model):
    words = [UNK, 4, 5, 6]
    texts = [[*text, EOS] for length in range(3) for text in product(words, repeat=length)]
    padded = torch.tensor([text + [PAD] * (3 - len(text)) for text in texts])
    lengths = torch.tensor([len(text) for text in texts])
    ended = sum(torch.tensor(one.score).exp() for one in score_targets(model, *no_source(len(texts)), padded, lengths))
    memory, states = model.start(*no_source(16))
    open_ends = torch.tensor(list(product(words, repeat=2)))
    scores = model.token_scores(torch.cat([open_ends, torch.full((16, 1), EOS)], 1), memory, states)
    going = (scores[:, :2].sum(1).exp() * (1 - scores[:, 2].exp())).sum()
    assert_close(ended + going, torch.tensor(1.0))


def test_the_source_makes_no_difference(model):
    search = BeamSearch(beam_size=3)
    sources = torch.tensor([[4, 5, EOS], [6, 4, EOS]])
    (one,), (other,) = search(model, sources, torch.tensor([3, 3]))
    assert (one.ids, one.score) == (other.ids, other.score)


def test_windows_that_carry_states_are_the_whole_text(model):
    text = torch.randint(4, SIZE, (2, 9))
    whole = model(*no_source(2), text).features
    parts, states = [], None
    for window in text.split(4, 1):
        outputs, states = model.going_on(*no_source(2), window, states)
        parts.append(outputs.features)
    assert_close(torch.cat(parts, 1), whole)


def test_gradients_end_at_the_beginning_of_a_window(model):
    text = torch.randint(4, SIZE, (1, 6))
    states = model.going_on(*no_source(1), text[:, :3], None)[1]
    assert all(not part.requires_grad for state in states.layers for part in state)
    vectors = model.decoder.embedding.table.weight
    model.going_on(*no_source(1), text[:, 3:], states)[0].features.sum().backward()
    untouched = set(range(4, SIZE)) - set(text[0, 3:].tolist())
    assert all(vectors.grad[index].abs().sum() == 0 for index in untouched)


@pytest.mark.parametrize("name", ["dropout", "hidden_dropout", "output_dropout", "type_dropout", "word_dropout"])
def test_every_dropout_changes_training_alone(name):
    torch.manual_seed(1)
    dropping = new_model(**{name: 0.6})
    plain = new_model()
    plain.load_state_dict(dropping.state_dict())
    text = torch.randint(4, SIZE, (3, 5))
    ours, theirs = (one(*no_source(3), text).features for one in (dropping, plain))
    assert not torch.equal(ours, theirs)
    ours, theirs = (one.eval()(*no_source(3), text).features for one in (dropping, plain))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "num_layers must be at least 1, but is 0."),
        ({"top_size": 0}, "top_size must be at least 1, or null for hidden_size, but is 0."),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, but is 1.0."),
        ({"hidden_dropout": -0.1}, "hidden_dropout must be at least 0 and below 1, but is -0.1."),
        ({"output_dropout": 1.5}, "output_dropout must be at least 0 and below 1, but is 1.5."),
        ({"word_dropout": 1.0}, "word_dropout must be at least 0 and below 1, but is 1.0."),
        ({"connection": "loop"}, "connection must be one of none, residual, highway, dense, but is 'loop'."),
    ],
)
def test_bad_values_are_named(options, message):
    with pytest.raises(UserError) as error:
        new_model(**options)
    assert str(error.value) == message
