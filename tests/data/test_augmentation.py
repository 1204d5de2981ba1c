"""Pairs that are made of others: what they keep, where they come from, and what they are refused for."""

import random
from collections import Counter
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest
import torch

from seq2seq.data.augmentation.augmentation import stretches
from seq2seq.data.augmentation.copying import Copying
from seq2seq.data.augmentation.hallucination import Hallucination
from seq2seq.data.augmentation.noise import Noise
from seq2seq.data.augmentation.splicing import Splicing, cuts
from seq2seq.data.corpora.tsv import read_tsv
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.errors import UserError

INFLECTED = [
    Example("walk V;PST", ("walked",)),
    Example("carry V;PST", ("carried", "carryed")),
    Example("abandon V;GER", ("abandoning",)),
    Example("go V;PST", ("went",)),
]
MISSPELT = [Example("colour", ("color",)), Example("teh end", ("the end",)), Example("hapy", ("happy",))]
SPOKEN = [Example("abbey", ("AE B IY",)), Example("cat", ("K AE T",))]
# Letters of two alphabets; E says nothing, X says two.
PHONES = {"A": "a", "B": "b", "D": "d", "E": "", "K": "k", "L": "l", "M": "m", "N": "n", "O": "o", "X": "k s"}
WORDS = ["BANDAL", "KANDOM", "MANDOL", "LANDAB", "BOXE", "KOXAD", "MOXAD", "LADE", "NADE", "BADOM", "ALBAND", "DOLMAN"]
WORDS += [f"{a}{b}{c}" for a in "BDKLMN" for b in "AO" for c in "BDKLMN"]
PRONOUNCED = [Example(word, (" ".join(" ".join(PHONES[letter] for letter in word).split()),)) for word in WORDS]
ALIKE = {"hallucination": (Hallucination, INFLECTED), "copying": (Copying, INFLECTED), "noise": (Noise, MISSPELT)}
KINDS = {**ALIKE, "splicing": (partial(Splicing, context=1), PRONOUNCED)}


@pytest.fixture(params=KINDS)
def kind(request):
    """A constructor, and examples that it suits."""
    return KINDS[request.param]


def learnt(make, examples, **options):
    augmentation = make(**options)
    augmentation.learn(examples)
    return augmentation


def pairs_of(examples):
    return [(example.source, target) for example in examples for target in example.targets]


# Laws of all


def test_what_is_made_is_a_function_of_seed_epoch_and_pair(kind):
    make, examples = kind
    augmentation, pairs = learnt(make, examples, amount=3.0), pairs_of(examples)
    first = augmentation.epoch(pairs, 1, 0)
    assert first == learnt(make, examples, amount=3.0).epoch(pairs, 1, 0)
    assert first != augmentation.epoch(pairs, 1, 1)
    assert first != augmentation.epoch(pairs, 2, 0)
    assert augmentation.epoch(pairs[:1], 1, 0) == first[: len(augmentation.epoch(pairs[:1], 1, 0))]


def test_the_amount_is_of_pairs_for_each(kind):
    make, examples = kind
    pairs = pairs_of(examples)[:1] * 400
    assert len(learnt(make, examples, amount=2.0).epoch(pairs, 1, 0)) == pytest.approx(800, abs=120)
    assert len(learnt(make, examples, amount=0.25).epoch(pairs, 1, 0)) == pytest.approx(100, abs=35)


@pytest.mark.parametrize("make", [make for make, _ in ALIKE.values()])
def test_two_alphabets_are_refused(make):
    with pytest.raises(UserError) as error:
        make().learn(SPOKEN)
    assert str(error.value) == (
        "augmentation needs sources and targets of one alphabet that have parts in common, but only 0 of 2 pairs share "
        "3 characters in a row: leave it out."
    )


# Each


def test_a_hallucinated_word_keeps_what_its_sides_do_not_share():
    letters = set("walkcarryabandon")
    augmentation = learnt(Hallucination, INFLECTED, probability=1.0)
    for source, target in [augmentation.made(("walk V;PST", "walked"), random.Random(n)) for n in range(50)]:
        assert source[4:] == " V;PST"
        assert target[4:] == "ed"
        assert source[:4] == target[:4]
        assert set(source[:4]) <= letters
    made = [augmentation.made(("abandon V;GER", "abandoning"), random.Random(n)) for n in range(50)]
    assert {(source[0], source[6], target[0], target[6]) for source, target in made} == {("a", "n", "a", "n")}
    assert len({source for source, _ in made}) > 40
    assert augmentation.made(("go V;PST", "went"), random.Random(1)) is None


