"""Training from Python."""

import logging
from typing import Any

from seq2seq.commands.job import refuse_deaf_finder, repeated_config
from seq2seq.config.closed_table import trusting
from seq2seq.config.keywords import called, given_keys
from seq2seq.config.mistakes import in_one_line
from seq2seq.errors import UserError
from seq2seq.library.pair_splits import OMITTED, PairSplits
from seq2seq.library.pairs import Pairs
from seq2seq.library.run import Run
from seq2seq.library.undisturbed import told, undisturbed
from seq2seq.library.usual_modes import usual_modes
from seq2seq.locks import Lock
from seq2seq.runs.meeting import met_if_several
from seq2seq.runs.run_folder import open_run_folder, released_at_failure

logger = logging.getLogger(__name__)
_OF_SPLITS = ("data.train", "data.dev", "data.test")
_one_at_a_time = Lock()  # seeds and threads belong to the process: a second call waits


def train(
    pairs: Pairs | None = OMITTED, /, *, dev: Pairs | None = None, test: Pairs | None = None, verbose: bool = True,
    **keywords: Any,
) -> Run:  # fmt: skip
    """Train a model and return its run, which is in a folder below `runs/` as from the command line.

    Pairs are the path of a file, (source, target) texts, where a target may be a list of those that are right, a dict
    of them, or a table (pandas, polars, `datasets`) with columns source and target. Without dev, a tenth is held out.
    Other keywords are options of `seq2seq train`, by their paths: `seed=2`, `tokenizer="char"`, `model__dropout=0.2`,
    `model={"dropout": 0.2}`; without pairs, `data="cmudict"` and `run_dir="runs/x", resume=True`.
    The process's seeds, threads and warnings are as before at the end. Ctrl-C ends training with what is there.
    Raises UserError at a mistake, before anything is written, and DivergedError.
    """
    with in_one_line(), _one_at_a_time, usual_modes(), undisturbed(), told(verbose):
        return _train(_splits(pairs, dev, test, keywords), verbose, keywords)


def _splits(pairs: Pairs | None, dev: Pairs | None, test: Pairs | None, keywords: dict[str, Any]) -> PairSplits:
    if pairs is None:
        raise UserError("pairs must be given, or left out for data=..., but are None.")
    if pairs is not OMITTED:
        if keywords.get("resume"):
            raise UserError("pairs must be left out with resume=True: the run has its own.")
        if isinstance(keywords.get("data"), str):
            raise UserError(f"data={keywords['data']!r} has no effect where there are pairs: leave one of them out.")
        splits = PairSplits.of(pairs, dev, test)
        for key in given_keys("train", keywords):
            if key in _OF_SPLITS and (key in splits.keywords or splits.kept):
                name = "pairs" if key == "data.train" else key.removeprefix("data.")
                raise UserError(f"{key} has no effect beside pairs that are given: give all of them, as {name}.")
        return splits
    for name, split in (("dev", dev), ("test", test)):
        if split is not None:
            raise UserError(f"{name} must come with pairs to train on: give both, or data__{name}.")
    return PairSplits({})


def _train(splits: PairSplits, verbose: bool, keywords: dict[str, Any]) -> Run:
    kept = keywords.get("resume") or keywords.get("from")  # whose config is that of a run, beside which none is given
    none = "callbacks" in keywords and keywords["callbacks"] in (None, "none")
    quiet = {} if verbose or kept or none else {"callbacks.progress": None}
    with (
        called("train", {**splits.keywords, **quiet, **keywords}) as config,
        trusting(config.trust),
        met_if_several(),
    ):
        if config.find_lr:
            raise UserError("find_lr is for the command line: leave it out.")
        refuse_deaf_finder()
        resolved, folder = open_run_folder(config, repeated_config(config))
        if config["from"] and not (verbose or config.resume):
            resolved["callbacks"] = {**resolved["callbacks"], "progress": None}
        with released_at_failure(folder, taken=not config.resume), splits.in_folder(folder, resolved):
            from seq2seq.commands.train import train as train_run  # Lightning takes seconds to import

            try:
                train_run(resolved, folder, resume=config.resume)
            except KeyboardInterrupt:
                if not any((folder / "checkpoints").glob("*.ckpt")):
                    raise
                logger.warning("the run is what it was at its last validation")
            if config["from"]:
                from seq2seq.commands.training.repetition import verdict

                logger.info("%s", verdict(config["from"], folder))
            return Run(str(folder), trust=list(config.trust))
