"""Scores of language models on text."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from seq2seq.commands.training.outcome import Outcome
from seq2seq.config.builder import build
from seq2seq.config.contract import check_counts
from seq2seq.data.examples import Example, Splits
from seq2seq.data.text import formed
from seq2seq.data.text_files import told_as
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.models.language_model import LanguageModel
from seq2seq.runs.evaluation import load_examples
from seq2seq.runs.perplexity import TextPerplexity, perplexity
from seq2seq.runs.run import LoadedRun, text_form
from seq2seq.runs.unknown_examples import warn_of_unknown_text
from seq2seq.whole_file import write_whole

_LINES = {"_target_": "seq2seq.data.corpora.text.TextCorpus"}
_HEARD = ("run", "trust", "device", "matmul_precision", "threads", "file", "split", "data", "compare", "hydra")


def finish_text(run: LoadedRun, splits: Splits, folder: Path, hindsight: dict[str, Any]) -> Outcome:
    """The outcome of training a language model: its perplexity on test where there is one, else on dev.

    The record, which has the hindsight, is written to metrics.json.
    """
    name, examples = ("test", splits.test) if splits.test else ("dev", splits.dev)
    record = {"split": name, **_of(run, name, examples).report(), "step": run.step} | hindsight
    if splits.test:
        record["dev"] = _of(run, "dev", splits.dev).report()
    write_whole(folder / "metrics.json", (strict_json(record, indent=2) + "\n").encode())
    return Outcome(record, monitored="loss", higher=False)


def refuse_deaf(overrides: Sequence[str]) -> None:
    """Raise UserError at an override of what the perplexity of a language model does not hang on."""
    for text in overrides:
        if (key := re.split(r"[./=]", text.lstrip("+~"))[0]) not in _HEARD:
            raise UserError(
                f"{text} has no effect on the perplexity of a language model: leave it out; {key} is for models with a "
                "source."
            )


def score_text(run: LoadedRun, options: dict[str, Any]) -> dict[str, Any]:
    """The perplexity of a language model on a file of text, or on a split of its own data."""
    if options["threads"] != "auto":
        check_counts(options, threads=1)
        torch.set_num_threads(options["threads"])
    if (file := options["file"]) is None:
        name, examples = load_examples(run, None, options["split"])
    elif options["split"] is not None:
        raise UserError(f"split must be null where there is a file, but is {options['split']!r} beside file={file}.")
    else:
        name, examples = file, _read(run, file)
    return {"data": name, **_of(run, name, examples).report(), "step": run.step}


def _read(run: LoadedRun, file: str) -> Sequence[Example]:
    """The documents of a file, as they are in the run's own data, or else its lines."""
    corpus = build({**_LINES, "documents": run.config["data"].get("documents", "lines"), "train": file}, "data")
    with told_as("file"):
        return formed(text_form(run.config), corpus.read(file))


def _of(run: LoadedRun, name: str, examples: Sequence[Example]) -> TextPerplexity:
    assert isinstance(run.model, LanguageModel)
    warn_of_unknown_text(name, examples, run.tokenizers.target)
    return perplexity(run.model, run.tokenizers, examples)
