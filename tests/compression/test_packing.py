from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from seq2seq.compression import prepared
from seq2seq.compression.packed_gnmt import BeamGNMTDecoder
from seq2seq.compression.packing import found_ranges, pack
from seq2seq.compression.prepared import (
    Int8Linear,
    OneDNNLinear,
    PlainLinear,
    WideInt8Linear,
    check_precision,
    computes_bfloat16,
    computes_int8,
    prepare,
    sums_8_bits,
)
from seq2seq.compression.prepared_lstm import PackedFeed, PackedLSTMCell
from seq2seq.compression.product_library import Products
from seq2seq.errors import UserError
from seq2seq.layers.front_end import ConvolutionalFrontEnd
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions

pytestmark = pytest.mark.processor
BFLOAT16 = pytest.param("bfloat16", marks=pytest.mark.needs_bfloat16)
INT8 = pytest.param("int8", marks=pytest.mark.needs_int8)
REDUCED = [BFLOAT16, INT8]
PRECISIONS = ["float32", *REDUCED]

SENTENCES = [[5, 6, 7, 3], [4, 3], [8, 9, 10, 11, 4, 5, 3], [6, 3]]
BEAM, STEPS = 4, 5
RECIPES = [("luong", 1), ("luong", 3), ("gnmt", 2), ("gnmt", 4), ("bahdanau", 1), ("bahdanau", 3)]
# bfloat16 has 8 significant bits: rounding to nearest errs by at most 2 ** -9 of a value.
UNIT = 2.0**-9
# Of tiny models with weights up to 1 / 2, whose logits span about 4 and hidden states 2: several roundings deep.
CLOSE = {"bfloat16": 0.06, "int8": 0.12}
# The order of a float32 sum may depend on the number of rows. The last bit of an input so moved can round it to the
# next step, and shift what follows by as much; alike inputs give the same to the bit (the law after that).
LOW_RANK = partial(LowRankLSTMCell, rank=3)
STEPS_OF_INT8 = 127 if sums_8_bits() else 63
# In float32 it moves the last bits of logits about 5: on ARM, without products in 8 bits, by up to 1.2e-6.
NEIGHBOURS = {"float32": 1e-6 if computes_int8() else 2e-6, "bfloat16": 4 * UNIT, "int8": 4 / STEPS_OF_INT8}


class OwnCell(LSTMCell):
    """A cell without a packed form."""


@pytest.fixture
def _every_size(monkeypatch):
    """No product is too small for its kernel."""
    monkeypatch.setattr(prepared, "_SMALL", 0)


@pytest.fixture
def build(build_model):
    """A trained model's stand-in: no weight or bias is zero."""

    def _build(**options):
        torch.manual_seed(3)
        model = build_model(**options).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.uniform_(-0.5, 0.5)
        return model

    return _build


