"""The picture of a watched stream."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from seq2seq.drift.history import SignalHistory
from seq2seq.drift.watch import Alarm
from seq2seq.interpretation.plots import ACCENT, Picture

_WIDTH = 9.0  # inches of 100 pixels
_DASHES = ("-", "--", ":")


def drift_figure(history: SignalHistory, signals: Sequence[str], alarms: Sequence[Alarm]) -> Figure:
    """A curve of each signal over the lines, in deviations from what is usual, with every alarm at its line.

    What is grey is within one deviation. Of many lines, each point is the mean of a block.
    """
    figure = Picture(figsize=(_WIDTH, 0.6 + 1.6 * len(signals)), layout="constrained")
    rows = figure.subplots(len(signals), 1, sharex=True, squeeze=False)[:, 0]
    styles = _styles(alarms)
    for axes, signal in zip(rows, signals, strict=True):
        axes.axhspan(-1, 1, color="#eef1f6")
        axes.plot(*history.curve(signal), color=ACCENT, linewidth=1.0)
        for alarm in alarms:
            if alarm.signal == signal:
                axes.axvline(alarm.line, **styles[alarm.detector])
        axes.set_ylabel(signal.replace("_", " "))
        axes.grid(color="#e3e6ec", linewidth=0.6)
    rows[-1].set_xlabel("line" if history.size == 1 else f"line, means of {history.size:,} each")
    rows[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    rows[0].set_title("signals in deviations from what is usual", fontsize="medium")
    if styles:
        marks = [Line2D([], [], label=f"alarm of {name}", **style) for name, style in styles.items()]
        rows[0].legend(handles=marks, fontsize="small", loc="upper left")
    return figure


def _styles(alarms: Sequence[Alarm]) -> dict[str, dict[str, Any]]:
    """Styles that each detector's alarms are drawn in, in the order of their first ones."""
    names = dict.fromkeys(alarm.detector for alarm in alarms)
    return {
        name: {"color": "#b5382a", "linewidth": 1.0, "linestyle": dash} for name, dash in zip(names, cycle(_DASHES))
    }
