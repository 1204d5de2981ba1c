"""New examples as they come: some are held out to judge by, the others are learnt from."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence

import numpy as np

from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example
from seq2seq.data.splitting import rank
from seq2seq.errors import UserError

_TRIES = 20  # draws of an old example that is none to judge by


class NewExamples:
    """Sorts what comes by the hash of its source: a share of `hold_out` is held out, whenever it comes.

    The last `most_held_out` of those are kept, and the last `recent` of the others, to be learnt from again. `judged`
    are sources that the model is judged by already, from which nothing is learnt. `counts` tells what has come. Raises
    UserError if that is no share.
    """

    def __init__(self, judged: Iterable[str], *, hold_out: float, recent: int, most_held_out: int, seed: int) -> None:
        if not 0 < hold_out < 1:
            raise UserError(f"hold_out must be above 0 and below 1, but is {hold_out}.")
        self.hold_out, self.most_held_out, self.seed = hold_out, most_held_out, seed
        self._judged = {rank(source, seed) for source in judged}
        self._held_out: dict[float, Example] = {}
        self._recent: deque[Example] = deque(maxlen=recent)
        self.counts = Counter(learnt_from=0, held_out=0, judged_by_before=0)

    @property
    def held_out(self) -> list[Example]:
        """The examples to judge by, one for each source."""
        return list(self._held_out.values())

    def take(self, example: Example) -> bool:
        """Take an example, and tell whether it is one to learn from."""
        place = rank(example.source, self.seed)
        if place in self._judged:
            self.counts["judged_by_before"] += 1
            return False
        if place < self.hold_out:
            self.counts["held_out"] += 1
            self._hold_out(place, example)
            return False
        self.counts["learnt_from"] += 1
        self._recent.append(example)
        return True

    def may_be_learnt(self, source: str) -> bool:
        """Tell whether nothing is judged by a source, nor will be, should it come."""
        place = rank(source, self.seed)
        return place >= self.hold_out and place not in self._judged

    def again(self, count: int, update: int) -> list[Example]:
        """Examples among those that came last, so many or all that there are, drawn by the number of the update."""
        random = np.random.default_rng((self.seed, update, 0))
        count = min(count, len(self._recent))
        return [self._recent[place] for place in random.choice(len(self._recent), count, replace=False).tolist()]

    def forget(self) -> None:
        """Learn from none of those again that came so far."""
        self._recent.clear()

    def _hold_out(self, place: float, example: Example) -> None:
        """Keep an example to judge by; targets that came before for its source are right, too."""
        before = self._held_out.pop(place, None)
        targets = example.targets if before is None else tuple(dict.fromkeys((*before.targets, *example.targets)))
        self._held_out[place] = Example(example.source, targets)
        if len(self._held_out) > self.most_held_out:
            del self._held_out[next(iter(self._held_out))]


class OldExamples:
    """Examples that were learnt from before, of which some come along lest they are forgotten (Robins 1995).

    Raises UserError if there are none.
    """

    def __init__(self, examples: Sequence[Example], *, seed: int) -> None:
        if not examples:
            raise UserError("replay must hold pairs to learn from again, but holds none: give others, or rehearsal=0.")
        self.examples, self.seed = Examples.of(examples), seed

    def drawn(self, count: int, update: int, new: NewExamples) -> list[Example]:
        """Examples, so many, each with one of its targets, by the number of the update; none that is judged by."""
        random = np.random.default_rng((self.seed, update, 1))
        found: list[Example] = []
        for _ in range(_TRIES):
            lacking = count - len(found)
            some = self.examples.chosen(random.integers(len(self.examples), size=lacking))
            for example, share in zip(some, random.random(lacking).tolist(), strict=True):
                if new.may_be_learnt(example.source):
                    found.append(Example(example.source, (example.targets[int(share * len(example.targets))],)))
            if len(found) == count:
                break
        return found
