"""Laws of tasks that ask for what was read, and of readers that learn them."""

from functools import partial

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.interpretation.horizon_plot import horizon_figure
from seq2seq.layers.recurrent.cells.elman import ElmanCell
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import CellOptions
from seq2seq.training.recall import CellReader, RecallTraining, recall_rows
from seq2seq.training.recall_tasks import TASKS, AddingTask, CopyTask, DelayTask, recall_task


def drawn(task, length=6, count=40, seed=1):
    return task.batch(length, count, torch.Generator().manual_seed(seed))


def solved(task, batch):
    """Outputs that are right at every step that is asked for."""
    steps = batch.inputs.shape[1]
    if isinstance(task, AddingTask):
        return batch.answers.unsqueeze(1).expand(-1, steps, 1)
    outputs = torch.zeros(len(batch.inputs), steps, task.output_size)
    outputs[:, -batch.answers.shape[1] :] = torch.nn.functional.one_hot(batch.answers, task.output_size) * 20.0
    return outputs


@pytest.mark.parametrize("name", sorted(TASKS))
def test_what_is_right_scores_all_and_loses_nothing(name):
    task = recall_task(name)
    batch = drawn(task)
    right = solved(task, batch)
    assert task.right(right, batch) == 1
    assert float(task.loss(right, batch)) == pytest.approx(0, abs=1e-5)
    assert task.right(-right, batch) < 0.2
    assert float(task.loss(-right, batch)) > 0.5


@pytest.mark.parametrize("name", sorted(TASKS))
def test_only_the_answers_count(name):
    task = recall_task(name)
    batch = drawn(task)
    right = solved(task, batch).clone()
    asked = 1 if name == "adding" else batch.answers.shape[1]
    right[:, :-asked] = 100.0
    assert task.right(right, batch) == 1


@pytest.mark.parametrize("name", sorted(TASKS))
def test_sequences_are_drawn_anew_and_alike_by_seed(name):
    task = recall_task(name)
    assert torch.equal(drawn(task).inputs, drawn(task).inputs)
    assert not torch.equal(drawn(task).inputs, drawn(task, seed=2).inputs)


def test_a_delay_asks_for_so_many_steps_ago():
    batch = drawn(DelayTask(), length=7)
    symbols = batch.inputs.argmax(-1)
    for step in range(7, symbols.shape[1]):
        assert torch.equal(batch.answers[:, step - 7], symbols[:, step - 7])
    assert batch.answers.shape[1] == symbols.shape[1] - 7


def test_a_copy_waits_as_long_as_it_says():
    symbols = drawn(CopyTask(), length=7).inputs.argmax(-1)
    assert symbols.shape[1] == 5 + 7 + 5
    assert bool((symbols[:, 5 + 7] == 9).all())
    assert bool((symbols[:, 5 : 5 + 7] == 8).all())


@pytest.mark.parametrize("length", [2, 3, 9])
def test_a_sum_has_a_number_in_either_half(length):
    marks = drawn(AddingTask(), length=length).inputs[..., 1]
    assert bool((marks[:, : length // 2].sum(1) == 1).all())
    assert bool((marks[:, length // 2 :].sum(1) == 1).all())


def test_a_task_of_another_name_is_refused():
    with pytest.raises(UserError, match=r"^task must be one of delay, adding, copy, but is 'sort'\.$"):
        recall_task("sort")


def test_a_reader_learns_a_short_delay_and_the_same_by_seed():
    training = RecallTraining(steps=300, seeds=2, lr=1e-2)
    scores = training.scores(ElmanCell, 24, DelayTask(), 1)
    assert min(scores) > 0.95
    assert RecallTraining(steps=300, seeds=1, lr=1e-2).scores(ElmanCell, 24, DelayTask(), 1) == scores[:1]
    assert scores[0] != RecallTraining(steps=1, seeds=1).scores(ElmanCell, 24, DelayTask(), 1)[0]


def test_a_cell_is_not_tried_beyond_where_it_fails_and_sizes_are_fitted():
    training = RecallTraining(steps=2, seeds=1)
    kinds = {"lstm": LSTMCell, "gru": GRUCell, "elman": ElmanCell}
    rows = list(recall_rows(kinds, DelayTask(), [2, 4], training, hidden_size=16, enough=95.0))
    assert [list(row.scores) for row in rows] == [[2], [2], [2]]
    assert [(row.reaches, row.falls_at) for row in rows] == [(None, 2)] * 3
    assert [row.hidden_size for row in rows][0] == 16 < rows[1].hidden_size < rows[2].hidden_size
    assert all(row.parameters == pytest.approx(rows[0].parameters, rel=0.15) for row in rows)
    counted = sum(weight.numel() for weight in CellReader(LSTMCell(8, 16), 8).parameters())
    assert rows[0].parameters == counted


def test_a_cell_that_passes_goes_to_the_end():
    training = RecallTraining(steps=2, seeds=1)
    (row,) = recall_rows({"lstm": LSTMCell}, DelayTask(), [2, 4], training, hidden_size=4, enough=0.5)
    assert (list(row.scores), row.reaches, row.falls_at) == ([2, 4], 4, None)


def test_a_picture_has_a_line_for_each_cell_and_a_point_for_each_seed():
    figure = horizon_figure({"lstm": {5: [99.0, 97.0], 10: [40.0, 60.0]}, "gru": {5: [90.0, 92.0]}}, 95.0)
    (axes,) = figure.axes
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["lstm", "gru"]
    assert list(lines[0].get_ydata()) == [98.0, 50.0]
    assert axes.get_xscale() == "log"


RELU = partial(ElmanCell, options=CellOptions(activation="relu"))


@pytest.mark.parametrize("lr", [1000.0, 3.4e37])
def test_a_training_that_diverges_at_once_is_told_and_is_not_right_by_chance(lr, caplog):
    training = RecallTraining(steps=40, batch_size=4, lr=lr, seeds=2)
    (row,) = recall_rows({"relu": RELU}, DelayTask(), [30], training, hidden_size=8, enough=90.0)
    assert row.scores == {30: [0.0, 0.0]}
    assert [text.split(" by ")[0] for text in caplog.messages] == [
        "length 30, seed 1: the training has diverged",
        "length 30, seed 2: the training has diverged",
    ]


class Breaking(DelayTask):
    """A task whose loss is no number from some step on."""

    def __init__(self, step):
        self.left = step

    def loss(self, outputs, batch):
        self.left -= 1
        return super().loss(outputs, batch) * (1.0 if self.left > 0 else float("nan"))


@pytest.mark.parametrize(("broken", "kept"), [(20, 0), (21, 20), (55, 40), (61, 60)])
def test_a_training_that_diverges_later_counts_as_at_the_last_look_before(broken, kept, caplog):
    def score(task, steps):
        return RecallTraining(steps=steps, seeds=1, lr=1e-2).scores(ElmanCell, 24, task, 6)[0]

    reached = score(Breaking(broken), 400)
    assert reached == (score(DelayTask(), kept) if kept else 0.0)
    assert caplog.messages == [
        f"length 6, seed 1: the training has diverged by step {broken}, and counts as {100 * reached:.1f} % right, as "
        "before: lower lr"
    ]
