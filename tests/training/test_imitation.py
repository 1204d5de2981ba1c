"""Imitation: optimal actions after any prefix, their joint probability, and roll-ins by the model's own actions."""

import random
from functools import cache
from pathlib import Path

import pytest
import torch
from tiny_transducers import build
from torch import Tensor

from seq2seq.data.batch import Batch, PairSequences
from seq2seq.data.edits.dynamic_oracle import DynamicOracle
from seq2seq.data.edits.edit_tokenizers import EditTokenizers
from seq2seq.data.examples import Example
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.edit_actions import DELETE as DELETION
from seq2seq.errors import UserError
from seq2seq.models.transducer import Transducer
from seq2seq.symbols import EOS, PAD, UNK
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.imitation import Imitation, roll_in

PAIRS = [("ab", "ax"), ("ba", "xa"), ("b", "b"), ("aab", "xxb"), ("bab", "b"), ("a", "abx")]


@cache
def tokenizers() -> EditTokenizers:
    examples = [Example(source, (target,)) for source, target in PAIRS]
    return EditTokenizers.learn(TokenizerTrainer(source="char", target="char").train(examples), examples)


def model_of(seed: int = 2) -> Transducer:
    return build(source_size=tokenizers().source.size, size=tokenizers().target.size, seed=seed)


def batch_of(*rows: int, silent: bool = False) -> Batch:
    sides = tokenizers().encode_pairs(*zip(*PAIRS, strict=True))
    pairs = PairSequences(*map(TokenSequences.from_ids, sides))
    return pairs.batch(torch.tensor(rows or range(len(PAIRS))), step_tokens=1.0, silent=silent)


def imitation(**options: float) -> Imitation:
    objective = Imitation(**{"label_smoothing": 0.0, **options})
    objective.oracle = DynamicOracle(tokenizers())
    return objective


# ---- The oracle


def distance(first: tuple, second: tuple) -> int:
    if not first or not second:
        return len(first) + len(second)
    same = first[-1] == second[-1]
    return min(
        distance(first[:-1], second) + 1,
        distance(first, second[:-1]) + 1,
        distance(first[:-1], second[:-1]) + (not same),
    )


def costs_of(rest: tuple, wanted: tuple) -> dict[int | None, float]:
    """The least cost from a rest of the source to one of the target, by its first action; None if there is none."""
    if not rest and not wanted:
        return {EOS: 0.0}
    table, actions, found = tokenizers().costs.table, tokenizers().target, {}

    def least(*rests: tuple) -> float:
        return min(costs_of(*rests).values())

    if rest:
        found[DELETION] = float(table[rest[0], -1]) + least(rest[1:], wanted)
    if wanted:
        found[actions.vocabulary.insert(wanted[0])] = float(table[-1, wanted[0]]) + least(rest, wanted[1:])
    if rest and wanted:
        substitution = actions.substitution(rest[0], wanted[0])[0]
        cost = float(table[rest[0], wanted[0]]) + least(rest[1:], wanted[1:])
        found[substitution] = min(cost, found.get(substitution, cost))
    return found


def by_brute_force(source: tuple, target: tuple, taken: list[int]) -> set[int]:
    actions = tokenizers().target
    written = actions.played(source, taken)
    rest = source[sum(map(actions.vocabulary.reads, taken)) :]
    distances = [distance(tuple(written), target[:place]) for place in range(len(target) + 1)]
    parts = [target[place:] for place, own in enumerate(distances) if own == min(distances)]
    least = min(min(costs_of(rest, part).values()) for part in parts)
    return {action for part in parts for action, cost in costs_of(rest, part).items() if cost <= least + 1e-9}


@pytest.mark.parametrize("seed", range(4))
def test_the_optimal_actions_begin_the_ways_that_differ_least_and_then_cost_least(seed):
    draw, oracle = random.Random(seed), DynamicOracle(tokenizers())
    vocabulary = tokenizers().target.vocabulary
    source = tuple(draw.choices(tokenizers().source.encode(["ab"])[0], k=3))
    target = tuple(draw.choices(tokenizers().written.encode(["abx"])[0], k=3))
    taken, read = [], 0
    for _ in range(5):
        possible = [action for action in range(EOS + 1, vocabulary.size) if read < 3 or not vocabulary.reads(action)]
        taken.append(draw.choice(possible))
        read += vocabulary.reads(taken[-1])
    (found,) = oracle.optimal([(source, target)], [taken])
    assert found == [by_brute_force(source, target, taken[:length]) for length in range(6)]


