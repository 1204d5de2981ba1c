"""Attention that is shown where to look."""

import math

import pytest
import torch
from torch.testing import assert_close

from seq2seq.commands.train import train
from seq2seq.config.builder import build
from seq2seq.errors import UserError
from seq2seq.runs.possible import checked
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.guided_attention import GuidedAttention, strayings
from seq2seq.training.objectives.r_drop import RDrop

SOURCES = [[4, 5, 6], [7], [5, 5]]
TARGETS = [[4, 5], [5, 5, 4], [4]]


def guided(**options) -> GuidedAttention:
    return GuidedAttention(base=CrossEntropy(label_smoothing=0.0), **options)


@pytest.fixture
def aligned(new_batch):
    """A batch in which token i of a target belongs to token i of its source, and where that has none, to nothing."""

    def build(extra: int = 0):
        batch = new_batch(SOURCES, TARGETS, extra=extra)
        shape = (*batch.target_outputs.shape, batch.source.shape[1])
        batch.alignments = torch.eye(max(shape))[: shape[1], : shape[2]].expand(shape).clone()
        for row, length in enumerate(batch.source_lengths.tolist()):
            batch.alignments[row, :, length:] = 0
        return batch

    return build


def test_an_example_by_hand():
    found = torch.tensor([[[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.5, 0.0]]])
    wanted = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]])
    assert strayings(wanted, found).sum().item() == pytest.approx(1.2141, abs=5e-5)
    assert strayings(wanted, found)[0, 2] == 0


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_the_loss_is_the_base_and_the_weighted_cross_entropy_of_real_tokens(build_model, aligned, decoder):
    model, batch = build_model(decoder=decoder), aligned(extra=2)
    outputs = model(batch.source, batch.source_lengths, batch.target_inputs)
    plain = CrossEntropy(label_smoothing=0.0).loss(model, batch, outputs).item()
    objective = guided(weight=0.3)
    expected = 0.0
    for row, target in enumerate(TARGETS):
        for step in range(min(len(target) + 1, len(SOURCES[row]) + 1)):
            expected -= math.log(outputs.weights[row, step, step].item())
    assert objective.loss(model, batch, outputs).item() - plain == pytest.approx(0.3 * expected, rel=1e-4)
    assert objective.likelihood.item() == pytest.approx(plain)


def test_a_shortened_source_is_guided_by_sums(build_model, aligned):
    """What two tokens share weighs once: even weights on one value would be no mistake."""
    model, batch = build_model(halvings=1), aligned()
    outputs = model(batch.source, batch.source_lengths, batch.target_inputs)
    plain = CrossEntropy(label_smoothing=0.0).loss(model, batch, outputs)
    expected = 0.0
    for row, target in enumerate(TARGETS):
        for step in range(min(len(target) + 1, len(SOURCES[row]) + 1)):
            pair = outputs.weights[row, step, step // 2 * 2 : step // 2 * 2 + 2]
            expected -= math.log(pair.sum().item())
    assert (guided(weight=1.0).loss(model, batch, outputs) - plain).item() == pytest.approx(expected, rel=1e-4)


def test_the_weight_falls_to_nothing():
    objective = guided(weight=0.4, duration=0.5)
    found = []
    for spent in (0.0, 0.25, 0.5, 0.9):
        objective.begin(spent)
        found.append(objective.present_weight)
    assert found == pytest.approx([0.4, 0.2, 0.0, 0.0])
    steady = guided(weight=0.4)
    steady.begin(0.9)
    assert steady.present_weight == 0.4


def test_it_teaches_attention_where_to_look(build_model, aligned):
    model, batch = build_model(attention="general"), aligned()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    objective = guided(weight=1.0)
    for _ in range(60):
        optimizer.zero_grad()
        objective(model, batch, batch.target_inputs).backward()
        optimizer.step()
    weights = model(batch.source, batch.source_lengths, batch.target_inputs).weights
    assert weights[0, range(3), range(3)].min() > 0.8


def test_it_goes_with_r_drop(build_model, aligned):
    model, batch = build_model(), aligned()  # without dropout: equal draws
    objective = RDrop(base=guided(weight=0.4, duration=1.0))
    assert objective.needs_alignments
    objective.begin(0.5)
    alone = guided(weight=0.2)
    assert_close(objective(model, batch, batch.target_inputs), 2 * alone(model, batch, batch.target_inputs))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": 0.0}, "weight must be above 0, but is 0.0: without guidance, choose another objective."),
        ({"duration": 0.0}, "duration must be above 0 and at most 1, or null for all the time, but is 0.0."),
        ({"duration": 1.5}, "duration must be above 0 and at most 1, or null for all the time, but is 1.5."),
    ],
)
def test_bad_values_are_refused(options, message):
    with pytest.raises(UserError) as error:
        guided(**options)
    assert str(error.value) == message


