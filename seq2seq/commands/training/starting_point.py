"""Training that starts from a run: its model and weights, its tokenizers where they suit, some of its pairs."""

import logging
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from itertools import islice
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor

from seq2seq.commands.training.rehearsal import Rehearsal
from seq2seq.compression.packing import pack
from seq2seq.config.builder import build
from seq2seq.config.contract import check_type
from seq2seq.config.job import given_overrides
from seq2seq.config.options import flat
from seq2seq.data.examples import Example, Splits
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.tokenizers import Tokenizer, Tokenizers
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.evaluation import build_scores, evaluate
from seq2seq.runs.initial_weights import initial_weights, shared_pieces
from seq2seq.runs.run import load_run
from seq2seq.runs.translator import following
from seq2seq.symbols import UNK
from seq2seq.training.callbacks.pruning import Pruning
from seq2seq.training.module import Seq2SeqModule
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)
_OWN_OPTIONS = ("model.*dropout", "model.*.regularization.*")  # of the model, while it is trained
_UNKNOWN_SHARE = 0.001  # of tokens, up to which a run's tokenizers are kept
_AT_ONCE = 10_000  # texts


class StartingPoint:
    """The run that training starts from. Raises UserError where there is none, and at one that reads frames."""

    @classmethod
    def of(cls, config: dict[str, Any]) -> "StartingPoint | None":
        """The run that a config starts from; None where it starts from nothing.

        Raises UserError at options of the model that would make it another.
        """
        if config["init"] is None and not config["rehearsal"]:
            return None
        if config["init"] is None:
            raise UserError(f"rehearsal={config['rehearsal']} needs a run to start from: give init, or leave it out.")
        check_type("init", config["init"], str)
        check_type("rehearsal", config["rehearsal"], float)
        if config["rehearsal"] < 0:
            raise UserError(f"rehearsal must be at least 0, but is {config['rehearsal']}.")
        for text in given_overrides():
            key = text.lstrip("+~").partition("=")[0].replace("/", ".")
            if key.partition(".")[0] == "model" and not any(fnmatch(key, pattern) for pattern in _OWN_OPTIONS):
                raise UserError(f"{text} cannot be chosen where init gives the model: leave one of them out.")
        return cls(config)

    @classmethod
    def remembered(cls, config: dict[str, Any]) -> "StartingPoint | None":
        """The run that one which went on had started from; None where it started from nothing, or that is gone."""
        if config["init"] is None:
            return None
        try:
            return cls(config)
        except UserError as error:
            logger.warning(
                "the report does not compare with init=%s, which cannot be opened: %s", config["init"], error
            )
            return None

    def __init__(self, config: dict[str, Any]) -> None:
        self.path = config["init"]
        self.run = load_run(self.path, option="init")
        if isinstance(self.run.tokenizers.source, FrameReader):
            raise UserError(f"init must be a run that reads text, but init={self.path} reads frames: train it anew.")
        self._own_tokenizer = any(text.startswith("tokenizer") for text in given_overrides())
        self.rehearsal = Rehearsal(self.path, self.run.config)

    def adopt(self, config: dict[str, Any], splits: Splits) -> tuple[dict[str, Any], Splits]:
        """The config with the run's model, but for its dropout, and the splits with the old pairs that come along."""
        chosen = flat(config["model"])
        model = _with_dropout(self.run.config["model"], chosen, chosen["dropout"])
        config = {**config, "model": model}
        if self.keeps_tokenizers(splits):
            if config["text"] != self.run.config["text"]:
                raise UserError(
                    f"text must be as in init={self.path}, {self.run.config['text']}, to go on with its tokenizers."
                )
            config = {**config, "tokenizer": self.run.config["tokenizer"]}
        return config, self.rehearsal.added_to(splits, config["rehearsal"], config["seed"])

    def keeps_tokenizers(self, splits: Splits) -> bool:
        """Tell whether the run's tokenizers know nearly all tokens to train on, and no others are asked for."""
        return not self._own_tokenizer and know_nearly_all(self.run.tokenizers, splits)

    def hand_on(self, model: Seq2Seq, tokenizers: Tokenizers) -> None:
        """Give a new model the run's weights, and tell how much of the vocabularies they are for."""
        model.load_state_dict(initial_weights(self.run, model.state_dict(), tokenizers))
        for side in ("source", "target"):
            known, pieces = shared_pieces(getattr(self.run.tokenizers, side), getattr(tokenizers, side))
            if known < pieces:
                logger.info(
                    "init: %d of %d %s pieces are the run's; others start from what is in them", known, pieces, side
                )

    def pruned_weights(self) -> dict[str, Tensor]:
        """The run's weights by name where it was pruned, or kept zeros of what was; none of another run."""
        return dict(self.run.model.state_dict()) if self.run.config.get("pruning") else {}

    def compare(self, after: Translator, splits: Splits, config: dict[str, Any]) -> dict[str, Any]:
        """Scores of the run and of what came of it, on the new dev and, where it can be read still, on its own."""
        search = build(config["decoding"], "decoding")
        before = following(config, Translator(pack(self.run.model), self.run.tokenizers, search))
        sets: dict[str, Sequence[Example]] = {"dev": splits.dev}
        if old := self.rehearsal.old_splits():
            sets["old dev"] = old.dev
        return {
            name: {
                when: evaluate(translator, examples, build_scores(config)).report()["scores"]
                for when, translator in (("before", before), ("after", after))
            }
            for name, examples in sets.items()
        }


