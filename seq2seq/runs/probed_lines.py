"""Lines that options name, to look at what a model does on the way through them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.data.selection import spread_over
from seq2seq.errors import UserError
from seq2seq.runs.evaluation import load_dev_examples
from seq2seq.runs.forced_lines import ForcedLines
from seq2seq.runs.gold import check_gold
from seq2seq.runs.run import LoadedRun

logger = logging.getLogger(__name__)


def lines_to_force(
    run: LoadedRun, options: Mapping[str, Any], names: Sequence[str], *, least: int
) -> tuple[str, ForcedLines]:
    """A name for the lines that options mean, and those that a model is forced through to look at cells.

    Lines that are too long or empty are left out with a warning. Raises UserError where fewer than `least` are left,
    and where they lack targets that cells of the decoder are to go through.
    """
    data, every = load_dev_examples(run, options["file"], options["split"])
    examples = spread_over(every, options["limit"])
    if any(name.startswith("decoder") for name in names):
        check_gold(data, examples, "layers of the encoder alone" if "layers" in options else "file=pairs.tsv")
    lines = ForcedLines.of(run.tokenizers, examples, most=options["max_tokens"])
    if left := len(examples) - len(lines):
        logger.warning(
            "%d of %d lines are empty or over max_tokens=%d: left out", left, len(examples), options["max_tokens"]
        )
    if len(lines) < least:
        some = f"{least} line{'s' if least > 1 else ''}"
        raise UserError(
            f"{data} must have at least {some} of at most max_tokens={options['max_tokens']}, but has "
            f"{len(lines)}: give more."
        )
    return data, lines
