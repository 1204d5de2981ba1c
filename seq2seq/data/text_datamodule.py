"""Running text as batches that training and validation draw."""

import logging
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from seq2seq.data.batch import PairSequences
from seq2seq.data.batching import TokenBudget
from seq2seq.data.datamodule import BatchLoader, Seq2SeqDataModule, plan
from seq2seq.data.examples import Example, Splits
from seq2seq.data.running_text import RunningText, documents_of, row_count, whole_documents
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.splitting import sample
from seq2seq.data.text_batches import TextBatches
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.data.truncation import Truncation
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)


class TextDataModule(Seq2SeqDataModule):
    """A data module of the targets alone, each a document without a source.

    Without truncation a document is a sequence, and batches are of like lengths, as those of pairs. With it, documents
    are read end to end in max_tokens / window rows, at most `max_sentences`, that go on from batch to batch; they come
    in another order in every epoch. Dev is read whole.
    """

    def __init__(
        self,
        *,
        splits: Splits,
        tokenizers: Tokenizers,
        truncation: Truncation | None = None,
        options: TextBatches | None = None,
    ) -> None:
        # Not with the constructor of pairs' batches, which would plan those.
        super(Seq2SeqDataModule, self).__init__()
        given = options or TextBatches()
        self.splits, self.tokenizers, self.truncation, self.seed = splits, tokenizers, truncation, given.seed
        self.max_length, self.budget = given.max_length, TokenBudget(given.max_tokens, given.max_sentences)
        few = given.max_dev_examples
        self.dev_examples = splits.dev if few is None else sample(splits.dev, few, given.seed)
        self.train_pairs = self.pairs(splits.train, "train")
        self.dev_pairs = self.pairs(self.dev_examples, "dev")
        self.made, self.sampled, self.mixed, self.pacing = None, None, None, None
        if truncation is None:
            self.train_plan = plan(self.train_pairs, self.budget, pool_batches=given.pool_batches, seed=given.seed)

    def pairs(self, examples: Sequence[Example], split: str) -> PairSequences:
        """Documents as the targets of sources without a token. Raises UserError where there are none.

        Of train without truncation, those that are too long are left out, and how many is logged.
        """
        documents = documents_of(examples, self.tokenizers.target)
        filled, fitting = documents.lengths > 0, documents.lengths <= self.max_length
        if self.truncation is None and split == "train":
            if long := int((~fitting).sum()):
                logger.warning(
                    "%s: left out %d documents of over %d tokens (raise batches.max_length to keep them, or read them "
                    "in windows, with truncation=window)",
                    *(split, long, self.max_length),
                )
            filled &= fitting
        documents = documents.kept(filled)
        if not len(documents):
            raise UserError(f"The {split} split has no usable document left.")
        return PairSequences(TokenSequences.from_ids([[]] * len(documents)), documents)

    def train_epoch(self, number: int) -> tuple[PairSequences, list[Tensor]]:
        if self.truncation is None:
            return super().train_epoch(number)
        order = np.random.default_rng((self.seed, number)).permutation(len(self.train_pairs))
        window = self.truncation.window
        text = RunningText(self.train_pairs.target, row_count(self.budget, window))
        return text.windows(order, self.truncation.lengths(self.seed, number), window)

    def val_dataloader(self) -> BatchLoader:
        """The loader of dev, whose documents are read whole, for Lightning."""
        assert self.trainer is not None
        return BatchLoader(
            lambda number: whole_documents(self.dev_pairs.target, self.budget), self.trainer, training=False
        )
