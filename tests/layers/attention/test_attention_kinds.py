"""What is true of one kind only, what its options do, and what it refuses."""

import pytest
import torch
from torch.testing import assert_close

from seq2seq.errors import UserError
from seq2seq.layers.attention.dot import DotAttention
from seq2seq.masking import length_mask


def unrolled(attention, query, values, mask):
    """Context and weights of all steps."""
    memory = attention.remember(values, mask)
    return attention.unroll(query, memory, attention.start(memory))


@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [
        ("dot", "scaled", True),
        ("general", "scaled", True),
        ("local", "scaled", True),
        ("local", "window", 3),
        ("multi_head", "heads", 3),
        ("location", "cumulative", False),
        ("location", "window", 5),
        ("monotonic", "offset", 2.0),
    ],
)
def test_every_option_changes_the_weights(build, given, kind, option, value):
    plain, changed = build(kind), build(kind, **{option: value})
    query, values, mask = given(plain)
    difference = unrolled(plain, query, values, mask)[1] - unrolled(changed, query, values, mask)[1]
    assert difference.abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["dot", "general", "local"])
def test_scores_are_scaled_by_a_size_that_was(build, given, kind):
    """By a quarter of it, as if by a half of each query."""
    plain = build(kind, scaled=True)
    query, values, mask = given(plain)
    wide = build(kind, scaled=True, scale_size=4 * query.shape[2])
    wide.load_state_dict(plain.state_dict())
    memories = [attention.remember(values, mask) for attention in (plain, wide)]
    if kind == "local":
        plain.centers = wide.centers = lambda query, memory: query.new_zeros(query.shape[:2])
    scores = [
        attention.score(rows, memory)
        for attention, rows, memory in zip((plain, wide), (query / 2, query), memories, strict=True)
    ]
    near = scores[0] > -1e4
    assert_close(scores[0][near], scores[1][near])
    with pytest.raises(
        UserError, match=rf"^scale_size must be at least {query.shape[2]}, the size that is multiplied, o"
    ):
        build(kind, scaled=True, scale_size=query.shape[2] - 1)
    with pytest.raises(UserError, match="^scale_size must be null where scaled is false, but is 99.$"):
        build(kind, scale_size=99)


@pytest.mark.parametrize("kind", ["additive", "normalized_additive", "location", "coverage", "monotonic"])
def test_size_is_that_of_the_keys(build, given, kind):
    attention = build(kind, size=9)
    assert attention.keys(given(attention).values).shape == (3, 5, 9)
    assert attention.vector.shape == (9,)


def test_filters_are_as_many_and_as_wide_as_asked(build):
    assert build("location", filters=4, window=9).filters.weight.shape == (4, 9)


@pytest.mark.parametrize("kind", ["general", "local"])
def test_projections_take_a_memory_of_any_size(build, given, kind):
    attention = build(kind)
    assert unrolled(attention, *given(attention))[0].shape == (3, 4, 6)


# Kinds that another is a special case of


@pytest.mark.parametrize(
    ("kind", "silenced"),
    [
        ("coverage", "coverage_projection.weight"),
        ("location", "filters.weight"),
        ("location", "feature_projection.weight"),
    ],
)
def test_without_its_look_back_it_is_additive(build, given, kind, silenced):
    looking, additive = build(kind), build("additive")
    with torch.no_grad():
        looking.get_parameter(silenced).zero_()
    shared = additive.state_dict()
    additive.load_state_dict({name: weight for name, weight in looking.state_dict().items() if name in shared})
    given = given(additive)
    assert_close(unrolled(looking, *given), unrolled(additive, *given))


def test_a_filter_that_sees_one_position_is_coverage(build, given):
    coverage, location = build("coverage"), build("location", window=1, filters=1)
    with torch.no_grad():
        location.filters.weight.fill_(1)
        location.feature_projection.weight.copy_(coverage.coverage_projection.weight)
    location.load_state_dict(coverage.state_dict(), strict=False)
    given = given(coverage)
    assert_close(unrolled(location, *given), unrolled(coverage, *given))