def test_after_its_own_actions_the_static_oracles_next_one_is_optimal():
    oracle = DynamicOracle(tokenizers())
    sources, actions = tokenizers().encode_pairs(*zip(*PAIRS, strict=True))
    pairs = [(tuple(own), oracle.target(own, taken)) for own, taken in zip(sources, actions, strict=True)]
    assert [target for _, target in pairs] == list(map(tuple, tokenizers().written.encode([own for _, own in PAIRS])))
    for steps, taken in zip(oracle.optimal(pairs, actions), actions, strict=True):
        assert all(action in best for action, best in zip([*taken, EOS], steps, strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_following_it_after_no_mistake_writes_the_target(seed):
    draw, oracle = random.Random(seed), DynamicOracle(tokenizers())
    (source,), (target,) = tokenizers().source.encode(["abba"]), tokenizers().written.encode(["xbxa"])
    taken: list[int] = []
    while True:
        (steps,) = oracle.optimal([(tuple(source), tuple(target))], [taken])
        action = draw.choice(sorted(steps[-1]))
        if action == EOS:
            break
        taken.append(action)
    assert tokenizers().target.played(source, taken) == target


@pytest.mark.parametrize("kept", [0, 1, 3, 5])
def test_the_same_is_optimal_however_many_pairs_are_remembered(kept, monkeypatch):
    sources, actions = tokenizers().encode_pairs(*zip(*PAIRS, strict=True))
    targets = tokenizers().written.encode([target for _, target in PAIRS])
    pairs = list(zip(map(tuple, sources), map(tuple, targets), strict=True))
    calls = [random.Random(seed).sample(range(len(PAIRS)), k=1 + seed % 4) for seed in range(60)]

    def found() -> list[list[list[set[int]]]]:
        oracle = DynamicOracle(tokenizers())
        return [oracle.optimal([pairs[row] for row in rows], [actions[row] for row in rows]) for rows in calls]

    wanted = found()
    monkeypatch.setattr("seq2seq.data.edits.dynamic_oracle._KEPT", kept)
    assert found() == wanted


@pytest.mark.parametrize("pair", [((), ()), ((4, 5), ()), ((), (4, 5))])
def test_a_side_may_be_empty(pair):
    (found,) = DynamicOracle(tokenizers()).optimal([pair], [[]])
    assert found == [by_brute_force(*pair, [])]


def test_what_was_said_wrong_is_not_repaired_but_left():
    """After x for a, what is best goes on with b, and neither inserts the a nor deletes."""
    oracle, vocabulary = DynamicOracle(tokenizers()), tokenizers().target.vocabulary
    (source,), (target,), (x,) = (
        tokenizers().source.encode(["bb"]),
        tokenizers().written.encode(["bb"]),
        tokenizers().written.encode(["x"]),
    )
    (steps,) = oracle.optimal([(tuple(source), tuple(target))], [[vocabulary.substitute(x[0])]])
    assert steps[-1] == {vocabulary.copy}


# ---- The loss


@torch.no_grad()
def test_without_roll_ins_and_ties_it_is_cross_entropy():
    model, batch = model_of(), batch_of(0, 2)
    found = imitation(own=0.0)(model, batch, batch.target_inputs)
    wanted = CrossEntropy(label_smoothing=0.0)(model, batch, batch.target_inputs)
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


@torch.no_grad()
def test_label_smoothing_is_that_of_cross_entropy_over_what_can_be_done():
    model, batch = model_of(), batch_of(0, 2)
    found = imitation(own=0.0, label_smoothing=0.2)(model, batch, batch.target_inputs)
    wanted = CrossEntropy(label_smoothing=0.2)(model, batch, batch.target_inputs)
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)
    assert float(found) != pytest.approx(float(imitation(own=0.0)(model, batch, batch.target_inputs)), rel=1e-3)


@torch.no_grad()
def test_of_several_optimal_actions_the_probabilities_are_summed(monkeypatch):
    model, batch, objective = model_of().eval(), batch_of(), imitation(own=0.0)
    outputs = model(batch.source, batch.source_lengths, batch.target_inputs)
    rows = model.output.log_probabilities(outputs.features.flatten(0, 1))
    shares = rows.exp().unflatten(0, batch.target_inputs.shape)
    monkeypatch.setattr(
        DynamicOracle, "optimal", lambda self, pairs, taken: [[{DELETION, UNK}] * (len(own) + 1) for own in taken]
    )
    inside = outputs.weights.argmax(-1) < batch.source_lengths.unsqueeze(1) - 1
    wanted = (shares[..., DELETION] * inside + shares[..., UNK]).log()[batch.target_mask].sum()
    assert float(objective(model, batch, batch.target_inputs)) == pytest.approx(-float(wanted), rel=1e-5)


# ---- Roll-ins


def test_roll_ins_are_actions_that_can_be_done_and_no_longer_than_allowed():
    model, batch = model_of(), batch_of()
    rows = torch.tensor([True, False, True, True, True, True])
    own = roll_in(model, batch, rows)
    vocabulary = tokenizers().target.vocabulary
    assert model.training
    for taken, length, given in zip(own, batch.source_lengths[rows], batch.target_outputs[rows], strict=True):
        actions = [action for action in taken.tolist() if action != PAD]
        assert len(actions) <= int((given != PAD).sum()) + 5
        assert EOS not in actions[:-1]
        if actions[-1] == EOS:
            assert sum(map(vocabulary.reads, actions)) == int(length) - 1


def test_roll_ins_come_with_the_budget_and_change_the_loss():
    model, batch, objective = model_of().eval(), batch_of(), imitation(own=1.0, start=0.5)
    losses = []
    for spent in (0.0, 0.5, 1.0):
        objective.begin(spent)
        torch.manual_seed(1)
        losses.append(float(objective(model, batch, batch.target_inputs).detach()))
    assert losses[0] == losses[1] != losses[2]
    assert objective.share == 1.0


def test_no_random_number_is_drawn_before_roll_ins_begin():
    model, batch, objective = model_of().eval(), batch_of(), imitation(own=0.5)
    objective.begin(0.1)
    before = torch.get_rng_state()
    objective(model, batch, batch.target_inputs)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_are_finite_after_roll_ins():
    model, batch, objective = model_of(), batch_of(), imitation(own=1.0, start=0.0, label_smoothing=0.1)
    objective.begin(1.0)
    objective(model, batch, batch.target_inputs).backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)


