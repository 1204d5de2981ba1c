"""Vital signs: what they measure, and what is said of them."""

import re
from pathlib import Path

import pytest
import torch
from hydra.errors import HydraException
from tiny_taggers import build as build_tagger
from tiny_transducers import build as build_transducer

from seq2seq.errors import UserError
from seq2seq.interpretation.health_rules import RULES, health_sentences, not_taken
from seq2seq.interpretation.intervention import intervening
from seq2seq.interpretation.state_reset import StateReset
from seq2seq.interpretation.trace import named_cells, trace
from seq2seq.interpretation.vital_plot import vital_figure
from seq2seq.interpretation.vital_signs import VitalSign, VitalSigns, effective_rank
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.runs.possible import checked
from seq2seq.symbols import BOS

KINDS = {
    "gnmt": ["model=gnmt"],
    "luong": ["model=luong"],
    "bahdanau": ["model=bahdanau"],
    "transducer": ["model=transducer"],
    "tagger": ["model=tagger"],
    "frames": ["model=gnmt", "model/input=frames"],
}
SIGN = VitalSign("a", "b", 1.0, "c")


@pytest.fixture
def model(build_model):
    torch.manual_seed(5)
    return build_model(decoder="gnmt", cell=LSTMCell).eval()


def signs_of(model, *batches) -> dict[tuple[str, str, str], float]:
    measured = VitalSigns(model)
    for batch in batches:
        measured.add(*batch)
    return {(sign.kind, sign.place, sign.gate): sign.value for sign in measured.signs()}


def test_a_fresh_model_has_every_sign_and_is_left_as_it_was(model, pairs):
    before = trace(model, *pairs).log_probabilities
    found, random = signs_of(model, pairs), torch.get_rng_state()
    assert {kind for kind, _, _ in found} >= {"kept", "open", "shut", "dead", "rank", "entropy"}
    assert all(0 <= value <= 1 for value in found.values())
    assert {gate for kind, place, gate in found if (kind, place) == ("open", "decoder 1")} == {"input", "output"}
    assert torch.equal(trace(model, *pairs).log_probabilities, before)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(cell.fused for cell in named_cells(model).values())


def test_stuck_gates_and_dead_units_are_counted_by_what_they_are(model, pairs):
    cell = named_cells(model)["decoder 1"]
    cell.gates["forget"].set_bias(50.0)
    cell.gates["input"].set_bias(-50.0)
    found = signs_of(model, pairs)
    assert found["kept", "decoder 1", "forget"] == 1.0
    assert found["shut", "decoder 1", "input"] == 1.0
    assert found["shut", "decoder 1", "forget"] == found["open", "decoder 1", "input"] == 0.0
    cell.gates["output"].set_bias(-50.0)
    assert signs_of(model, pairs)["dead", "decoder 1", ""] == 1.0
    assert found["kept", "encoder 1 forward", "forget"] == 0.0


def test_batches_add_up_to_the_whole(model, pairs):
    source, lengths, target = pairs
    parts = [tuple(part[rows] for part in pairs) for rows in ([0], [1, 2])]
    assert signs_of(model, *parts) == pytest.approx(signs_of(model, (source, lengths, target)), abs=1e-6)


