"""Search for settings of training, and show what was found."""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from seq2seq.commands.searching.trials import PrunedError, Watched, train_trial
from seq2seq.config.choices import OF_ONE_RUN
from seq2seq.config.composition import composed
from seq2seq.config.contract import check_counts, check_type
from seq2seq.config.job import given_overrides
from seq2seq.config.overrides import written
from seq2seq.config.space import Choices, Range, read_space
from seq2seq.control_groups import threads_each
from seq2seq.errors import UserError
from seq2seq.installed import is_installed
from seq2seq.interpretation.plots import write_picture
from seq2seq.interpretation.search_plots import history_figure, importance_figure
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.leaderboard import leaderboard
from seq2seq.runs.possible import checked
from seq2seq.runs.run import train_tokenizers
from seq2seq.runs.settling import settle
from seq2seq.whole_file import write_whole

if TYPE_CHECKING:
    import seq2seq.commands.searching.study  # optuna may be missing

logger = logging.getLogger(__name__)
_OWN = ("name", "folder", "storage", "trials", "seeds", "workers", "prune", "space", "space_file")
_SET_FOR_TRIALS = ("seed", "logger", "trust", "task", *OF_ONE_RUN)


def search(config: DictConfig) -> Iterator[str]:
    """Lines of a table of all trials, best first, as it is written beside them with two pictures.

    A study of the name that is there goes on. Raises UserError at a mistake before anything is trained.
    """
    if not is_installed("optuna"):
        raise UserError("search needs the library optuna: pip install -e '.[search]'.")
    from seq2seq.commands.searching.study import Study, told_of_storage  # which imports it

    options: dict[str, Any] = {key: config[key] for key in _OWN}
    check_counts(options, trials=1, seeds=1, workers=1)
    check_type("prune", options["prune"], bool)
    space = read_space(OmegaConf.to_container(config.space), options["space_file"])
    _refuse_own(space)
    shared = [text for text in given_overrides() if text.lstrip("+").partition("=")[0] not in _OWN]
    metric, higher = _monitored(shared, space)
    folder = Path(str(options["folder"]))
    folder.mkdir(parents=True, exist_ok=True)
    storage = options["storage"] or f"sqlite:///{folder.absolute()}/study.db"
    with told_of_storage(), closing(Study(str(options["name"]), storage, space, higher)) as study:
        _Searching(study, shared, folder, metric, options).run()
        yield from _finish(study, folder, metric, options["seeds"])


def _refuse_own(space: Mapping[str, Any]) -> None:
    """Raise UserError at an option of a space that trials cannot differ in."""
    for key in space:
        if key.replace("/", ".").partition(".")[0] in (*_OWN, *_SET_FOR_TRIALS):
            advice = "give seeds=3 for several of each trial" if key == "seed" else "leave it out of the space"
            raise UserError(
                f"space: {key} must be an option that trials can differ in, but the search sets it: {advice}."
            )


class _Searching:
    """Trials of a study that are trained one after the other, several at a time."""

    def __init__(
        self,
        study: "seq2seq.commands.searching.study.Study",
        shared: list[str],
        folder: Path,
        metric: str,
        options: Mapping[str, Any],
    ) -> None:
        self.study, self.shared, self.folder, self.metric, self.options = study, shared, folder, metric, options
        self.threads = threads_each(options["workers"])

    def run(self) -> None:
        """Train what is left to train. Raises UserError where nothing but failures comes of it."""
        self.study.take_back_lost()
        logger.info("%s: %d of %d trials are done", self.study.name, self.study.done(), self.options["trials"])
        with ThreadPoolExecutor(self.options["workers"]) as pool:
            for worker in [pool.submit(self._work) for _ in range(self.options["workers"])]:
                worker.result()

    def _work(self) -> None:
        while (trial := self.study.ask(self.options["trials"])) is not None:
            try:
                runs = [self._train(trial, seed) for seed in range(1, self.options["seeds"] + 1)]
            except PrunedError:
                self.study.tell_pruned(trial)
                logger.info("trial %d stopped early: %s", trial.number, trial)
            except UserError as error:
                logger.warning("trial %d (%s) failed: %s", trial.number, trial, error)
                self.study.tell_failed(trial, str(error))
            else:
                self.study.tell(trial, [run.score for run in runs], sum(run.seconds for run in runs))
                logger.info("trial %d: %s %.2f: %s", trial.number, self.metric, mean(run.score for run in runs), trial)

    def _train(self, trial: "seq2seq.commands.searching.study.TrialSettings", seed: int) -> Any:
        own = [f"{key}={written(key, value)}" for key, value in trial.settings.items()]
        folder = self.folder / f"trial_{trial.number}" / f"seed_{seed}"
        prune = self.options["prune"] and seed == 1 and trial.settings
        watched = Watched(self.metric, lambda step, score: bool(prune) and self.study.should_stop(trial, step, score))
        return train_trial([*self.shared, *own, f"seed={seed}"], folder, watched, threads=self.threads)


def _monitored(shared: list[str], space: Mapping[str, Choices | Range]) -> tuple[str, bool]:
    """The dev score to search by, and whether higher is better, after every option of the space has been tried out.

    Raises UserError, or Hydra's error, at an option or a value that training does not take, and at data.
    """
    for key, own in space.items():
        for value in own.values if isinstance(own, Choices) else (own.low, own.high):
            checked(composed("train", [*shared, f"{key}={written(key, value)}"]))
    config = composed("train", shared)
    config, _ = settle(config, load_splits(config), train_tokenizers, says=False)
    metric, mode = str(config["monitor"]["metric"]).removeprefix("dev/"), config["monitor"]["mode"]
    if metric == "loss":
        raise UserError("monitor.metric must be a score to search by, but is dev/loss: choose metrics=... with one.")
    return metric, mode == "max"


def _finish(study: "seq2seq.commands.searching.study.Study", folder: Path, metric: str, seeds: int) -> Iterator[str]:
    rows = study.rows()
    lines = list(leaderboard(rows, metric, higher=study.higher, seeds=seeds))
    write_whole(folder / "leaderboard.md", ("\n".join(lines) + "\n").encode())
    ended = [(row.number, mean(row.scores)) for row in rows if row.scores]
    write_picture(history_figure(ended, metric, higher=study.higher), folder / "history.png")
    if importances := study.importances():
        write_picture(importance_figure(importances, metric), folder / "importance.png")
    yield from lines
