"""Objectives of what a model itself says: exact values, what they refuse, and runs that are resumed."""

import math
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from seq2seq.config.closed_table import trusting
from seq2seq.data.examples import Example
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.errors import UserError
from seq2seq.layers.output.full import FullOutput
from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.metrics.risk import Risk
from seq2seq.runs.possible import checked
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.judge import Judge
from seq2seq.training.objectives.minimum_risk import MinimumRisk, distinct, expected_risks
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.sampled import found_by, in_evaluation, log_probabilities
from seq2seq.training.objectives.self_critical import BASELINES, SelfCritical, above_the_others, self_critical_loss

SOURCES = [[4, 5, 6], [7], [5, 5]]
TARGETS = [[4, 5], [5, 5, 4], [4]]
KINDS = [
    partial(MinimumRisk, samples=8, beam=2, alpha=1.0),
    partial(SelfCritical),
    partial(SelfCritical, baseline="mean"),
]


@pytest.fixture
def model_of(build_model, letters):
    """A model of letters with dropout."""

    def build(**options):
        sizes = {f"{side}_vocabulary_size": getattr(letters, side).size for side in ("source", "target")}
        return build_model(**sizes, **{"dropout": 0.3, "encoder_dropout": 0.3, "decoder_dropout": 0.3, **options})

    return build


@pytest.fixture
def judged(letters):
    """An objective with a judge that knows no reference but the batch's."""

    def build(kind, examples=(), **options):
        objective = kind(start=0.0, **options)
        risk = Risk({"exact_match": ExactMatch()}, [], objective.risk)
        objective.judge = Judge(letters, examples, risk, LengthLimits(max_ratio=1.0, max_extra=2))
        return objective

    return build


class Standing(CrossEntropy):
    """An objective on top of another."""

    def __init__(self, *, base: Objective) -> None:
        super().__init__()
        self.base = base


# Exact values


@pytest.mark.parametrize(
    ("alpha", "risk", "gradient"),
    [(1.0, 0.25, [-0.15, 0.075, 0.075]), (0.5, 0.3601, None), (0.005, 0.4985, None)],
)
def test_the_expected_risk_and_its_gradient(alpha, risk, gradient):
    scores = torch.tensor([[0.6, 0.3, 0.1]]).log().requires_grad_()
    risks = torch.tensor([[0.0, 0.5, 1.0]])
    found = expected_risks(scores, risks, alpha)
    found.sum().backward()
    assert_close(found, torch.tensor([risk]), atol=1e-4, rtol=0)
    weights = (alpha * scores).softmax(-1)
    assert_close(scores.grad, (alpha * weights * (risks - found.unsqueeze(1))).detach())
    if gradient:
        assert_close(scores.grad, torch.tensor([gradient]))


def test_places_without_a_candidate_have_no_part_in_the_risk():
    scores = torch.tensor([[0.6, 0.3, 0.1, 0.0]]).log().requires_grad_()
    found = expected_risks(scores, torch.tensor([[0.0, 0.5, 1.0, 0.0]]), 0.5)
    found.sum().backward()
    assert_close(found, torch.tensor([0.3601]), atol=1e-4, rtol=0)
    assert scores.grad[0, 3] == 0


def test_the_self_critical_loss():
    """Rewards of 0.8 and of 0.5 for the greedy one; the sample's tokens have 0.5 and 0.4."""
    scores = torch.tensor([[math.log(0.5) + math.log(0.4)]])
    assert_close(self_critical_loss(scores, torch.tensor([[0.2 - 0.5]])), torch.tensor(0.48283))


def test_equal_risks_have_exactly_no_gradient():
    risks = torch.full((3, 7), 0.1, dtype=torch.double)
    assert not above_the_others(risks).any()
    assert_close(above_the_others(torch.tensor([[1.0, 0.0, 0.5]])), torch.tensor([[0.75, -0.75, 0.0]]))


