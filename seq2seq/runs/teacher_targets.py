"""Targets that trained runs give to sources: distillation by sequences."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from seq2seq.data.examples import Example, Splits
from seq2seq.data.text import TextForm
from seq2seq.data.text_files import check_readable, read_lines, told_as
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import AverageRanking
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.errors import UserError
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.translator import build_stepper
from seq2seq.symbols import UNK
from seq2seq.translation.pieces import PieceLimits
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)
_AT_ONCE = 5000  # sources between two lines that tell how far it is


class TeacherTargets:
    """The best translations by trained runs as targets to learn from (Kim & Rush 2016, sec. 3.2).

    Sources are those of train and, if given, of a file with one a line (or as the first of its columns), of which none
    is used that is in dev or test. With `truth` the pairs of the data stay. Raises UserError if a value is out of
    range.
    """

    def __init__(
        self, *, teachers: Sequence[str] | str, sources: str | None = None, truth: bool = True, beam_size: int = 5
    ) -> None:
        self.teachers = [teachers] if isinstance(teachers, str) else list(teachers)
        if not self.teachers:
            raise UserError("teachers must name at least one run, but is empty: give teachers=[RUN].")
        if beam_size < 1:
            raise UserError(f"beam_size must be at least 1, but is {beam_size}.")
        self.sources, self.truth, self.beam_size = sources, truth, beam_size

    def check(self) -> None:
        """Check that the file of sources is there. Raises UserError if not."""
        if self.sources is not None:
            with told_as("distill.sources"):
                check_readable(Path(self.sources))

    def added_to(self, splits: Splits, form: TextForm, length: LengthLimits, device: torch.device) -> Splits:
        """The splits, with the pairs that teachers make in train."""
        more = self._more_sources(splits, form)
        own = list(dict.fromkeys(example.source for example in splits.train))
        made = self._translated([*own, *more], self._translator(length, device))
        train = [*splits.train, *made] if self.truth else made
        if not train:
            raise UserError("teachers must say something, but every translation of theirs is empty: train them longer.")
        return replace(splits, train=train, held_out_below=None)

    def _more_sources(self, splits: Splits, form: TextForm) -> list[str]:
        """The file's sources that are new: not in train, nor in what a model is judged by."""
        if self.sources is None:
            return []
        with told_as("distill.sources"):
            lines = read_lines(self.sources)
        found = dict.fromkeys(text for line in lines if (text := form(line.partition("\t")[0])))
        judged = {example.source for example in [*splits.dev, *splits.test]}
        known = {example.source for example in splits.train}
        new = [text for text in found if text not in judged and text not in known]
        logger.info(
            "distill: %d of %d sources of %s come along; %d are of dev or test, and left out",
            *(len(new), len(found), self.sources, sum(text in judged for text in found)),
        )
        return new

    def _translator(self, length: LengthLimits, device: torch.device) -> Translator:
        try:
            runs: list[LoadedRun] = load_runs({"run": self.teachers, "device": str(device)})
        except UserError as error:
            raise UserError(f"distill.teachers cannot be read: {error}") from None
        options = {"precision": "float32", "device": str(device), "ensemble": "probabilities"}
        stepper = build_stepper(options, runs, hypotheses=self.beam_size)
        search = BeamSearch(beam_size=self.beam_size, length=length, ranking=AverageRanking())
        known = PieceLimits(forbidden=[runs[0].tokenizers.target.pieces([UNK])[0]])
        return Translator(stepper, runs[0].tokenizers, search, pieces=known, device=device)

    def _translated(self, sources: Sequence[str], translator: Translator) -> list[Example]:
        """Examples of the sources and their best translations, without those that are empty."""
        texts: list[str] = []
        for start in range(0, len(sources), _AT_ONCE):
            texts += translator(sources[start : start + _AT_ONCE])
            logger.info("distill: %d of %d sources translated", len(texts), len(sources))
        made = [Example(source, (text,)) for source, text in zip(sources, texts, strict=True) if text]
        if empty := len(sources) - len(made):
            logger.warning("distill: left out %d sources that teachers answer by nothing", empty)
        return made
