"""What several references of one source count for: by hand from the losses of each, and in whole runs."""

import json
import math

import pytest
import torch
from kept_runs import last, same
from torch.testing import assert_close

from seq2seq.commands.train import train
from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.config.moved import up_to_date
from seq2seq.data.batch import Batch
from seq2seq.errors import UserError
from seq2seq.runs.possible_references import refuse_references
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.distillation import Distillation
from seq2seq.training.objectives.guided_attention import GuidedAttention
from seq2seq.training.objectives.objective import Objective
from seq2seq.training.objectives.r_drop import RDrop
from seq2seq.training.objectives.references import weights_of

# Three references of one source, one of another, two of a third.
OWNERS = [0, 0, 0, 1, 2, 2]
SOURCES = [[4, 5, 6]] * 3 + [[7]] + [[5, 5]] * 2
TARGETS = [[4, 5], [5, 5, 4], [6], [4], [7, 8], [8]]
KINDS = ("mean", "best", "log_sum")
PLAIN = {
    "cross entropy": lambda: CrossEntropy(label_smoothing=0.0),
    "smoothed": lambda: CrossEntropy(label_smoothing=0.2),
}


@pytest.fixture
def together(new_batch):
    """A batch of the pairs above, with owners, or with `rows` of them alone."""

    def build(references, rows=range(6), **options) -> Batch:
        batch = new_batch([SOURCES[row] for row in rows], [TARGETS[row] for row in rows], **options)
        owners = torch.tensor([OWNERS[row] for row in rows])
        batch.owners, batch.references = owners.unique_consecutive(return_inverse=True)[1], references
        return batch

    return build


def expected(references, losses):
    """What is made of the losses of the references of each source."""
    made = {
        "mean": lambda own: own.mean(),
        "best": lambda own: own.min(),
        "log_sum": lambda own: -(-own).logsumexp(0),
    }[references]
    owners = torch.tensor(OWNERS)
    return torch.stack([made(losses[owners == number]) for number in range(3)])


def single_losses(objective, model, new_batch):
    """The loss of each pair alone."""
    batches = [new_batch([source], [target]) for source, target in zip(SOURCES, TARGETS, strict=True)]
    return torch.stack([objective(model, batch, batch.target_inputs) for batch in batches])


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]


@pytest.mark.parametrize(
    ("references", "loss", "weights"),
    [
        ("mean", 1.5 + 3.0, [0.5, 0.5, 1.0]),
        ("best", 1.0 + 3.0, [1.0, 0.0, 1.0]),
        # exp(-1) + exp(-2) = 0.50321; shares 0.73106 and 0.26894
        ("log_sum", 0.68674 + 3.0, [0.73106, 0.26894, 1.0]),
    ],
)
def test_an_example_by_hand(new_batch, references, loss, weights):
    """Losses 1 and 2 of two references, of one and two tokens, and 3 of another source."""
    batch = new_batch([[4], [4], [5]], [[], [4], []])
    batch.owners, batch.references = torch.tensor([0, 0, 1]), references
    losses = torch.tensor([1.0, 0.5, 1.5, 3.0])
    of_tokens, more = weights_of(batch, losses)
    assert_close(of_tokens, torch.tensor([weights[0], weights[1], weights[1], weights[2]]), atol=1e-5, rtol=0)
    assert float((of_tokens * losses).sum() + more) == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("references", KINDS)
@pytest.mark.parametrize("plain", PLAIN)
@pytest.mark.parametrize("decoder", ["gnmt", "bahdanau"])
def test_loss_and_gradient_are_of_the_single_losses(build_model, new_batch, together, references, plain, decoder):
    model, objective = build_model(decoder=decoder).double(), PLAIN[plain]()
    wanted = expected(references, single_losses(objective, model, new_batch)).sum()
    batch = together(references, extra=2)
    found = objective(model, batch, batch.target_inputs)
    assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    for own, other in zip(gradients(model, found), gradients(model, wanted), strict=True):
        assert_close(own, other, rtol=1e-7, atol=1e-9)


def test_the_gradient_of_log_sum_is_weighted_by_the_posterior(build_model, new_batch, together):
    model, objective = build_model().double(), PLAIN["cross entropy"]()
    losses = single_losses(objective, model, new_batch)
    posterior = torch.cat([(-losses[:3]).softmax(0), torch.ones(1), (-losses[4:]).softmax(0)]).detach()
    wanted = gradients(model, (posterior * losses).sum())
    batch = together("log_sum")
    for own, other in zip(gradients(model, objective(model, batch, batch.target_inputs)), wanted, strict=True):
        assert_close(own, other, rtol=1e-7, atol=1e-9)


