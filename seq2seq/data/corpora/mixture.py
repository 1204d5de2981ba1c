"""Corpora that are mixed into one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from seq2seq.data.corpus_mix import CorpusMix, tagged
from seq2seq.data.example_store import Examples
from seq2seq.data.examples import Example, Splits
from seq2seq.errors import UserError, check_finite


class MixtureCorpus:
    """A corpus of several, `parts` by name, each a corpus of its own.

    An epoch has as many pairs as there are, of each part by its share: as `weights` say, or as n^(1 / temperature) for
    parts of n examples: 1 takes all alike, more brings small parts forward (Arivazhagan et al. 2019). `tags` stand
    before the sources of a part, so that a model knows them apart (Johnson et al. 2017). Dev and test are those of all
    parts, or of the one that `dev` names. Raises UserError if a value is out of range or does not go with others.
    """

    def __init__(
        self,
        *,
        parts: Mapping[str, Any],
        weights: Mapping[str, Any] | None = None,
        temperature: float = 1.0,
        tags: Mapping[str, Any] | None = None,
        dev: str | None = None,
        held_out_below: Mapping[str, float] | None = None,
    ) -> None:
        check_finite(held_out_below=[*(held_out_below or {}).values()])
        if not 1 <= temperature < float("inf"):
            raise UserError(f"temperature must be at least 1, but is {temperature}.")
        check_finite(temperature=temperature)
        if weights is not None:
            _check_weights(weights, temperature, parts)
        for name, tag in (tags or {}).items():
            if not isinstance(tag, str) or not tag or any(character.isspace() for character in tag):
                raise UserError(f"tags must be words, but that of {name} is {tag!r}.")
        _check_names(parts, tags=tags or {}, dev=[dev] if dev else [], weights=weights or {})
        self.parts = parts
        numbers = None if weights is None else {name: float(weight) for name, weight in weights.items()}
        self.mix = CorpusMix(numbers, temperature, tags or {})
        self.dev = dev
        self.held_out_below = held_out_below or {}

    def check(self) -> None:
        """Check that there is something to mix. Raises UserError if not."""
        if len(self.parts) < 2:
            raise UserError(
                f"parts must be at least 2 corpora, but are {len(self.parts)}: name each with an override of its own."
            )
        for name, part in self.parts.items():
            if not callable(getattr(part, "load", None)):
                raise UserError(f"parts must be corpora, classes with load(), but {name} is none.")

    def load(self) -> Splits:
        """The splits, one part's examples behind the other's. Raises UserError where a part cannot be loaded."""
        self.check()
        loaded = {name: self._load(name) for name in self.parts}
        held_out = {name: bound for name, own in loaded.items() if isinstance(bound := own.held_out_below, float)}
        judged = [self.dev] if self.dev else list(loaded)
        return Splits(
            Examples.of(example for name in loaded for example in self._of(name, loaded[name].train)),
            Examples.of(example for name in judged for example in self._of(name, loaded[name].dev)),
            Examples.of(example for name in judged for example in self._of(name, loaded[name].test)),
            held_out or None,
            self.mix,
        )

    def _load(self, name: str) -> Splits:
        part = self.parts[name]
        if name in self.held_out_below:
            part.options = replace(part.options, held_out_below=self.held_out_below[name], dev_size=None)
        try:
            return part.load()
        except UserError as error:
            raise UserError(f"parts: {name}: {error}") from None

    def _of(self, name: str, examples: Sequence[Example]) -> Iterator[Example]:
        """Examples that know their corpus, behind its tag."""
        tag = self.mix.tags.get(name)
        return (
            replace(
                example,
                source=example.source if tag is None else tagged(tag, example.source),
                alignments=(),
                corpus=name,
            )
            for example in examples
        )


def _check_names(parts: Mapping[str, Any], **options: Iterable[str]) -> None:
    """Raise UserError at the first option that names a part which is none."""
    for option, names in options.items():
        for name in names:
            if name not in parts:
                raise UserError(
                    f"{option} must be of parts, which are {', '.join(parts) or 'none'}, but {name!r} is none."
                )


def _check_weights(weights: Mapping[str, Any], temperature: float, parts: Mapping[str, Any]) -> None:
    if temperature != 1:
        raise UserError(f"temperature must be 1 beside weights, which say all shares, but is {temperature}.")
    if missing := [name for name in parts if name not in weights]:
        raise UserError(f"weights must be of all parts, but {', '.join(missing)} has none.")
    for name, weight in weights.items():
        if not isinstance(weight, int | float) or not 0 < weight < float("inf"):
            raise UserError(f"weights must be above 0, but that of {name} is {weight!r}.")
