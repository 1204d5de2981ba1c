"""A run in fewer bits is a run like others."""

import json
from copy import deepcopy

import pytest
import torch

from seq2seq.commands.compress import compress
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.train import train
from seq2seq.compression import prepared
from seq2seq.compression.prepared import computes_int8
from seq2seq.compression.product_library import Products
from seq2seq.compression.stored import stored
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import read_checkpoint, sealed
from seq2seq.runs.run import load_run
from seq2seq.runs.run_folder import open_run_folder

pytestmark = pytest.mark.processor


@pytest.fixture(scope="module")
def compact(finished, config_of, tmp_path_factory):
    """The finished run in 8 bits, its record, and what the file holds; every product is large enough for int8."""
    out = tmp_path_factory.mktemp("compact") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared, "_SMALL", 0)
        record = compress(config_of("compress", f"run={finished}", "to=int8", f"out={out}"))
    return out, record, torch.load(out / "checkpoints" / "best.ckpt", weights_only=True)


def weights(path):
    return load_run(path).model.state_dict()


def test_weights_are_those_of_the_run_rounded_by_row(finished, compact):
    out, _, contents = compact
    wanted = stored(read_checkpoint(finished / "checkpoints" / "best.ckpt")["weights"], lambda name: "int8")
    assert all(torch.equal(contents["weights"][name], weight) for name, weight in wanted.weights.items())
    now, before = weights(out), weights(finished)
    for name, rows in contents["limits"].items():
        assert contents["weights"][name].dtype is torch.int8
        moved = (now[name] - before[name]).abs().flatten(1).amax(1)
        assert (moved <= rows / 254 * 1.0001).all()
    assert any(not torch.equal(now[name], before[name]) for name in now)
    assert now["output.weight"].data_ptr() == now["decoder.embedding.table.weight"].data_ptr()


def test_a_record_has_scores_before_and_after_and_of_int8_products(compact):
    out, record, contents = compact
    products = {"int8 products"} if computes_int8() else set()
    assert record["scores"].keys() == {"before", "after"} | products
    assert json.loads((out / "metrics.json").read_text())["scores"] == record["scores"]["after"]
    assert 2.5 < record["bytes"]["before"] / record["bytes"]["after"] < 4  # of rows so short, limits and biases count
    assert record["bytes"]["file"] == (out / "checkpoints" / "best.ckpt").stat().st_size
    assert contents["ranges"] == record["ranges"]
    assert products == set() or "decoder.readout.projection" in record["ranges"]


@pytest.mark.needs_int8
def test_int8_products_have_the_ranges_of_the_run(compact, monkeypatch):
    monkeypatch.setattr(prepared, "_SMALL", 0)
    out, record, _ = compact
    packed, name = load_run(out).stepper(Products("int8")), "decoder.readout.projection"
    assert packed.decoder.readout.projection.product.limit == record["ranges"][name]


@pytest.mark.parametrize(
    ("overrides", "matrix", "table"),
    [
        (["to=float16"], torch.float16, torch.float16),
        (["to=float16", "tables=int8"], torch.float16, torch.int8),
        (["to=float32", "tables=int8"], torch.float32, torch.int8),
    ],
)
def test_tables_have_a_form_of_their_own(finished, config_of, tmp_path, overrides, matrix, table):
    out = tmp_path / "out"
    compress(config_of("compress", f"run={finished}", f"out={out}", *overrides))
    found = torch.load(out / "checkpoints" / "best.ckpt", weights_only=True)["weights"]
    assert found["decoder.readout.projection.weight"].dtype is matrix
    assert found["encoder.input.embedding.table.weight"].dtype is table
    assert found["output.weight"].dtype is table
    assert found["output.weight"].data_ptr() == found["decoder.embedding.table.weight"].data_ptr()
    assert all(weight.dtype is torch.float32 for weight in weights(out).values() if weight.is_floating_point())


def test_whatever_takes_a_run_takes_it(compact, config_of, tiny_config, tmp_path):
    out, record, _ = compact
    assert evaluate_run(config_of("evaluate", f"run={out}", "split=dev"))["scores"] == record["scores"]["after"]
    started = tmp_path / "started"
    started.mkdir()
    train(tiny_config("budget.max_steps=1", "trainer.val_check_interval=1", f"init={out}"), started, resume=False)
    again = compress(config_of("compress", f"run={out}", f"out={tmp_path / 'again'}"))
    assert again["scores"]["before"] == again["scores"]["after"] == record["scores"]["after"]