def run(model, sentences, padded, check=lambda states: None):
    """What start and steps give: one hypothesis of each sentence first, then four."""
    found = []
    with torch.inference_mode():
        memory, states = model.start(*padded(sentences))
        found.append((memory, states))
        ids = torch.full((len(sentences), 1), 2)
        for step in range(STEPS):
            logits, weights, states = model.step(ids, memory, states)
            found.append((logits, weights, states))
            states = pytree.tree_map(lambda state: state.repeat(1, BEAM // state.shape[1], 1), states)
            ids = (torch.arange(BEAM) * 2 + step + 1).remainder(13).expand(len(sentences), BEAM)
    return found


def assert_close(found, wanted, tolerance):
    """As parts of the largest value, where that is above 1."""
    for ours, theirs in zip(pytree.tree_leaves(found), pytree.tree_leaves(wanted), strict=True):
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(ours, theirs, atol=tolerance * max(1, float(theirs.float().abs().max())), rtol=0)


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize("output", [TiedOutput, FullOutput])
@pytest.mark.parametrize("attention", ["dot", "general", "additive"])
@pytest.mark.parametrize(("decoder", "layers"), RECIPES)
def test_float32_changes_nothing(build, padded, decoder, layers, attention, output):
    for feature_size in (6, 7):  # tied to embeddings of 6: without a projection, and with one
        options = {"decoder": decoder, "decoder_layers": layers, "attention": attention, "output": output}
        plain, packed = (build(**options, feature_size=feature_size) for _ in range(2))
        wanted = run(plain, SENTENCES, padded)
        assert_close(run(pack(packed), SENTENCES, padded), wanted, 1e-5)


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize("attention", ["dot", "general", "additive"])
@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_decoder_for_beams_gives_the_same(build, padded, layers, attention, precision):
    """Of all but the memory, which is another; whole targets are scored as step by step."""
    plain, packed = (build(decoder="gnmt", decoder_layers=layers, attention=attention) for _ in range(2))
    packed = pack(packed, Products(precision, hypotheses=BEAM))
    assert type(packed.decoder) is BeamGNMTDecoder
    assert packed.state_dict().keys() == plain.state_dict().keys()
    found, wanted = run(packed, SENTENCES, padded), run(plain, SENTENCES, padded)
    assert_close(found[1:], wanted[1:], CLOSE.get(precision, 1e-5))
    target = torch.tensor([[5, 6, 3]] * len(SENTENCES))
    with torch.inference_mode():
        scores = [model.token_scores(target, *model.start(*padded(SENTENCES))) for model in (packed, plain)]
    assert_close(*scores, 3 * CLOSE.get(precision, 1e-5))


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize(
    "options", [{"decoder": "luong"}, {"decoder": "bahdanau"}, {"cell": OwnCell}, {"attention": "multi_head"}]
)
def test_contexts_that_are_not_means_alone_stay(build, padded, options):
    options = {"decoder": "gnmt", "decoder_layers": 2, **options}
    plain, packed = build(**options), pack(build(**options), Products(hypotheses=BEAM))
    assert type(packed.decoder) is type(plain.decoder)
    assert_close(run(packed, SENTENCES, padded), run(plain, SENTENCES, padded), 1e-5)


@pytest.mark.usefixtures("_every_size")
def test_products_with_contexts_are_done_for_sources(build, padded, monkeypatch):
    """None of a step is as wide as a context, and none is torch's own."""
    model = pack(build(decoder="gnmt", decoder_layers=2), Products(hypotheses=BEAM))
    memory, states = model.start(*padded(SENTENCES))
    called = []
    monkeypatch.setattr(nn.functional, "linear", lambda *_: called.append(1))
    model.step(torch.full((len(SENTENCES), 1), 2), memory, states)
    assert called == []
    assert memory.values.shape[2] == 4 * 8 + model.decoder.feature_size


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize(("decoder", "layers"), RECIPES)
def test_reduced_precision_is_close_and_not_float32(build, padded, decoder, layers, precision):
    plain, packed = (build(decoder=decoder, decoder_layers=layers, attention="additive") for _ in range(2))
    found, wanted = run(pack(packed, precision), SENTENCES, padded), run(plain, SENTENCES, padded)
    assert_close(found, wanted, CLOSE[precision])
    with pytest.raises(AssertionError, match="not close"):
        assert_close(found, wanted, 1e-4)


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("connection", ["highway", "dense"])
def test_an_encoder_with_all_its_parts_is_packed(build, padded, connection, precision):
    front_end = partial(ConvolutionalFrontEnd, widths=[2, 3], channels=4, stride=2, highway=1)
    options = {"front_end": front_end, "connection": connection, "halvings": 1, "chunk_size": 1}
    plain, packed = (build(**options) for _ in range(2))
    assert_close(
        run(pack(packed, precision), SENTENCES, padded), run(plain, SENTENCES, padded), CLOSE.get(precision, 1e-5)
    )


@pytest.mark.parametrize("output", [TiedOutput, FullOutput])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_every_product_of_a_step_is_packed(build, monkeypatch, padded, decoder, precision, output):
    monkeypatch.setattr(prepared, "_SMALL", 0)
    model = build(decoder=decoder, attention="additive", decoder_layers=2, output=output, feature_size=7)
    model = pack(model, precision)
    memory, states = model.start(*padded(SENTENCES))
    called = []
    monkeypatch.setattr(nn.functional, "linear", lambda *_: called.append(1))
    monkeypatch.setattr(LSTMCell, "forward", lambda *_: called.append(1))
    model.step(torch.full((len(SENTENCES), 1), 2), memory, states)
    assert called == []


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("decoder", ["luong", "gnmt"])
def test_products_of_cells_without_a_recurrent_matrix_are_packed(
    build, light_kind, monkeypatch, padded, decoder, precision
):
    options = {"decoder": decoder, "decoder_layers": 2, "cell": light_kind, "feature_size": 7}
    plain, packed = build(**options), pack(build(**options), precision)
    assert_close(
        run(packed, SENTENCES, padded), run(plain, SENTENCES, padded), 2 * CLOSE.get(precision, 1e-5)
    )  # states are not bounded
    memory, states = packed.start(*padded(SENTENCES))
    called = []
    monkeypatch.setattr(nn.functional, "linear", lambda *_: called.append(1))
    packed.step(torch.full((len(SENTENCES), 1), 2), memory, states)
    assert called == []


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_a_step_leaves_its_state_and_memory_as_they_are(build, padded, monkeypatch, decoder, precision):
    monkeypatch.setattr(prepared, "_SMALL", 0)
    model = pack(build(decoder=decoder, decoder_layers=2), precision)
    with torch.inference_mode():
        given = model.start(*padded(SENTENCES))
        before = pytree.tree_map(torch.clone, given)
        model.step(torch.full((len(SENTENCES), 1), 2), *given)
    assert_close(given, before, 0)


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("decoder", "hypotheses"), [("luong", 1), ("gnmt", 1), ("gnmt", BEAM), ("bahdanau", 1)])
def test_a_sentence_does_not_depend_on_its_neighbours(build, padded, decoder, hypotheses, precision):
    model = build(decoder=decoder, decoder_layers=2, decoder_size=96, encoder_size=48)
    model = pack(model, Products(precision, hypotheses=hypotheses))
    together = run(model, SENTENCES * 8, padded)
    for row, sentence in enumerate(SENTENCES):
        alone = run(model, [sentence], padded)
        for (logits, _, states), (wanted, _, wanted_states) in zip(alone[1:], together[1:], strict=True):
            rows = (wanted[row : row + 1], pytree.tree_map(lambda state: state[row : row + 1], wanted_states))  # noqa: B023
            assert_close((logits, states), rows, NEIGHBOURS[precision])


@pytest.mark.parametrize("precision", REDUCED)
def test_a_row_of_a_product_does_not_depend_on_the_others(precision):
    inputs, weight, bias = terms()
    product = prepare(weight, bias, precision)
    if precision == "int8":
        product.limited(2.0)
    together = product(inputs)
    for rows in (slice(3, 4), slice(10, 15), slice(20, 60)):
        assert torch.equal(product(inputs[rows]), together[rows])
    assert torch.equal(product(torch.cat([inputs[:4] / 9, inputs[:9]]))[4:], together[:9])


def terms(size=200, rows=70, outputs=90):
    """Inputs between -2 and 2, weights and biases."""
    return torch.rand(rows, size) * 4 - 2, torch.randn(outputs, size) / 8, torch.randn(outputs)


@pytest.mark.parametrize("activation", ["none", "sigmoid", "tanh"])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("shape", [(70,), (1,), (14, 5)])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_product_errs_by_no_more_than_its_rounding(precision, shape, biased, activation):
    inputs, weight, bias = terms()
    bias = bias if biased else torch.zeros(len(bias))
    wanted = nn.functional.linear(inputs, weight, bias)
    sizes = nn.functional.linear(inputs.abs(), weight.abs())
    if precision == "int8":  # half a step of either factor, and of both
        step, steps = inputs.abs().max() / STEPS_OF_INT8, weight.abs().amax(1) / 127
        bound = (step * weight.abs().sum(1) + steps * inputs.abs().sum(1, keepdim=True)) / 2 + 50 * step * steps
    else:
        unit = UNIT if precision == "bfloat16" else 2.0**-24 * 16  # of the order of the root of 200 sums
        bound = 2.01 * unit * sizes + unit * (bias.abs() + wanted.abs() * 1.01 + 1e-2)
    bound = bound + 1e-5
    product = prepare(weight, bias if biased else None, precision, activation=activation)
    if precision == "int8":
        product.limited(float(inputs.abs().max()))
    rows = inputs[: torch.Size(shape).numel()]
    found = product(rows.view(*shape, -1)).view(len(rows), -1)
    if activation != "none":  # as steep as 1 / 4 or 1, then rounded itself
        steepest = 1 if activation == "tanh" else 1 / 4
        wanted, bound = getattr(wanted, activation)(), bound * steepest + (UNIT if precision == "bfloat16" else 1e-6)
    assert found.dtype == torch.float32
    errors = (found - wanted[: len(rows)]).abs()
    assert (errors <= bound[: len(rows)]).all()
    assert precision == "float32" or errors.max() > 5e-4


@pytest.mark.needs_int8
def test_int8_weights_have_a_range_per_row():
    inputs, weight, bias = terms()
    weight[0] *= 1e-3
    product = prepare(weight, bias, "int8")
    product.limited(2.0)
    found, wanted = product(inputs), nn.functional.linear(inputs, weight, bias)
    torch.testing.assert_close(found[:, 0], wanted[:, 0], atol=1e-3, rtol=0)


@pytest.mark.needs_int8
def test_the_range_of_int8_inputs_is_fixed_after_packing(build, padded, monkeypatch):
    monkeypatch.setattr(prepared, "_SMALL", 0)
    model = pack(build(), "int8")
    product = model.decoder.readout.projection.product
    limit = product.limit
    assert 0.3 < limit <= 2  # of hidden states and contexts, some of two residual layers
    product(torch.full((1, 16), 50.0))
    assert product.limit == limit


@pytest.mark.needs_int8
@pytest.mark.parametrize("wide", [False, pytest.param(True, marks=pytest.mark.needs_vnni)])
def test_int8_inputs_have_7_bits_where_sums_of_8_overflow(monkeypatch, wide):
    monkeypatch.setattr(prepared, "sums_8_bits", lambda: wide)
    inputs, weight, bias = terms()
    product = Int8Linear(weight, bias)
    assert product.steps == (127 if wide else 63)
    product.limited(2.0)
    torch.testing.assert_close(product(inputs), nn.functional.linear(inputs, weight, bias), atol=0.2, rtol=0)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_small_matrices_stay_as_they_are(precision):
    _, weight, bias = terms()
    assert isinstance(prepare(weight[:20], bias[:20], precision), PlainLinear)
    assert not isinstance(prepare(weight, bias, precision), PlainLinear)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_encoder_is_reduced_only_where_the_processor_multiplies_it(build, precision):
    weight = next(pack(build(), precision).encoder.stack.parameters())
    reduced = precision != "float32" and computes_bfloat16()
    assert weight.dtype == (torch.bfloat16 if reduced else torch.float32)


@pytest.mark.parametrize("precision", ["float32", BFLOAT16])
@pytest.mark.parametrize("missing", ["_reorder_linear_weight", "_linear_pointwise"])
def test_a_torch_without_the_operators_does_without(build, padded, monkeypatch, precision, missing):
    names = {"_reorder_linear_weight", "_linear_pointwise"} - {missing}
    monkeypatch.setattr(torch.ops, "mkldnn", type("Fewer", (), dict.fromkeys(names)))
    monkeypatch.setattr(prepared, "_SMALL", 0)
    assert not OneDNNLinear.available()
    plain, packed = (build(decoder="bahdanau") for _ in range(2))
    found, wanted = run(pack(packed, precision), SENTENCES, padded), run(plain, SENTENCES, padded)
    assert_close(found, wanted, CLOSE.get(precision, 1e-5))


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_a_cell_without_a_packed_form_stays(build, padded, decoder):
    options = {"decoder": decoder, "decoder_layers": 2, "cell": OwnCell}
    plain, packed = build(**options), pack(build(**options))
    assert any(type(part) is OwnCell for part in packed.decoder.modules())
    assert not any(isinstance(part, PackedLSTMCell | PackedFeed) for part in packed.modules())
    assert_close(run(packed, SENTENCES, padded), run(plain, SENTENCES, padded), 1e-5)


def test_packing_keeps_the_names_and_the_whole_target_path(build, padded):
    plain, packed = build(decoder="bahdanau"), pack(build(decoder="bahdanau"))
    assert packed.state_dict().keys() == plain.state_dict().keys()
    target = torch.tensor([[2, 5, 6]] * len(SENTENCES))
    with torch.inference_mode():
        found, wanted = (model(*padded(SENTENCES), target) for model in (packed, plain))
    assert_close(found, wanted, 1e-5)


@pytest.mark.parametrize("precision", ["float16", "", "Int8"])
def test_another_precision_is_refused(build, precision):
    message = f"^precision must be one of float32, bfloat16, int8, but is {precision!r}.$"
    with pytest.raises(UserError, match=message):
        pack(build(), precision)


def test_a_gpu_that_does_not_multiply_bfloat16_is_refused(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: asked.append(options) or len(asked) > 1)
    with pytest.raises(UserError) as error:
        check_precision("bfloat16", torch.device("cuda"))
    assert str(error.value) == "precision=bfloat16 needs a GPU that multiplies it, and this does not: use float32."
    check_precision("bfloat16", torch.device("cuda"))
    assert asked == 2 * [{"including_emulation": False}]  # which is slower than float32
    with pytest.raises(UserError, match="^precision=int8 needs device=cpu, but the model is on cuda: use precision=f"):
        check_precision("int8", torch.device("cuda"))


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_elsewhere_than_on_a_cpu_only_float32_is_had(build, precision):
    model = build().to("meta")
    parts = list(model.modules())
    assert pack(model) is model
    assert list(model.modules()) == parts
    with pytest.raises(UserError, match=f"^precision={precision} needs device=cpu, but the model is on meta: use prec"):
        pack(model, precision)


@pytest.mark.parametrize(("bfloat16", "instead"), [(True, "bfloat16 or float32"), (False, "float32")])
def test_int8_without_its_kernels_is_refused(monkeypatch, bfloat16, instead):
    monkeypatch.setattr(prepared, "computes_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(type(torch.backends.quantized), "supported_engines", ["qnnpack", "none"], raising=False)
    with pytest.raises(
        UserError, match=f"^precision=int8 needs an x86 processor, and this is none: use .*={instead}.$"
    ):
        check_precision("int8", torch.device("cpu"))
    check_precision("float32", torch.device("cpu"))


def test_bfloat16_is_refused_where_the_processor_does_not_multiply_it(monkeypatch):
    monkeypatch.setattr(prepared, "computes_bfloat16", lambda: False)
    with pytest.raises(UserError) as error:
        check_precision("bfloat16", torch.device("cpu"))
    assert str(error.value) == (
        "precision=bfloat16 needs a processor that multiplies it, and this does not: use float32."
    )


@pytest.mark.needs_int8
def test_inputs_beyond_the_range_count_as_its_end_with_7_bits_too(monkeypatch):
    monkeypatch.setattr(prepared, "sums_8_bits", lambda: False)
    inputs, weight, bias = terms()
    product = Int8Linear(weight, bias)
    product.limited(0.5)
    assert torch.equal(product(inputs), product(inputs.clamp(-0.5, 0.5)))


@pytest.mark.needs_int8
@pytest.mark.parametrize("fewer", [False, True])
def test_scores_of_a_large_vocabulary_err_by_their_weights_rounding_alone(monkeypatch, fewer):
    if fewer:
        monkeypatch.setattr(prepared, "sums_8_bits", lambda: False)
    inputs, weight, bias = terms(size=64, outputs=5000)
    product = prepare(weight, bias, "int8", scores=True)
    assert isinstance(product, WideInt8Linear)
    assert type(prepare(weight, bias, "int8")) is Int8Linear
    assert type(prepare(weight[:4000], bias[:4000], "int8", scores=True)) is Int8Linear
    product.limited(float(inputs.abs().max()))
    steps = weight.abs().amax(1, keepdim=True) / 127
    rounded = (weight / steps).round() * steps
    wanted, plain = nn.functional.linear(inputs, rounded, bias), prepare(weight, bias, "int8")
    plain.limited(product.limit)
    # Of means, as a weight between two steps may be rounded to the other one.
    error, usual = (product(inputs) - wanted).abs().mean(), (plain(inputs) - wanted).abs().mean()
    assert usual > (20 if fewer else 40) * error
    assert torch.equal(product(inputs[3:4]), product(inputs)[3:4])


@pytest.mark.needs_int8
def test_ranges_that_were_found_are_those_of_the_products(build, padded, monkeypatch):
    monkeypatch.setattr(prepared, "_SMALL", 0)
    model = build(decoder="bahdanau")
    plain = [weight.clone() for weight in model.parameters()]
    ranges = found_ranges(model, lambda packed: run(packed, SENTENCES, padded))
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), plain, strict=True))
    assert "decoder.feed" in ranges
    assert all(0 < limit < 10 for limit in ranges.values())
    halved = {name: limit / 2 for name, limit in ranges.items()}
    ways = [run(pack(deepcopy(model), "int8", given), SENTENCES, padded) for given in (ranges, ranges, halved)]
    assert torch.equal(ways[0][1][0], ways[1][1][0])
    assert not torch.equal(ways[0][1][0], ways[2][1][0])
    assert not torch.equal(ways[0][1][0], run(pack(model, "int8"), SENTENCES, padded)[1][0])


