"""Which process of which this is, by what torchrun, srun and the first process say."""

import os

import pytest

from seq2seq.ranks import OWN, Ranks, first_process, forget_no_numbers, ranks

# As torchrun of two machines with two processes each sets them, and srun.
TORCHRUN = {
    **{"TORCHELASTIC_RUN_ID": "7", "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"},
    **{"GROUP_RANK": "1", "GROUP_WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"},
}
SRUN = {
    **{
        "SLURM_JOB_ID": "12",
        "SLURM_STEP_ID": "0",
        "SLURM_NTASKS": "4",
        "SLURM_NNODES": "2",
        "SLURM_NTASKS_PER_NODE": "2",
    },
    **{"SLURM_PROCID": "2", "SLURM_LOCALID": "0", "SLURM_NODEID": "1", "SLURM_NODELIST": "n[1-2]"},
}


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, Ranks()),
        ({OWN: "3", "LOCAL_RANK": "2"}, Ranks(2, 3, 2, 3, "itself")),
        (TORCHRUN, Ranks(3, 4, 1, 2, "torchrun")),
        (SRUN, Ranks(2, 4, 0, 2, "srun")),
        (SRUN | {"SLURM_JOB_NAME": "bash"}, Ranks()),
        ({name: value for name, value in SRUN.items() if name != "SLURM_STEP_ID"}, Ranks()),  # sbatch without srun
        (SRUN | {"SLURM_JOB_NAME": "zsh"}, Ranks()),
        (SRUN | {"SLURM_STEP_ID": "4294967290"}, Ranks()),  # the shell of salloc, on the first node
        (SRUN | {"SLURM_STEP_ID": "4294967291"}, Ranks()),  # a batch script
        (SRUN | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_NNODES": "1", "SLURM_PROCID": "0"}, Ranks(started_by="srun")),
        # a step of two tasks on one of the four machines of its job
        (
            SRUN | {"SLURM_NNODES": "4", "SLURM_STEP_NUM_NODES": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"},
            Ranks(1, 2, 0, 2, "srun"),
        ),
        (TORCHRUN | {"WORLD_SIZE": "x", "RANK": "", "LOCAL_RANK": "-"}, Ranks(local_count=2, started_by="torchrun")),
        ({"LOCAL_RANK": "1"}, Ranks()),  # of somebody else's run
        (SRUN | TORCHRUN, Ranks(3, 4, 1, 2, "torchrun")),  # torchrun in a task of srun
    ],
)
def test_processes_are_known_by_what_has_started_them(monkeypatch, variables, found):
    assert ranks(variables) == found
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert first_process() == (found.rank == 0)


@pytest.mark.parametrize(("variables", "machines"), [({}, 1), (TORCHRUN, 2), (SRUN, 2), ({OWN: "3"}, 1)])
def test_machines_are_counted(variables, machines):
    assert ranks(variables).machines == machines


def test_ranks_that_are_no_numbers_are_not_there_for_libraries(monkeypatch):
    given = {"RANK": "", "LOCAL_RANK": "x", "JSM_NAMESPACE_RANK": "\u00b2", "SLURM_PROCID": "3"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    forget_no_numbers()
    assert {name: os.environ.get(name) for name in given} == {
        "RANK": None,
        "LOCAL_RANK": None,
        "JSM_NAMESPACE_RANK": None,
        "SLURM_PROCID": "3",
    }
