"""Runs are never written over, and found again."""

import fcntl
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from tiny_run import as_before_0_2

from seq2seq import folder_lock
from seq2seq.config.options import flat
from seq2seq.config.overrides import resuming
from seq2seq.config.stored import CHANGEABLE, continued, record_changes
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import sealed
from seq2seq.runs.run_folder import _taken, open_run_folder, released_at_failure


@pytest.fixture(autouse=True)
def _alone():
    """No job of Hydra after this test."""
    yield
    HydraConfig.instance().cfg = None
    for folder in [*folder_lock._held]:
        folder_lock.release(folder)


class Words:
    """A meeting of two processes, which is a dict of what was told."""

    def __init__(self):
        self.told: dict[str, bytes] = {}

    def tell(self, name, value):
        self.told[name] = value

    def hear(self, name):
        return self.told[name]


@pytest.fixture
def opened(config_of, tiny_run):
    """open_run_folder of a config that Hydra composed from these overrides."""

    def run(*overrides: str, sweep_into: Path | None = None):
        given = resuming(overrides) if "resume=true" in overrides else overrides
        config = config_of("train", *given, return_hydra_config=True)
        with open_dict(config):
            config.hydra.mode = RunMode.MULTIRUN if sweep_into else RunMode.RUN
            config.hydra.runtime.output_dir = str(sweep_into or ".")
        HydraConfig.instance().set_config(config)
        return open_run_folder(without_hydra(config))

    return run


def without_hydra(config: DictConfig) -> DictConfig:
    with open_dict(config):
        del config["hydra"]
    return config


def test_a_new_folder_is_taken_and_told_to_the_other_processes(opened, tiny_run, tmp_path):
    config, folder = opened(*tiny_run, f"run_dir={tmp_path}/new")
    assert folder == tmp_path / "new"
    assert config["data"]["train_size"] == 60
    assert "run_dir" not in config


def test_an_empty_folder_is_taken(opened, tiny_run, tmp_path):
    assert opened(*tiny_run, f"run_dir={tmp_path}")[1] == tmp_path


def test_a_number_is_the_name_of_a_folder(opened, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert opened(*tiny_run, "run_dir=5")[1] == Path("5")
    with pytest.raises(UserError, match=r"^run_dir must be a folder, but is \['5'\]: give one, or leave run_dir out.$"):
        opened(*tiny_run, "run_dir=['5']")


@pytest.mark.parametrize("name", ["config.yaml", "notes.txt"])
def test_a_folder_with_anything_in_it_is_refused(opened, tiny_run, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError) as error:
        opened(*tiny_run, f"run_dir={tmp_path}")
    assert str(error.value) == (
        f"run_dir={tmp_path} already holds a run: choose another folder, or add resume=true to continue it."
    )
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_is_taken_once(opened, tiny_run, tmp_path):
    opened(*tiny_run, f"run_dir={tmp_path}/x")
    with pytest.raises(UserError) as error:
        opened(*tiny_run, f"run_dir={tmp_path}/x")
    assert str(error.value) == (
        f"run_dir={tmp_path}/x is held by a run that is under way: choose another folder, or wait for its end."
    )


# A run that left no checkpoint


@pytest.fixture
def left(tmp_path) -> Path:
    """The folder of a run that was killed before its first checkpoint."""
    folder = tmp_path / "left"
    for name in ("checkpoints", "tokenizers", "metrics"):
        (folder / name).mkdir(parents=True)
    for name in ("config.yaml", "metrics/metrics.csv", "checkpoints/.last.ckpt.4711.part", "tokenizers/source.model"):
        (folder / name).write_text("of before")
    return folder


@pytest.fixture
def elsewhere(monkeypatch):
    """Let a folder be held as by another process."""
    handles = []

    def hold(folder: Path) -> None:
        handles.append(os.open(folder, os.O_RDONLY))
        fcntl.flock(handles[-1], fcntl.LOCK_EX)

    yield hold
    for handle in handles:
        os.close(handle)


def test_a_run_that_left_no_checkpoint_gives_its_folder_to_the_next(opened, tiny_run, left, caplog):
    (left / "pairs").mkdir()
    assert opened(*tiny_run, f"run_dir={left}")[1] == left
    assert sorted(path.name for path in left.rglob("*")) == ["checkpoints", "pairs"]
    assert caplog.messages == [
        f"run_dir={left} held a run that stopped before its first checkpoint; what it left (config.yaml, metrics, "
        "tokenizers) is replaced"
    ]


def test_one_that_was_killed_as_it_read_its_data_left_nothing(opened, tiny_run, tmp_path, caplog):
    (tmp_path / "x" / "checkpoints").mkdir(parents=True)
    assert opened(*tiny_run, f"run_dir={tmp_path}/x")[1] == tmp_path / "x"
    assert caplog.messages[-1].endswith("before its first checkpoint; what it left is empty")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("checkpoints/last.ckpt", "already holds a run: choose another folder, or add resume=true to continue it."),
        ("checkpoints/step-000002.ckpt", "already holds a run: "),
        ("checkpoints/mine", "already holds a run: "),
        ("tokenizers/other.ckpt", "already holds a run: "),
        ("metrics.json", "already holds a run: "),
        ("notes.txt", "already holds a run: "),
    ],
)
def test_no_checkpoint_and_nothing_of_another_is_replaced(opened, tiny_run, left, name, said):
    (left / name).write_text("mine")
    with pytest.raises(UserError) as error:
        opened(*tiny_run, f"run_dir={left}")
    assert str(error.value).startswith(f"run_dir={left} {said}")
    assert (left / name).read_text() == "mine"
    assert (left / "config.yaml").read_text() == "of before"