@pytest.mark.parametrize("baseline", BASELINES)
def test_outputs_as_bad_as_the_baseline_have_exactly_no_gradient(model_of, judged, new_batch, baseline, monkeypatch):
    """A third has no end in binary, so that it is another number in fewer bits."""
    monkeypatch.setattr(Judge, "risks", lambda self, batch, rows, texts: [[1 / 3] * len(own) for own in texts])
    model, batch = model_of(), new_batch(SOURCES, TARGETS)
    judged(SelfCritical, base_weight=0.0, baseline=baseline)(model, batch, batch.target_inputs).backward()
    assert not any(weight.grad.any() for weight in model.parameters() if weight.grad is not None)


def test_of_equal_texts_the_first_stays():
    assert distinct([[[4], [5], [6, 7]], []], [["a", "b", "a"], []]) == ([[[4], [5]], []], [["a", "b"], []])


# On a model


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_log_probabilities_are_those_of_forced_targets(model_of, padded, decoder):
    model, given = model_of(decoder=decoder).eval(), padded([[4, 5, 3], [7, 3]])
    candidates = [[[4, 5, 3], [3], [6, 3]], [[5, 5, 4, 8, 3]]]
    scores, owners = log_probabilities(model, given, candidates)
    assert owners.tolist() == [0, 0, 0, 1]
    for number, (row, ids) in enumerate([(0, [4, 5]), (0, []), (0, [6]), (1, [5, 5, 4, 8])]):
        target = torch.tensor([[*ids, 3]])
        source = given[0][row : row + 1, : int(given[1][row])]
        (forced,) = score_targets(model, source, given[1][row : row + 1], target, torch.tensor([len(ids) + 1]))
        assert_close(scores[number].item(), forced.score, atol=1e-5, rtol=1e-5)
    cut, _ = log_probabilities(model, given, [[[4, 5]], [[5]]])  # an output that was never ended has no EOS
    assert (cut > scores[[0, 3]]).all()
    scores.sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_that_are_cut_are_not_taken_to_have_ended(model_of, judged, new_batch, kind):
    """By entmax that would have had no probability at all."""
    model, batch = model_of(output=FullOutput), new_batch(SOURCES, TARGETS)
    model.output.normalizer = "entmax"
    with torch.no_grad():
        model.output.projection.bias[3] = -100.0
    loss = judged(kind, base_weight=0.0)(model, batch, batch.target_inputs)
    loss.backward()
    assert loss.isfinite()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())


def test_samples_come_as_often_as_the_model_says(model_of, padded):
    """The set that is weighed is drawn from the same distribution that the pass with a gradient computes."""
    model, (source, lengths) = model_of().eval(), padded([[4, 5, 3]])
    search = Sampling(samples=4000, length=LengthLimits(max_ratio=0.0, max_extra=1))
    (found,) = search(model, source, lengths, Request(n_best=4000))
    share = sum(hypothesis.ids == [] for hypothesis in found) / 4000
    (score,), _ = log_probabilities(model, (source, lengths), [[[3]]])
    assert share == pytest.approx(score.exp().item(), abs=3 * math.sqrt(share / 4000) + 1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_before_its_start_the_base_is_all_to_the_bit(model_of, judged, new_batch, kind):
    model, batch = model_of(), new_batch(SOURCES, TARGETS)
    objective = judged(kind)
    objective.start = 0.5

    def loss(asked):
        torch.manual_seed(3)
        return asked(model, batch, batch.target_inputs), torch.get_rng_state()

    own, state = loss(objective)
    base, after = loss(CrossEntropy())
    assert torch.equal(own, base)
    assert torch.equal(state, after)
    assert objective.likelihood is not None
    objective.spent = 0.5
    assert not torch.equal(loss(objective)[0], base)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decoder", ["luong", "bahdanau"])
def test_steps_of_a_model_that_knows_something_lower_its_risk(model_of, judged, new_batch, padded, kind, decoder):
    model, batch = model_of(decoder=decoder), new_batch(SOURCES, TARGETS)
    objective = judged(kind, base_weight=0.0, risk="edits")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

    def risk() -> float:
        """The mean over samples."""
        with in_evaluation(model):
            found = found_by(Sampling(samples=200, length=objective.judge.length), model, padded(SOURCES))
        return torch.tensor(objective.judge.risks(batch, [0, 1, 2], objective.judge.texts(found))).mean().item()

    def train(asked, steps: int) -> None:
        for step in range(steps):
            torch.manual_seed(step)
            optimizer.zero_grad()
            asked(model, batch, batch.target_inputs).backward()
            optimizer.step()

    train(CrossEntropy(), 12)
    before = risk()
    train(objective, 30)
    assert 0.3 < before < 2.5
    assert risk() < 0.85 * before
    assert model.training
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_a_term_is_a_function_of_the_seed_and_reaches_all_weights(model_of, judged, new_batch, kind):
    model, batch, objective = model_of(), new_batch(SOURCES, TARGETS), judged(kind, base_weight=0.0, risk="edits")

    def gradients(seed):
        torch.manual_seed(seed)
        model.zero_grad()
        objective(model, batch, batch.target_inputs).backward()
        return [weight.grad.clone() for weight in model.parameters()]

    first, again, other = gradients(1), gradients(1), gradients(2)
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))
    assert all(gradient.any() for gradient in first[:4])


