"""Prefixes and phrases, line by line."""

import logging

import pytest

from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.errors import UserError
from seq2seq.translation.line import Line
from seq2seq.translation.pieces import PieceLimits

LIMITS = LengthLimits(max_ratio=1.0, max_extra=10)
SEARCHES = {
    "greedy": GreedySearch(length=LIMITS),
    "beam": BeamSearch(beam_size=4, length=LIMITS),
    "diverse": DiverseBeamSearch(beam_size=4, groups=2, length=LIMITS),
    "sampling": Sampling(samples=3, length=LIMITS),
}
# Lines with and without constraints, of unlike lengths, so that they change places in their batches.
PREFIXED = [Line("abc"), Line("a", "xy"), Line("", "q"), Line("abcdef"), Line("fed cba", "9 8 7"), Line("b", "z")]
PHRASED = [
    Line("abc"),
    Line("a", phrases=("xy",)),
    Line("abcdef"),
    Line("fed cba", phrases=("9 8", "7", "qqq")),
    Line("b", "z", ("z1", "k")),
    Line("", phrases=("x",)),
]


def texts_of(found) -> list[list[str]]:
    return [[one.text for one in own] for own in found]


def refusal(translator, *lines: Line, first_number: int = 1) -> str:
    with pytest.raises(UserError) as error:
        translator.translations(lines, first_number=first_number)
    return str(error.value)


@pytest.mark.parametrize("name", SEARCHES)
def test_every_hypothesis_begins_with_its_lines_prefix(babbler, name):
    search = SEARCHES[name]
    found = texts_of(babbler(search, batch_size=2).translations(PREFIXED, n_best=search.width))
    for line, own in zip(PREFIXED, found, strict=True):
        assert own == [""] if not line.source else all(text.startswith(line.prefix) for text in own)
    # Without its prefix, none would begin so.
    free = texts_of(babbler(search).translations([Line(line.source) for line in PREFIXED], n_best=search.width))
    for line, own, plain in zip(PREFIXED, found, free, strict=True):
        assert (own == plain) == (not line.prefix or not line.source)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_prefix_is_as_good_alone_as_in_company(babbler, name):
    translator = babbler(SEARCHES[name], batch_size=4)
    alone = [texts_of(translator.translations([line]))[0] for line in PREFIXED]
    assert texts_of(translator.translations(PREFIXED)) == alone


def test_every_hypothesis_of_a_beam_holds_its_lines_phrases(babbler):
    search = BeamSearch(beam_size=6, length=LIMITS)
    translator = babbler(search, batch_size=3)
    found = texts_of(translator.translations(PHRASED, n_best=2))
    for line, (best, *_) in zip(PHRASED, found, strict=True):
        if line.source:
            assert best.startswith(line.prefix)
            assert all(phrase in best for phrase in line.phrases)
    alone = [texts_of(translator.translations([line], n_best=2))[0] for line in PHRASED]
    assert found == alone
    # A line without phrases is searched with its own budget of the beam, whatever is beside it.
    free = texts_of(translator.translations([Line(line.source) for line in PHRASED], n_best=2))
    for line, own, plain in zip(PHRASED, found, free, strict=True):
        assert (own == plain) == (not (line.phrases and line.source))


@pytest.mark.parametrize("name", ["greedy", "diverse", "sampling"])
def test_other_searches_refuse_phrases(babbler, name):
    assert refusal(babbler(SEARCHES[name]), Line("a", phrases=("x",))) == (
        "Constraints need beam search: no other search can hold to phrases."
    )


def test_what_the_vocabulary_cannot_say_is_refused_with_the_line(babbler):
    translator = babbler()
    assert refusal(translator, Line("a"), Line("b", "\N{SNOWMAN}x"), first_number=11) == (
        "line 12: the prefix '\N{SNOWMAN}x' must be in the target vocabulary, but it lacks '\N{SNOWMAN}'."
    )
    assert refusal(translator, Line("b", phrases=("x", "A\N{SNOWMAN}bA"))) == (
        "line 1: the constraint 'A\N{SNOWMAN}bA' must be in the target vocabulary, but it lacks 'A\N{SNOWMAN}', 'A'."
    )


def test_constraints_longer_than_the_maximum_length_are_refused(babbler):
    # A source of 1 token and its end: at most 12 tokens, of which EOS is one.
    translator = babbler(BeamSearch(length=LIMITS))
    rule = (
        "line 1: {} must fit into the maximum length, 12 tokens with EOS here, but {} are needed: "
        "raise {} of the length limits."
    )
    relative = "max_ratio or max_extra"
    assert refusal(translator, Line("a", "x" * 12)) == rule.format("the prefix", 13, relative)
    assert refusal(translator, Line("a", phrases=("x" * 6, "y" * 7))) == rule.format("the constraints", 14, relative)
    assert refusal(translator, Line("a", "x" * 12, ("y",))) == rule.format("prefix and constraints", 13, relative)
    absolute = babbler(BeamSearch(length=LengthLimits(maximum=12)))
    assert refusal(absolute, Line("a", "x" * 12)) == rule.format("the prefix", 13, "maximum")
    ((prefixed,),) = texts_of(translator.translations([Line("a", "x" * 11)]))
    assert prefixed == "x" * 11
    ((phrased,),) = texts_of(translator.translations([Line("a", phrases=("x" * 6, "y" * 5))]))
    assert sorted(phrased) == sorted("x" * 6 + "y" * 5)


def test_a_line_can_be_checked_before_it_is_translated(babbler):
    translator = babbler(BeamSearch(length=LIMITS), max_source_tokens=3)
    translator.check(Line("abc", "x" * 13), 5)
    for source in ("abc", "abcdef"):  # what is not read does not count
        with pytest.raises(UserError, match=r"^line 5: .* 14 tokens with EOS here, but 15 are needed: "):
            translator.check(Line(source, "x" * 14), 5)


def test_a_constraint_that_a_function_forbids_is_told(babbler, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")
    pieces = PieceLimits(function=lambda source, prefix: ["k", "x", "</s>"])
    translator = babbler(BeamSearch(length=LIMITS), pieces=pieces)
    ((found,), (held,)) = translator.translations([Line("abc", phrases=("q",)), Line("abc", phrases=("k",))])
    assert "q" not in found.text
    assert "k" in held.text
    assert [record.getMessage() for record in caplog.records] == [
        "line 1: nothing that holds all its constraints ended within 14 tokens; its answer may lack some"
    ]


@pytest.mark.parametrize("pieces", [PieceLimits(forbidden=["q"]), PieceLimits(allowed=["k", "x"])])
def test_a_constraint_of_pieces_that_may_not_come_is_refused_but_where_the_prefix_says_it(babbler, pieces):
    translator = babbler(BeamSearch(length=LIMITS), pieces=pieces)
    assert refusal(translator, Line("abc", phrases=("k",)), Line("abc", "k", ("x", "kq")), first_number=4) == (
        "line 5: the constraint 'kq' must be of pieces that may come, but forbidden or allowed bars some of them: "
        "leave it out, or permit its pieces."
    )
    found = texts_of(translator.translations([Line("abc", "kq", ("q",)), Line("abc", "kq", ("qk", "x"))]))
    assert found[0][0].startswith("kq")
    assert found[1][0].startswith("kqk")
    assert "x" in found[1][0]
