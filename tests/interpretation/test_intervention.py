"""Laws of interventions: they change what they say, and leave no trace."""

from functools import partial

import pytest
import torch
from tiny_models import ATTENTIONS

from seq2seq.decoding.scoring import score_targets
from seq2seq.errors import UserError
from seq2seq.interpretation.attention_change import AttentionChange
from seq2seq.interpretation.gate_means import GateMeans
from seq2seq.interpretation.intervention import GateClamp, UnitLesion, gate_widths, intervening
from seq2seq.interpretation.trace import named_cells, trace
from seq2seq.layers.copying import Pointer
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.highway import RecurrentHighwayCell
from seq2seq.models.bridge import ZeroBridge


@pytest.fixture
def model(build_model, any_decoder):
    found = build_model(decoder=any_decoder, decoder_layers=2)
    for weight in found.parameters():  # so that nothing is near 0
        torch.nn.init.normal_(weight, std=0.5)
    return found


@torch.no_grad()
def scores(model, pairs):
    source, lengths, target = pairs
    found = score_targets(model, source, lengths, target[:, 1:], (target[:, 1:] != 0).sum(1))
    return [hypothesis.token_scores for hypothesis in found]


def everything(model):
    """What a model is made of and remembers, by bits and by name."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    own = {name: sorted(vars(module)) for name, module in model.named_modules()}
    hooks = {name: len(module._forward_hooks) for name, module in model.named_modules()}
    return state, own, hooks, {name: module.training for name, module in model.named_modules()}


CHANGES = [
    GateClamp("encoder 1 forward", "forget", 0.0),
    GateClamp("encoder 2 backward", "input", 1.0, units=(0, 2)),
    GateClamp("decoder 1", "output", 0.5),
    UnitLesion("decoder 2", "silence", (1,)),
    UnitLesion("decoder 1", "freeze"),
    *map(AttentionChange, ("cut", "even", "shuffle")),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.place}: {change.change}")
def test_a_change_acts_and_leaves_no_trace(model, pairs, change):
    model.eval()
    with intervening(model, GateClamp("decoder 1", "forget", 0.5, units=())):  # the visible path, and `fused` is known
        visible = scores(model, pairs)
    before, plain = everything(model), scores(model, pairs)
    with intervening(model, change):
        assert scores(model, pairs) != visible
    assert scores(model, pairs) == plain
    for one, other in zip(before, everything(model), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[k], other[k]) if torch.is_tensor(one[k]) else one[k] == other[k] for k in one)


def test_no_intervention_is_the_model_itself_and_keeps_the_fast_path(model, pairs):
    model.eval()
    plain = scores(model, pairs)
    with intervening(model):
        assert all(cell.fused for cell in named_cells(model).values())
        assert scores(model, pairs) == plain


@pytest.mark.parametrize("inner", ["cut", "even", "shuffle"])
@pytest.mark.parametrize("outer", ["cut", "even", "shuffle"])
def test_a_change_outside_lasts_longer_than_one_inside(build_model, any_decoder, pairs, outer, inner):
    model = build_model(decoder=any_decoder, copying=Pointer)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    plain = scores(model.eval(), pairs)
    with intervening(model, AttentionChange(outer)):
        changed = scores(model, pairs)
    before = everything(model)
    with intervening(model, AttentionChange(outer)):
        with intervening(model, AttentionChange(inner)):
            scores(model, pairs)
        assert scores(model, pairs) == changed != plain
    assert everything(model)[1:] == before[1:]


def test_a_mistake_inside_leaves_no_trace_either(model, pairs):
    model.eval()
    plain = scores(model, pairs)
    with pytest.raises(RuntimeError, match="inside"), intervening(model, *CHANGES):
        raise RuntimeError("inside")
    assert scores(model, pairs) == plain


def test_a_clamped_gate_is_at_its_value_and_others_are_not(model, pairs):
    with intervening(model, GateClamp("encoder 1 backward", "forget", 0.25, units=(1, 3))):
        gate = trace(model, *pairs).cells["encoder 1 backward"].gates["forget"][2]  # the longest
    assert (gate[:, [1, 3]] == 0.25).all()
    assert (gate[:, [0, 2]] != 0.25).all()


def test_a_value_for_each_unit_is_set(model, pairs):
    values = torch.linspace(0, 1, 8)
    with intervening(model, GateClamp("decoder 2", "input", values, named="mean")):
        assert torch.equal(trace(model, *pairs).cells["decoder 2"].gates["input"][0, 0], values)


def test_clamps_of_one_cell_act_together(model, pairs):
    clamps = [GateClamp("decoder 1", "input", 0.0), GateClamp("decoder 1", "forget", 1.0)]
    with intervening(model, *clamps):
        cell = trace(model, *pairs).cells["decoder 1"]
    assert (cell.cell[0, 1:4] - cell.cell[0, :3] == 0).all()  # nothing comes, nothing goes


def test_silenced_units_are_0_and_frozen_ones_stay(model, pairs):
    with intervening(model, UnitLesion("encoder 1 forward", "silence", (2,))):
        cell = trace(model, *pairs).cells["encoder 1 forward"]
    assert not cell.hidden[..., 2].any()
    assert not cell.cell[..., 2].any()
    assert cell.hidden[2][:, [0, 1, 3]].all()
    with intervening(model, UnitLesion("decoder 1", "freeze")):
        cell = trace(model, *pairs).cells["decoder 1"]
    assert torch.equal(cell.cell[0, 1:4], cell.cell[0, :3])


def test_padding_and_company_change_nothing(model, pairs):
    model.eval()
    source, lengths, target = pairs
    for change in CHANGES:
        with intervening(model, change):
            together = scores(model, pairs)
            alone = scores(model, (source[1:2, :3], lengths[1:2], target[1:2]))
        torch.testing.assert_close(torch.tensor(together[1]), torch.tensor(alone[0]))


@pytest.mark.parametrize("manner", ["even", "shuffle"])
@pytest.mark.parametrize("kind", sorted(ATTENTIONS))
def test_changed_weights_are_weights(build_model, pairs, kind, manner):
    model = build_model(attention=ATTENTIONS[kind]).eval()
    attention = model.decoder.attention
    if not attention.attends or not attention.normalizes:
        with pytest.raises(UserError, match="attention must"), intervening(model, AttentionChange(manner)):
            pass
        return
    seen = trace(model, *pairs).weights[1, :2]
    with intervening(model, AttentionChange(manner)):
        found = trace(model, *pairs).weights[1, :2]
    assert not found[:, 3:].any()
    if kind == "local":  # a window lies over the weights
        return
    torch.testing.assert_close(found.sum(-1), torch.ones(2))
    if manner == "even":
        torch.testing.assert_close(found[:, :3], torch.full((2, 3), 1 / 3))
    elif kind in ("dot", "general", "additive"):  # of one step each, the same weights elsewhere
        torch.testing.assert_close(found[0].sort().values, seen[0].sort().values)


@pytest.mark.parametrize("manner", [None, "cut", "even", "shuffle"])
def test_what_copies_is_cut_off_from_the_source_too_and_still_says_something(build_model, any_decoder, manner):
    model = build_model(decoder=any_decoder, copying=Pointer, bridge=ZeroBridge).eval()  # by attention, or not at all
    model.copying.spell(torch.tensor([-1, -1, -1, 3, *range(4, 12)]))
    source, lengths, target = (
        torch.tensor([[5, 6, 3], [9, 10, 3]]),
        torch.tensor([3, 3]),
        torch.tensor([[2, 5, 10]] * 2),
    )
    with intervening(model, *([] if manner is None else [AttentionChange(manner)])), torch.no_grad():
        features = model(source, lengths, target)[0]
        found = model.output.log_probabilities(features.flatten(0, 1)).unflatten(0, target.shape)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(2, 3))
    assert torch.equal(found[0], found[1]) == (manner == "cut")


def test_copying_is_by_changed_weights(build_model):
    model = build_model(copying=Pointer).eval()
    model.copying.spell(torch.tensor([-1, -1, -1, 3, *range(4, 12)]))
    given = torch.tensor([[5, 6, 6, 3]]), torch.tensor([4]), torch.tensor([[2, 5, 6, 3]])
    with intervening(model, AttentionChange("even")):
        found = trace(model, *given)
    copied = found.copying.shares[0] * found.log_probabilities[0].exp() / found.copying.switch[0]
    torch.testing.assert_close(copied, torch.tensor([0.25, 0.5, 0.25]))
    with intervening(model, AttentionChange("cut")):
        assert trace(model, *given).copying.shares.max() < 1e-6


def test_a_copy_that_is_cut_off_costs_much_and_not_infinitely_much(build_model):
    model = build_model(copying=Pointer).eval()
    with intervening(model, AttentionChange("cut")):
        unknown = trace(model, torch.tensor([[5, 6, 3]]), torch.tensor([3]), torch.tensor([[2, 13 + 1]]))
    assert -1000 < unknown.log_probabilities.item() < -80


def test_means_are_of_steps_and_not_of_padding(model, pairs):
    source, lengths, target = pairs
    together, alone = GateMeans(model), GateMeans(model)
    together.add(source, lengths, target)
    for row, (length, end) in enumerate(zip(lengths.tolist(), (target != 0).sum(1).tolist(), strict=True)):
        one = slice(row, row + 1)
        alone.add(source[one, :length], lengths[one], target[one, :end])
    found = together.means()
    assert found.keys() == alone.means().keys()
    assert found["encoder 2 backward", "forget"].shape == (4,)
    for key, mean in found.items():
        torch.testing.assert_close(mean, alone.means()[key], rtol=1e-5, atol=1e-6)


def test_a_gate_that_opens_twice_in_a_step_has_no_mean(build_model, pairs):
    model = build_model(cell=partial(RecurrentHighwayCell, depth=2))
    means = GateMeans(model)
    means.add(*pairs)
    assert means.means() == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (GateClamp("encoder 1 forward", "forget", 0.0), "gates must be of reset, update, candidate, those of encoder 1 "
         "forward, but has forget."),
        (GateClamp("decoder 1", "update", 0.0, units=(8,)), "units must be between 0 and 7, the units of the update "
         "gate of decoder 1, but has 8."),
        (UnitLesion("decoder 1", "silence", (-1,)), "units must be between 0 and 7, the units of decoder 1, but has "
         "-1."),
        (UnitLesion("decoder 1", "stop"), "state must be of silence, freeze, but has 'stop'."),
        (GateClamp("decoder 3", "update", 0.0), "layers must be of encoder.1.forward, encoder.1.backward, "
         "encoder.2.forward, encoder.2.backward, decoder.1, but has decoder.3."),
        (AttentionChange("odd"), "attention must be of cut, even, shuffle, but has 'odd'."),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_by_name(build_model, change, message):
    model = build_model(cell=GRUCell, decoder_layers=1)
    with pytest.raises(UserError) as error, intervening(model, change):
        pass
    assert str(error.value) == message


def test_a_cell_that_shows_no_gates_is_refused(build_model):
    class ShyCell(GRUCell):
        def held(self, name, activations):
            return activations

    model = build_model(cell=ShyCell)
    assert gate_widths(model.decoder.layers[0]) == {}
    message = "gates must be of a cell that shows them, and decoder 1 shows none"
    with pytest.raises(UserError, match=message), intervening(model, GateClamp("decoder 1", "update", 0.0)):
        pass
