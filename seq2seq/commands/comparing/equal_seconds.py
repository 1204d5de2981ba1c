"""Steps of choices that take as long as one another."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seq2seq.commands.benchmarking.few_steps import conditions
from seq2seq.commands.building.batches import build_batches
from seq2seq.commands.building.module import build_module
from seq2seq.commands.building.trainer import choose_threads
from seq2seq.commands.comparing.contender import Contender
from seq2seq.data.examples import Splits
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.runs.matmul_precision import set_matmul_precision
from seq2seq.runs.record import read_record
from seq2seq.training.speed import compare
from seq2seq.whole_file import write_whole

logger = logging.getLogger(__name__)
_WARMUP = 2  # steps that allocate
_AS_CONFIGURED = "the config"


def refuse_without_steps(budget: Mapping[str, Any]) -> None:
    """Raise UserError where a budget is not of steps alone, which the steps of others could be reckoned from."""
    for name in ("max_minutes", "until"):
        if budget[name] is not None:
            raise UserError(
                f"budget.{name} must be null with equal_seconds=true, which reckons each choice's steps from "
                f"budget.max_steps, but is {budget[name]}: leave it out."
            )


def with_equal_seconds(
    contenders: Sequence[Contender],
    plains: Mapping[str, dict[str, Any]],
    configured: dict[str, Any],
    data: tuple[Splits, Tokenizers],
    *,
    rounds: int,
    file: Path,
) -> list[Contender]:
    """The contenders, each with as many steps as take as long as the config's own `budget.max_steps`.

    Steps of all are timed in turn on the same batches, and each step's share of the config's own beside it counts: what
    else the machine does slows both. The median shares are kept in the file, and read from it where it is there.
    """
    shares = _kept(file, [one.name for one in contenders])
    if shares is None:
        shares = _measured(contenders, plains, configured, data, rounds)
        write_whole(file, (strict_json(shares, indent=2) + "\n").encode())
    steps = configured["budget"]["max_steps"]
    return [replace(one, steps=max(1, round(steps * shares[one.name]))) for one in contenders]


def _kept(file: Path, names: Sequence[str]) -> dict[str, float] | None:
    """Shares that an earlier command has left; None where it left none. Raises UserError at those of other choices."""
    if not file.is_file():
        return None
    shares = read_record(file)
    if sorted(shares) != sorted(names) or not all(type(one) is float and one > 0 for one in shares.values()):
        raise UserError(f"{file} holds the speeds of other choices: choose another folder=, or remove it.")
    return shares


def _measured(
    contenders: Sequence[Contender],
    plains: Mapping[str, dict[str, Any]],
    configured: dict[str, Any],
    data: tuple[Splits, Tokenizers],
    rounds: int,
) -> dict[str, float]:
    """The rate of each contender's steps, as a share of the config's own."""
    set_matmul_precision(configured["matmul_precision"])
    batches = build_batches(configured, *data)
    sized = {_AS_CONFIGURED: configured, **{one.name: one.sized(plains[one.name]) for one in contenders}}
    modules = {name: build_module(plain, batches) for name, plain in sized.items()}
    where = conditions(configured)
    choose_threads(configured, modules[_AS_CONFIGURED].model, where.device, where.precision)
    logger.info("timing %d steps of each of %d choices in turn", rounds, len(contenders))
    rows = compare(modules, batches, where, rounds=rounds, warmup=_WARMUP)
    return {row["name"]: float(row["share_of_first"]) for row in rows[1:]}
