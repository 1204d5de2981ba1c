"""Values that are given to what holds options of its own."""

from collections.abc import Sequence

from seq2seq.config.options import defaults
from seq2seq.config.overrides import parsed
from seq2seq.config.places import CONF
from seq2seq.errors import UserError


def refuse_values_of_tables(arguments: Sequence[str]) -> None:
    """Raise UserError at a single value for a table of options, and at one for a group that can be no name of it."""
    for argument in arguments:
        found = parsed(argument)
        if found is None or argument.startswith(("+", "~", "-")) or found.is_sweep_override():
            continue
        key, value = found.key_or_group, found.value()
        if (CONF / key).is_dir():
            if isinstance(value, int | float):
                names = ", ".join(sorted(path.stem for path in (CONF / key).glob("*.yaml")))
                raise UserError(f"{key} must be one of {names}, but is {value!r}.")
        elif isinstance(value, str | int | float | list) and (table := defaults().get(key)) and isinstance(table, dict):
            name = next((name for name in table if name != "_target_"), "_target_")
            raise UserError(f"{key} must be given by its options, such as {key}.{name}, but is {value!r}.")
