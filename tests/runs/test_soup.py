"""The mean of weights, and which of them to take."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.soup import greedy_soup, mean_weights, refuse_unlike, tell_of_lost_zeros, zero_share


def of(value: float) -> dict[str, torch.Tensor]:
    return {"w": torch.tensor([value])}


def test_the_mean_is_that_of_each_weight():
    members = [
        {"a": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)},
        {"a": torch.tensor([3.0, 6.0]), "n": torch.tensor(5)},
    ]
    found = mean_weights(members)
    assert torch.equal(found["a"], torch.tensor([2.0, 4.0]))
    assert torch.equal(found["n"], torch.tensor(3))
    assert all(torch.equal(mean_weights([members[0]] * 3)[name], members[0][name]) for name in members[0])


@given(st.lists(st.floats(-2, 2, allow_subnormal=False), min_size=1, max_size=6), st.booleans())
def test_a_greedy_soup_is_never_worse_than_its_best_member(values, higher):
    """Weights are one number; how far it is from 0.5 is the score."""
    sign = -1.0 if higher else 1.0

    def score(weights):
        return sign * abs(float(weights["w"]) - 0.5)

    members = [of(value) for value in values]
    scores = [score(member) for member in members]
    chosen = greedy_soup(members, scores, score, higher=higher)
    best = min(scores, key=lambda one: sign * one)
    assert len(set(chosen)) == len(chosen) >= 1
    assert scores[chosen[0]] == best
    assert sign * score(mean_weights([members[number] for number in chosen])) <= sign * best + 1e-6


def test_members_join_in_the_order_of_their_scores():
    asked = []

    def score(weights):
        asked.append(float(weights["w"]))
        return 5.0 - len(asked)

    assert greedy_soup([of(1.0), of(2.0), of(6.0)], [3.0, 1.0, 2.0], score, higher=False) == [1]
    assert asked == [4.0, 1.5]  # of 2 and 6, then of 2 and 1
    assert greedy_soup([of(1.0), of(2.0)], [3.0, 3.0], lambda _: 3.0, higher=True) == [0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["config"]["model"]["decoder"].update(num_layers=9), "differs from a in model.decoder.num_layers."),
        (
            lambda c: c["config"].update(pruning={"_target_": "seq2seq.training.callbacks.pruning.KeptZeros"}),
            "but b is and a is not: their mean would have none of the zeros. Leave one out, or average before you "
            "prune.",
        ),
        (lambda c: c["tokenizers"].update(target=torch.zeros(3, dtype=torch.uint8)), "pieces of b are not those of a."),
    ],
)
def test_runs_of_other_models_are_refused(finished, change, message):
    path = find_checkpoint(finished)
    one, other = read_checkpoint(path), read_checkpoint(path)
    other["config"]["model"]["dropout"] = 0.9  # is no part of what was learnt
    refuse_unlike(["a", "b"], [one, other])
    change(other)
    with pytest.raises(UserError) as error:
        refuse_unlike(["a", "b"], [one, other])
    assert str(error.value).endswith(message)


def pruned(*values: float) -> dict:
    config = {"pruning": {"_target_": "seq2seq.training.callbacks.pruning.KeptZeros"}}
    return {
        "config": config,
        "weights": {"w": torch.tensor([values]), "bias": torch.zeros(3), "n": torch.zeros(2, 2).long()},
    }


def test_nothing_is_counted_where_no_run_was_pruned(caplog, monkeypatch):
    dense = {"config": {}, "weights": {"w": torch.tensor([[0.0, 1.0, 2.0, 3.0]])}}
    monkeypatch.setattr("seq2seq.runs.soup.zero_share", None)
    tell_of_lost_zeros({"a": dense, "b": dense}, {"w": torch.ones(1, 4)})
    assert caplog.messages == []


def test_zeros_that_a_mean_of_pruned_runs_has_lost_are_told(caplog):
    alike = [pruned(0.0, 1.0, 0.0, 2.0), pruned(0.0, 3.0, 0.0, 4.0)]
    apart = [pruned(0.0, 1.0, 0.0, 2.0), pruned(0.0, 0.0, 1.0, 0.0)]
    for members in (alike, apart):
        tell_of_lost_zeros(dict(zip("ab", members, strict=True)), mean_weights([own["weights"] for own in members]))
    assert zero_share(apart[1]["weights"]) == 0.75
    assert caplog.messages == [
        "the mean has 25.0 % of its weights in matrices at zero, where b has 75.0 %: runs that were pruned apart have "
        "other zeros; prune the mean, or average before you prune"
    ]