def test_rank_is_that_of_roy_and_vetterli(model, pairs):
    assert effective_rank(torch.tensor([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3.0)
    assert effective_rank(torch.tensor([1.0, 0.0])) == pytest.approx(1.0)
    assert effective_rank(torch.zeros(3)) == 0.0
    cell = trace(model, *pairs).cells["decoder 1"]
    states = cell.hidden[cell.mask].double()
    sizes = torch.linalg.svdvals(states - states.mean(0))
    most = min(states.shape[1], len(states) - 1)
    wanted = effective_rank(sizes) / most
    assert signs_of(model, pairs)["rank", "decoder 1", ""] == pytest.approx(wanted, rel=1e-3)


def test_without_a_state_a_cell_knows_only_what_it_reads(build_model, pairs):
    model = build_model(decoder="luong", cell=GRUCell).eval()
    source, lengths, target = pairs
    other = target.clone()
    other[:, 1] = (other[:, 1] + 1) % 9 + 4  # another second token; of no step behind the one that reads it

    def hidden(written):
        with intervening(model, StateReset("decoder 1")):
            return trace(model, source, lengths, written).cells["decoder 1"].hidden

    assert torch.equal(hidden(target)[:, 2:], hidden(other)[:, 2:])
    assert not torch.equal(hidden(target)[:, 1], hidden(other)[:, 1])
    changed = trace(model, source, lengths, other).cells["decoder 1"].hidden
    assert not torch.equal(trace(model, source, lengths, target).cells["decoder 1"].hidden[:, 2:], changed[:, 2:])


@pytest.mark.parametrize("layers", [1, 2])
def test_without_states_a_decoder_says_nothing_of_what_it_wrote_before(build_model, any_decoder, layers, pairs):
    """A decoder that asks attention by the state before would else look by what was written two tokens ago."""
    model = build_model(decoder=any_decoder, decoder_layers=max(layers, 2 if any_decoder == "gnmt" else 1)).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    source, lengths, target = pairs
    other = target.clone()
    other[:, 1] = (other[:, 1] + 1) % 9 + 4
    cells = [name for name in named_cells(model) if name.startswith("decoder")]

    def features(written, *changes):
        with intervening(model, *changes):
            return trace(model, source, lengths, written).features[:, 2:]

    reset = [StateReset(name) for name in cells]
    assert torch.equal(features(target, *reset), features(other, *reset))
    assert not torch.equal(features(target), features(other))


def test_a_decoder_that_ignores_its_context_needs_none(build_model, pairs):
    model = build_model(decoder="luong", cell=LSTMCell).eval()
    with torch.no_grad():
        model.decoder.readout.projection.weight.zero_()  # it says the same, whatever it reads
        model.decoder.readout.projection.bias.normal_()
    source, lengths, _ = pairs
    with torch.no_grad():
        features, *_ = model(source, lengths, pairs[2][:, :-1])
        said = int(model.output.logits(features[:, 0]).argmax(-1)[0])
    target = torch.tensor([[2, said, said]] * len(source))
    found = signs_of(model, (source, lengths, target))
    assert found["without_context", "decoder", ""] == found["without_state", "decoder", ""] == 1.0
    other = torch.tensor([[2, (said + 1) % 9 + 4]] * len(source))
    assert ("without_context", "decoder", "") not in signs_of(model, (source, lengths, other))  # none is right


def test_of_a_tagger_it_is_not_asked_what_its_decoder_leans_on(pairs):
    source, lengths, _ = pairs
    model = build_tagger(source_size=int(source.max()) + 1, size=int(source.max()) + 1).eval()
    target = torch.cat([torch.full_like(source[:, :1], BOS), source], 1)
    found = signs_of(model, (source, lengths, target))
    assert {place for _, place, _ in found} == {"encoder 1 forward", "encoder 1 backward", "attention"}
    assert not {kind for kind, _, _ in found} & {"without_context", "without_state"}


def test_sentences_name_place_share_and_what_to_try():
    signs = [
        VitalSign("kept", "decoder 2", 0.31, "forget"),
        VitalSign("kept", "decoder 1", 0.2, "forget"),
        VitalSign("without_context", "decoder", 0.95),
        VitalSign("without_state", "decoder", 0.5),
        VitalSign("rank", "encoder 1 forward", 0.5),
    ]
    assert list(health_sentences(signs)) == [
        "kept, decoder 2: 31 % of forget gates above 0.99 on every step: they never let go: try "
        "model.cell.initialization.forget_bias=0, or optimizer=adamw",
        "without_context, decoder: 95 % of right next tokens stay so without context: try "
        "model.target_word_dropout=0.1, or a longer run: above 90 % the source is hardly read, below 2 % "
        "attention is all that there is",
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_what_a_rule_says_to_try_can_be_typed(rule, plain_config_of):
    plain = plain_config_of("train")
    assert rule.trials or rule.advice
    for trial in rule.trials:
        assert plain_config_of("train", trial) != plain, trial
    for name in re.findall(r"\b[a-z]+(?:\.[a-z_]+)+", rule.advice):
        node = plain
        for part in name.split("."):
            node = node[part]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
@pytest.mark.parametrize("kind", KINDS)
def test_what_each_kind_of_model_is_told_to_try_it_takes(rule, kind, build_model, plain_config_of):
    """Composed and built, whatever the data will be."""
    model = {"transducer": build_transducer, "tagger": build_tagger}.get(kind, build_model)()
    if kind == "frames":
        model.encoder.input.frames = True
    left_out = not_taken(model)
    for trial in rule.trials:
        told = f"try {trial}" in rule.sentence(SIGN, left_out) or f"or {trial}" in rule.sentence(SIGN, left_out)
        assert told == (trial.partition("=")[0] not in left_out)
        given = re.sub(r"=(\d+)$", r"=\1.0", trial)  # signatures want a float
        if told:
            checked(plain_config_of("train", *KINDS[kind], given))
        else:
            with pytest.raises((UserError, HydraException)):
                checked(plain_config_of("train", *KINDS[kind], given))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_the_page_has_each_sign_by_its_title_and_range(rule):
    page = (Path(__file__).parents[2] / "docs" / "health.md").read_text(encoding="utf-8")
    assert f"| `{rule.kind}` | {rule.title} | {100 * rule.low:.0f} to {100 * rule.high:.0f} % |" in page


def test_the_picture_has_a_line_for_each_place_and_the_range():
    points = [
        (step, [VitalSign("dead", "decoder 1", share), VitalSign("kept", "decoder 1", share, "forget")])
        for step, share in ((10, 0.2), (20, 0.4))
    ]
    kept, dead = vital_figure(points, title="a run").axes
    assert [list(kept.lines[0].get_xdata()), list(kept.lines[0].get_ydata())] == [[10, 20], [0.2, 0.4]]
    assert kept.lines[0].get_label() == "decoder 1 forget"
    assert list(dead.lines[1].get_ydata()) == [0.1, 0.1]
