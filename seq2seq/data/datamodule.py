"""Splits as token ids, and the batches that training and validation draw from them."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytorch_lightning as lightning
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.augmentation.augmentation import Augmentation
from seq2seq.data.augmentation.changed_frames import ChangedFrames
from seq2seq.data.augmentation.frame_augmentation import FrameAugmentation
from seq2seq.data.augmentation.made_pairs import MadePairs
from seq2seq.data.batch import Batch, PairSequences
from seq2seq.data.batching import BatchPlan, TokenBudget
from seq2seq.data.encoding import encoded, token_counts
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.data.mixed_epochs import MixedEpochs
from seq2seq.data.pacing import Pacing
from seq2seq.data.piece_links import PieceLinks, piece_links
from seq2seq.data.references import EACH, ExamplePlan, check_references
from seq2seq.data.sampled_pairs import SampledPairs
from seq2seq.data.segmentation import SampledSegmentation
from seq2seq.data.splitting import sample
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError

logger = logging.getLogger(__name__)


class Seq2SeqDataModule(lightning.LightningDataModule):
    """A data module that batches all pairs by token budget; an example with several targets is several pairs.

    Dev is a sample of `max_dev_examples`, always the same one, or all of it at None.
    Every process sees the same plan and takes each batch's rows `rank, rank + world_size, ...`, so that a step of
    several processes is a step of one on the same batch.
    """

    changed: ChangedFrames | None = None  # series, in every epoch anew

    def __init__(
        self,
        *,
        splits: Splits,
        tokenizers: Tokenizers,
        max_tokens: int = 4096,
        max_sentences: int = 512,
        max_length: int = 256,
        max_dev_examples: int | None = None,
        pool_batches: int = 100,
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.splits, self.tokenizers = splits, tokenizers
        self.max_length = max_length
        budget = TokenBudget(max_tokens, max_sentences)
        self.dev_examples = self.dev_of(splits.dev, max_dev_examples, seed)
        self.train_pairs = self.pairs(splits.train, "train")
        self.dev_pairs = self.pairs(self.dev_examples, "dev")
        for name, pairs in (("train", self.train_pairs), ("dev", self.dev_pairs)):
            if not len(pairs):
                raise UserError(f"The {name} split has no usable pair left: see the counts above.")
        self.train_plan = plan(self.train_pairs, budget, pool_batches=pool_batches, seed=seed)
        self.dev_plan = plan(self.dev_pairs, budget, shuffle=False)
        self.made: MadePairs | None = None
        self.sampled: SampledPairs | None = None
        self.pacing: Pacing | None = None  # of epochs that differ by the step that they begin at
        self.mixed = MixedEpochs(splits.train, splits.mix, seed) if splits.mix and not splits.mix.even else None

    def dev_of(self, examples: Sequence[Example], count: int | None, seed: int) -> Sequence[Example]:
        """The examples that validations while training see: a sample of so many, or all of them at None."""
        return examples if count is None else sample(examples, count, seed)

    def pairs(self, examples: Sequence[Example], split: str) -> PairSequences:
        """Pairs as token ids, without those that cannot be learnt from; how many were left out is logged.

        Of dev its loss alone is without them: what is written is compared with every reference.
        """
        found = encoded(examples, self.tokenizers, self.max_length)
        where, besides = ("dev/loss", "; scores of what is written count them") if split == "dev" else (split, "")
        if found.empty:
            advice = "fill or delete them in the data"
            logger.warning("%s: left out %d pairs with an empty side (%s)%s", where, found.empty, advice, besides)
        if found.long:
            over, advice = f"of over {self.max_length} tokens", "raise batches.max_length to keep them"
            logger.warning("%s: left out %d pairs %s (%s)%s", where, found.long, over, advice, besides)
        links = self._links(examples, found.kept) if split == "train" else None
        return replace(found.pairs, links=links)

    def _links(self, examples: Sequence[Example], kept: np.ndarray) -> PieceLinks | None:
        """Links of the pairs that were kept; None where no example is aligned."""
        if not Examples.of(examples).aligned:
            return None
        pairs = [(example, place) for example in examples for place in range(len(example.targets))]
        found: list[list[tuple[int, int]]] = []
        for example, place in (pairs[row] for row in kept.tolist()):
            given = example.alignments[place] if example.alignments else None
            found.append(piece_links(given, self.tokenizers, example.source, example.targets[place]) if given else [])
        return PieceLinks.of(found)

    def target_counts(self) -> Int[Tensor, " vocabulary"]:
        """Counts of every target token in train, with an EOS behind each target."""
        return token_counts(self.train_pairs.target, self.tokenizers.target.size)

    def augment(self, augmentation: Augmentation | FrameAugmentation) -> None:
        """Have pairs made from those of train in every epoch, or series of train changed.

        Raises UserError at data that this does not suit.
        """
        if isinstance(augmentation, FrameAugmentation):
            self.changed = ChangedFrames(augmentation, self.train_pairs, self.train_plan, max_length=self.max_length)
            return
        self.made = MadePairs(
            augmentation, self.splits.train, self.tokenizers, self.train_plan, max_length=self.max_length
        )

    def segment(self, segmentation: SampledSegmentation, kinds: Sequence[str]) -> None:
        """Have the pairs of train cut anew in every epoch, by tokenizers of the given kinds."""
        strengths = segmentation.strengths(kinds)
        self.sampled = SampledPairs(self.splits.train, self.tokenizers, strengths, self.train_plan, self.max_length)

    def gather(self, references: str) -> None:
        """Take the pairs of an example of train together, and have its references counted as one; `each` does not.

        Raises UserError at another name, where no example has several targets, or where batches are too small.
        """
        check_references(references)
        owners = self.train_pairs.owners
        if references == EACH or owners is None:
            return
        if not bool((owners.diff() == 0).any()):
            raise UserError(
                f"references={references} needs sources with several targets, but every one of train has a single one: "
                "leave it at each."
            )
        self.train_pairs = replace(self.train_pairs, references=references)
        self.train_plan = self._planned(self.train_pairs)

    def train_epoch(self, number: int) -> tuple[PairSequences, list[Tensor]]:
        """The pairs of an epoch of training, and its batches of their rows."""
        if self.pacing is not None:
            return self.pacing.epoch(number, self.drawn)
        pairs, planned = self.drawn(number)
        return pairs, planned.epoch(number)

    def drawn(self, number: int) -> tuple[PairSequences, BatchPlan]:
        """The pairs that there are for an epoch of training, and a plan of all of them."""
        if self.changed is not None:
            pairs = self.changed.epoch(number, self.train_pairs)
            return pairs, self._planned(pairs)
        if self.made is None and self.sampled is None and self.mixed is None:
            return self.train_pairs, self.train_plan
        pairs = self.train_pairs if self.sampled is None else self.sampled.epoch(number, self.train_pairs)
        if self.mixed is not None:
            pairs = self.mixed.epoch(pairs, number)
        if self.made is not None:
            pairs = pairs.followed_by(self.made.epoch(number))
        return pairs, self._planned(pairs)

    def _planned(self, pairs: PairSequences) -> BatchPlan:
        """The plan of other pairs of train in the way of its own."""
        own = self.train_plan
        return plan(pairs, own.budget, pool_batches=own.pool_batches, seed=own.seed)

    def train_dataloader(self) -> "BatchLoader":
        """The loader of the training batches, for Lightning."""
        assert self.trainer is not None  # Lightning attaches it before it asks for batches
        return BatchLoader(self.train_epoch, self.trainer)

    def val_dataloader(self) -> "BatchLoader":
        """The loader of the dev batches, for Lightning."""
        assert self.trainer is not None
        return BatchLoader(lambda number: (self.dev_pairs, self.dev_plan.epoch(number)), self.trainer, training=False)


def plan(
    pairs: PairSequences, budget: TokenBudget, *, pool_batches: int = 100, shuffle: bool = True, seed: int = 1
) -> BatchPlan:
    """The batch plan of tokenised pairs, with EOS counted on both sides."""
    lengths = pairs.source.lengths + 1, pairs.target.lengths + 1
    if pairs.together is None:
        return BatchPlan(*lengths, budget, pool_batches=pool_batches, shuffle=shuffle, seed=seed)
    return ExamplePlan(*lengths, budget, owners=pairs.together, pool_batches=pool_batches, shuffle=shuffle, seed=seed)


class BatchLoader:
    """A loader of this process's part of every batch of the trainer's present epoch.

    Epoch and position are read from the trainer at the first batch, not before: Lightning restores both
    from a checkpoint, so a resumed run goes on with the very batch that comes next.
    """

    def __init__(
        self,
        epoch: Callable[[int], tuple[PairSequences, list[Tensor]]],
        trainer: lightning.Trainer,
        *,
        training: bool = True,
    ) -> None:
        self.trainer = trainer
        self.training = training
        self._of_epoch = lru_cache(maxsize=1)(epoch)

    def __len__(self) -> int:
        return len(self._of_epoch(self._epoch)[1])

    def __iter__(self) -> Iterator[Batch]:
        pairs, batches = self._drawn()
        start = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready if self.training else 0
        for number, rows in enumerate(batches[start:], start):
            yield self._share(pairs, rows, self._tokens_of_step(pairs, batches, number))

    def largest(self) -> Batch:
        """The part that this process has of the batch of the most padded tokens; of several, the longest targets'."""
        pairs, batches = self._drawn()
        number = max(range(len(batches)), key=lambda number: pairs.padded_size(batches[number]))
        return self._share(pairs, batches[number], self._tokens_of_step(pairs, batches, number))

    def _drawn(self) -> tuple[PairSequences, list[Tensor]]:
        """The pairs of the epoch, and those of its batches that the trainer's limit leaves."""
        pairs, batches = self._of_epoch(self._epoch)
        most = self.trainer.num_training_batches if self.training else len(batches)
        return pairs, batches[: int(min(most, len(batches)))]

    def _tokens_of_step(self, pairs: PairSequences, batches: list[Tensor], number: int) -> float:
        """The target tokens of all batches whose gradients are summed with those of this one."""
        window = self.trainer.accumulate_grad_batches if self.training else 1
        start = number - number % window
        return sum(pairs.target_tokens(rows) for rows in batches[start : start + window])

    def state_dict(self) -> dict[str, int]:
        """An empty state: the position is the trainer's. Having it tells Lightning that resuming is exact."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Load nothing, as the state is empty."""

    @property
    def _epoch(self) -> int:
        return self.trainer.current_epoch if self.training else 0

    def _share(self, pairs: PairSequences, rows: Tensor, tokens: float) -> Batch:
        rank, processes = self.trainer.global_rank, self.trainer.world_size
        mine = pairs.share(rows, rank, processes)
        silent = len(mine) == 0  # fewer rows than processes: this one still has to take part
        return pairs.batch(rows[:1] if silent else mine, step_tokens=tokens, silent=silent)
