"""A call answers the same under whatever modes of torch it is made, and leaves them on."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import pytest
import torch

import seq2seq
from seq2seq.library.usual_modes import usual_modes

WORDS = ["bcd", "a", "", "fedcba"]
PAIRS = [("bcd", "dcb"), ("a", "a"), ("fa", "af")]
SMALL = {
    "model": {"embedding_size": 8, "encoder.hidden_size": 4, "decoder": {"hidden_size": 8, "feature_size": 8}},
    "budget__max_steps": 2,
    "trainer__accelerator": "cpu",
    "precision": "32-true",
    "threads": 1,
    "logger": "none",
    "verbose": False,
}


@contextmanager
def default(setter: Callable[[Any], None], value: Any, before: Any) -> Iterator[None]:
    setter(value)
    try:
        yield
    finally:
        setter(before)


MODES: dict[str, Callable[[], AbstractContextManager]] = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": partial(torch.autocast, "cpu", torch.bfloat16),
    "float64": partial(default, torch.set_default_dtype, torch.float64, torch.float32),
    "set_default_device": partial(default, torch.set_default_device, "meta", None),
    "device": partial(torch.device, "meta"),
}


def modes() -> tuple:
    return (
        *(torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")),
        *(torch.get_default_dtype(), torch.get_default_device()),
    )


def answers(run: seq2seq.Run) -> list[Any]:
    return [
        run.translate(WORDS),
        run.translate(WORDS[0], n_best=2, decoding="beam")[0].hypothesis.score,
        [one.score for one in run.score(PAIRS)],
        run.evaluate(PAIRS).scores,
        run.interpret("bcd", steps=2).trace.weights.tolist(),
        {name: weight.tolist() for name, weight in run.model.state_dict().items()},
    ]


@pytest.fixture(scope="module")
def expected(finished) -> list[Any]:
    return answers(seq2seq.load(finished))


@pytest.mark.parametrize("mode", MODES)
def test_answers_are_those_without(finished, expected, mode):
    with MODES[mode]():
        before = modes()
        run = seq2seq.load(finished)
        found = answers(run)
        assert modes() == before
    assert found == expected
    assert answers(run) == expected


@pytest.fixture(scope="module")
def learnt(tmp_path_factory) -> dict[str, torch.Tensor]:
    return seq2seq.train(PAIRS, run_dir=tmp_path_factory.mktemp("usual") / "run", **SMALL).model.state_dict()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_learnt_is_that_without(learnt, tmp_path, mode):
    with MODES[mode]():
        before = modes()
        found = seq2seq.train(PAIRS, run_dir=tmp_path / "run", **SMALL).model.state_dict()
        assert modes() == before
    assert all(
        torch.equal(found[name], weight) and found[name].dtype == weight.dtype for name, weight in learnt.items()
    )


def test_numbers_are_usual_until_the_last_of_several_calls_has_ended():
    """Which of them ends first is nothing that a caller knows."""
    inside, may_end = threading.Barrier(3), [threading.Event(), threading.Event()]

    def call(own: threading.Event) -> torch.dtype:
        with usual_modes():
            inside.wait(30)
            own.wait(30)
            return torch.get_default_dtype()

    with MODES["float64"](), ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(call, own) for own in may_end]
        inside.wait(30)
        may_end[0].set()
        assert calls[0].result(30) == torch.float32 == torch.get_default_dtype()
        may_end[1].set()
        assert calls[1].result(30) == torch.float32
        assert torch.get_default_dtype() == torch.float64


def child_says(answer: Callable[[], bool]) -> bool:
    """Tell what a process that is forked here answers."""
    child = os.fork()
    if not child:
        code = 2
        try:
            code = 0 if answer() else 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no process")
def test_calls_of_other_threads_are_not_under_way_in_a_forked_process():
    inside, may_end = threading.Event(), threading.Event()

    def call() -> None:
        with usual_modes():
            inside.set()
            may_end.wait(30)

    def usual_inside_alone() -> bool:
        before = torch.get_default_dtype()
        with usual_modes():
            within = torch.get_default_dtype()
        return (before, within, torch.get_default_dtype()) == (torch.float64, torch.float32, torch.float64)

    with MODES["float64"](), ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(call)
        inside.wait(30)
        assert child_says(usual_inside_alone)
        may_end.set()
        under_way.result(30)
        assert torch.get_default_dtype() == torch.float64


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no process")
def test_a_call_goes_on_in_a_process_that_is_forked_within_it():
    def usual_until_its_end() -> bool:
        within = torch.get_default_dtype()
        context.__exit__(None, None, None)
        return (within, torch.get_default_dtype()) == (torch.float32, torch.float64)

    with MODES["float64"]():
        context = usual_modes()
        context.__enter__()
        assert child_says(usual_until_its_end)
        assert torch.get_default_dtype() == torch.float32
        context.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float64
