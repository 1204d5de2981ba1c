"""Mistakes in mixtures of corpora that are known before their data are read."""

from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.data.corpora.mixture import MixtureCorpus
from seq2seq.data.examples import Splits
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError

_DROPOUTS = ("source_word_dropout", "type_dropout")


def refuse_mixture(config: dict[str, Any]) -> None:
    """Raise UserError at parts that are none, and at what would lose a tag, or the parts, on the way."""
    if config["data"].get("_target_") != f"{MixtureCorpus.__module__}.{MixtureCorpus.__qualname__}":
        return
    corpus = build(config["data"], "data")
    with told_at("data", MixtureCorpus):
        corpus.check()
    if config.get("distill") is not None:
        raise UserError("distill keeps pairs without their parts, which data=mixture mixes: leave one of them out.")
    if tags := dict.fromkeys(corpus.mix.tags.values()):
        _refuse_loss_of(list(tags), config)


def refuse_unknown_tags(splits: Splits, tokenizers: Tokenizers) -> None:
    """Raise UserError at a tag that is no piece of the source vocabulary."""
    for tag in (splits.mix.tags if splits.mix else {}).values():
        if not tokenizers.source.ids(tag):
            raise UserError(
                f"data.tags must each be a piece of the source vocabulary, but {tag!r} is none: add it to "
                "tokenizer.symbols, or with tokenizer=run choose a run that has it."
            )


def _refuse_loss_of(tags: list[str], config: dict[str, Any]) -> None:
    tokenizer = config["tokenizer"]  # one of another run has neither option; it is looked into once it is read
    for tag in tags if config["init"] is None and tokenizer.get("source", "word") != "word" else []:
        if tag not in tokenizer["symbols"]:
            raise UserError(
                f"data.tags must each be one of tokenizer.symbols, so that they are not cut, but {tag!r} is none: add "
                f'"tokenizer.symbols={tags}".'
            )
    if config.get("augmentation") is not None:
        raise UserError("augmentation makes pairs from sources without data.tags: leave one of them out.")
    for name in _DROPOUTS:
        if config["model"].get(name):
            raise UserError(
                f"model.{name} must be 0 with data.tags, which it would drop, but is {config['model'][name]}."
            )
