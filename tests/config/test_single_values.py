"""A dict of a part's values is each of these by itself; a class, a table of one's own and a space are taken whole."""

import pytest

from seq2seq.commands.search import search
from seq2seq.config.arguments import readable_arguments
from seq2seq.config.composing import composing
from seq2seq.config.composition import composed
from seq2seq.config.invocation import supposed
from seq2seq.errors import UserError

CLASS = "{_target_:seq2seq.layers.attention.dot.DotAttention}"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("model={dropout:0.1}", ["model.dropout=0.1"]),
        (
            "model={encoder:{hidden_size:8,num_layers:2},dropout:0.1}",
            ["model.encoder.hidden_size=8", "model.encoder.num_layers=2", "model.dropout=0.1"],
        ),
        ("model={encoder.hidden_size:8}", ["model.encoder.hidden_size=8"]),
        ("budget={until:'07:30',max_steps:null}", ["budget.until=07:30", "budget.max_steps=null"]),
        ("saving={keep:[best,last]}", ["saving.keep=[best,last]"]),
        ("rates={encoder:0.1}", ["rates={encoder:0.1}"]),
        ("model={}", ["model={}"]),
    ],
)
def test_a_dict_is_its_values_one_by_one(argument, expected):
    with supposed("train", [argument]):
        assert readable_arguments([argument]) == expected


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("model={foo:1}", r"^The option 'model\.foo' does not exist: model has cell, "),
        ("budget={max_step:3}", r"^The option 'budget\.max_step' does not exist: did you mean 'budget\.max_steps'\?$"),
        ("objective={alpha:1}", r"^The option 'objective\.alpha' needs objective=minimum_risk or objective=r_drop\.$"),
        (
            "model={cell:gru}",
            r"^model\.cell must be options of its own, such as .* by model/cell=NAME",
        ),
        (
            "callbacks={early_stopping:{patience:3}}",
            r"^The option 'callbacks\.early_stopping\.patience' needs callbacks=",
        ),
        ("averaging={kind:ema,foo:1}", r"^The option 'averaging\.foo' does not exist"),
    ],
)
def test_a_mistake_in_a_dict_is_that_of_the_value(argument, message):
    with composing(), pytest.raises(UserError, match=message):
        composed("train", ["experiment=reverse", argument])


def test_a_name_that_reads_as_a_number_is_quoted():
    with (
        supposed("train", []),
        pytest.raises(UserError, match=r"^data\.dev must be in quotes in a dict, as"),
    ):
        readable_arguments(["data=tsv", "data={dev:1.10}"])
    with supposed("train", []):
        assert readable_arguments(["data=tsv", "data={dev:'1.10'}"]) == ["data=tsv", "data.dev='1.10'"]


@pytest.mark.parametrize("group", ["optimizer", "schedule", "objective", "text"])
def test_what_was_read_already_is_read_alike_again(group):
    given = f"{group}={{_target_:seq2seq.data.text.TextForm,form:nfc}}"
    with supposed("train", [given]):
        first = readable_arguments([given])
        assert first == [f"++{given}"]
        assert readable_arguments(first) == first


def test_a_space_of_ones_own_stands_alone():
    with supposed("search", []), pytest.raises(UserError, match=r"^space=cells must not be given beside a space of "):
        readable_arguments(["space={optimizer.lr:[0.1,0.2]}", "space=cells"])


def test_a_class_in_a_dict_takes_the_place_of_the_part():
    with composing():
        whole = composed("train", ["experiment=reverse", f"model.decoder.attention={CLASS}"])
        inner = composed("train", ["experiment=reverse", f"model={{decoder:{{attention:{CLASS}}}}}"])
    assert inner["model"] == whole["model"]
    assert inner["model"]["decoder"]["attention"]["_target_"].endswith("DotAttention")


def test_a_space_of_ones_own_takes_the_place_of_the_usual_one(config_of, tmp_path):
    with supposed("search", ["space={optimizer.lr:[0.1,0.2]}"]):
        read = readable_arguments(["space={optimizer.lr:[0.1,0.2]}"])
    assert read == ["space=none", "++space={optimizer.lr:[0.1,0.2]}"]
    assert config_of("search", *read).space == {"optimizer.lr": [0.1, 0.2]}


def test_no_space_is_told(config_of, tmp_path):
    with pytest.raises(UserError, match=r"^space must name options and their values, but is empty: choose one by "):
        list(search(config_of("search", "space=none", f"folder={tmp_path}")))