def test_about_half_of_a_stretch_is_replaced():
    augmentation = learnt(Hallucination, [Example("abcde", ("abcde",))])
    made = [augmentation.made(("abcde", "abcde"), random.Random(n)) for n in range(2000)]
    same = [sum(one == other for one, other in zip(pair[0], "abcde", strict=True)) for pair in made if pair]
    # A fifth of the replaced are replaced by themselves; pairs that stay as they are are none.
    kept = 0.5 + 0.5 / 5
    assert sum(same) / (5 * len(same)) == pytest.approx((kept - kept**5) / (1 - kept**5), abs=0.02)


def test_a_string_to_copy_is_as_long_as_the_target_and_of_shared_letters():
    made = learnt(Copying, INFLECTED).epoch(pairs_of(INFLECTED), 1, 0)
    assert [len(target) for _, target in made] == [len(target) for _, target in pairs_of(INFLECTED)]
    assert all(source == f"<copy>{target}" for source, target in made)
    assert set("".join(target for _, target in made)) <= set("walkcarryabandon")
    assert all(source == target for source, target in learnt(Copying, INFLECTED, tag=None).epoch(INFLECTED_PAIRS, 1, 0))


INFLECTED_PAIRS = pairs_of(INFLECTED)


def test_noise_writes_characters_as_sources_do():
    """Of the four o, one stands as "ou"; of the two p, one is left out."""
    examples = [Example("colour", ("color",)), Example("oodd", ("oodd",)), Example("hapy", ("happy",))]
    augmentation = learnt(Noise, examples)
    drawn = Counter(augmentation.made(("o", "o"), random.Random(n))[0] for n in range(3000))
    assert drawn.keys() == {"o", "ou"}
    assert drawn["ou"] / 3000 == pytest.approx(Fraction(1, 4), abs=0.03)
    stronger = learnt(Noise, examples, strength=3.0)
    drawn = Counter(stronger.made(("o", "o"), random.Random(n))[0] for n in range(3000))
    assert drawn["ou"] / 3000 == pytest.approx(Fraction(3, 6), abs=0.03)
    found = Counter(
        source for n in range(3000) for source, _ in [augmentation.made(("happy", "happy"), random.Random(n))]
    )
    assert found.keys() == {"happy", "hapy", "hay"}
    assert found["hapy"] / 3000 == pytest.approx(0.5, abs=0.03)
    assert augmentation.made(("zz", "zz"), random.Random(1)) == ("zz", "zz")


def test_cuts_are_between_symbols_that_each_stand_for_one():
    """S, S | S, D, S, I, S | S: 0 substitutes, 1 deletes, 2 inserts."""
    assert list(cuts([0, 0])) == [(1, 1)]
    assert list(cuts([0, 1, 0])) == []
    assert list(cuts([0, 0, 1, 0, 2, 0, 0])) == [(1, 1), (5, 5)]
    assert list(cuts([])) == []


@pytest.mark.parametrize("context", [1, 2])
def test_a_spliced_word_is_said_as_its_parts_are(context):
    """As letters are said the same everywhere, so are made words; their contexts are those of words of train."""
    augmentation = learnt(Splicing, PRONOUNCED, amount=5.0, context=context)
    made = augmentation.epoch(pairs_of(PRONOUNCED), 1, 0)
    sources = {source for source, _ in made}
    assert len(sources) > 5
    assert not sources & set(WORDS)
    for source, target in made:
        assert target == " ".join(" ".join(PHONES[letter] for letter in source).split())
        halves = [
            (source[:place], source[place:])
            for place in range(1, len(source))
            if any(word.startswith(source[: place + context]) for word in WORDS)
            and any(word.endswith(source[place - context if place > context else 0 :]) for word in WORDS)
        ]
        assert halves


def test_a_cut_is_joined_with_one_between_the_same_symbols():
    """The only cut of two words that lies between the same four symbols: BAN|DAL and LAN|DAB."""
    pairs = [Example("BANDAL", ("b a n d a l",)), Example("LANDAB", ("l a n d a b",))]
    augmentation = learnt(Splicing, [*pairs, *PRONOUNCED[12:]], amount=20.0, context=2)
    made = set(augmentation.epoch(pairs_of(pairs), 1, 0))
    assert ("BANDAB", "b a n d a b") in made
    assert ("LANDAL", "l a n d a l") in made
    assert {len(source) for source, _ in made} == {6}
    assert learnt(Splicing, [*pairs, Example("MOK", ("m o k",))], context=4).epoch(pairs_of(pairs), 1, 0) == []


