"""Learning from what trained models say of every token."""

import gc
import shutil
from weakref import ref

import pytest
import torch
from torch.testing import assert_close

from seq2seq.data.batch import PairSequences
from seq2seq.data.batching import TokenBudget
from seq2seq.data.sequences import TokenSequences
from seq2seq.errors import UserError
from seq2seq.runs.possible_training import check_objective
from seq2seq.runs.run import load_run
from seq2seq.training.objectives import taught_tokens
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.distillation import Distillation, distillation_losses, parts_of
from seq2seq.training.objectives.minimum_risk import MinimumRisk
from seq2seq.training.objectives.taught_tokens import TaughtTokens

SOURCES = [[4, 5, 6], [7], [5, 5]]
TARGETS = [[4, 5], [5, 5, 4], [4]]
TEACHER, STUDENT = torch.tensor([[0.7, 0.2, 0.1, 0.0]]).log(), torch.tensor([[0.5, 0.25, 0.25, 0.0]]).log()


@pytest.fixture
def taught():
    """An objective with models as its teachers."""

    def build(*models, **options):
        objective = Distillation(teachers=["given"], **options)
        objective.models = [model.eval().requires_grad_(False) for model in models]
        return objective

    return build


# Exact values


def test_the_loss_of_two_distributions():
    assert_close(distillation_losses(STUDENT, TEACHER), torch.tensor([0.90109]), atol=1e-5, rtol=0)
    assert_close(distillation_losses(TEACHER, TEACHER), torch.tensor([0.80182]), atol=1e-5, rtol=0)


def test_scores_are_over_the_temperature():
    """Square roots of the probabilities, made to sum to 1; the gradient's size is kept by 4."""
    teacher, student = (scores.exp().sqrt() for scores in (TEACHER, STUDENT))
    teacher, student = teacher / teacher.sum(), student / student.sum()
    wanted = -4 * (teacher[:, :3] * student[:, :3].log()).sum(-1)
    assert_close(distillation_losses(STUDENT, TEACHER, 2.0), wanted)


def test_a_model_that_says_what_its_teacher_says_has_the_entropy_as_loss_and_no_gradient(
    build_model, taught, new_batch
):
    model, teacher = build_model(), build_model()
    teacher.load_state_dict(model.state_dict())
    batch = new_batch(SOURCES, TARGETS, extra=2)
    loss = taught(teacher, weight=1.0)(model, batch, batch.target_inputs)
    loss.backward()
    scores = model.output.log_probabilities(
        batch.of_tokens(model(batch.source, batch.source_lengths, batch.target_inputs).features)
    )
    assert_close(loss, torch.distributions.Categorical(logits=scores.detach()).entropy().sum())
    for name, weight in model.named_parameters():
        assert weight.grad.abs().max() < 1e-6, name


def test_several_teachers_are_the_mean_of_their_probabilities(build_model, taught, new_batch):
    model, first, second = build_model(), build_model(), build_model()
    batch = new_batch(SOURCES, TARGETS)

    def loss(*teachers):
        return taught(*teachers, weight=1.0)(model, batch, batch.target_inputs)

    assert not torch.isclose(loss(first), loss(second))
    assert_close(loss(first, second), (loss(first) + loss(second)) / 2)  # it is linear in q
    assert_close(loss(first, first), loss(first))


def test_the_rest_is_the_base_s_and_teachers_read_what_the_model_reads(build_model, taught, new_batch):
    model, teacher, batch = build_model(), build_model(), new_batch(SOURCES, TARGETS)
    base = CrossEntropy(label_smoothing=0.2)
    other = torch.where(batch.target_inputs == 4, 7, batch.target_inputs)
    for inputs in (batch.target_inputs, other):
        whole = taught(teacher, weight=1.0)(model, batch, inputs)
        mixed = taught(teacher, weight=0.25, base=base)(model, batch, inputs)
        assert_close(mixed, 0.25 * whole + 0.75 * base(model, batch, inputs))
    truth, mixed = (taught(teacher)(model, batch, inputs) for inputs in (batch.target_inputs, other))
    assert not torch.isclose(truth, mixed)


def test_padding_and_silent_batches_add_nothing(build_model, taught, new_batch):
    model, teacher = build_model(), build_model()
    objective = taught(teacher)
    tight, wide = (objective(model, b, b.target_inputs) for b in (new_batch(SOURCES, TARGETS, extra=e) for e in (0, 4)))
    assert_close(tight, wide)
    silent = new_batch(SOURCES, TARGETS, silent=True)
    loss = objective(model, silent, silent.target_inputs)
    loss.backward()
    assert loss.item() == 0
    assert all(weight.grad is not None and not weight.grad.any() for weight in model.parameters())


# What teachers say, kept


