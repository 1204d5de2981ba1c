from functools import partial
from itertools import product

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.embedding import Embedding, NGramEmbedding
from seq2seq.layers.front_end import ConvolutionalFrontEnd
from seq2seq.layers.inputs.input import SourceSide
from seq2seq.layers.inputs.tokens import TokenInput
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.stack import StackOptions
from seq2seq.layers.sweeps import SweepingFrontEnd
from seq2seq.masking import length_mask
from seq2seq.models.encoder import Encoder

SENTENCES = [[4, 5, 6, 3], [7, 3], [8, 9, 10, 11, 4, 5, 3], [3], [5, 9, 9, 4, 3]]
FRONT_ENDS = {
    "none": None,
    "convolution": partial(ConvolutionalFrontEnd, widths=[1, 2, 3], channels=2, highway=1),
    "sweeps": partial(SweepingFrontEnd, patch_height=2, patch_width=2, hidden_size=2),
    "strided": partial(ConvolutionalFrontEnd, widths=[4, 3], channels=3, stride=3),
}
COMBINATIONS = [
    {"front_end": front_end, "connection": connection, "halvings": halvings, "chunk_size": chunk_size}
    for front_end, connection, (halvings, chunk_size) in product(
        FRONT_ENDS, ["none", "residual", "highway", "dense"], [(0, None), (1, 2), (2, None)]
    )
]


