"""LSTMs of lower rank."""

import pytest
import torch

from seq2seq.commands.prune import prune
from seq2seq.commands.train import train
from seq2seq.compression.low_rank import LowRankFactors, factorised, rank_by_energy
from seq2seq.compression.method import Described
from seq2seq.config.builder import build
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run

SIZES = {"source_vocabulary_size": 9, "target_vocabulary_size": 8}


# All cells of a side have one full rank: 40, as they read as much, or less and have as many units.
ONE_LAYER = "model.encoder.num_layers=1", "model.decoder.num_layers=1"
WAYS = [("luong", ONE_LAYER), ("gnmt", ONE_LAYER[:1]), ("bahdanau", ONE_LAYER)]


@pytest.fixture
def whole(plain_config_of):
    """A described model: whole("gnmt", "model.encoder.num_layers=1")."""

    def _whole(name, *overrides):
        sizes = ["model.embedding_size=40", "model.encoder.hidden_size=10", "model.decoder.hidden_size=20"]
        config = plain_config_of("train", f"model={name}", *sizes, "sizing=none", *overrides)["model"]
        torch.manual_seed(5)
        return Described(build(config, "model")(**SIZES).double().eval(), config, SIZES, build)

    return _whole


def outputs(model, padded):
    with torch.inference_mode():
        source, lengths = padded([[5, 6, 7, 3], [4, 3]])
        return model(source, lengths, torch.tensor([[2, 5, 6], [2, 7, 4]])).features


@pytest.mark.parametrize(("name", "overrides"), WAYS)
def test_at_full_rank_the_model_is_the_same(whole, padded, name, overrides):
    given = whole(name, *overrides)
    config, weights = factorised(given, {"encoder": 40, "decoder": 40})
    other = given.built(config).double().eval()
    other.load_state_dict(weights)
    torch.testing.assert_close(outputs(other, padded), outputs(given.model, padded), atol=1e-9, rtol=0)
    assert "LowRank" in type(other.encoder.stack.layers[0].forwards).__name__


def test_a_lower_rank_is_the_closest_of_that_rank(whole):
    given = whole("luong")
    reduced = LowRankFactors(rank=2)(given)
    name = "encoder.stack.layers.0.forwards"
    matrix = given.model.state_dict()[f"{name}.kernel.weight_ih_l0"]
    found = reduced.weights[f"{name}.input_weight"] @ reduced.weights[f"{name}.input_factor"]
    left = torch.linalg.svdvals(matrix)[2:].square().sum().sqrt()
    torch.testing.assert_close((matrix - found).norm(), left, atol=1e-9, rtol=0)
    assert reduced.config["encoder"]["cell"]["rank"] == 2
    assert reduced.said.startswith("ranks of 2 in the encoder, 2 in the decoder: ")
    given.built(reduced.config).load_state_dict(reduced.weights)


def test_a_rank_is_the_least_that_keeps_the_energy(whole):
    given = whole("gnmt")
    reduced = LowRankFactors(energy=0.5)(given)
    for side in ("encoder", "decoder"):
        rank = reduced.config[side]["cell"]["rank"]
        names = [name for name in given.model.state_dict() if name.startswith(side) and ".kernel.weight" in name]
        needed = [rank_by_energy(given.model.state_dict()[name], 0.5) for name in names]
        assert rank == max(needed)
        assert rank > 1


def test_of_zeros_and_of_all_energy_a_rank_is_one_of_the_matrix():
    assert rank_by_energy(torch.zeros(4, 3), 0.9) == 1
    assert rank_by_energy(torch.eye(3), 1.0) == 3
    assert [rank_by_energy(torch.eye(4), share) for share in (0.25, 0.26, 0.5, 0.75)] == [1, 2, 2, 3]


def test_a_rank_that_a_smaller_cell_cannot_have_is_refused(whole):
    with pytest.raises(UserError, match=r"^energy=1.0, which takes \d+, is above 20, full rank of a cell in the enc"):
        LowRankFactors(energy=1.0)(whole("gnmt"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"energy": 0.0}, "energy must be above 0 and at most 1, or null for 0.7, but is 0.0."),
        ({"energy": 1.5}, "energy must be above 0 and at most 1, or null for 0.7, but is 1.5."),
        (
            {"energy": 0.99, "rank": 8},
            "energy must be null beside rank=8, but is 0.99: leave one of them out.",
        ),
        ({"rank": 0}, "rank must be at least 1, or null for the one that energy needs, but is 0."),
        ({"rank": 41}, "rank=41 is above 40, full rank of a cell in the encoder: take a lower one."),
        ({"rank": 39}, "rank=39 needs ranks of 39 in the encoder, 39 in the decoder, whose factors make "),
    ],
)
def test_what_cannot_be_is_refused(whole, options, message):
    with pytest.raises(UserError) as error:
        LowRankFactors(**options)(whole("luong", *ONE_LAYER))
    assert str(error.value).startswith(message)


def test_other_cells_are_refused(whole):
    with pytest.raises(UserError, match=r"^method=low_rank needs the LSTM in the encoder, but its cell is GRUCell.$"):
        LowRankFactors()(whole("luong", "model/cell=gru"))


def test_of_a_side_without_cells_the_other_is_factorised(whole):
    given = whole("tagger", "model.decoder.hidden_size=20")
    reduced = LowRankFactors(rank=2)(given)
    assert reduced.said.startswith("ranks of 2 in the encoder: ")
    assert reduced.config["encoder"]["cell"]["rank"] == 2
    assert reduced.config["decoder"] == given.config["decoder"]
    given.built(reduced.config).load_state_dict(reduced.weights)


def test_a_model_without_cells_is_refused(whole):
    given = whole("tagger")
    bare = {side: {"hidden_size": 4} for side in ("encoder", "decoder")}
    with pytest.raises(UserError, match=r"^method=low_rank needs LSTMs, but the model has no cells: give the run of"):
        LowRankFactors()(Described(given.model, bare, SIZES, build))


def test_a_language_model_is_refused_as_one(plain_config_of):
    sizes = ["model.embedding_size=4", "model.hidden_size=6", "model.num_layers=1", "model.top_size=4"]
    config = plain_config_of("train", "experiment=language_model", "data.train=x.txt", *sizes)["model"]
    given = Described(build(config, "model")(**SIZES), config, SIZES, build)
    with pytest.raises(UserError, match=r"^method=low_rank knows no language models: give the run of a model with a "):
        LowRankFactors()(given)


def test_energy_is_as_if_given_where_neither_is(whole):
    ranks = [LowRankFactors(**given)(whole("gnmt")).said for given in ({}, {"energy": 0.7}, {"energy": 0.5})]
    assert ranks[0] == ranks[1] != ranks[2]


def test_a_run_becomes_one_of_low_rank_and_is_trained_on(finished, config_of, tiny_config, tmp_path):
    record = prune(config_of("prune", f"run={finished}", f"out={tmp_path / 'o'}", "method=low_rank", "method.rank=3"))
    assert record["parameters"]["after"] < record["parameters"]["before"]
    assert load_run(tmp_path / "o").config["model"]["decoder"]["cell"]["rank"] == 3
    (on := tmp_path / "on").mkdir()
    train(tiny_config("budget.max_steps=1", "trainer.val_check_interval=1", f"init={tmp_path / 'o'}"), on, resume=False)
    assert load_run(on).config["model"]["decoder"]["cell"]["rank"] == 3
