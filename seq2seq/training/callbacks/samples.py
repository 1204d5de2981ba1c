"""Samples of what the model says to dev sentences, and where it looked."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as lightning
import torch
from matplotlib.figure import Figure
from pytorch_lightning.loggers import TensorBoardLogger

from seq2seq.data.copied_pieces import pieces_of
from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import source_sequences
from seq2seq.errors import UserError
from seq2seq.interpretation.plots import attention_figure
from seq2seq.markdown import cell
from seq2seq.symbols import BOS
from seq2seq.training.module import Seq2SeqModule


class Samples(lightning.Callback):
    """Logs the first `count` dev examples at every validation: text, and attention as pictures in TensorBoard.

    Raises UserError if there are none to log.
    """

    def __init__(self, *, count: int = 4) -> None:
        if count < 1:
            raise UserError(f"count must be at least 1, but is {count}: null in its place logs none.")
        self.count = count

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not trainer.is_global_zero or not loggers:
            return
        examples = [example for example in pl_module.dev_examples if example.source.strip()][: self.count]
        sources = [example.source for example in examples]
        hypotheses = pl_module.translator.hypotheses(sources)
        texts = pl_module.translator.tokenizers.decode(sources, [hypothesis.ids for hypothesis in hypotheses])
        for board in (logger.experiment for logger in loggers):
            board.add_text("dev/samples", _table(examples, texts), trainer.global_step)
            looked = zip(sources, hypotheses, strict=True) if pl_module.model.attends else ()
            for number, (source, hypothesis) in enumerate(looked):
                figure = self._attention(pl_module, source, hypothesis.ids)
                board.add_figure(f"dev/attention/{number}", figure, trainer.global_step)

    def _attention(self, module: Seq2SeqModule, text: str, ids: list[int]) -> Figure:
        tokenizers = module.translator.tokenizers
        source, lengths = source_sequences(tokenizers.source, [text]).padded(torch.tensor([0]), end=True)
        target = torch.tensor([[BOS, *ids]])
        outputs = module.model(*(tensor.to(module.device) for tensor in (source, lengths, target)))
        return attention_figure(
            outputs.weights[0],
            [*tokenizers.source.pieces(tokenizers.source.encode([text])[0]), "</s>"][: int(lengths)],
            [*pieces_of(tokenizers, ids, text), "</s>"],
            title=f"{text} \u2192 {tokenizers.decode([text], [ids])[0]}",
        )


def _table(examples: Sequence[Example], texts: Sequence[str]) -> str:
    """Examples and what the model says to them, as a table in Markdown."""
    rows = [
        f"| {cell(example.source)} | {cell(text)} | {cell(' / '.join(example.targets))} |"
        for example, text in zip(examples, texts, strict=True)
    ]
    return "\n".join(["| source | output | reference |", "|---|---|---|", *rows])