def test_the_gradient_flows_where_weights_are_cast(model_of, judged, new_batch):
    """Casts that a search made, without gradients, are not taken for those of the pass with them."""
    model, batch = model_of(), new_batch(SOURCES, TARGETS)
    objective = judged(KINDS[0], base_weight=0.0, risk="edits")
    with torch.autocast("cpu", torch.bfloat16):
        loss = objective.term(model, batch)
    loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_batch_adds_nothing(model_of, judged, new_batch, kind):
    model, batch = model_of(), new_batch(SOURCES, TARGETS, silent=True)
    loss = judged(kind)(model, batch, batch.target_inputs)
    loss.backward()
    assert loss.item() == 0
    assert all(weight.grad is not None and not weight.grad.any() for weight in model.parameters())


def test_kernels_stay_as_in_training(model_of):
    """cuDNN has no backward pass else; they drop nothing."""
    model = model_of()
    with in_evaluation(model):
        modes = {type(module).__name__: module.training for module in model.modules()}
    assert modes["LSTM"]
    assert not modes["LockedDropout"]
    assert not modes["LSTMCell"]


def test_a_judge_takes_the_closest_of_all_references_of_a_source(letters, new_batch):
    ids = letters.source.encode(["ab"])
    batch = new_batch(ids, letters.target.encode(["12"]))
    judge = Judge(
        letters,
        [Example("ab", ("12", "3")), Example("c", ("4",)), Example("ab", ("4",))],
        Risk({"exact_match": ExactMatch()}, []),
    )
    assert judge.risks(batch, [0], [["12", "3", "4", "13"]]) == [[0.0, 0.0, 0.0, 1.5]]
    alone = Judge(letters, [], Risk({}, []))
    assert alone.risks(batch, [0], [["12", "3", ""]]) == [[0.0, 1.0, 1.0]]


# What is refused


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (MinimumRisk, {"start": 1.0}, "start must be at least 0 and below 1, a share of the budget, but is 1.0."),
        (MinimumRisk, {"base_weight": -1.0}, "base_weight must be at least 0, but is -1.0."),
        (MinimumRisk, {"alpha": 0.0}, "alpha must be above 0, but is 0.0."),
        (MinimumRisk, {"samples": 0}, "samples must be at least 1, but is 0."),
        (MinimumRisk, {"beam": -1}, "beam must be at least 0, but is -1: 0 for samples alone."),
        (
            MinimumRisk,
            {"samples": 1, "beam": 0},
            "samples must be at least 2 where there is no beam, as a risk is weighed among several.",
        ),
        (
            MinimumRisk,
            {"base": SelfCritical()},
            "base must be an objective that is there from the first step, but is SelfCritical.",
        ),
        (SelfCritical, {"baseline": "none"}, "baseline must be one of greedy, mean, but is 'none'."),
        (
            SelfCritical,
            {"baseline": "mean", "samples": 1},
            "samples must be at least 2 where the baseline is their mean, but is 1.",
        ),
    ],
)
def test_a_bad_value_is_refused(kind, options, message):
    with pytest.raises(UserError) as error:
        kind(**options)
    assert str(error.value) == message


