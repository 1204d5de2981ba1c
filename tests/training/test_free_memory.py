"""What is free is the least of what the machine and every control group leave."""

import ctypes
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from seq2seq.training.free_memory import free_bytes, give_back, held_bytes

CPU = torch.device("cpu")
MEMINFO = "MemTotal:       24000 kB\nMemAvailable:   20000 kB\n"


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def group(folder: str, limit: object, used: int, droppable: int = 0) -> dict[str, str]:
    place = f"sys/fs/cgroup{folder}"
    names = {"memory.max": limit, "memory.current": used, "memory.stat": f"anon 1\ninactive_file {droppable}"}
    return {f"{place}/{name}": f"{value}\n" for name, value in names.items()}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"proc/meminfo": MEMINFO}, 20_480_000),
        ({"proc/meminfo": "MemTotal: 5 kB\n"}, None),
        ({"proc/meminfo": MEMINFO, **group("", "max", 5)}, 20_480_000),
        ({"proc/meminfo": MEMINFO, **group("", 9_000_000, 5_000_000)}, 4_000_000),
        ({"proc/meminfo": MEMINFO, **group("", 9_000_000, 5_000_000, 1_000_000)}, 5_000_000),
        ({"proc/meminfo": MEMINFO, **group("", 9_000_000, 9_500_000)}, 0),
        ({"proc/self/cgroup": "0::/a/b\n", **group("/a/b", 900, 100), **group("/a", 700, 200)}, 500),
        ({"proc/self/cgroup": "0::/a/b\n", **group("/a/b", 300, 100), **group("/a", "max", 200)}, 200),
        (
            {
                "proc/self/cgroup": "4:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "600",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 50",
            },
            450,
        ),
    ],
)
def test_the_least_of_all_that_there_is(tmp_path, files, free):
    assert free_bytes(CPU, written(tmp_path, files)) == free


def test_a_process_holds_what_it_shares_with_no_other(tmp_path):
    files = {"proc/self/status": "Name:\tpython\nVmRSS:\t     900 kB\nRssAnon:\t     500 kB\n"}
    assert (held_bytes(tmp_path), held_bytes(written(tmp_path, files))) == (0, 512_000)


# In a process of its own, whose heap has no holes of before that all of it could lie in.
FREEING = """
from pathlib import Path
from seq2seq.training.free_memory import give_back

def resident_pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

kept = [bytes(20_000) for _ in range(4000)]  # small enough that they are not mapped one by one
last = kept.pop()  # behind them, so that they are no end of the heap
full = resident_pages()
kept.clear()
give_back()
print(full - resident_pages(), len(last))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library keeps what is freed")
def test_what_was_freed_is_given_back():
    found = subprocess.run([sys.executable, "-c", FREEING], check=True, capture_output=True, text=True).stdout
    assert int(found.split()[0]) > 3000 * 20_000 / resource.getpagesize()


def test_where_the_library_cannot_nothing_is_done(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    give_back()


def test_of_a_gpu_it_is_what_the_driver_says(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7, 9))
    assert free_bytes(torch.device("cuda", 0)) == 7
