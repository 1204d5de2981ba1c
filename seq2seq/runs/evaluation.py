"""Examples that a run is tried on, and its scores on them."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.config.builder import build, told_at
from seq2seq.data.examples import Example, Splits
from seq2seq.data.series import Series
from seq2seq.data.splitting import Fingerprint
from seq2seq.data.text import formed, formed_splits
from seq2seq.data.text_files import told_as
from seq2seq.errors import UserError, printable
from seq2seq.metrics.scores import Scores
from seq2seq.metrics.significance import Draws, Interval, intervals
from seq2seq.runs.given_pairs import examples_of_file, sources_of_file
from seq2seq.runs.html import table
from seq2seq.runs.model_kinds import reads_frames
from seq2seq.runs.run import DecodingRun, text_form
from seq2seq.runs.series_corpus import corpus_of
from seq2seq.shapes import SentenceCounts
from seq2seq.translation.forecaster import Forecaster, answers
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)
_NO_DRAWS = Draws()
_FEW = 50  # sources


@dataclass(frozen=True)
class Evaluation:
    """Scores in percent, and what they were computed from."""

    scores: dict[str, float]
    signatures: dict[str, str]
    hypotheses: list[str]
    seconds: float
    intervals: dict[str, Interval]  # of 95 %; none where no sentences were drawn
    counts: dict[str, SentenceCounts]  # by metric
    corpora: dict[str, dict[str, float]]  # scores of each, where the examples are of several

    def report(self) -> dict[str, Any]:
        """The record that evaluate prints and training keeps, in types of JSON."""
        rounded = {name: [_rounded(end) for end in ends] for name, ends in self.intervals.items()}
        return {
            "scores": {name: _rounded(value) for name, value in self.scores.items()},
            **({"intervals": rounded} if rounded else {}),
            **({"corpora": _rounded_by_corpus(self.corpora)} if self.corpora else {}),
            "signatures": self.signatures,
            "sentences": len(self.hypotheses),
            "seconds": round(self.seconds, 3),
        }

    def _repr_html_(self) -> str:
        rows = [[name, value, *self.intervals.get(name, ())] for name, value in self.scores.items()]
        ends = ["from", "to (95 %)"] if self.intervals else []
        written = "series" if isinstance(next(iter(self.hypotheses), ""), Series) else "% of"
        title = f"scores, {written} {len(self.hypotheses):,}{'' if written == 'series' else ' sentences'}"
        return table(title, ["", "score", *ends], rows)


def load_splits(config: dict[str, Any]) -> Splits:
    """The splits of a config's data, in its form of text, and what that changed is logged.

    Raises UserError, by the path of the option, where they cannot be loaded.
    """
    corpus = build(config["data"], "data")
    if not callable(getattr(corpus, "load", None)):
        raise UserError("data must be built by a corpus, a class with load(), but is not.")
    with told_at("data", type(corpus)):
        splits, change = formed_splits(form := text_form(config), corpus.load())
    if change.texts:
        logger.info("text.form=%s changed %s", form.form, change)
    return splits


def warn_of_shared_sources(splits: Splits) -> None:
    """Warn of sources that are in train and in what a model is judged by: it may have learnt the answer by heart."""
    parts = (("dev", splits.dev), ("test", splits.test))
    judged = {splits.untagged(example) for _, examples in parts for example in examples}
    known = {source for example in splits.train if (source := splits.untagged(example)) in judged}
    for name, examples in parts:
        if shared := sum(splits.untagged(example) in known for example in examples):
            logger.warning(
                "%s: %d of %d sources are in train, too: scores on them say what was learnt by heart; take them out of "
                "one of the two",
                *(name, shared, len(examples)),
            )


def warn_of_poor_data(splits: Splits) -> None:
    """Warn where train is too small to learn from, or has one and the same target: a model will say nothing else."""
    if len(splits.train) < _FEW:
        count = len(splits.train)
        some = "source" if count == 1 else "sources"
        logger.warning("train: %d %s only: a task takes hundreds to be learnt; add pairs", count, some)
    first = splits.train[0].targets
    if len(splits.train) > 1 and all(example.targets == first for example in splits.train):
        logger.warning(
            "train: all %d targets are %s: the model will learn to say nothing else; look at data.target and the file",
            *(len(splits.train), printable(repr(first[0]))),
        )


def warn_of_other_data(recorded: Mapping[str, Fingerprint], splits: Splits, *names: str) -> None:
    """Warn of splits that do not hold what a run was trained on, in one line each; their order is no matter."""
    if not recorded:
        logger.warning(
            "what this run was trained on was not recorded: its %s may have been among it", " and ".join(names)
        )
        return
    for name in names:
        if difference := recorded[name].difference(Fingerprint.of(getattr(splits, name)), ordered=False):
            logger.warning("%s is not what it was when this run was trained: %s", name, difference)


def load_examples(
    run: DecodingRun, file: str | None, split: str | None, *, in_order: bool = False
) -> tuple[str, Sequence[Example]]:
    """A name and the examples of it: of a file, or of a split of a run's own data; without either, test or else dev.

    Lines of a file stay `in_order`, each by itself, where they are read on from one another. Raises UserError at a
    split that does not exist or is empty.
    """
    if file is not None:
        _refuse_both(file, split)
        with told_as("file"):
            return file, given_examples(run, file, in_order=in_order)
    config = run.config
    splits = load_splits(config)
    split = split or ("test" if splits.test else "dev")
    if split not in ("train", "dev", "test"):
        raise UserError(f"split must be train, dev or test, but is {split!r}.")
    examples = getattr(splits, split)
    if not examples:
        raise UserError(f"split={split} is empty in this run's data: choose another, or give file=pairs.tsv.")
    warn_of_other_data(run.splits, splits, split)
    return split, examples


def given_examples(run: DecodingRun, file: str, *, in_order: bool = False) -> Sequence[Example]:
    """The examples of a file, read as the run's own data were, in its form of text; see `load_examples`."""
    if reads_frames(run.config):
        return corpus_of(run.config, file).examples(file)
    in_order = in_order or run.config.get("carry") is not None
    return formed(text_form(run.config), examples_of_file(run.config, file, in_order=in_order))