def test_a_folder_that_need_not_have_its_name_is_never_replaced(left):
    assert _taken(left, numbered=True).name == "left_2"
    assert (left / "config.yaml").exists()


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_another_process_trains_in_is_refused(opened, tiny_run, left, elsewhere, resume):
    elsewhere(left)
    with pytest.raises(UserError) as error:
        opened(*([] if resume else tiny_run), f"run_dir={left}", *(["resume=true"] if resume else []))
    rest = "wait for its end, or stop it." if resume else "choose another folder, or wait for its end."
    assert str(error.value) == f"run_dir={left} is held by a run that is under way: {rest}"
    assert (left / "config.yaml").exists()


def test_where_nothing_tells_whether_a_run_is_under_way_it_may_be(opened, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "fcntl", None)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UserError) as error:
        opened(*tiny_run, f"run_dir={tmp_path}")
    assert str(error.value) == (
        f"run_dir={tmp_path} holds a run without a checkpoint yet: choose another folder, or remove it if that run has "
        "stopped."
    )


def test_a_folder_is_let_go_at_the_end_of_a_run(opened, tiny_run, finished, tmp_path):
    for _ in range(2):
        with released_at_failure(opened(f"run_dir={finished}", "resume=true")[1], taken=False):
            assert folder_lock.hold(finished) is False
    _, folder = opened(*tiny_run, f"run_dir={tmp_path}/x")
    with released_at_failure(folder):
        (folder / "config.yaml").touch()
    assert folder_lock.hold(folder)


def test_of_many_that_want_a_folder_at_once_one_gets_it(tmp_path):
    def attempt(_: int) -> bool:
        try:
            return _taken(tmp_path / "one", numbered=False) == tmp_path / "one"
        except UserError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 1
        numbered = set(pool.map(lambda _: _taken(tmp_path / "two", numbered=True), range(8)))
    assert {path.name for path in numbered} == {"two", *(f"two_{number}" for number in range(2, 9))}


@pytest.mark.parametrize(
    ("place", "reason"), [("file", "must be a folder, but is a file"), ("file/x", "cannot be made: ")]
)
def test_a_folder_that_cannot_be_made_is_told(opened, tiny_run, tmp_path, place, reason):
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as error:
        opened(*tiny_run, f"run_dir={tmp_path}/{place}")
    assert str(error.value).startswith(f"run_dir={tmp_path}/{place} {reason}")
    assert str(error.value).endswith(": choose another folder.")


def test_a_folder_is_given_back_where_a_start_fails(opened, tiny_run, tmp_path):
    _, folder = opened(*tiny_run, f"run_dir={tmp_path}/x")
    with pytest.raises(UserError), released_at_failure(folder):
        raise UserError("no data")
    assert not folder.exists()
    _, folder = opened(*tiny_run, f"run_dir={tmp_path}/x")
    (folder / "config.yaml").touch()
    with pytest.raises(UserError), released_at_failure(folder):
        raise UserError("no disk")
    assert (folder / "config.yaml").exists()


