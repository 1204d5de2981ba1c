"""Edits learnt from pairs: likelihoods by hand, the cheapest way, and actions that write a target again."""

import math
import random
from functools import cache

import pytest
import torch

from seq2seq.data.edits.edit_costs import DELETE, INSERT, SUBSTITUTE, EditCosts, chunks
from seq2seq.data.edits.edit_tokenizers import EditTokenizers, load, restored
from seq2seq.data.edits.learning import learn_edits
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.edit_actions import EditActions
from seq2seq.errors import UserError
from seq2seq.symbols import BOS, EOS, PAD, UNK

SIZES = (4, 3)


def pairs_of(count: int, seed: int = 1, longest: int = 5) -> tuple[list[list[int]], list[list[int]]]:
    draw = random.Random(seed)
    sides = [[[draw.randrange(size) for _ in range(draw.randint(1, longest))] for _ in range(count)] for size in SIZES]
    return sides[0], sides[1]


def random_costs(seed: int = 1) -> EditCosts:
    torch.manual_seed(seed)
    return EditCosts(torch.rand(SIZES[0] + 1, SIZES[1] + 1, dtype=torch.float64) * 4)


def ways(source: list[int], target: list[int]) -> list[list[int]]:
    """Every sequence of edits from one to the other."""
    found = [[]] if not source and not target else []
    if source and target:
        found += [[SUBSTITUTE, *rest] for rest in ways(source[1:], target[1:])]
    if source:
        found += [[DELETE, *rest] for rest in ways(source[1:], target)]
    return found + ([[INSERT, *rest] for rest in ways(source, target[1:])] if target else [])


def cost_of(edits: list[int], source: list[int], target: list[int], costs: EditCosts) -> float:
    total, read, written = 0.0, 0, 0
    for edit in edits:
        own = source[read] if edit != INSERT else -1
        other = target[written] if edit != DELETE else -1
        total += float(costs.table[own, other])
        read, written = read + (edit != INSERT), written + (edit != DELETE)
    assert (read, written) == (len(source), len(target))
    return total


# ---- Learning


def test_the_first_likelihood_is_the_sum_over_all_ways_by_even_probabilities():
    """Of a:x there are 3 ways, a substitution, and deletion and insertion in both orders; then comes the end."""
    learnt = learn_edits([[0]], [[0]], (1, 1))
    assert learnt.likelihoods[0] == pytest.approx(math.log((0.25 + 2 * 0.25**2) * 0.25))


def test_one_step_by_hand():
    """Ways of a:x weigh 1/4, 1/16, 1/16: two thirds substitute, one third deletes and inserts; one end."""
    learnt = learn_edits([[0]], [[0]], (1, 1))
    total = 2 / 3 + 2 * 1 / 3 + 1
    p = {"substitute": 2 / 3 / total, "delete": 1 / 3 / total, "insert": 1 / 3 / total, "end": 1 / total}
    wanted = math.log((p["substitute"] + 2 * p["delete"] * p["insert"]) * p["end"])
    assert learnt.likelihoods[1] == pytest.approx(wanted)


@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_never_falls(seed):
    learnt = learn_edits(*pairs_of(30, seed), SIZES, same=[(0, 0)])
    rises = [after - before for before, after in zip(learnt.likelihoods, learnt.likelihoods[1:], strict=False)]
    assert len(rises) > 3
    assert min(rises) > -1e-9


def test_probabilities_sum_to_one_with_that_of_the_end():
    learnt = learn_edits(*pairs_of(30), SIZES)
    assert (-learnt.costs.table).exp().sum() == pytest.approx(1, abs=1e-5)


def test_what_is_learnt_does_not_depend_on_the_order_or_on_chunks(monkeypatch):
    source, target = pairs_of(20)
    whole = learn_edits(source, target, SIZES).costs.table
    monkeypatch.setattr("seq2seq.data.edits.edit_costs.EDITS_PER_CHUNK", 50)
    assert len(chunks(source, target)) > 3
    parts = learn_edits(source[::-1], target[::-1], SIZES).costs.table
    torch.testing.assert_close(parts, whole)


