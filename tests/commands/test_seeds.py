"""Seeds of all commands: those that every generator takes, refused before anything is read or trained."""

import pytest

from seq2seq.commands.adapt import adapt
from seq2seq.commands.benchmark import benchmark_config
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.gradients import gradients
from seq2seq.commands.horizon import find_horizon
from seq2seq.commands.intervene import intervene
from seq2seq.commands.probe import probe
from seq2seq.commands.selfcheck import selfcheck
from seq2seq.errors import UserError

RUN = ["run=nowhere"]
LARGEST = 4294967295
COMMANDS = {
    "adapt": (adapt, "adapt", [*RUN, "in=-"]),
    "benchmark": (benchmark_config, "benchmark", []),
    "benchmark of cells": (benchmark_config, "benchmark", ["mode=cells"]),
    "benchmark of vocabularies": (benchmark_config, "benchmark", ["mode=vocabulary"]),
    "evaluate": (evaluate_run, "evaluate", RUN),
    "gradients of cells": (gradients, "gradients", ["cells=[lstm]"]),
    "gradients of runs": (gradients, "gradients", [*RUN, "initial=true"]),
    "horizon": (find_horizon, "horizon", ["seeds=1"]),
    "intervene": (intervene, "intervene", RUN),
    "probe": (probe, "probe", RUN),
    "selfcheck": (selfcheck, "selfcheck", RUN),
}


@pytest.mark.parametrize("seed", [-1, LARGEST + 1, 99999999999999999999])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_seed_that_no_generator_takes_is_refused(config_of, name, seed):
    command, script, given = COMMANDS[name]
    with pytest.raises(UserError) as error:
        command(config_of(script, *given, f"seed={seed}"))
    assert str(error.value) == f"seed must be a whole number from 0 to {LARGEST}, but is {seed}."


def test_the_last_of_several_seeds_is_one_as_well(config_of):
    with pytest.raises(UserError) as error:
        find_horizon(config_of("horizon", "seeds=3", f"seed={LARGEST - 1}"))
    assert str(error.value) == f"seed must be a whole number from 0 to {LARGEST - 2}, but is {LARGEST - 1}."
