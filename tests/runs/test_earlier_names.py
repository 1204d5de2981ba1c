"""Checkpoints of before encoders had an input of their own give the same model."""

import copy

import torch

from seq2seq.config.moved import up_to_date
from seq2seq.models.earlier_names import with_present_names
from seq2seq.runs.checkpoint import read_checkpoint, save_checkpoint
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.run import load_run


def as_before(checkpoint):
    """The checkpoint as an earlier version would have written it."""
    old = copy.deepcopy(checkpoint)
    given = old["config"]["model"]["encoder"].pop("input")
    old["config"]["model"]["encoder"] |= {name: given[name] for name in ("ngrams", "front_end")}
    for kind in ("weights", "state_dict"):
        old[kind] = {name.replace("encoder.input.", "encoder."): value for name, value in old[kind].items()}
    return old


def test_a_checkpoint_of_before_gives_the_same_model(finished, tmp_path):
    checkpoint = read_checkpoint(find_checkpoint(finished))
    old = as_before(checkpoint)
    assert old["config"] != checkpoint["config"]
    assert old["weights"].keys() != checkpoint["weights"].keys()
    save_checkpoint(tmp_path / "old.ckpt", old)
    found, wanted = (load_run(path).model.state_dict() for path in (tmp_path / "old.ckpt", finished))
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_what_resumes_has_its_names_of_now(finished):
    checkpoint = read_checkpoint(find_checkpoint(finished))
    assert with_present_names(as_before(checkpoint)["state_dict"]).keys() == checkpoint["state_dict"].keys()


def test_names_and_configs_of_now_stay(finished):
    checkpoint = read_checkpoint(find_checkpoint(finished))
    for kind in ("weights", "state_dict"):
        assert with_present_names(checkpoint[kind]).keys() == checkpoint[kind].keys()
    assert up_to_date(checkpoint["config"]) == checkpoint["config"]