def test_of_equal_losses_best_is_their_mean(new_batch):
    batch = new_batch([[4], [4]], [[], []])
    batch.owners, batch.references = torch.tensor([0, 0]), "best"
    assert weights_of(batch, torch.tensor([2.0, 2.0]))[0].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("references", KINDS)
@pytest.mark.parametrize("options", [{"coverage_loss": 0.7}, {"entropy_floor": 2.0}, {"activation_loss": 2.0}])
def test_terms_of_attention_and_outputs_have_the_weights_of_their_tokens(build_model, together, references, options):
    model, batch = build_model(), together(references)
    plain, other = CrossEntropy(label_smoothing=0.0), CrossEntropy(label_smoothing=0.0, **options)
    without, both = (objective(model, batch, batch.target_inputs) for objective in (plain, other))
    weights = plain.token_weights
    outputs = model(batch.source, batch.source_lengths, batch.target_inputs)
    batch.owners = None
    alone = other.loss(model, batch, outputs) - plain.loss(model, batch, outputs)
    assert 0 < both - without < alone
    assert torch.equal(other.token_weights if other.token_weights is not None else weights, weights)


@pytest.mark.parametrize("references", KINDS)
def test_what_two_processes_share_is_the_loss_of_one(build_model, together, references):
    model, objective = build_model(), PLAIN["smoothed"]()
    losses = [
        objective(model, batch, batch.target_inputs)
        for batch in (together(references), together(references, [0, 1, 2, 4, 5]), together(references, [3]))
    ]
    assert_close(losses[1] + losses[2], losses[0])


@pytest.mark.parametrize("references", KINDS)
def test_a_silent_batch_has_no_loss(build_model, together, references):
    batch = together(references, [0], silent=True)  # as a process gets it that no source is left for
    assert CrossEntropy()(build_model(), batch, batch.target_inputs) == 0


def test_the_likelihood_is_that_of_tokens_by_their_weights(build_model, new_batch, together):
    model, objective = build_model(), PLAIN["cross entropy"]()
    losses = single_losses(objective, model, new_batch)
    for references in ("mean", "best"):
        batch = together(references)
        CrossEntropy(label_smoothing=0.1)(model, batch, batch.target_inputs)
        objective(model, batch, batch.target_inputs)
        assert_close(objective.likelihood, expected(references, losses).sum().detach())


# ---- On the way to other objectives


def test_r_drop_weighs_both_draws_apart_and_their_divergence(build_model, together):
    torch.manual_seed(1)
    model = build_model(dropout=0.5)
    for references in KINDS:
        batch = together(references)
        twice = batch.twice()
        assert twice.owners.tolist() == [0, 0, 0, 1, 2, 2, 6, 6, 6, 7, 8, 8]
        outputs = model(twice.source, twice.source_lengths, twice.target_inputs)
        small, large = (RDrop(base=PLAIN["smoothed"](), alpha=alpha) for alpha in (1e-6, 3.0))
        base = CrossEntropy(label_smoothing=0.2).loss(model, twice, outputs)
        assert_close(small.loss(model, twice, outputs), base, rtol=1e-4, atol=1e-4)
        divergence = (large.loss(model, twice, outputs) - base) / 3
        twice.owners = None
        whole = (large.loss(model, twice, outputs) - CrossEntropy(label_smoothing=0.2).loss(model, twice, outputs)) / 3
        assert 0 < divergence < whole


