from functools import partial

import pytest
import torch

from seq2seq.decoding.ranking import CoveragePenalty
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.errors import UserError
from seq2seq.layers.attention.additive import AdditiveAttention
from seq2seq.layers.attention.dot import DotAttention
from seq2seq.layers.embedding import NGramEmbedding
from seq2seq.layers.front_end import ConvolutionalFrontEnd
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.recurrent.cells.conv_lstm import ConvLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.min_gru import MinGRUCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.initialization import ForgetBias
from seq2seq.models.bridge import ZeroBridge
from seq2seq.models.cost import multiply_accumulates
from seq2seq.symbols import BOS, EOS, PAD

SOURCES = [[4, 5, 6, EOS], [7, EOS], [8, 9, 10, 11, 4, EOS], [5, EOS]]
TARGETS = [[6, 5, 4, EOS], [12, 7, 7, 7, EOS], [EOS], [8, 5, EOS]]
KINDS = ["luong", "gnmt", "bahdanau"]


@pytest.fixture
def losses(padded):
    """Every sentence's summed loss, in a batch with `extra` columns of padding."""

    def _losses(model, rows, extra=0):
        source, lengths = padded([SOURCES[row] for row in rows], extra)
        inputs, _ = padded([[BOS, *TARGETS[row][:-1]] for row in rows], extra)
        outputs, _ = padded([TARGETS[row] for row in rows], extra)
        features, *_ = model(source, lengths, inputs)
        mask = outputs != PAD
        tokens = model.output.loss(features[mask], outputs[mask])
        return torch.zeros(outputs.shape, dtype=tokens.dtype).masked_scatter(mask, tokens).sum(1)

    return _losses


def gradients(model, loss):
    return dict(zip(dict(model.named_parameters()), torch.autograd.grad(loss, list(model.parameters())), strict=True))


@pytest.mark.parametrize("ngrams", [None, partial(NGramEmbedding, windows=[(1, 0), (1, 1)])], ids=["plain", "ngrams"])
@pytest.mark.parametrize("attention", ["general", "additive"])
@pytest.mark.parametrize("decoder", KINDS)
def test_padding_batch_and_order_never_change_a_sentence(build_model, losses, decoder, attention, ngrams):
    model = build_model(decoder=decoder, attention=attention, ngrams=ngrams).double()
    together = losses(model, [0, 1, 2, 3])
    order = [2, 0, 3, 1]
    torch.testing.assert_close(losses(model, order), together[order])
    torch.testing.assert_close(losses(model, [0, 1, 2, 3], extra=3), together)
    for row in range(4):
        alone = losses(model, [row])
        torch.testing.assert_close(alone, together[row : row + 1])
        wider = losses(model, [row, 2])
        torch.testing.assert_close(gradients(model, wider[0]), gradients(model, alone[0]))


@pytest.mark.parametrize("decoder", KINDS)
def test_single_example_losses_and_gradients_add_up_to_the_batch_s(build_model, losses, decoder):
    model = build_model(decoder=decoder).double()
    batch = losses(model, [0, 1, 2, 3], extra=1).sum()
    alone = [losses(model, [row])[0] for row in range(4)]
    torch.testing.assert_close(sum(alone), batch)
    summed = {name: 0 for name, _ in model.named_parameters()}
    for loss in alone:
        summed = {name: summed[name] + gradient for name, gradient in gradients(model, loss).items()}
    torch.testing.assert_close(summed, gradients(model, batch))


@pytest.mark.parametrize("decoder", KINDS)
def test_every_source_token_counts_and_padding_does_not(build_model, padded, decoder):
    model = build_model(decoder=decoder)
    source, lengths = padded(SOURCES)
    target, _ = padded([[BOS, *ids] for ids in TARGETS])
    before, *_ = model(source, lengths, target)
    for position in range(source.shape[1]):
        changed = source.clone()
        changed[:, position] = torch.where(source[:, position] == 9, 10, 9)
        after, *_ = model(changed, lengths, target)
        moved = (after - before).abs().amax((1, 2)) > 1e-6
        assert torch.equal(moved, position < lengths), position