@pytest.mark.parametrize("kind", ["minimum_risk", "self_critical"])
def test_a_start_from_nothing_is_refused_before_data_are_read(train_tiny, tmp_path, kind):
    with pytest.raises(UserError, match="^objective.start must be above 0 where training starts from nothing"):
        train_tiny(tmp_path, f"objective={kind}", "objective.start=0.0", "budget.max_steps=2", "data.train_size=0")


def test_an_objective_that_begins_late_is_not_below_another(tiny_config):
    config = tiny_config("objective=minimum_risk", "budget.max_steps=2")
    below = config["objective"]
    config["objective"] = {"_target_": f"{Standing.__module__}.Standing", "base": below}
    with (
        trusting([Standing.__module__]),
        pytest.raises(UserError, match="^objective must be MinimumRisk itself, with Standing as its base: the other"),
    ):
        checked(config)


def test_a_risk_that_no_metric_has_is_refused_before_data_are_read(train_tiny, tmp_path):
    with pytest.raises(UserError, match=r"^objective.risk must be among edits, exact_match, .*, but is 'bleu'.$"):
        train_tiny(
            tmp_path, "objective=minimum_risk", "objective.risk=bleu", "budget.max_steps=2", "data.train_size=0",
            "metrics=exact_match",
        )  # fmt: skip


# Runs


def test_a_run_that_starts_from_another_may_begin_at_once(train_tiny, tmp_path):
    first = tmp_path / "first"
    first.mkdir()
    train_tiny(first, "budget.max_steps=2", "trainer.val_check_interval=2")
    options = [f"init={first}", "objective=minimum_risk", "objective.start=0.0", "budget.max_steps=2"]
    found = []
    for number, weight in enumerate(("0.0", "1.0")):
        train_tiny(tmp_path / f"{number}", *options, "trainer.val_check_interval=2", f"objective.base_weight={weight}")
        found.append(torch.load(tmp_path / f"{number}" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])
    assert not torch.equal(found[0]["model.output.bias"], found[1]["model.output.bias"])


@pytest.mark.parametrize("kind", KINDS)
def test_it_stands_on_any_base_and_scheduled_sampling(model_of, judged, new_batch, kind):
    """The base reads the mixed inputs; what is sampled has nothing to do with them."""
    model, batch = model_of(dropout=0.0, encoder_dropout=0.0, decoder_dropout=0.0), new_batch(SOURCES, TARGETS)
    mixed = torch.where(batch.target_inputs == 4, 7, batch.target_inputs)
    base = CrossEntropy(label_smoothing=0.3, coverage_loss=0.5)

    def loss(objective, inputs):
        torch.manual_seed(5)
        return objective(model, batch, inputs)

    term = loss(judged(kind, base_weight=0.0, risk="edits"), mixed)
    whole = loss(judged(kind, base_weight=0.5, base=base, risk="edits"), mixed)
    assert_close(whole, term + 0.5 * loss(base, mixed))
    assert_close(term, loss(judged(kind, base_weight=0.0, risk="edits"), batch.target_inputs))


@pytest.mark.parametrize("kind", ["minimum_risk", "self_critical"])
def test_a_run_that_is_resumed_is_the_same(train_tiny, tmp_path, kind):
    common = [f"objective={kind}", "schedule=constant", "model.dropout=0.2", "trainer.val_check_interval=2"]
    options = [*common, "objective.samples=3", "objective.start=0.01", "scheduled_sampling=linear"]

    def weights(folder):
        return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]

    train_tiny(tmp_path / "whole", *options, "budget.max_steps=6", "scheduled_sampling.duration=0.001")
    train_tiny(tmp_path / "parts", *options, "budget.max_steps=4", "scheduled_sampling.duration=0.001")
    train_tiny(tmp_path / "parts", *options, "budget.max_steps=6", "scheduled_sampling.duration=0.001", resume=True)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    train_tiny(tmp_path / "base", *options, "budget.max_steps=6", "objective.start=0.99")
    assert not torch.equal(weights(tmp_path / "base")["model.output.bias"], whole["model.output.bias"])
