"""What holds for every kind of attention."""

import pytest
import torch
from torch.testing import assert_close

from seq2seq.layers.attention.attention import StatelessAttention

BFLOAT16 = pytest.mark.needs_bfloat16


def unrolled(attention, query, values, mask):
    """Context and weights of all steps."""
    memory = attention.remember(values, mask)
    return attention.unroll(query, memory, attention.start(memory))


def test_weights_sum_to_one_and_are_zero_on_padding(attention, given):
    query, values, mask = given(attention)
    context, weights = unrolled(attention, query, values, mask)
    assert context.shape == (*query.shape[:2], values.shape[2])
    assert_close(weights.sum(-1), torch.ones(query.shape[:2]))
    assert weights.ge(0).all()
    assert weights[~mask.unsqueeze(1).expand_as(weights)].eq(0).all()


def test_a_step_is_as_unrolled_from_the_start_and_from_the_middle(attention, given, steps):
    query, values, mask = given(attention)
    context, weights = unrolled(attention, query, values, mask)
    memory = attention.remember(values, mask)
    stepped, looked, states = steps(attention, query, memory)
    assert_close(stepped, context)
    assert_close(looked, weights)
    middle = tuple(part.squeeze(1) for part in states[1])
    assert_close(attention.unroll(query[:, 2:], memory, middle), (context[:, 2:], weights[:, 2:]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, pytest.param(torch.bfloat16, marks=BFLOAT16)])
def test_each_kind_of_attention_computes_in_the_type_of_its_weights_and_looks_in_float32_at_least(
    attention, given, steps, dtype
):
    query, values, mask = given(attention)
    exact_context, exact_weights = unrolled(attention.double(), query.double(), values.double(), mask)
    attention, query, values = attention.to(dtype), query.to(dtype), values.to(dtype)
    context, weights = unrolled(attention, query, values, mask)
    stepped, looked, states = steps(attention, query, attention.remember(values, mask))
    wide = torch.promote_types(dtype, torch.float32)
    assert (context.dtype, weights.dtype) == (stepped.dtype, looked.dtype) == (dtype, wide)
    assert all(part.dtype == wide for state in states for part in state)
    near = {"rtol": 0, "atol": 40 * torch.finfo(dtype).eps}  # scores of a few, whose last digits weights feel
    assert_close(context.double(), exact_context, **near)
    assert_close(weights.double(), exact_weights, **near)
    assert_close(looked.double(), exact_weights, **near)


def test_unroll_has_the_gradients_of_steps(attention, given, steps):
    attention = attention.double()
    query, values, mask = given(attention, torch.float64)
    wanted = [values.requires_grad_(), query.requires_grad_(), *attention.parameters()]
    context, weights = unrolled(attention, query, values, mask)
    stepped, looked, _ = steps(attention, query, attention.remember(values, mask))
    reading, looking = torch.randn_like(context), torch.randn_like(weights)
    all_at_once = torch.autograd.grad((context * reading).sum() + (weights * looking).sum(), wanted)
    assert_close(torch.autograd.grad((stepped * reading).sum() + (looked * looking).sum(), wanted), all_at_once)


def test_gradients_are_those_of_the_values(attention, given):
    attention = attention.double()
    query, values, mask = given(attention, torch.float64)
    query = query[:, :2].clone().requires_grad_()

    def run(query, values, *_):
        return unrolled(attention, query, values, mask)

    assert torch.autograd.gradcheck(run, (query, values.requires_grad_(), *attention.parameters()))


def test_gradients_of_the_state_are_those_of_the_values(looking_back, given):
    attention = looking_back.double()
    query, values, mask = given(attention, torch.float64)
    memory, query = attention.remember(values, mask), query[:, :2]
    seen = torch.rand(len(query), 2, values.shape[1], dtype=torch.float64, requires_grad=True)

    def run(seen):
        context, weights, (after,) = attention.step(query, memory, (seen * mask.unsqueeze(1),))
        return context, weights, after

    assert torch.autograd.gradcheck(run, (seen,))


def test_every_parameter_learns(attention, given):
    query, values, mask = given(attention)
    context, _ = unrolled(attention, query.requires_grad_(), values, mask)
    (context * torch.randn_like(context)).sum().backward()
    for name, weight in attention.named_parameters():
        assert weight.grad.ne(0).any(), name


