"""Documents end to end, in rows that go on from batch to batch."""

from collections.abc import Iterable, Sequence
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq.data.batching import TokenBudget
from seq2seq.data.corpora.split_options import FileOptions
from seq2seq.data.corpora.text import TextCorpus
from seq2seq.data.examples import Example
from seq2seq.data.running_text import RunningText, TextBatch, documents_of, lines_of, row_count, whole_documents
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.splitting import rank
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.data.truncation import Truncation
from seq2seq.errors import UserError
from seq2seq.symbols import BOS, EOS, PAD

SIZES = (5, 1, 12, 3, 3, 20, 2)
# No two tokens are equal, so that a token tells where it is from.
DOCUMENTS = [list(range(100 * number, 100 * number + size)) for number, size in enumerate(SIZES, 1)]


def batches(
    rows: int,
    lengths: Iterable[int] | None = None,
    order: Sequence[int] = (0, 1, 2, 3, 4, 5, 6),
    *,
    whole: bool = False,
) -> list[TextBatch]:
    text = RunningText(TokenSequences.from_ids(DOCUMENTS), rows, whole=whole)
    windows, plan = text.windows(np.array(order), lengths or repeat(4), 4)
    assert windows.target.lengths.tolist() == [int(count) - 1 for count in windows.counts]
    return [windows.batch(numbers, step_tokens=1.0) for numbers in plan]


def row(found: list[TextBatch], number: int) -> list[int]:
    return [token for batch in found for token in batch.target_outputs[number].tolist() if token != PAD]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_rows_one_after_the_other_are_the_text(rows, whole):
    order = [3, 0, 6, 2, 5, 1, 4]
    found = batches(rows, order=order, whole=whole)
    text = [token for number in order for token in [*DOCUMENTS[number], EOS]]
    assert [token for number in range(rows) for token in row(found, number)] == text


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_row_goes_on_where_it_was_unless_it_is_fresh(rows):
    before: list[int | None] = [None] * rows
    for batch in batches(rows):
        for number in range(rows):
            inside = batch.target_outputs[number] != PAD
            inputs, outputs = (
                batch.target_inputs[number][inside].tolist(),
                batch.target_outputs[number][inside].tolist(),
            )
            if not outputs:
                continue
            assert inputs[0] == (BOS if batch.fresh[number] else before[number])
            assert inputs[1:] == outputs[:-1]
            assert EOS not in outputs[:-1]
            assert before[number] not in (None, EOS) or batch.fresh[number]
            before[number] = outputs[-1]


def test_a_single_document_is_cut_where_rows_end():
    text = RunningText(TokenSequences.from_ids([list(range(10, 29))]), 2)
    windows, plan = text.windows(np.array([0]), repeat(5), 5)
    assert [windows.batch(rows, step_tokens=1.0).fresh.tolist() for rows in plan] == [[True, True], [False, False]]
    first = windows.batch(plan[0], step_tokens=1.0)
    assert first.target_inputs.tolist() == [[BOS, 10, 11, 12, 13], [BOS, 20, 21, 22, 23]]
    assert first.target_outputs.tolist() == [[10, 11, 12, 13, 14], [20, 21, 22, 23, 24]]


def test_whole_documents_begin_only_where_they_begin():
    budget = TokenBudget(max_tokens=768, max_sentences=100)
    windows, plan = whole_documents(TokenSequences.from_ids(DOCUMENTS), budget)
    begun = [batch for rows in plan if (batch := windows.batch(rows, step_tokens=1.0)) and batch.target_mask.any()]
    starts = {int(out[0]) for batch in begun for out, new in zip(batch.target_outputs, batch.fresh, strict=True) if new}
    assert starts - {PAD} == {own[0] for own in DOCUMENTS}


def test_a_silent_batch_has_nothing_to_predict():
    windows, plan = RunningText(TokenSequences.from_ids(DOCUMENTS), 2).windows(np.arange(7), repeat(4), 4)
    batch = windows.batch(plan[0][:1], step_tokens=1.0, silent=True)
    assert len(batch.target_places) == 0
    assert batch.to("cpu").fresh.tolist() == [True]


