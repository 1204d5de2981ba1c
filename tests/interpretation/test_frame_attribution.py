"""Shares of values make up the score, and the picture shows them where they are."""

from functools import partial

import numpy as np
import pytest
import torch
from matplotlib.image import AxesImage

from seq2seq import nn
from seq2seq.errors import UserError
from seq2seq.interpretation.feature_plot import feature_figure
from seq2seq.interpretation.frame_attribution import frame_attribution
from seq2seq.interpretation.plots import write_picture
from seq2seq.interpretation.recording import encoder_records, recording

SIZE, TIME = 6, 5


@pytest.fixture
def encoder():
    torch.manual_seed(1)
    options = nn.StackOptions(SIZE, 1, nn.LSTMCell, nn.TimeLSTMCell, dropout=0.0, direction="forward")
    frames = partial(nn.FrameInput, imputation="decay", mask=True, time_unit=2.0, normalization="log")
    built = nn.Encoder(side=nn.SourceSide(4, SIZE, lambda: None), options=options, input=frames).double().eval()
    built.input.prepare(np.random.default_rng(1).normal(2, [1, 5, 3, 1], (300, 4)))
    return built


@pytest.fixture
def source():
    found = torch.randn(1, TIME, 4, generator=torch.Generator().manual_seed(2), dtype=torch.double) * 3
    found[..., 3] = torch.tensor([0.0, 1, 4, 2, 7])
    found[0, 2, 1] = found[0, 3, 1] = torch.nan
    return found


def score_of(encoder, unit: int = 0):
    return lambda frames: encoder(frames, torch.full((len(frames),), TIME)).last[:, unit]


def test_shares_make_up_the_score(encoder, source):
    found = frame_attribution(score_of(encoder), encoder.input, source, steps=200)
    assert found.shares.shape == (TIME, 4)
    assert abs(found.delta) < 1e-3
    assert found.shares.isfinite().all()
    nothing = ~source[0].isfinite()
    assert nothing.sum() == 2
    assert not found.shares[nothing].any()
    assert found.shares[~nothing].ne(0).sum() == 4 * TIME - 2 - 1  # the first gap is 0 on both ends of the path


def test_of_a_linear_score_shares_are_what_each_value_adds(source):
    """Exactly, whatever the number of steps."""
    plain = nn.FrameInput(nn.SourceSide(4, SIZE, lambda: None), normalization="standard").double()
    plain.prepare(np.random.default_rng(1).normal(2, 3, (300, 4)))
    weights = torch.arange(20.0, dtype=torch.double).view(TIME, 4)
    given = source.nan_to_num(1.0)
    found = frame_attribution(lambda frames: (frames * weights).sum((1, 2)), plain, given, steps=1)
    torch.testing.assert_close(found.shares, weights * (given[0] - plain.typical))
    assert abs(found.delta) < 1e-9


@pytest.mark.parametrize(
    ("count", "steps", "message"),
    [(2, 8, "source must be one series, but there are 2"), (1, 0, "steps must be at least 1, but is 0.")],
)
def test_mistakes_are_told_by_the_parameter(encoder, source, count, steps, message):
    with pytest.raises(UserError, match=message):
        frame_attribution(score_of(encoder), encoder.input, source.expand(count, -1, -1), steps=steps)


def test_the_picture_has_a_panel_of_shares_and_one_of_every_gate(encoder, source, tmp_path):
    shares = frame_attribution(score_of(encoder), encoder.input, source).shares
    records, lengths = encoder_records(encoder), torch.tensor([TIME])
    with torch.no_grad(), recording(records):
        encoder(source, lengths)
    gates = records[0].take(lengths).gates
    figure = feature_figure(
        shares, gates, features=["a", "b_$1$", "c", "gap"], times=[0.0, 1.0, 5.0, 7.0, 14.0], unit="years"
    )
    panels = [axes for axes in figure.axes if any(isinstance(part, AxesImage) for part in axes.images)]
    assert [axes.get_title(loc="left") for axes in panels] == ["share of the score", *gates]
    np.testing.assert_allclose(panels[0].images[0].get_array(), shares.T.float(), rtol=1e-6)
    assert panels[0].images[0].get_clim() == pytest.approx((-float(shares.abs().max()), float(shares.abs().max())))
    assert panels[-1].images[0].get_array().shape == (1, TIME)  # one discount for all units
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["a", "b_$1$", "c", "gap"]
    assert [label.get_text() for label in panels[-1].get_xticklabels()] == ["0", "1", "5", "7", "14"]
    assert panels[-1].get_xlabel() == "time in years"
    write_picture(figure, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000