@pytest.mark.parametrize("rows", [(0,), (0, 3, 5)])
@pytest.mark.parametrize("spent", [0.0, 1.0])
def test_a_silent_batch_adds_nothing(spent, rows):
    model, batch, objective = model_of(), batch_of(*rows, silent=True), imitation(own=1.0, start=0.0)
    objective.begin(spent)
    loss = objective(model, batch, batch.target_inputs)
    loss.backward()
    assert loss.item() == 0
    assert all(not weight.grad.any() for weight in model.parameters() if weight.grad is not None)


# ---- What cannot be


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"own": 1.5}, "own must be from 0 to 1, but is 1.5."),
        ({"start": 1.0}, "start must be at least 0 and below 1, but is 1.0."),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1, but is 1.0."),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(UserError) as caught:
        Imitation(**options)
    assert str(caught.value) == message


def test_only_transducers_can_be_imitated(build_model):
    with pytest.raises(UserError, match="Imitation needs a transducer, whose actions it judges"):
        Imitation().check(build_model())
    Imitation().check(model_of())


# ---- A run


def last(folder: Path) -> dict[str, Tensor]:
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint["state_dict"] | {f"mean {name}": value for name, value in checkpoint["weights"].items()}


@pytest.mark.parametrize("objective", [["objective=cross_entropy"], ["objective=imitation", "objective.start=0.0"]])
def test_a_run_goes_on_to_the_bit(objective, train_tiny, tmp_path, interrupt_at):
    options = [
        "model=transducer",
        *objective,
        "model.dropout=0.3",
        "budget.max_steps=6",
        "trainer.val_check_interval=2",
    ]
    train_tiny(tmp_path / "whole", *options)
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parted", *options)
    train_tiny(tmp_path / "parted", *options, resume=True)
    whole, parted = last(tmp_path / "whole"), last(tmp_path / "parted")
    assert whole.keys() == parted.keys()
    assert all(torch.equal(whole[name], parted[name]) for name in whole)