@pytest.fixture
def pairs():
    return PairSequences(TokenSequences.from_ids(SOURCES * 2), TokenSequences.from_ids(TARGETS[::-1] * 2))


@pytest.fixture
def keeping(taught, pairs):
    def build(*models, **options):
        objective = taught(*models, weight=1.0, **options)
        objective.pairs = pairs
        return objective

    return build


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_kept_for_the_whole_vocabulary_it_is_the_same(build_model, taught, keeping, pairs, temperature):
    model, *teachers = build_model(), build_model(), build_model()
    batch = pairs.batch(torch.tensor([2, 0, 1]), step_tokens=1.0)
    wanted = taught(*teachers, weight=1.0, temperature=temperature)(model, batch, batch.target_inputs)
    found = keeping(*teachers, temperature=temperature, top=999)(model, batch, batch.target_inputs)
    assert_close(found, wanted)


def test_kept_shares_are_those_of_the_most_probable_tokens(build_model, keeping, pairs):
    model, teacher = build_model(), build_model()
    batch = pairs.batch(torch.tensor([1, 2]), step_tokens=1.0)
    said, own = (
        one.output.log_probabilities(
            batch.of_tokens(one(batch.source, batch.source_lengths, batch.target_inputs).features)
        )
        for one in (teacher.eval(), model)
    )
    best, ids = said.topk(3)
    wanted = -((best / 2).softmax(-1) * (own / 2).log_softmax(-1).gather(1, ids)).sum() * 4
    assert_close(keeping(teacher, top=3, temperature=2.0)(model, batch, batch.target_inputs), wanted)


def test_teachers_read_train_once_and_say_the_same_whenever_it_is_found_anew(build_model, keeping, pairs):
    model, teacher = build_model(), build_model()
    calls = []
    objective = keeping(teacher, top=2)
    teacher.register_forward_hook(lambda *_: calls.append(1))
    for rows in ([0, 1, 2], [3, 1], [5, 4, 0]):
        batch = pairs.batch(torch.tensor(rows), step_tokens=1.0)
        objective(model, batch, batch.target_inputs)
    assert len(calls) == 1
    again = keeping(teacher, top=2)
    again(model, batch, batch.target_inputs)
    for one, other in zip(objective.taught.of(batch), again.taught.of(batch), strict=True):
        assert torch.equal(one, other)
    silent = pairs.batch(torch.tensor([0]), step_tokens=1.0, silent=True)
    assert objective(model, silent, silent.target_inputs).item() == 0


def test_teachers_are_let_go_once_they_have_read(build_model, keeping, pairs):
    objective, batch = keeping(build_model(), top=2), pairs.batch(torch.tensor([0]), step_tokens=1.0)
    teacher = ref(objective.models[0])
    objective(model := build_model(), batch, batch.target_inputs)
    gc.collect()
    assert teacher() is None
    objective(model, batch, batch.target_inputs)


def test_teachers_read_few_tokens_at_a_time_and_score_few_rows(build_model, pairs, monkeypatch):
    teachers = [build_model().eval() for _ in range(2)]
    whole = TaughtTokens(teachers, pairs, 3, torch.device("cpu"))
    shapes, rows, scored = [], [], teachers[0].output.log_probabilities
    monkeypatch.setattr(taught_tokens, "_AT_ONCE", TokenBudget(max_tokens=14, max_sentences=3))
    monkeypatch.setattr(teachers[0].output, "chunk", 2)
    monkeypatch.setattr(teachers[0].output, "log_probabilities", lambda own: (rows.append(len(own)), scored(own))[1])
    teachers[0].register_forward_pre_hook(lambda _, given: shapes.append((given[0].shape, given[2].shape)))
    parts = TaughtTokens(teachers, pairs, 3, torch.device("cpu"))
    assert len(shapes) > 1
    assert all(source[0] <= 3 and source.numel() + target.numel() <= 14 for source, target in shapes)
    assert max(rows) == 2
    for numbers in range(len(pairs)):
        batch = pairs.batch(torch.tensor([numbers]), step_tokens=1.0)
        assert_close(parts.of(batch)[0], whole.of(batch)[0])
        assert torch.equal(parts.of(batch)[1], whole.of(batch)[1])


def test_a_pair_that_teachers_have_not_read_is_refused(build_model, keeping, new_batch):
    batch = new_batch([[4, 4]], [[5]])
    with pytest.raises(UserError, match=r"^top needs pairs as train has them, .*: set top to null.$"):
        keeping(build_model(), top=2)(build_model(), batch, batch.target_inputs)


