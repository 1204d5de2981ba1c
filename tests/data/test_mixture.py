"""Several corpora as one: how often each pair comes, and what tells them apart."""

import logging
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.batch import PairSequences
from seq2seq.data.corpora.mixture import MixtureCorpus
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.corpora.tsv import TSVCorpus
from seq2seq.data.corpus_mix import CorpusMix
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.mixed_epochs import MixedEpochs
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.text import TextForm, formed_splits
from seq2seq.data.tokenizers import PieceOptions, TokenizerTrainer
from seq2seq.errors import UserError
from seq2seq.runs.data_facts import DataKind
from seq2seq.runs.evaluation import warn_of_shared_sources

LAW = settings(deadline=None, max_examples=80)


class Given:
    """A corpus of what it is given."""

    def __init__(self, train, dev=(), held_out_below=None):
        self.splits = Splits(list(train), list(dev) or list(train)[:1], held_out_below=held_out_below)

    def load(self):
        return self.splits


def words(letters: str, count: int, targets: int = 1) -> list[Example]:
    texts = [f"{letters}{number:03d}" for number in range(count)]
    return [Example(text, tuple(f"{text}{'x' * place}" for place in range(targets))) for text in texts]


LARGE, SMALL = words("ab", 30), words("cd", 7)


def data_of(examples=None, *, references="each", **options) -> Seq2SeqDataModule:
    corpus = MixtureCorpus(parts={"large": Given(LARGE), "small": Given(examples or SMALL)}, **options)
    splits = corpus.load()
    trainer = TokenizerTrainer(source="char", target="char", options=PieceOptions(symbols=["<s>"]))
    data = Seq2SeqDataModule(
        splits=splits, tokenizers=trainer.train(splits.train), max_tokens=120, max_sentences=6, seed=3
    )
    data.gather(references)
    return data


def sources(data: Seq2SeqDataModule, number: int) -> Counter[str]:
    pairs, batches = data.train_epoch(number)
    rows = torch.cat(batches)
    ids, lengths = pairs.source.padded(rows, end=False)
    return Counter(data.tokenizers.source.decode([row[:n].tolist() for row, n in zip(ids, lengths, strict=True)]))


# ---- Shares


@pytest.mark.parametrize(
    ("temperature", "shares"),
    [(1.0, [0.009, 0.090, 0.901]), (2.0, [0.071, 0.223, 0.706]), (5.0, [0.196, 0.311, 0.493])],
)
def test_temperature_brings_small_corpora_forward(temperature, shares):
    """p = n^(1/T) / sum of n^(1/T) for 1,000, 10,000 and 100,000."""
    counts = CorpusMix(temperature=temperature).counts({"a": 1000, "b": 10_000, "c": 100_000})
    assert sum(counts.values()) == 111_000
    assert [round(count / 111_000, 3) for count in counts.values()] == shares


def test_weights_are_shares():
    assert CorpusMix({"a": 1.0, "b": 3.0}).counts({"a": 10, "b": 30, "": 5}) == {"a": 10, "b": 30, "": 5}
    assert CorpusMix({"a": 3.0, "b": 1.0}).counts({"b": 30, "a": 10}) == {"b": 10, "a": 30}


@LAW
@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=5),
    st.lists(st.floats(0.001, 100), min_size=5, max_size=5),
    st.none() | st.floats(1, 10),
)
def test_an_epoch_has_as_many_examples_as_there_are_and_some_of_each(sizes, weights, temperature):
    named = {f"c{number}": size for number, size in enumerate(sizes)}
    own = dict(zip(named, weights, strict=False)) if temperature is None else None
    counts = CorpusMix(own, temperature or 1.0).counts(named)
    assert sum(counts.values()) == sum(sizes)
    assert min(counts.values()) >= 1
    if temperature == 1:
        assert counts == named


# ---- Epochs