def test_zeros_are_refused(build_model):
    model = build_model()
    model.decoder.attention.normalizer = "entmax"
    with pytest.raises(UserError) as error:
        guided().check(model)
    assert str(error.value) == (
        "Guided attention needs weights above 0, but attention_normalizer is entmax: choose softmax, or another "
        "objective."
    )


def test_a_batch_without_alignments_is_refused(build_model, new_batch):
    batch = new_batch(SOURCES, TARGETS)
    with pytest.raises(UserError, match="^Guided attention needs alignments of the training pairs, but there are none"):
        guided()(build_model(), batch, batch.target_inputs)


def test_a_config_without_alignments_is_refused_before_data_are_read(tiny_config):
    with pytest.raises(UserError) as error:
        checked(tiny_config("budget.max_steps=1", "objective=guided_attention"))
    assert str(error.value) == (
        "objective needs alignments of the training pairs, but data.alignments is not given: use data=parallel with "
        "data.alignments=FILE, or choose another objective."
    )


def test_r_drop_takes_it_as_its_base_and_not_the_other_way_round(tiny_config):
    given = tiny_config("objective=r_drop", "objective@objective.base=guided_attention")
    found = build(given["objective"], "objective")
    assert [type(part) for part in (found, found.base, found.base.base)] == [RDrop, GuidedAttention, CrossEntropy]
    assert found.needs_alignments
    given = tiny_config("objective=guided_attention", "objective@objective.base=r_drop")
    with pytest.raises(UserError) as error:
        build(given["objective"], "objective")
    assert str(error.value) == (
        "objective.base must be an objective of the batch as it is, but is RDrop: make this one its base."
    )


def test_a_run_is_guided_and_resumes_to_the_bit(tiny_config, tmp_path):
    pairs = [" ".join(chr(97 + (7 * number + place) % 6) for place in range(1 + number % 4)) for number in range(30)]
    for name, lines in (("train", pairs), ("dev", pairs[:5])):
        (tmp_path / f"{name}.s").write_text("\n".join(lines) + "\n")
        (tmp_path / f"{name}.t").write_text("\n".join(lines) + "\n")
    links = [" ".join(f"{place}-{place}" for place in range(len(line.split()))) for line in pairs]
    (tmp_path / "links").write_text("\n".join(links) + "\n")
    data = {
        "_target_": "seq2seq.data.corpora.parallel.ParallelCorpus",
        **{"source": "s", "target": "t", "alignments": str(tmp_path / "links")},
        **{split: f"{tmp_path}/{split}.{{side}}" for split in ("train", "dev")},
    }

    def weights(name: str, *overrides: str, steps: int = 4, resume: bool = False) -> dict:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        config = tiny_config(
            "schedule=constant", "trainer.val_check_interval=2", f"budget.max_steps={steps}", *overrides
        )
        train({**config, "data": data}, folder, resume=resume)
        return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]

    plain = weights("plain")
    guided = ["objective=guided_attention", "objective.weight=2.0", "objective.duration=1.0"]
    whole, other = weights("whole", *guided), weights("other", *guided[:2])
    steady = weights("steady", *guided[:2], steps=2)
    resumed = weights("steady", *guided[:2], resume=True)
    assert all(torch.equal(other[name], resumed[name]) for name in other)
    name = "model.encoder.input.embedding.table.weight"
    assert len({tuple(found[name].flatten().tolist()) for found in (plain, whole, other, steady)}) == 4


@pytest.mark.parametrize("attention", ["local", "monotonic"])
def test_attention_that_has_zeros_of_its_own_is_refused(build_model, attention):
    with pytest.raises(UserError, match="Guided attention needs weights above 0, which "):
        GuidedAttention(base=CrossEntropy()).check(build_model(attention=attention))
