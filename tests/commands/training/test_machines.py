"""Two machines, as network namespaces with a cable between them, train together by torchrun."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ADDRESSES = ("10.77.0.1", "10.77.0.2")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def namespaces() -> Iterator[list[str]]:
    """Names of two namespaces that reach each other alone; skipped where they cannot be made."""
    if shutil.which("ip") is None:
        pytest.skip("there is no command ip, which makes network namespaces")
    names = [f"seq2seq{number}_{os.getpid()}" for number in range(2)]
    cables = [f"s{number}_{os.getpid()}" for number in range(2)]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", cables[0], "type", "veth", "peer", "name", cables[1])
        for name, cable, address in zip(names, cables, ADDRESSES, strict=True):
            ip("link", "set", cable, "netns", name)
            ip("-n", name, "link", "set", cable, "name", "cable")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            for link in ("lo", "cable"):
                ip("-n", name, "link", "set", link, "up")
        yield names
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.decode().strip()}")
    finally:
        for name in names:
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", name)


@pytest.mark.slow
def test_two_machines_train_together(namespaces, tiny_run, tmp_path):
    runs = []
    for name, address in zip(namespaces, ADDRESSES, strict=True):
        place = [f"--master-addr={ADDRESSES[0]}", "--master-port=29500", f"--node-rank={len(runs)}"]
        place += [f"--local-addr={address}"]
        start = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", *place]
        own = [str(ROOT / "scripts" / "train.py"), *tiny_run, "trainer=torchrun", f"run_dir={tmp_path}/{name}"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "cable", "PYTHONPATH": str(ROOT)}
        command = ["ip", "netns", "exec", name, *start, *own]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        runs.append(subprocess.Popen(command, env=environment, text=True, cwd=tmp_path, **pipes))
    told = [run.communicate(timeout=400) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    (made,) = tmp_path.iterdir()  # of the first, whichever that is
    assert (made / "metrics.json").is_file()
    assert "".join(said for _, said in told).count("2 processes on 2 machines: batches.max_tokens=") == 1
