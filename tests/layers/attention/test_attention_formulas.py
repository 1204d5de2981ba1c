"""Every kind against its published formula, written for one query, one value and one position at a time."""

import math

import pytest
import torch
from torch.testing import assert_close

from seq2seq.layers.attention.attention import Memory


def hidden(attention, query, value):
    """What goes into the tanh of an additive score."""
    q, u = attention.query_projection, attention.value_projection
    return q.weight @ query + q.bias + u.weight @ value


def dot(attention, query, values, _):
    return torch.stack([query @ value for value in values]).div(len(query) ** 0.5).softmax(0)


def dot_unscaled(attention, query, values, _):
    return torch.stack([query @ value for value in values]).softmax(0)


def general(attention, query, values, _):
    scores = [query @ attention.projection.weight @ value for value in values]
    return torch.stack(scores).div(len(query) ** 0.5).softmax(0)


def additive(attention, query, values, _):
    return torch.stack([attention.vector @ hidden(attention, query, value).tanh() for value in values]).softmax(0)


def normalized_score(attention, query, value):
    length = sum(part**2 for part in attention.vector) ** 0.5
    return attention.gain * (attention.vector / length) @ hidden(attention, query, value).tanh()


def normalized_additive(attention, query, values, _):
    return torch.stack([normalized_score(attention, query, value) for value in values]).softmax(0)


def local(attention, query, values, _):
    length, window, scale = len(values), 2, len(query) ** 0.5
    moved = attention.position_vector @ (attention.position_projection.weight @ query).tanh()
    center = (length - 1) / (1 + math.exp(-moved))
    gaussians = [math.exp(-((place - center) ** 2) / (2 * (window / 2) ** 2)) for place in range(length)]
    exponentials = [(query @ attention.projection.weight @ value / scale).exp() for value in values]
    inside = [abs(place - center) <= window for place in range(length)]
    weights = torch.stack([g * e * i for g, e, i in zip(gaussians, exponentials, inside, strict=True)])
    return weights / weights.sum()


def located(attention, query, values, seen):
    """The weights when `seen` is what the filters look at."""
    filters, half = attention.filters.weight, attention.window // 2
    scores = []
    for place, value in enumerate(values):
        around = [
            seen[other] if 0 <= other < len(values) else torch.zeros(())
            for other in range(place - half, place + half + 1)
        ]
        features = attention.feature_projection.weight @ (filters @ torch.stack(around))
        scores.append(attention.vector @ (hidden(attention, query, value) + features).tanh())
    return torch.stack(scores).softmax(0)


def location(attention, query, values, earlier):
    return located(attention, query, values, sum(earlier, torch.zeros(len(values))))


def location_of_the_last(attention, query, values, earlier):
    return located(attention, query, values, earlier[-1] if earlier else torch.zeros(len(values)))


def coverage(attention, query, values, earlier):
    column, scores = attention.coverage_projection.weight[:, 0], []
    for place, value in enumerate(values):
        seen = sum(weights[place] for weights in earlier)
        scores.append(attention.vector @ (hidden(attention, query, value) + column * seen).tanh())
    return torch.stack(scores).softmax(0)


def monotonic(attention, query, values, earlier):
    before = earlier[-1] if earlier else torch.tensor([1.0] + [0.0] * (len(values) - 1))
    stopping = [(normalized_score(attention, query, value) + attention.offset).sigmoid() for value in values]
    stopping[-1] = torch.ones(())
    weights = []
    for place in range(len(values)):
        arriving = torch.zeros(())
        for start in range(place + 1):
            arriving = arriving + before[start] * math.prod(1 - stopping[passed] for passed in range(start, place))
        weights.append(stopping[place] * arriving)
    return torch.stack(weights)


FORMULAS = [
    ("dot", {}, dot_unscaled),
    ("dot", {"scaled": True}, dot),
    ("general", {"scaled": True}, general),
    ("additive", {}, additive),
    ("normalized_additive", {}, normalized_additive),
    ("local", {"scaled": True}, local),
    ("location", {}, location),
    ("location", {"window": 1}, location),
    ("location", {"window": 9, "filters": 3}, location),
    ("location", {"cumulative": False}, location_of_the_last),
    ("coverage", {}, coverage),
    ("monotonic", {}, monotonic),
    ("monotonic", {"offset": 1.5}, monotonic),
]


@torch.no_grad()
@pytest.mark.parametrize(("kind", "options", "formula"), FORMULAS)
def test_weights_follow_the_formula_and_contexts_are_means_by_them(build, given, kind, options, formula):
    attention = build(kind, **options)
    query, values, mask = given(attention)
    memory = attention.remember(values, mask)
    context, weights = attention.unroll(query, memory, attention.start(memory))
    for row, length in enumerate(mask.sum(1).tolist()):
        own, earlier = values[row, :length], []
        for step in range(query.shape[1]):
            earlier.append(formula(attention, query[row, step], own, list(earlier)))
            assert_close(weights[row, step, :length], earlier[-1])
            assert_close(context[row, step], sum(w * v for w, v in zip(earlier[-1], own, strict=True)))


@torch.no_grad()
@pytest.mark.parametrize("heads", [1, 2, 3])
def test_every_head_attends_on_its_own(build, given, heads):
    attention = build("multi_head", heads=heads)
    query, values, mask = given(attention)
    memory = attention.remember(values, mask)
    context, weights = attention(query, memory)
    size = values.shape[2] // heads
    for row, length in enumerate(mask.sum(1).tolist()):
        own = values[row, :length]
        for step in range(query.shape[1]):
            parts, looked = [], []
            for head in range(heads):
                rows = slice(head * size, (head + 1) * size)
                q = attention.query_projection.weight[rows] @ query[row, step]
                scores = torch.stack([q @ attention.key_projection.weight[rows] @ value for value in own]) / size**0.5
                looked.append(scores.softmax(0))
                projected = [attention.value_projection.weight[rows] @ value for value in own]
                parts.append(sum(w * v for w, v in zip(looked[-1], projected, strict=True)))
            assert_close(context[row, step], attention.output_projection.weight @ torch.cat(parts))
            assert_close(weights[row, step, :length], sum(looked) / heads)
            assert_close(attention.head_weights(query, memory)[row, :, step, :length], torch.stack(looked))


def test_a_sentence_s_values_are_projected_once(build, given):
    attention = build("multi_head")
    query, values, mask = given(attention)
    memory = attention.remember(values, mask)
    assert isinstance(memory, Memory)
    assert_close(memory.values, attention.value_projection(values))
    attention.value_projection.register_forward_hook(lambda *_: pytest.fail("projected again"))
    attention.step(query[:, :1], memory, ())
