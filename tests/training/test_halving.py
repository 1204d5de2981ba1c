"""A batch that memory is not enough for is taken in parts, by which nothing else changes."""

import csv
import json
from contextlib import nullcontext

import pytest
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import nn
from torch.testing import assert_close

from seq2seq.data.batch import Batch, PairSequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.training import halving
from seq2seq.training.halving import HalvedSteps
from seq2seq.training.out_of_memory import MemoryShortError
from seq2seq.training.processes import Processes, sums_by_weight
from seq2seq.training.step import TrainingStep

CPU_SHORT = RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried")
ERRORS = [CPU_SHORT, torch.OutOfMemoryError("CUDA out of memory"), MemoryError()]
STILL = ["budget.max_steps=4", "model.dropout=0.0", "logger=csv"]


def weights_of(folder) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def trained(train_tiny, folder, *overrides):
    folder.mkdir()
    train_tiny(folder, *STILL, *overrides)
    return weights_of(folder)


def short_forward(monkeypatch, error, *, rows: int, steps=(2,)) -> None:
    """Let no batch of more than so many pairs be computed in some steps."""
    loss = TrainingStep.loss

    def failing(self, batch, *, step, spent):
        if step in steps and len(batch.source) > rows and self.model.training:
            raise error
        return loss(self, batch, step=step, spent=spent)

    monkeypatch.setattr(TrainingStep, "loss", failing)


def short_backward(monkeypatch, error) -> None:
    """Let going back through the last batch of step 2 fail once, when nearly all gradients are there."""
    loss, failed = TrainingStep.loss, []

    def failing(self, batch, *, step: int, spent):
        found = loss(self, batch, step=step, spent=spent)
        if step == 2 and not failed and torch.is_grad_enabled():
            failed.append(next(iter(self.model.encoder.parameters())).register_hook(raise_once))
        return found

    def raise_once(gradient):
        failed[0].remove()
        raise error

    monkeypatch.setattr(TrainingStep, "loss", failing)


def logged(folder, name: str) -> list[str]:
    with (folder / "metrics" / "metrics.csv").open() as file:
        return [row[name] for row in csv.DictReader(file) if row.get(name)]


@pytest.mark.parametrize(
    ("where", "accumulated", "error"),
    [("forward", 1, ERRORS[0]), ("forward", 2, ERRORS[1]), ("backward", 1, ERRORS[2]), ("backward", 2, ERRORS[0])],
)
def test_the_gradient_is_that_of_the_whole(train_tiny, tmp_path, monkeypatch, caplog, where, accumulated, error):
    override = f"trainer.accumulate_grad_batches={accumulated}"
    whole = trained(train_tiny, tmp_path / "whole", override)
    short_forward(monkeypatch, error, rows=5) if where == "forward" else short_backward(monkeypatch, error)
    parts = trained(train_tiny, tmp_path / "parts", override)
    for name, weight in whole.items():
        assert_close(parts[name], weight, atol=1e-6, rtol=1e-5)
    assert caplog.text.count("which is taken in 2 parts, the first time") == 1
    for name in ("train/loss", "train/gradient_norm"):
        own, others = (list(map(float, logged(tmp_path / kind, name))) for kind in ("parts", "whole"))
        assert own == pytest.approx(others, rel=1e-5)


def test_steps_are_counted_in_the_board_the_record_and_over_a_resumption(train_tiny, tmp_path, monkeypatch):
    short_forward(monkeypatch, MemoryError(), rows=5, steps=(1, 2, 3))
    trained(train_tiny, tmp_path / "run", "budget.max_steps=3")
    assert logged(tmp_path / "run", "train/halved_steps") == ["1.0", "2.0"]
    train_tiny(tmp_path / "run", *STILL, resume=True)
    assert logged(tmp_path / "run", "train/halved_steps") == ["1.0", "2.0", "3.0"]
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["halved_steps"] == 3


