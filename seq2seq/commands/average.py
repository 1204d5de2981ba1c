"""Average the weights of runs that began alike into a run of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig
from rich.table import Table
from rich.text import Text

from seq2seq.commands.evaluating.weight_scores import WeightScores
from seq2seq.config.contract import read_options
from seq2seq.errors import UserError
from seq2seq.metrics.units import with_unit
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.comparison import find_runs
from seq2seq.runs.derived_run import PASSED_ON, write_run
from seq2seq.runs.run import load_run, pick_device
from seq2seq.runs.run_folder import new_folder
from seq2seq.runs.soup import Weights, greedy_soup, mean_weights, refuse_unlike, tell_of_lost_zeros
from seq2seq.runs.watching_console import watching_console

_SOUPS = ("uniform", "greedy")


def average(config: DictConfig) -> dict[str, Any]:
    """Write the mean of runs into a folder as a run, and return the scores of each of them and of the mean.

    Raises UserError, before anything is written, where runs are not of one model with the same tokenizers.
    """
    options = read_options(config)
    folder = new_folder("out", str(options["out"]))
    if options["soup"] not in _SOUPS:
        raise UserError(f"soup must be one of {', '.join(_SOUPS)}, but is {options['soup']!r}.")
    paths = find_runs(options["run"])
    checkpoints = [read_checkpoint(find_checkpoint(path)) for path in paths]
    refuse_unlike(paths, checkpoints)
    members: list[Weights] = [checkpoint["weights"] for checkpoint in checkpoints]
    scored = WeightScores(load_run(paths[0], pick_device(str(options["device"]))), options, "average")
    scores = [scored(weights) for weights in members]
    chosen = _chosen(scored, members, scores) if options["soup"] == "greedy" else list(range(len(paths)))
    mean = mean_weights([members[number] for number in chosen])
    tell_of_lost_zeros({paths[number]: checkpoints[number] for number in chosen}, mean)
    rows = [
        {"run": path, "scores": own, "taken": number in chosen}
        for number, (path, own) in enumerate(zip(paths, scores, strict=True))
    ]
    record = {"split": scored.name, "sentences": len(scored.examples), "scores": scored(mean), "members": rows}
    step = max(checkpoints[number]["global_step"] for number in chosen)
    kept = {key: checkpoints[0][key] for key in PASSED_ON if key in checkpoints[0]}
    checkpoint = {**kept, "weights": mean, "global_step": step}
    write_run(folder, checkpoint, {**record, "step": step}, scored.run.tokenizers)
    _print(record)
    return {"out": str(folder), **record}


def _chosen(scored: WeightScores, members: Sequence[Weights], scores: Sequence[Mapping[str, float]]) -> list[int]:
    """The numbers of the members that a greedy soup takes, by the score that the first of the runs was watched by."""
    name, higher = _monitored(scored.run.config["monitor"], list(scores[0]))
    return greedy_soup(members, [own[name] for own in scores], lambda one: scored(one)[name], higher=higher)


def _monitored(monitor: Mapping[str, Any], known: Sequence[str]) -> tuple[str, bool]:
    """The score that runs chose their best by, and whether higher is better. Raises UserError if it is unknown."""
    name = str(monitor["metric"]).removeprefix("dev/")
    if name not in known:
        raise UserError(
            f"soup=greedy chooses by the score that runs were monitored by, but {name} is none of "
            f"{', '.join(known)}: take soup=uniform."
        )
    return name, monitor["mode"] == "max"


def _print(record: Mapping[str, Any]) -> None:
    """Print the scores of all, as a table on stderr."""
    names: Sequence[str] = list(record["scores"])
    examples = with_unit(f"{record['sentences']:,} examples", *names)
    table = Table(title=Text(f"scores on {record['split']} ({examples})"))
    for name in ("", "taken", *names):
        table.add_column(name, justify="right" if name in names else "left", overflow="fold")
    for row in record["members"]:
        values = (f"{row['scores'][name]:.2f}" for name in names)
        table.add_row(Text(row["run"]), "yes" if row["taken"] else "no", *values)
    table.add_section()
    table.add_row("mean of the taken", "", *(f"{record['scores'][name]:.2f}" for name in names))
    watching_console().print(table)
