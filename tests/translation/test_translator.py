"""Lines of text through a search: batches, order, alignments, and what the lists hold."""

import logging

import pytest
import torch
from torch import Tensor

from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.errors import UserError
from seq2seq.symbols import BOS, EOS, PAD, UNK
from seq2seq.translation.line import Line, Translation
from seq2seq.translation.reranking import MinimumBayesRisk
from seq2seq.translation.translator import Translator

TEXTS = ["b", "", "abcab cab", "c c c", "   ", "a", "ccbbaa bca", "ab", "b a", ""]
ALL_EMPTY = [[], [""], ["", "  ", ""]]
SHORT = LengthLimits(max_ratio=1.0, max_extra=6)
WORDS = ["two dogs ran", "ran two", "dogs", "two two dogs"]


def lines_of(texts: list[str]) -> list[Line]:
    return [Line(text) for text in texts]


def wordy(kind: str) -> Tokenizers:
    """One vocabulary for both sides of a few words."""
    size = {"bpe": 20, "unigram": 17}.get(kind)
    trainer = TokenizerTrainer(source=kind, target=kind, source_size=size, target_size=size, joint=True)
    return trainer.train([Example(text, (text,)) for text in WORDS])


# Order and batches


def test_line_i_answers_line_i_and_empty_stays_empty(echo):
    assert echo(TEXTS) == [text.strip() for text in TEXTS]


@pytest.mark.parametrize("texts", ALL_EMPTY, ids=len)
def test_nothing_but_empty_lines_stays_so(echo, texts):
    assert echo(texts) == [""] * len(texts)
    assert echo.stepper.batches == []


def test_empty_text_is_never_searched(echo):
    empty, full = echo.hypotheses(["", "ab"])
    assert (empty.ids, empty.score, empty.finished) == ([], 0.0, True)
    assert full.ids
    assert echo.stepper.batches == [(1, 3)]


def test_batches_hold_at_most_batch_size_neighbours_in_length(echo):
    echo(TEXTS)
    assert echo.stepper.batches == [(3, 11), (3, 4), (1, 2)]


@pytest.mark.parametrize("max_tokens", [1, 7, 8, 12, 22, 1000])
def test_batches_hold_as_much_as_max_tokens_allows_with_padding(echo_of, letters, max_tokens):
    texts = ["a" * length for length in (3, 1, 3, 10, 1, 2, 3, 1)]
    translator = echo_of(letters, max_tokens=max_tokens)
    assert translator(texts) == texts
    batches = translator.stepper.batches
    assert all(rows * width <= max_tokens or rows == 1 for rows, width in batches)
    # The next line would be one too much.
    assert all((rows + 1) * width > max_tokens for rows, width in batches[:-1])
    assert sum(rows for rows, _ in batches) == len(texts)


@pytest.mark.parametrize(
    "search",
    [GreedySearch(length=SHORT), BeamSearch(beam_size=3, length=SHORT), Sampling(samples=2, length=SHORT)],
    ids=lambda s: s.width,
)
def test_batches_change_nothing(babbler, search):
    texts = [*TEXTS, "zz top", "q", "abcdefghij"]
    expected = babbler(search, batch_size=1).search_lines(lines_of(texts), n_best=search.width)
    assert len({tuple(own[0].ids) for own in expected}) > 3
    for options in ({"batch_size": 256}, {"max_tokens": 12}):
        found = babbler(search, **options).search_lines(lines_of(texts), n_best=search.width)
        for own, wanted in zip(found, expected, strict=True):
            assert [one.ids for one in own] == [one.ids for one in wanted]
            assert [one.score for one in own] == pytest.approx([one.score for one in wanted], abs=1e-5)


@pytest.mark.parametrize("name", ["batch_size", "max_tokens", "max_source_tokens"])
@pytest.mark.parametrize("size", [0, -3])
def test_sizes_must_be_at_least_1(echo_of, letters, name, size):
    with pytest.raises(UserError) as error:
        echo_of(letters, **{name: size})
    assert str(error.value) == f"{name} must be at least 1, but is {size}."


# Long lines