@pytest.mark.needs_int8
def test_ranges_of_products_that_are_not_known_are_of_random_sentences(build, monkeypatch):
    monkeypatch.setattr(prepared, "_SMALL", 0)
    plain = build()
    name = "decoder.readout.projection"
    random, given = (pack(deepcopy(plain), "int8", ranges) for ranges in (None, {name: 0.25}))
    assert given.decoder.readout.projection.product.limit == 0.25
    other = given.decoder.upper[0] if hasattr(given.decoder, "upper") else given.decoder.cells.bottom
    assert getattr(other, "packed", other).product.product.limit > 0
    assert random.decoder.readout.projection.product.limit != 0.25


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize("hypotheses", [1, BEAM])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("decoder", "layers"), RECIPES)
def test_cells_of_low_rank_are_packed(build, padded, monkeypatch, decoder, layers, precision, hypotheses):
    """To what they are: no product of a step is torch's own, and no gate is computed by the visible equations."""
    plain, packed = (build(decoder=decoder, decoder_layers=layers, cell=LOW_RANK) for _ in range(2))
    packed = pack(packed, Products(precision, hypotheses=hypotheses))
    assert (type(packed.decoder) is BeamGNMTDecoder) == (decoder == "gnmt" and hypotheses > 1)
    found, wanted = run(packed, SENTENCES, padded), run(plain, SENTENCES, padded)
    assert_close(found[1:], wanted[1:], CLOSE.get(precision, 2e-6))
    if precision != "float32":
        with pytest.raises(AssertionError, match="not close"):
            assert_close(found[1:], wanted[1:], 1e-4)
    memory, states = packed.start(*padded(SENTENCES))
    called = []
    monkeypatch.setattr(nn.functional, "linear", lambda *_: called.append(1))
    monkeypatch.setattr(LowRankLSTMCell, "forward", lambda *_: called.append(1))
    packed.step(torch.full((len(SENTENCES), 1), 2), memory, states)
    assert called == []