def test_windows_that_vary_are_a_function_of_seed_and_epoch():
    lengths = list(islice(Truncation(window=70, varied=True).lengths(1, 0), 4000))
    assert lengths == list(islice(Truncation(window=70, varied=True).lengths(1, 0), 4000))
    assert lengths[:20] != list(islice(Truncation(window=70, varied=True).lengths(1, 1), 20))
    assert lengths[:20] != list(islice(Truncation(window=70, varied=True).lengths(2, 0), 20))
    short = [length for length in lengths if length < 52]
    assert 0.035 < len(short) / len(lengths) < 0.065  # one in twenty is about 35
    assert np.mean(short) == pytest.approx(34.5, abs=1.5)
    assert np.mean([length for length in lengths if length >= 52]) == pytest.approx(69.5, abs=0.5)
    assert set(islice(Truncation(window=3, varied=True).lengths(1, 0), 200)) >= {3}
    assert set(islice(Truncation(window=9).lengths(1, 0), 20)) == {9}


def test_the_rate_of_a_batch_is_its_length_over_the_window():
    assert [batch.rate for batch in batches(1, iter([2, 4, 3, *[4] * 50]))[:3]] == [0.5, 1.0, 0.75]


def test_a_window_holds_a_token():
    with pytest.raises(UserError, match="^window must be at least 1 token, but is 0\\.$"):
        Truncation(window=0)


def test_rows_are_what_the_budget_allows():
    assert row_count(TokenBudget(5600, 512), 70) == 80
    assert row_count(TokenBudget(5600, 12), 70) == 12
    assert row_count(TokenBudget(20, 512), 70) == 1


def test_lines_of_a_document_end_like_documents():
    examples = [Example("", ("a b\nb",)), Example("", ("b a",))]
    tokenizer = TokenizerTrainer(source="word", target="word").train(lines_of(examples)).target
    assert tokenizer.unknown("a b") == []
    a, b = (tokenizer.encode([word])[0][0] for word in "ab")
    found = documents_of(examples, tokenizer)
    assert [own.tolist() for own in found.flat[:-1].split(found.lengths.tolist())] == [[a, b, EOS, b], [b, a]]


def test_lines_of_pairs_are_the_pairs():
    pairs = [Example("a\nb", ("c\nd",))]
    assert lines_of(pairs) == pairs


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "train.txt").write_text("one\ntwo words\n\n  \nthree\n" + "".join(f"\nmore {n}\n" for n in range(30)))
    (tmp_path / "dev.txt").write_text("d\n")
    return tmp_path


def corpus(folder: Path, **options) -> TextCorpus:
    kind = options.pop("documents", "lines")
    return TextCorpus(options=FileOptions(train=str(folder / "train.txt"), **options), documents=kind)


@pytest.mark.parametrize(
    ("kind", "first", "count"),
    [("lines", ["one", "two words", "three"], 33), ("paragraphs", ["one\ntwo words", "three", "more 0"], 32)],
)
def test_documents_are_lines_or_what_is_between_empty_ones(files, kind, first, count):
    splits = corpus(files, documents=kind, dev=str(files / "dev.txt")).load()
    assert [example.targets[0] for example in splits.train[:3]] == first
    assert len(splits.train) == count
    assert {example.source for example in splits.train + splits.dev} == {""}


def test_a_file_can_be_one_document(files):
    (only,) = corpus(files, documents="file", dev=str(files / "dev.txt")).load().train
    assert only.targets[0].startswith("one\ntwo words\nthree\nmore 0\n")


def test_dev_is_held_out_by_the_hash_of_documents(files):
    splits = corpus(files, dev_size=5, test=str(files / "dev.txt")).load()
    assert (len(splits.dev), len(splits.train), len(splits.test)) == (5, 28, 1)
    assert max(rank(one.targets[0], 1) for one in splits.dev) < splits.held_out_below
    assert min(rank(one.targets[0], 1) for one in splits.train) >= splits.held_out_below
    assert all(example.source == "" for example in splits.train + splits.dev + splits.test)


def test_another_kind_of_document_is_refused(files):
    with pytest.raises(UserError, match="^documents must be one of lines, paragraphs, file, but is 'pages'\\.$"):
        corpus(files, documents="pages")


def test_a_missing_file_is_named(files):
    with pytest.raises(UserError, match="^test="):
        corpus(files, test=str(files / "none.txt")).load()
    assert corpus(files, test=str(files / "none.txt"), require_test=False).load().test == []


def test_padding_is_no_place_of_a_token():
    for batch in batches(3):
        assert len(batch.target_places) == int((batch.target_outputs != PAD).sum())
        assert torch.equal(batch.source, torch.full((3, 1), EOS))
