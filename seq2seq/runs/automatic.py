"""Settings that a config leaves at `auto`, by facts of the data."""

import copy
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from functools import reduce
from typing import Any

from seq2seq.config.options import flat
from seq2seq.data.text_kind import TextKind
from seq2seq.runs.data_facts import DataKind, DataSize
from seq2seq.runs.model_kinds import AUTO, is_open
from seq2seq.runs.open_model import ATTENTION, with_model
from seq2seq.runs.rules import KIND_RULES, METRICS, MODEL_RULES, SIZE_RULES, Config, Option, mode_of

_NOMINAL_KIND = DataKind(TextKind.WORDS, TextKind.WORDS, 1000, 60)
_NOMINAL_SIZE = DataSize(1000, 20.0)
# Chosen, but not worth a word: they follow from others that are said.
_UNSAID = ("callbacks.*", "monitor.*", "*.monitor", "*.mode", "model.*.dropout", "*._target_")


def of_kind(config: Config, kind: DataKind) -> tuple[Config, Config]:
    """The config with all that follows from the kind of the data, but for a model that is left open; and this alone."""
    config, found = _settled(config, KIND_RULES, kind)
    modes = {key: mode_of(metric) for key, metric in _watching(config).items()}
    for key, mode in modes.items():
        *path, name = key.split(".")
        _node_at(config, path)[name] = mode
    return config, found | modes


def _watching(config: Config) -> dict[str, str]:
    """Metrics that parts of a config watch whose mode is not said, by its key."""
    values = flat(config)
    open_modes = [key.removesuffix("mode") for key, value in values.items() if key.endswith(".mode") and value == AUTO]
    watched = {f"{part}mode": values.get(f"{part}monitor", values.get(f"{part}metric")) for part in open_modes}
    return {key: str(metric) for key, metric in watched.items() if metric is not None}


def _node_at(config: Config, path: Sequence[str]) -> Config:
    return reduce(lambda node, part: node[part], path, config)


def of_size(config: Config, size: DataSize) -> tuple[Config, Config]:
    """The config with all that follows from the model and from the size of the data, and this alone."""
    config, of_model = _settled(config, MODEL_RULES, None)
    config, found = _settled(config, SIZE_RULES, size)
    return config, of_model | found


def with_size(config: Config, size: DataSize) -> Config:
    """The config with all that follows from the size of the data."""
    return of_size(config, size)[0]


def nominal(config: Config) -> Config:
    """The config as some data would settle it: what can be checked before there are any."""
    config = with_model(config, ATTENTION) if is_open(config) else config
    return with_size(of_kind(config, _NOMINAL_KIND)[0], _NOMINAL_SIZE)


def every_metric() -> Config:
    """The metrics that some data would choose, all together."""
    nodes = [Option("metrics", name).node() for name in METRICS]
    return {name: node for own in nodes for name, node in own.items()}


def _settled(config: Config, rules: Mapping[str, Callable[[Any, Config], Any]], facts: Any) -> tuple[Config, Config]:
    """The config with the rules' values, and these by dotted key."""
    config, chosen = copy.deepcopy(config), {}
    for pattern, rule in rules.items():
        for key in [key for key, value in flat(config).items() if value == AUTO and fnmatch(key, pattern)]:
            *path, name = key.split(".")
            chosen[key] = value = rule(facts, config)
            _node_at(config, path)[name] = value.node() if isinstance(value, Option) else value
    return config, chosen


def said(chosen: Config, kind: DataKind) -> list[str]:
    """Overrides that choose the same; none of tokenizers where frames are read or written, which have none."""
    unsaid = [*_UNSAID, *_of_no_text(kind)]
    shown = {key: value for key, value in chosen.items() if not any(fnmatch(key, pattern) for pattern in unsaid)}
    return [
        f"{value.group}={value.name}" if isinstance(value, Option) else f"{key}={str(value).lower()}"
        for key, value in shown.items()
        if value is not None
    ]


def _of_no_text(kind: DataKind) -> list[str]:
    """Patterns of the keys of tokenizers that data have no text for."""
    sides = [name for name in ("source", "target") if getattr(kind, name) is TextKind.FRAMES]
    if len(sides) == 2:
        return ["tokenizer.*"]
    return [*(f"tokenizer.{side}*" for side in sides), *(["tokenizer.joint"] if sides else [])]
