"""Times become gaps, which say how long ago values were, wherever clocks begin and however streams are cut."""

import numpy as np
import pytest
import torch
from torch import nn

from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.series import Series
from seq2seq.errors import UserError
from seq2seq.layers.inputs.frames import FrameInput
from seq2seq.layers.inputs.imputation import Seen, carried_forward, clock, interpolated, observed_within, since
from seq2seq.layers.inputs.input import SourceSide
from seq2seq.layers.inputs.tokens import TokenInput
from seq2seq.layers.recurrent.cells.gru_d import GRUDCell

LENGTHS = torch.tensor([6, 2, 1, 4])
UNIT, NAN = 7.0, torch.nan
OPTIONS = [
    {"gaps": True},
    {"imputation": "decay", "mask": True},
    {"imputation": "carry_forward", "gaps": True, "mask": True},
    {"imputation": "interpolation"},
]


def new_input(*, gaps: bool = True, unit: float | None = UNIT, **options) -> FrameInput:
    torch.manual_seed(1)
    side = SourceSide(3 + (unit is not None), 5, lambda: None, gaps=gaps)
    built = FrameInput(side, time_unit=unit, **options).double()
    random = np.random.default_rng(2)
    built.prepare(np.concatenate([random.normal(3, [1, 10, 0.1], (200, 3)), random.random((200, 1))], 1))
    return built.eval()


def some_source(*, missing: bool) -> torch.Tensor:
    random = torch.Generator().manual_seed(3)
    frames = torch.randn(4, 6, 3, generator=random, dtype=torch.double) + 3
    if missing:
        frames[torch.rand(frames.shape, generator=random) < 0.4] = NAN
    gaps = torch.randint(1, 30, (4, 6, 1), generator=random).double()
    gaps[:, 0] = 0
    source = torch.cat([frames, gaps], -1)
    for row, length in enumerate(LENGTHS.tolist()):
        source[row, length:] = 0  # as batches pad
    return source