def begin_weights(
    trainer: lightning.Trainer,
    module: Seq2SeqModule,
    tokenizers: Tokenizers,
    start: StartingPoint | None,
    *,
    resume: bool,
) -> None:
    """Give a model the weights to start from, if any. Raises UserError if it cannot be pruned as asked for."""
    if start:
        start.hand_on(module.model, tokenizers)
    for callback in [] if resume else trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Pruning):
            callback.take_up(module.model, start.pruned_weights() if start else {})


def know_nearly_all(tokenizers: Tokenizers, splits: Splits) -> bool:
    """Tell whether tokenizers know nearly all tokens to train on."""
    sources = (example.source for example in splits.train)
    targets = (target for example in splits.train for target in example.targets)
    sides = ((tokenizers.source, sources), (tokenizers.written, targets))
    return all(_unknown_share(tokenizer, texts) <= _UNKNOWN_SHARE for tokenizer, texts in sides)


def _with_dropout(node: Any, chosen: dict[str, Any], default: Any, path: str = "") -> Any:
    """The model's node with the chosen values of dropout and regularization, at the same places or else the default."""
    if not isinstance(node, dict):
        return node
    own = _below(path, chosen)
    found = {key: value for key, value in own.items() if re.fullmatch(r"\w+_dropout", key)}
    for key, value in node.items():
        if key == "dropout":
            found[key] = own.get(key, default)
        elif key.endswith("_dropout"):
            found[key] = own.get(key, value)
        elif key == "regularization" and isinstance(value, dict):
            found[key] = value | _below(key, own)
        else:
            found[key] = _with_dropout(value, chosen, default, f"{path}.{key}" if path else key)
    return found


def _below(path: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """The values of what is below a dotted path, by what follows it; all of them for none."""
    start = f"{path}." if path else ""
    return {key.removeprefix(start): value for key, value in chosen.items() if key.startswith(start)}


def _unknown_share(tokenizer: Tokenizer, texts: Iterator[str]) -> float:
    unknown = tokens = 0
    while some := list(islice(texts, _AT_ONCE)):
        ids = torch.tensor([index for sentence in tokenizer.encode(some) for index in sentence])
        unknown, tokens = unknown + int(((ids == UNK) | (ids >= tokenizer.size)).sum()), tokens + len(ids)
    return unknown / max(tokens, 1)
