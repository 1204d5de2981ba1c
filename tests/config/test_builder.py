from collections import OrderedDict
from functools import partial

import pytest
import torch

from seq2seq.config.builder import as_overridden, build, told_at
from seq2seq.errors import UserError
from seq2seq.layers.attention.local import LocalAttention
from seq2seq.models.decoder import LuongDecoder

LOCAL = {"_target_": "seq2seq.layers.attention.local.LocalAttention", "_partial_": True, "window": 0}


def refusal(action) -> str:
    with pytest.raises(UserError) as error:
        action()
    return str(error.value)


def test_an_option_that_the_script_gives_too_is_refused():
    made = build({"_target_": "seq2seq.training.budget.Budget", "_partial_": True, "max_steps": 1}, "budget")
    with pytest.raises(UserError) as error:
        made(max_steps=2)
    assert str(error.value) == "budget.max_steps is set by the script: leave it out."


def test_a_constructor_names_its_parameter_and_the_edge_the_option():
    assert refusal(lambda: LocalAttention(query_size=2, memory_size=2, window=0)) == (
        "window must be at least 1, but is 0."
    )
    waiting = build(LOCAL, "model.attention")
    assert refusal(lambda: waiting(query_size=2, memory_size=2)) == (
        "model.attention.window must be at least 1, but is 0."
    )


def test_the_innermost_node_tells_the_path_once():
    class Outer:
        def __init__(self, *, attention, window: int = 3) -> None:
            attention(query_size=2, memory_size=2)

    outer = build({"attention": LOCAL}, "model.decoder")["attention"]
    with pytest.raises(UserError) as error, told_at("model.decoder", Outer):
        Outer(attention=outer)
    assert str(error.value) == "model.attention.window must be at least 1, but is 0."


def test_what_is_no_option_of_the_target_stays_as_it_is():
    node = {"_target_": "seq2seq.layers.attention.dot.DotAttention", "_partial_": True}
    found = refusal(lambda: build(node, "model.attention")(query_size=2, memory_size=3))
    assert found.startswith("Dot attention needs queries as wide as the memory")


def test_a_file_that_is_named_like_a_parameter_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.tsv").write_text("a\n", encoding="utf-8")
    corpus = build({"_target_": "seq2seq.data.corpora.tsv.TSVCorpus", "train": "train.tsv"}, "data")
    with pytest.raises(UserError) as error, told_at("data", type(corpus)):
        corpus.load()
    assert str(error.value).startswith("train.tsv, line 1 must be ")


def test_children_are_built_and_plain_values_stay():
    node = {
        "_target_": "seq2seq.decoding.search.beam.BeamSearch",
        "beam_size": 3,
        "ranking": {"_target_": "seq2seq.decoding.ranking.GNMTRanking", "alpha": 0.5},
    }
    search = build({"parts": [node, 7, None]}, "some")["parts"]
    assert (search[0].width, search[0].ranking.alpha, search[1:]) == (3, 0.5, [7, None])
    node["ranking"] = {"_target_": "seq2seq.decoding.ranking.CoveragePenalty", "beta": -1.0}
    assert refusal(lambda: build(node, "decoding")) == "decoding.ranking.beta must be at least 0, but is -1.0."


def test_options_of_other_libraries_are_the_users_too():
    node = {"_target_": "torch.optim.Adam", "_partial_": True, "fused": True, "foreach": True}
    found = refusal(lambda: build(node, "optimizer")([torch.nn.Parameter(torch.ones(1))]))
    assert found == "optimizer cannot be built: `fused` and `foreach` cannot be `True` together."


def test_a_fault_of_ours_keeps_its_own_error():
    waiting = build({"_target_": "seq2seq.decoding.ranking.GNMTRanking", "_partial_": True}, "ranking")
    with pytest.raises(TypeError):
        waiting(1.0, 2.0, 3.0)
    assert waiting(alpha=0.5).alpha == 0.5


def test_an_option_that_is_missing_is_named():
    assert refusal(lambda: build({"_target_": "seq2seq.data.corpora.tsv.TSVCorpus"}, "data")) == (
        "data.train must be given, but is missing."
    )
    model = {"_target_": "seq2seq.models.seq2seq.Seq2Seq", "_partial_": True}
    assert refusal(lambda: build(model, "model")(source_vocabulary_size=3)).startswith("model.")


@pytest.mark.parametrize(
    "value", [(1,), {1}, b"a", 1j, OrderedDict(), torch.zeros(1), torch.Size([1]), torch.float32, range(2)]
)
@pytest.mark.parametrize("place", [lambda value: value, lambda value: [value], lambda value: {"a": {"b": [value]}}])
def test_only_plain_values_are_built(value, place):
    node = {"_target_": "seq2seq.decoding.ranking.GNMTRanking", "alpha": place(value)}
    for built in (node, {"part": [node]}, place(value)):
        found = refusal(lambda built=built: build(built, "part"))
        assert "must be a plain value of a config, but is of type " in found or "alpha must be float, but is " in found


@pytest.mark.parametrize("value", ["${oc.env:HOME}", "a ${b} c", "${oc.create:'{_target_: os.getcwd}'}"])
def test_references_are_not_followed(value):
    for node in (value, [value], {"a": value}, {"_target_": "seq2seq.data.text.TextForm", "form": value}):
        assert "must be a value that refers to no other" in refusal(lambda node=node: build(node, "part"))


def test_keys_are_texts():
    assert refusal(lambda: build({1: 2}, "part")) == "part must have texts as keys, but has [1]."


@pytest.mark.parametrize(
    ("path", "overridden"),
    [
        ("model.decoder.attention", "model.attention"),
        ("model.encoder.cell.initialization", "model.cell.initialization"),
        ("model.encoder", "model.encoder"),
        ("model.decoder.dropout", "model.decoder.dropout"),
        ("data", "data"),
    ],
)
def test_parts_of_both_sides_are_overridden_once_for_the_model(path, overridden):
    assert as_overridden(path) == overridden


def test_a_partial_of_a_decoder_takes_built_parts():
    attention = build({**LOCAL, "window": 2}, "model.attention")
    assert partial(LuongDecoder, attention=attention).keywords["attention"] is attention
    assert attention(query_size=2, memory_size=2).window == 2