@LAW
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.05, 20), st.integers(0, 5), st.integers(1, 6), st.booleans())
def test_a_pair_comes_as_often_as_any_other_of_its_corpus_or_once_more(large, small, weight, seed, epochs, shuffled):
    examples = [Example(f"a{n}", ("x",), (), "large") for n in range(large)]
    examples += [Example(f"b{n}", ("x",), (), "small") for n in range(small)]
    if shuffled:
        examples = examples[::2] + examples[1::2]
    mixture = MixedEpochs(examples, CorpusMix({"large": 1.0, "small": weight}), seed)
    due = mixture.mix.counts({"large": large, "small": small})

    ids = TokenSequences.from_ids([[row] for row in range(len(examples))])
    pairs = PairSequences(ids, ids, owners=torch.arange(len(examples)))

    def rows_of_epoch(mixture: MixedEpochs, number: int) -> list[int]:
        return mixture.epoch(pairs, number).source.padded(torch.arange(len(examples)), end=False)[0][:, 0].tolist()

    every: Counter[int] = Counter(dict.fromkeys(range(len(examples)), 0))
    for number in range(epochs):
        drawn = rows_of_epoch(mixture, number)
        assert drawn == rows_of_epoch(MixedEpochs(examples, mixture.mix, seed), number)
        assert len(mixture.epoch(pairs, number)) == len(examples)
        own: Counter[int] = Counter(dict.fromkeys(range(len(examples)), 0))
        own.update(drawn)
        every.update(drawn)
        for name in ("large", "small"):
            rows = [row for row, example in enumerate(examples) if example.corpus == name]
            assert sum(own[row] for row in rows) == due[name]
            for counted in (own, every):
                times = [counted[row] for row in rows]
                assert max(times) - min(times) <= 1


def test_batches_of_an_epoch_have_what_is_drawn():
    data = data_of(weights={"large": 1.0, "small": 1.0})
    first, second = sources(data, 0), sources(data, 1)
    assert first.total() == second.total() == 37
    assert sum(first[example.source] for example in SMALL) == 18  # each twice, and four of them once more
    assert {first[example.source] for example in SMALL} == {2, 3}
    assert {first[example.source] for example in LARGE} == {0, 1}
    assert first != second
    assert sources(data_of(weights={"large": 1.0, "small": 1.0}), 1) == second


def test_without_weights_or_temperature_an_epoch_is_the_plan():
    data = data_of()
    assert data.mixed is None
    pairs, batches = data.train_epoch(2)
    assert pairs is data.train_pairs
    assert all(map(torch.equal, batches, data.train_plan.epoch(2)))


@pytest.mark.parametrize("references", ["each", "best"])
def test_references_taken_together_are_drawn_together(references):
    data = data_of(words("cd", 7, 3), references=references, weights={"large": 1.0, "small": 3.0})
    pairs, batches = data.train_epoch(0)
    owners = pairs.owners.tolist()
    if references == "each":
        assert len(pairs) == 30 + 21
        assert len(set(owners)) == len(pairs)
        return
    assert Counter(Counter(owners).values()) == {1: 9, 3: 28}  # 37 sources: three quarters of them of the small part
    for rows in batches:
        assert all(Counter(owners)[number] == count for number, count in Counter(pairs.owners[rows].tolist()).items())


def test_how_many_pairs_an_epoch_has_is_said(caplog):
    data = data_of(temperature=5.0)
    with caplog.at_level(logging.INFO):
        data.mixed.tell(data.train_pairs)
    assert caplog.messages == [
        "mixture: an epoch has 37 pairs: 21 of 30 pairs of large (x 0.70), 16 of 7 pairs of small (x 2.29)"
    ]


# ---- What is mixed


def test_parts_come_one_behind_the_other_and_know_their_corpus():
    splits = MixtureCorpus(parts={"large": Given(LARGE), "small": Given(SMALL, SMALL[2:4])}).load()
    assert [example.corpus for example in splits.train] == ["large"] * 30 + ["small"] * 7
    assert [example.source for example in splits.train] == [example.source for example in LARGE + SMALL]
    assert [example.corpus for example in splits.dev] == ["large", "small", "small"]
    of_one = MixtureCorpus(parts={"large": Given(LARGE), "small": Given(SMALL)}, dev="small").load()
    assert [example.corpus for example in of_one.dev] == ["small"]
    assert [example.corpus for example in formed_splits(TextForm(), splits)[0].train] == ["large"] * 30 + ["small"] * 7