@pytest.mark.parametrize("decoder", KINDS)
def test_forward_equals_start_and_repeated_step(build_model, padded, decoder):
    assert_forward_is_repeated_step(build_model(decoder=decoder), padded)


def assert_forward_is_repeated_step(model, padded):
    source, lengths = padded(SOURCES)
    target, _ = padded([[BOS, *ids] for ids in TARGETS])
    features, weights, *_ = model(source, lengths, target)
    memory, states = model.start(source, lengths)
    for step in range(target.shape[1]):
        logits, looked, states = model.step(target[:, step : step + 1], memory, states)
        torch.testing.assert_close(logits.squeeze(1), model.output.logits(features[:, step]))
        torch.testing.assert_close(looked, weights[:, step : step + 1])


def test_every_parameter_learns(build_model, losses):
    model = build_model(ngrams=partial(NGramEmbedding, windows=[(1, 0)]), feature_size=5)
    for name, gradient in gradients(model, losses(model, [0, 1, 2, 3]).sum()).items():
        assert gradient.ne(0).any(), name


def one_step(model, loss) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    loss.backward()
    optimizer.step()


def test_three_way_sharing_is_one_tensor_after_an_optimizer_step(build_model, losses):
    model = build_model(source_vocabulary_size=13, share_embeddings=True)
    table = model.encoder.input.embedding.table.weight
    before = table.detach().clone()
    one_step(model, losses(model, [0, 1, 2, 3]).sum())
    assert model.encoder.input.embedding.table.weight is table
    assert model.decoder.embedding.table.weight is table
    assert model.output.weight is table
    assert not torch.equal(table, before)
    reloaded = build_model(source_vocabulary_size=13, share_embeddings=True)
    reloaded.load_state_dict(model.state_dict())
    assert reloaded.output.weight is reloaded.encoder.input.embedding.table.weight
    torch.testing.assert_close(losses(reloaded, [0, 1, 2, 3]), losses(model, [0, 1, 2, 3]))


def test_two_way_tying_leaves_the_source_its_own_table(build_model, losses):
    model = build_model(source_vocabulary_size=13)
    one_step(model, losses(model, [0, 1, 2, 3]).sum())
    assert model.output.weight is model.decoder.embedding.table.weight
    assert model.encoder.input.embedding.table.weight is not model.output.weight
    assert not torch.equal(model.encoder.input.embedding.table.weight, model.output.weight)


def test_sharing_spares_the_parameters_of_a_table(build_model):
    def count(**options):
        return sum(weight.numel() for weight in build_model(source_vocabulary_size=13, **options).parameters())

    table = 13 * 6
    assert count() - count(share_embeddings=True) == table
    assert count(output=FullOutput) - count() == table


def test_sharing_unequal_vocabularies_is_told(build_model):
    with pytest.raises(UserError) as error:
        build_model(source_vocabulary_size=12, target_vocabulary_size=13, share_embeddings=True)
    assert str(error.value) == (
        "share_embeddings needs one vocabulary for both sides, but they hold 12 and 13 tokens: train joint tokenizers."
    )


BASE = {"source_vocabulary_size": 13, "encoder_layers": 2, "attention": "general", "decoder_size": 8}
OPTIONS = {
    "source_vocabulary_size": 20,
    "target_vocabulary_size": 20,
    "embedding_size": 7,
    "share_embeddings": True,
    "dropout": 0.5,
    "type_dropout": 0.5,
    "source_word_dropout": 0.5,
    "target_word_dropout": 0.5,
    "cell": partial(LSTMCell, options=GatedCellOptions(initialization=ForgetBias(forget_bias=0.0))),
    "encoder_size": 5,
    "encoder_layers": 3,
    "encoder_dropout": 0.5,
    "connection": "none",
    "halvings": 1,
    "front_end": partial(ConvolutionalFrontEnd, widths=[2], channels=6),
    "ngrams": partial(NGramEmbedding, windows=[(1, 0)]),
    "bridge": ZeroBridge,
    "decoder": "bahdanau",
    "decoder_size": 9,
    "decoder_layers": 2,
    "decoder_dropout": 0.5,
    "attention_dropout": 0.5,
    "feature_size": 7,
    "attention": DotAttention,
    "output": FullOutput,
}