def test_appended_masked_positions_change_nothing(attention, given, steps):
    query, values, mask = given(attention)
    context, weights, states = steps(attention, query, attention.remember(values, mask))
    more = torch.cat([values, 100 * torch.randn(len(values), 4, values.shape[-1])], 1)
    wider = torch.cat([mask, torch.zeros(len(values), 4, dtype=torch.bool)], 1)
    memory = attention.remember(more, wider)
    same_context, same_weights, same_states = steps(attention, query, memory)
    assert_close(same_context, context)
    size = values.shape[1]
    assert_close(same_weights[..., :size], weights)
    assert same_weights[..., size:].eq(0).all()
    for same, state in zip(same_states, states, strict=True):
        assert_close(tuple(part[..., :size] for part in same), state)
        assert all(part[..., size:].eq(0).all() for part in same)
    assert_close(attention.unroll(query, memory, attention.start(memory)), (same_context, same_weights))


def test_the_order_of_sentences_and_who_else_is_there_do_not_matter(attention, given):
    query, values, mask = given(attention)
    context, weights = unrolled(attention, query, values, mask)
    for rows in ([2, 0, 1], [1], [0, 0]):
        assert_close(unrolled(attention, query[rows], values[rows], mask[rows]), (context[rows], weights[rows]))


def test_hypotheses_side_by_side_are_as_if_alone(attention, given, steps):
    """Each is in a state of its own, after steps of its own."""
    query, values, mask = given(attention)
    memory = attention.remember(values, mask)
    parts = [steps(attention, query[:, :count], memory)[2][-1] for count in (1, 2, 3)]
    states = tuple(torch.cat(part, 1) for part in zip(*parts, strict=True))
    before = tuple(part.clone() for part in states)
    context, weights, after = attention.step(query[:, 1:], memory, states)
    assert len(states) == (0 if isinstance(attention, StatelessAttention) else 1)
    assert all(torch.equal(*pair) for pair in zip(states, before, strict=True)), "a step writes into its state"
    for place, own in enumerate(parts):
        found = attention.step(query[:, place + 1 : place + 2], memory, own)
        assert_close(found, tuple(part[:, place : place + 1] for part in (context, weights)) + (of(after, place),))


def of(states, place):
    return tuple(part[:, place : place + 1] for part in states)


def test_a_state_makes_a_difference(looking_back, given, steps):
    query, values, mask = given(looking_back)
    memory = looking_back.remember(values, mask)
    states = steps(looking_back, query, memory)[2]
    early, late = (looking_back.step(query[:, :1], memory, state)[1] for state in (states[0], states[2]))
    assert (early - late)[0].abs().max() > 1e-3


def test_weights_and_states_are_float32_under_autocast(attention, given, steps):
    query, values, mask = given(attention)
    exact = unrolled(attention, query, values, mask)
    with torch.autocast("cpu", torch.bfloat16):
        context, weights = unrolled(attention, query.bfloat16(), values.bfloat16(), mask)
        memory = attention.remember(values.bfloat16(), mask)
        states = [attention.start(memory), *steps(attention, query, memory)[2]]
    assert context.dtype == torch.bfloat16
    assert {weights.dtype, *(part.dtype for state in states for part in state)} == {torch.float32}
    assert_close(weights.sum(-1), torch.ones(query.shape[:2]))
    assert_close((context.float(), weights), exact, atol=0.1, rtol=0)


def test_double_stays_double(attention, given, steps):
    attention = attention.double()
    query, values, mask = given(attention, torch.float64)
    context, weights, states = steps(attention, query, attention.remember(values, mask))
    found = [context, weights, *(part for state in states for part in state)]
    assert {part.dtype for part in found} == {torch.float64}


@pytest.mark.parametrize("scale", [0.0, 1e3])
def test_even_and_extreme_scores_have_finite_gradients(attention, given, scale):
    query, values, mask = given(attention)
    query = (scale * query).requires_grad_()
    context, weights = unrolled(attention, query, values.requires_grad_(), mask)
    assert weights.isfinite().all()
    ((context * torch.randn_like(context)).sum() + (weights * torch.randn_like(weights)).sum()).backward()
    for part in (query, values, *attention.parameters()):
        assert part.grad.isfinite().all()


def test_memory_keeps_mask_and_keys(attention, given):
    _, values, mask = given(attention)
    memory = attention.remember(values, mask)
    assert memory.mask is mask
    assert torch.equal(memory.keys, attention.keys(values))
