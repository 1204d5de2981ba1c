"""Quotas of processors, as containers have them."""

import os

import pytest

from seq2seq.control_groups import group_folders, limit_threads, processors

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
    assert processors(root(files)) == left


def test_groups_are_named_from_the_top_down(root):
    folder = root({OWN: "0::/a/b\n"})
    assert group_folders(folder) == [
        folder / "sys/fs/cgroup",
        *(folder / "sys/fs/cgroup" / own for own in ("a", "a/b")),
    ]


@pytest.mark.parametrize(
    ("quota", "given", "threads"),
    [("200000", None, "2"), ("200000", "5", "5"), ("max", None, None), ("1600000", None, None), ("800000", None, None)],
)
def test_threads_are_no_more_than_processors_unless_the_user_says_so(monkeypatch, root, quota, given, threads):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "0")  # so that it is as before in the end
    monkeypatch.delenv("OMP_NUM_THREADS")
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    limit_threads(root({"sys/fs/cgroup/cpu.max": f"{quota} 100000\n"}))
    assert os.environ.get("OMP_NUM_THREADS") == threads
