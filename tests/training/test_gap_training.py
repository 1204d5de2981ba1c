"""Models that read gaps learn from times alone, go on and come back; where there are no times they are refused."""

import numpy as np
import pytest
import torch
from frame_runs import RUN, check_company, goes_on, trainer_on

import seq2seq
from seq2seq.commands.forecast import forecast
from seq2seq.commands.interpret import interpret
from seq2seq.commands.train import train
from seq2seq.compression.packing import pack
from seq2seq.data.series import Series
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.errors import UserError
from seq2seq.interpretation.trace import trace
from seq2seq.runs.evaluation import load_examples
from seq2seq.runs.run import load_run
from seq2seq.symbols import BOS, EOS
from seq2seq.translation.translator import Translator

OWN = ("model.decoder.hidden", "trainer.val_check")
TIMED = [
    *(one for one in RUN if not one.startswith(OWN)),
    "model.decoder.hidden_size=8",
    "model.encoder.direction=forward",
    "model.input.time_unit=10.0",
]
CELLS = {"time_lstm": "discount", "gru_d": "decay", "phased_lstm": "time"}


def write(path, *, seed: int = 1, count: int = 160, timed: bool = True) -> None:
    """Series of noise whose gaps alone tell whether they are fast or slow."""
    random = np.random.default_rng(seed)
    lengths, slow = random.integers(3, 9, count), random.integers(0, 2, count)
    gaps = random.uniform(0.5, 1.5, int(lengths.sum())) * np.where(np.repeat(slow, lengths), 40, 1)
    frames = random.normal(size=(len(gaps), 2))
    frames[random.random(frames.shape) < 0.2] = np.nan
    times = {"times": 1e6 + gaps.cumsum()} if timed else {}
    np.savez(path, frames=frames, lengths=lengths, targets=np.array(["fast", "slow"])[slow], **times)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("times")
    write(found / "train.npz")
    write(found / "untimed.npz", timed=False)
    write(found / "test.npz", seed=2, count=60)
    return found


@pytest.fixture(scope="module")
def train_on(folder, plain_config_of):
    return trainer_on(folder, plain_config_of, *TIMED, "model.input.imputation=decay", "model.input.mask=true")


@pytest.fixture(scope="module")
def learnt(folder, train_on, tmp_path_factory):
    """The folder of a run whose cell has learnt to tell gaps apart, by the cell's name."""

    def of(name: str):
        place = tmp_path_factory.mktemp(name)
        more = ["model.gap_cell.open_share=0.5"] if name == "phased_lstm" else []
        train_on(
            place,
            f"model/gap_cell={name}",
            f"data.test={folder / 'test'}.npz",
            *more,
            "trainer.val_check_interval=120",
            "budget.max_steps=120",
        )
        return place

    known = {}
    return lambda name: known.setdefault(name, known[name] if name in known else of(name))


def right(run) -> float:
    _, examples = load_examples(run, None, "test")
    found = Translator(run.model, run.tokenizers, BeamSearch(beam_size=2))([one.source for one in examples])
    return float(np.mean([text in one.targets for text, one in zip(found, examples, strict=True)]))


@pytest.mark.parametrize("name", CELLS)
def test_what_gaps_alone_tell_is_learnt(learnt, name):
    run = load_run(learnt(name))
    assert right(run) >= 0.9
    assert run.tokenizers.source.timed


@pytest.mark.parametrize("name", CELLS)
def test_gates_are_traced_over_time(learnt, name):
    run = load_run(learnt(name))
    source = load_examples(run, None, "test")[1][0].source
    frames, lengths = run.tokenizers.source.sequences([source]).padded(torch.arange(1), end=True)
    found = trace(run.model, frames, lengths, torch.tensor([[BOS, 5, EOS]])).cells["encoder 1 forward"]
    gate = found.gates[CELLS[name]]
    assert gate.shape[:2] == (1, len(source.values))
    assert gate.std(1).max() > 1e-3  # which follows gaps
    assert found.hidden.shape[-1] == found.memory.shape[-1] == 8


@pytest.mark.parametrize("name", CELLS)
def test_a_run_goes_on_bit_for_bit(train_on, tmp_path, name):
    own = [f"model/gap_cell={name}", "trainer.val_check_interval=2"]
    assert goes_on(train_on, tmp_path, *own, steps=6, stop=4)


