"""A page's script finds what translate.py finds, for every part that it knows; what it does not know is refused."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from page_programs import answers_in_node, needs_node
from tiny_models import CELLS

from seq2seq.data.examples import Example
from seq2seq.data.piece_options import PieceOptions
from seq2seq.data.text import TextForm
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import UserError
from seq2seq.export.page.description import describe
from seq2seq.export.page.pieces import tables
from seq2seq.layers.copying import Pointer
from seq2seq.layers.embedding import NGramEmbedding
from seq2seq.layers.front_end import ConvolutionalFrontEnd
from seq2seq.layers.output.adaptive import AdaptiveOutput
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.models.bridge import StateBridge, ZeroBridge
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.symbols import EOS

LINES = ["ab", "", "hello there", "a", "xyz éé?? q", "  pq r ", "abcdefghijklmnopqrstuvw", "a▁b", "ÀÖ9", "🙂🙂a"]
BIGRAMS = partial(NGramEmbedding, windows=[[1, 0], [0, 1]])
MODELS: dict[str, dict[str, Any]] = {
    "gnmt, dot, bigrams": {"decoder": "gnmt", "attention": "dot", "ngrams": BIGRAMS},
    "gnmt of three layers, gru, additive, hashed": {
        **{"decoder": "gnmt", "attention": "additive", "cell": CELLS["gru"], "decoder_layers": 3},
        **{"ngrams": partial(NGramEmbedding, windows=[[1, 1], [2, 0]], buckets=97)},
    },
    "luong, general, dense, halvings, hashes of before": {
        **{"attention": "general", "connection": "dense", "halvings": 1, "encoder_layers": 3, "decoder_layers": 2},
        **{"ngrams": partial(NGramEmbedding, windows=[[1, 0]], buckets=97, mixed=False)},
    },
    "luong, gru, scaled dot, highway, one way, states handed on": {
        **{"attention": "scaled_dot", "connection": "highway", "direction": "forward", "bridge": StateBridge},
        **{"encoder_size": 8, "decoder_layers": 2, "cell": CELLS["gru"]},
    },
    "bahdanau, additive, blocks, full output": {
        **{"decoder": "bahdanau", "attention": "additive", "block_size": 3, "lookahead": 2, "output": FullOutput},
        **{"decoder_layers": 2, "vocabulary_multiple": 8},
    },
    "bahdanau, gru, general, plain, zero bridge, projected output": {
        **{"decoder": "bahdanau", "attention": "general", "connection": "none", "bridge": ZeroBridge},
        **{"cell": CELLS["gru"], "feature_size": 5, "chunk_size": 2},
    },
    "luong without attention": {"attention": "none"},
}
SEARCHES = ((0, 1), (3, 1), (5, 5))  # width, or 0 of greedy search, and how many of the best


@pytest.fixture
def random_model(build_model, letters) -> Callable[..., Seq2Seq]:
    """A random model that has something to say, and mostly an end to it."""

    def build(tokenizers: Tokenizers = letters, **options: Any) -> Seq2Seq:
        torch.manual_seed(5)
        sizes = {f"{side}_vocabulary_size": getattr(tokenizers, side).size for side in ("source", "target")}
        model = build_model(**sizes, **options).eval()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.mul_(1.5 if "kernel" in name else 2.5)
            model.get_parameter("output.projection.bias" if options.get("output") is FullOutput else "output.bias")[
                EOS
            ] += 1.5
        return model

    return build


def assert_same(found: list[dict[str, Any]], wanted: list[list[Any]]) -> None:
    """Texts and ends are equal, scores to 1e-4, and so are the weights of the source."""
    assert len(found) == len(wanted)
    for own, others in zip((each["found"] for each in found), wanted, strict=True):
        assert [one["text"] for one in own] == [other.text for other in others]
        for one, other in zip(own, others, strict=True):
            assert one["finished"] == other.hypothesis.finished
            assert one["score"] == pytest.approx(other.hypothesis.score, abs=1e-4)
            assert one["scores"] == pytest.approx(other.hypothesis.token_scores, abs=1e-4)
            if other.hypothesis.attention is not None and other.hypothesis.ids:
                rows = torch.tensor(one["weights"])[: len(other.hypothesis.ids)]
                torch.testing.assert_close(rows, other.hypothesis.attention, atol=1e-4, rtol=0)


@needs_node
def test_scripts_find_what_models_find(random_model, letters, page_of, translations, tmp_path):
    asked, wanted = [], []
    for number, options in enumerate(MODELS.values()):
        page, small = page_of(random_model(**options), letters, ("float16", "int8")[number % 2])
        file = tmp_path / f"{number}.html"
        file.write_bytes(page)
        asked += [(file, LINES, *search) for search in SEARCHES]
        wanted += [translations(small, letters, LINES, *search) for search in SEARCHES]
    told = {other.hypothesis.finished for each in wanted for others in each for other in others}
    assert told == {True, False}
    for found, each in zip(answers_in_node(asked), wanted, strict=True):
        assert_same(found, each)


@needs_node
def test_no_more_of_a_source_is_read_than_a_limit_allows(random_model, letters, page_of, translations, tmp_path):
    limits = {"max_ratio": 1.0, "max_extra": 4, "max_source_tokens": 5}
    page, small = page_of(random_model(), letters, limits=limits)
    (tmp_path / "page.html").write_bytes(page)
    lines = ["abcdefgh", "??é?abcd", "abcde", "abcdef"]
    (found,) = answers_in_node([(tmp_path / "page.html", lines, 0, 1)])
    search = GreedySearch(length=LengthLimits(max_ratio=1.0, max_extra=4))
    assert_same(found, translations(small, letters, lines, search, 1, max_source_tokens=5))
    assert found[0]["found"] == found[2]["found"] == found[3]["found"]


@needs_node
def test_other_kinds_of_pieces_are_cut_and_joined_alike(random_model, page_of, translations, tmp_path):
    pairs = [Example("a b {x} cd", ("p q",)), Example("½ é ▁", ("r",)), Example("e\u0301 a  b", ("q {x} r",))]
    lines = ["a  b", "{x}{x}a{x", "½", "e\u0301é", "\ufeff a\u2003", "a▁b", "\x1f a", "b\tc", "😀 {x}😀😀"]
    lines += ["zz a zz", "{x zz yy  y a"]
    asked, wanted, ids = [], [], []
    for number, (source, target, form) in enumerate(
        (("char", "char", "nfc"), ("word", "unigram", "nfkc"), ("char", "word", "none"))
    ):
        options = {"symbols": ["{x}"]} if source == "char" else {}
        sizes = {"target_size": 13} if target == "unigram" else {}
        kinds = {"source": source, "target": target, **sizes}
        tokenizers = TokenizerTrainer(**kinds, options=PieceOptions(**options)).train(pairs, TextForm(form))
        page, small = page_of(random_model(tokenizers, attention="dot"), tokenizers)
        file = tmp_path / f"{number}.html"
        file.write_bytes(page)
        asked.append((file, lines, 3, 3))
        wanted.append(translations(small, tokenizers, lines, 3, 3))
        ids.append(tokenizers.source.encode(lines))
    for found, each, cut in zip(answers_in_node(asked), wanted, ids, strict=True):
        assert [own["ids"] for own in found] == cut
        assert_same(found, each)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": CELLS["elman"]}, "knows the cells lstm, gru, but none for ElmanCell: train one of these, or choose"),
        ({"cell": CELLS["lstm_peephole"]}, "knows the cells lstm, gru, but none for PeepholeLSTMCell"),
        ({"cell": partial(CELLS["lstm"], gate_activation="hard_sigmoid")}, "knows lstm with its usual activations"),
        (
            {"cell": partial(CELLS["gru"], regularization=Regularization(zoneout_hidden=0.1))},
            "knows gru with its usual",
        ),
        (
            {"attention": "coverage"},
            "knows the attentions dot, general, additive, none, but none for CoverageAttention",
        ),
        ({"output": AdaptiveOutput}, "knows the outputs tied, full, but none for AdaptiveOutput: train one of these"),
        (
            {"output": partial(FullOutput, normalizer="entmax")},
            "makes probabilities by softmax, but this model's output",
        ),
        (
            {"front_end": partial(ConvolutionalFrontEnd, widths=[3], channels=4)},
            "knows encoders without a front end, but this one has",
        ),
        ({"attention": "dot", "copying": Pointer}, "cannot copy pieces of a source: train without copying"),
    ],
)
def test_what_the_script_does_not_compute_is_refused_by_name(build_model, options, message):
    with pytest.raises(UserError, match=f"^to=page {message}"):
        describe(build_model(**options))


def test_another_way_to_weights_is_refused(build_model):
    model = build_model()
    model.decoder.attention.normalizer = "entmax"
    with pytest.raises(UserError, match="^to=page makes weights by softmax, but this model's attention_normalizer is "):
        describe(model)


def test_what_derives_from_a_known_part_is_refused(build_model):
    class Other(Seq2Seq):
        pass

    model = build_model()
    model.__class__ = Other
    with pytest.raises(UserError, match="^to=page knows the models seq2seq, but none for Other: train one of these"):
        describe(model)


@pytest.mark.parametrize(
    ("kinds", "options", "message"),
    [
        (
            {"source": "bpe", "source_size": 14},
            {},
            "cuts sources into characters or words, but this run's are cut by bpe",
        ),
        ({"source": "char"}, {"normalization": "nfd"}, "takes sources as they are, but this run's tokenizer has "),
        (
            {"source": "char"},
            {"normalization": "nmt_nfkc"},
            "takes sources as they are, .* normalization=nmt_nfkc: train",
        ),
    ],
)
def test_sources_that_are_cut_in_other_ways_are_refused(kinds, options, message):
    trainer = TokenizerTrainer(target="word", **kinds, options=PieceOptions(**options))
    with pytest.raises(UserError, match=f"^to=page {message}"):
        tables(trainer.train([Example("abab cdcd aabb", ("p q",))]))
