"""Which pieces a user lets a search say."""

import logging
from functools import lru_cache

import pytest

from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import UserError
from seq2seq.symbols import UNK
from seq2seq.translation.line import Line
from seq2seq.translation.pieces import PieceLimits

TEXTS = ["abc", "f", "a b c d", "zz", "1 2", "hello"]
SENTENCES = ["an ox an ant", "ban fan man", "an an tan"]
LIMITS = LengthLimits(max_ratio=1.0, max_extra=6)


@lru_cache
def joint(kind: str) -> Tokenizers:
    size = 20 if kind == "bpe" else None
    trainer = TokenizerTrainer(source=kind, target=kind, source_size=size, target_size=size, joint=True)
    return trainer.train([Example(text, (text,)) for text in SENTENCES])


def said(translator, texts=TEXTS) -> list[list[str]]:
    """The pieces of every hypothesis."""
    found = translator.translations([Line(text) for text in texts], n_best=translator.search.width)
    return [one.pieces for own in found for one in own]


def every(pieces: list[list[str]]) -> set[str]:
    return {piece for own in pieces for piece in own}


def test_forbidden_characters_do_not_come(babbler):
    free = every(said(babbler()))
    forbidden = sorted(free)[:2]
    kept = every(said(babbler(pieces=PieceLimits(forbidden=forbidden))))
    assert kept
    assert not kept & set(forbidden)


def test_only_allowed_characters_come_and_the_end_always_may(babbler):
    found = babbler(pieces=PieceLimits(allowed=["x", "\u2581"])).search_lines([Line(text) for text in TEXTS])
    translator = babbler(pieces=PieceLimits(allowed=["x", "\u2581"]))
    assert every(said(translator)) == {"x", "\u2581"}
    assert any(own[0].finished for own in found)
    assert every(said(babbler(pieces=PieceLimits(allowed=["x", "y"], forbidden=["x"])))) == {"y"}
    assert said(babbler(GreedySearch(), pieces=PieceLimits(allowed=[]))) == [[]] * len(TEXTS)


@pytest.mark.parametrize("kind", ["bpe", "word"])
@pytest.mark.parametrize("form", ["an", "\u2581an"])
def test_a_piece_stands_for_itself_at_the_beginning_of_a_word_and_within_one(echo_of, kind, form):
    tokenizers = joint(kind)
    forms = {"bpe": {"an", "\u2581an"}, "word": {"\u2581an"}}[kind]
    assert forms <= every(said(echo_of(tokenizers), SENTENCES))
    found = every(said(echo_of(tokenizers, pieces=PieceLimits(forbidden=[form])), SENTENCES))
    # With its mark, a piece is that at the beginning of a word alone.
    assert found & {"an", "\u2581an"} == (forms if form == "an" else {"\u2581an"}) ^ forms


@pytest.mark.parametrize("limits", [PieceLimits(forbidden=["<unk>"]), PieceLimits(allowed=list("abc"))])
def test_unknown_can_be_forbidden(echo_of, letters, limits):
    texts = ["a\N{SNOWMAN}b", "\N{SNOWMAN}", "abc"]
    assert UNK in {index for hypothesis in echo_of(letters).hypotheses(texts) for index in hypothesis.ids}
    found = echo_of(letters, pieces=limits).hypotheses(texts)
    assert not any(UNK in hypothesis.ids for hypothesis in found)
    assert letters.target.decode([found[2].ids]) == ["abc"]


def test_unknown_can_be_allowed(echo_of, letters):
    translator = echo_of(letters, pieces=PieceLimits(allowed=["<unk>"]))
    assert every(said(translator, ["\N{SNOWMAN}\N{SNOWMAN}"])) == {"<unk>"}


@pytest.mark.parametrize("name", ["forbidden", "allowed", "function"])
def test_a_piece_outside_the_vocabulary_is_refused(babbler, name):
    limits = PieceLimits(**{name: (lambda source, prefix: ["a", "AB"]) if name == "function" else ["a", "AB"]})
    with pytest.raises(UserError) as error:
        babbler(pieces=limits)(["a"])
    assert str(error.value) == (f"{name} must name pieces of the target vocabulary, but 'AB' is none of them.")


@pytest.mark.parametrize("name", ["forbidden", "allowed"])
def test_pieces_are_checked_before_there_are_sources(letters, name):
    PieceLimits(**{name: ["a"]}, function=lambda source, prefix: None).check(letters.target)
    with pytest.raises(UserError, match=f"^{name} must name pieces of the target vocabulary, but 'AB' is none of them"):
        PieceLimits(**{name: ["a", "AB"]}).check(letters.target)


def test_the_end_cannot_be_forbidden():
    with pytest.raises(UserError) as error:
        PieceLimits(forbidden=["a", "</s>"])
    assert str(error.value) == (
        "forbidden must leave </s>, with which hypotheses end: for longer ones, raise the minimum length."
    )


# A function


def test_a_function_knows_the_source_and_what_was_said(babbler):
    """Whatever order the batches are in, each hypothesis may only use the pieces of its own source, once each."""
    calls: list[tuple[list[str], list[str]]] = []

    def unused(source: list[str], prefix: list[str]) -> list[str]:
        calls.append((source, prefix))
        return [piece for piece in source if piece not in prefix] or ["</s>"]

    translator = babbler(BeamSearch(beam_size=3, length=LIMITS), batch_size=3, pieces=PieceLimits(function=unused))
    for text, own in zip(TEXTS, translator.translations([Line(text) for text in TEXTS], n_best=3), strict=True):
        source = list(text.replace(" ", "\u2581"))
        for found in own:
            assert sorted(found.pieces) == sorted(set(source))
            assert found.hypothesis.finished
            for place in range(len(found.pieces) + 1):
                assert (source, found.pieces[:place]) in calls


def test_a_function_decides_when_to_end(babbler):
    def two(source: list[str], prefix: list[str]) -> list[str] | None:
        return ["</s>"] if len(prefix) == 2 else None

    translator = babbler(pieces=PieceLimits(function=two))
    assert {len(pieces) for pieces in said(translator)} <= {0, 1, 2}
    assert 2 in map(len, said(translator))


def test_a_function_that_allows_all_changes_nothing(babbler):
    assert said(babbler(pieces=PieceLimits(function=lambda source, prefix: None))) == said(babbler())


def test_a_line_with_nothing_left_to_say_is_told_and_its_neighbours_are_as_ever(babbler, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")

    def dead_end(source: list[str], prefix: list[str]) -> list[str] | None:
        if source != ["z", "z"]:
            return None
        return ["a"] if len(prefix) < 2 else []

    lines = [Line(text) for text in TEXTS]
    found = babbler(pieces=PieceLimits(function=dead_end)).translations(lines, first_number=41)
    assert [record.getMessage() for record in caplog.records] == [
        "line 44: filters and limits left no token to go on with; its answer is what there was by then"
    ]
    assert found[3][0].text == "aa"
    assert not found[3][0].hypothesis.finished
    caplog.clear()
    free = babbler().translations(lines)
    assert [own[0].text for own in found[:3] + found[4:]] == [own[0].text for own in free[:3] + free[4:]]
    assert not caplog.records
