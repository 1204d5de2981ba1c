"""The numbers that loggers get beside losses and scores."""

import math

import pytest
import torch
from pytorch_lightning.loggers.logger import DummyLogger

from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.training.budget import Budget
from seq2seq.training.callbacks.length_scores import LengthScores, bucket, label
from seq2seq.training.callbacks.peak_memory import PeakMemory, peak_bytes
from seq2seq.training.callbacks.perplexity import Perplexity
from seq2seq.training.callbacks.throughput import Throughput
from seq2seq.training.callbacks.update_ratio import UpdateRatio, ratios
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.objective import Objective
from seq2seq.translation.translator import Translator


class Board(DummyLogger):
    """A logger that remembers: numbers by name, then by step."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, dict[int, float]] = {}

    def log_metrics(self, metrics, step=None) -> None:
        for name, value in metrics.items():
            self.numbers.setdefault(name, {})[step] = float(value)


@pytest.fixture
def board() -> Board:
    return Board()


# Perplexity


def test_perplexity_is_of_the_likelihood_alone(new_module, fit, board):
    """Smoothing and terms on attention are in the loss, and not in this."""
    objective = CrossEntropy(label_smoothing=0.3, coverage_loss=2.0)
    for step_objective in (objective, CrossEntropy(label_smoothing=0.0)):
        fit(new_module(budget=Budget(max_steps=1), objective=step_objective), Perplexity(), logger=board)
        loss, perplexity = (board.numbers[f"train/{name}"].popitem()[1] for name in ("loss", "perplexity"))
        assert (math.exp(loss) > 1.5 * perplexity) == (step_objective is objective)
    assert math.exp(loss) == pytest.approx(perplexity)


def test_perplexity_of_a_step_of_several_batches(new_module, fit, board):
    objective = CrossEntropy(label_smoothing=0.0)
    module = new_module(budget=Budget(max_steps=2), objective=objective)
    fit(module, Perplexity(), logger=board, accumulate_grad_batches=2)
    losses = board.numbers["train/loss"].values()
    assert [math.log(value) for value in board.numbers["train/perplexity"].values()] == pytest.approx(list(losses))


def test_perplexity_of_dev(new_module, fit, board):
    fit(new_module(budget=Budget(max_steps=4)), Perplexity(), logger=board, val_check_interval=2)
    assert board.numbers["dev/perplexity"].keys() == {2, 4}
    losses = board.numbers["dev/loss"].values()
    assert [math.log(value) for value in board.numbers["dev/perplexity"].values()] == pytest.approx(list(losses))


def test_an_objective_that_keeps_no_likelihood_has_no_perplexity_of_train(new_module, fit, board):
    class Squared(Objective):
        def loss(self, model, batch, outputs):
            return outputs.features.square().sum()

    fit(new_module(budget=Budget(max_steps=2), objective=Squared()), Perplexity(), logger=board)
    assert "train/loss" in board.numbers
    assert "train/perplexity" not in board.numbers


def test_a_perplexity_beyond_all_numbers_is_still_one(new_module, fit, board, monkeypatch):
    monkeypatch.setattr("seq2seq.training.callbacks.perplexity._MOST", 0.5)
    fit(new_module(budget=Budget(max_steps=1)), Perplexity(), logger=board, val_check_interval=1)
    assert board.numbers["dev/perplexity"][1] == pytest.approx(math.exp(0.5))


# Memory, time and updates


def test_memory_is_logged_where_losses_are(new_module, fit, board):
    fit(new_module(budget=Budget(max_steps=5)), PeakMemory(), logger=board, log_every_n_steps=2)
    peaks = board.numbers["memory/peak_mib"]
    assert peaks.keys() == {2, 4}
    assert 50 < peaks[2] <= peaks[4] < 100_000  # torch alone takes that much


def test_memory_of_a_gpu_is_that_of_its_tensors(monkeypatch):
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda device: {1: 77}[device.index])
    assert peak_bytes(torch.device("cuda", 1)) == 77


def test_validations_take_seconds(new_module, fit, board):
    fit(new_module(budget=Budget(max_steps=4)), Throughput(), logger=board, val_check_interval=2)
    assert board.numbers["dev/seconds"].keys() == {2, 4}
    assert all(0 < seconds < 60 for seconds in board.numbers["dev/seconds"].values())


def test_ratios_by_hand():
    before = [torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 12.0]]), torch.tensor([0.0])]
    after = [torch.tensor([[3.0, 4.5]]), torch.tensor([[3.0, 12.0]]), torch.tensor([9.0])]
    found = ratios(before, after)
    # A vector counts to the model and is no matrix: the ratio of one that began at zero would be infinite.
    assert found["update_ratio/model"] == pytest.approx(math.sqrt(0.25 + 9 + 81) / 13)
    assert found["update_ratio/highest"] == pytest.approx(3 / 12)
    assert found["update_ratio/lowest"] == pytest.approx(0.5 / 5)


def test_the_update_of_a_step_is_the_one_that_is_logged(new_module, fit, board, recorder, copied):
    module = new_module(budget=Budget(max_steps=4))
    fit(module, UpdateRatio(), recorder, logger=board, log_every_n_steps=2)
    ratio = board.numbers["update_ratio/model"]
    assert ratio.keys() == {2, 4}
    first, second = (list(recorder.weights[place].values()) for place in (2, 3))
    assert ratio[4] == pytest.approx(ratios(first, second)["update_ratio/model"])
    assert board.numbers["update_ratio/lowest"][4] < ratio[4]


def test_weights_are_copied_in_no_other_step(new_module, fit, board):
    copies = UpdateRatio()
    fit(new_module(budget=Budget(max_steps=3)), copies, logger=board, log_every_n_steps=4)
    assert copies._before is None
    fit(new_module(budget=Budget(max_steps=3)), copies)  # nor without a logger
    assert copies._before is None
    assert "update_ratio/model" not in board.numbers


# Scores by length


@pytest.mark.parametrize(
    ("length", "shown"),
    [(0, "1-5"), (5, "1-5"), (6, "6-10"), (10, "6-10"), (11, "11-20"), (20, "11-20"), (21, "21-40"), (161, "161-320")],
)
def test_lengths_have_buckets(length, shown):
    assert label(bucket(length)) == shown


@pytest.fixture
def lengths(new_module):
    """A module that answers every dev source with itself, of which three are short, two long and one longer."""
    sources = ["a", "b", "a b", "a b c a b c", "a b c a b c a", "a b c d " * 3]
    targets = ["a", "x", "a b", "x", "a b c a b c a", "x"]
    dev = [Example(source, (target,)) for source, target in zip(sources, targets, strict=True)]
    module = new_module(dev_examples=dev, budget=Budget(max_steps=1))
    module.translator = Echo(module.translator)
    return module


class Echo(Translator):
    def __init__(self, translator) -> None:
        self.tokenizers = translator.tokenizers

    def __call__(self, texts):
        return list(texts)


def test_scores_by_length(lengths, fit, board):
    fit(lengths, LengthScores(monitor="dev/exact_match", examples=2), logger=board)
    found = {name: steps[1] for name, steps in board.numbers.items() if "by_length" in name}
    assert found == pytest.approx(
        {
            "dev/exact_match_by_length/1-5": 200 / 3,
            "dev/exact_match_by_length/6-10": 50.0,
            "dev/examples_by_length/1-5": 3,
            "dev/examples_by_length/6-10": 2,
        }
    )


def test_a_single_length_is_not_logged(lengths, fit, board):
    fit(lengths, LengthScores(monitor="dev/exact_match", examples=3), logger=board)
    assert not [name for name in board.numbers if "by_length" in name]


def test_the_first_score_stands_for_a_loss_that_is_monitored(lengths, fit, board):
    fit(lengths, LengthScores(monitor="dev/loss", examples=1), logger=board)
    assert board.numbers["dev/exact_match_by_length/11-20"][1] == 0


def test_lengths_need_examples():
    with pytest.raises(UserError) as error:
        LengthScores(monitor="dev/loss", examples=0)
    assert str(error.value) == "examples must be at least 1, but is 0."


def test_counts_are_kept_of_the_sentences_that_were_added_last():
    scores = ExactMatch()
    scores.update(["a", "b"], [["a"], ["c"]])
    scores.update(["d"], [["d"]])
    assert scores.latest.tolist() == [[1, 1]]
    assert scores.totals.tolist() == [2, 3]