def test_guided_attention_and_distillation_weigh_tokens_as_their_base_does(build_model, together):
    """With the best alone, the loss is that of a batch that has no others."""
    model, teacher = build_model().eval(), build_model().eval()
    batch, base = together("best"), PLAIN["cross entropy"]()
    base(model, batch, batch.target_inputs)
    rows = sorted(set((batch.target_places // batch.target_outputs.shape[1])[base.token_weights == 1].tolist()))
    assert len(rows) == 3
    kept = together("best", rows)
    shape = kept.target_outputs.shape[1], kept.source.shape[1]
    batch.alignments = torch.ones(*batch.target_outputs.shape, batch.source.shape[1])
    kept.alignments = torch.ones(3, *shape)
    taught = Distillation(teachers="RUN", weight=1.0, base=base)
    taught.models = [teacher]
    for objective in (GuidedAttention(base=base, weight=1.0), taught):
        losses = [objective(model, each, each.target_inputs) for each in (batch, kept)]
        assert torch.equal(objective.token_weights, torch.ones(int(kept.step_tokens)))
        if objective is taught:
            assert_close(*losses)
    for each in (batch, kept):
        each.alignments[:, :, each.source.shape[1] - 1 :] = 0  # attention to padding has no logarithm
    wanted, found = (GuidedAttention(base=base)(model, each, each.target_inputs) for each in (kept, batch))
    assert_close(found, wanted)


def test_risks_are_of_sources_and_not_of_references(together):
    assert together("best").first_rows().tolist() == [0, 3, 4]
    assert together("best", silent=True).first_rows().tolist() == []
    batch = together("best")
    batch.owners = None
    assert batch.first_rows().tolist() == list(range(6))


# ---- In whole runs

RUN = ["averaging.decay=0.5", "trainer.val_check_interval=2", "budget.max_steps=6", "batches.max_tokens=120"]
SEVERAL = [(f"{a} {b} {a}", f"{c} {d} {a}") for a in "abcd" for b in "abcd" for c, d in ((b, a), (a, b))][:-3]


@pytest.fixture(scope="module")
def train_several(tiny_config, tmp_path_factory):
    """Train on sources of up to two targets, in a folder that is made if it is not there."""
    path = tmp_path_factory.mktemp("data") / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in SEVERAL))
    data = {"_target_": "seq2seq.data.corpora.tsv.TSVCorpus", "train": str(path), "dev_size": 4}

    def run(folder, *overrides, resume=False):
        folder.mkdir(exist_ok=True)
        train({**tiny_config(*RUN, *overrides), "data": data}, folder, resume=resume)

    return run


TOGETHER = [
    *("objective=r_drop", "model.dropout=0.2", "scheduled_sampling=constant", "trainer.accumulate_grad_batches=2"),
    *("objective.base.smoothing_prior=unigram", "augmentation=copying", "augmentation.tag=null", "tokenizer=char"),
]


@pytest.mark.parametrize(
    ("references", "more"), [*((kind, []) for kind in KINDS), ("log_sum", TOGETHER)], ids=[*KINDS, "with others"]
)
def test_it_changes_what_is_learnt_and_goes_on_to_the_bit(train_several, tmp_path, interrupt_at, references, more):
    asked = [*more, f"references={references}"]
    train_several(tmp_path / "whole", *asked)
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        train_several(tmp_path / "parted", *asked)
    train_several(tmp_path / "parted", *asked, resume=True)
    assert same(last(tmp_path / "parted"), last(tmp_path / "whole"))
    train_several(tmp_path / "each", *more)
    assert not same(last(tmp_path / "each"), last(tmp_path / "whole"))


def test_risks_and_references_go_together(train_several, tmp_path):
    risk = ["objective=minimum_risk", "objective.samples=2", "objective.start=0.5"]
    train_several(tmp_path, *risk, "references=best")
    scores = json.loads((tmp_path / "metrics.json").read_text())["scores"]
    assert all(map(math.isfinite, scores.values()))


class Unweighed(Objective):
    """An objective that knows of no weights."""

    def loss(self, model, batch, outputs):
        return outputs.features.sum()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["references=all"], "references must be one of each, mean, best, log_sum, but is 'all'."),
        (
            ["references=log_sum", "model.output.normalizer=entmax"],
            "references=log_sum needs an output by softmax, as it sums likelihoods, but normalizer is entmax: choose "
            "mean or best, or softmax.",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_read(tiny_config, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        refuse_mistakes(tiny_config(*overrides), tmp_path)
    assert str(error.value) == message


def test_an_objective_without_weights_is_refused(build_model):
    with pytest.raises(UserError) as error:
        refuse_references({"references": "best"}, Unweighed(), build_model())
    assert str(error.value) == (
        "references=best needs an objective that weighs pairs, but Unweighed does not: leave it at each, or choose "
        "another objective."
    )
    refuse_references({"references": "each"}, Unweighed(), build_model())


def test_configs_of_before_have_a_pair_each():
    assert up_to_date({"budget": {}})["references"] == "each"
