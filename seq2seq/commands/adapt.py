"""Learn from new pairs, under test, into versions of a run."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from seq2seq.commands.adapting.adaptation import FEWEST, Adaptation, Pace
from seq2seq.commands.adapting.kept_versions import KeptVersions
from seq2seq.commands.adapting.pair_stream import PairStream
from seq2seq.commands.building.module import build_step
from seq2seq.commands.evaluate import build_metrics, with_data
from seq2seq.config.builder import build
from seq2seq.config.contract import check_counts, check_seed, check_type, read_options
from seq2seq.data.encoding import encoded, token_counts
from seq2seq.data.examples import Splits
from seq2seq.data.new_pairs import NewExamples, OldExamples
from seq2seq.data.splitting import sample
from seq2seq.data.text_files import told_as
from seq2seq.errors import UserError
from seq2seq.folder_lock import hold, release
from seq2seq.metrics.significance import Draws
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.evaluation import given_examples, load_splits, warn_of_other_data
from seq2seq.runs.fitting import check_fit
from seq2seq.runs.of_frames import refuse_frames
from seq2seq.runs.run import LoadedRun, load_run, pick_device
from seq2seq.runs.sourceless import refuse_language_model
from seq2seq.runs.versions import Versions, home_of
from seq2seq.standard_streams import check_source
from seq2seq.training.acceptance import AcceptanceTest
from seq2seq.training.adaptation import Learner
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.r_drop import RDrop
from seq2seq.training.yardsticks import LossYardstick, TranslationYardstick, Yardstick
from seq2seq.translation.translator import Translator
from seq2seq.whole_file import check_writable

logger = logging.getLogger(__name__)
_NATS, _POINTS = 0.02, 0.5  # tolerances, of a loss per token and of scores
_COUNTED = 10_000  # examples that tokens are counted in, where a loss or an output asks how often they come
_WHEN_TRAINED = {  # of a run's config, what is of its training alone
    **{"schedule": {"_target_": "seq2seq.training.schedules.ConstantSchedule", "warmup_steps": 0}},
    **{"references": "each", "freeze_steps": None, "decay_all": False},
    **dict.fromkeys(("scheduled_sampling", "gradient_noise", "pruning", "truncation", "segmentation")),
}
_OWN = ("objective", "optimizer", "gradients", "averaging", "freeze", "rates", "seed")


def adapt(config: DictConfig) -> dict[str, Any]:
    """Learn from the pairs of a config's `in`, add what is accepted to the versions of its `run`, and tell what came.

    Raises UserError, before anything is written, at what cannot be learnt from or judged by.
    """
    options = read_options(config)
    _check(options)
    check_source("in", None if options["in"] == "-" else str(options["in"]))
    folder = _run_folder(options["run"])
    with _held(folder):
        run = load_run(folder, pick_device(str(options["device"])))
        refuse_language_model(run, folder, "adapt")
        refuse_frames(run.tokenizers, folder, "adapt", "train it on")
        if run.config.get("carry") is not None:
            raise UserError(f"adapt learns lines by themselves, but run={folder} was trained with carry: train it on.")
        adaptation, stream = _prepared(run, KeptVersions(folder, run), options)
        adaptation(stream)
        return _report(folder, adaptation, stream)


def _check(options: Mapping[str, Any]) -> None:
    least = {"most_held_out": FEWEST, "most_old": 1, "bootstrap": 0}
    check_counts(options, sentences=1, updates=1, every=1, recent=1, **least)
    check_seed(options)
    for name in ("rehearsal", "hold_out", "l2"):
        check_type(name, options[name], float)
    check_type("tolerance", options["tolerance"], float | None)
    check_type("freeze", options["freeze"], list[str])
    if not options["rehearsal"] >= 0:
        raise UserError(f"rehearsal must be at least 0, but is {options['rehearsal']}.")
    if options["rehearsal"] == 0 and options["replay"] is not None:
        raise UserError(f"replay={options['replay']} has no effect where rehearsal is 0: leave one of them out.")
    if options["score"] not in (None, "loss"):
        raise UserError(f"score must be null, what the run was monitored by, or loss, but is {options['score']!r}.")
    if options["threads"] != "auto":
        check_counts(options, threads=1)
        torch.set_num_threads(options["threads"])
    torch.set_flush_denormal(True)


def _run_folder(given: Any) -> Path:
    """The folder of a run. Raises UserError at anything else, a checkpoint or a version among it."""
    checkpoint, folder = find_checkpoint(str(given)), Path(str(given))
    if not (folder / "checkpoints").is_dir() or home_of(checkpoint.absolute()) != folder.absolute():
        raise UserError(f"run={given} must be a run folder, whose versions are written into it, but is not one.")
    try:
        check_writable(folder / "versions")
    except OSError as error:
        raise UserError(
            f"run={given} cannot be written ({error.strerror}), but versions go into it: adapt a copy of it."
        ) from None
    return folder


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a run folder, so that no other process adds versions or trains."""
    if hold(folder) is False:
        raise UserError(f"run={folder} is held by a process that trains or adapts it: wait for its end, or stop it.")
    try:
        yield
    finally:
        release(folder)