@pytest.mark.usefixtures("_every_size")
@pytest.mark.needs_int8
def test_every_factor_of_a_low_rank_has_a_product_of_its_own(build, padded):
    model = build(decoder="gnmt", cell=LOW_RANK)
    ranges = found_ranges(model, lambda packed: run(packed, SENTENCES, padded))
    for part in ("decoder.gates", "decoder.upper.0", "decoder.upper.0.part"):
        assert {name for name in ranges if name in (part, f"{part}.inputs", f"{part}.hidden")} == {
            *({f"{part}.inputs"} if "upper" in part else ()),
            part,
            f"{part}.hidden",
        }


@pytest.mark.parametrize("options", [{}, {"direction": "forward"}, {"block_size": 2, "lookahead": 1}])
def test_an_encoder_of_low_rank_runs_by_the_kernel(build, padded, monkeypatch, options):
    """With its matrices multiplied out, which draws no random number: training goes on after a validation."""
    size = 4 if options.get("direction") != "forward" else 8
    plain, packed = (build(cell=LOW_RANK, encoder_size=size, **options) for _ in range(2))
    before = torch.get_rng_state()
    packed = pack(packed)
    assert torch.equal(torch.get_rng_state(), before)
    wanted = run(plain, SENTENCES, padded)[0]
    monkeypatch.setattr(LowRankLSTMCell, "forward", None)
    assert_close(run(packed, SENTENCES, padded)[0], wanted, 2e-6)


@pytest.mark.usefixtures("_every_size")
@pytest.mark.parametrize("options", [{"activation": "relu"}, {"gate_activation": "hard_sigmoid"}])
def test_cells_of_low_rank_with_other_equations_stay(build, padded, options):
    cell = partial(LOW_RANK, options=GatedCellOptions(**options))
    plain, packed = build(cell=cell), pack(build(cell=cell))
    assert all(
        any(type(part) is LowRankLSTMCell for part in side.modules()) for side in (packed.encoder, packed.decoder)
    )
    assert_close(run(packed, SENTENCES, padded), run(plain, SENTENCES, padded), 1e-5)
