"""A run goes on with the data that it was trained on, or with others that it is told to accept."""

import copy
import shutil
from pathlib import Path

import pytest
import yaml

import seq2seq
from seq2seq.commands.train import train
from seq2seq.config.overrides import resuming
from seq2seq.config.stored import with_changes
from seq2seq.data.examples import Example, Splits
from seq2seq.data.splitting import Fingerprint
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint, save_checkpoint
from seq2seq.runs.data_changes import DataChanges, acceptance
from seq2seq.runs.run_folder import open_run_folder

WORDS = [f"{first}{second}\t{second}{first}\n" for first in "abcdef" for second in "wxyz"]
DEV = "va\tav\nvb\tbv\n"
WITHDRAWN = "bring them back, or add data.changed=accept to go on with what there is."


@pytest.fixture(scope="module")
def begun(tmp_path_factory, tiny_config) -> Path:
    """Files of pairs, and a run of two steps. Copy them."""
    place = tmp_path_factory.mktemp("begun")
    (place / "words.tsv").write_text("".join(WORDS), encoding="utf-8")
    (place / "dev.tsv").write_text(DEV, encoding="utf-8")
    config = tiny_config("tokenizer=char", "budget.max_steps=2", "trainer.val_check_interval=1", "callbacks=none")
    config["data"] = {"_target_": "seq2seq.data.corpora.tsv.TSVCorpus", "train": "words.tsv", "dev": "dev.tsv"}
    (place / "run").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        train(config, place / "run", resume=False)
    return place


@pytest.fixture
def place(begun, tmp_path, monkeypatch) -> Path:
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def gone_on(place: Path, config_of, steps: int, *changes: str) -> None:
    """Go on to so many steps, as the command line does."""
    given = resuming([f"run_dir={place / 'run'}", "resume=true", f"budget.max_steps={steps}", *changes])
    config = config_of("train", *given)
    resolved, folder = open_run_folder(config)
    train(resolved, folder, resume=True)


def weights_of(place: Path) -> list[bytes]:
    return [
        weight.numpy().tobytes() for weight in read_checkpoint(place / "run/checkpoints/last.ckpt")["weights"].values()
    ]


CHANGES = {
    "grown": ([*WORDS, "zz\tzz\n"], "train is not (24 examples then, 25 now)"),
    "other": ([WORDS[0].replace("a\n", "q\n"), *WORDS[1:]], "train is not (as many examples, 24, but others)"),
    "reordered": (WORDS[::-1], "train is not (the same examples, 24, but in another order or of other corpora)"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_data_are_refused_in_one_line_and_nothing_is_written(place, config_of, change):
    lines, said = CHANGES[change]
    (place / "words.tsv").write_text("".join(lines), encoding="utf-8")
    before = {path: path.read_bytes() for path in (place / "run").rglob("*") if path.is_file()}
    with pytest.raises(UserError) as error:
        gone_on(place, config_of, 3)
    assert str(error.value).startswith("data must be what this run was trained on, but ")
    assert said in str(error.value)
    assert str(error.value).endswith(WITHDRAWN)
    assert {path: path.read_bytes() for path in (place / "run").rglob("*") if path.is_file()} == before


def test_accepted_data_are_the_runs_own_from_then_on(place, config_of, caplog):
    (place / "words.tsv").write_text("".join([*WORDS, "zz\tzz\n"]), encoding="utf-8")
    old = (place / "run/checkpoints/last.ckpt").read_bytes()
    gone_on(place, config_of, 3, "data.changed=accept")
    assert "train is not what it was when this run was trained: 24 examples then, 25 now; accepted" in caplog.text
    accepted = weights_of(place)
    assert "changed" not in read_checkpoint(place / "run/checkpoints/last.ckpt")["config"]["data"]
    gone_on(place, config_of, 4)  # the checkpoint knows the new data
    (place / "run/checkpoints/last.ckpt").write_bytes(old)  # as if it had been killed before it saved anything
    gone_on(place, config_of, 3)
    assert weights_of(place) == accepted
    (place / "words.tsv").write_text("".join(WORDS), encoding="utf-8")
    with pytest.raises(UserError, match="25 examples then, 24 now"):  # what was accepted is these data alone
        gone_on(place, config_of, 5)


def test_a_path_that_has_moved_is_no_change(place, config_of, caplog):
    shutil.move(place / "words.tsv", place / "moved.tsv")
    gone_on(place, config_of, 3, "data.train=moved.tsv")
    assert "accepted" not in caplog.text
    with caplog.at_level("INFO"):
        gone_on(place, config_of, 4, "data.changed=accept")
    assert "data.changed=accept: the data are what this run was trained on" in caplog.text
    assert with_changes({"data": {}}, place / "run")["data"] == {"train": "moved.tsv"}


def test_a_checkpoint_of_an_earlier_version_knows_no_order(place, config_of, caplog):
    for name in ("best", "last"):
        path = place / "run" / "checkpoints" / f"{name}.ckpt"
        checkpoint = read_checkpoint(path, whole=True)
        for known in checkpoint["splits"].values():
            del known["order"], known["longest"]
        path.unlink()
        save_checkpoint(path, checkpoint)
    (place / "words.tsv").write_text("".join(WORDS[::-1]), encoding="utf-8")
    gone_on(place, config_of, 3)
    assert "not what it was" not in caplog.text


def test_a_damaged_record_of_what_was_accepted_is_told(place, config_of):
    entry = {"date": "x", "changed": {}, "data": {"train": 3}}
    (place / "run" / "changes.yaml").write_text(yaml.safe_dump([entry]), encoding="utf-8")
    with pytest.raises(UserError, match="changes.yaml must hold fingerprints of data, but does not: remove it."):
        gone_on(place, config_of, 3)


def test_nothing_else_can_be_said_of_changes_and_not_of_a_new_run(place, config_of, tiny_config):
    with pytest.raises(UserError, match=r"^data.changed must be accept, or left out, but is 'ignore'\.$"):
        gone_on(place, config_of, 3, "data.changed=ignore")
    belongs = (
        "data__changed='accept' is for a run that goes on with other data: give it with resume=True, or leave it out"
    )
    with pytest.raises(UserError, match=belongs):
        seq2seq.train(run_dir=place / "new", data="copy", data__changed="accept")
    config = tiny_config()
    assert acceptance(config) == (config, False)


def test_the_order_of_targets_and_the_corpus_are_known_too():
    def fingerprint(*examples: Example) -> Fingerprint:
        return Fingerprint.of(list(examples))

    one, other = Example("a", ("b", "c")), Example("d", ("e",))
    own = fingerprint(one, other)
    changed = (
        fingerprint(other, one),
        fingerprint(Example("a", ("c", "b")), other),
        fingerprint(Example("a", ("b", "c"), corpus="x"), other),
    )
    for now in changed:
        assert own.difference(now) == "the same examples, 2, but in another order or of other corpora"
        assert own.difference(now, ordered=False) == ""
    assert own.difference(fingerprint(copy.deepcopy(one), other)) == ""


def test_every_split_that_differs_is_named(tmp_path):
    then, now = Splits([Example("a", ("b",))], []), Splits([Example("c", ("b",))], [Example("d", ("e",))])
    known = {name: Fingerprint.of(getattr(then, name)) for name in ("train", "dev", "test")}
    with pytest.raises(UserError) as error:
        DataChanges.of(known, now).refuse(tmp_path)
    assert "train is not (as many examples, 1, but others); dev is not (0 examples then, 1 now): bring" in str(
        error.value
    )
    DataChanges.of({}, now).refuse(tmp_path)  # a checkpoint of before they were kept
