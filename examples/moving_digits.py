"""What moving digits do next: an encoder and a forecaster of ConvLSTMs (Shi et al. 2015), with a loop of one's own.

    python examples/moving_digits.py                        trains three forecasters, prints their errors, draws a strip
    python examples/moving_digits.py --steps 300 --ahead 3  for a shorter while, and less far

Two handwritten digits of scikit-learn's load_digits move in a box and bounce off its walls. Five frames are seen, the
next five are forecast, each from the one before. The digits to test on are none of those to train on.

Needs scikit-learn: pip install -c constraints.txt -e '.[examples]'
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.nn import functional

from seq2seq import nn

BOX, PATCH = 24, 2  # pixels of a side; of a side of what becomes channels of one place
PLACES = BOX // PATCH
DIGIT = 8


def scenes(digits: np.ndarray, count: int, time: int, chosen: np.random.Generator) -> torch.Tensor:
    """Series of pictures, `scene time row column` of 0 to 1, in each of which two digits move and bounce."""
    most = BOX - DIGIT
    found = np.zeros((count, time, BOX, BOX), np.float32)
    for scene in found:
        for digit in digits[chosen.integers(len(digits), size=2)]:
            place, speed = chosen.integers(0, most + 1, 2), chosen.choice([-2, -1, 1, 2], 2)
            for frame in scene:
                row, column = place
                inside = frame[row : row + DIGIT, column : column + DIGIT]
                np.maximum(inside, digit, out=inside)
                beyond = (place + speed < 0) | (place + speed > most)
                speed = np.where(beyond, -speed, speed)
                place = place + speed
    return torch.from_numpy(found)


def folded(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures as vectors with 2 x 2 pixels as the channels of a place, `scene time channel-row-column`."""
    patches = pictures.unflatten(-1, (PLACES, PATCH)).unflatten(-3, (PLACES, PATCH))
    return patches.permute(0, 1, 3, 5, 2, 4).flatten(2)


