"""A stream as a reader sees it is the stream as the encoder reads it, in memory that does not grow."""

import pytest
import torch
from torch import nn

from seq2seq.errors import UserError
from seq2seq.interpretation import bins, stream_reader
from seq2seq.interpretation.bins import CAPACITY, Bins
from seq2seq.interpretation.gates import saturation, time_constants
from seq2seq.interpretation.stream_reader import SHOWN, StreamReader
from seq2seq.interpretation.stream_statistics import WINDOW
from seq2seq.interpretation.trace import trace
from seq2seq.symbols import BOS, EOS

READINGS = [
    {"direction": "forward"},
    {"block_size": 2, "lookahead": 1},
    {"block_size": 5},
    {"direction": "forward", "halvings": 1},
    {"block_size": 4, "lookahead": 2, "halvings": 1},
]
IDS = [4, 9, 5, 4, 7, 7, 11, 10, 9, 8, 7, 6, EOS] * 5


def roughened(model: nn.Module) -> nn.Module:
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.5)
    return model


def read(encoder, ids, *, chunk=None, resets=(), units=3, marks=()) -> tuple[StreamReader, torch.Tensor]:
    """A reader behind the ids, which come in chunks, and all values of the encoder."""
    reader, values, last = StreamReader(encoder), [], 0
    cuts = sorted({*range(0, len(ids), chunk or len(ids)), *resets, *marks, len(ids)} - {0})
    with reader.reading():
        for cut in cuts:
            values += reader.read(ids[last:cut], [str(number) for number in ids[last:cut]])
            if cut in resets:
                values.append(reader.reset())
            if cut in marks:
                reader.mark(f"at {cut}", units)
            last = cut
        values.append(reader.end())
    return reader, torch.cat([found.values[:, : int(found.lengths[0])] for found in values], 1)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(stream_reader, "CHUNK", 7)


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_an_observed_stream_is_the_unobserved_one(build_model, reading):
    model = roughened(build_model(encoder_layers=2, dropout=0.3, **reading)).double()
    before = model.training, [cell.fused for cell in model.modules() if hasattr(cell, "fused")]
    _, values = read(model.encoder, IDS)
    after = model.training, [cell.fused for cell in model.modules() if hasattr(cell, "fused")]
    assert after == before
    assert all(before[1])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    with torch.no_grad():
        whole = model.eval().encoder(torch.tensor([IDS]), torch.tensor([len(IDS)])).values
    torch.testing.assert_close(values, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_what_is_counted_is_what_a_trace_of_the_whole_shows(build_model, reading):
    model = roughened(build_model(encoder_layers=2, **reading)).double()
    reader, _ = read(model.encoder, IDS)
    traced = trace(model, torch.tensor([IDS]), torch.tensor([len(IDS)]), torch.tensor([[BOS, 5]])).cells
    assert [cell.name for cell in reader.cells] == list(traced)[:-1]
    for cell in reader.cells:
        own, steps = traced[cell.name], int(traced[cell.name].lengths[0])
        for name, values in own.gates.items():
            torch.testing.assert_close(cell.gates[name].mean, values[0].mean(0), rtol=0, atol=1e-6)
        places = torch.arange(steps) * cell.reduction // cell.memory.width
        for stretch, mean in enumerate(cell.memory.means):
            torch.testing.assert_close(mean, own.memory[0, places == stretch].mean(0), rtol=0, atol=1e-6)
        torch.testing.assert_close(cell.norm.sums.sum(), own.memory[0].norm(dim=1).sum(), rtol=1e-6, atol=0)
        torch.testing.assert_close(cell.time_constants, time_constants(own) * cell.reduction, rtol=1e-5, atol=0)
        for name, shares in saturation(own).items():
            assert cell.saturation[name] == pytest.approx(shares, abs=1e-6)


def test_every_kind_of_cell_is_seen(build_model, cell_kind):
    model = roughened(build_model(cell=cell_kind, direction="forward", encoder_layers=1))
    reader, values = read(model.encoder, IDS[:20])
    with torch.no_grad():
        whole = model.eval().encoder(torch.tensor([IDS[:20]]), torch.tensor([20])).values
    torch.testing.assert_close(values, whole)
    (cell,) = reader.cells
    assert cell.memory.total == 20
    assert (cell.time_constants is None) == (cell.cell.keep_gate is None)
    assert all(found.total == 20 for found in cell.gates.values())


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_however_a_stream_is_cut_the_same_is_found(build_model, reading):
    model = roughened(build_model(encoder_layers=2, **reading)).double()
    once, _ = read(model.encoder, IDS, marks=[40])
    cut, _ = read(model.encoder, IDS, chunk=3, marks=[40])
    for one, other in zip(once.cells, cut.cells, strict=True):
        torch.testing.assert_close(one.memory.sums, other.memory.sums, rtol=0, atol=1e-5)
        torch.testing.assert_close(one.norm.most, other.norm.most, rtol=0, atol=1e-5)
    assert once.marks[0].pieces == cut.marks[0].pieces


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_a_reset_begins_a_stream_anew(build_model, reading):
    """At a place that no block or pair ends at, too."""
    model = roughened(build_model(encoder_layers=2, **reading)).double()
    reader, values = read(model.encoder, IDS, resets=[13, 24])
    with torch.no_grad():
        parts = [IDS[:13], IDS[13:24], IDS[24:]]
        fresh = [model.eval().encoder(torch.tensor([part]), torch.tensor([len(part)])).values for part in parts]
    torch.testing.assert_close(values, torch.cat(fresh, 1), rtol=0, atol=1e-12)
    assert reader.resets.counts.nonzero().flatten().tolist() == [13, 24]
    for cell in reader.cells:
        assert cell.memory.total == sum(-(-len(part) // cell.reduction) for part in parts)
        assert int(cell.memory.edges[-1]) <= len(IDS) + cell.reduction


def test_nothing_read_is_no_reset(build_model):
    reader, _ = read(build_model(direction="forward").encoder, IDS[:5], resets=[3])
    with reader.reading():
        reader.reset()
        before = int(reader.resets.counts.sum())
        reader.reset()
        assert int(reader.resets.counts.sum()) == before


def test_a_unit_that_leaps_is_what_changed(build_model):
    """The input gate of unit 2 opens to token 9 alone, which comes late."""
    model = build_model(direction="forward", encoder_layers=1)
    nn.init.zeros_(model.encoder.input.embedding.table.weight)
    model.encoder.input.embedding.table.weight.data[9, 0] = 5.0
    model.encoder.input.embedding.table.weight.data[4, 1] = 1.0
    cell = model.encoder.stack.layers[0].forwards
    for name, view in cell.gates.items():
        nn.init.normal_(view.input, std=0.1)
        view.input[:, 0] = 0.0
        view.recurrent.zero_()
        view.set_bias(-4.0 if name == "forget" else 0.0)
    cell.gates["candidate"].input[2, 0] = 2.0
    ids = [4, 5] * 100 + [9, 4] * 24
    (mark,) = read(model.encoder, ids, marks=[len(ids)])[0].marks
    assert (mark.label, mark.place, len(mark.pieces)) == ("at 248", 248, WINDOW)
    assert mark.pieces[:2] == ("9", "4")
    assert len(mark.changed) == 3
    first = mark.changed[0]
    assert (first.cell, first.number) == ("encoder 1 forward", 2)
    assert first.mean > 2
    assert first.course[0] > 2 * abs(first.course[1])
    assert abs(mark.changed[1].mean) < first.mean / 2


def test_before_the_first_mark_there_must_be_something(build_model):
    reader, _ = read(build_model(direction="forward").encoder, IDS[:10], marks=[4])
    assert reader.marks[0].pieces == tuple(map(str, IDS[:4]))
    assert reader.marks[0].changed == ()


def kept(reader: StreamReader) -> int:
    """Numbers in all tensors that a reader holds, beside the encoder, and its pieces."""
    found, seen, left = 0, set(), [vars(reader)]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, nn.Module):
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            found += one.numel()
        elif isinstance(one, dict):
            left += list(one.values())
        elif isinstance(one, list | tuple | stream_reader.deque):
            found += len(one)
            left += list(one)
        elif hasattr(one, "__dict__"):
            left.append(vars(one))
    return found


def test_memory_does_not_grow_with_the_stream(build_model, monkeypatch):
    monkeypatch.setattr(stream_reader, "CHUNK", 256)
    model = build_model(encoder_layers=2, block_size=4, lookahead=2)
    short, long = ([IDS[number % len(IDS)] for number in range(count)] for count in (1500, 6000))
    every = [kept(read(model.encoder, ids, resets=[100, 700], marks=[800])[0]) for ids in (short, long)]
    assert every[0] == every[1]
    assert every[0] > 1000


def test_marks_beyond_the_first_few_are_places_alone(build_model):
    reader, _ = read(build_model(direction="forward").encoder, IDS, marks=list(range(20, 20 + SHOWN + 2)))
    assert [bool(mark.pieces) for mark in reader.marks] == [True] * SHOWN + [False] * 2


def test_an_encoder_that_reads_from_the_end_is_refused(build_model):
    with pytest.raises(UserError, match=r"^direction must be forward, or block_size a number of steps, for streams"):
        StreamReader(build_model().encoder)


def test_stretches_widen_and_lose_nothing():
    whole, values = Bins(2), torch.rand(5 * CAPACITY + 3, 2)
    for start in range(0, len(values), 11):
        part = values[start : start + 11]
        whole.add(start + torch.arange(len(part)), part)
    assert whole.width == 8
    assert (whole.total, whole.length) == (len(values), -(-len(values) // 8))
    assert whole.edges[-1] == whole.length * 8
    torch.testing.assert_close(whole.mean, values.double().mean(0))
    torch.testing.assert_close(whole.means[3], values[24:32].double().mean(0))
    torch.testing.assert_close(whole.most[: whole.length][-1], values[-3:].double().amax(0))
    assert bins.CAPACITY % 2 == 0


def test_a_stretch_without_steps_has_no_mean():
    found = Bins(1)
    assert (found.length, found.total) == (0, 0)
    found.add(torch.tensor([0, 3]), torch.tensor([[1.0], [2.0]]))
    assert found.means.isnan().flatten().tolist() == [False, True, True, False]