def missing_of(options) -> bool:
    return "imputation" in options


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_padding_and_company_change_nothing(options):
    built, source = new_input(**options), some_source(missing=missing_of(options))
    together = built(source, LENGTHS)
    assert together.shape[-1] == 5 + built.gap_size == 9
    wider = built(torch.cat([source, torch.full((4, 3, 4), 7.0)], 1), LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = built(source[row : row + 1, :length], LENGTHS[row : row + 1])
        assert alone.isfinite().all()
        for found in (together, wider):
            torch.testing.assert_close(found[row, :length], alone[0])


@pytest.mark.parametrize("options", OPTIONS[:-1], ids=str)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_chunks_give_what_the_whole_does(options, size):
    built, source = new_input(**options), some_source(missing=missing_of(options))
    state, found = built.start(4), []
    for start in range(0, 6, size):
        lengths = (LENGTHS - start).clamp(0, min(size, 6 - start))
        vectors, state = built.advance(source[:, start : start + size], lengths, state)
        found.append(vectors)
    whole = built(source, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(torch.cat(found, 1)[row, :length], whole[row, :length])


def test_gaps_are_those_of_the_recursion_of_gru_d():
    """delta_1 = 0, delta_t = s_t - s_{t-1} + (delta_{t-1} where the frame before had no value, else 0)."""
    source = some_source(missing=True)
    frames, gaps = source[..., :3], source[..., 3:]
    observed, nothing = observed_within(frames, LENGTHS), torch.zeros(4, 3, dtype=torch.double)
    seen = Seen(nothing, nothing)
    values, ago = carried_forward(frames, observed, seen, clock(gaps))
    found = since(ago, seen, gaps)
    for row in range(4):
        times = gaps[row, :, 0].cumsum(0).tolist()
        for feature in range(3):
            delta, value = 0.0, 0.0
            for time in range(int(LENGTHS[row])):
                if time > 0:
                    delta = times[time] - times[time - 1] + (0 if observed[row, time - 1, feature] else delta)
                known = bool(observed[row, time, feature])
                value = float(frames[row, time, feature]) if known else value
                wanted = (delta, value, 0.0 if known else delta)
                assert tuple(float(part[row, time, feature]) for part in (found, values, ago)) == wanted


def test_where_all_is_observed_gaps_are_those_between_frames():
    source = some_source(missing=False)
    vectors = new_input(imputation="mean", gaps=True)(source, torch.full((4,), 6))
    torch.testing.assert_close(vectors[..., 5:], (source[..., 3:] / UNIT).expand(-1, -1, 4))


def test_a_feature_that_is_never_seen_stays_at_the_mean():
    built, source = new_input(imputation="decay"), some_source(missing=True)
    source[:, :, 1] = NAN
    known = built(source, LENGTHS)
    source[:, :, 1] = 3.0 + torch.zeros(())  # a value, and then the mean itself
    built.normalization.center[1], mean = 3.0, built.normalization.mean[1].clone()
    assert float(mean) == pytest.approx(0.0, abs=1e-6)
    torch.testing.assert_close(built(source, LENGTHS)[..., :5], known[..., :5])


def test_the_last_value_decays_to_the_mean():
    built = new_input(imputation="decay")
    nn.init.constant_(built.decay.weight, 0.5)
    nn.init.constant_(built.decay.bias, 0.1)
    source = torch.tensor([[[5.0, 4, 3, 0], [NAN, NAN, 3, 14], [NAN, 5, 3, 7]]], dtype=torch.double)
    found = built._read(source, torch.tensor([3]), built._unseen(1)).filled
    first, mean = built.normalization(source[..., :3])[0, 0], built.normalization.mean
    for time, ago in ((1, 2.0), (2, 3.0)):
        kept = torch.tensor(-(0.5 * ago + 0.1)).exp()
        torch.testing.assert_close(found[0, time, 0], kept * first[0] + (1 - kept) * mean[0])
    torch.testing.assert_close(found[0, 2, 1], built.normalization(source[..., :3])[0, 2, 1])


def test_lines_between_neighbours_follow_the_time():
    frames = torch.tensor([[1.0, NAN, 5.0, NAN]]).unsqueeze(-1)
    observed, mean = observed_within(frames, torch.tensor([4])), torch.zeros(1, 1)
    gaps = torch.tensor([[0.0, 1.0, 3.0, 2.0]]).unsqueeze(-1)
    found = interpolated(frames, observed, Seen(mean, mean), clock(gaps))
    torch.testing.assert_close(found[0, :, 0], torch.tensor([1.0, 2.0, 5.0, 5.0]))


@pytest.mark.parametrize("moved", [0.0, 100.0, -3.0, 2.0**40])
def test_moving_all_times_changes_nothing(moved):
    times = np.array([1.0, 4.0, 5.5, 20.0])
    series = [Series(np.ones((4, 3)), "here", times + by) for by in (0.0, moved)]
    reader = FrameReader(3, missing=False, timed=True)
    first, second = (reader.sequences([one]).flat for one in series)
    assert first[:-1, 3].tolist() == [0.0, 3.0, 1.5, 14.5]
    assert torch.equal(first, second)
    assert (series[0] == series[1]) == (moved == 0)


def test_the_unit_is_part_of_the_model():
    source = some_source(missing=True)
    days, weeks = (new_input(unit=unit, imputation="decay", gaps=True)(source, LENGTHS) for unit in (1.0, 7.0))
    torch.testing.assert_close(days[..., 5:], 7 * weeks[..., 5:])
    assert not torch.allclose(days[..., :5], weeks[..., :5])


def test_input_and_cell_are_gru_d_of_the_paper():
    """With a projection that hands values and mask on, by the equations of Che et al. 2018 (3 to 11)."""
    torch.manual_seed(4)
    source = some_source(missing=True)[:1]
    built = FrameInput(SourceSide(4, 6, lambda: None, gaps=True), time_unit=1.0, imputation="decay", mask=True).double()
    nn.init.eye_(built.projection.weight)
    nn.init.zeros_(built.projection.bias)
    cell = GRUDCell(10, 4, gap_size=4).double()
    outputs, _ = cell.unroll(built.eval()(source, LENGTHS[:1]), cell.start(source[:, 0]))
    gates, h = cell.gates, torch.zeros(4, dtype=torch.double)
    last, delta, mask = torch.zeros(3, dtype=torch.double), torch.zeros(3, dtype=torch.double), torch.zeros(3)
    for time in range(6):
        x, gap = source[0, time, :3], source[0, time, 3]
        delta = gap + torch.where(mask > 0, 0.0, delta) if time else torch.zeros(3, dtype=torch.double)
        mask = x.isfinite().double()
        of_x = torch.exp(-(built.decay.weight * delta + built.decay.bias).clamp(min=0))
        of_h = torch.exp(-(cell.decay_weight @ delta + cell.decay_bias).clamp(min=0))
        read = torch.where(mask > 0, x, of_x * last)  # the mean is 0
        last = torch.where(mask > 0, x, last)
        h = of_h * h
        z, r = (
            (gates[name].input @ torch.cat([read, mask]) + gates[name].recurrent @ h + gates[name].bias).sigmoid()
            for name in ("update", "reset")
        )
        new = (
            gates["candidate"].input @ torch.cat([read, mask])
            + gates["candidate"].recurrent @ (r * h)
            + gates["candidate"].bias
        ).tanh()
        h = z * h + (1 - z) * new
        torch.testing.assert_close(outputs[0, time], h)


def test_hidden_frames_keep_their_gaps_and_drawn_ones_have_some():
    built = new_input()
    source = some_source(missing=False)[:1]
    hidden = built.occluded(source)
    assert hidden.shape == (6, 6, 4)
    assert torch.equal(hidden[..., 3], source[..., 3].expand(6, -1))
    assert (hidden[..., :3] == source[..., :3]).all(-1).sum() == 30
    drawn = built.drawn((2, 4), torch.Generator().manual_seed(1))
    assert drawn[..., 3].tolist() == [[0.0, 7.0, 7.0, 7.0]] * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_may_be_of_any_kind(dtype):
    built = new_input(imputation="decay", gaps=True).to(dtype)
    source = some_source(missing=True).float()
    assert built(source, LENGTHS).dtype is dtype
    assert built.advance(source, LENGTHS, built.start(4))[0].dtype is dtype


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": 0.0}, "time_unit must be above 0, a number of units of the data's times, but is 0.0."),
        ({"unit": None}, "time_unit must be given for a gap_cell, a number of units of the data's times, but is null."),
        (
            {"gaps": False},
            "time_unit must be null where nothing reads times, but is 7.0: choose a gap_cell, or gaps=true",
        ),
        ({"gaps": False, "imputation": "mean"}, "time_unit must be null where nothing reads times"),
        ({"front_end": lambda size: None}, "front_end must be none with a gap_cell, which reads a gap for each frame."),
    ],
)
def test_mistakes_are_told_by_the_parameter(options, message):
    with pytest.raises(UserError) as error:
        new_input(**options)
    assert str(error.value).startswith(message)


def test_between_tokens_there_are_no_gaps():
    with pytest.raises(UserError, match="gap_cell must be none with tokens, between which no time passes"):
        TokenInput(SourceSide(4, 6, lambda: None, gaps=True))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            [0.0, 2.0, 1.0],
            "x.npz, series 2, frame 3: times must ascend, but 1 follows 2: sort frames by time, one for each.",
        ),
        ([0.0, 1.5, 1.5], "x.npz, series 2, frame 3: times must ascend, but 1.5 follows 1.5: "),
        ([0.0, NAN, 1.0], "x.npz, series 2, frame 2 must have a finite time, but has nan: fix it."),
        ([0.0, 1.0], "x.npz, series 2 must have a time for each of 3 frames, but has times [2]."),
        (["a", "b", "c"], "x.npz, series 2 must have numbers as times, but has others."),
        (None, "x.npz, series 2 must have times, which time_unit counts in, but has none."),
    ],
)
def test_times_that_are_none_are_told_by_series_and_frame(times, message):
    with pytest.raises(UserError) as error:
        FrameReader(2, missing=False, timed=True).sequences(
            [Series(np.ones((3, 2)), "x.npz, series 2", None if times is None else np.array(times))]
        )
    assert str(error.value).startswith(message)