def test_a_long_line_is_cut_and_told_by_its_number(babbler, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")
    texts = ["ab", "abcdefghi", "", "dcba"]
    found = babbler(max_source_tokens=4).translations(lines_of(texts), first_number=7)
    assert [record.getMessage() for record in caplog.records] == [
        "line 8 has 9 tokens: only the first 4 are read (max_source_tokens)"
    ]
    caplog.clear()
    whole = babbler().translations(lines_of(["ab", "abcd", "", "dcba"]))
    assert [own[0].text for own in found] == [own[0].text for own in whole]
    assert not caplog.records


def test_the_pieces_of_a_cut_source_are_those_that_were_read(echo_of, letters):
    ((found,),) = echo_of(letters, max_source_tokens=3).translations([Line("abcde")], attention=True)
    assert found.source_pieces == ["a", "b", "c", "</s>"]
    assert (found.text, found.alignment) == ("abc", [0, 1, 2])


def test_a_very_long_line_neither_fails_nor_slows_its_neighbours(echo_of, letters):
    translator = echo_of(letters, max_source_tokens=50, max_tokens=100)
    assert translator(["a", "b" * 100_000, "c"]) == ["a", "b" * 50, "c"]
    assert translator.stepper.batches == [(1, 51), (2, 2)]


# n best


def test_the_n_best_are_in_order_and_their_texts_are_those_of_their_hypotheses(babbler, letters):
    translator = babbler()
    found = translator.translations(lines_of(TEXTS), n_best=4)
    assert [len(own) for own in found] == [4 if text.strip() else 1 for text in TEXTS]
    for own in found:
        ranks = [(one.hypothesis.finished, one.hypothesis.rank_score) for one in own]
        assert ranks == sorted(ranks, reverse=True)
        assert [one.text for one in own] == letters.target.decode([one.hypothesis.ids for one in own])
        assert len({tuple(one.hypothesis.ids) for one in own}) == len(own)
    assert [own[0].text for own in found] == translator(TEXTS)


@pytest.mark.parametrize("n_best", [0, 5])
def test_more_than_the_search_finds_is_refused(babbler, n_best):
    with pytest.raises(UserError) as error:
        babbler().translations([Line("a")], n_best=n_best)
    assert str(error.value).startswith(f"n_best must be between 1 and 4, all that this search finds, but is {n_best}: ")


# Attention and alignment


def test_pieces_and_alignments_agree_with_attention(babbler, letters):
    for text, own in zip(TEXTS, babbler().translations(lines_of(TEXTS), n_best=3, attention=True), strict=True):
        for found in own if text.strip() else []:
            attention = found.hypothesis.attention
            assert letters.target.join(found.pieces) == found.text
            assert found.source_pieces == [*text.strip().replace(" ", "\u2581"), "</s>"]
            assert attention.shape == (len(found.pieces), len(found.source_pieces))
            torch.testing.assert_close(attention.sum(1), torch.ones(len(attention)))
            assert found.alignment == [max(range(len(row) - 1), key=row.__getitem__) for row in attention.tolist()]


def test_the_end_of_the_source_is_not_aligned_to(letters):
    attention = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.1, 0.6]])
    found = Translation("xy", Hypothesis([5, 6], 0.0, True, attention=attention), "ab", letters)
    assert found.alignment == [1, 0]


def test_nothing_is_looked_at_unless_asked_for(babbler):
    ((found,),) = babbler().translations([Line("ab")])
    assert found.hypothesis.attention is None
    assert found.alignment == []
    assert found.source_pieces == ["a", "b", "</s>"]


# Unknown pieces


def test_unknown_characters_go_through_unk(echo, letters):
    assert letters.source.unknown("a\N{SNOWMAN}b") == ["\N{SNOWMAN}"]
    known, unknown, other = echo(["ab", "a\N{SNOWMAN}b", "c"])
    assert (known, other) == ("ab", "c")
    assert unknown == "a \N{DOUBLE QUESTION MARK} b"


UNKNOWN_TEXTS = [
    "two \N{SNOWMAN} dogs",
    "\N{SNOWMAN}",
    "dogs\N{SNOWMAN} ran",
    "two \N{SNOWMAN}\N{COMET} ran \N{COMET}",
    "ran \N{COMET}two",
]


@pytest.mark.parametrize("kind", ["char", "bpe", "unigram", "word"])
def test_an_echo_with_unknowns_replaced_is_the_text(echo_of, kind):
    tokenizers = wordy(kind)
    assert any("\N{DOUBLE QUESTION MARK}" in text for text in echo_of(tokenizers)(UNKNOWN_TEXTS))
    assert echo_of(tokenizers, replace_unknown=True, batch_size=2)(UNKNOWN_TEXTS) == UNKNOWN_TEXTS


def test_where_pieces_are_words_a_copied_character_is_one_too():
    trainer = TokenizerTrainer(source="char", target="word")
    tokenizers = trainer.train([Example("ab", ("AH B",))])
    (ah,), (b,) = tokenizers.target.ids("AH"), tokenizers.target.ids("B")
    attention = torch.eye(4)[[0, 2, 1]]
    found = Translation("", Hypothesis([ah, UNK, b], 0.0, True, attention=attention), "ab\N{SNOWMAN}", tokenizers)
    assert found.without_unknown().text == "AH \N{SNOWMAN} B"