def test_the_default_folder_is_named_after_task_and_time(opened, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, folder = opened(*tiny_run)
    assert folder.parent == Path("runs/reverse")
    assert folder.name[:2] == "20"
    assert "=" not in str(folder)


def test_another_process_takes_the_folder_of_the_first_whatever_its_own_clock_says(
    opened, tiny_run, tmp_path, monkeypatch
):
    meeting = Words()
    monkeypatch.setattr("seq2seq.runs.run_folder.current_meeting", lambda: meeting)
    _, folder = opened(*tiny_run, f"run_dir={tmp_path}/at_noon")
    monkeypatch.setattr("seq2seq.runs.run_folder.first_process", lambda: False)
    assert opened(*tiny_run, f"run_dir={tmp_path}/later")[1] == folder == tmp_path / "at_noon"
    assert not (tmp_path / "later").exists()


def test_a_job_of_a_sweep_has_a_folder_of_its_own(opened, tiny_run, tmp_path):
    assert opened(*tiny_run, "run_dir=elsewhere", sweep_into=tmp_path / "3")[1] == tmp_path / "3"


# Resuming


def test_a_resumed_run_has_its_own_config_whatever_the_defaults_are(opened, finished):
    config, folder = opened(f"run_dir={finished}", "resume=true")
    assert folder == finished
    assert config == OmegaConf.to_container(OmegaConf.load(finished / "config.yaml"))


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    """A copy of the finished run."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def with_config(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]], **entries: Any) -> None:
    """Write a run's config anew, changed, into its folder and last checkpoint."""
    last = folder / "checkpoints" / "last.ckpt"
    contents = torch.load(last, weights_only=True)
    contents["config"] = change(contents["config"])
    torch.save(sealed(contents | entries), last)
    OmegaConf.save(contents["config"], folder / "config.yaml")


def test_a_run_of_before_0_2_resumes_with_the_options_of_now(opened, copied):
    now = OmegaConf.to_container(OmegaConf.load(copied / "config.yaml"))
    with_config(copied, as_before_0_2, format=2)
    assert opened(f"run_dir={copied}", "resume=true")[0] == now
    changed, _ = opened(f"run_dir={copied}", "resume=true", "gradients.max_norm=2.0")
    assert changed["gradients"]["max_norm"] == 2


def test_single_values_may_change(opened, finished):
    overrides = ["budget.max_steps=90", "optimizer.betas=[0.8,0.9]", "budget.max_minutes=null", "optimizer.lr=1e-4"]
    stored, _ = opened(f"run_dir={finished}", "resume=true")
    config, _ = opened(f"run_dir={finished}", "resume=true", *overrides)
    assert config["budget"] == stored["budget"] | {"max_steps": 90, "max_minutes": None}
    assert config["optimizer"] == stored["optimizer"] | {"betas": [0.8, 0.9], "lr": 1e-4}
    changed = {"budget", "optimizer"}
    assert all(config[name] == stored[name] for name in stored if name not in changed)


@pytest.mark.parametrize("override", ["~callbacks.samples", "callbacks.samples=1"])
def test_whole_parts_may_not(opened, finished, override):
    with pytest.raises(UserError) as error:
        opened(f"run_dir={finished}", "resume=true", override)
    assert str(error.value) == (
        f"resume=true continues the run as it was: {override} would replace a whole part of it: leave it out, or start "
        "a new run."
    )


@pytest.mark.parametrize(
    ("override", "own"),
    [
        ("model=gnmt", "model=luong"),
        ("model/attention=additive", "model/attention=dot"),
        ("scheduled_sampling=linear", "scheduled_sampling=none"),
        ("logger=csv", "logger=none"),
        ("callbacks=early_stopping", "callbacks=default"),
        ("experiment=cmudict", "experiment=questions or experiment=reverse"),
        ("data=tsv", "data=reverse"),
        ("data=null", "data=reverse"),
    ],
)
def test_another_option_of_a_group_is_refused_by_name(opened, finished, override, own):
    with pytest.raises(UserError) as error:
        opened(f"run_dir={finished}", "resume=true", override)
    assert str(error.value) == (
        f"{override} cannot change in a run that is continued with resume=true: it was trained with {own}; leave it "
        "out, or start a new run."
    )


def test_what_the_run_was_trained_with_may_be_said_again(opened, finished, tiny_run):
    stored, _ = opened(f"run_dir={finished}", "resume=true")
    again = [*tiny_run, "model=luong", "data=reverse", "callbacks=default", "seed=1"]
    assert opened(f"run_dir={finished}", "resume=true", *again)[0] == stored
    assert opened(f"run_dir={finished}", "resume=true", "data=reverse", "budget.max_steps=90")[0]["budget"] == (
        stored["budget"] | {"max_steps": 90}
    )


@pytest.mark.parametrize(
    "override",
    [
        "model.embedding_size=8",
        "tokenizer.normalization=nfkc",
        "data.train_size=3",
        "seed=2",
        "batches.seed=2",
        "task=x",
        "monitor.mode=min",
        "+model.encoder.num_layers=3",
    ],
)
def test_what_the_checkpoint_holds_may_not_change(opened, finished, override):
    with pytest.raises(UserError) as error:
        opened(f"run_dir={finished}", "resume=true", override)
    name = override.lstrip("+").partition("=")[0]
    assert str(error.value).startswith(
        f"{name} cannot change in a run that is continued with resume=true: leave it out, or start a new run; "
    )


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("budget.max_step=90", "The option 'budget.max_step' does not exist: did you mean 'budget.max_steps'?"),
        ("+optimizer.lrr=1", "The option 'optimizer.lrr' does not exist: did you mean 'optimizer.lr'?"),
        ("objective.coverage=1", "The option 'objective.coverage' does not exist: did you mean 'objective.coverage_"),
        ("trainer.max_epochs=1", "trainer.max_epochs is set by the script: use budget.max_steps instead."),
    ],
)
def test_an_unknown_option_is_compared_with_those_of_the_run(opened, finished, override, said):
    with pytest.raises(UserError) as error:
        opened(f"run_dir={finished}", "resume=true", override)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("plus", ["", "+"])
