"""The statistics of what units know: correlations over lines, corrections, and probes."""

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.interpretation.linear_probe import LinearProbe
from seq2seq.interpretation.signals import SIGNALS, NamedSignal, ProbedLine
from seq2seq.interpretation.unit_correlations import Given, correlate, holm, p_values, residuals
from seq2seq.interpretation.unit_examples import clearest, shown_units
from seq2seq.interpretation.unit_steps import CellSteps
from seq2seq.interpretation.unit_study import UnitStudy

LINES, STEPS = 60, 8


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(3)


def rows(lines: int = LINES, steps: int = STEPS) -> torch.Tensor:
    return torch.arange(lines).repeat_interleave(steps)


def walks(count: int, lines: int = LINES) -> torch.Tensor:
    """Columns whose steps hang together within each line, and nothing else does."""
    return torch.randn(lines, STEPS, count, dtype=torch.float64).cumsum(1).flatten(0, 1)


def nothing(steps: int) -> Given:
    return Given(torch.zeros(steps, 0, dtype=torch.float64), torch.zeros(steps, dtype=torch.long))


def test_plain_and_partial_correlations_are_those_of_least_squares():
    steps = LINES * STEPS
    numbers, classes = walks(2), torch.randint(4, (steps,))
    kinds = torch.nn.functional.one_hot(classes).double()
    signal = walks(1) + numbers @ torch.tensor([[1.0], [-2.0]], dtype=torch.float64) + 3 * kinds[:, :1]
    units = walks(3) + torch.tensor([0.5, 0.0, -0.5]) * signal + numbers[:, :1]
    found = correlate(units, signal, Given(numbers, classes), rows())
    design = torch.cat([numbers, kinds], 1)
    left = [part - design @ torch.linalg.lstsq(design, part).solution for part in (units, signal)]
    for column in range(3):
        whole = torch.corrcoef(torch.stack([units[:, column], signal[:, 0]]))[0, 1]
        rest = torch.corrcoef(torch.stack([left[0][:, column], left[1][:, 0]]))[0, 1]
        assert found.plain[0, column] == pytest.approx(float(whole))
        assert found.partial[0, column] == pytest.approx(float(rest))


def test_where_all_is_given_nothing_is_left_and_a_still_unit_has_no_correlation():
    classes = torch.arange(LINES * STEPS) % 5
    signal, units = (classes == 2).double().unsqueeze(1), walks(2)
    units[:, 1] = 0.25
    found = correlate(units, signal, Given(walks(1), classes), rows())
    assert bool(found.partial.isnan().all())
    assert bool(found.plain[0, 0].isfinite())
    assert bool(found.p[0, 0] <= 1)  # of the plain one
    assert bool(found.plain[0, 1].isnan())
    assert bool(found.p[0, 1].isnan())


def test_p_values_hold_though_steps_of_a_line_hang_together():
    """Each of many units that know nothing is below 5 % about as often; by steps alone a third would be."""
    found = torch.stack([_p_of_walks() for _ in range(20)])
    assert 0.02 < float((found < 0.05).double().mean()) < 0.08


def _p_of_walks() -> torch.Tensor:
    none = nothing(LINES * STEPS)
    return p_values(residuals(walks(40), none), residuals(walks(1), none), rows())[0]


def test_what_few_lines_decide_is_never_clear():
    signal = torch.zeros(LINES * STEPS, 1, dtype=torch.float64)
    signal[: 3 * STEPS : 2] = 1.0  # in three lines alone
    found = correlate(signal + 0.01 * walks(1), signal, nothing(len(signal)), rows())
    assert float(found.plain) > 0.9
    assert float(found.p) > 0.05