@pytest.fixture
def fingerprint(build_model, padded):
    """Parameter count, and what a freshly seeded model in training mode says."""

    def _fingerprint(**options):
        torch.manual_seed(3)
        model = build_model(**options)
        source, lengths = padded(SOURCES)
        torch.manual_seed(4)
        features, *_ = model(source, lengths, padded([[BOS, *ids] for ids in TARGETS])[0])
        return sum(weight.numel() for weight in model.parameters()), model.output.logits(features.flatten(0, 1))

    return _fingerprint


def same(one, other) -> bool:
    return one[0] == other[0] and torch.equal(one[1], other[1])


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_changes_the_parameters_or_the_output(fingerprint, option):
    assert same(fingerprint(**BASE), fingerprint(**BASE))
    assert not same(fingerprint(**BASE), fingerprint(**BASE | {option: OPTIONS[option]}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (partial(AdditiveAttention, size=5), partial(AdditiveAttention, size=6)),
        (partial(DotAttention, scaled=True), partial(DotAttention, scaled=False)),
    ],
    ids=["size", "scaled"],
)
def test_every_option_of_attention_does_so(fingerprint, one, other):
    assert not same(fingerprint(attention=one), fingerprint(attention=other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"windows": [(1, 0)]}, {"windows": [(0, 1)]}),
        ({"windows": [(1, 0)]}, {"windows": [(1, 0), (0, 1)]}),
        ({"windows": [(1, 0)]}, {"windows": [(1, 0)], "buckets": 9}),
    ],
    ids=["side", "number", "buckets"],
)
def test_every_option_of_ngrams_does_so(fingerprint, one, other):
    ones, others = (fingerprint(ngrams=partial(NGramEmbedding, **options)) for options in (one, other))
    assert not same(ones, others)


def test_dropout_changes_nothing_in_evaluation(build_model, losses):
    dropping = build_model(dropout=0.5, encoder_dropout=0.5, decoder_dropout=0.5).eval()
    plain = build_model()
    plain.load_state_dict(dropping.state_dict())
    assert torch.equal(losses(dropping, [0, 1, 2, 3]), losses(plain, [0, 1, 2, 3]))


# ---- Encoders that leave fewer values than there are tokens

STRIDED = partial(ConvolutionalFrontEnd, widths=[3, 2], channels=3, stride=3)
REDUCED = {
    "halvings": {"encoder_layers": 3, "halvings": 2, "connection": "dense"},
    "stride": {"front_end": STRIDED, "connection": "highway"},
    "both": {"front_end": STRIDED, "halvings": 1, "chunk_size": 1},
}


@pytest.fixture(params=REDUCED)
def reduced(request, build_model):
    """build_model for each way to reduce time."""
    return partial(build_model, **REDUCED[request.param])


@pytest.mark.parametrize("decoder", KINDS)
def test_reduced_sentences_do_not_change_with_padding_batch_or_order(reduced, losses, decoder):
    model, order = reduced(decoder=decoder).double(), [2, 0, 3, 1]
    together = losses(model, [0, 1, 2, 3])
    torch.testing.assert_close(losses(model, order, extra=5), together[order])
    for row in range(4):
        alone = losses(model, [row])
        torch.testing.assert_close(alone, together[row : row + 1])
        wider = losses(model, [row, 2], extra=1)
        torch.testing.assert_close(gradients(model, wider[0]), gradients(model, alone[0]))


