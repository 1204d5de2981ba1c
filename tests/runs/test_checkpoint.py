"""A checkpoint is what was written, or one line that says what is wrong; what it holds is never run (hostile files)."""

import os
import random
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint, sealed
from seq2seq.runs.run import load_run


@pytest.fixture(scope="module")
def contents(finished) -> dict[str, Any]:
    """The last checkpoint of the finished run, after which there is nothing to resume. Alter copies of it only."""
    return torch.load(finished / "checkpoints" / "last.ckpt", weights_only=True)


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as error:
        load_run(path)
    assert "\n" not in str(error.value)
    return str(error.value)


# What is damaged


def test_what_is_whole_is_read_and_sealing_it_again_changes_nothing(finished, contents):
    for name in ("best", "last"):
        found = read_checkpoint(finished / "checkpoints" / f"{name}.ckpt", whole=True)
        assert sealed(found)["digests"] == found["digests"]
    assert len(contents["digests"]) > 2 * len(contents["weights"])  # the optimizer's state, too


@pytest.mark.parametrize("part", ["weights", "tokenizers"])
def test_one_bit_of_what_is_used_is_noticed(contents, tmp_path, part):
    for name in contents[part]:
        altered = deepcopy(contents)
        altered[part][name].view(-1).view(torch.uint8)[0] ^= 1
        torch.save(altered, tmp_path / "altered.ckpt")
        assert refusal(tmp_path / "altered.ckpt") == (
            f"{tmp_path}/altered.ckpt is damaged, or was changed since it was written: "
            f"{part}.{name} is not what was written."
        )


def test_what_only_resuming_needs_is_checked_then(contents, tmp_path):
    altered = deepcopy(contents)
    altered["optimizer_states"][0]["state"][0]["exp_avg"].view(-1)[0] += 1
    torch.save(altered, tmp_path / "altered.ckpt")
    load_run(tmp_path / "altered.ckpt")
    with pytest.raises(UserError, match=r"optimizer_states\.0\.state\.0\.exp_avg is not what was written"):
        read_checkpoint(tmp_path / "altered.ckpt", whole=True)


@pytest.mark.parametrize("key", ["global_step", "seconds", "average_updates", "epoch"])
def test_numbers_beside_the_tensors_are_sealed_too(contents, tmp_path, key):
    torch.save(contents | {key: contents[key] + 1}, tmp_path / "altered.ckpt")
    assert "what is beside its tensors is not what was written" in refusal(tmp_path / "altered.ckpt")


