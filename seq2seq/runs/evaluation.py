"""Examples that a run is tried on, and its scores on them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.config.contract import check
from seq2seq.data.corpora.tsv import read_tsv
from seq2seq.data.examples import Example, Splits
from seq2seq.data.text_files import read_lines
from seq2seq.errors import UserError
from seq2seq.metrics.scores import Scores
from seq2seq.runs.run import Run, refuse_foreign_code
from seq2seq.translation.translator import Translator


@dataclass(frozen=True)
class Evaluation:
    """Scores in percent, and what they were computed from."""

    scores: dict[str, float]
    signatures: dict[str, str]
    hypotheses: list[str]
    seconds: float

    def report(self) -> dict[str, Any]:
        """The record that evaluate prints and training keeps, in types of JSON."""
        return {
            "scores": {name: round(value, 4) for name, value in self.scores.items()},
            "signatures": self.signatures,
            "sentences": len(self.hypotheses),
            "seconds": round(self.seconds, 3),
        }


def load_splits(config: Mapping[str, Any]) -> Splits:
    """The splits of a config's data. Raises UserError, by the path of the option, where they cannot be loaded."""
    corpus = build(config["data"], "data")
    with told_at("data", type(corpus)):
        return corpus.load()


def load_examples(run: Run, file: str | None, split: str | None) -> tuple[str, list[Example]]:
    """A name and the examples of it: of a file, or of a split of a run's own data; without either, test or else dev.

    Raises UserError at a split that does not exist or is empty.
    """
    if file is not None:
        _refuse_both(file, split)
        return file, read_tsv(file)
    config = run.config
    refuse_foreign_code(config, "data")
    check({"data": config["data"]})
    splits = load_splits(config)
    if split is None:
        return ("test", splits.test) if splits.test else ("dev", splits.dev)
    if split not in ("train", "dev", "test"):
        raise UserError(f"split must be train, dev or test, but is {split!r}.")
    examples = getattr(splits, split)
    if not examples:
        raise UserError(f"split={split} is empty in this run's data: choose another, or give file=pairs.tsv.")
    return split, examples


def load_sources(run: Run, file: str | None, split: str | None) -> tuple[str, list[str]]:
    """A name and the sources of it that are not empty: a file has one a line, or as the first of its columns.

    Without file and split, those of dev.
    """
    if file is None:
        name, examples = load_examples(run, None, split or "dev")
        return name, [example.source for example in examples if example.source.strip()]
    _refuse_both(file, split)
    sources = (line.partition("\t")[0] for line in read_lines(Path(file)))
    return file, [source for source in sources if source.strip()]


def _refuse_both(file: str, split: str | None) -> None:
    if split is not None:
        raise UserError(f"split must be null where there is a file, but is {split!r} beside file={file}: give one.")


def build_scores(config: Mapping[str, Any]) -> dict[str, Scores]:
    """The metrics of a config, by name."""
    return {name: build(node, f"metrics.{name}") for name, node in config["metrics"].items()}


def evaluate(translator: Translator, examples: Sequence[Example], metrics: Mapping[str, Scores]) -> Evaluation:
    """Translate every example's source and return the scores, with the texts that came out and the seconds taken."""
    started = time.monotonic()
    hypotheses = translator([example.source for example in examples])
    seconds = time.monotonic() - started
    scores: dict[str, float] = {}
    for metric in metrics.values():
        metric.update(hypotheses, [example.targets for example in examples])
        scores |= {name: float(value) for name, value in metric.compute().items()}
        metric.reset()
    signatures = {name: metric.signature for name, metric in metrics.items()}
    return Evaluation(scores, signatures, hypotheses, seconds)
