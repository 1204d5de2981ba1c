"""Streams of pairs as batches that training and validation draw."""

from collections.abc import Sequence

from torch import Tensor

from seq2seq.data.batch import PairSequences
from seq2seq.data.datamodule import BatchLoader, Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.streams import StreamOptions, Streams, dev_row_count, stream_count
from seq2seq.data.text_batches import TextBatches
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError


class StreamDataModule(Seq2SeqDataModule):
    """A data module of pairs that follow each other: row b of a batch goes on where that of the batch before ended.

    There are as many rows as a batch of the longest lines has room for. Dev is read in its own order, in a row for
    each 50 lines or fewer; of `max_dev_examples` the first.
    """

    def __init__(
        self, *, splits: Splits, tokenizers: Tokenizers, carry: StreamOptions, options: TextBatches | None = None
    ) -> None:
        given = options or TextBatches()
        super().__init__(splits=splits, tokenizers=tokenizers, **vars(given))
        self.carry, self.seed = carry, given.seed
        budget = self.train_plan.budget
        self.streams = Streams(self.train_pairs, stream_count(self.train_pairs, budget))
        self.dev_streams = Streams(self.dev_pairs, dev_row_count(self.dev_pairs, stream_count(self.dev_pairs, budget)))

    def dev_of(self, examples: Sequence[Example], count: int | None, seed: int) -> Sequence[Example]:
        if count is not None and count < 1:
            raise UserError(f"max_dev_examples must be at least 1, or null for all, but is {count}.")
        return examples[:count]

    def train_epoch(self, number: int) -> tuple[PairSequences, list[Tensor]]:
        return self.streams.epoch(number, self.seed, self.carry.fresh_rate)

    def train_dataloader(self) -> BatchLoader:
        """The loader of the training batches. Raises UserError where there are fewer rows than processes."""
        assert self.trainer is not None
        if (processes := self.trainer.world_size) > self.streams.rows:
            raise UserError(
                f"max_tokens must leave a stream for each of the {processes} processes with carry, but a batch has "
                f"room for {self.streams.rows}: raise it."
            )
        return super().train_dataloader()

    def val_dataloader(self) -> BatchLoader:
        """The loader of dev, for Lightning."""
        assert self.trainer is not None
        return BatchLoader(lambda number: self.dev_streams.in_order(), self.trainer, training=False)
