"""The pointer of a run's versions names a whole one, whenever its writer is killed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import seq2seq
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.derived_run import PASSED_ON, write_run
from seq2seq.runs.run import load_run
from seq2seq.runs.run_folder import open_run_folder
from seq2seq.runs.versions import Versions, home_of


def written(folder: Path, number: float) -> None:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "best.ckpt").write_text(f"{number}")


@pytest.fixture
def run(tmp_path) -> Path:
    """A run folder with files in the places of those of a run, and two versions."""
    folder = tmp_path / "run"
    written(folder, -1)
    versions = Versions(folder)
    assert versions.current is None
    assert find_checkpoint(folder).read_text() == "-1"
    for number in range(2):
        assert versions.add(lambda half, number=number: written(half, number)) == number
    return folder


def test_the_last_that_was_added_is_used_and_each_can_be_named(run):
    assert Versions(run).current == 1
    assert Versions(run).numbers == [0, 1]
    assert find_checkpoint(run).read_text() == "1"
    assert find_checkpoint(run / "versions" / "0000").read_text() == "0"
    assert sorted(path.name for path in (run / "versions").iterdir()) == ["0000", "0001", "current"]
    assert (run / "versions" / "current").read_text() == "0001\n"


def test_one_can_go_back_by_hand_and_numbers_are_not_used_again(run):
    (run / "versions" / "current").write_text("0000")
    assert find_checkpoint(run).read_text() == "0"
    assert Versions(run).add(lambda half: written(half, 2)) == 2
    assert find_checkpoint(run / "versions" / "0001").read_text() == "1"


@pytest.mark.parametrize("held", ["", "0007", "-1", "one", "../0001", "²"])
def test_a_pointer_to_nothing_is_told(run, held):
    (run / "versions" / "current").write_text(held, encoding="utf-8")
    with pytest.raises(UserError) as error:
        find_checkpoint(run)
    pointer = run / "versions" / "current"
    assert (
        str(error.value) == f"{pointer} must name a version that is there (0000, 0001), but holds {held!r}: write one."
    )


def test_what_cannot_be_written_leaves_all_as_it_was(run):
    def fail(half: Path) -> None:
        written(half, 2)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Versions(run).add(fail)
    assert sorted(path.name for path in (run / "versions").iterdir()) == ["0000", "0001", "current"]
    assert find_checkpoint(run).read_text() == "1"


def test_a_checkpoint_of_a_version_is_of_the_run_s_folder(run):
    assert home_of(find_checkpoint(run)) == run
    assert home_of(run / "checkpoints" / "best.ckpt") == run
    assert home_of(Path("versions/0001/checkpoints/best.ckpt")) == Path("versions/0001")  # a run of this name
    assert home_of(Path("some.ckpt")) == Path()


def test_a_run_with_versions_is_not_trained_on(run, config_of):
    with pytest.raises(UserError) as error:
        open_run_folder(config_of("train", f"run_dir={run}", "resume=true"))
    assert str(error.value) == (
        f"resume=true cannot train on what scripts/adapt.py has made version 1 of: start another run with init={run}, "
        f"or remove {run / 'versions'}."
    )


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import torch
from seq2seq.runs import checkpoint, derived_run, versions
from seq2seq.runs.run import tokenizers_of

torch.set_num_threads(1)
run, folder = map(Path, sys.argv[1:])
found = checkpoint.read_checkpoint(run / "versions" / "0001" / "checkpoints" / "best.ckpt", whole=True)
tokenizers = tokenizers_of(found)
found["weights"] = {name: weight + 1 for name, weight in found["weights"].items()}
count, last, watched = 0, 0, False
EVENTS = "open os.rename os.mkdir os.remove os.rmdir os.scandir".split()

def watch(event, arguments):
    global count
    if watched and event in EVENTS and str(folder) in str(arguments[0]):
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
killed = True
while killed:
    last += 1
    own = folder / f"killed_{last}"
    shutil.copytree(run, own)
    if (child := os.fork()) == 0:
        watched = True
        versions.Versions(own).add(lambda half: derived_run.write_run(half, found, {"step": 1}, tokenizers))
        os._exit(0)
    killed = os.waitpid(child, 0)[1] == signal.SIGKILL
print(last - 1)
"""


@pytest.fixture(scope="module")
def adapted(finished, tmp_path_factory) -> Path:
    """The finished run with a start and a version, of other weights."""
    folder = tmp_path_factory.mktemp("adapted") / "run"
    shutil.copytree(finished, folder)
    found, tokenizers = read_checkpoint(find_checkpoint(folder)), load_run(folder).tokenizers
    kept = {name: found[name] for name in (*PASSED_ON, "weights", "global_step")}
    for number in range(2):
        weights = {name: weight + number for name, weight in kept["weights"].items()}
        Versions(folder).add(
            lambda half, weights=weights: write_run(half, kept | {"weights": weights}, {"step": 1}, tokenizers)
        )
    return folder


def test_wherever_its_writer_is_killed_the_pointer_names_a_whole_version(adapted, tmp_path):
    """By SIGKILL before each opening, renaming, making and removing of a file, one after the other."""
    command = [sys.executable, "-c", KILLED, str(adapted), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    kills = int(result.stdout)
    assert kills > 15
    before, seen = load_run(adapted).model.state_dict(), []
    for number in range(1, kills + 2):
        folder = tmp_path / f"killed_{number}"
        read_checkpoint(find_checkpoint(folder), whole=True)
        found = load_run(folder).model.state_dict()
        (moved,) = {round(float((weight - before[name]).max()), 4) for name, weight in found.items()}
        seen.append((Versions(folder).current, moved))
    assert set(seen) == {(1, 0.0), (2, 1.0)}
    assert seen == sorted(seen)
    half = next(iter((tmp_path / f"killed_{kills // 2}" / "versions").glob(".*")))
    Versions(half.parents[1]).add(lambda folder: written(folder, 0))
    assert not half.exists()


def test_all_that_names_the_run_uses_the_version_and_says_so(adapted, caplog):
    with caplog.at_level("INFO"):
        run = seq2seq.load(adapted)
    assert f"run={adapted}: version 0001 is used, of those up to 0001 in {adapted / 'versions'}" in caplog.text
    weights = read_checkpoint(adapted / "versions" / "0001" / "checkpoints" / "best.ckpt")["weights"]
    assert all(torch.equal(weight, weights[name]) for name, weight in run.model.state_dict().items())
    assert run.report == json.loads((adapted / "metrics.json").read_text())  # of the training that all began with
    caplog.clear()
    start = seq2seq.load(adapted / "versions" / "0000")
    assert not torch.equal(start.model.state_dict()["output.bias"], weights["output.bias"])
    assert "version" not in caplog.text
