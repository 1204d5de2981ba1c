"""Options that say where a corpus has its splits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from seq2seq.data.examples import Example, Splits
from seq2seq.data.splitting import hold_out
from seq2seq.data.text_files import told_as
from seq2seq.errors import UserError, check_finite

Read = Callable[[str], Sequence[Example]]


@dataclass(frozen=True)
class SplitOptions:
    """Names of the splits, of which dev and test may be left out.

    Without dev, `dev_size` examples are held out of train, at None a tenth, at most 1000. Which they are is a matter of
    the hash of their sources with the seed. A run records the bound of these hashes as `held_out_below`, which then
    takes the place of `dev_size`: as a file grows, nothing that was learnt becomes dev. Raises UserError at a number
    below 1 that would be read.
    """

    train: str
    dev: str | None = None
    test: str | None = None
    dev_size: int | None = None
    seed: int = 1
    held_out_below: float | None = None

    def __post_init__(self) -> None:
        check_finite(held_out_below=self.held_out_below)
        is_read = not self.dev and self.held_out_below is None
        if is_read and self.dev_size is not None and self.dev_size < 1:
            raise UserError(f"dev_size must be at least 1, or null for a tenth, but is {self.dev_size}.")

    def load(self, read: Read) -> Splits:
        """The splits, each read by its name. Raises UserError by that name where there is no file."""
        train, dev, test = (self._read(name, read) for name in ("train", "dev", "test"))
        if self.dev:
            return Splits(train, dev, test)
        return replace(hold_out(train, self.dev_size, self.seed, self.held_out_below), test=test)

    def _read(self, name: str, read: Read) -> Sequence[Example]:
        split = getattr(self, name)
        with told_as(name):
            return read(split) if split or name == "train" else []


@dataclass(frozen=True)
class FileOptions(SplitOptions):
    """Paths of the splits; with `require_test=False` that of test may be missing on disk."""

    require_test: bool = True

    def without_missing(self, exists: Callable[[str], bool]) -> SplitOptions:
        """Options without a test split that need not be there and is not."""
        if self.require_test or self.test is None or exists(self.test):
            return self
        return replace(self, test=None)
