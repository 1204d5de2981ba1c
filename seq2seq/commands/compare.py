"""Train choices of a config one after the other, alike in what is asked for, and make a table of them."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from omegaconf import DictConfig

from seq2seq.commands.comparing.competition import Competition, Entries, Equality
from seq2seq.commands.comparing.trained_runs import scored, train_seeds
from seq2seq.config.choices import read_choices, read_values, refuse_of_one_run
from seq2seq.config.contract import check_counts, check_type, plain
from seq2seq.config.invocation import supposed
from seq2seq.config.job import chosen_option, given_overrides
from seq2seq.config.overrides import written
from seq2seq.config.places import CONF
from seq2seq.config.structure import in_single_values
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.interpretation.choices_plot import ChoicePoint, choices_figure
from seq2seq.interpretation.plots import write_picture
from seq2seq.metrics.units import with_unit
from seq2seq.runs.choice_table import ScoredChoice, table_head, table_row
from seq2seq.runs.leaderboard import Row, leaderboard
from seq2seq.whole_file import write_whole

logger = logging.getLogger(__name__)

_OWN = ("folder", "groups", "options", "choices", "seeds", "equal_parameters", "equal_seconds", "rounds", "along")
_GROUPS = ("model/cell", "model/attention")
_FITTED = ("model.encoder.hidden_size", "model.decoder.hidden_size")


def compare_choices(config: DictConfig) -> Iterator[str]:
    """Lines of a Markdown table, a row as each choice is done, and of the leaderboard of all.

    Runs that are done are read, not trained again. Leaderboard, record and picture are written beside them, too.
    """
    check_counts({name: config[name] for name in ("seeds", "rounds")}, seeds=1, rounds=1)
    for name in ("equal_parameters", "equal_seconds"):
        check_type(name, config[name], bool)
    choices, along = _choices(config), _along(config)
    varied = [text for own in choices.values() for text in own] + ([] if along is None else [f"{along[0]}={along[1]}"])
    refuse_of_one_run([*_shared_overrides(), *varied], config["seeds"])
    competitions = _competitions(config, choices, along)
    for competition in competitions:
        competition.refuse_mistakes()
    found: list[ScoredChoice] = []
    for number, competition in enumerate(competitions):
        if along is not None:
            yield from [*([""] if number else []), f"{along[0]}={competition.along}", ""]
        yield from _held(competition, entries := competition.enter(), config["seeds"], found)
    rows = [_place(number, choices[one.name], one, along and along[0]) for number, one in enumerate(found)]
    folder, metric = Path(str(config["folder"])), entries.metric.removeprefix("dev/")
    lines = list(leaderboard(rows, metric, higher=entries.higher, seeds=config["seeds"]))
    write_whole(folder / "leaderboard.md", ("\n".join(lines) + "\n").encode())
    _write_record(found, metric, len(choices), folder, along and along[0])
    yield from ["", *lines]


def _held(competition: Competition, entries: Entries, seeds: int, found: list[ScoredChoice]) -> Iterator[str]:
    """Lines of a competition's table, a row as each choice is done, which is added to what has been found."""
    yield from table_head(entries.metric, seeds)
    best = max if entries.higher else min
    for place, contender in enumerate(entries.contenders):
        count, left = len(entries.contenders), entries.left(place, seeds)
        logger.info("%d of %d: %s, %s", place + 1, count, contender.name, left)
        runs = train_seeds(contender, competition.folder, seeds)
        found.append(scored(contender, runs, entries.metric, best, competition.along))
        yield table_row(found[-1], found[-1 - place])


