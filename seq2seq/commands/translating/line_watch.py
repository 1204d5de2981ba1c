"""A watch over what `translate` answers: alarms on stderr, in a file, and a picture at the end."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.config.builder import build
from seq2seq.drift.history import SignalHistory
from seq2seq.drift.watch import Alarm, SignalWatch, Watch
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.runs.named_files import picture_file
from seq2seq.runs.run import DecodingRun
from seq2seq.runs.usual_signals import usual_signals
from seq2seq.translation.line import Translation
from seq2seq.translation.signals import SIGNALS, signals_of
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)
_SHOWN = 1000  # alarms of a picture: the last


class LineWatch:
    """Tells of lasting changes in the translations that it is shown, and draws them once there are no more."""

    def __init__(self, watch: SignalWatch, *, file: Path | None = None, picture: Path | None = None) -> None:
        self.watch, self.file, self.picture = watch, file, picture
        self.history = SignalHistory()
        self.alarms: deque[Alarm] = deque(maxlen=_SHOWN)
        self._last: dict[tuple[str, str], float] = {}  # means at the last alarms

    def __call__(self, number: int, translation: Translation) -> None:
        """Look at the translation of the line of a number, from 1."""
        deviations = self.watch.deviations(signals_of(translation))
        if self.picture is not None:
            self.history.add(number, deviations)
        for alarm in self.watch.update(number, deviations):
            self._tell(alarm)

    def finish(self) -> None:
        """Draw what has been seen, if a picture is wanted and there is anything to draw."""
        if self.picture is None or not self.history.blocks:
            return
        from seq2seq.interpretation.drift_plot import drift_figure  # matplotlib takes a second to import
        from seq2seq.interpretation.plots import write_picture

        write_picture(drift_figure(self.history, list(self.watch.usual), list(self.alarms)), self.picture, dpi=150)

    def _tell(self, alarm: Alarm) -> None:
        self.alarms.append(alarm)
        before = self._last.get(where := (alarm.signal, alarm.detector), 0.0)
        self._last[where] = alarm.mean
        logger.warning("%s", _told(alarm, returns=abs(alarm.mean) < abs(before) / 2))
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as file:
                rounded = {"value": round(alarm.value, 4), "mean": round(alarm.mean, 4)}
                file.write(strict_json(alarm._asdict() | rounded) + "\n")


def _told(alarm: Alarm, *, returns: bool) -> str:
    side = "above" if alarm.mean > 0 else "below"
    return (
        f"line {alarm.line}: {alarm.signal} has changed: since about line {alarm.since} its mean is "
        f"{abs(alarm.mean):.2f} deviations {side} what is usual ({alarm.detector}): "
        f"{'it is back near that, and nothing is to be done' if returns else SIGNALS[alarm.signal]}"
    )


def build_watch(options: Mapping[str, Any], runs: Sequence[DecodingRun], translator: Translator) -> LineWatch | None:
    """The watch that options ask for, None without one.

    Raises UserError, before any line is read, where it has nothing to compare with or nowhere to write.
    """
    watch = build(options.get("watch"), "watch")
    if watch is None:
        return None
    if not isinstance(watch, Watch):
        raise UserError("watch must be built by seq2seq.drift.watch.Watch, but is not: choose watch=page_hinkley.")
    file, picture = (None if path is None else Path(path) for path in (watch.file, watch.picture))
    if picture is not None:
        picture_file("watch.picture", picture)
    usual = usual_signals(options, watch.reference, runs, translator)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.open("a").close()  # where that cannot be, it is told now
    return LineWatch(watch.over(usual), file=file, picture=picture)
