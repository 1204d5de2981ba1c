"""Tiny runs on frames, and laws that hold for every kind: a run goes on, and company changes no answer."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from kept_runs import last, same

from seq2seq.commands.train import train
from seq2seq.data.series import Series
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.search import Search
from seq2seq.runs.run import LoadedRun
from seq2seq.translation.translator import Translator

SMALL = [
    "model.embedding_size=8",
    "model.encoder.hidden_size=8",
    "model.decoder.hidden_size=16",
    "model.decoder.feature_size=16",
    "trainer.accelerator=cpu",
    "trainer.val_check_interval=10",
    "precision=32-true",
    "threads=1",
    "logger=none",
    "schedule.warmup_steps=2",
]
RUN = [
    *("data=npz", "model=luong", "model/input=frames", "tokenizer=word", *SMALL),
    *("optimizer.lr=0.03", "batches.max_tokens=300", "batches.max_length=20"),
]
FIXED = ["schedule=constant", "model.dropout=0.1", "averaging.decay=0.9"]  # whatever the budget


def trainer_on(folder: Path, plain_config_of: Callable[..., dict[str, Any]], *given: str) -> Callable[..., Any]:
    """A function that trains on a file of a folder, in a place, under what is given and further overrides."""

    def run(place: Path, *overrides: str, data: str = "train", resume: bool = False) -> Any:
        config = plain_config_of("train", *given, f"data.train={folder / data}.npz", *overrides)
        return train(config, place, resume=resume)

    return run


def goes_on(
    train_on: Callable[..., Any], folder: Path, *overrides: str, steps: int = 8, stop: int = 5, data: str = "train"
) -> bool:
    """Tell whether a run that stopped and went on is one that did not, to the bit, in weights and averages."""
    whole, parted = folder / "whole", folder / "parted"
    for place, count in ((whole, steps), (parted, stop)):
        place.mkdir()
        train_on(place, *FIXED, *overrides, f"budget.max_steps={count}", data=data)
    train_on(parted, *FIXED, *overrides, f"budget.max_steps={steps}", data=data, resume=True)
    return same(last(whole), last(parted))


def check_company(
    run: LoadedRun, sources: Sequence[Series], alone: int | None = None, search: Search[Any] | None = None
) -> None:
    """Check that series are answered alike in either order, and the first `alone`, or all, as if they were alone."""
    translator = Translator(run.model, run.tokenizers, search or BeamSearch(beam_size=2), max_tokens=60)
    together, backwards = translator.hypotheses(sources), translator.hypotheses(sources[::-1])[::-1]
    single = [translator.hypotheses([source])[0] for source in sources[:alone]]
    for others in (backwards, single):
        for first, second in zip(together, others, strict=False):
            assert first.ids == second.ids
            assert first.score == pytest.approx(second.score, abs=1e-5)
