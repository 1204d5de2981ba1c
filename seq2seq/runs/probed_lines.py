"""Lines that options name, to look at what a model does on the way through them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.data.examples import Example
from seq2seq.data.spreading import spread_over
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.interpretation.forced_lines import ForcedLines
from seq2seq.runs.evaluation import load_dev_examples
from seq2seq.runs.gold import check_gold
from seq2seq.runs.run import LoadedRun

logger = logging.getLogger(__name__)


def lines_to_force(
    run: LoadedRun, options: Mapping[str, Any], names: Sequence[str], *, least: int = 1
) -> tuple[str, ForcedLines]:
    """A name for the lines that options mean, and those that a model is forced through to look at cells.

    Lines that are too long or empty are left out with a warning. Raises UserError where fewer than `least` are left,
    and where they lack targets that cells of the decoder are to go through.
    """
    data, examples = examples_to_force(run, options, names)
    return data, forced_lines(run.tokenizers, data, examples, {"max_tokens": options["max_tokens"]}, least=least)


def examples_to_force(
    run: LoadedRun, options: Mapping[str, Any], names: Sequence[str]
) -> tuple[str, Sequence[Example]]:
    """A name for the examples that options mean, and at most `limit` of them, from all over the data.

    Raises UserError where they lack targets that cells of the decoder are to go through.
    """
    data, every = load_dev_examples(run, options["file"], options["split"])
    examples = spread_over(every, options["limit"])
    if any(name.startswith("decoder") for name in names):
        check_gold(data, examples, "layers of the encoder alone" if "layers" in options else "file=pairs.tsv")
    return data, examples


def forced_lines(
    tokenizers: Tokenizers, data: str, examples: Sequence[Example], limit: Mapping[str, int], *, least: int = 1
) -> ForcedLines:
    """The lines of examples but for the empty, and those with a side over a limit, an option by its name: both counted.

    Raises UserError where fewer than `least` are left.
    """
    ((name, most),) = limit.items()
    lines = ForcedLines.of(tokenizers, examples, most=most)
    if left := len(examples) - len(lines):
        logger.warning(
            "%d of %d lines have an empty source, or a source or target over %s: left out",
            *(left, len(examples), f"{name}={most}"),
        )
    if len(lines) < least:
        some = f"{least} line{'s' if least > 1 else ''}"
        raise UserError(f"{data} must have at least {some} of at most {name}={most}, but has {len(lines)}: give more.")
    return lines
