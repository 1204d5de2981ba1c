"""Translators of models that copy: texts of copies, limits of pieces, scores of what is cut off, and who votes."""

from dataclasses import replace

import pytest
import torch

from seq2seq.commands.score import _written
from seq2seq.data.copied_pieces import for_copying, target_ids
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.errors import UserError
from seq2seq.layers.copying import Pointer
from seq2seq.runs import named_runs as opening
from seq2seq.runs.run import LoadedRun
from seq2seq.symbols import UNK
from seq2seq.translation.line import Line
from seq2seq.translation.pieces import PieceLimits
from seq2seq.translation.promises import find
from seq2seq.translation.translator import Translator

SEARCH = BeamSearch(beam_size=3, length=LengthLimits(max_ratio=1.0, max_extra=2))


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    return for_copying(TokenizerTrainer(source="char", target="char").train([Example("abcdef ", ("uvwxyz ",))]))


@pytest.fixture
def model_of(build_model):
    def build(tokenizers: Tokenizers, *, copies: bool = True):
        torch.manual_seed(5)
        sizes = {f"{side}_vocabulary_size": getattr(tokenizers, side).size for side in ("source", "target")}
        model = build_model(**sizes, copying=Pointer if copies else None).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(2.5)
        if copies:
            model.copying.spell(target_ids(tokenizers))
            model.copying.switch.bias.data.fill_(-1.0)
        return model

    return build


@pytest.fixture
def new_translator(model_of, tokenizers):
    return lambda **options: Translator(model_of(tokenizers), tokenizers, SEARCH, **options)


def test_copies_are_written_as_the_source_has_them(new_translator, tokenizers):
    texts = ["aΩΩb", "北c", "", "fΩ"]
    translator = new_translator()
    translator.stepper.copying.switch.bias.data.fill_(-6.0)
    found = translator.translations([Line(text) for text in texts], n_best=3, attention=True)
    said = {piece for own in found for one in own for piece in one.pieces}
    assert said & {"Ω", "北"}, said
    assert said & set("abcdef"), said
    for text, own in zip(texts, found, strict=True):
        for one in own:
            assert one.text == "".join(one.pieces).replace("\u2581", " ").replace("<unk>", " \u2047 ").strip()
            copied = set(one.pieces) - set(tokenizers.target.pieces(range(tokenizers.target.size)))
            assert copied <= set(text)
            assert not text or len(one.source_pieces) == len(text) + 1


def test_what_is_promised_is_kept(new_translator):
    for finding in find(new_translator(), ["aΩΩb", "北c", "fΩe d", "acdc"], SEARCH, seed=1):
        assert finding.different == 0, finding
        assert finding.worst < 1e-4, finding


def test_limits_of_pieces(new_translator, tokenizers):
    lines = [Line("aΩΩb"), Line("Ωc")]
    allowed = new_translator(pieces=PieceLimits(allowed=["u", "v"]))
    assert {piece for own in allowed.translations(lines) for piece in own[0].pieces} <= {"u", "v"}
    forbidden = new_translator(pieces=PieceLimits(forbidden=list("uvwxyz")))
    assert "Ω" in {piece for own in forbidden.translations(lines, n_best=3) for one in own for piece in one.pieces}
    seen = []

    def function(source: list[str], prefix: list[str]) -> None:
        seen.append(tuple(prefix))

    new_translator(pieces=PieceLimits(function=function)).translations(lines)
    assert any("<unk>" in prefix or set(prefix) & set("abc") for prefix in seen)


def test_scores_are_of_what_is_read(new_translator, tokenizers):
    _, ids = tokenizers.encode_pairs(["abΩ"], ["Ωu"])
    size = tokenizers.target.size
    assert ids == [[size + 2, *tokenizers.target.ids("u")[:1]]]
    whole, cut = (new_translator(max_source_tokens=most).score(["abΩ"], ids)[0] for most in (9, 2))
    assert whole.ids[0] == size + 2
    assert cut.ids[0] == UNK
    assert torch.tensor([*whole.token_scores, *cut.token_scores]).isfinite().all()
    assert '"pieces": ["Ω", "u", "</s>"]' in _written(whole, tokenizers, "abΩ", "json")


def test_members_that_do_not_copy_alike_are_refused(model_of, tokenizers, monkeypatch):
    other = for_copying(TokenizerTrainer(source="char", target="char").train([Example("abcg", ("uvwxyz ",))]))
    runs = {"copies": LoadedRun(model_of(tokenizers), tokenizers, {}, 1, {})}
    runs["plain"] = replace(runs["copies"], model=model_of(tokenizers, copies=False))
    runs["other"] = replace(runs["copies"], tokenizers=other)
    monkeypatch.setattr(opening, "load_run", lambda path, device: runs[path])
    assert len(opening.load_runs({"run": ["copies", "copies"], "device": "cpu"})) == 2
    with pytest.raises(UserError, match="^run must name runs that all copy, or none, but of copies and plain one does"):
        opening.load_runs({"run": ["copies", "plain"], "device": "cpu"})
    with pytest.raises(UserError, match="^run must name runs of one source vocabulary where they copy .* that of o"):
        opening.load_runs({"run": ["copies", "other"], "device": "cpu"})
