"""Settings that a config leaves at `auto`, settled by the data."""

import copy
import logging
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import Any

from seq2seq.config.options import flat
from seq2seq.data.copied_pieces import suited
from seq2seq.data.examples import Splits
from seq2seq.data.text_kind import TextKind
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.runs.data_facts import DataKind, DataSize
from seq2seq.runs.rules import KIND_RULES, SIZE_RULES, Config, Option, epochs

logger = logging.getLogger(__name__)

AUTO = "auto"
_NOMINAL_KIND = DataKind(TextKind.WORDS, TextKind.WORDS, 1000, 60)
_NOMINAL_SIZE = DataSize(1000, 20.0)
# Chosen, but not worth a word: they follow from others that are said.
_UNSAID = ("callbacks.*", "monitor.*", "*.monitor", "*.mode", "model.*.dropout")


def settle(
    config: Config, splits: Splits, learn: Callable[[Config, Splits], Tokenizers], *, says: bool = True
) -> tuple[Config, Tokenizers]:
    """The config with a value wherever it was at auto, and the tokenizers that it describes, as `learn` gives them.

    What was chosen is logged in one line, as overrides that choose the same. Where the model copies, the tokenizers
    tell unknown pieces of the source apart.
    """
    kind = DataKind.of(splits)
    config, of_kind = _settled(config, KIND_RULES, kind)
    tokenizers = learn(config, splits)
    size = DataSize.of(splits, tokenizers, config["batches"]["max_length"])
    config, of_size = _settled(config, SIZE_RULES, size)
    if says and (chosen := _said({**of_kind, **of_size})):
        logger.info(
            "%s pairs, %s, %.0f tokens each, come %.3g times: %s",
            *(f"{size.pairs:,}", kind, size.tokens, epochs(size, config), " ".join(chosen)),
        )
    return config, suited(tokenizers, config)


def settled_like(config: Config, splits: Splits, tokenizers: Tokenizers) -> Config:
    """The config with a value wherever it was at auto, for data with tokenizers that are learnt already."""
    return settle(config, splits, lambda *_: tokenizers, says=False)[0]


def with_size(config: Config, size: DataSize) -> Config:
    """The config with all that follows from the size of the data."""
    return _settled(config, SIZE_RULES, size)[0]


def nominal(config: Config) -> Config:
    """The config as some data would settle it: what can be checked before there are any."""
    return with_size(_settled(config, KIND_RULES, _NOMINAL_KIND)[0], _NOMINAL_SIZE)


def _settled(config: Config, rules: Mapping[str, Callable[[Any, Config], Any]], facts: Any) -> tuple[Config, Config]:
    """The config with the rules' values, and these by dotted key."""
    config, chosen = copy.deepcopy(config), {}
    for pattern, rule in rules.items():
        for key in [key for key, value in flat(config).items() if value == AUTO and fnmatch(key, pattern)]:
            *path, name = key.split(".")
            node = config
            for part in path:
                node = node[part]
            chosen[key] = value = rule(facts, config)
            node[name] = value.node() if isinstance(value, Option) else value
    return config, chosen


def _said(chosen: Config) -> list[str]:
    """Overrides that choose the same."""
    shown = {key: value for key, value in chosen.items() if not any(fnmatch(key, pattern) for pattern in _UNSAID)}
    return [
        f"{value.group}={value.name}" if isinstance(value, Option) else f"{key}={str(value).lower()}"
        for key, value in shown.items()
        if value is not None
    ]