@pytest.mark.parametrize("trials", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_a_file_with_any_byte_changed_is_read_as_it_was_or_refused_in_one_line(finished, tmp_path, trials):
    whole = (finished / "checkpoints" / "best.ckpt").read_bytes()
    wanted = load_run(finished)
    draw, path = random.Random(trials), tmp_path / "flipped.ckpt"
    told: list[str] = []
    for _ in range(trials):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            found = load_run(path)
        except UserError as error:
            told.append(str(error))
            continue
        assert all(torch.equal(found.model.state_dict()[name], one) for name, one in wanted.model.state_dict().items())
        assert (found.config, found.step, found.splits) == (wanted.config, wanted.step, wanted.splits)
        try:
            read_checkpoint(path, whole=True)  # most of the file is what only resuming needs
        except UserError as error:
            told.append(str(error))
    assert len(told) > trials / 2
    assert all(line.startswith(str(path)) and "\n" not in line for line in told)


def test_a_checkpoint_is_read_from_a_path_that_is_no_text(finished, tmp_path):
    folder = tmp_path / os.fsdecode(b"r\xff n")
    folder.mkdir()
    shutil.copy(finished / "checkpoints" / "best.ckpt", folder / "best.ckpt")
    read = read_checkpoint(folder / "best.ckpt", whole=True)
    assert read["global_step"] == read_checkpoint(finished / "checkpoints" / "best.ckpt")["global_step"]


def test_of_a_folder_with_a_damaged_best_the_other_whole_one_is_named(finished, tmp_path):
    shutil.copytree(finished / "checkpoints", tmp_path / "checkpoints")
    best, last = (tmp_path / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    altered = torch.load(best, weights_only=True)
    altered["weights"].popitem()
    torch.save(altered, best)
    step = torch.load(last, weights_only=True)["global_step"]
    assert refusal(tmp_path).endswith(f" {last}, of step {step}, is whole: use that.")
    best.write_bytes(best.read_bytes()[:9000])  # which cannot even be read
    assert refusal(tmp_path).endswith(f" {last}, of step {step}, is whole: use that.")
    last.write_bytes(last.read_bytes()[:9000])
    assert "is whole" not in refusal(tmp_path)


def test_of_a_damaged_best_no_other_run_s_checkpoint_and_none_that_is_not_finite_is_named(finished, contents, tmp_path):
    shutil.copytree(finished / "checkpoints", tmp_path / "checkpoints")
    best, last = (tmp_path / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    best.write_bytes(best.read_bytes()[:-1000] + bytes(1000))
    shutil.move(last, last.with_name("another.ckpt"))
    assert "is whole" not in refusal(tmp_path)
    altered = deepcopy(contents)
    next(iter(altered["state_dict"].values())).view(-1)[0] = float("nan")
    torch.save(sealed(altered), last)
    assert "is whole" not in refusal(tmp_path)
    load_run(last)  # its weights in use are finite
    with pytest.raises(UserError, match="must hold weights that are finite, but some are not"):
        read_checkpoint(last, whole=True)


# What was forged: sealed as ours are


def forged(contents: dict[str, Any], path: Path, **changes: Any) -> Path:
    torch.save(sealed({name: value for name, value in (contents | changes).items() if value is not None}), path)
    return path


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("config", None, "config must be a dict, but is missing"),
        ("config", [], "config must be a dict, but is of type list"),
        ("config", {}, "config.model must be a mapping, but is missing"),
        ("weights", None, "weights must be a dict, but is missing"),
        ("weights", {"a": 1}, "weights.a must be a tensor, but is of type int"),
        ("tokenizers", {}, "tokenizers.source must be a row of bytes, but is missing"),
        ("global_step", 1.5, "global_step must be a int, but is of type float"),
        ("splits", None, "splits.train must be a fingerprint, but is missing"),
        ("splits", {"train": {"examples": 1}}, "splits.train must be a fingerprint, but is of type dict"),
    ],
)
def test_a_part_that_is_missing_or_of_another_kind_is_named(contents, tmp_path, part, value, message):
    path = forged(contents, tmp_path / "forged.ckpt", **{part: value})
    assert refusal(path) == f"{path} is damaged, or was changed since it was written: {message}."


def test_weights_of_another_model_are_named_before_memory_is_taken_for_it(contents, tmp_path):
    config = deepcopy(contents["config"])
    config["model"]["embedding_size"] = 1 << 40  # terabytes
    assert "but the weights have" in refusal(forged(contents, tmp_path / "forged.ckpt", config=config))
    fewer = dict(list(contents["weights"].items())[1:])
    missing = next(iter(contents["weights"]))
    shape = list(contents["weights"][missing].shape)
    assert refusal(forged(contents, tmp_path / "forged.ckpt", weights=fewer)) == (
        f"model describes {missing} with shape {shape}, but the weights have none."
    )


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_more_layers_than_any_model_has_are_refused_at_once(contents, tmp_path, side):
    config = deepcopy(contents["config"])
    config["model"][side]["num_layers"] = 10**9
    assert refusal(forged(contents, tmp_path / "forged.ckpt", config=config)) == (
        f"model.{side}.num_layers must be at most 1000, but is 1000000000: give fewer layers."
    )


def test_other_counts_that_ask_for_more_parts_than_there_are_weights_are_refused_at_once(contents, tmp_path):
    config = deepcopy(contents["config"])
    mogrifier = {"_target_": "seq2seq.layers.recurrent.cells.mogrifier.MogrifierLSTMCell", "_partial_": True}
    config["model"]["encoder"]["cell"] = {**mogrifier, "rounds": 10**9}
    assert "the weights have no place for as many" in refusal(forged(contents, tmp_path / "forged.ckpt", config=config))


KINDS_OF_NUMBERS = [torch.int32, torch.half, torch.bfloat16, torch.double, torch.complex64, torch.bool, torch.uint8]


@pytest.mark.parametrize("kind", KINDS_OF_NUMBERS)
def test_weights_of_another_kind_of_numbers_are_named(contents, tmp_path, kind):
    name = sorted(contents["weights"])[0]
    weights = {**contents["weights"], name: contents["weights"][name].to(kind)}
    path = forged(contents, tmp_path / "forged.ckpt", weights=weights)
    assert refusal(path) == f"model describes {name} as torch.float32, but the weights have {kind}."


@pytest.mark.parametrize(
    ("precision", "kind"), [("bf16-true", torch.bfloat16), ("16-true", torch.half), ("64-true", torch.double)]
)
def test_weights_of_the_precision_that_a_run_was_trained_in_are_read(contents, tmp_path, precision, kind):
    weights = {name: weight.to(kind) for name, weight in contents["weights"].items()}
    config = {**contents["config"], "precision": precision}
    found = load_run(forged(contents, tmp_path / "forged.ckpt", weights=weights, config=config)).model.state_dict()
    assert all(torch.equal(found[name], weight.float()) for name, weight in weights.items())


@pytest.mark.parametrize("part", ["weights", "state_dict", "optimizer_states"])
@pytest.mark.parametrize("kind", ["meta", "sparse"])
def test_tensors_without_numbers_and_those_that_are_not_dense_are_named(contents, tmp_path, part, kind):
    altered = deepcopy(contents)
    if part == "optimizer_states":
        state = altered[part][0]["state"][0]
        name, key = "optimizer_states.0.state.0.exp_avg", "exp_avg"
    else:
        state, key = altered[part], next(iter(altered[part]))
        name = f"{part}.{key}"
    state[key] = state[key].to("meta") if kind == "meta" else state[key].to_sparse()
    path = tmp_path / "forged.ckpt"
    torch.save(altered, path)
    rule = "a tensor with numbers, but has none" if kind == "meta" else "a dense tensor, but is not"
    assert refusal(path) == f"{path} is damaged, or was changed since it was written: {name} must be {rule}."


def test_tokenizers_that_are_none_are_one_line(contents, tmp_path):
    sides = {side: torch.arange(9, dtype=torch.uint8) for side in ("source", "target")}
    assert "cannot be built as it describes itself" in refusal(
        forged(contents, tmp_path / "forged.ckpt", tokenizers=sides)
    )


@pytest.mark.parametrize(("key", "value"), [("hidden_size", -4), ("num_layers", 0), ("dropout", 7.0), ("cell", None)])
def test_values_that_no_model_has_are_one_line(contents, tmp_path, key, value):
    config = deepcopy(contents["config"])
    config["model"]["decoder"][key] = value
    refusal(forged(contents, tmp_path / "forged.ckpt", config=config))
