"""Continuation of lines by a language model."""

from collections.abc import Sequence
from dataclasses import replace

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.translation.line import Line
from seq2seq.translation.translator import Translator


class Continuation(Translator):
    """A translator of a model without a source: what it says begins with the line itself, unless that has a prefix."""

    def search_lines(
        self, lines: Sequence[Line], *, n_best: int = 1, attention: bool = False, first_number: int = 1
    ) -> list[list[Hypothesis]]:
        """Hypotheses that the search finds for every line; one empty hypothesis for an empty line."""
        begun = [_begun(line) for line in lines]
        return super().search_lines(begun, n_best=n_best, first_number=first_number)  # attention would be even

    def check(self, line: Line, number: int) -> None:
        super().check(_begun(line), number)


def _begun(line: Line) -> Line:
    """The line with the beginning that it has: its prefix, else itself; a line of a prefix alone is that one."""
    return replace(line, source=line.source or line.prefix, prefix=line.prefix or line.source)
