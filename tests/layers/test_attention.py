import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.attention.additive import AdditiveAttention
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.attention.dot import DotAttention
from seq2seq.layers.attention.general import GeneralAttention
from seq2seq.masking import length_mask

KINDS = ["dot", "general", "additive"]
LENGTHS = torch.tensor([5, 2, 1])
QUERY_SIZE = 4


@pytest.fixture(params=KINDS)
def attention(request, attention_kind):
    return attention_kind(request.param)(query_size=QUERY_SIZE, memory_size=memory_size(request.param))


def memory_size(kind: str) -> int:
    """Sizes differ wherever the kind allows that."""
    return QUERY_SIZE if kind == "dot" else 6


def width(attention) -> int:
    """The size of the values that an attention reads."""
    return QUERY_SIZE if isinstance(attention, DotAttention) else 6


def example(attention, dtype=torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, values and mask of three sentences."""
    query = torch.randn(3, 7, QUERY_SIZE, dtype=dtype)
    values = torch.randn(3, 5, width(attention), dtype=dtype)
    return query, values, length_mask(LENGTHS, 5)


def score(attention, query, value):
    """The published formula for one query and one value."""
    if isinstance(attention, DotAttention):
        return query @ value / QUERY_SIZE**0.5
    if isinstance(attention, GeneralAttention):
        return query @ attention.projection.weight @ value / QUERY_SIZE**0.5
    hidden = attention.query_projection(query) + attention.value_projection.weight @ value
    return attention.vector @ hidden.tanh()


def test_weights_sum_to_one_and_are_zero_on_padding(attention):
    query, values, mask = example(attention)
    _, weights = attention(query, attention.remember(values, mask))
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 7))
    assert torch.equal(weights > 0, mask.unsqueeze(1).expand_as(weights))


def test_values_follow_the_formula(attention):
    query, values, mask = example(attention)
    context, weights = attention(query, attention.remember(values, mask))
    for row, length in enumerate(LENGTHS.tolist()):
        for step in range(query.shape[1]):
            scores = torch.stack([score(attention, query[row, step], value) for value in values[row, :length]])
            torch.testing.assert_close(weights[row, step, :length], scores.softmax(0))
            torch.testing.assert_close(context[row, step], scores.softmax(0) @ values[row, :length])


def test_gradients_are_those_of_the_values(attention):
    attention = attention.double()
    query, values, mask = example(attention, torch.float64)
    parameters = tuple(attention.parameters())

    def run(query, values, *_):
        return attention(query[:, :2], attention.remember(values, mask))

    assert torch.autograd.gradcheck(run, (query.requires_grad_(), values.requires_grad_(), *parameters))


def test_appending_masked_positions_changes_nothing(attention):
    query, values, mask = example(attention)
    context, weights = attention(query, attention.remember(values, mask))
    more = torch.cat([values, 100 * torch.randn(3, 4, values.shape[-1])], 1)
    wider = torch.cat([mask, torch.zeros(3, 4, dtype=torch.bool)], 1)
    same_context, same_weights = attention(query, attention.remember(more, wider))
    torch.testing.assert_close(same_context, context)
    torch.testing.assert_close(same_weights[..., :5], weights)
    assert same_weights[..., 5:].eq(0).all()


def test_queries_do_not_see_each_other(attention):
    query, values, mask = example(attention)
    memory = attention.remember(values, mask)
    context, _ = attention(query, memory)
    alone, _ = attention(query[:, 3:4], memory)
    torch.testing.assert_close(alone, context[:, 3:4])


def test_memory_keeps_values_mask_and_their_keys(attention):
    _, values, mask = example(attention)
    memory = attention.remember(values, mask)
    assert isinstance(memory, Memory)
    assert memory.values is values
    assert memory.mask is mask
    assert torch.equal(memory.keys, attention.keys(values))


@pytest.mark.parametrize("kind", [DotAttention, GeneralAttention])
def test_scaling_divides_scores_by_the_root_of_the_size(kind):
    scaled, plain = (kind(query_size=QUERY_SIZE, memory_size=QUERY_SIZE, scaled=option) for option in (True, False))
    plain.load_state_dict(scaled.state_dict())
    query, keys = torch.randn(2, 3, QUERY_SIZE), torch.randn(2, 5, QUERY_SIZE)
    torch.testing.assert_close(plain.score(query, keys), scaled.score(query, keys) * QUERY_SIZE**0.5)
    mask = torch.ones(2, 5, dtype=torch.bool)
    contexts = [attention(query, attention.remember(keys, mask))[0] for attention in (scaled, plain)]
    assert not torch.allclose(*contexts)


def test_size_of_additive_attention_is_that_of_its_keys():
    attention = AdditiveAttention(query_size=4, memory_size=6, size=9)
    assert attention.keys(torch.randn(2, 5, 6)).shape == (2, 5, 9)


def test_dot_of_unequal_sizes_is_told():
    with pytest.raises(UserError) as error:
        DotAttention(query_size=8, memory_size=6)
    assert str(error.value) == (
        "model/attention=dot needs queries as wide as the memory, but the decoder's hidden_size is 8 and the "
        "encoder's output 6: make them equal or use model/attention=general."
    )