def test_normalised_scores_hang_on_the_vector_s_direction_only(build, given):
    attention = build("normalized_additive")
    given = given(attention)
    before = unrolled(attention, *given)
    with torch.no_grad():
        attention.vector.mul_(7)
    assert_close(unrolled(attention, *given), before)


@pytest.mark.parametrize("kind", ["normalized_additive", "monotonic"])
def test_scores_grow_with_the_gain(attention_kind, given, kind):
    ones, threes = (attention_kind(kind)(query_size=4, memory_size=6, gain=gain) for gain in (1.0, 3.0))
    threes.load_state_dict({name: weight for name, weight in ones.state_dict().items() if name != "gain"}, strict=False)
    query, values, mask = given(ones)
    once, thrice = (attention.score(query, attention.remember(values, mask)) for attention in (ones, threes))
    assert_close(thrice, 3 * once)
    assert once.abs().max() > 0.1


def test_general_of_the_identity_is_dot(build, given):
    general, dot = build("general"), DotAttention(query_size=4, memory_size=4)
    general.projection.weight = torch.nn.Parameter(torch.eye(4))
    given = given(dot)
    assert_close(unrolled(general, *given), unrolled(dot, *given))


# Local


@pytest.mark.parametrize("window", [1, 2, 5])
def test_local_attention_sees_its_window_and_nothing_else(build, window):
    attention = build("local", window=window)
    lengths = torch.tensor([30, 9, 1])
    query, values, mask = 3 * torch.randn(3, 20, 4), torch.randn(3, 30, 6), length_mask(lengths, 30)
    memory = attention.remember(values, mask)
    centers = attention.centers(query, memory)
    assert centers.ge(0).all()
    assert (centers <= lengths.unsqueeze(1) - 1).all()
    assert centers[0].std() > 1, "the centre must move for this test to mean anything"
    weights = unrolled(attention, query, values, mask)[1]
    away = (torch.arange(30) - centers.unsqueeze(2)).abs()
    assert torch.equal(weights > 0, (away <= window) & mask.unsqueeze(1))


def test_centers_keep_their_precision_under_autocast(build):
    attention = build("local")
    query, values = torch.randn(2, 50, 4), torch.randn(2, 400, 6)
    memory = attention.remember(values, torch.ones(2, 400, dtype=torch.bool))
    with torch.autocast("cpu", torch.bfloat16):
        centers = attention.centers(query, memory)
    assert centers.dtype == torch.float32
    assert (centers - centers.bfloat16().float()).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float16, pytest.param(torch.bfloat16, marks=pytest.mark.needs_bfloat16)])
def test_windows_are_no_wider_by_weights_in_16_bits(build, dtype):
    attention, query = build("local").to(dtype), 3 * torch.randn(2, 50, 4).to(dtype)
    memory = attention.remember(torch.randn(2, 4001, 6).to(dtype), torch.ones(2, 4001, dtype=torch.bool))
    centers = attention.centers(query, memory)
    assert centers.dtype == torch.float32
    away = torch.arange(4001.0) - centers.unsqueeze(-1)
    assert torch.equal(attention(query, memory)[1] > 0, away.abs() <= attention.window)


# Monotonic


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_monotonic_attention_never_moves_back(build, scale):
    attention = build("monotonic", offset=-2.0)
    query, values, mask = (
        scale * torch.randn(3, 25, 4),
        torch.randn(3, 12, 6),
        length_mask(torch.tensor([12, 7, 1]), 12),
    )
    weights = unrolled(attention, query, values, mask)[1]
    beyond = weights.flip(-1).cumsum(-1).flip(-1)  # the weight at or after each position: more at every step
    assert (beyond[:, 1:] - beyond[:, :-1]).min() > -1e-6
    assert beyond[0].diff(dim=0).amax() > 0.1