def test_weights_of_a_reduced_memory_are_shared_equally_among_the_tokens(reduced, padded):
    model = reduced().double()
    source, lengths = padded(SOURCES, extra=1)
    memory, states = model.encode(source, lengths)
    target, _ = padded([[BOS, *ids] for ids in TARGETS])
    _, of_positions, *_ = model.decoder.unroll(target, memory, states)
    _, weights, *_ = model(source, lengths, target)
    tokens = model.encoder.reduction
    assert of_positions.shape[2] == -(-source.shape[1] // tokens)
    expected = torch.zeros_like(weights)
    for row, length in enumerate(lengths.tolist()):
        for place in range(length):
            covered = min(length, (place // tokens + 1) * tokens) - place // tokens * tokens
            expected[row, :, place] = of_positions[row, :, place // tokens] / covered
    torch.testing.assert_close(weights, expected, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("decoder", KINDS)
def test_a_reduced_model_s_forward_equals_start_and_repeated_step(reduced, padded, decoder):
    assert_forward_is_repeated_step(reduced(decoder=decoder), padded)


def test_a_search_sees_the_tokens_of_a_reduced_source(reduced, padded):
    search, model = BeamSearch(beam_size=3, coverage_penalty=CoveragePenalty(beta=0.5)), reduced().eval()
    request = Request(n_best=3, attention=True)
    together = search(model, *padded(SOURCES, extra=2), request)
    for sentence, hypotheses in zip(SOURCES, together, strict=True):
        (alone,) = search(model, *padded([sentence]), request)
        assert [found.ids for found in alone] == [found.ids for found in hypotheses]
        for one, other in zip(alone, hypotheses, strict=True):
            assert one.attention.shape == (len(one.ids), len(sentence))
            torch.testing.assert_close(one.attention.sum(-1), torch.ones(len(one.ids)))
            torch.testing.assert_close(other.attention, one.attention)


def test_nothing_is_kept_for_weights_where_nothing_is_reduced(build_model, padded):
    model = build_model(front_end=partial(ConvolutionalFrontEnd, widths=[3], channels=4))
    source, lengths = padded(SOURCES)
    memory, states = model.encode(source, lengths)
    assert memory.shares == ()
    target, _ = padded(TARGETS)
    assert torch.equal(model.decoder.unroll(target, memory, states)[1], model(source, lengths, target)[1])


@pytest.mark.parametrize("connection", ["highway", "dense"])
def test_every_parameter_of_a_front_end_and_of_connections_learns(build_model, losses, connection):
    front_end = partial(ConvolutionalFrontEnd, widths=[2, 3], channels=4, stride=2, highway=1)
    model = build_model(front_end=front_end, connection=connection, encoder_layers=3, halvings=1)
    for name, gradient in gradients(model, losses(model, [0, 1, 2, 3]).sum()).items():
        assert gradient.ne(0).any(), name


# ---- Work

# Sizes for counting, all different: vocabularies, embedding E, encoder H per direction (so the memory is C = 2 H),
# decoder D, features F.
E, H, C, D, F, V = 6, 4, 8, 10, 7, 13
COUNTED = {"embedding_size": E, "encoder_size": H, "decoder_size": D, "feature_size": F}
SOURCE_LENGTHS, TARGET_LENGTHS = torch.tensor([3, 10]), torch.tensor([5, 2])


def test_multiply_accumulates_of_a_luong_model(build_model):
    model = build_model(**COUNTED | {"decoder_size": C}, attention="dot", decoder_layers=2)
    encoder = 8 * H * (E + H) + 8 * H * (C + H)
    decoder = 4 * C * (E + C) + 4 * C * (C + C) + F * (C + C)
    output = E * F + V * E  # projection to the embedding's size, then its table
    bridge = C * 2 * 2 * C
    attention = 2 * C * SOURCE_LENGTHS * TARGET_LENGTHS
    expected = encoder * SOURCE_LENGTHS + (decoder + output) * TARGET_LENGTHS + attention + bridge
    torch.testing.assert_close(multiply_accumulates(model, SOURCE_LENGTHS, TARGET_LENGTHS), expected)


def test_multiply_accumulates_of_a_cell_without_a_recurrent_matrix(build_model):
    options = COUNTED | {"decoder_size": C, "attention": "dot", "decoder_layers": 2}
    light, plain = (build_model(**options, cell=cell) for cell in (MinGRUCell, LSTMCell))
    found, lstms = (multiply_accumulates(model, SOURCE_LENGTHS, TARGET_LENGTHS) for model in (light, plain))
    encoder, decoder = 8 * H * (E + H) + 8 * H * (C + H), 4 * C * (E + C) + 4 * C * (C + C)
    fewer = (encoder - 4 * H * (E + C)) * SOURCE_LENGTHS + (decoder - 2 * C * (E + C)) * TARGET_LENGTHS
    bridge = C * 2 * C  # of the memory of two layers, and no hidden state
    torch.testing.assert_close(lstms - found, fewer + bridge)


def test_multiply_accumulates_use_a_kernel_at_every_place(build_model):
    """Of pictures of 2 x 2, a quarter of the channels by four places; a kernel of 1 is then an LSTM of a quarter."""
    kinds = [partial(ConvLSTMCell, height=side, width=side, kernel_size=1) for side in (1, 2)]
    options = {"embedding_size": 8, "encoder_size": 4, "encoder_layers": 1, "connection": "none"}
    plain, pictures = (build_model(cell=kind, **options) for kind in kinds)
    found, whole = (multiply_accumulates(model, SOURCE_LENGTHS, TARGET_LENGTHS) for model in (pictures, plain))
    of_cells = 2 * 4 * 4 * (8 + 4) * SOURCE_LENGTHS + 4 * 8 * (8 + 8) * TARGET_LENGTHS
    torch.testing.assert_close(whole - found, of_cells - of_cells // 4)


def test_multiply_accumulates_of_a_reduced_encoder(build_model):
    """Highways above a strided convolution; the upper of two layers halves time."""
    channels, stride, widths = 5, 2, (3, 4)
    front_end = partial(ConvolutionalFrontEnd, widths=widths, channels=channels, stride=stride, highway=1)
    options = {"front_end": front_end, "halvings": 1, "connection": "highway", "attention": "dot"}
    model, plain = (build_model(**COUNTED | {"decoder_size": C} | extra) for extra in (options, {"attention": "dot"}))
    read = channels * len(widths)
    once, twice = (torch.tensor([-(-length // steps) for length in SOURCE_LENGTHS.tolist()]) for steps in (2, 4))
    found = sum(widths) * channels * E + 2 * read * read
    bottom = 8 * H * (read + H) + 2 * read * C  # a gate, and a projection as sizes differ
    top = 8 * H * (2 * C + H) + 2 * 2 * C * C
    encoder = (found + bottom) * once + top * twice + 2 * C * twice * TARGET_LENGTHS
    plainly = (8 * H * (E + H) + 8 * H * (C + H)) * SOURCE_LENGTHS + 2 * C * SOURCE_LENGTHS * TARGET_LENGTHS
    counts = [multiply_accumulates(which, SOURCE_LENGTHS, TARGET_LENGTHS) for which in (model, plain)]
    torch.testing.assert_close(counts[0] - counts[1], encoder - plainly)


def test_multiply_accumulates_count_looked_up_tables_for_nothing(build_model):
    plain = build_model(attention="dot")
    ngrams = build_model(attention="dot", ngrams=partial(NGramEmbedding, windows=[(1, 0)]))
    shared = build_model(attention="dot", source_vocabulary_size=13, share_embeddings=True)
    counts = [multiply_accumulates(model, SOURCE_LENGTHS, TARGET_LENGTHS) for model in (plain, ngrams, shared)]
    assert torch.equal(counts[0], counts[1])
    assert torch.equal(counts[0], counts[2])


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_all_that_can_be_said_next_has_probability_one(build_model, padded, decoder):
    model = build_model(decoder=decoder).eval()
    with torch.no_grad():
        model.output.bias[[PAD, BOS]] = 9.0
        memory, states = model.start(*padded([[4, 5, 6], [7]]))
        logits, *_ = model.step(torch.full((2, 1), BOS), memory, states)
    chances = logits.softmax(-1)
    assert (chances[..., [PAD, BOS]] == 0).all()
    torch.testing.assert_close(chances.sum(-1), torch.ones(2, 1))
