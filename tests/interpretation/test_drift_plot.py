"""The picture of a watched stream shows every signal and every alarm."""

from seq2seq.drift.history import SignalHistory
from seq2seq.drift.watch import Alarm
from seq2seq.interpretation.drift_plot import drift_figure


def test_a_row_for_each_signal_with_its_curve_and_its_alarms():
    history = SignalHistory()
    for line in range(1, 21):
        history.add(line, {"nll": 0.1 * line, "length_ratio": 0.0})
    found = [
        Alarm(9, "nll", "page_hinkley", 1.0, 1.0, 5),
        Alarm(12, "nll", "adwin", 1.0, 1.0, 5),
        Alarm(15, "length_ratio", "adwin", 1.0, 1.0, 5),
    ]
    figure = drift_figure(history, ["nll", "length_ratio", "entropy"], found)
    first, second, third = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["nll", "length ratio", "entropy"]
    assert list(first.lines[0].get_ydata()) == [0.1 * line for line in range(1, 21)]
    assert [list(line.get_xdata()) for line in first.lines[1:]] == [[9, 9], [12, 12]]
    assert [list(line.get_xdata()) for line in second.lines[1:]] == [[15, 15]]
    assert [len(third.lines), len(third.lines[0].get_xdata())] == [1, 0]
    assert first.lines[1].get_linestyle() != first.lines[2].get_linestyle() == second.lines[1].get_linestyle()
    assert [text.get_text() for text in first.get_legend().get_texts()] == [
        "alarm of page_hinkley",
        "alarm of adwin",
    ]
    assert third.get_xlabel() == "line"


def test_blocks_are_named_and_no_legend_stands_without_alarms():
    history = SignalHistory(most=4)
    for line in range(1, 21):
        history.add(line, {"nll": 1.0})
    (axes,) = drift_figure(history, ["nll"], []).axes
    assert axes.get_xlabel() == "line, means of 8 each"
    assert axes.get_legend() is None
