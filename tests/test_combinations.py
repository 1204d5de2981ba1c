"""Options drawn at random, together: they make a run that keeps the laws, or are refused in one line at the start.

SEQ2SEQ_COMBINATIONS says how many of them train, and SEQ2SEQ_COMBINATIONS_SEED which. A failure shows the overrides.
"""

import json
import math
import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import numpy
import pytest
import torch
from drawn_options import drawn, write_data
from kept_runs import last, same

from seq2seq.commands.train import train
from seq2seq.config.invocation import invoked
from seq2seq.config.mistakes import in_one_line
from seq2seq.data.examples import Example
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.errors import UserError
from seq2seq.models.language_model import LanguageModel
from seq2seq.runs.evaluation import load_examples
from seq2seq.runs.perplexity import perplexity
from seq2seq.runs.run import LoadedRun, load_run
from seq2seq.training.module import Seq2SeqModule
from seq2seq.translation.forecaster import Forecaster
from seq2seq.translation.line import Line
from seq2seq.translation.translator import Translator

COUNT = int(os.environ.get("SEQ2SEQ_COMBINATIONS", "4"))
SEED = int(os.environ.get("SEQ2SEQ_COMBINATIONS_SEED", "1"))
MOST_REFUSED = 24  # in a row: two of three are; were it nine of ten, one test of twenty would most likely see it
# Of sums that are taken in another order; those of 16 bits choose other answers, and have to be finite alone.
CLOSE = {torch.float64: 1e-6, torch.float32: 2e-3, torch.bfloat16: math.inf}


class Steps:
    """The steps that were begun, before one of which Ctrl-C can be pressed."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.stop: int | None = None

    def note(self, step: int) -> None:
        if step == self.stop:
            self.stop = None
            raise KeyboardInterrupt
        self.begun.append(step)


@pytest.fixture
def steps(monkeypatch) -> Steps:
    found, training_step = Steps(), Seq2SeqModule.training_step

    def noted(self: Seq2SeqModule, *given: Any) -> Any:
        found.note(self.global_step)
        return training_step(self, *given)

    monkeypatch.setattr(Seq2SeqModule, "training_step", noted)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("drawn")
    write_data(found)
    return found


@pytest.fixture
def trained(plain_config_of) -> Callable[..., None]:
    """Run what scripts/train.py runs: trained(overrides, folder, resume=True)."""

    def run(overrides: Sequence[str], place: Path, *, resume: bool = False) -> None:
        place.mkdir(exist_ok=True)
        with invoked("train", overrides), in_one_line():
            train(plain_config_of("train", *overrides), place, resume=resume)

    return run


def check_kept(place: Path) -> None:
    """All that a run keeps is finite."""
    for part in ("state_dict", "weights"):
        assert all(weight.isfinite().all() for weight in last(place)[part].values())
    json.loads((place / "metrics.json").read_text(), parse_constant=pytest.fail)


def closeness(run: LoadedRun) -> float:
    return CLOSE[next(run.model.parameters()).dtype]


def check_perplexity(run: LoadedRun, examples: Sequence[Example]) -> None:
    """Company changes no text's likelihood, and each is finite."""
    assert isinstance(run.model, LanguageModel)
    alone = [perplexity(run.model, run.tokenizers, [example]).nats for example in examples]
    together = perplexity(run.model, run.tokenizers, examples).nats
    assert all(math.isfinite(nats) for nats in (*alone, together))
    assert together == pytest.approx(sum(alone), abs=closeness(run))


def check_answers(run: LoadedRun, examples: Sequence[Example]) -> None:
    """Company changes no answer, and what a search has found is scored as it was found."""
    close, sources = closeness(run), [example.source for example in examples]
    translator = Translator(deepcopy(run.model), run.tokenizers, BeamSearch(beam_size=3))
    together = translator.search_lines([Line(source) for source in sources])
    for source, (best, *_) in zip(sources, together, strict=True):
        ((alone, *_),) = translator.search_lines([Line(source)])
        assert math.isfinite(best.score)
        assert best.score == pytest.approx(alone.score, abs=close)
        if best.finished and best.token_scores:
            (forced,) = translator.score([source], [best.ids])
            assert sum(forced.token_scores) == pytest.approx(sum(best.token_scores), abs=close)


def check_forecasts(run: LoadedRun, examples: Sequence[Example]) -> None:
    """Company changes no forecast, and each is finite."""
    close, sources = closeness(run), [example.source for example in examples]
    forecaster = Forecaster(deepcopy(run.model), run.tokenizers)
    for source, found in zip(sources, forecaster.forecasts(sources, None), strict=True):
        (alone,) = forecaster.forecasts([source], None)
        numpy.testing.assert_allclose(alone.values, found.values, rtol=close, atol=close)
        assert numpy.isfinite(found.values).all()


def check_run(place: Path) -> None:
    check_kept(place)
    run = load_run(place)
    examples = load_examples(run, None, "dev")[1][:4]
    if run.model.sourceless:
        check_perplexity(run, examples)
    else:
        (check_forecasts if run.model.output.frames else check_answers)(run, examples)


def refusal(trained: Callable[..., None], overrides: Sequence[str], place: Path) -> str:
    """What a run is refused with; nothing where it is not."""
    try:
        trained(overrides, place)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("number", range(COUNT))
def test_options_together_keep_the_laws_or_are_refused(trained, steps, folder, tmp_path, number):
    random, parted = Random(f"{SEED} {number}"), tmp_path / "parted"
    for attempt in range(MOST_REFUSED):
        overrides, whole = drawn(random, folder), tmp_path / f"whole_{attempt}"
        print(*(f"{text!r}" for text in overrides))
        if not (said := refusal(trained, overrides, whole)):
            break
        print(said)
        assert "\n" not in said
        assert not steps.begun, f"refused after {len(steps.begun)} steps: {said}"
        assert not (whole / "config.yaml").exists(), f"refused with a folder that says it is a run: {said}"
    else:
        pytest.fail(f"{MOST_REFUSED} draws in a row were refused: what is drawn hardly ever trains")
    check_run(whole)
    steps.stop = random.randint(1, 3)
    with pytest.raises(KeyboardInterrupt):
        trained(overrides, parted)
    trained(overrides, parted, resume=True)
    assert same(last(parted), last(whole))


def test_what_is_drawn_is_of_each_group_and_kind_once():
    """So that a group that is renamed, or emptied, is not left out unseen."""
    random = Random(1)
    seen = [drawn(random, Path("x")) for _ in range(2000)]
    assert all(len({text.partition("=")[0] for text in one}) == len(one) for one in seen)
    flat = {text for one in seen for text in one}
    assert {"model=tagger", "model/cell=sru", "objective=r_drop", "carry=streams", "freeze=[encoder]"} <= flat