def _prepared(run: LoadedRun, kept: KeptVersions, options: dict[str, Any]) -> tuple[Adaptation, PairStream]:
    """The adaptation of a run, and the stream that it is to learn from. Raises UserError where it cannot be."""
    limits = {"max_length": run.config["batches"]["max_length"]}
    stream = PairStream(str(options["in"]), options["input"], run.tokenizers, **limits)
    splits = load_splits(with_data(run, options | {"file": None}).config)
    warn_of_other_data(run.splits, splits, "dev")
    learner = _learner(run, kept, splits, options)
    search = build(options["decoding"], "decoding")
    translator = Translator(run.model, run.tokenizers, search, device=next(run.model.parameters()).device)
    judged = [example.source for example in (*splits.dev, *splits.test)]
    adaptation = Adaptation(
        learner,
        translator,
        NewExamples(judged, **_of(options, "hold_out", "recent", "most_held_out", "seed")),
        _old_examples(run, splits, options),
        test=_test(run, splits, kept.start_of(translator), options),
        pace=Pace(**_of(options, "sentences", "updates", "every"), rehearsal=float(options["rehearsal"]), **limits),
        keep=kept.keep,
    )
    return adaptation, stream


def _of(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names}


def _learner(run: LoadedRun, kept: KeptVersions, splits: Splits, options: dict[str, Any]) -> Learner:
    """The learner of a run, where its version in use left off."""
    config = {**run.config, **_WHEN_TRAINED, **_of(options, *_OWN)}
    check_fit(config, run.model)
    step = build_step(config, run.model)
    if not isinstance(step.objective, CrossEntropy | RDrop):
        raise UserError(f"objective must be cross_entropy or r_drop, but is {type(step.objective).__name__}.")
    known = encoded(splits.train[:_COUNTED], run.tokenizers, config["batches"]["max_length"]).pairs.target
    for part in (step.objective, run.model.output):
        part.prepare(token_counts(known, run.tokenizers.target.size))
    learner = Learner(step, kept.start["weights"], float(options["l2"]))
    if kept.state:
        learner.restore(kept.state)
    return learner


def _old_examples(run: LoadedRun, splits: Splits, options: Mapping[str, Any]) -> OldExamples | None:
    """The examples that come along: of a file, or else those that the run was trained on."""
    if options["rehearsal"] == 0:
        return None
    if options["replay"] is None:
        return OldExamples(splits.train, seed=options["seed"])
    with told_as("replay"):
        return OldExamples(given_examples(run, str(options["replay"])), seed=options["seed"])


def _test(run: LoadedRun, splits: Splits, start: Translator, options: dict[str, Any]) -> AcceptanceTest:
    """The test that versions have to pass, with what the start makes of old dev."""
    yardstick = _yardstick(run, options)
    old = sample(splits.dev, options["most_old"], options["seed"])
    if isinstance(yardstick, TranslationYardstick):
        yardstick.metric.prepare([example.targets for example in old])
    tolerance = options["tolerance"]
    if tolerance is None:
        tolerance = _NATS if isinstance(yardstick, LossYardstick) else _POINTS
    test = AcceptanceTest(yardstick, old, tolerance=float(tolerance), draws=Draws(options["bootstrap"]))
    test.begin(start)
    return test


def _yardstick(run: LoadedRun, options: dict[str, Any]) -> Yardstick:
    """The measure by what a run was monitored by, or by the loss."""
    monitor = run.config["monitor"]
    name = options["score"] or str(monitor["metric"]).removeprefix("dev/")
    if name == "loss":
        return LossYardstick()
    metrics = build_metrics(run, options)
    for metric in metrics.values():
        if name in metric.scores(np.zeros((1, len(metric.totals)))):
            return TranslationYardstick(metric, name, higher=monitor["mode"] == "max")
    raise UserError(
        f"metrics must keep {name}, which the run was monitored by, or score be loss, but none of them has it."
    )


def _report(folder: Path, adaptation: Adaptation, stream: PairStream) -> dict[str, Any]:
    """The record of what came of it. Raises UserError where there was nothing to judge by."""
    gates, counts = adaptation.gates, {**stream.counts, **adaptation.new.counts}
    if not gates and not adaptation.lost:
        raise UserError(
            f"in must bring {FEWEST} sources or more to judge by, and others to learn from, but brought "
            f"{counts['held_out']} and {counts['learnt_from']}: give more pairs, or another hold_out."
        )
    accepted = sum(gate["accepted"] for gate in gates)
    version = Versions(folder).current or 0
    if not accepted:
        logger.warning("nothing was accepted: run=%s is what it was, version %d", folder, version)
    results = {"accepted": accepted, "refused": len(gates) - accepted, "lost": adaptation.lost}
    updates = adaptation.learner.updates
    return {"run": str(folder), "version": version, **results, "updates": updates, "pairs": counts, "gates": gates}