def test_a_run_of_other_data_than_the_default_goes_on_where_they_have_moved(opened, copied, plus):
    data = {"_target_": "seq2seq.data.corpora.tsv.TSVCorpus", "train": "a.tsv", "dev": None, "test": None}
    with_config(copied, lambda config: config | {"data": data})
    found, _ = opened(f"run_dir={copied}", "resume=true", f"{plus}data.train='new, place/ζεύγη.tsv'")
    assert found["data"]["train"] == "new, place/ζεύγη.tsv"


def test_what_was_copied_to_both_sides_of_the_model_changes_on_both(opened, finished):
    overrides = ("model.dropout=0.5", "model.cell.regularization.zoneout_hidden=0.25")
    model = opened(f"run_dir={finished}", "resume=true", *overrides)[0]["model"]
    sides = [model["encoder"], model["decoder"]]
    assert [side["dropout"] for side in (model, *sides)] == [0.5, 0.5, 0.5]
    assert [side["cell"]["regularization"]["zoneout_hidden"] for side in sides] == [0.25, 0.25]
    model = opened(f"run_dir={finished}", "resume=true", "model.encoder.dropout=0.5")[0]["model"]
    assert [side["dropout"] for side in (model, model["encoder"], model["decoder"])] == [0.1, 0.5, 0.1]


def test_a_callback_can_be_switched_off(opened, finished):
    assert opened(f"run_dir={finished}", "resume=true", "callbacks.samples=null")[0]["callbacks"]["samples"] is None


def test_every_pattern_of_what_can_change_meets_an_option_of_some_run(config_of):
    configs = [flat(OmegaConf.to_container(config_of("train", *choice))) for choice in ([], ["data=tsv"])]
    configs.append(
        flat(OmegaConf.to_container(config_of("train", "scheduled_sampling=linear", "gradient_noise=annealed")))
    )
    known = {key for config in configs for key in config}
    assert [pattern for pattern in CHANGEABLE if not any(fnmatch(key, pattern) for key in known)] == []


