"""Training by entmax: of the output, of attention, and with what goes beside it."""

import pytest
import torch
from torch.testing import assert_close

from seq2seq.compression.packing import pack
from seq2seq.decoding.scoring import score_targets
from seq2seq.errors import UserError
from seq2seq.layers.entmax import entmax, entmax_loss
from seq2seq.layers.output.full import FullOutput
from seq2seq.runs.possible import checked
from seq2seq.symbols import BOS, PAD
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.r_drop import RDrop

SOURCES = [[4, 5, 6], [7], [5, 5]]
TARGETS = [[4, 5], [5, 5, 4], [4]]


@pytest.fixture
def sparse(build_model):
    """A model by entmax, with scores far enough apart for zeros."""
    model = build_model(output=FullOutput)
    model.output.normalizer = "entmax"
    with torch.no_grad():
        model.output.projection.weight.mul_(20)
    return model


@pytest.mark.parametrize("prior", ["uniform", "unigram"])
def test_smoothing_is_a_loss_whose_gradient_is_probability_less_smoothed_target(sparse, new_batch, prior):
    batch, counts = new_batch(SOURCES, TARGETS), torch.tensor([0, 1, 0, 3, 3, 4, 0, 0, 0, 0, 0, 0, 0])
    objective = CrossEntropy(label_smoothing=0.2, smoothing_prior=prior)
    objective.prepare(counts)
    loss = objective(sparse, batch, batch.target_inputs)
    loss.backward()
    outputs = sparse(batch.source, batch.source_lengths, batch.target_inputs)
    scores = sparse.output.barred(batch.of_tokens(outputs.features)).detach()
    even = torch.tensor([0.0 if token in (PAD, BOS) else 1 / 11 for token in range(13)])
    spread = even if prior == "uniform" else counts / counts.sum()
    targets = 0.8 * torch.eye(13)[batch.of_tokens(batch.target_outputs)] + 0.2 * spread
    assert_close(sparse.output.projection.bias.grad, (entmax(scores) - targets).sum(0))
    assert objective.likelihood is None


def test_without_smoothing_it_is_the_loss_of_entmax(sparse, new_batch):
    batch = new_batch(SOURCES, TARGETS)
    outputs = sparse(batch.source, batch.source_lengths, batch.target_inputs)
    expected = entmax_loss(
        sparse.output.barred(batch.of_tokens(outputs.features)), batch.of_tokens(batch.target_outputs)
    )
    assert_close(CrossEntropy(label_smoothing=0.0).loss(sparse, batch, outputs), expected.sum())


def test_forced_scores_are_the_same_at_once_step_by_step_and_packed(sparse, new_batch):
    """Also where a token has no probability at all."""
    batch, model = new_batch(SOURCES, TARGETS), sparse.eval()
    lengths = batch.target_mask.sum(1)
    at_once = score_targets(model, batch.source, batch.source_lengths, batch.target_outputs, lengths)
    with torch.no_grad():
        outputs = model(batch.source, batch.source_lengths, batch.target_inputs)
        probabilities = model.output.log_probabilities(outputs.features.flatten(0, 1)).unflatten(
            0, lengths.shape + (-1,)
        )
    forced = probabilities.gather(2, batch.target_outputs.unsqueeze(2)).squeeze(2)
    packed = score_targets(pack(model), batch.source, batch.source_lengths, batch.target_outputs, lengths)
    for found, other, scores, length in zip(at_once, packed, forced, lengths.tolist(), strict=True):
        assert found.token_scores == pytest.approx(scores[:length].tolist(), abs=1e-4)
        assert other.token_scores == pytest.approx(found.token_scores, abs=1e-4, rel=1e-3)
    assert any(score == float("-inf") for found in at_once for score in found.token_scores)


def test_r_drop_is_refused(build_model):
    model = build_model(dropout=0.1)
    model.output.normalizer = "entmax"
    with pytest.raises(UserError) as error:
        RDrop(base=CrossEntropy()).check(model)
    assert str(error.value) == (
        "R-Drop needs an output by softmax, as the divergence from zeros is infinite, but normalizer is entmax: choose "
        "softmax, or another objective."
    )


def test_attention_that_normalises_nothing_is_refused_before_data_are_read(tiny_config):
    with pytest.raises(UserError) as error:
        checked(
            tiny_config("budget.max_steps=1", "model/attention=monotonic", "model.decoder.attention_normalizer=entmax")
        )
    assert str(error.value) == (
        "model.decoder.attention_normalizer must be softmax for MonotonicAttention, which normalises no scores, but is "
        "entmax: choose another attention."
    )


@pytest.mark.parametrize("key", ["model.decoder.attention_normalizer", "model.output.normalizer"])
def test_another_name_is_refused_before_data_are_read(tiny_config, key):
    with pytest.raises(UserError) as error:
        checked(tiny_config("budget.max_steps=1", f"{key}=sparsemax"))
    assert str(error.value) == f"{key} must be one of softmax, entmax, but is 'sparsemax'."


def test_both_change_what_is_learnt_and_a_run_is_scored(train_tiny, tmp_path):
    found = {}
    for name in ("", "model.decoder.attention_normalizer=entmax", "model.output.normalizer=entmax"):
        folder = tmp_path / (name or "plain")
        folder.mkdir()
        scores = train_tiny(
            folder,
            "budget.max_steps=2",
            "trainer.val_check_interval=2",
            "scheduled_sampling=linear",
            *filter(None, [name]),
        )
        assert "exact_match" in scores
        found[name] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    plain, attending, saying = found.values()
    name = "model.encoder.input.embedding.table.weight"
    assert not torch.equal(plain[name], attending[name])
    assert not torch.equal(plain[name], saying[name])
