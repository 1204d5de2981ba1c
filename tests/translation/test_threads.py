"""How many threads decoding gets."""

import time

import pytest
import torch

from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.errors import UserError
from seq2seq.translation.threads import set_threads


class Timed:
    """Takes longer with some numbers of threads than with others."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds = seconds
        self.beams: list[int] = []

    def start(self, source, lengths) -> tuple:
        self.source = source
        return (source,), (torch.zeros(len(source), 1, 2),)

    def step(self, ids, memory, states) -> tuple:
        (state,) = states
        assert state.shape[:2] == ids.shape
        self.beams.append(ids.shape[1])
        time.sleep(self.seconds[torch.get_num_threads()])
        return torch.zeros(*ids.shape, 8), torch.zeros(*ids.shape, memory[0].shape[1]), states


@pytest.fixture
def timed(echo, monkeypatch):
    """A translator whose steps take so many seconds with so many threads, of which the machine has enough."""
    monkeypatch.setattr("seq2seq.translation.threads.threads_left", lambda threads: threads)

    def build(seconds: dict[int, float], width: int = 1):
        echo.stepper, echo.search = Timed(seconds), BeamSearch(beam_size=width)
        return echo

    return build


@pytest.mark.parametrize(("seconds", "faster"), [({1: 0.0, 3: 0.002}, 1), ({1: 0.002, 3: 0.0}, 3)])
def test_a_few_hypotheses_get_as_many_as_are_faster(timed, seconds, faster):
    torch.set_num_threads(3)
    translator = timed(seconds, width=5)
    set_threads("auto", translator, lines=4)
    assert torch.get_num_threads() == faster
    assert set(translator.stepper.beams) == {20}


def test_many_hypotheses_get_all_without_a_trial(timed):
    torch.set_num_threads(3)
    translator = timed({}, width=8)
    set_threads("auto", translator, lines=8)
    assert torch.get_num_threads() == 3
    assert translator.stepper.beams == []


def test_threads_of_a_cpu_are_not_tried_on_a_gpu(timed):
    torch.set_num_threads(3)
    translator = timed({})
    translator.device = torch.device("cuda", 0)
    set_threads("auto", translator, lines=1)
    assert torch.get_num_threads() == 3


def test_where_there_is_one_there_is_no_choice(timed):
    torch.set_num_threads(1)
    set_threads("auto", timed({}), lines=1)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_number_is_what_there_will_be(timed, threads):
    set_threads(threads, timed({}), lines=1)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("threads", [0, -1, "many", "2", True, 1.5, None])
def test_what_is_no_number_of_threads(timed, threads):
    before = torch.get_num_threads()
    with pytest.raises(UserError) as error:
        set_threads(threads, timed({}), lines=1)
    assert str(error.value) == f"threads must be auto or at least 1, but is {threads!r}."
    assert torch.get_num_threads() == before


def test_a_reader_of_frames_is_tried_on_frames(timed):
    torch.set_num_threads(3)
    translator = timed({1: 0.0, 3: 0.002})
    translator.tokenizers = Tokenizers(FrameReader(2, missing=False), translator.tokenizers.target)
    set_threads("auto", translator, lines=1)
    assert torch.get_num_threads() == 1
    assert translator.stepper.source.shape == (1, 12, 2)
