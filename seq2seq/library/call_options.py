"""Options of a call, as its keywords give them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.config.contract import read_options
from seq2seq.config.invocation import invoked
from seq2seq.config.keywords import called
from seq2seq.config.options import choices, defaults
from seq2seq.errors import UserError

_OF_LOADING = ("run", "device", "trust")
_LIMITS = ("batch_size", "max_tokens", "max_source_tokens")
_OF_SCORES = ("ensemble", "fusion", "precision", "product_library", "threads", *_LIMITS)
_OF_TRANSLATIONS = (*_OF_SCORES, "decoding", "pieces", "rerank", "replace_unknown", "reset")
# Of each script, the options that its call reads; all others are refused, as they would change nothing.
READ = {
    "translate": (*_OF_TRANSLATIONS, "tag", "n_best"),
    "evaluate": (*_OF_TRANSLATIONS, "metrics", "bootstrap", "seed", "samples", "split"),
    "score": _OF_SCORES,
    "interpret": ("text", "target", "decoding", "max_source_tokens", "score", "steps", "units", "probe"),
    "forecast": ("samples", "seed", "threads", "batch_size", "max_tokens", "length"),
}


def read_keywords(script: str, paths: Sequence[str], device: str, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a script for runs on a device. Raises UserError at a keyword that has no effect in Python."""
    refused = _refused(script)
    for name in keywords:
        key = re.split("[./@]", name.replace("__", ".").lstrip("+~"))[0] if isinstance(name, str) else ""
        if key in _OF_LOADING:
            raise UserError(f"{key} is chosen when a run is loaded: leave it out here.")
        if key in refused:
            raise UserError(f"{key} is an option of the command line alone: leave it out.")
    run = paths[0] if len(paths) == 1 else list(paths)
    with called(script, {**keywords, "run": run, "device": device}, refused) as config:
        return read_options(config)


def _refused(script: str) -> list[str]:
    """The options of a script that its call does not read."""
    with invoked(script, ()):
        known = {re.split("[./@]", key)[0] for key in (*defaults(), *choices())}
    return sorted((known | {"hydra"}) - {*READ[script]})