def test_a_symbol_that_is_always_written_as_another_is_learnt():
    """a is x, b is y y, c is nothing."""
    words = ["abca", "bba", "cab", "aacb", "bc", "ac"]
    source = [["abc".index(letter) for letter in word] for word in words]
    target = [[piece for letter in word for piece in {"a": [0], "b": [1, 1], "c": []}[letter]] for word in words]
    costs = learn_edits(source, target, (3, 2)).costs
    assert costs.table[0].argmin() == 0
    assert costs.table[1].argmin() == 1
    assert costs.table[2].argmin() == 2  # deleted


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ([], [], "edits cannot be learnt from no pairs: give some with both sides."),
        ([[0], []], [[0], [1]], "edits must be learnt from pairs with both sides, but 1 of 2 have an empty source: "),
        ([[0], [1]], [[], []], "edits must be learnt from pairs with both sides, but 2 of 2 have an empty target: "),
    ],
)
def test_what_cannot_be_learnt_is_one_line(source, target, message):
    with pytest.raises(UserError) as caught:
        learn_edits(source, target, SIZES)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_vocabularies_of_words_are_refused():
    with pytest.raises(UserError, match=r"edits must be of alphabets, .* 16,000 and 16,000 were given: cut both"):
        learn_edits([[0]], [[0]], (16_000, 16_000))


# ---- The cheapest way


@pytest.mark.parametrize("seed", range(5))
def test_the_cheapest_way_is_as_cheap_as_any(seed):
    costs, (source, target) = random_costs(seed), pairs_of(12, seed, longest=4)
    for edits, own, other in zip(costs.cheapest(source, target), source, target, strict=True):
        every = [cost_of(way, own, other, costs) for way in ways(own, other)]
        assert cost_of(edits, own, other, costs) == pytest.approx(min(every))


def test_costs_to_go_are_those_of_the_rests():
    costs, (source, target) = random_costs(), pairs_of(6, longest=3)
    (pairs,) = chunks(source, target)
    to_go = costs.to_go(pairs)
    for row, number in enumerate(pairs.numbers.tolist()):
        own, other = source[number], target[number]
        for read in range(len(own) + 1):
            for written in range(len(other) + 1):
                rest = own[read:], other[written:]
                wanted = min(cost_of(way, *rest, costs) for way in ways(*rest))
                assert to_go[row, read, written] == pytest.approx(wanted)


def test_of_equal_ways_a_substitution_comes_first_then_a_deletion():
    even = EditCosts(torch.ones(SIZES[0] + 1, SIZES[1] + 1, dtype=torch.float64))
    (edits,) = even.cheapest([[0, 1, 2]], [[0]])
    assert edits == [SUBSTITUTE, DELETE, DELETE]


def test_empty_sides_have_a_way_too():
    assert random_costs().cheapest([[], [1, 2], [0]], [[0, 1], [], [1]])[:2] == [[INSERT, INSERT], [DELETE, DELETE]]


# ---- Actions


@cache
def tokenizers_of(kind: str) -> EditTokenizers:
    """Edits between disjoint alphabets, the same one, or letters and phones that share some."""
    draw = random.Random(2)
    letters, others = {"disjoint": ("abcd", "wxyz"), "same": ("abcd", "abcd"), "shared": ("abcd", "cdef")}[kind]
    examples = []
    for _ in range(40):
        source, target = ("".join(draw.choice(side) for _ in range(draw.randint(1, 6))) for side in (letters, others))
        target = source + draw.choice(others) if kind == "same" else target
        examples.append(Example(source, (" ".join(target) if kind == "shared" else target,)))
    texts = TokenizerTrainer(source="char", target="word" if kind == "shared" else "char").train(examples)
    return EditTokenizers.learn(texts, examples)


KINDS = ("disjoint", "same", "shared")