def test_parts_are_made_smaller_until_they_fit(train_tiny, tmp_path, monkeypatch, caplog):
    whole = trained(train_tiny, tmp_path / "whole")
    short_forward(monkeypatch, MemoryError(), rows=2)
    monkeypatch.setattr(halving, "_without_graph", lambda objective, batch, loss, begin: torch.zeros(()))
    parts = trained(train_tiny, tmp_path / "parts")
    assert "which is taken in 4 parts" in caplog.text
    for name, weight in whole.items():
        assert_close(parts[name], weight, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("rows", [0, 2])
def test_what_does_not_fit_at_all_ends_the_run_with_its_shape(train_tiny, tmp_path, monkeypatch, rows):
    short_forward(monkeypatch, MemoryError(), rows=rows)
    with pytest.raises(MemoryShortError, match=r"^memory is not enough for step 2 \(\d+ pairs, sources of "):
        trained(train_tiny, tmp_path / "run", "batches.max_tokens=512")


def test_where_memory_is_enough_not_a_bit_changes(train_tiny, tmp_path, monkeypatch):
    drawing = ["model.dropout=0.3", "trainer.accumulate_grad_batches=2"]
    own = trained(train_tiny, tmp_path / "own", *drawing)
    monkeypatch.setattr(halving, "can_part", lambda batch: False)
    plain = trained(train_tiny, tmp_path / "plain", *drawing)
    assert all(torch.equal(weight, plain[name]) for name, weight in own.items())


def test_another_error_is_what_it_was(train_tiny, tmp_path, monkeypatch):
    short_backward(monkeypatch, ValueError("shapes differ"))
    with pytest.raises(ValueError, match="^shapes differ$"):
        trained(train_tiny, tmp_path / "run")


@pytest.fixture
def alone():
    """A group of this process alone, which sums gradients by torch's own DDP."""
    group = torch.distributed
    group.init_process_group("gloo", store=group.HashStore(), rank=0, world_size=1)
    yield
    group.destroy_process_group()


def batches_of(data) -> list[Batch]:
    pairs, plan = data.train_epoch(0)
    return [pairs.batch(rows, step_tokens=pairs.target_tokens(rows)) for rows in plan]


class Losses(nn.Module):
    """What Lightning hands to DDP: a module whose outputs are losses."""

    def __init__(self, step, halved) -> None:
        super().__init__()
        self.model, self.step, self.halved = step.model, step, halved

    def forward(self, batch) -> torch.Tensor:
        return self.halved.loss(self.step, batch, self.whole, lambda part: None)

    def whole(self, batch) -> torch.Tensor:
        return self.step.loss(batch, step=2, spent=0.1)


def summed(module, batches, sums: list[int]) -> tuple[HalvedSteps, dict[str, torch.Tensor]]:
    """Gradients of batches as DDP sums them behind the last, here by doubling; `sums` gets the weights of each sum."""

    def double(known: list[int], bucket) -> torch.futures.Future[torch.Tensor]:
        known.append(len(bucket.parameters()))
        future = torch.futures.Future()
        future.set_result(bucket.buffer() * 2)
        return future

    halved = HalvedSteps()
    losses = Losses(module.step, halved).train()
    several = nn.parallel.DistributedDataParallel(losses)
    several.register_comm_hook(sums, double)
    for number, batch in enumerate(batches):
        with several.no_sync() if number < len(batches) - 1 else nullcontext():
            found = several(batch) * 3
            halved.backward(module.step, found, batch, losses.whole, begin=lambda part: None, autocast=nullcontext)
    return halved, {name: weight.grad.clone() for name, weight in module.model.named_parameters()}


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("count", [1, 2])
def test_other_processes_need_not_know_of_parts(new_module, new_data, alone, monkeypatch, where, count):
    """Each weight's gradient is summed once, and is the whole one, wherever memory was short."""
    module = new_module(sizes={"dropout": 0.0})
    batches = batches_of(new_data())[:count]
    sums: list[int] = []
    _, wanted = summed(module, batches, sums)
    module.zero_grad()
    short_forward(monkeypatch, MemoryError(), rows=4) if where == "forward" else short_backward(monkeypatch, ERRORS[0])
    halved, found = summed(module, batches, sums)
    assert (halved.total, halved.parts) == (1, 2)
    for name, gradient in wanted.items():
        assert_close(found[name], gradient, atol=1e-6, rtol=1e-5)
    assert sum(sums) == 2 * len(wanted)
    halved.end_step(8)
    assert (halved.total, halved.parts) == (1, 0)  # the own part is counted already


def test_a_step_that_another_process_takes_in_parts_is_counted_and_told(caplog):
    halved = HalvedSteps()
    halved.end_step(0)
    assert halved.total == 0
    halved.end_step(4)
    halved.end_step(2)
    assert halved.total == 2
    first, second = caplog.messages
    assert first.startswith("memory was not enough for another process's share of a batch, which is taken in 4 parts, ")
    assert "in 2 parts, the 2. time: where" in second


def test_what_cannot_be_summed_weight_by_weight_is_not_taken_in_parts(new_module, new_data, alone, monkeypatch):
    assert sums_by_weight(Processes())
    assert not sums_by_weight(Processes(find_unused_parameters=True))
    assert not sums_by_weight(Processes(static_graph=True))
    assert not sums_by_weight(SingleDeviceStrategy())
    short_forward(monkeypatch, MemoryError(), rows=0)
    halved, module = HalvedSteps(), new_module()
    halved.possible = False
    with pytest.raises(MemoryError):
        Losses(module.step, halved).train()(batches_of(new_data())[0])


def batch_of(owners: list[int] | None = None) -> Batch:
    ids = [[4 + row] * (1 + row % 3) for row in range(7)]
    sequences = TokenSequences.from_ids(ids)
    kept = None if owners is None else torch.tensor(owners)
    pairs = PairSequences(sequences, sequences, owners=kept, references="each" if kept is None else "mean")
    return pairs.batch(torch.arange(7), step_tokens=21.0)


@pytest.mark.parametrize(("count", "sizes"), [(2, [3, 4]), (4, [1, 2, 2, 2]), (8, [1] * 7)])
def test_parts_are_of_like_sizes_and_make_up_the_batch(count, sizes):
    batch = batch_of()
    parts = batch.parts(count)
    assert [len(part.source) for part in parts] == sizes
    for name in ("source", "source_lengths", "target_inputs", "target_outputs", "target_mask"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(batch, name))
    assert {part.step_tokens for part in parts} == {21.0}


def test_references_of_one_source_stay_together():
    parts = batch_of([3, 3, 3, 3, 5, 5, 6]).parts(2)
    assert [part.owners.tolist() for part in parts] == [[0, 0, 0, 0], [0, 0, 1]]
