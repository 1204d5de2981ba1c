import pytest
from hydra.utils import get_object

from seq2seq.config.moved import _TARGETS, up_to_date
from seq2seq.decoding.search.greedy import GreedySearch

OLD = {
    "decoding": {"_target_": "seq2seq.decoding.greedy.GreedySearch", "length": None},
    "parts": [{"_target_": "torch.optim.Adam", "betas": [0.9, 0.98]}],
    "note": "seq2seq.decoding.greedy.GreedySearch",
}


def test_targets_of_before_are_found_and_all_else_stays():
    found = up_to_date(OLD)
    assert get_object(found["decoding"]["_target_"]) is GreedySearch
    assert found["parts"] == OLD["parts"]
    assert found["note"] == OLD["note"]
    assert up_to_date(found) == found


@pytest.mark.parametrize(("old", "new"), _TARGETS.items())
def test_what_moved_is_no_longer_there_and_stands_elsewhere(old, new):
    get_object(new)
    if not old.startswith("seq2seq."):
        return  # another library's, which is still there
    with pytest.raises(ImportError):
        get_object(old)


def test_hashes_of_before_stay_unmixed():
    ngrams = {"_target_": "seq2seq.layers.embedding.NGramEmbedding", "_partial_": True, "windows": [[1, 0]]}
    target = {"_target_": "seq2seq.models.encoder.Encoder"}
    found = up_to_date({"model": {"encoder": target | {"ngrams": ngrams, "front_end": None}}})
    assert {"ngrams", "front_end"}.isdisjoint(found["model"]["encoder"])
    assert found["model"]["encoder"]["input"]["ngrams"] == ngrams | {"mixed": False}
    of_now = {"model": {"encoder": target | {"input": {"ngrams": ngrams | {"mixed": True}}}}}
    assert up_to_date(of_now)["model"] == of_now["model"]


def test_rows_of_before_stay_by_themselves():
    rows = {"_target_": "seq2seq.data.corpora.hub.DatasetsCorpus", "name": "json"}
    assert up_to_date({"data": rows})["data"] == rows | {"in_order": True}
    mixed = {"_target_": "seq2seq.data.corpora.mixture.MixtureCorpus", "parts": {"own": rows}}
    assert up_to_date({"data": mixed})["data"]["parts"]["own"] == rows | {"in_order": True}
    assert up_to_date({"data": rows | {"in_order": False}})["data"]["in_order"] is False


@pytest.mark.parametrize("kind", ["csv_frames.CSVFrameCorpus", "parquet_frames.ParquetFrameCorpus"])
def test_tables_of_before_keep_columns_without_a_name(kind):
    data = {"_target_": f"seq2seq.data.corpora.{kind}", "features": None}
    assert up_to_date({"data": data})["data"] == data | {"unnamed": True}
    assert up_to_date({"data": data | {"unnamed": False}})["data"]["unnamed"] is False


def test_options_of_before_have_their_names_of_now():
    old = {"objective": {"coverage": 1.0}, "decoding": {"coverage": {"beta": 0.2}}, "scheduled_sampling": None}
    assert up_to_date(old) == {
        "objective": {"coverage_loss": 1.0},
        "decoding": {"coverage_penalty": {"beta": 0.2}},
        "scheduled_sampling": None,
    }
    assert old["objective"] == {"coverage": 1.0}


def test_a_run_of_before_takes_text_in_the_default_form():
    form = {"_target_": "seq2seq.data.text.TextForm", "form": "nfc"}
    assert up_to_date({"data": None}) == {"data": None, "text": form}
    assert up_to_date({"data": None, "text": {**form, "form": "none"}})["text"]["form"] == "none"


@pytest.mark.parametrize(
    ("trainer", "gradients"),
    [
        ({"gradient_clip_val": 2}, {"_target_": "seq2seq.training.gradients.clip_by_norm.ClipByNorm", "max_norm": 2.0}),
        (
            {"gradient_clip_val": 0.5, "gradient_clip_algorithm": "value"},  # the norm was clipped nevertheless
            {"_target_": "seq2seq.training.gradients.clip_by_norm.ClipByNorm", "max_norm": 0.5},
        ),
        ({}, None),
        ({"gradient_clip_val": None}, None),
    ],
)
def test_clipping_was_the_trainer_s(trainer, gradients):
    assert up_to_date({"trainer": {"devices": 1, **trainer}}) == {"trainer": {"devices": 1}, "gradients": gradients}


def test_runs_of_before_multiply_in_float32():
    assert up_to_date({"budget": {"max_steps": 1}})["matmul_precision"] == "highest"
    assert up_to_date({"budget": {"max_steps": 1}, "matmul_precision": "high"})["matmul_precision"] == "high"


@pytest.mark.parametrize(("kind", "name"), [("TensorBoardLogger", "tensorboard"), ("CSVLogger", "csv")])
def test_there_was_one_logger(kind, name):
    old = {"_target_": f"pytorch_lightning.loggers.{kind}", "_partial_": True, "name": "x"}
    board = up_to_date({"logger": {name: old}})["logger"][name]
    assert board["_target_"].endswith(f".{kind}")
    assert up_to_date({"logger": old}) == {"logger": {name: board}}
    assert up_to_date({"logger": {name: board}}) == {"logger": {name: board}}
    assert up_to_date({"logger": None}) == {"logger": None}


def test_a_logger_of_one_s_own_keeps_its_options():
    board = {"_target_": "mine.Logger", "_partial_": True}
    assert up_to_date({"logger": board}) == {"logger": {"own": board}}