@pytest.mark.parametrize("option", ["scheduled_sampling=constant", "augmentation=copying", "truncation=window"])
def test_what_changes_pairs_is_refused_beside_it(plain_config_of, teacher, option):
    config = plain_config_of(
        "train", "objective=distillation", f"objective.teachers=[{teacher}]", "objective.top=4", option
    )
    name = option.partition("=")[0]
    with pytest.raises(UserError, match=f"^objective.top must be null with {name}, which changes what teachers have"):
        check_objective(config, metrics=None)


def test_it_can_be_what_another_objective_stands_on():
    distillation = Distillation(teachers="one")
    risk = MinimumRisk(base=distillation)
    assert [type(part).__name__ for part in parts_of(risk)] == ["MinimumRisk", "Distillation", "CrossEntropy"]
    assert distillation.teachers == ("one",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teachers": []}, "teachers must name at least one run, but is empty: give teachers=[RUN]."),
        ({"weight": 0.0}, "weight must be above 0 and at most 1, but is 0.0."),
        ({"weight": 1.5}, "weight must be above 0 and at most 1, but is 1.5."),
        ({"temperature": 0.0}, "temperature must be above 0, but is 0.0."),
        ({"top": 0}, "top must be at least 1, or null for all tokens, but is 0."),
        (
            {"base": MinimumRisk()},
            "base must be an objective of one pass, which it shares, but MinimumRisk makes its own.",
        ),
    ],
)
def test_a_bad_value_is_refused(options, message):
    with pytest.raises(UserError) as error:
        Distillation(**{"teachers": ["a"], **options})
    assert str(error.value) == message


# Runs

LEARNING = ["objective=distillation", "schedule=constant", "model.dropout=0.2", "trainer.val_check_interval=2"]


@pytest.fixture(scope="module")
def teacher(train_tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "run"
    folder.mkdir()
    train_tiny(folder, "budget.max_steps=4", "trainer.val_check_interval=2", "model.embedding_size=12")
    return folder


def state(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_a_run_goes_on_as_it_would_have_and_needs_its_teachers_only_for_that(train_tiny, teacher, tmp_path):
    own = shutil.copytree(teacher, tmp_path / "teacher")
    options = [
        *LEARNING,
        f"objective.teachers=[{own}]",
        "scheduled_sampling=exponential",
        "scheduled_sampling.base=0.9",
    ]
    train_tiny(tmp_path / "whole", *options, "budget.max_steps=6")
    train_tiny(tmp_path / "parts", *options, "budget.max_steps=4")
    parts = shutil.copytree(tmp_path / "parts", tmp_path / "left")
    train_tiny(tmp_path / "parts", *options, "budget.max_steps=6", resume=True)
    whole = state(tmp_path / "whole")
    assert all(torch.equal(weight, whole[name]) for name, weight in state(tmp_path / "parts").items())
    assert not any("teacher" in name for name in whole)
    train_tiny(tmp_path / "alone", *LEARNING[1:], *options[5:], "budget.max_steps=6")
    assert not torch.equal(whole["model.output.bias"], state(tmp_path / "alone")["model.output.bias"])
    shutil.rmtree(own)
    assert load_run(parts / "checkpoints" / "last.ckpt").step == 4
    with pytest.raises(UserError) as error:
        train_tiny(parts, *options, "budget.max_steps=6", resume=True)
    assert str(error.value) == (
        "objective.teachers must be runs that are there for as long as others learn from them, but "
        f"run={own} does not exist: give a run folder or a checkpoint file."
    )


def test_a_run_that_keeps_what_teachers_say_goes_on_as_it_would_have(train_tiny, teacher, tmp_path):
    options = [*LEARNING, f"objective.teachers=[{teacher}]"]
    kept = [*options, "objective.top=3"]
    for name, own, steps in (("whole", kept, 5), ("parts", kept, 3), ("all", options, 5)):
        train_tiny(tmp_path / name, *own, f"budget.max_steps={steps}")
    train_tiny(tmp_path / "parts", *kept, "budget.max_steps=5", resume=True)
    whole = state(tmp_path / "whole")
    assert all(torch.equal(weight, whole[name]) for name, weight in state(tmp_path / "parts").items())
    assert not torch.equal(whole["model.output.bias"], state(tmp_path / "all")["model.output.bias"])


def test_a_teacher_of_another_vocabulary_is_refused_by_name(train_tiny, teacher, tmp_path):
    with pytest.raises(UserError) as error:
        train_tiny(tmp_path, *LEARNING, f"objective.teachers=[{teacher}]", "budget.max_steps=2", "data.alphabet_size=9")
    assert str(error.value).startswith(
        f"objective.teachers must have the tokenizers of the run that learns, but {teacher} has another source "
        "vocabulary: train both on the same data"
    )
    assert list(tmp_path.iterdir()) == []
    train_tiny(
        tmp_path / "fewer", *LEARNING, f"objective.teachers=[{teacher}]", "budget.max_steps=2", "data.alphabet_size=5"
    )
