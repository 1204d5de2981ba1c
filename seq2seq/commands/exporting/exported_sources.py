"""Sources and examples that an export is proved and scored by."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from seq2seq.data.examples import Example
from seq2seq.data.spreading import spread_over
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.search import Search
from seq2seq.decoding.stepper import Stepper
from seq2seq.errors import UserError
from seq2seq.runs.evaluation import build_scores, evaluate, load_dev_examples, load_sources
from seq2seq.runs.run import LoadedRun
from seq2seq.translation.translator import Translator


class ExportedSources(NamedTuple):
    """Distinct sources of a run's split, or of a file, that a model is searched on, and the name of what they are of.

    Where a form of the model is to be scored, all pairs that they are of, too: a pipe is read but once. None else, as a
    proof needs no targets, and so takes a file of sources.
    """

    name: str
    lines: list[str]
    examples: Sequence[Example] | None

    @classmethod
    def load(cls, run: LoadedRun, options: Mapping[str, Any]) -> "ExportedSources":
        """The sources that options name. Raises UserError where none of them has any text, or at a file and a split."""
        given = options["file"], options["split"]
        examples: Sequence[Example] | None = None
        if options["int8"]:
            name, examples = load_dev_examples(run, *given)
            found = [example.source for example in examples]
        else:
            name, found = load_sources(run, *given)
        sources = list(dict.fromkeys(source for source in found if source.strip()))
        if not sources:
            raise UserError(f"{name} must hold a source that is not empty: give file=pairs.tsv or another split.")
        return cls(name, spread_over(sources, options["sentences"]), examples)

    def scores(self, run: LoadedRun, steppers: Mapping[str, Stepper]) -> dict[str, Any]:
        """Scores of several forms of a model, by name, on all pairs that the sources are of.

        Raises ValueError where these were not loaded.
        """
        if self.examples is None:
            raise ValueError("forms of a model are scored on pairs, which are loaded with int8=true alone")
        scores = {
            form: evaluate(searching(run, own), self.examples, build_scores(run.config)).report()["scores"]
            for form, own in steppers.items()
        }
        return {"data": self.name, "sentences": len(self.examples), **scores}


def searching(run: LoadedRun, stepper: Stepper, search: Search | None = None) -> Translator:
    """A translator of a run's text by one form of its model, greedily unless told otherwise."""
    return Translator(stepper, run.tokenizers, search or GreedySearch())
