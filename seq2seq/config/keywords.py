"""Keywords of a call from Python as the overrides of a script."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose
from omegaconf import DictConfig

from seq2seq.config.arguments import readable_arguments
from seq2seq.config.composing import composing
from seq2seq.config.invocation import invocation, invoked
from seq2seq.config.mistakes import in_one_line
from seq2seq.config.options import defaults
from seq2seq.config.overrides import written
from seq2seq.config.signs import needs_plus
from seq2seq.config.structure import holds_options
from seq2seq.errors import UserError


@contextmanager
def called(script: str, keywords: Mapping[str, Any], refused: Sequence[str] = ()) -> Iterator[DictConfig]:
    """The config of a script under keywords, while that script counts as the one that runs.

    A keyword is the path of an option: `seed=2`, `model__dropout=0.2`, `model={"dropout": 0.2}` or
    `**{"model.dropout": 0.2}`; of a group, `tokenizer="char"`. Mistakes are those of the command line, as UserError;
    names that do not exist are answered with keywords, none of which is refused by the caller.
    """
    with invoked(script, (), refused):
        arguments = [f"{key}={written(key, value)}" for key, value in _flat(keywords)]
    with invoked(script, arguments, refused), in_one_line():  # which asks what script is invoked
        with composing():
            config = compose(script, [_added(text) for text in readable_arguments(invocation().arguments)])
        yield config


def given_keys(script: str, keywords: Mapping[str, Any]) -> list[str]:
    """Dotted paths of the options of a script that keywords give."""
    with invoked(script, ()):
        return [key for key, _ in _flat(keywords)]


def _added(argument: str) -> str:
    """The argument, with a plus where its part takes the option but the config leaves it at its default."""
    key = argument.partition("=")[0]
    return f"+{argument}" if key not in defaults() and needs_plus(key) else argument


def _flat(keywords: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; a mapping is a value itself if it is empty, or its option is null without it."""
    for name, value in keywords.items():
        if not isinstance(name, str):
            raise UserError(f"{prefix}{name} must be the name of an option, but is of type {type(name).__name__}.")
        key = prefix + name.replace("__", ".") if not name.startswith("_") else prefix + name
        if holds_options(key, value):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value
