"""The example of an attention of one's own, as its first lines say: trusted by whoever runs a command, or not used."""

import json
import shutil
from pathlib import Path

import pytest
from forks import run

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
ADVICE = (
    "error: model.decoder.attention must be built by seq2seq, but its _target_ is 'own_attention.CosineAttention': "
    "if it is of your own code, add trust=[own_attention].\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return Path(shutil.copytree(ROOT / "examples" / "own_attention", tmp_path_factory.mktemp("own") / "example"))


@pytest.fixture(scope="module")
def trained(folder, tiny_run) -> Path:
    """A run with it."""
    own = "--config-dir conf model/attention=cosine model.attention.sharpness=5 trust=[own_attention] run_dir=run"
    found = run(f"python {SCRIPTS}/train.py {own} {' '.join(tiny_run)}", folder)
    assert found.returncode == 0, found.stderr
    return folder


@pytest.mark.parametrize("command", ["evaluate.py run=run", "train.py run_dir=run resume=true budget.max_steps=32"])
def test_a_command_that_is_not_told_to_trust_it_says_what_to_add(trained, command):
    found = run(f"python {SCRIPTS}/{command}", trained)
    assert (found.returncode, found.stderr) == (2, ADVICE)


@pytest.mark.parametrize("command", ["evaluate.py run=run bootstrap=0", "translate.py run=run < own_attention.py"])
def test_a_command_that_is_told_uses_it(trained, command):
    script, _, source = command.partition(" < ")
    found = run(f"python {SCRIPTS}/{script} trust=own_attention" + (f" < {source}" if source else ""), trained)
    assert found.returncode == 0, found.stderr
    if script.startswith("evaluate"):
        assert json.loads(found.stdout)["sentences"] == 7
    else:
        assert len(found.stdout.split("\n")) == len((trained / source).read_text().split("\n"))


def test_a_run_of_it_goes_on_to_its_end_where_it_is_told_to_trust_it(trained):
    again = shutil.copytree(trained / "run", trained / "again")
    command = "train.py run_dir=again resume=true budget.max_steps=34"
    found = run(f"python {SCRIPTS}/{command} trust=[own_attention]", trained)
    assert found.returncode == 0, found.stderr
    assert json.loads((again / "metrics.json").read_text())["step"] in (30, 34)  # of the best
    assert "34" in found.stdout + found.stderr
    assert "trust" not in (again / "config.yaml").read_text()  # no file may say whom to trust


def test_training_is_refused_at_the_start_without_it(folder, tiny_run):
    own = "--config-dir conf model/attention=cosine run_dir=other"
    found = run(f"python {SCRIPTS}/train.py {own} {' '.join(tiny_run)}", folder)
    assert (found.returncode, found.stderr) == (2, ADVICE)
    assert not (folder / "other").exists()


def test_its_own_mistakes_are_told_by_the_option(folder, tiny_run):
    own = "--config-dir conf model/attention=cosine model.attention.sharpness=-1 trust=[own_attention] run_dir=third"
    found = run(f"python {SCRIPTS}/train.py {own} {' '.join(tiny_run)}", folder)
    assert (found.returncode, found.stderr) == (2, "error: model.attention.sharpness must be above 0, but is -1.\n")
