"""Runs without pieces that never occur."""

from dataclasses import replace

import pytest
import torch

from seq2seq.config.builder import build
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.data.used_pieces import used_alone
from seq2seq.errors import UserError
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.smaller_vocabulary import with_used_pieces

TEXTS = ["the cat sat", "the dog ran far", "a zebra sat on a mat", "cats and dogs ran", "quick foxes jump"] * 3
FEWER = [Example("the cat", ("dog ran",)), Example("a mat", ("the cat sat",))]
LINES = ["the cat", "a mat", "the cat sat", "dog ran"]
KINDS = ["char", "word", "bpe", "unigram"]


def tokenizers(kind, *, joint=False):
    size = None if kind in ("char", "word") else 36
    examples = [Example(text, (text[::-1] if kind == "char" else text,)) for text in TEXTS]
    return TokenizerTrainer(source=kind, target=kind, source_size=size, target_size=size, joint=joint).train(examples)


@pytest.fixture
def run(plain_config_of):
    """A run in double precision of pieces of a kind: run("char", "model=luong")."""

    def _run(kind, *overrides, joint=False):
        sizes = ["model.embedding_size=6", "model.encoder.hidden_size=5", "model.decoder.hidden_size=10"]
        config = plain_config_of("train", "sizing=none", *sizes, *overrides)
        own = tokenizers(kind, joint=joint)
        torch.manual_seed(6)
        sides = {f"{side}_vocabulary_size": getattr(own, side).size for side in ("source", "target")}
        model = build(config["model"], "model")(**sides).eval()
        for weight in model.parameters():
            torch.nn.init.uniform_(weight, -0.5, 0.5)
        return LoadedRun(model, own, config, 1, {})

    return _run


def logits(run, padded, source, target):
    with torch.inference_mode():
        memory, states = run.model.start(*padded([ids + [3] for ids in run.tokenizers.source.encode(source)]))
        found = []
        for ids in zip(*run.tokenizers.target.encode(target), strict=False):  # as many steps as the shortest has
            scores, _, states = run.model.step(torch.tensor(ids).unsqueeze(1), memory, states)
            found.append(scores.squeeze(1))
        return torch.stack(found, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_cut_as_before_by_fewer_pieces(kind):
    whole = tokenizers(kind).source
    smaller, kept = used_alone(whole, LINES)
    assert smaller.size == len(kept) < whole.size
    assert smaller.pieces(range(smaller.size)) == whole.pieces(kept)
    assert kept[:4] == [0, 1, 2, 3]
    for text in LINES:
        assert smaller.surface(text) == whole.surface(text)
        assert smaller.decode(smaller.encode([text])) == [text]
    assert 1 not in smaller.encode(LINES)[0]
    assert used_alone(smaller, LINES)[1] == list(range(smaller.size))


@pytest.mark.parametrize(
    ("kind", "overrides", "joint"),
    [
        ("char", ["model=luong"], False),
        ("char", ["model=gnmt", "model/ngrams=bigrams"], False),
        ("word", ["model=luong", "model/output=full", "model.vocabulary_multiple=8"], False),
        ("bpe", ["model=luong", "model.share_embeddings=true", "tokenizer.joint=true"], True),
    ],
)
def test_scores_of_the_pieces_that_stay_are_the_same(run, padded, kind, overrides, joint):
    whole = run(kind, *overrides, joint=joint)
    smaller = with_used_pieces(whole, FEWER)
    source, target = [one.source for one in FEWER], [one.targets[0] for one in FEWER]
    alike = whole.tokenizers.source.serialized == whole.tokenizers.target.serialized
    kept = used_alone(whole.tokenizers.target, [*source, *target] if alike else target)[1]
    wanted = logits(whole, padded, source, target)[..., kept]
    found = logits(smaller, padded, source, target)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert wanted[wanted.isfinite()].std() > 0.1
    assert sum(map(torch.numel, smaller.model.parameters())) < sum(map(torch.numel, whole.model.parameters()))
    assert smaller.tokenizers.target.decode(smaller.tokenizers.target.encode(target)) == target


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=luong", "model/ngrams=bigrams", "model.ngrams.buckets=50"], "vocabulary=used needs n-g"),
        (["model=luong", "model/output=adaptive", "model.output.cutoffs=[8]"], "vocabulary=used needs an output with"),
        (["model=luong", "model/copying=pointer"], "vocabulary=used needs a model that reads and writes text of its"),
    ],
)
def test_rows_that_are_not_of_pieces_are_refused(run, overrides, message):
    with pytest.raises(UserError, match=f"^{message}"):
        with_used_pieces(run("char", *overrides), FEWER)


def test_a_tokenizer_that_would_cut_otherwise_is_refused(monkeypatch):
    monkeypatch.setattr("seq2seq.data.used_pieces._kept", lambda tokenizer, used: [0, 1, 2, 3, *sorted(used)[:2]])
    with pytest.raises(UserError, match=r"^vocabulary=used needs a tokenizer that cuts the data's texts alike"):
        used_alone(tokenizers("char").source, LINES)


def test_ranges_of_before_are_forgotten(run):
    assert with_used_pieces(replace(run("char", "model=luong"), ranges={"a": 1.0}), FEWER).ranges == {}
