"""Laws of gates that take the values that they had on another source."""

import pytest
import torch

from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.interpretation.intervention import (
    GateClamp,
    UnitLesion,
    find_cell,
    gates_of_a_step,
    holding,
    intervening,
    visibly,
)
from seq2seq.interpretation.other_input import GateOfOther, OtherInputs
from seq2seq.interpretation.trace import named_cells

LIMITS = LengthLimits(max_ratio=1.0, max_extra=3)


@pytest.fixture
def model(build_model, any_decoder):
    found = build_model(decoder=any_decoder, decoder_layers=2)
    for weight in found.parameters():  # so that nothing is near 0
        torch.nn.init.normal_(weight, std=0.5)
    return found.eval()


def scores(stepper, pairs):
    """Scores of the tokens of given targets."""
    source, lengths, target = pairs
    if isinstance(stepper, OtherInputs):
        stepper = stepper.seen
        stepper.task = "score"
    found = score_targets(stepper, source, lengths, target[:, 1:], (target[:, 1:] != 0).sum(1))
    return [own.token_scores for own in found]


def answers(stepper, pairs):
    """Scores of given targets, and what a search finds."""
    scored = scores(stepper, pairs)
    if isinstance(stepper, OtherInputs):
        stepper = stepper.seen
        stepper.task = "search"
    found = GreedySearch(length=LIMITS)(stepper, *pairs[:2])
    return scored, [(own.ids, own.token_scores) for (own,) in found]


def recorded(model, pairs, cell, order=None):
    others = OtherInputs(1, LIMITS, order)
    with visibly(model), others.recording(model, cell):
        answers(others, pairs)
    return others


def gates_of(model):
    for name, cell in named_cells(model).items():
        yield from ((name, gate) for gate, (_, times) in gates_of_a_step(cell).items() if times == 1)


@torch.no_grad()
def test_with_every_source_its_own_other_nothing_changes_to_the_bit(model, pairs):
    with visibly(model):
        plain = answers(model, pairs)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for cell, gate in gates_of(model):
        others = recorded(model, pairs, cell, order=range)
        with intervening(model, GateOfOther(cell, gate, others)):
            assert answers(others, pairs) == plain
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all("hold" not in vars(cell) for cell in named_cells(model).values())


@torch.no_grad()
def test_values_of_others_change_answers_and_leave_no_trace(model, pairs):
    with visibly(model):
        visible = answers(model, pairs)
    plain = answers(model, pairs)
    for cell, gate in gates_of(model):
        others = recorded(model, pairs, cell)
        with intervening(model, GateOfOther(cell, gate, others)):
            assert answers(others, pairs) != visible
        with intervening(model, GateOfOther(cell, gate, others, units=())):
            assert answers(others, pairs) == visible
    assert answers(model, pairs) == plain


def noting(values):
    def note(name, own):
        if name == "forget":
            values.append(own.flatten(0, -2))
        return own

    return note


def row_of(pairs, row):
    """One sentence without its padding."""
    source, lengths, target = pairs
    one, most = slice(row, row + 1), int((target[row] != 0).sum())
    return source[one, : int(lengths[row])], lengths[one], target[one, :most]


@torch.no_grad()
@pytest.mark.parametrize("cell", ["encoder 1 forward", "encoder 2 backward", "decoder 1"])
def test_values_are_those_of_the_other_source_cut_or_held_at_its_end(model, pairs, cell):
    others, alone, found = recorded(model, pairs, cell), {}, []
    for row in range(len(pairs[0])):
        own, values = row_of(pairs, row), []
        with visibly(model), holding(find_cell(model, cell), noting(values)):
            scores(model, own)
        alone[others.seen.known[own[0][0].numpy().tobytes()]] = values
    with intervening(model, GateOfOther(cell, "forget", others)), holding(find_cell(model, cell), noting(found)):
        scores(others, pairs)
    taken = [others._taken[number] for number in others.seen.rows.tolist()]
    assert sorted(taken) == sorted(others.seen.rows.tolist()) != taken
    for step, values in enumerate(found):
        for value, other in zip(values, taken, strict=True):
            torch.testing.assert_close(value, alone[other][min(step, len(alone[other]) - 1)][0])


@torch.no_grad()
def test_what_others_say_does_not_hang_on_neighbours(model, pairs):
    others = recorded(model, pairs, "decoder 1")
    with intervening(model, GateOfOther("decoder 1", "forget", others)):
        together = scores(others, pairs)
        for row, own in enumerate(together):
            assert scores(others, row_of(pairs, row))[0] == pytest.approx(own, abs=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("kind", ["clamp", "silence", "other"])
def test_a_change_at_one_step_of_the_decoder_moves_no_token_before_it(model, pairs, kind, step):
    others = recorded(model, pairs, "decoder 1")
    change = {
        "clamp": GateClamp("decoder 1", "forget", 0.0, step=step),
        "silence": UnitLesion("decoder 1", "silence", step=step),
        "other": GateOfOther("decoder 1", "forget", others, step=step),
    }[kind]
    with visibly(model):
        plain = scores(others, pairs)
    with intervening(model, change):
        changed = scores(others, pairs)
    assert [own[:step] for own in changed] == [own[:step] for own in plain]
    assert [own[step:] for own in changed] != [own[step:] for own in plain]
