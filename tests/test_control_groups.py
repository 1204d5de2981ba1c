"""Quotas of processors, as containers have them."""

import os
from unittest.mock import Mock

import pytest
import torch

from seq2seq.control_groups import group_folders, processors, quota, threads_each, threads_left
from seq2seq.training.threads import set_training_threads
from seq2seq.translation.threads import set_threads
from seq2seq.translation.translator import Translator

V1 = "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "sys/fs/cgroup/cpu/cpu.cfs_period_us"
OWN = "proc/self/cgroup"


@pytest.fixture
def root(tmp_path):
    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, None),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "nonsense\n"}, None),
        ({V1[0]: "-1\n", V1[1]: "100000\n"}, None),
        ({V1[0]: "300000\n", V1[1]: "100000\n"}, 3),
        (
            {
                OWN: "4:memory:/other\n0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
                "sys/fs/cgroup/c/cpu.max": "100000 100000\n",
            },
            4,
        ),
    ],
)
def test_the_tightest_quota_of_the_process_s_own_groups_counts(root, files, left):
    assert quota(root(files)) == left


@pytest.fixture
def machine(monkeypatch, root):
    """A machine of 64 processors, with a quota of some and bound to some, and nothing said of threads."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def build(share: int | str, bound: int = 64):
        monkeypatch.setattr(os, "cpu_count", lambda: 64)
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(bound)), raising=False)
        return root({"sys/fs/cgroup/cpu.max": f"{share} 100000\n"})

    return build


@pytest.mark.parametrize(
    ("share", "bound", "left"),
    [("max", 64, 64), (200_000, 64, 2), ("max", 3, 3), (200_000, 3, 2), (800_000, 3, 3), (10_000, 64, 1)],
)
@pytest.mark.parametrize("several", [1, 2, 3, 100])
def test_processes_side_by_side_share_what_quota_and_binding_leave(machine, share, bound, left, several):
    folder = machine(share, bound)
    assert processors(folder) == left
    assert threads_each(several, folder) == max(1, left // several)
    assert several * threads_each(several, folder) <= max(left, several)


def test_where_processes_cannot_be_bound_the_machine_s_processors_count(machine, monkeypatch):
    folder = machine("max")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert processors(folder) == 64


def test_groups_are_named_from_the_top_down(root):
    folder = root({OWN: "0::/a/b\n"})
    assert group_folders(folder) == [
        folder / "sys/fs/cgroup",
        *(folder / "sys/fs/cgroup" / own for own in ("a", "a/b")),
    ]


@pytest.mark.parametrize(
    ("share", "bound", "given", "started", "threads"),
    [
        (200_000, 64, None, 8, 2),
        (200_000, 64, None, 1, 1),  # of several processes
        (200_000, 64, "5", 5, 5),
        ("max", 64, None, 8, 8),
        ("max", 3, None, 8, 3),
        ("max", 3, "5", 5, 5),
        (1_600_000, 64, None, 8, 8),
    ],
)
def test_threads_are_no_more_than_processors_unless_the_user_says_so(
    monkeypatch, machine, share, bound, given, started, threads
):
    folder = machine(share, bound)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert threads_left(started, folder) == threads


def test_training_and_decoding_start_no_more(monkeypatch):
    monkeypatch.setattr("seq2seq.training.threads.threads_left", lambda threads: 1)
    monkeypatch.setattr("seq2seq.translation.threads.threads_left", lambda threads: 1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert set_training_threads("auto", size=8, rows=16, bf16=False) == 1
        torch.set_num_threads(2)
        translator = Mock(spec=Translator, forms=[None], device="cpu", search=Mock(width=1))
        set_threads("auto", translator, lines=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
