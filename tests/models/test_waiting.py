"""Training for simultaneous writing: nothing that is not yet read changes what is written."""

from functools import partial

import pytest
import torch
from tiny_models import ATTENTIONS

from seq2seq.decoding.simultaneous import WaitKPolicy
from seq2seq.errors import UserError
from seq2seq.layers.copying import Pointer
from seq2seq.layers.embedding import NGramEmbedding
from seq2seq.models.bridge import ZeroBridge
from seq2seq.models.waiting import WaitK, revealed

READING_ON = {"direction": "forward", "encoder_size": 8}
KINDS = sorted(ATTENTIONS.keys() - {"local", "none"})
DECODERS = ["luong", "gnmt", "bahdanau"]
K = 2


def waiting_model(build_model, **options):
    return build_model(waiting=WaitK(K, K), **READING_ON | options).double().train()


def some(rows=2, source=7, target=6):
    return (
        torch.randint(4, 12, (rows, source)),
        torch.tensor([source, source - 2][:rows]),
        torch.cat([torch.full((rows, 1), 2), torch.randint(4, 13, (rows, target - 1))], 1),
    )


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("attention", KINDS)
def test_no_step_sees_what_is_not_yet_read(build_model, decoder, attention):
    """The bridge, the attention, what it remembers, n-grams and recurrence: changing x_j leaves all steps before it."""
    ngrams = partial(NGramEmbedding, windows=[(1, 0)])
    model = waiting_model(build_model, decoder=decoder, attention=attention, ngrams=ngrams)
    source, lengths, target = some()
    first = model(source, lengths, target)
    for place in range(K, source.shape[1]):
        changed = source.clone()
        changed[0, place] = (changed[0, place] - 3) % 8 + 4
        again = model(changed, lengths, target)
        before = place - K + 1  # steps that have read no more than `place` tokens
        for name in ("features", "weights", "undropped"):
            mine, theirs = getattr(again, name)[0, :before], getattr(first, name)[0, :before]
            assert torch.equal(mine, theirs), name
        if before < target.shape[1]:
            assert not torch.equal(again.features[0, before:], first.features[0, before:])
        assert torch.equal(again.features[1], first.features[1])


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("attention", KINDS)
def test_weights_are_of_what_is_read_and_sum_to_one(build_model, decoder, attention):
    model = waiting_model(build_model, decoder=decoder, attention=attention)
    source, lengths, target = some()
    weights = model(source, lengths, target).weights
    positions = torch.arange(source.shape[1])
    for row, length in enumerate(lengths.tolist()):
        for step in range(target.shape[1]):
            assert weights[row, step, positions >= min(K + step, length)].eq(0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, target.shape[1], dtype=weights.dtype))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("attention", KINDS)
def test_waiting_for_the_longest_source_is_not_waiting(build_model, decoder, attention):
    torch.manual_seed(5)
    plain = build_model(decoder=decoder, attention=attention, **READING_ON).double().train()
    torch.manual_seed(5)
    waiting = build_model(decoder=decoder, attention=attention, waiting=WaitK(7, 50), **READING_ON).double().train()
    source, lengths, target = some()
    for mine, theirs in zip(waiting(source, lengths, target), plain(source, lengths, target), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_out_of_training_all_is_read(build_model):
    model = waiting_model(build_model).eval()
    source, lengths, target = some()
    weights = model(source, lengths, target).weights
    assert weights[0].ne(0).all()


@pytest.mark.parametrize("decoder", DECODERS)
def test_unrolling_equals_steps_over_what_each_sees(build_model, decoder):
    model = waiting_model(build_model, decoder=decoder)
    source, lengths, target = some()
    memory, states = model.encode(source, lengths)
    whole = model.unroll(target, memory, states).features
    seen = revealed(memory, *memory.waited, target.shape[1])
    now, found = states.of_one_hypothesis(), []
    for step in range(target.shape[1]):
        features, _, now = model.features(target[:, step : step + 1], seen.at(step), now)
        found.append(features)
    torch.testing.assert_close(torch.cat(found, 1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pace", [0.5, 1.25, 2.0])
def test_at_another_pace_each_step_sees_so_many_more(build_model, pace):
    model = build_model(waiting=WaitK(K, K, pace), **READING_ON).double().train()
    source, lengths, target = some()
    weights = model(source, lengths, target).weights[0]
    assert weights.ne(0).sum(-1).tolist() == [min(7, K + int(pace * step)) for step in range(6)]
    policy = WaitKPolicy(k=K, pace=pace)
    assert all(policy.ready(K + int(pace * step), step) for step in range(6))
    assert not any(policy.ready(K + int(pace * step) - 1, step) for step in range(6))


def test_k_is_drawn_anew_for_each_batch():
    torch.manual_seed(1)
    drawn = {tuple(WaitK(2, 5).draw(torch.tensor([9, 9, 9])).tolist()) for _ in range(60)}
    assert drawn == {(k, k, k) for k in (2, 3, 4, 5)}


def test_the_bridge_reads_the_last_token_that_is_read(build_model):
    model = waiting_model(build_model)
    source, lengths, _ = some()
    _, states = model.encode(source, lengths)
    model.eval()
    _, alone = model.encode(source[:, :K], torch.tensor([K, K]))
    torch.testing.assert_close(states.layers, alone.layers, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"direction": "both", "encoder_size": 4},
            "encoder must read on where waiting is on: direction must be forward, or block_size a number of steps, for "
            "streams: with direction=both a layer reads each sequence from its end.",
        ),
        (
            {"direction": "both", "encoder_size": 4, "block_size": 3},
            "encoder must read on where waiting is on: direction must be forward, as blocks look at what comes after a "
            "token.",
        ),
        (
            {"halvings": 1},
            "encoder must read on where waiting is on: halvings must be 0, as tokens are counted that are read.",
        ),
        (
            {"ngrams": partial(NGramEmbedding, windows=[(0, 1)])},
            "encoder must read on where waiting is on: windows of ngrams must be [before, 0] for streams, but one "
            "looks 1 tokens ahead.",
        ),
        (
            {"attention": "local"},
            "attention must not be local where waiting is on, as its window stands at a share of the whole length: "
            "choose another attention.",
        ),
        (
            {"copying": Pointer},
            "copying must be none where waiting is on, as it looks for pieces in all of a source.",
        ),
    ],
    ids=str,
)
def test_what_would_leak_is_refused(build_model, options, message):
    with pytest.raises(UserError) as error:
        waiting_model(build_model, **options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((0, 3), "lowest must be at least 1 token, but is 0."),
        ((4, 3), "highest must be at least lowest, 4, but is 3."),
        ((1, 3, float("inf")), "pace must be above 0 tokens and finite, but is inf."),
        ((1, 3, 0.0), "pace must be above 0 tokens and finite, but is 0.0."),
    ],
)
def test_mistakes_are_told(options, message):
    with pytest.raises(UserError) as error:
        WaitK(*options)
    assert str(error.value) == message


def test_a_bridge_of_nothing_waits_as_well(build_model):
    model = waiting_model(build_model, bridge=ZeroBridge)
    source, lengths, target = some()
    changed = source.clone()
    changed[0, -1] = (changed[0, -1] - 3) % 8 + 4
    mine, theirs = model(source, lengths, target).features, model(changed, lengths, target).features
    assert torch.equal(mine[0, :5], theirs[0, :5])
