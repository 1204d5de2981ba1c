"""Usual values of a run's signals: measured on its dev as training ends, and kept in the checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from seq2seq.data.corpus_mix import tagged
from seq2seq.data.examples import Example
from seq2seq.data.text_files import read_lines, told_as
from seq2seq.drift.spread import Spread
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint, save_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.run import DecodingRun
from seq2seq.translation.line import Line
from seq2seq.translation.signals import signals_of
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)
_MOST = 1000  # lines that are measured: means are then known to a thirtieth of a deviation
_FEW = 100  # lines, by which they are known to a tenth only


def measured(translator: Translator, sources: Sequence[str]) -> dict[str, Spread]:
    """The spread of every signal over sources, of at most a thousand: those by which the translator tells of all.

    An answer that the model itself has no probability of, which filters can force, has no finite score: it is left out.
    """
    chosen = translator.some(sources, _MOST)
    found = translator.translations([Line(source) for source in chosen], attention=True)
    values: dict[str, list[float]] = {}
    for translations in found:
        for name, value in signals_of(translations[0]).items():
            values.setdefault(name, []).extend([value] if isfinite(value) else [])
    return {name: Spread.of(own) for name, own in values.items() if own}


def keep_signals(folder: Path, translator: Translator, examples: Sequence[Example]) -> None:
    """Keep what is usual of a run's signals, by its dev, in the checkpoint that the folder is opened with."""
    path = find_checkpoint(folder)
    checkpoint = read_checkpoint(path, whole=True)
    usual = measured(translator, [example.source for example in examples])
    save_checkpoint(path, checkpoint | {"signals": {name: vars(spread) for name, spread in usual.items()}})


def usual_signals(
    options: Mapping[str, Any], reference: str | None, runs: Sequence[DecodingRun], translator: Translator
) -> dict[str, Spread]:
    """Spreads of the signals: of the lines of a reference file, or else as the run has kept it.

    Raises UserError where there is neither, or too little to tell.
    """
    if runs[0].model.sourceless:
        raise UserError("watch must be none with a language model, which has no source to translate.")
    usual, name = (_kept(options, runs), "dev") if reference is None else (_of_file(options, reference, translator), "")
    lines = max((spread.lines for spread in usual.values()), default=0)
    if lines < 2:
        raise UserError(f"watch.reference must hold at least 2 lines with text, but {reference or name} has {lines}.")
    if lines < _FEW:
        logger.warning(
            "watch: %d lines of %s say only roughly what is usual: give watch.reference=FILE with some hundred",
            *(lines, reference or name),
        )
    return usual


def _kept(options: Mapping[str, Any], runs: Sequence[DecodingRun]) -> dict[str, Spread]:
    """Spreads that the run has kept. Raises UserError if that is nothing, or of something else than what translates."""
    run = runs[0]
    if len(runs) > 1 or options.get("fusion") is not None:
        raise UserError(
            "watch.reference must be a file of usual lines with several models or fusion, whose scores are not those "
            "that one run has kept, but is null: give watch.reference=FILE."
        )
    if not run.signals:
        raise UserError(
            f"watch.reference must be a file of usual lines for run={options['run']}, whose checkpoint does not say "
            "what is usual of its signals, but is null: give watch.reference=FILE, some hundred lines as in training."
        )
    given, own = (config["decoding"]["_target_"].rpartition(".")[2] for config in (options, run.config))
    if given != own:
        logger.warning(
            "watch: what is usual was measured with %s, not %s: watch.reference=FILE measures it as it is here",
            *(own, given),
        )
    return run.signals


def _of_file(options: Mapping[str, Any], path: str, translator: Translator) -> dict[str, Spread]:
    with told_as("watch.reference"):
        sources = [line.partition("\t")[0] for line in read_lines(Path(path))]
    tag = options.get("tag")
    return measured(translator, [tagged(tag, source) if tag else source for source in sources if source.strip()])