@pytest.mark.parametrize("kind", KINDS)
def test_the_actions_of_a_pair_write_its_target_again(kind):
    tokenizers, draw = tokenizers_of(kind), random.Random(3)
    own, other = ("abcd", "wxyz") if kind == "disjoint" else ("abcd", "abcd" if kind == "same" else "cdef")
    sources = ["".join(draw.choice(own) for _ in range(draw.randint(1, 8))) for _ in range(50)]
    targets = ["".join(draw.choice(other) for _ in range(draw.randint(1, 8))) for _ in range(50)]
    targets = [" ".join(target) for target in targets] if kind == "shared" else targets
    ids, actions = tokenizers.encode_pairs(sources, targets)
    assert tokenizers.decode(sources, actions) == targets
    assert max(map(max, actions)) < tokenizers.target.size
    assert all(
        sum(map(tokenizers.target.vocabulary.reads, taken)) == len(own) for own, taken in zip(ids, actions, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_only_alphabets_that_meet_have_a_copy(kind):
    vocabulary = tokenizers_of(kind).target.vocabulary
    assert vocabulary.copies == (kind != "disjoint")
    assert EditActions.of(vocabulary.size) == vocabulary


def test_what_is_alike_is_copied_and_never_substituted():
    tokenizers = tokenizers_of("same")
    (actions,) = tokenizers.encode_pairs(["abcd"], ["abcd"])[1]
    assert actions == [tokenizers.target.vocabulary.copy] * 4
    assert tokenizers.target.pieces(actions) == ["COPY"] * 4


def test_a_symbol_that_no_vocabulary_has_is_copied_as_it_stands():
    tokenizers = tokenizers_of("same")
    copy = tokenizers.target.vocabulary.copy
    assert tokenizers.decode(["aqb", "a"], [[copy] * 3, [copy]]) == ["aqb", "a"]


def test_a_target_symbol_that_the_vocabulary_lacks_is_one_unknown_insertion():
    tokenizers = tokenizers_of("disjoint")
    (actions,) = tokenizers.encode_pairs(["ab"], ["wq"])[1]
    assert actions.count(UNK) == 1
    assert tokenizers.decode(["ab"], [actions])[0].replace(" ", "") == "w\u2047"


def test_empty_targets_have_no_actions():
    """They are left out of training, as an empty side always is."""
    assert tokenizers_of("same").encode_pairs(["ab", ""], ["", "b"])[1][0] == []


def test_names_tell_what_an_action_does():
    tokenizers = tokenizers_of("shared")
    names = tokenizers.target.pieces(range(tokenizers.target.size))
    assert names[EOS + 1 : EOS + 3] == ["DELETE", "COPY"]
    assert "INSERT c" in names
    assert "SUBSTITUTE c" in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("size", [6, 7, 99, 100])
def test_a_vocabulary_knows_its_actions_by_its_size_alone(size):
    vocabulary = EditActions.of(size)
    assert vocabulary.size == size
    assert vocabulary.copies == (size % 2 == 0)
    pieces = range(EOS + 1, vocabulary.pieces)
    inserted, substituted = (list(map(each, pieces)) for each in (vocabulary.insert, vocabulary.substitute))
    assert [*inserted, *substituted] == list(range(size - 2 * len(pieces), size))
    assert list(map(vocabulary.written, inserted)) == list(map(vocabulary.written, substituted)) == list(pieces)
    assert not any(map(vocabulary.reads, inserted))
    assert all(map(vocabulary.reads, substituted))


def test_before_the_end_of_the_source_nothing_ends_and_behind_it_nothing_is_read():
    vocabulary = EditActions.of(12)
    inside, behind = vocabulary.barred
    assert inside.nonzero().flatten().tolist() == [PAD, BOS, EOS]
    assert behind.tolist() == [index in (PAD, BOS) or vocabulary.reads(index) for index in range(12)]


def test_saved_tokenizers_come_back(tmp_path):
    tokenizers = tokenizers_of("shared")
    tokenizers.save(tmp_path)
    for back in (load(tmp_path), restored(tokenizers.serialized)):
        assert isinstance(back, EditTokenizers)
        assert torch.equal(back.costs.table, tokenizers.costs.table)
        assert back.target.serialized == tokenizers.target.serialized
        assert back.encode_pairs(["abc"], ["c d"]) == tokenizers.encode_pairs(["abc"], ["c d"])


def test_plain_tokenizers_come_back_as_such(tmp_path, letters):
    letters.save(tmp_path)
    assert not load(tmp_path).edits
    assert not restored(letters.serialized).edits
    assert letters.encode_pairs(["ab"], ["01"]) == (letters.source.encode(["ab"]), letters.target.encode(["01"]))
    assert letters.decode(["ab"], letters.target.encode(["01"])) == ["01"]


def test_costs_that_were_damaged_are_refused():
    bad = EditCosts(torch.full((2, 2), float("nan"), dtype=torch.float64)).serialized
    with pytest.raises(UserError, match="costs of edits must be a table of numbers, but are float64"):
        EditCosts.from_bytes(bad)


def test_pairs_with_an_empty_side_are_left_out_of_what_is_learnt_from():
    examples = [Example("ab", ("ab",)), Example("", ("b",)), Example("b", ("",))]
    texts = TokenizerTrainer(source="char", target="char").train(examples[:1])
    learnt = EditTokenizers.learn(texts, examples)
    assert torch.equal(learnt.costs.table, EditTokenizers.learn(texts, examples[:1]).costs.table)
    with pytest.raises(UserError, match="edits cannot be learnt from no pairs"):
        EditTokenizers.learn(texts, examples[1:])


def test_a_text_alone_is_no_sequence_of_actions():
    with pytest.raises(UserError, match="a transducer writes by edits of its source"):
        tokenizers_of("same").target.encode(["ab"])
