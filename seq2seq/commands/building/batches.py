"""The batches that a config describes."""

import logging
from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.config.signatures import CONTROL
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Splits
from seq2seq.data.stream_datamodule import StreamDataModule
from seq2seq.data.text_batches import TextBatches
from seq2seq.data.text_datamodule import TextDataModule
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.ranks import first_process
from seq2seq.runs.model_kinds import is_language_model

logger = logging.getLogger(__name__)


def build_batches(config: dict[str, Any], splits: Splits, tokenizers: Tokenizers) -> Seq2SeqDataModule:
    """Batches of pairs, of streams of them, or of running text where the model is a language model."""
    carry = build(config.get("carry"), "carry")
    if not is_language_model(config) and carry is None:
        return build(config["batches"], "batches")(splits=splits, tokenizers=tokenizers)
    options = {name: value for name, value in config["batches"].items() if name not in CONTROL}
    with told_at("batches", Seq2SeqDataModule):
        own = TextBatches(**options)
        if carry is not None:
            return StreamDataModule(splits=splits, tokenizers=tokenizers, carry=carry, options=own)
        truncation = build(config.get("truncation"), "truncation")
        return TextDataModule(splits=splits, tokenizers=tokenizers, truncation=truncation, options=own)


def window_of(config: dict[str, Any], data: Seq2SeqDataModule) -> int | None:
    """The target tokens that gradients go back, None for all; a window that is longer than all targets is told."""
    truncation = build(config.get("truncation"), "truncation")
    if truncation is None or is_language_model(config):
        return None  # running text comes in windows
    longest = int(data.train_pairs.target.lengths.max()) + 1
    if truncation.window >= longest and first_process():
        logger.warning(
            "truncation.window=%d cuts nothing: the longest target of train has %d tokens with its end",
            *(truncation.window, longest),
        )
    return truncation.window
