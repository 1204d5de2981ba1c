"""Arguments of a script, brought into the form that Hydra reads, or refused with what to type."""

import logging
from collections.abc import Sequence

from seq2seq.config.hydra_options import refuse_misplaced
from seq2seq.config.invocation import invocation
from seq2seq.config.options import defaults, refuse_unknown
from seq2seq.config.overrides import added_key, one_value, readable, resuming, sweep_into, switched_on
from seq2seq.config.own_classes import refuse_classes_of_tables
from seq2seq.config.signs import refuse_signs, with_null_groups, with_own_defaults
from seq2seq.config.structure import in_single_values, refuse_values_of_groups, refuse_values_of_parts, with_own_options
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)


def readable_arguments(arguments: Sequence[str], *, repeated: bool = False) -> list[str]:
    """Arguments in the form that Hydra reads. Raises UserError at one with several values in a plain run.

    Keys that are given several values are told of, unless they are meant to be, as those of one's own after others'.
    """
    multirun = bool({"-m", "--multirun"} & set(arguments))
    found = in_single_values([readable(argument, multirun=multirun) for argument in arguments])
    refuse_misplaced(found, multirun)
    refuse_values_of_groups(found)
    refuse_classes_of_tables(found)
    if invocation().script == "train" and "resume" in map(switched_on, found):
        if multirun:
            raise UserError("resume=true continues one run: leave out --multirun.")
        return resuming(found)
    found = with_null_groups(found)
    if not repeated:
        warn_of_repeated(found)
    refuse_signs(found)
    found = with_own_defaults(found)
    if multirun:
        found = [sweep_into(argument) for argument in found]
    refuse_values_of_parts(found)
    found = with_own_options(found)
    refuse_unknown([key for argument in found if (key := added_key(argument))])
    if multirun or not any("," in argument for argument in found):
        return found
    return [one_value(argument, defaults()) if "," in argument else argument for argument in found]


def warn_of_repeated(arguments: Sequence[str]) -> None:
    """Tell of keys that are given several values, of which Hydra takes the last: scripts may add to their defaults."""
    values: dict[str, list[str]] = {}
    for key, equals, value in (text.partition("=") for text in arguments):
        if equals:
            values.setdefault(key.lstrip("+"), []).append(value)
    for key, (*others, last) in values.items():
        if others:
            logger.warning("%s is given %d times: %s counts, %s not", key, len(others) + 1, last, ", ".join(others))