def test_every_hypothesis_of_a_list_is_replaced_and_a_known_one_left_alone(letters):
    attention = torch.tensor([[0.2, 0.8, 0.0], [0.6, 0.3, 0.1]])
    (a,) = letters.target.ids("a")
    one = Translation("a ?", Hypothesis([a, UNK], 0.0, True, attention=attention), "xy", letters)
    assert one.without_unknown().text == "ax"
    known = Translation("aa", Hypothesis([a, a], 0.0, True, attention=attention), "xy", letters)
    assert known.without_unknown() is known


# Minimum Bayes risk


def test_reranking_sees_the_whole_beam_and_changes_the_order_alone(babbler):
    rerank, plain = MinimumBayesRisk(utility="edit"), babbler()
    lists = plain.translations(lines_of(TEXTS), n_best=4)
    wanted = []
    for own in lists:
        order = rerank([one.text for one in own], [one.hypothesis for one in own])
        wanted.append([own[number].text for number in order])
    assert wanted != [[one.text for one in own] for own in lists]
    translator = babbler(rerank=rerank)
    for n_best in (1, 2, 4):
        found = translator.translations(lines_of(TEXTS), n_best=n_best)
        assert [[one.text for one in own] for own in found] == [texts[:n_best] for texts in wanted]


# Scores of given targets


def teacher_forced(translator: Translator, source: str, target: list[int]) -> list[float]:
    """Log-probabilities of a target and its end by one pass over the whole of it."""
    (ids,) = translator.tokenizers.source.encode([source])
    model, inputs = translator.stepper, torch.tensor([[BOS, *target]])
    with torch.no_grad():
        features, *_ = model(torch.tensor([[*ids, EOS]]), torch.tensor([len(ids) + 1]), inputs)
        return (-model.output.loss(features[0], torch.tensor([*target, EOS]))).tolist()


def test_forced_scores_are_those_of_training_for_empty_sources_and_targets_too(babbler):
    translator = babbler(batch_size=3)
    sources = ["ab", "", "abcdef", "", "c"]
    targets = [[5, 9, 6], [7], [], [], [4] * 12]
    scored = translator.score(sources, targets)
    for found, source, target in zip(scored, sources, targets, strict=True):
        assert (found.ids, found.finished) == (target, True)
        assert found.token_scores == pytest.approx(teacher_forced(translator, source, target), abs=1e-5)
        assert found.score == found.rank_score == pytest.approx(sum(found.token_scores), abs=1e-5)


def test_the_forced_score_of_what_a_search_finds_is_its_score(babbler):
    translator = babbler()
    texts = [text for text in TEXTS if text.strip()]
    for rank, own in enumerate(zip(*translator.search_lines(lines_of(texts), n_best=4), strict=True)):
        finished = [(text, one) for text, one in zip(texts, own, strict=True) if one.finished]
        assert finished or rank
        scored = translator.score([text for text, _ in finished], [one.ids for _, one in finished])
        for one, (_, found) in zip(scored, finished, strict=True):
            assert one.score == pytest.approx(found.score, abs=1e-5)
            assert one.token_scores == pytest.approx(found.token_scores, abs=1e-5)


def test_scoring_keeps_to_the_limits_of_batches_and_cuts_what_is_too_long(babbler, monkeypatch, caplog):
    shapes: list[tuple[int, ...]] = []

    def spy(source: Tensor, lengths: Tensor) -> tuple:
        shapes.append(tuple(source.shape))
        assert ((source != PAD).sum(1) == lengths).all()
        return start(source, lengths)

    translator = babbler(max_tokens=8, max_source_tokens=5)
    start = translator.stepper.start
    monkeypatch.setattr(translator.stepper, "start", spy)
    scored = translator.score(["abcdefgh", "a", "b", "c"], [[4], [5, 6], [], [7]], first_number=21)
    assert [own.ids for own in scored] == [[4], [5, 6], [], [7]]
    assert all(rows * width <= 8 for rows, width in shapes)
    assert [record.getMessage() for record in caplog.records] == [
        "line 21 has 8 tokens: only the first 5 are read (max_source_tokens)"
    ]
    assert scored[0].score == pytest.approx(sum(teacher_forced(translator, "abcde", [4])), abs=1e-5)


def test_nothing_to_score(babbler):
    assert babbler().score([], []) == []


def test_reranking_one_hypothesis_is_refused(babbler):
    with pytest.raises(UserError) as error:
        babbler(GreedySearch(), rerank=MinimumBayesRisk())
    assert str(error.value) == (
        "rerank needs several hypotheses, but this search finds one: search by beam, or draw several samples."
    )
