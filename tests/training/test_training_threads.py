"""The threads that training runs on."""

import pytest
import torch

from seq2seq.commands.building.trainer import choose_threads
from seq2seq.errors import UserError
from seq2seq.training import threads as module
from seq2seq.training.threads import set_training_threads

CPU = torch.device("cpu")
SIZES = {"size": 8, "rows": 20, "bf16": False}


@pytest.fixture
def machine(monkeypatch):
    """A machine with 6 threads, on which a step takes the given seconds by their number."""
    asked, running = [], [6]
    monkeypatch.setattr(torch, "set_num_threads", lambda count: running.__setitem__(0, count))
    monkeypatch.setattr(torch, "get_num_threads", lambda: running[0])
    monkeypatch.setattr(module, "threads_left", lambda threads: threads)

    def take(*seconds):
        def measure(question, ways):
            asked.append((question, list(ways)))
            for run in ways.values():
                run()
            return dict(zip(ways, seconds, strict=True))

        monkeypatch.setattr(module, "measured", measure)
        monkeypatch.setattr(module, "can_measure", lambda question, ways: True)
        running[0] = 6
        return asked

    return take


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [((1.0, 0.6, 0.4, 0.3), 6), ((1.0, 0.6, 0.41, 0.4), 4), ((1.0, 0.99, 0.98, 2.0), 1), ((1.0, 0.5, 0.6, 0.9), 2)],
)
def test_auto_is_the_fewest_that_are_nearly_as_fast_as_any(machine, seconds, chosen):
    asked = machine(*seconds)
    assert set_training_threads("auto", **SIZES) == chosen
    assert asked == [("train an LSTM of 8 on 32 rows in float32 by threads", ["1", "2", "4", "6"])]


def test_all_are_taken_where_others_use_the_processor(machine, monkeypatch):
    asked = machine(1.0, 1.0, 1.0, 1.0)
    monkeypatch.setattr(module, "can_measure", lambda question, ways: False)
    assert set_training_threads("auto", **SIZES) == 6
    assert asked == []


def test_a_single_thread_needs_no_measurement(monkeypatch):
    monkeypatch.setattr(module, "measured", None)
    torch.set_num_threads(1)
    assert set_training_threads("auto", **SIZES) == 1


def test_a_number_is_taken_as_it_is(machine):
    asked = machine()
    assert set_training_threads(3, **SIZES) == 3
    assert asked == []


@pytest.mark.parametrize("value", [0, -1, 1.5, "two", True, None])
def test_anything_else_is_refused(value):
    with pytest.raises(UserError) as error:
        set_training_threads(value, **SIZES)
    assert str(error.value) == f"threads must be auto or a whole number of at least 1, but is {value!r}."


def test_a_config_says_for_which_sizes(machine, build_model, caplog):
    asked = machine(1.0, 1.0, 1.0, 1.0)
    model = build_model()
    config = {"threads": "auto", "trainer": {"devices": 1}, "batches": {"max_sentences": 512, "max_tokens": 3200}}
    with caplog.at_level("INFO"):
        choose_threads(config, model, CPU, "32-true")
    width = model.decoder.layers[0].hidden_size
    assert asked[0][0] == f"train an LSTM of {width} on 256 rows in float32 by threads"
    assert torch.get_num_threads() == 1
    assert [record.getMessage() for record in caplog.records] == ["threads: 1; 6 would be no faster"]


@pytest.mark.parametrize(("threads", "busy", "told"), [("auto", True, True), ("auto", False, False), (6, True, False)])
def test_threads_that_would_wait_for_others_are_told(machine, build_model, monkeypatch, caplog, threads, busy, told):
    machine(1.0, 0.9, 0.8, 0.1)
    monkeypatch.setattr("seq2seq.commands.building.trainer.is_busy", lambda: busy)
    config = {"threads": threads, "trainer": {"devices": 1}, "batches": {"max_sentences": 5, "max_tokens": 32}}
    choose_threads(config, build_model(), CPU, "32-true")
    assert [record.getMessage() for record in caplog.records] == [
        "threads: 6, but others use this processor, and threads wait for each other: threads=1 may be several times "
        "as fast"
    ] * told


@pytest.mark.parametrize("devices", [2, "2"])
def test_processes_that_share_a_machine_keep_their_number(machine, build_model, devices):
    asked = machine(1.0, 1.0, 1.0, 1.0)
    config = {"threads": "auto", "trainer": {"devices": devices}, "batches": {"max_sentences": 5, "max_tokens": 32}}
    choose_threads(config, build_model(), CPU, "32-true")
    assert (asked, torch.get_num_threads()) == ([], 6)


def test_a_gpu_needs_no_measurement_of_threads(machine, build_model):
    asked = machine(1.0, 1.0, 1.0, 1.0)
    config = {"threads": "auto", "trainer": {"devices": 1}, "batches": {"max_sentences": 5, "max_tokens": 32}}
    choose_threads(config, build_model(), torch.device("cuda"), "32-true")
    assert (asked, torch.get_num_threads()) == ([], 6)