def encoder(*, front_end="none", hidden_size=4, num_layers=3, ngrams=None, **options) -> Encoder:
    stack = StackOptions(hidden_size=hidden_size, num_layers=num_layers, cell=LSTMCell, dropout=0.0, **options)
    side = SourceSide(12, 6, lambda: Embedding(12, 6))
    return Encoder(
        side=side, options=stack, input=partial(TokenInput, ngrams=ngrams, front_end=FRONT_ENDS[front_end])
    ).double()


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_padding_company_and_order_change_nothing(padded, options):
    built, order = encoder(**options), [3, 0, 4, 2, 1]
    source, lengths = padded(SENTENCES)
    together, shuffled = built(source, lengths), built(*padded([SENTENCES[row] for row in order], extra=4))
    for row, sentence in enumerate(SENTENCES):
        alone = built(*padded([sentence]))
        steps = -(-len(sentence) // built.reduction)
        place = order.index(row)
        for found, index in ((alone, 0), (together, row), (shuffled, place)):
            assert found.lengths[index] == steps
            torch.testing.assert_close(found.values[index, :steps], alone.values[0])
            torch.testing.assert_close(found.last[index], alone.last[0])


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_every_token_is_seen_and_no_padding(padded, options):
    built = encoder(**options)
    source, lengths = padded(SENTENCES, extra=1)
    vectors = torch.randn(*source.shape, 6, dtype=torch.double, requires_grad=True)
    values, steps, last = built.encode(vectors, lengths)
    mask = length_mask(steps, values.shape[1]).unsqueeze(-1)
    wanted = length_mask(lengths, source.shape[1])
    for found in (values * mask, last):
        (gradient,) = torch.autograd.grad((found * torch.randn_like(found)).sum(), vectors, retain_graph=True)
        assert torch.equal(gradient.ne(0).any(-1), wanted)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_forward_encodes_what_it_embeds(padded, front_end):
    built = encoder(front_end=front_end, ngrams=partial(NGramEmbedding, windows=[(1, 0)]))
    source, lengths = padded(SENTENCES)
    vectors = built.input(source)
    torch.testing.assert_close(vectors, built.input.embedding.table(source) + built.input.ngrams(source))
    torch.testing.assert_close(tuple(built(source, lengths)), tuple(built.encode(vectors, lengths)))


def test_dropout_is_of_tokens_and_ngrams_together(padded):
    """A unit is dropped from the sum, at every token of a sentence: dropping before n-grams are added leaves them."""
    built = encoder(ngrams=partial(NGramEmbedding, windows=[(1, 0)])).train()
    built.input.embedding.dropout = LockedDropout(0.5)
    source, _ = padded(SENTENCES)
    vectors, whole = built.input(source), built.input.embedding.table(source) + built.input.ngrams(source)
    dropped = vectors.eq(0)
    assert 0.1 < dropped.double().mean() < 0.9
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    torch.testing.assert_close(vectors, torch.where(dropped, 0.0, 2 * whole))


def test_the_front_end_comes_first_and_its_lengths_are_the_stack_s(padded):
    built = encoder(front_end="strided")
    source, lengths = padded(SENTENCES)
    vectors, fewer = built.input.front_end(built.input(source), lengths)
    torch.testing.assert_close(tuple(built(source, lengths)), tuple(built.stack(vectors, fewer)))


@pytest.mark.parametrize(
    ("options", "reduction", "steps"),
    [
        ({}, 1, [1, 1, 1, 1, 1, 1, 1]),
        ({"halvings": 2}, 4, [1, 1, 1, 2, 2, 4, 4]),
        ({"front_end": "convolution"}, 1, [1, 1, 1, 1, 1, 1, 1, 1]),
        ({"front_end": "strided", "halvings": 1}, 6, [1, 3, 3, 3, 3, 3, 6, 6]),
    ],
    ids=str,
)
def test_parts_hold_every_parameter(options, reduction, steps):
    built = encoder(**options, connection="highway")
    assert built.reduction == reduction
    assert [tokens for _, tokens in built.parts] == steps
    parts = [id(parameter) for part, _ in built.parts for parameter in part.parameters()]
    assert sorted(parts) == sorted(map(id, built.parameters()))


def test_every_layer_runs_over_chunks():
    assert [layer.chunk_size for layer in encoder(chunk_size=2).stack.layers] == [2, 2, 2]
    assert [layer.chunk_size for layer in encoder().stack.layers] == [None, None, None]


STREAMING = [{"direction": "forward"}, {"block_size": 2, "lookahead": 1}]
NGRAMS = [None, partial(NGramEmbedding, windows=[(1, 0), (2, 0)]), partial(NGramEmbedding, windows=[(2, 0)], buckets=9)]


@pytest.mark.parametrize("options", STREAMING, ids=str)
@pytest.mark.parametrize("ngrams", NGRAMS, ids=["alone", "ngrams", "hashed"])
def test_streams_of_tokens_in_chunks_are_what_they_are_whole(padded, options, ngrams):
    built = encoder(ngrams=ngrams, halvings=1, **options)
    source, lengths = padded(SENTENCES)
    whole, state, found = built(source, lengths), built.start(len(SENTENCES)), [[] for _ in SENTENCES]
    for begin, end in ((0, 3), (3, 4), (4, 4), (4, 7)):
        left = (lengths - begin).clamp(0, end - begin)
        encoded, state = built.advance(source[:, begin:end], left, state, lengths <= end)
        for row, values, length in zip(found, encoded.values, encoded.lengths.tolist(), strict=True):
            row.append(values[:length])
    for row, values, length in zip(found, whole.values, whole.lengths.tolist(), strict=True):
        torch.testing.assert_close(torch.cat(row), values[:length], rtol=0, atol=1e-12)


def test_a_renewed_stream_has_forgotten_all(padded):
    built = encoder(ngrams=NGRAMS[1], direction="forward")
    source, lengths = padded([[4, 5, 6], [7, 8, 9]])
    _, state = built.advance(source, lengths, built.start(2))
    state = built.renew(state, torch.tensor([False, True]))
    again, _ = built.advance(source, lengths, state)
    fresh, _ = built.advance(source, lengths, built.start(2))
    torch.testing.assert_close(again.values[1], fresh.values[1], rtol=0, atol=1e-12)
    assert not torch.allclose(again.values[0], fresh.values[0])


def test_dropout_of_a_stream_s_tokens_is_one_mask(padded):
    built = encoder(direction="forward", num_layers=1)
    built.input.embedding.dropout = LockedDropout(0.5)
    state = built.start(1)
    assert set(state.input.mask.flatten().tolist()) == {0.0, 2.0}
    source, lengths = padded([[4, 5, 6]])
    _, after = built.advance(source, lengths, state)
    assert torch.equal(after.input.mask, state.input.mask)
    vectors = built.input.embedding.table(source) * state.input.mask.unsqueeze(1)
    torch.testing.assert_close(
        built.advance(source, lengths, state)[0].values, built.stack(vectors, lengths).values, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"front_end": "convolution"}, "front_end must be none for streams, but looks at what comes after each token."),
        (
            {"ngrams": partial(NGramEmbedding, windows=[(1, 0), (1, 2)])},
            "windows of ngrams must be [before, 0] for streams, but one looks 2 tokens ahead.",
        ),
        (
            {"direction": "both"},
            "direction must be forward, or block_size a number of steps, for streams: with direction=both a layer "
            "reads each sequence from its end.",
        ),
    ],
    ids=str,
)
def test_what_looks_ahead_has_no_streams(options, message):
    with pytest.raises(UserError) as error:
        encoder(**{"direction": "forward"} | options).start(2)
    assert str(error.value) == message


def test_a_state_of_other_streams_is_told(padded):
    built = encoder(direction="forward")
    with pytest.raises(UserError) as error:
        built.advance(*padded([[4, 5], [6]]), built.start(3))
    assert str(error.value) == "state must be of as many streams as the chunk has rows, 2, but is of 3."


@pytest.mark.parametrize("other", [{"num_layers": 1}, {"hidden_size": 6}], ids=str)
def test_a_state_of_another_encoder_is_told(padded, other):
    built, others = encoder(direction="forward"), encoder(**{"direction": "forward"} | other).start(2)
    for call in (lambda: built.advance(*padded([[4, 5], [6]]), others), lambda: built.renew(others, torch.ones(2) > 0)):
        with pytest.raises(
            UserError, match="state must be of this encoder, whose input and layers are .* wide, but is"
        ):
            call()


def test_rows_to_renew_are_one_for_each_stream():
    built = encoder(direction="forward")
    with pytest.raises(UserError, match="rows must be true or false for each of 2 streams, but are 1."):
        built.renew(built.start(2), torch.tensor([True]))
