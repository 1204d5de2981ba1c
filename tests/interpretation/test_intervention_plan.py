"""Laws of plans of interventions: what is asked for is tried, or refused."""

import pytest
from tiny_models import CELLS

from seq2seq.decoding.length import LengthLimits
from seq2seq.errors import UserError
from seq2seq.interpretation.intervention_plan import InterventionPlan
from seq2seq.interpretation.other_input import OtherInputs


@pytest.fixture
def planned(build_model):
    """Places and changes of a plan in a tiny model: planned("elman", gates=["candidate"])."""

    def interventions(cell, means=None, **wishes):
        model = build_model(cell=CELLS[cell])
        found = InterventionPlan(**wishes).interventions(model, OtherInputs(1, LengthLimits()), means)
        return [(one.place, one.change) for one in found]

    return interventions


def test_a_plan_that_asks_for_nothing_is_one(planned):
    assert planned("lstm", gates=[], attention=[]) == []
    assert planned("lstm", gates=[], to=[], attention=[]) == []


def test_without_means_every_gate_that_is_to_have_its_own_is_planned(planned):
    wishes = {"gates": ["forget"], "to": ["mean"], "layers": ["decoder.1"], "attention": []}
    assert planned("lstm", **wishes) == [("decoder 1", "forget = mean")]


def test_what_comes_to_no_change_of_a_cell_is_refused(planned):
    for name, value in (("layers", ["decoder.1"]), ("units", [0]), ("steps", [1])):
        with pytest.raises(UserError) as error:
            planned("elman", **{name: value})
        assert str(error.value) == (
            f"{name} must be left out where no gate or state of a cell is changed, but is {value}: name gates or a "
            "state, or leave it out."
        )
    wishes = {"gates": ["forget"], "to": ["mean"]}
    with pytest.raises(UserError, match=r"^to must hold another value than mean for forget, which have none, as they"):
        planned("lstm", {}, layers=["decoder.1"], **wishes)


def test_a_plan_that_comes_to_nothing_at_all_is_refused(planned):
    with pytest.raises(UserError) as error:
        planned("elman", attention=[])
    assert str(error.value) == (
        "gates, state and attention must come to a change, but none is left of them in this model: give "
        "state=[silence], or gates=[candidate], say."
    )
