"""What the memory of a training step is said to be for, and how much of it there is."""

from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from seq2seq.commands.benchmark import benchmark_config
from seq2seq.errors import UserError
from seq2seq.layers.attention.additive import AdditiveAttention
from seq2seq.layers.recurrent.cells.min_lstm import MinLSTMCell
from seq2seq.layers.recurrent.scan import scan
from seq2seq.runs.summary import print_memory
from seq2seq.training.footprint import Kept, footprint, peak_bytes
from seq2seq.training.speed import Conditions, SteppedModule, benchmark

CPU = torch.device("cpu")
FLOAT = 4


def kept_by(run, *parameters) -> dict[str, int]:
    kept = Kept(parameters)
    with kept.counted():
        run(kept)
    return kept.bytes


@pytest.fixture
def step_of(new_data):
    """Bytes of a step of a module after one step, by what for."""

    def measure(module):
        trained, data = SteppedModule(module, Conditions("32-true", "cpu")), new_data()
        batch = data.train_pairs.batch(data.train_plan.epoch(0)[0], step_tokens=1.0)
        trained.take_step(batch, lambda name: torch.enable_grad())
        return footprint(module.step, trained.optimizer, lambda timed: trained.take_step(batch, timed), CPU)

    return measure


def test_what_backward_needs_counts_once_and_parameters_do_not():
    weight = nn.Parameter(torch.ones(5, 7))
    inputs = torch.ones(3, 5)

    def run(_):
        hidden = inputs @ weight  # keeps the inputs, and the weight
        hidden.tanh() * inputs.sum()  # keeps what tanh gave, and the sum
        (2 * hidden).tanh().sigmoid()  # keeps what tanh gave and what sigmoid gave

    sizes = {"inputs": 15, "tanh": 21, "sum": 1, "second tanh": 21, "sigmoid": 21}
    assert kept_by(run, weight) == {"other": FLOAT * sum(sizes.values())}
    assert kept_by(lambda kept: [run(kept), run(kept)], weight)["other"] < 2 * FLOAT * sum(sizes.values())


def test_nothing_is_kept_without_gradients():
    weight = nn.Parameter(torch.ones(5, 7))
    with torch.no_grad():
        assert kept_by(lambda _: (torch.ones(3, 5) @ weight).tanh()) == {}


def test_a_part_owns_what_its_methods_compute_and_is_left_as_it_was():
    inner, outer = nn.Linear(3, 4), nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    inputs = torch.ones(2, 3, requires_grad=True)

    def run(kept):
        with kept.owned_by(inner, "inner"), kept.owned_by(outer, "outer"):
            inner(outer(inputs)).sigmoid()
        inner(inputs)

    found = kept_by(run, *inner.parameters(), *outer.parameters())
    assert found == {"outer": FLOAT * (2 * 3 + 2 * 3), "other": FLOAT * 2 * 4}  # the inner one reads what tanh gave
    assert "forward" not in vars(inner)


def test_the_peak_is_the_most_there_is_at_once():
    def run():
        first = torch.ones(1000)
        del first
        second, third = torch.ones(2000), torch.ones(3000)
        del second
        return third

    assert peak_bytes(run, 70, CPU) == 70 + FLOAT * 5000


def test_parts_of_a_step_have_their_bytes(new_module, step_of):
    module = new_module()
    found = step_of(module)
    weights = FLOAT * sum(parameter.numel() for parameter in module.model.parameters())
    assert found["parameters"] == found["gradients"] == found["average"] == weights
    assert 2 * weights < found["optimizer"] < 2 * weights + 8 * len(list(module.model.parameters())) + 1
    assert {f"kept, {part}" for part in ("encoder", "decoder", "attention", "output")} <= found.keys()
    assert all(count > 0 for count in found.values())
    of_parts = sum(count for name, count in found.items() if name.startswith("kept"))
    held = found["parameters"] + found["optimizer"] + found["average"]
    assert held + of_parts < found["peak"] < 3 * (held + of_parts + weights)


def test_attention_and_the_encoder_s_chunks_show(new_module, step_of):
    plain = step_of(new_module())
    additive = step_of(new_module(sizes={"attention": lambda **sizes: AdditiveAttention(size=50, **sizes)}))
    assert additive["kept, attention"] > 3 * plain["kept, attention"]
    chunked = step_of(new_module(sizes={"chunk_size": 2}))
    assert chunked["kept, encoder"] < plain["kept, encoder"]
    assert chunked["kept, decoder"] == plain["kept, decoder"]


def left_by(run) -> tuple[int, int, Any]:
    """Bytes that there are behind a pass beyond those before, those of them that backward needs, and what it gave."""
    kept = Kept()
    with torch.profiler.profile(profile_memory=True, acc_events=True) as profiled, kept.counted():
        given = run()
    changes = profiled.profiler.kineto_results.events()
    return sum(e.nbytes() for e in changes if e.name() == "[memory]"), sum(kept.bytes.values()), given


def test_gates_that_nobody_reads_are_not_kept(cell_kind, ways):
    """Behind a plain pass there is what backward reads and what was handed out."""
    cell, sequence = cell_kind(8, 16), torch.randn(4, 12, 8)
    start = cell.start(sequence[:, 0])
    for fused in ways(cell):
        cell.fused = fused
        left, kept, (outputs, last) = left_by(lambda: cell.unroll(sequence, start))
        handed_out = outputs.nbytes + sum(part.nbytes for part in last)
        assert left <= kept + handed_out


def test_gates_that_are_shown_and_that_backward_does_not_read_come_on_top():
    cell, sequence = MinLSTMCell(8, 16), torch.randn(4, 12, 8)
    start = cell.start(sequence[:, 0])
    plain, _, _ = left_by(lambda: scan(cell, cell.project(sequence), start))
    shown, _, (*_, gates) = left_by(lambda: scan(cell, cell.project(sequence), start, keep_gates=True))
    assert shown == plain + len(gates) * gates[0].input.nbytes  # which is 1 - forget


def test_a_light_cell_keeps_its_inputs_its_gates_and_its_memory_once(light_kind):
    cell, sequence = light_kind(16, 16), torch.randn(4, 50, 16)
    kept = Kept(cell.parameters())
    with kept.counted():
        cell.unroll(sequence, cell.start(sequence[:, 0]))
    assert kept.bytes["other"] < (len(cell.gates) + 3.1) * sequence.nbytes


def test_a_benchmark_reports_the_memory_of_its_largest_batch(new_module, new_data):
    module = new_module()
    report = benchmark(module, new_data(), Conditions("32-true", "cpu"), steps=3, warmup=1, memory=True)
    assert module.step.average.updates == 1 + 3 + 1
    assert report["steps"] == 3
    largest = report["memory"]
    assert largest["sentences"] * (largest["source_length"] + largest["target_length"]) <= 72
    assert largest["megabytes"]["peak"] > largest["megabytes"]["parameters"]


def test_the_table_says_what_memory_is_for(capsys):
    record = {"sentences": 3, "source_length": 5, "target_length": 6}
    print_memory({**record, "megabytes": {"parameters": 1.5, "kept, encoder": 2.25, "peak": 1234.5}})
    said = capsys.readouterr().err
    assert all(text in said for text in ("3 sentences", "5 to 6", "kept, encoder", "2.25", "1,234.50"))


def test_a_memory_that_is_no_switch_is_refused(tiny_config):
    config = OmegaConf.create(tiny_config("memory=3", "budget.max_steps=1", name="benchmark"))
    with pytest.raises(UserError, match=r"^memory must be bool, but is 3\.$"):
        benchmark_config(config)