def unfolded(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors as the pictures that they were, `scene time row column`."""
    patches = vectors.unflatten(-1, (PATCH, PATCH, PLACES, PLACES))
    return patches.permute(0, 1, 4, 2, 5, 3).flatten(-2).flatten(-3, -2)


class Forecaster(torch.nn.Module):
    """One cell reads what was seen; another begins with its state, and reads what it said last."""

    def __init__(self, cell: Callable[[int, int], nn.Cell], hidden_size: int, readout: torch.nn.Module) -> None:
        super().__init__()
        self.encoder, self.forecaster = cell(BOX**2, hidden_size), cell(BOX**2, hidden_size)
        self.readout = readout
        next(one for one in readout.modules() if hasattr(one, "bias")).bias.data.fill_(-2.0)  # most is paper

    def forward(self, seen: torch.Tensor, ahead: int) -> torch.Tensor:
        """Logits of so many frames ahead, `scene ahead pixel`, from those seen."""
        _, state = self.encoder.unroll(seen, self.encoder.start(seen[:, 0]))
        last, found = seen[:, -1], []
        for _ in range(ahead):
            state = self.forecaster.step(last, state)
            found.append(self.readout(state.hidden))
            last = found[-1].sigmoid()
        return torch.stack(found, 1)


class ReadoutByPlace(torch.nn.Module):
    """The same matrix at every place, from channels to channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filters = torch.nn.Conv2d(channels, PATCH**2, 1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Values of all places, from hidden states, `scene hidden`."""
        return self.filters(hidden.view(len(hidden), -1, PLACES, PLACES)).flatten(1)


def convolutional(channels: int) -> Forecaster:
    """A forecaster whose states are pictures."""
    cell = partial(nn.ConvLSTMCell, height=PLACES, width=PLACES, kernel_size=3)
    return Forecaster(cell, channels * PLACES**2, ReadoutByPlace(channels))


def plain(hidden_size: int) -> Forecaster:
    """A forecaster whose states are vectors without places."""
    return Forecaster(nn.LSTMCell, hidden_size, torch.nn.Linear(hidden_size, BOX**2))


def parameters(model: torch.nn.Module) -> int:
    """The number of its parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def train(model: Forecaster, draw: Callable[[], torch.Tensor], seen: int, steps: int, lr: float = 1e-2) -> None:
    """Train on scenes that are drawn, by the cross-entropy of every pixel ahead."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for _ in range(steps):
        frames = folded(draw())
        logits = model(frames[:, :seen], frames.shape[1] - seen)
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(logits, frames[:, seen:]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


@torch.no_grad()
def forecast(model: Forecaster | None, scene: torch.Tensor, seen: int) -> torch.Tensor:
    """Pictures ahead, `scene ahead row column`; without a model, the last one seen stays."""
    ahead = scene.shape[1] - seen
    if model is None:
        return scene[:, seen - 1 : seen].expand(-1, ahead, -1, -1)
    return unfolded(model(folded(scene[:, :seen]), ahead).sigmoid())


def error(found: torch.Tensor, scene: torch.Tensor) -> float:
    """The mean squared error of pixels ahead, times 1000."""
    return 1000 * functional.mse_loss(found, scene[:, -found.shape[1] :]).item()


def strip(scene: torch.Tensor, rows: dict[str, torch.Tensor], seen: int) -> Figure:
    """One scene: what was seen and what followed, and below what each forecaster said."""
    figure = Figure(figsize=(9, 0.62 * (len(rows) + 1) + 0.5), layout="constrained")
    panels = figure.subplots(len(rows) + 1, scene.shape[0])
    shown = {"truth": scene} | {name: torch.cat([scene[:seen] * 0, found]) for name, found in rows.items()}
    for line, (name, pictures) in zip(panels, shown.items(), strict=True):
        for number, (axes, picture) in enumerate(zip(line, pictures, strict=True)):
            axes.set_axis_off()
            if name == "truth" or number >= seen:
                axes.imshow(picture.numpy(), cmap="gray_r", vmin=0, vmax=1)
            if number == (0 if name == "truth" else seen - 1):
                axes.text(-0.1, 0.5, name, ha="right", va="center", transform=axes.transAxes, fontsize=8)
    panels[0][seen].set_title("ahead", fontsize=8, loc="left")
    return figure


def fitted(wanted: int) -> int:
    """The hidden size of the plain forecaster that has about so many parameters."""
    return min(range(1, 512), key=lambda size: abs(8 * size * (BOX**2 + size + 2) + (size + 1) * BOX**2 - wanted))


def main() -> None:
    """Train, measure and draw as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600, help="of each forecaster")
    parser.add_argument("--channels", type=int, default=16, help="of the ConvLSTMs")
    parser.add_argument("--seen", type=int, default=5, help="frames")
    parser.add_argument("--ahead", type=int, default=5, help="frames")
    parser.add_argument("--picture", default="moving_digits.png", help="the strip of frames")
    given = parser.parse_args()

    from sklearn.datasets import load_digits

    digits = load_digits().images.astype(np.float32) / 16
    length = given.seen + given.ahead
    test = scenes(digits[1400:], 300, length, np.random.default_rng(1))
    rows = {"last frame": forecast(None, test, given.seen)}
    mean = test[:, given.seen :].mean((0, 1)).expand_as(rows["last frame"])
    print(f"last frame: {error(rows['last frame'], test):.1f}, mean picture: {error(mean, test):.1f}")
    torch.manual_seed(1)
    conv_lstm = convolutional(given.channels)
    kinds = {"ConvLSTM": conv_lstm, "LSTM": plain(fitted(parameters(conv_lstm))), "LSTM 256": plain(256)}
    for name, model in kinds.items():
        chosen, began = np.random.default_rng(2), time.process_time()
        train(model, partial(scenes, digits[:1400], 16, length, chosen), given.seen, given.steps)
        rows[name] = forecast(model, test, given.seen)
        minutes = (time.process_time() - began) / 60
        print(
            f"{name}: {error(rows[name], test):.1f}, {parameters(model)} parameters, {minutes:.1f} minutes", flush=True
        )
    strip(test[0], {name: found[0] for name, found in rows.items()}, given.seen).savefig(given.picture, dpi=100)


if __name__ == "__main__":
    main()