def test_holm_is_as_in_his_paper():
    assert holm(torch.tensor([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(torch.tensor([0.9, 0.8])).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_probes_on_shuffled_labels_score_at_chance(kind):
    """And on those that units hold, near all."""
    lines = rows(200)
    units = walks(24, 200).float()
    hidden = units @ torch.randn(24)
    known = hidden if kind == "numbers" else (hidden > hidden.median()).long() + (hidden > 0).long()
    types = torch.randint(1000, (len(units),))
    probe = LinearProbe(units, lines, seed=1)
    score = getattr(probe, kind)(known, types)
    assert score.score > 0.9 if kind == "numbers" else score.score > score.chance + 0.2
    assert score.control < score.chance + 0.06
    assert score.selectivity == score.score - score.control
    shuffled = [getattr(probe, kind)(known[torch.randperm(len(known))], types) for _ in range(5)]
    assert sum(one.score - one.chance for one in shuffled) / 5 == pytest.approx(0.0, abs=0.03)


def test_a_probe_that_learns_pieces_by_heart_learns_the_control_task_too():
    types = torch.randint(6, (LINES * STEPS,))
    units = torch.nn.functional.one_hot(types).float() + 0.05 * torch.randn(len(types), 6)
    score = LinearProbe(units, rows(), seed=1).classes((types < 3).long(), types)
    assert score.score > 0.99
    assert score.selectivity < 0.02


def test_probes_are_the_same_for_the_same_seed_and_need_lines():
    units, signal, types = walks(4).float(), walks(1)[:, 0], torch.randint(9, (LINES * STEPS,))
    first, again, other = (LinearProbe(units, rows(), seed=seed).numbers(signal, types) for seed in (1, 1, 2))
    assert first == again != other
    with pytest.raises(UserError, match="A probe must have at least 10 lines, but has 3: give more."):
        LinearProbe(units[:24], rows(3), seed=1)


def study(*signals, units=None, lines=LINES):
    texts = ["".join("aebc"[(row + place) % 4] for place in range(3 + row % 5)) for row in range(lines)]
    own = [ProbedLine(text, text, "source", pieces := (*text, "</s>"), pieces) for text in texts]
    steps = sum(map(len, own))
    if units is None:
        units = torch.randn(steps, 5)
        units[:, 3] += 4 * torch.tensor([float(place) for line in own for place in range(len(line))])
        units[:, 1] -= 4 * torch.tensor([float(piece == "e") for line in own for piece in line.pieces])
    cells = [CellSteps("encoder 1 forward", "source", units)]
    return UnitStudy({"source": own}, cells, [SIGNALS.get(one) or one for one in signals])


def test_planted_units_are_found_and_no_others():
    found = study("position", "piece")
    shown = clearest(found.findings(), ["position", "piece"], 10)
    (place,) = shown["position"]
    assert (place.cell, place.unit, place.column) == ("encoder 1 forward", 3, "position")
    assert place.partial > 0.9
    e = next(one for one in shown["piece"] if one.unit == 1)
    assert e.column == "piece 'e'"
    assert e.partial < -0.5
    assert {one.unit for one in shown["piece"]} <= {1, 3}
    (unit,) = shown_units(found, [e])
    assert len(unit.lines) == 4
    assert all(len(set(line.signal)) == 2 for line in unit.lines)
    assert unit.lines[0].pieces == ["a", "e", "b", "</s>"]
    assert unit.lines[0].signal == [0.0, 1.0, 0.0, 0.0]
    assert unit.lines[0].values == found.cells[0].units[:4, 1].tolist()


def test_numbers_of_yes_and_no_are_read_as_classes():
    scores = {signal.name: score.measure for _, signal, score in study("position", "vowel").probes(seed=1)}
    assert scores == {"position": "R2", "vowel": "accuracy"}


def test_a_signal_that_never_changes_and_cells_without_steps_are_refused():
    with pytest.raises(UserError, match="signals has bracket_depth, which is the same at every step of these lines"):
        study("bracket_depth")
    with pytest.raises(UserError, match="layers must have a step for each piece, but encoder 1 forward have steps of"):
        study("position", units=torch.randn(7, 5))
    turns = iter([["a"] * 4] + [None] * LINES)
    with pytest.raises(UserError, match="signals has mine.odd, which is the same"):
        study(NamedSignal("mine.odd", lambda line: next(turns)))
    given = NamedSignal("mine.odd", lambda line: [*map(str, range(len(line)))] if len(line) == 4 else range(len(line)))
    with pytest.raises(UserError, match="signals: mine.odd must give numbers for all lines of a side, or text, or"):
        study(given)


def test_what_is_special_about_a_beginning_is_given_with_the_position():
    """A unit that says only that a line begins follows nothing else."""
    found = study("position", "piece_behind")
    first = torch.tensor([float(place == 0) for line in found.sides["source"] for place in range(len(line))])
    units = first.unsqueeze(1) + 1e-3 * torch.randn(len(first), 3)
    again = study("piece_behind", units=units)
    assert max(one.clearness for one in again.findings()) < 0.2
    assert {one.column for one in again.findings()} == {
        f"piece_behind '{piece}'" for piece in ("a", "e", "b", "c", "</s>")
    }


def test_a_signal_may_differ_between_lines_alone():
    whole = NamedSignal("mine.long", lambda line: [float(len(line) > 5)] * len(line))
    found = study(whole)
    (unit,) = shown_units(found, found.findings()[:1])
    assert len(unit.lines) == 4
    assert {scored.name for _, scored, _ in found.probes(seed=1)} == {"mine.long"}