def test_what_changed_is_kept_for_the_next_time(opened, copied):
    stored = opened(f"run_dir={copied}", "resume=true")[0]
    before = (copied / "config.yaml").read_text()
    record_changes(copied, stored, stored)
    assert (copied / "config.yaml").read_text() == before
    assert not (copied / "changes.yaml").exists()
    for steps in (60, 90):
        now = continued(stored, [f"budget.max_steps={steps}"])
        record_changes(copied, stored, now)
        stored = now
    assert opened(f"run_dir={copied}", "resume=true")[0]["budget"]["max_steps"] == 90
    changes = OmegaConf.to_container(OmegaConf.load(copied / "changes.yaml"))
    assert [entry["changed"] for entry in changes] == [
        {"budget.max_steps": {"from": 30, "to": 60}},
        {"budget.max_steps": {"from": 60, "to": 90}},
    ]


@pytest.mark.parametrize(
    ("edit", "keys"),
    [
        (lambda text: text.replace("max_steps: 30", "max_steps: 99"), "budget.max_steps"),
        (lambda text: text.replace("seq2seq.training.budget.Budget", "os.system"), "budget._target_"),
        (lambda text: text + "more: ${oc.env:HOME}\n", "more"),
        (lambda text: text + "a: [\n", "all of it (ParserError)"),
        (lambda text: "", "averaging.decay, averaging.kind, averaging.patience, ..."),
        (lambda text: "null\n", "averaging.decay, averaging.kind, averaging.patience, ..."),
        (lambda text: "- a\n- b\n", "all of it (a list)"),
        (lambda text: "\tx: 1\n" + text, "all of it (ScannerError)"),
        (lambda text: text + "\x00", "all of it (ReaderError)"),
        (lambda text: text + "model: 3\n", "all of it (ConstructorError)"),
        (lambda text: text.replace("max_steps: 30", "max_steps: thirty"), "budget.max_steps"),
        (lambda text: text.replace("seed: ", "seed: -"), "batches.seed, data.seed, seed"),
        (lambda text: text[: text.index("max_steps:") + 4], "all of it (ScannerError)"),
    ],
)
def test_an_edited_config_is_named_and_not_read(opened, copied, caplog, edit, keys):
    path = copied / "config.yaml"
    wanted = opened(f"run_dir={copied}", "resume=true")[0]
    assert not caplog.records
    path.write_text(edit(path.read_text()))
    assert opened(f"run_dir={copied}", "resume=true")[0] == wanted
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} was edited and is not read: what the run was trained with holds ({keys})"
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("[", "cannot be read (ParserError): mend it, or remove it."),
        ("- a\n", "cannot be read (TypeError): mend it, or remove it."),
        ("- {changed: {model.dropout: 0.2}}\n", "cannot be read (TypeError): mend it, or remove it."),
        ("- {changed: {data._target_: {to: a}}}\n", "must hold what can change in a run, but 'data._target_' cannot"),
        (
            "- {changed: {model.dropout: {to: '${oc.env:HOME}'}}}\n",
            ": model.dropout must be a value that refers to no other",
        ),
    ],
)
def test_recorded_changes_are_held_to_what_can_change(opened, copied, changes, message):
    (copied / "changes.yaml").write_text(changes)
    with pytest.raises(UserError) as error:
        opened(f"run_dir={copied}", "resume=true")
    assert str(error.value).startswith(f"{copied}/changes.yaml")
    assert message in str(error.value)


def test_there_must_be_a_run_to_resume(opened, tmp_path):
    with pytest.raises(UserError) as error:
        opened(f"run_dir={tmp_path}", "resume=true")
    assert str(error.value) == (
        f"resume=true needs a run to continue, but run_dir={tmp_path} holds none: leave resume=true out to start one, "
        "or give another run_dir."
    )


@pytest.mark.parametrize(("value", "shown"), [("null", "None"), ("''", "''")])
def test_a_run_needs_a_folder(opened, value, shown):
    with pytest.raises(UserError) as error:
        opened(f"run_dir={value}")
    assert str(error.value) == f"run_dir must be a folder, but is {shown}: give one, or leave run_dir out."


def test_a_link_that_leads_nowhere_is_told(tmp_path, opened):
    (tmp_path / "run").symlink_to("nowhere")
    with pytest.raises(
        UserError, match=r"run must be a folder, but is a link that leads nowhere: choose another folder"
    ):
        opened(f"run_dir={tmp_path / 'run'}")