def test_tags_stand_before_sources_and_are_never_cut():
    data = data_of(tags={"small": "<s>"})
    assert [example.source for example in data.splits.train[28:32]] == ["ab028", "ab029", "<s> cd000", "<s> cd001"]
    assert data.tokenizers.source.surface("<s> cd000")[0] == "<s>"
    assert data.splits.untagged(data.splits.train[-1]) == "cd006"
    assert data.splits.untagged(data.splits.train[0]) == "ab000"


def test_a_tag_is_no_word_of_the_text_for_what_follows_from_the_data():
    parts = {"large": Given(LARGE), "small": Given(SMALL)}
    plain, other = (MixtureCorpus(parts=parts, tags=tags).load() for tags in (None, {"large": "<l>", "small": "<s>"}))
    assert str(DataKind.of(other)) == str(DataKind.of(plain))


def test_sources_of_dev_in_train_are_told_behind_other_tags(caplog):
    parts = {"large": Given(LARGE, LARGE[:2]), "small": Given(SMALL + LARGE[:2], SMALL[:1])}
    warn_of_shared_sources(MixtureCorpus(parts=parts, tags={"large": "<l>", "small": "<s>"}).load())
    assert caplog.messages[0].startswith("dev: 3 of 3 sources are in train")


def test_what_is_held_out_of_each_part_is_recorded(tmp_path):
    paths = [tmp_path / f"{name}.tsv" for name in ("large", "small")]
    for path, examples in zip(paths, (LARGE, SMALL), strict=True):
        path.write_text("".join(f"{example.source}\t{example.targets[0]}\n" for example in examples))

    def loaded(**options):
        parts = {path.stem: TSVCorpus(options=FileOptions(train=str(path), dev_size=2)) for path in paths}
        return MixtureCorpus(parts=parts, **options).load()

    first = loaded()
    assert first.held_out_below.keys() == {"large", "small"}
    paths[1].write_text(paths[1].read_text() + "".join(f"zz{n}\tx\n" for n in range(50)))
    again, other = loaded(held_out_below=dict(first.held_out_below)), loaded()
    assert set(first.dev) <= set(again.dev)
    assert not set(first.train) & set(again.dev)
    assert len(other.dev) == len(first.dev) < len(again.dev)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.5}, "temperature must be at least 1, but is 0.5."),
        ({"temperature": 2.0, "weights": {"a": 1, "b": 1}}, "temperature must be 1 beside weights, which say all "),
        ({"weights": {"a": 1}}, "weights must be of all parts, but b has none."),
        ({"weights": {"a": 1, "b": 0}}, "weights must be above 0, but that of b is 0."),
        ({"weights": {"a": 1, "b": 1, "c": 1}}, "weights must be of parts, which are a, b, but 'c' is none."),
        ({"tags": {"a": "x y"}}, "tags must be words, but that of a is 'x y'."),
        ({"tags": {"c": "<c>"}}, "tags must be of parts, which are a, b, but 'c' is none."),
        ({"dev": "c"}, "dev must be of parts, which are a, b, but 'c' is none."),
    ],
)
def test_a_bad_value_is_refused(options, message):
    with pytest.raises(UserError) as error:
        MixtureCorpus(parts={"a": Given(LARGE), "b": Given(SMALL)}, **options)
    assert str(error.value).startswith(message)


def test_a_part_alone_or_one_that_is_none_is_refused():
    with pytest.raises(
        UserError, match="^parts must be at least 2 corpora, but are 1: name each with an override of its own"
    ):
        MixtureCorpus(parts={"a": Given(LARGE)}).load()
    with pytest.raises(UserError, match=r"^parts must be corpora, classes with load\(\), but b is none.$"):
        MixtureCorpus(parts={"a": Given(LARGE), "b": 3}).load()
    missing = TSVCorpus(options=FileOptions(train="no.tsv"))
    with pytest.raises(UserError, match=r"^parts: b: train=no.tsv does not exist"):
        MixtureCorpus(parts={"a": Given(LARGE), "b": missing}).load()
