"""Training pairs of several corpora, drawn for every epoch by their shares."""

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from seq2seq.data.batch import PairSequences
from seq2seq.data.corpus_mix import CorpusMix
from seq2seq.data.examples import Example
from seq2seq.data.references import rows_of

logger = logging.getLogger(__name__)


class MixedEpochs:
    """Pairs of train, each as often in an epoch as its corpus is due, as a function of the seed and the epoch.

    In an epoch, and after any number of them, a pair of a corpus has come as often as any other of it, or once more.
    Where references are taken together, what is drawn are examples.
    """

    def __init__(self, examples: Sequence[Example], mix: CorpusMix, seed: int) -> None:
        names = dict.fromkeys(example.corpus for example in examples)
        self.names = list(names)
        numbers = {name: number for number, name in enumerate(names)}
        self.corpora = np.array([numbers[example.corpus] for example in examples], dtype=np.int64)
        self.mix = mix
        self.seed = seed

    def epoch(self, pairs: PairSequences, number: int) -> PairSequences:
        """The pairs of an epoch, out of all; those that come again are of an example of its own."""
        firsts, sizes, corpora = self._units(pairs)
        drawn = np.concatenate(list(self._drawn(corpora, number)))
        rows = torch.from_numpy(rows_of(firsts[drawn], sizes[drawn]))
        owners = torch.from_numpy(np.repeat(np.arange(len(drawn)), sizes[drawn]))
        return pairs.chosen(rows, owners)

    def tell(self, pairs: PairSequences) -> None:
        """Log how many pairs an epoch has of each corpus, and how often each comes."""
        first, (_, sizes, corpora) = self.epoch(pairs, 0), self._units(pairs)
        there, due = self._counts(corpora)
        logger.info(
            "mixture: an epoch has %s pairs: %s",
            f"{len(first):,}",
            ", ".join(
                f"{due[name]:,} of {there[name]:,} {'sources' if sizes.max() > 1 else 'pairs'} of {name or 'others'} "
                f"(x {due[name] / there[name]:.2f})"
                for name in there
            ),
        )

    def _units(self, pairs: PairSequences) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First rows, numbers of rows and corpora of what is drawn: pairs, or all of an example."""
        assert pairs.owners is not None, "pairs of a mixture tell whose they are"
        owners = pairs.owners.numpy()
        if pairs.together is None:
            return np.arange(len(pairs)), np.ones(len(pairs), dtype=np.int64), self.corpora[owners]
        numbers, firsts, sizes = np.unique(owners, return_index=True, return_counts=True)
        return firsts, sizes, self.corpora[numbers]

    def _counts(self, corpora: np.ndarray) -> tuple[dict[str, int], dict[str, int]]:
        sizes = np.bincount(corpora, minlength=len(self.names)).tolist()
        there = {name: size for name, size in zip(self.names, sizes, strict=True) if size}
        return there, self.mix.counts(there)

    def _drawn(self, corpora: np.ndarray, number: int) -> Iterator[np.ndarray]:
        """Draw of each corpus: all of it, as often as that is due, and the next of a fixed random order."""
        _, due = self._counts(corpora)
        for corpus, name in enumerate(self.names):
            own = np.flatnonzero(corpora == corpus)
            if len(own):
                whole, rest = divmod(due[name], len(own))
                order = np.random.default_rng((self.seed, corpus)).permutation(own)
                yield np.tile(own, whole)
                yield order[(number * rest + np.arange(rest)) % len(own)]
