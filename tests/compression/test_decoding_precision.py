"""The number format that a decoder's products get."""

import pytest
import torch

from seq2seq import machine
from seq2seq.compression import precision as module
from seq2seq.compression.precision import resolve_decoding_precision
from seq2seq.compression.prepared import Int8Linear
from seq2seq.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture
def speeds(monkeypatch):
    """Set the seconds of a product by precision, on a processor that has those alone."""

    def take(**seconds):
        def refuse(precision, device):
            if precision not in seconds:
                raise UserError(f"no {precision}")

        monkeypatch.setattr(module, "check_precision", refuse)
        monkeypatch.setattr(machine, "measured", lambda question, ways: {name: seconds[name] for name in ways})

    return take


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"float32": 1.0}, "float32"),
        ({"float32": 1.0, "int8": 3.0}, "float32"),
        ({"float32": 1.0, "int8": 0.95}, "float32"),
        ({"float32": 1.0, "int8": 0.5}, "int8"),
        ({"float32": 1.0, "int8": 0.5, "bfloat16": 0.3}, "bfloat16"),
    ],
)
def test_auto_is_the_fastest_and_never_slower_than_float32(speeds, monkeypatch, caplog, seconds, chosen):
    speeds(**seconds)
    monkeypatch.setattr(module, "_product", lambda name: lambda: None)
    with caplog.at_level("INFO"):
        assert resolve_decoding_precision("auto", CPU) == chosen
    said = [record.getMessage() for record in caplog.records]
    times = {"int8": 2.0, "bfloat16": 3.3}
    assert said == (
        [f"precision: {chosen}, whose products are {times[chosen]} times as fast as float32's here"]
        if chosen in times
        else []
    )


def test_a_named_one_that_is_slower_is_taken_and_said(speeds, monkeypatch, caplog):
    monkeypatch.setattr(module, "_product", lambda name: lambda: None)
    speeds(float32=1.0, int8=2.9)
    assert resolve_decoding_precision("int8", CPU) == "int8"
    assert [record.getMessage() for record in caplog.records] == [
        "precision=int8 takes 2.9 times as long as float32 here; precision=auto takes the fastest"
    ]
    caplog.clear()
    speeds(float32=1.0, int8=0.9)
    assert resolve_decoding_precision("int8", CPU) == "int8"
    assert not caplog.records


def test_float32_is_not_measured(monkeypatch):
    monkeypatch.setattr(machine, "measured", None)
    assert resolve_decoding_precision("float32", CPU) == "float32"
    assert resolve_decoding_precision("auto", torch.device("cuda")) == "float32"


def test_what_cannot_be_had_is_refused():
    with pytest.raises(UserError, match="^precision must be one of auto, float32, bfloat16, int8, but is 'half'"):
        resolve_decoding_precision("half", CPU)


def test_the_products_that_are_timed_are_those_of_their_precision(monkeypatch):
    timed = {}

    def measure(question, ways):
        timed.update({name: type(way.args[0]) for name, way in ways.items()})
        for run in ways.values():
            run()
        return dict.fromkeys(ways, 1.0)

    monkeypatch.setattr(machine, "measured", measure)
    before = torch.get_num_threads()
    assert resolve_decoding_precision("auto", CPU) == "float32"
    assert timed.get("float32") is not Int8Linear  # nothing is timed where there is nothing else
    assert timed.get("int8", Int8Linear) is Int8Linear
    assert torch.get_num_threads() == before
