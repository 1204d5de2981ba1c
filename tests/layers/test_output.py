import pytest
import torch
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.adaptive import AdaptiveOutput
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.mixture import MixtureOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.symbols import BOS, EOS, PAD, UNK

OUTPUTS = {
    "tied": lambda: TiedOutput(feature_size=6, embedding=Embedding(9, 6)),
    "projected": lambda: TiedOutput(feature_size=4, embedding=Embedding(9, 6)),
    "full": lambda: FullOutput(feature_size=6, embedding=Embedding(9, 6)),
    "tied by entmax": lambda: TiedOutput(feature_size=6, embedding=Embedding(9, 6), normalizer="entmax"),
    "full by entmax": lambda: FullOutput(feature_size=6, embedding=Embedding(9, 6), normalizer="entmax"),
    "in chunks": lambda: FullOutput(feature_size=6, embedding=Embedding(9, 6), chunk=4),
    "sampled": lambda: TiedOutput(feature_size=6, embedding=Embedding(9, 6), samples=3),
    "adaptive": lambda: AdaptiveOutput(feature_size=6, embedding=Embedding(9, 6), cutoffs=[5, 7], shrink=2.0),
    "mixture": lambda: MixtureOutput(feature_size=6, embedding=Embedding(9, 6), components=3),
    "mixture of its own": lambda: MixtureOutput(feature_size=6, embedding=Embedding(9, 6), tied=False),
}
SOFTMAX = [kind for kind in OUTPUTS if "entmax" not in kind]


def rows(output) -> torch.Tensor:
    """Features of ten tokens, as wide as the output wants them."""
    return torch.randn(10, getattr(getattr(output, "projection", None), "in_features", 6))


def barred(scores: torch.Tensor) -> torch.Tensor:
    """The scores without PAD and BOS."""
    return scores.index_fill(-1, torch.tensor([PAD, BOS]), float("-inf"))


@pytest.mark.parametrize("kind", OUTPUTS)
def test_what_is_never_said_has_no_probability_and_no_gradient(kind):
    output = OUTPUTS[kind]()
    features = rows(output).requires_grad_()
    probabilities = output.log_probabilities(features).exp()
    assert (probabilities[:, [PAD, BOS]] == 0).all()
    torch.testing.assert_close(probabilities[:, UNK] + probabilities[:, EOS:].sum(1), torch.ones(10))
    output.loss(features, torch.randint(EOS, 9, (10,))).sum().backward()
    assert features.grad.isfinite().all()
    for name, weight in output.named_parameters():
        assert weight.grad.isfinite().all()
        if len(weight) == 9:
            assert not weight.grad[[PAD, BOS]].any(), name


def test_tied_weight_is_the_embedding_and_still_is_after_an_optimizer_step():
    embedding = Embedding(9, 6)
    output = TiedOutput(feature_size=6, embedding=embedding)
    model = torch.nn.ModuleList([embedding, output])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    before = embedding.table.weight.detach().clone()
    features = embedding(torch.tensor([[3, 4, 5]]))[0]
    output.loss(features, torch.tensor([4, 5, 3])).sum().backward()
    optimizer.step()
    assert output.weight is embedding.table.weight
    assert not torch.equal(embedding.table.weight, before)
    assert sum(weight.numel() for weight in model.parameters()) == 9 * 6 + 9


def test_tied_gradient_is_that_of_both_uses():
    embedding = Embedding(9, 6).double()
    output = TiedOutput(feature_size=6, embedding=embedding).double()
    embedded, projected = (embedding.table.weight.detach().clone().requires_grad_() for _ in range(2))
    ids, targets = torch.tensor([3, 4, 5]), torch.tensor([4, 5, 3])
    output.loss(embedding(ids.unsqueeze(0))[0], targets).sum().backward()
    functional.cross_entropy(barred(embedded[ids] @ projected.T), targets, reduction="sum").backward()
    torch.testing.assert_close(output.weight.grad, embedded.grad + projected.grad)


def test_tied_logits_are_products_with_the_embedding():
    output = OUTPUTS["tied"]()
    torch.nn.init.normal_(output.bias)
    features = rows(output)
    torch.testing.assert_close(output.logits(features), barred(features @ output.weight.T + output.bias))


def test_projection_joins_sizes_that_differ():
    output = OUTPUTS["projected"]()
    features = rows(output)
    assert output.projection.weight.shape == (6, 4)
    torch.testing.assert_close(
        output.logits(features), barred(features @ output.projection.weight.T @ output.weight.T + output.bias)
    )


def test_full_output_has_a_matrix_of_its_own():
    embedding = Embedding(9, 6)
    output = FullOutput(feature_size=6, embedding=embedding)
    features = rows(output)
    before = output.logits(features)
    torch.nn.init.zeros_(embedding.table.weight)
    assert torch.equal(output.logits(features), before)
    torch.testing.assert_close(before, barred(features @ output.projection.weight.T + output.projection.bias))
    assert sum(weight.numel() for weight in output.parameters()) == 9 * 6 + 9


@pytest.mark.parametrize("kind", SOFTMAX)
def test_loss_is_cross_entropy_of_the_logits(kind):
    output = OUTPUTS[kind]()
    features, targets = rows(output), torch.randint(EOS, 9, (10,))
    expected = functional.cross_entropy(output.logits(features), targets, reduction="none")
    torch.testing.assert_close(output.loss(features, targets), expected)


@pytest.mark.parametrize("kind", SOFTMAX)
def test_log_probabilities_are_those_of_the_loss(kind):
    output = OUTPUTS[kind]()
    features, targets = rows(output), torch.randint(EOS, 9, (10,))
    found = output.log_probabilities(features)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(10))
    torch.testing.assert_close(-found.gather(1, targets.unsqueeze(1)).squeeze(1), output.loss(features, targets))


@pytest.mark.parametrize(
    ("given", "computed"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)], ids=["bf16", "f64"]
)
def test_loss_is_computed_in_float32_or_better(given, computed):
    output = OUTPUTS["tied"]().to(given)
    loss = output.loss(torch.randn(3, 6, dtype=given), torch.tensor([1, 4, 3]))
    assert loss.dtype == computed


@pytest.mark.parametrize("kind", OUTPUTS)
def test_scores_of_targets_and_logits_are_those_of_the_probabilities(kind):
    output = OUTPUTS[kind]()
    features, targets = rows(output) * 5, torch.randint(EOS, 9, (10,))
    found = output.log_probabilities(features)
    torch.testing.assert_close(output.logits(features).log_softmax(-1), found, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.exp(), output.probabilities(output.barred(features)))
    torch.testing.assert_close(
        found.gather(1, targets.unsqueeze(1)).squeeze(1), output.target_scores(features, targets)
    )
    zeros = int((found[:, EOS:] == float("-inf")).sum())
    assert (zeros > 0) == ("entmax" in kind)


def test_the_loss_by_entmax_pulls_towards_the_target_alone():
    output = OUTPUTS["full by entmax"]()
    features, targets = torch.randn(10, 6), torch.randint(EOS, 9, (10,))
    scores = output.barred(features).detach()
    output.loss(features, targets).sum().backward()
    pull = output.probabilities(scores) - torch.eye(9)[targets]
    torch.testing.assert_close(output.projection.bias.grad, pull.sum(0))


def test_another_normalizer_is_refused():
    with pytest.raises(UserError) as error:
        FullOutput(feature_size=6, embedding=Embedding(9, 6), normalizer="sparsemax")
    assert str(error.value) == "normalizer must be one of softmax, entmax, but is 'sparsemax'."