@pytest.mark.parametrize("name", CELLS)
def test_company_changes_no_answer_and_int8_few(learnt, name):
    run = load_run(learnt(name))
    sources = [one.source for one in load_examples(run, None, "test")[1]]
    check_company(run, sources, alone=8)
    plain, rounded = (
        Translator(one, run.tokenizers, BeamSearch(beam_size=2))(sources)
        for one in (run.model, pack(load_run(learnt(name)).model, "int8"))
    )
    assert sum(one != other for one, other in zip(plain, rounded, strict=True)) <= 3


def test_gaps_are_read_by_any_cell_as_a_column(train_on, tmp_path, folder):
    train_on(
        tmp_path,
        "model.input.gaps=true",
        f"data.test={folder / 'test'}.npz",
        "trainer.val_check_interval=120",
        "budget.max_steps=120",
    )
    assert right(load_run(tmp_path)) >= 0.9


def test_from_python_a_series_has_times(learnt):
    place = learnt("time_lstm")
    run, examples = seq2seq.Run(str(place)), load_examples(load_run(place), None, "test")[1]
    sources = [Series(one.source.values, times=one.source.times - 7) for one in examples]
    assert run.translate(sources) == run.translate([one.source for one in examples])
    with pytest.raises(UserError, match=r"texts\[0\] must have times, which time_unit counts in"):
        run.translate([np.ones((3, 2))])


def test_forecast_tells_what_reads_frames_of_a_run(learnt, folder, config_of):
    with pytest.raises(UserError) as error:
        forecast(config_of("forecast", f"run={learnt('time_lstm')}", f"file={folder / 'test.npz'}"))
    assert str(error.value) == (
        "run must be one that writes frames, but writes text: use evaluate, or run.translate(array) in Python."
    )


def test_a_file_with_times_is_looked_into(learnt, folder, config_of, tmp_path):
    np.savez(tmp_path / "one.npz", frames=np.ones((3, 2)), times=np.array([5.0, 6.0, 90.0]))
    ask = [f"run={learnt('time_lstm')}", f"out={tmp_path / 'out'}", "device=cpu", "steps=2", "formats=[svg]"]
    files = interpret(config_of("interpret", f"frames={tmp_path / 'one.npz'}", *ask))
    assert '<span class="text">one</span>' in files[0].read_text(encoding="utf-8")
    with pytest.raises(UserError, match="test.npz must hold one series, but holds 60"):
        interpret(config_of("interpret", f"frames={folder / 'test.npz'}", *ask, f"out={tmp_path / 'other'}"))


REFUSALS = [
    (["model/gap_cell=time_lstm", "model.input.time_unit=null"], "model.input.time_unit must be given for a gap_cell"),
    (["model/gap_cell=time_lstm", "model.encoder.direction=both"], "direction must be forward with a gap_cell"),
    (["model/gap_cell=gru_d", "model.encoder.halvings=1"], "halvings must be 0 with a gap_cell"),
    (["model/gap_cell=gru_d", "model/front_end=strided"], "front_end must be none with a gap_cell"),
    (
        ["model/gap_cell=gru_d", "model/waiting=wait_k"],
        "model.waiting must be none with a time_unit or a gap_cell, whose gaps no session reads.",
    ),
    (
        ["model/gap_cell=gru_d", "model.input.time_unit=null", "model.encoder.direction=both"],
        "model.input.time_unit must be given for a gap_cell",
    ),
    (["model.input.imputation=mean"], "model.input.time_unit must be null where nothing reads times"),
    (["model.input.time_unit=-1.0"], "model.input.time_unit must be above 0"),
    (["model/gap_cell=phased_lstm", "model.gap_cell.leak=2.0"], "model.gap_cell.leak must be at least 0 and below 1"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSALS, ids=lambda value: str(value)[:40])
def test_what_cannot_read_gaps_is_refused_at_the_start(train_on, tmp_path, overrides, message):
    with pytest.raises(UserError) as error:
        train_on(tmp_path, *overrides)
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_data_without_times_are_refused_by_series(train_on, tmp_path):
    with pytest.raises(UserError, match=r"untimed.npz, series \d+ must have times, which time_unit counts in"):
        train_on(tmp_path, "model/gap_cell=gru_d", data="untimed")


def test_tokens_have_no_gaps(plain_config_of, tmp_path):
    given = ["data=copy", "model=luong", "model/gap_cell=gru_d"]  # which read both ways
    with pytest.raises(UserError, match=r"gap_cell must be none with tokens, between which no time passes"):
        train(plain_config_of("train", *given), tmp_path, resume=False)
