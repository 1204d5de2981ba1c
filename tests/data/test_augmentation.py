"""Pairs that are made of others: what they keep, where they come from, and what they are refused for."""

import random
from collections import Counter
from fractions import Fraction

import pytest
import torch

from seq2seq.data.augmentation.augmentation import stretches
from seq2seq.data.augmentation.copying import Copying
from seq2seq.data.augmentation.hallucination import Hallucination
from seq2seq.data.augmentation.noise import Noise
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
KINDS = {"hallucination": (Hallucination, INFLECTED), "copying": (Copying, INFLECTED), "noise": (Noise, MISSPELT)}


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


def test_two_alphabets_are_refused(kind):
    with pytest.raises(UserError) as error:
        kind[0]().learn(SPOKEN)
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
