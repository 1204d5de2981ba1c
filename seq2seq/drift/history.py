"""A stream's signals as they were, in as few numbers as a picture can show."""

from collections.abc import Mapping, Sequence

from seq2seq.drift.moments import Moments

Block = dict[str, Moments]


class SignalHistory:
    """Means of signals over blocks of as many lines each: at most `most` blocks, of 1 line, then 2, 4 and so on."""

    def __init__(self, most: int = 400) -> None:
        self.most = most
        self.size = 1  # lines of a block
        self.blocks: list[Block] = []

    def add(self, line: int, values: Mapping[str, float]) -> None:
        """Take in the signals of a line of a number, from 1, each higher than the last."""
        while (number := (line - 1) // self.size) >= self.most:
            self._halve()
        self.blocks.extend({} for _ in range(number + 1 - len(self.blocks)))
        self.blocks[number] = _joined([self.blocks[number], {name: Moments(1, one) for name, one in values.items()}])

    def curve(self, signal: str) -> tuple[list[float], list[float]]:
        """The lines in the middle of each block that has the signal, and its means there."""
        rows = [(number, block[signal].mean) for number, block in enumerate(self.blocks) if signal in block]
        return [self.size * number + (self.size + 1) / 2 for number, _ in rows], [mean for _, mean in rows]

    def _halve(self) -> None:
        self.blocks = [_joined(self.blocks[first : first + 2]) for first in range(0, len(self.blocks), 2)]
        self.size *= 2


def _joined(blocks: Sequence[Block]) -> Block:
    names = dict.fromkeys(name for block in blocks for name in block)
    return {name: sum((block[name] for block in blocks if name in block), Moments()) for name in names}
