"""Interpretations of what a run does with a text, in Python."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from seq2seq.commands.interpret import check_options, figures_of, read
from seq2seq.commands.interpreting.report_folder import write_pages
from seq2seq.config.closed_table import trusting
from seq2seq.config.mistakes import in_one_line
from seq2seq.interpretation.report import InterpretedPair, report
from seq2seq.interpretation.trace import Trace
from seq2seq.library.call_options import read_keywords
from seq2seq.library.model_copies import copies
from seq2seq.library.usual_modes import usual_modes
from seq2seq.runs.run_folder import new_folder

if TYPE_CHECKING:
    from seq2seq.library.run import Run


@dataclass(frozen=True)
class Interpretation:
    """A text that a model read and what it wrote, with all that was seen in it. A notebook shows the page."""

    reading: InterpretedPair
    units: int

    @classmethod
    def of(cls, run: "Run", text: str, keywords: dict[str, Any]) -> "Interpretation":
        """The interpretation of a text, or of a series, by a run; keywords are the options of `interpret`."""
        with in_one_line(), trusting(run.trust):
            options = read_keywords("interpret", run.paths, run.device, {**keywords, "text": str(text)})
            check_options(options, keywords)
            (own,) = copies(run.members)  # as cells are hooked, and other threads may call
            return cls(read(own, options, text), options["units"])

    @property
    def output(self) -> str:
        """The text that the model wrote, or was given."""
        return self.reading.output

    @property
    def trace(self) -> Trace:
        """The trace: every gate, state and attention weight, as tensors."""
        return self.reading.trace

    @usual_modes()
    def figures(self) -> dict[str, Figure]:
        """Pictures by their names: attention, attributions, the gates of each cell, time constants."""
        return figures_of(self.reading)

    @usual_modes()
    def page(self) -> str:
        """The report, one HTML page that needs nothing else."""
        return report(self.reading, units=self.units)

    @usual_modes()
    def save(self, folder: str, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
        """Paths of the page and the pictures, written into a folder. Raises UserError if that holds something."""
        place = new_folder("folder", folder)
        return write_pages(place, {"report.html": self.page()}, self.figures(), formats)

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{html.escape(self.page())}" style="width:100%;height:720px;border:0"></iframe>'