def test_it_cannot_go_on_where_it_stopped(compact, config_of):
    out, *_ = compact
    with pytest.raises(UserError, match=f"^resume=true needs a run that was trained.* by init={out}.$"):
        open_run_folder(config_of("train", f"run_dir={out}", "resume=true"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["to=int4"], "to must be one of float32, float16, int8, but is 'int4'."),
        (["tables=int4"], "tables must be one of float32, float16, int8, but is 'int4'."),
        (["vocabulary=some"], "vocabulary must be one of all, used, but is 'some'."),
        (["lines=a.tsv"], "lines has no effect with vocabulary=all, but is a.tsv: add vocabulary=used."),
        (["to=float32"], "to must be float16 or int8 where tables stay in float32, too: nothing else is made smaller."),
        (["run=[{run},{run}]"], "run must be one run, as each of an ensemble is kept by itself: compress one by one."),
        (["out={run}"], "out={run} must be a new or empty folder, but is not: choose another"),
    ],
)
def test_a_mistake_is_one_line(finished, config_of, tmp_path, overrides, message):
    given = [text.format(run=finished) for text in overrides]
    with pytest.raises(UserError) as error:
        compress(config_of("compress", f"run={finished}", f"out={tmp_path / 'out'}", *given))
    assert str(error.value).startswith(message.format(run=finished))
    assert not (tmp_path / "out").exists()


def _drop(contents, *names):
    contents["limits"] = {name: rows for name, rows in contents["limits"].items() if name not in names}


_NAME = "output.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: own["compact"].update(to="int4"), "compact must name forms among float32, float16, int8, but"),
        (lambda own: own.update(compact=None), "compact must name the forms of weights and tables, but does not"),
        (lambda own: own.update(limits=3), "limits must be a dict, but is not"),
        (lambda own: _drop(own, _NAME), f"limits.{_NAME} must be there where, and only where, weights.{_NAME} is of"),
        (lambda own: own["limits"].update({_NAME: torch.ones(2)}), f"limits.{_NAME} must have a number of float32 for"),
        (lambda own: own["limits"][_NAME].fill_(-1), f"limits.{_NAME} must be finite and at least 0, but is not"),
        (lambda own: own["limits"][_NAME].fill_(float("nan")), f"limits.{_NAME} must be finite and at least 0, but"),
        (lambda own: own["weights"].update({_NAME: own["weights"][_NAME].bfloat16()}), f"weights.{_NAME} must be of"),
        (lambda own: own["ranges"].update(made_up=float("inf")), "ranges must be finite numbers of at least 0 by"),
        (lambda own: own.update(ranges=None), "ranges must be finite numbers of at least 0 by product, but are not"),
    ],
)
def test_what_cannot_be_widened_is_one_line(compact, tmp_path, change, message):
    contents = deepcopy(compact[2])
    change(contents)
    torch.save(sealed(contents), path := tmp_path / "forged.ckpt")
    with pytest.raises(UserError) as error:
        load_run(path)
    assert str(error.value).startswith(f"{path} is damaged, or was changed since it was written: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", ["weights", "limits"])
def test_one_bit_is_noticed(compact, tmp_path, part):
    contents = deepcopy(compact[2])
    contents[part][_NAME].view(-1).view(torch.uint8)[0] ^= 1
    torch.save(contents, tmp_path / "altered.ckpt")
    with pytest.raises(UserError, match=f"{part}.*is not what was written"):
        load_run(tmp_path / "altered.ckpt")


def test_a_file_of_a_later_format_is_told(compact, tmp_path):
    torch.save(sealed(deepcopy(compact[2]) | {"format": 9}), path := tmp_path / "later.ckpt")
    with pytest.raises(UserError, match="is a checkpoint of format 9, but this version reads up to 4"):
        load_run(path)


def test_pieces_that_never_occur_lose_their_rows(finished, config_of, tmp_path):
    source = load_run(finished).tokenizers.source
    first, second = source.pieces([5, 6])
    (tmp_path / "few.tsv").write_text(f"{first} {second}\t{second} {first}\n".replace("▁", ""), encoding="utf-8")
    given = f"run={finished}", "to=float32", "vocabulary=used", f"file={tmp_path / 'few.tsv'}"
    record = compress(config_of("compress", *given, f"lines={tmp_path / 'few.tsv'}", f"out={tmp_path / 'out'}"))
    before, after = record["pieces"]["source"]
    assert after < before
    small = load_run(tmp_path / "out")
    assert (
        small.tokenizers.source.size
        == after
        == small.model.state_dict()["encoder.input.embedding.table.weight"].shape[0]
    )
    assert record["bytes"]["after"] < record["bytes"]["before"]
    everything = compress(config_of("compress", *given[:3], f"out={tmp_path / 'all'}"))
    assert everything["scores"]["before"] == everything["scores"]["after"]
