"""The picture of interventions at single steps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from seq2seq.interpretation.plots import SIGNED, Picture, scale_of, title_figure

_WIDTH, _ROW, _LEAST = 9.0, 0.2, 2.0  # inches of 100 pixels


def steps_figure(
    effects: Mapping[str, Mapping[str, Sequence[float]]], steps: Sequence[int], names: Sequence[str], title: str
) -> Figure:
    """A panel for each measure with a row for each change and a column for each step at which it was made alone.

    `effects` holds, by change and measure, how far it was moved at each step.
    """
    figure = Picture(figsize=(_WIDTH, _LEAST + _ROW * len(effects)), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        values = np.array([own[name] for own in effects.values()])
        most = scale_of(values)
        colours = SIGNED.reversed() if name == "loss" else SIGNED
        image = axes.imshow(
            values.clip(-most, most), cmap=colours, vmin=-most, vmax=most, aspect="auto", interpolation="none"
        )
        axes.set_xticks(range(len(steps)), list(map(str, steps)))
        axes.set_xlabel("step of the cell")
        axes.set_title(f"{name}, {'nats a token' if name == 'loss' else 'points'}", loc="left", fontsize="medium")
        figure.colorbar(image, ax=axes, label="change")
    panels[0].set_yticks(range(len(effects)), list(effects), fontsize="small")
    title_figure(figure, title)
    return figure
