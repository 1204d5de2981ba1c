"""Where classes stand today that a config written before names elsewhere."""

from typing import Any

# Modules by the paths that they had before version 0.2.
_MODULES = {
    "seq2seq.decoding.beam": "seq2seq.decoding.search.beam",
    "seq2seq.decoding.diverse_beam": "seq2seq.decoding.search.diverse_beam",
    "seq2seq.decoding.greedy": "seq2seq.decoding.search.greedy",
    "seq2seq.decoding.sampling": "seq2seq.decoding.search.sampling",
}


def with_moved_targets(config: Any) -> Any:
    """A plain config whose every `_target_` names its class where it stands today."""
    if isinstance(config, dict):
        return {key: _moved(value) if key == "_target_" else with_moved_targets(value) for key, value in config.items()}
    return [with_moved_targets(value) for value in config] if isinstance(config, list) else config


def _moved(target: str) -> str:
    module, _, name = target.rpartition(".")
    return f"{_MODULES.get(module, module)}.{name}"
