"""New examples are learnt from or judged by, never both; lines that are no pairs are told."""

import pytest

from seq2seq.data.examples import Example
from seq2seq.data.new_pairs import NewExamples, OldExamples
from seq2seq.data.pair_lines import READERS
from seq2seq.errors import UserError

EXAMPLES = [Example(f"source {number}", (f"target {number}",)) for number in range(400)]


def new_examples(judged=(), **changes) -> NewExamples:
    return NewExamples(judged, **{"hold_out": 0.25, "recent": 50, "most_held_out": 1000, "seed": 1} | changes)


def test_what_is_held_out_is_never_learnt_from_in_whatever_order_it_comes():
    new, again = new_examples(), new_examples()
    learnt = [one for one in EXAMPLES if new.take(one)]
    assert [one for one in reversed(EXAMPLES) if again.take(one)] == learnt[::-1]
    assert len(new.held_out) == 400 - len(learnt)
    assert 60 < len(new.held_out) < 140
    assert not {one.source for one in learnt} & {one.source for one in new.held_out}
    drawn = [one for update in range(50) for one in new.again(20, update)]
    old = OldExamples(EXAMPLES, seed=1)
    drawn += [one for update in range(50) for one in old.drawn(20, update, new)]
    assert not {one.source for one in drawn} & {one.source for one in new.held_out}
    assert new.counts == {"learnt_from": len(learnt), "held_out": len(new.held_out), "judged_by_before": 0}


def test_forms_of_a_source_are_on_one_side():
    new = new_examples()
    assert all(new.take(one) == new.take(Example(f" {one.source}\u00a0", one.targets)) for one in EXAMPLES)


def test_nothing_is_learnt_from_what_the_model_is_judged_by_already():
    new = new_examples([one.source for one in EXAMPLES[:300]])
    assert not any(new.take(one) for one in EXAMPLES[:300])
    assert new.held_out == []
    assert new.counts["judged_by_before"] == 300
    drawn = OldExamples(EXAMPLES, seed=1).drawn(40, 0, new)
    assert len(drawn) == 40
    assert all(one in EXAMPLES[300:] for one in drawn)


def test_the_last_are_kept_and_a_source_is_one_example():
    new = new_examples(hold_out=0.999, most_held_out=30)
    held = [one for one in EXAMPLES if not new.take(one)]
    assert new.held_out == held[-30:]
    new.take(Example(held[-30].source, ("another",)))
    assert new.held_out == [*held[-29:], Example(held[-30].source, (*held[-30].targets, "another"))]


def test_draws_hang_on_the_update_alone_and_what_is_forgotten_is_not_drawn():
    new = new_examples()
    learnt = [one for one in EXAMPLES if new.take(one)][-50:]
    assert new.again(10, 3) == new.again(10, 3) != new.again(10, 4)
    assert sorted(one.source for one in new.again(100, 1)) == sorted(one.source for one in learnt)
    new.forget()
    assert new.again(10, 3) == []
    assert new.held_out


def test_each_old_example_comes_with_each_of_its_targets():
    old = OldExamples([Example("a", ("b", "c"))], seed=1)
    drawn = {one for update in range(20) for one in old.drawn(3, update, new_examples())}
    assert drawn == {Example("a", ("b",)), Example("a", ("c",))}


def test_where_all_old_examples_are_judged_by_none_is_drawn():
    new = new_examples([one.source for one in EXAMPLES])
    assert OldExamples(EXAMPLES, seed=1).drawn(5, 0, new) == []


def test_no_old_examples_and_no_share_are_refused():
    with pytest.raises(UserError, match="replay must hold pairs to learn from again, but holds none: give others"):
        OldExamples([], seed=1)
    for hold_out in (0.0, 1.0, float("nan")):
        with pytest.raises(UserError, match=f"hold_out must be above 0 and below 1, but is {hold_out}"):
            new_examples(hold_out=hold_out)


# Lines


@pytest.mark.parametrize(
    ("kind", "text", "pair"),
    [
        ("tsv", "a b\tc", ("a b", "c")),
        ("tsv", "\t", ("", "")),
        ("json", '{"source": "a", "target": "b", "more": 1, "more": 2}', ("a", "b")),
        ("json", '{"source": "\\ud800", "target": "b"}', ("\ufffd", "b")),
    ],
)
def test_a_line_is_a_pair(kind, text, pair):
    assert READERS[kind](text, 1) == pair


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("tsv", "a", "line 7 must be source<TAB>target, but has 0 tabs."),
        ("tsv", "a\tb\tc", "line 7 must be source<TAB>target, but has 2 tabs."),
        (
            "tsv",
            "a b ||| c",
            "line 7 must be source<TAB>target, but has 0 tabs: put one in the place of ' ||| ', for example with "
            "sed 's/ ||| /\\t/'.",
        ),
        (
            "tsv",
            "0 ||| c d ||| LM0= -3.5 ||| -1.2",
            "line 7 must be source<TAB>target, but has 0 tabs: of a list of the n best, with ' ||| ' between columns, "
            "write the source, a tab and one text.",
        ),
        ("json", "{", "line 7 must be a JSON object, but cannot be read: "),
        ("json", '{"source": "a"}', "line 7 must be a JSON object with the texts source and target, but is {"),
        ("json", '{"source": "a", "target": 3}', "line 7 must be a JSON object with the texts source and target, but"),
        *(
            ("json", text, f"line 7 must have {name!r} once, but it comes twice: take one out.")
            for text, name in (
                ('{"source": "a", "target": "b", "source": "c"}', "source"),
                ('{"target": "a", "source": "a", "target": 1}', "target"),
            )
        ),
        ("json", "[1]", "line 7 must be a JSON object with the texts source and target, but is [1]"),
    ],
)
def test_a_line_that_is_no_pair_is_told_by_its_number(kind, text, message):
    with pytest.raises(UserError) as error:
        READERS[kind](text, 7)
    assert str(error.value).startswith(message)
