"""Options that say where a corpus has its splits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from seq2seq.data.examples import Example, Splits, hold_out

Read = Callable[[str], list[Example]]


@dataclass(frozen=True)
class SplitOptions:
    """Names of the splits. Without dev, `dev_size` examples are held out of train; `test` may be left out."""

    train: str
    dev: str | None = None
    test: str | None = None
    dev_size: int = 1000
    seed: int = 1

    def load(self, read: Read) -> Splits:
        """The splits, each read by its name."""
        train = read(self.train)
        test = read(self.test) if self.test else []
        if self.dev:
            return Splits(train, read(self.dev), test)
        held_out = hold_out(train, self.dev_size, self.seed)
        return Splits(held_out.train, held_out.dev, test)


@dataclass(frozen=True)
class FileOptions(SplitOptions):
    """Paths of the splits; with `require_test=False` that of test may be missing on disk."""

    require_test: bool = True

    def without_missing(self, exists: Callable[[str], bool]) -> SplitOptions:
        """Options without a test split that need not be there and is not."""
        if self.require_test or self.test is None or exists(self.test):
            return self
        return replace(self, test=None)
