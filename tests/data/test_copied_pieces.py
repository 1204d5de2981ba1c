"""Ids of what a vocabulary lacks: found in the source, read back as its text."""

import pytest
import torch

from seq2seq.data.augmentation.copying import Copying
from seq2seq.data.augmentation.made_pairs import MadePairs
from seq2seq.data.copied_pieces import (
    for_copying,
    pieces_from,
    pieces_of,
    suited,
    target_ids,
    within,
)
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.length import LengthLimits
from seq2seq.symbols import EOS, UNK
from seq2seq.translation.reachability import unreachable

SEEN = [Example("call Anna now", ("ruf Anna jetzt an",)), Example("call me", ("ruf mich an",))]
KINDS = {
    "word": {"source": "word", "target": "word"},
    "joint words": {"source": "word", "target": "word", "joint": True},
    "characters": {"source": "char", "target": "char"},
    "joint characters": {"source": "char", "target": "char", "joint": True},
    "byte pairs": {"source": "bpe", "target": "bpe", "source_size": 24, "target_size": 24, "exact_size": False},
}


def trained(kind: str = "word") -> Tokenizers:
    return for_copying(TokenizerTrainer(**KINDS[kind]).train(SEEN))


def test_unknown_pieces_of_the_source_are_told_apart_by_where_they_first_come():
    source = trained().source
    size = source.size
    (ids,) = source.encode(["call Zoe and Zoe now"])
    assert ids == [*source.ids("call"), size + 1, size + 2, size + 1, *source.ids("now")]
    assert source.decode([ids])[0].split() == ["call", "\u2047", "\u2047", "\u2047", "now"]
    assert source.pieces(ids)[1] == "<unk>"
    assert source.encode(["call Anna now"]) == TokenizerTrainer(**KINDS["word"]).train(SEEN).source.encode(
        ["call Anna now"]
    )


def test_what_the_target_lacks_is_the_place_of_its_text_in_the_source():
    tokenizers = trained()
    size = tokenizers.target.size
    _, (ids, other) = tokenizers.encode_pairs(["call Zoe now", "call me"], ["ruf Zoe oder Eve an", "ruf call an"])
    known = {word: tokenizers.target.ids(word)[0] for word in ("ruf", "an")}
    assert ids == [known["ruf"], size + 1, UNK, UNK, known["an"]]  # neither oder nor Eve is in the source
    assert other == [known["ruf"], size, known["an"]]  # known to the source's vocabulary alone


def test_a_target_id_of_a_source_piece_is_that_of_its_text():
    tokenizers = trained()
    found = target_ids(tokenizers)
    assert found[:4].tolist() == [-1, -1, -1, EOS]
    (anna,), (call,) = (tokenizers.source.ids(word) for word in ("Anna", "call"))
    assert found[anna] == tokenizers.target.ids("Anna")[0]
    assert found[call] == -1
    joint = trained("joint words")
    assert target_ids(joint)[EOS:].tolist() == list(range(EOS, joint.target.size))


@pytest.mark.parametrize("kind", KINDS)
def test_every_unknown_piece_that_the_source_has_comes_back(kind):
    tokenizers = trained(kind)
    sources = ["call Zoë now", "call Ωmega", "call Anna", "call 北京 now", "call Zoë"]
    targets = ["ruf Zoë jetzt an", "ruf Ωmega an", "ruf Anna an", "ruf 北京 an", "ruf"]
    _, ids = tokenizers.encode_pairs(sources, targets)
    for source, row in zip(sources, ids, strict=True):
        size = tokenizers.target.size + len(tokenizers.source.encode([source])[0])
        assert all(index < size for index in row)
    found = tokenizers.decode(sources, ids)
    assert found == targets
    unknown = [UNK, *ids[0]]
    assert tokenizers.decode(sources[:1], [unknown])[0].split() == ["\u2047", *targets[0].split()]
    assert tokenizers.decode([sources[4], sources[0]], [ids[4], ids[0]]) == ["ruf", targets[0]]


def test_pieces_are_those_of_the_source_too():
    tokenizers = trained()
    source, target = "call Zoe now", "ruf Zoe an"
    _, (ids,) = tokenizers.encode_pairs([source], [target])
    assert pieces_of(tokenizers, ids, source) == ["▁ruf", "▁Zoe", "▁an"]
    size = tokenizers.target.size
    assert pieces_from(tokenizers.target, [size, size + 1, size + 9], ["a"]) == ["a", "</s>", "<unk>"]
    assert within(tokenizers, ids, 1) == [ids[0], UNK, ids[2]]
    assert within(tokenizers, ids, 2) == ids


def test_other_models_have_the_tokenizers_that_they_had():
    tokenizers = TokenizerTrainer(**KINDS["word"]).train(SEEN)
    assert suited(tokenizers, {"model": {"copying": None}}) is suited(tokenizers, {}) is tokenizers
    assert tokenizers.encode_pairs(["call Zoe"], ["ruf Zoe"]) == (
        tokenizers.source.encode(["call Zoe"]),
        tokenizers.target.encode(["ruf Zoe"]),
    )
    chosen = suited(tokenizers, {"model": {"copying": {"_target_": "x"}}})
    assert chosen.source.serialized == tokenizers.source.serialized
    assert chosen.source.encode(["Zoe"]) == [[tokenizers.source.size]]


def test_batches_counts_and_made_pairs_hold_them():
    tokenizers = trained()
    more = [Example("call Zoe now", ("ruf Zoe jetzt an",)), Example("call Eve", ("ruf Ida an",))]
    data = Seq2SeqDataModule(splits=Splits([*SEEN, *more], more), tokenizers=tokenizers, max_tokens=64)
    batch = data.dev_pairs.batch(torch.arange(2), step_tokens=1.0)
    size = tokenizers.target.size
    assert batch.source[0, 1] == tokenizers.source.size + 1
    assert batch.target_outputs[0, 1] == batch.target_inputs[0, 2] == size + 1
    counts = data.target_counts()
    assert counts.shape == (size,)
    assert counts[UNK] == 2
    made = MadePairs(Copying(tag=None), more, tokenizers, data.train_plan, max_length=9)
    assert len(made.epoch(0)) == 2  # of pieces that the target vocabulary lacks


def test_references_with_the_sources_own_words_are_within_reach():
    plain = TokenizerTrainer(**KINDS["word"]).train(SEEN)
    examples = [Example("call Zoe now", ("ruf Zoe an", "ruf Ida an"))]
    missed = unreachable(examples, plain, LengthLimits(), max_source_tokens=9)
    found = unreachable(examples, for_copying(plain), LengthLimits(), max_source_tokens=9)
    assert (missed.count, found.count, found.example) == (2, 1, "ruf Ida an")


def test_runs_of_characters_are_taken_apart_as_the_source_has_them():
    tokenizers = trained("characters")
    source = tokenizers.source
    assert source.surface("call Zoë") == [*"call", "\u2581", *"Zoë"]
    (coded,) = source.encode(["call ZZë"])
    assert coded[5:] == [source.size + 5, source.size + 5, source.size + 7]
    size = tokenizers.target.size
    _, (ids,) = tokenizers.encode_pairs(["ZëoQ"], ["fëßßZo"])  # all of them unknown after the f
    assert ids == [*tokenizers.target.encode(["f"])[0], size + 1, UNK, UNK, size, size + 2]
    assert tokenizers.decode(["ZëoQ"], [ids]) == ["fë \u2047  \u2047 Zo"]