def _write_record(found: Sequence[ScoredChoice], metric: str, choices: int, folder: Path, along: str | None) -> None:
    """Write what came of the choices as JSON, and draw it."""
    rows = [one.report(found[number - number % choices]) for number, one in enumerate(found)]
    record = {"metric": metric, "along": along, "choices": rows}
    write_whole(folder / "choices.json", (strict_json(record, indent=2) + "\n").encode())
    points = [
        ChoicePoint(
            *(one.name, one.score.mean, one.score.half_width, one.parameters, mean(one.seconds) / 60, one.along)
        )
        for one in found
    ]
    figure = choices_figure(
        points, with_unit(f"dev {metric}", metric), along=along, title=f"{choices} choices, 95 % over seeds"
    )
    write_picture(figure, folder / "choices.png", dpi=100)


def _competitions(
    config: DictConfig, choices: Mapping[str, list[str]], along: tuple[str, list[Any]] | None
) -> list[Competition]:
    """Competitions, one for each value of what is varied, in a folder of its own; one where nothing is."""
    shared, folder = _shared_overrides(), Path(str(config["folder"]))
    equality = Equality(config["equal_parameters"], config["equal_seconds"], config["rounds"])
    if along is None:
        return [Competition(shared, choices, folder, equality)]
    key, values = along
    own = {f"{key}={written(key, value)}": value for value in values}
    return [
        Competition([*shared, text], choices, folder / re.sub(r"[^\w.-]+", ".", text), equality, value)
        for text, value in own.items()
    ]


def _along(config: DictConfig) -> tuple[str, list[Any]] | None:
    """The option that is varied beside the choices, and its values. Raises UserError at one that is fitted."""
    if config["along"] is None:
        return None
    key, values = read_values(config["along"])
    _refuse_fitted(config, "along", [key])
    return key, values


def _refuse_fitted(config: DictConfig, option: str, overrides: Iterable[str]) -> None:
    """Raise UserError at a size that is fitted, so that whatever is given for it would have no effect."""
    with supposed("train", ()):
        keys = [text.partition("=")[0].lstrip("+") for text in in_single_values([*overrides])]
    for key in [key for key in keys if key in _FITTED and config["equal_parameters"]]:
        raise UserError(f"{option} must not hold {key}, which equal_parameters=true fits: add equal_parameters=false.")


def _choices(config: DictConfig) -> dict[str, list[str]]:
    """Overrides of the choices, by name. Raises UserError where there are none, or two kinds of them."""
    for name in ("groups", "options", "choices"):
        check_type(name, plain(config).get(name), list[str] | None)
    if config["choices"] is None:
        return {name: [name] for name in _names(config["groups"] or _GROUPS, config["options"])}
    if config["groups"] is not None or config["options"] is not None:
        raise UserError("choices must be given without groups and options: leave the one or the others out.")
    choices = read_choices(config["choices"])
    _refuse_fitted(config, "choices", [text for own in choices.values() for text in own])
    return choices


def _names(groups: Sequence[str], only: Sequence[str] | None) -> list[str]:
    """Overrides, one for each option of the groups. Raises UserError where there is none."""
    names = []
    for group in groups:
        if not (options := sorted(path.stem for path in (CONF / group).glob("*.yaml"))):
            raise UserError(f"groups must name groups of conf/, but there is no {group!r}: for example model/cell.")
        names += [f"{group}={option}" for option in options if only is None or option in only]
    unknown = ", ".join(sorted(set(only or ()) - {name.partition("=")[2] for name in names}))
    if unknown or not names:
        raise UserError(
            f"options must be options of {', '.join(groups) or 'some group'}, but {unknown or 'nothing'} is not: "
            "leave them out for all."
        )
    return names


def _shared_overrides() -> list[str]:
    """Overrides of all contenders: the experiment, and the user's on top of it."""
    given = [text for text in given_overrides() if text.partition("=")[0] not in (*_OWN, "experiment")]
    return [f"experiment={chosen_option('experiment')}", *given]


def _place(number: int, overrides: Sequence[str], one: ScoredChoice, along: str | None) -> Row:
    """The row of a choice in the leaderboard."""
    settings = dict(text.split("=", 1) for text in overrides) | ({} if along is None else {along: one.along})
    return Row(number, settings, one.scores, "complete", sum(one.seconds))