def test_other_contexts_make_other_words():
    first, second = (learnt(Splicing, PRONOUNCED, context=context) for context in (1, 2))
    assert first.epoch(pairs_of(PRONOUNCED), 1, 0) != second.epoch(pairs_of(PRONOUNCED), 1, 0)


def test_sides_may_be_symbols_or_letters_but_no_sentences():
    turned = [Example(example.targets[0], (example.source,)) for example in PRONOUNCED]
    made = learnt(Splicing, turned, amount=3.0).epoch(pairs_of(turned), 1, 0)
    assert made
    assert all(" " in source and " " not in target for source, target in made)
    sentences = [Example(f"the man number {n} has seen a dog of {n} years", ("yes",)) for n in range(50)]
    with pytest.raises(UserError) as error:
        Splicing().learn(sentences)
    assert str(error.value) == (
        "augmentation needs words or symbols on both sides to splice them, but sources are sentences: leave it out."
    )


GREEK = Path(__file__).parents[3] / "shared" / "data" / "sigmorphon2021" / "gre_train.tsv"


@pytest.mark.skipif(not GREEK.exists(), reason="the data are not there")
def test_greek_words_are_spliced():
    examples = read_tsv(GREEK)
    made = learnt(Splicing, examples, amount=1.0).epoch(pairs_of(examples), 1, 0)
    assert len(made) > 100
    assert not {source for source, _ in made} & {example.source for example in examples}


def test_stretches_are_those_of_an_alignment():
    assert stretches("walk V;PST", "walked") == [(0, 0, 4)]
    assert stretches("", "a") == []


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Hallucination, {"amount": 0.0}, "amount must be above 0, but is 0.0: for none, choose augmentation none."),
        (Hallucination, {"probability": 1.5}, "probability must be above 0 and at most 1, but is 1.5."),
        (Copying, {"tag": "a b"}, "tag must be a word, or null for none, but is 'a b'."),
        (Noise, {"strength": -1.0}, "strength must be above 0, but is -1.0."),
        (Splicing, {"context": 0}, "context must be at least 1, but is 0."),
    ],
)
def test_a_bad_value_is_refused(make, options, message):
    with pytest.raises(UserError) as error:
        make(**options)
    assert str(error.value) == message


def test_noise_of_equal_sides_is_refused():
    with pytest.raises(UserError, match="^augmentation needs sources that differ from their targets, but all are"):
        Noise().learn([Example("abc", ("abc",))])


# In a data module


def data_of(**options) -> Seq2SeqDataModule:
    trainer = TokenizerTrainer(source="char", target="char", joint=True)
    return Seq2SeqDataModule(
        splits=Splits(INFLECTED, INFLECTED[:1]),
        tokenizers=trainer.train(INFLECTED),
        **{"max_tokens": 60, "max_sentences": 3} | options,
    )


def texts(data, number):
    pairs, batches = data.train_epoch(number)
    for rows in batches:
        sides = (pairs.source.padded(rows, end=False), pairs.target.padded(rows, end=False))
        ids = [[row[:length].tolist() for row, length in zip(*side, strict=True)] for side in sides]
        yield from zip(data.tokenizers.source.decode(ids[0]), data.tokenizers.target.decode(ids[1]), strict=True)


def test_an_epoch_has_every_pair_once_and_those_that_are_made(caplog):
    data = data_of()
    with caplog.at_level("INFO"):
        data.augment(Hallucination(amount=2.0))
    epochs = [Counter(texts(data, number)) for number in range(3)]
    for number, found in enumerate(epochs):
        made = Hallucination(amount=2.0)
        made.learn(INFLECTED)
        assert found == Counter(INFLECTED_PAIRS) + Counter(made.epoch(INFLECTED_PAIRS, 1, number))
    assert epochs[0] != epochs[1]
    assert len(caplog.messages) == 1
    usable = epochs[0].total() - len(INFLECTED_PAIRS)
    assert caplog.messages[0].startswith(f"augmentation: an epoch gets {usable} pairs beside 5 of train, made anew in")


def test_without_augmentation_an_epoch_is_the_plan():
    data = data_of()
    pairs, batches = data.train_epoch(4)
    assert pairs is data.train_pairs
    assert all(map(torch.equal, batches, data.train_plan.epoch(4)))


def test_what_is_too_long_or_unknown_is_left_out():
    data = data_of(max_tokens=30, max_length=14)
    data.augment(Copying(tag=None, amount=5.0))
    pairs, _ = data.train_epoch(0)
    assert int((pairs.source.lengths + pairs.target.lengths + 2).max()) <= 30
    tagged = data_of()
    with pytest.raises(UserError, match="^augmentation must make pairs of known pieces, but of its 5 pairs none"):
        tagged.augment(Copying(tag="<other>"))