@pytest.mark.parametrize("offset", [-100.0, -5.0, 0.0, 5.0, 100.0])
@pytest.mark.parametrize("gain", [0.1, 1e4])
def test_monotonic_attention_survives_long_sources_and_extreme_energies(build, offset, gain):
    attention = build("monotonic", offset=offset)
    attention.gain.data.fill_(gain)
    lengths = torch.tensor([200, 150])
    query, values = torch.randn(2, 60, 4, requires_grad=True), torch.randn(2, 200, 6, requires_grad=True)
    context, weights = unrolled(attention, query, values, length_mask(lengths, 200))
    assert_close(weights.sum(-1), torch.ones(2, 60), atol=1e-4, rtol=0)
    assert weights.ge(0).all()
    (context * torch.randn_like(context)).sum().backward()
    for part in (query, values, *attention.parameters()):
        assert part.grad.isfinite().all()


@pytest.mark.parametrize("offset", [-3.0, 20.0])
def test_monotonic_attention_is_exact_far_from_where_it_started(build, offset):
    """After a walk of 190 tokens, and where hardly anybody walks on: against float64."""
    attention = build("monotonic", offset=offset)
    query, values, mask = torch.randn(1, 8, 4), 3 * torch.randn(1, 200, 6), torch.ones(1, 200, dtype=torch.bool)
    found = unrolled(attention, query, values, mask)[1]
    wanted = unrolled(attention.double(), query.double(), values.double(), mask)[1]
    assert wanted[0, -1, 190:].sum() > 0.01 or wanted[0, :, 1].max() < 1e-6
    assert_close(found.double(), wanted, rtol=1e-3, atol=1e-30)


def test_a_monotonic_reader_that_never_stops_ends_at_the_last_token_and_one_that_always_does_stays(build):
    lengths = torch.tensor([12, 7, 1])
    mask = length_mask(lengths, 12)
    for offset, place in ((-200.0, lengths - 1), (200.0, torch.zeros(3, dtype=torch.long))):
        attention = build("monotonic", offset=offset)
        weights = unrolled(attention, torch.randn(3, 5, 4), torch.randn(3, 12, 6), mask)[1]
        assert_close(weights, torch.nn.functional.one_hot(place, 12).float().unsqueeze(1).expand(3, 5, 12))


def test_noise_moves_scores_in_training_only(build, given):
    quiet, noisy = build("monotonic"), build("monotonic", noise=2.0)
    given = given(quiet)
    first, second = (unrolled(noisy.train(), *given)[1] for _ in range(2))
    assert not torch.allclose(first, second)
    assert_close(unrolled(quiet.train(), *given), unrolled(noisy.eval(), *given))


def test_noise_has_the_deviation_that_was_asked_for(build):
    quiet, noisy = build("monotonic"), build("monotonic", noise=0.5)
    query, values, mask = torch.randn(20, 10, 4), torch.randn(20, 30, 6), torch.ones(20, 30, dtype=torch.bool)
    logits = [kind.chances(query, kind.remember(values, mask))[0][..., :-1].logit() for kind in (quiet, noisy)]
    assert (logits[1] - logits[0]).std().item() == pytest.approx(0.5, rel=0.05)


# Mistakes


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("multi_head", {"heads": 0}, "heads must be at least 1, but is 0."),
        (
            "multi_head",
            {"heads": 4},
            "heads must divide the size of the encoder's output, but it is 4 and the size 6: "
            "change heads or the hidden_size of the encoder.",
        ),
        ("location", {"window": 4}, "window must be odd and at least 1, but is 4."),
        ("location", {"window": -1}, "window must be odd and at least 1, but is -1."),
        ("location", {"filters": 0}, "filters must be at least 1, but is 0."),
        ("local", {"window": 0}, "window must be at least 1, but is 0."),
        ("monotonic", {"noise": -0.1}, "noise must be at least 0, but is -0.1."),
    ],
)
def test_a_bad_option_is_told(build, kind, options, message):
    with pytest.raises(UserError) as error:
        build(kind, **options)
    assert str(error.value) == message


def test_dot_of_unequal_sizes_is_told():
    with pytest.raises(UserError) as error:
        DotAttention(query_size=8, memory_size=6)
    assert str(error.value) == (
        "Dot attention needs queries as wide as the memory, but the decoder's hidden_size is 8 and the "
        "encoder's output 6: make them equal or use general attention."
    )