def load_dev_examples(run: DecodingRun, file: str | None, split: str | None = None) -> tuple[str, Sequence[Example]]:
    """A name and the examples of it, as `load_examples` has them; without file and split, those of dev."""
    return load_examples(run, file, "dev" if file is None and split is None else split)


def load_sources(run: DecodingRun, file: str | None, split: str | None) -> tuple[str, list[str]]:
    """A name and the sources of it that are not empty: of pairs of a file, or of its lines, see `sources_of_file`.

    Of a run that reads frames, those of a file of series. Without file and split, those of dev.
    """
    if file is None:
        name, examples = load_dev_examples(run, None, split)
        return name, [example.source for example in examples if example.source.strip()]
    _refuse_both(file, split)
    with told_as("file"):
        if reads_frames(run.config):
            sources = [example.source for example in given_examples(run, file)]
        else:
            sources = sources_of_file(run.config, file)
    return file, [source for source in sources if source.strip()]


def _refuse_both(file: str, split: str | None) -> None:
    if split is not None:
        raise UserError(f"split must be null where there is a file, but is {split!r} beside file={file}: give one.")


def build_scores(config: Mapping[str, Any]) -> dict[str, Scores]:
    """The metrics of a config, by name."""
    scores = {str(name): build(node, f"metrics.{name}") for name, node in config["metrics"].items()}
    for name, metric in scores.items():
        if not isinstance(metric, Scores):
            raise UserError(f"metrics.{name} must be built by a class of Scores, but is not.")
    return scores


def evaluate(
    translator: Translator | Forecaster | Callable[[list[str]], list[str]],
    examples: Sequence[Example],
    metrics: Mapping[str, Scores],
    draws: Draws = _NO_DRAWS,
) -> Evaluation:
    """Translate every example's source and return the scores, with the texts that came out and the seconds taken."""
    sources, references = [example.source for example in examples], [example.targets for example in examples]
    started = time.monotonic()
    hypotheses = answers(translator, examples)
    seconds = time.monotonic() - started
    scores: dict[str, float] = {}
    ends: dict[str, Interval] = {}
    counts: dict[str, SentenceCounts] = {}
    for kind, metric in metrics.items():
        metric.prepare(references)
        counts[kind] = metric.counts(hypotheses, references, sources)
        scores |= {name: float(value) for name, (value,) in metric.scores(counts[kind].sum(0)[None]).items()}
        if draws.bootstrap:
            ends |= intervals(counts[kind], metric.scores, draws)
    signatures = {name: metric.signature for name, metric in metrics.items()}
    return Evaluation(scores, signatures, hypotheses, seconds, ends, counts, _by_corpus(examples, metrics, counts))


def _by_corpus(
    examples: Sequence[Example], metrics: Mapping[str, Scores], counts: Mapping[str, SentenceCounts]
) -> dict[str, dict[str, float]]:
    """Scores of the examples of each corpus; nothing where there is one."""
    rows: dict[str, list[int]] = {}
    for row, example in enumerate(examples):
        rows.setdefault(example.corpus, []).append(row)
    if len(rows) < 2:
        return {}
    return {
        corpus: {
            name: float(value)
            for kind, metric in metrics.items()
            for name, (value,) in metric.scores(counts[kind][own].sum(0)[None]).items()
        }
        for corpus, own in rows.items()
    }


def _rounded(value: float) -> float:
    """The value to four places behind the point, or to four digits where it is small, as in small units."""
    return round(value, 4) if not 0 < abs(value) < 0.1 else float(f"{value:.4g}")


def _rounded_by_corpus(corpora: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {corpus: {name: _rounded(value) for name, value in own.items()} for corpus, own in corpora.items()}
