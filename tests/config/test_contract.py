"""Configs against the signatures that they target."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue

from seq2seq.config.contract import check, check_type, plain, resolve, targets
from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Attention
from seq2seq.models.waiting import WaitK
from seq2seq.runs.automatic import nominal

SCHEDULE = "seq2seq.training.schedules.CosineSchedule"
NGRAMS = "seq2seq.layers.embedding.NGramEmbedding"


class Table(TypedDict):
    """A mapping of one's own."""

    pace: int


def refusal(config) -> str:
    with pytest.raises(UserError) as error:
        check(config)
    return str(error.value)


def test_a_whole_training_config_keeps_the_contract(tiny_config):
    check(tiny_config())


def test_an_option_that_the_target_does_not_take():
    assert refusal({"schedule": {"_target_": SCHEDULE, "finale": 0.1}}) == (
        f"schedule.finale is not an option of {SCHEDULE}: it takes warmup_steps, final."
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("warmup_steps", "ten", "int, but is 'ten'."),
        ("warmup_steps", 1.5, "int, but is 1.5."),
        ("warmup_steps", None, "int, but is None."),
        ("final", "low", "float, but is 'low'."),
        ("final", [0.1], "float, but is [0.1]: give one of them."),
    ],
)
def test_a_value_of_another_type(key, value, said):
    config = {"a": {"schedule": {"_target_": SCHEDULE, key: value}}}
    assert refusal(config) == f"a.schedule.{key} must be {said}"


def test_a_whole_number_is_a_float_too():
    check({"schedule": {"_target_": SCHEDULE, "final": 1}})


def test_lists_stand_for_tuples():
    check({"optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "betas": [0.9, 0.98]}})
    check({"ngrams": {"_target_": NGRAMS, "_partial_": True, "windows": [[1, 0], [0, 1]]}})
    assert refusal({"ngrams": {"_target_": NGRAMS, "_partial_": True, "windows": [["a"]]}}).startswith(
        "ngrams.windows must be "
    )


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Sequence[str], "ab"),
        (Sequence[str], ""),
        (Sequence[str] | None, "ab"),
        (Iterable[str], "a b"),
        (tuple[str, ...], "ab"),
        (list[str], "ab"),
    ],
)
def test_a_text_is_no_list_of_texts(annotation, value):
    with pytest.raises(UserError) as error:
        check_type("x.y", value, annotation)
    assert str(error.value) == f"x.y must be a list, but is {value!r}: write [{value}]."
    check_type("x.y", [value], annotation)
    check_type("x.y", (value,) if annotation != list[str] else [value], annotation)


@pytest.mark.parametrize("value", [["ab"], "ab", [["a"], "b"]])
def test_a_text_is_no_list_within_lists_either(value):
    with pytest.raises(UserError, match=r"^x must be "):
        check_type("x", value, Sequence[Sequence[str]])
    check_type("x", [["ab"], ()], Sequence[Sequence[str]])
    check_type("x", "ab", Sequence[str] | str)  # where it may be one


def test_every_list_in_the_configs_refuses_a_text(tiny_config):
    with pytest.raises(UserError, match=r"^tokenizer\.symbols must be a list, but is '%s': write \[%s\]\.$"):
        check(tiny_config("tokenizer.symbols='%s'"))


def test_nodes_in_nodes_and_lists_are_found_with_their_paths():
    inner = {"_target_": "b", "x": 1}
    config = {"one": {"_target_": "a", "deep": {"two": inner}}, "three": [inner, {"four": [inner]}], "five": 5}
    assert [(path, node["_target_"]) for path, node in targets(config)] == [
        ("one", "a"),
        ("one.deep.two", "b"),
        ("three[0]", "b"),
        ("three[1].four[0]", "b"),
    ]


def test_a_mistake_in_a_list_is_found():
    nodes = [{"_target_": SCHEDULE}, {"_target_": SCHEDULE, "final": "low"}]
    assert refusal({"all": nodes}) == "all[1].final must be float, but is 'low'."


def test_what_a_node_builds_for_another_is_not_its_concern():
    check({"model": {"_target_": "seq2seq.models.seq2seq.Seq2Seq", "encoder": {"_target_": SCHEDULE, "final": 0.5}}})


def test_a_resolved_config_is_plain_and_says_nothing_of_the_invocation(config_of, tiny_run):
    config = resolve(config_of("train", *tiny_run, "model.dropout=0.25", "seed=7", "run_dir=here"))
    assert "run_dir" not in config
    assert "resume" not in config
    assert config["model"]["encoder"]["dropout"] == config["model"]["decoder"]["dropout"] == 0.25
    assert config["batches"]["seed"] == 7
    assert not {"cell", "attention", "ngrams"} & set(config["model"])
    assert config["model"]["decoder"]["cell"]["_target_"] == "seq2seq.layers.recurrent.cells.lstm.LSTMCell"
    assert OmegaConf.to_yaml(config) == OmegaConf.to_yaml(resolve(OmegaConf.create(config)))


def test_a_value_that_must_be_given_is_missed(config_of):
    with pytest.raises(MissingMandatoryValue):
        resolve(config_of("train", "data=tsv"))


@pytest.mark.parametrize("key", ["embedding_size", "encoder.hidden_size", "decoder.feature_size", "encoder.num_layers"])
@pytest.mark.parametrize("size", [0, -4])
def test_sizes_are_at_least_one(config_of, key, size):
    with pytest.raises(UserError) as error:
        check(nominal(resolve(config_of("train", f"model.{key}={size}"))))
    assert str(error.value) == f"model.{key} must be at least 1, but is {size}."


@pytest.mark.parametrize("number", [".nan", "nan", ".inf", "-inf"])
@pytest.mark.parametrize(
    ("script", "option"),
    [
        ("train", "budget.max_minutes"),
        ("train", "decoding.length.max_ratio"),
        ("train", "gradients.max_norm"),
        ("train", "saving.every_minutes"),
        ("train", "optimizer.lr"),
        ("train", "optimizer.betas"),
        ("train", "trainer.val_check_interval"),
        ("translate", "decoding.length.max_ratio"),
    ],
)
def test_no_number_of_a_config_is_other_than_finite(config_of, script, option, number):
    shown = float(number.replace(".", ""))
    typed = f"{option}=[0.9,{shown}]" if option.endswith("betas") else f"{option}={shown}"
    given = ["run=x"] if script == "translate" else ["sizing=none", "tokenizer=char"]
    with pytest.raises(UserError) as error:
        check((plain if script == "translate" else resolve)(config_of(script, *given, typed)))
    value = [0.9, shown] if option.endswith("betas") else shown
    assert str(error.value) == f"{option} must be a finite number, but is {value}."


@pytest.mark.parametrize(
    "option", ["budget.max_steps", "budget.max_minutes", "optimizer.lr", "trainer.val_check_interval", "model.dropout"]
)
@pytest.mark.parametrize("switch", [True, False])
def test_a_switch_is_no_number(config_of, option, switch):
    with pytest.raises(UserError) as error:
        check(resolve(config_of("train", "sizing=none", "tokenizer=char", f"{option}={switch}")))
    assert str(error.value).startswith(f"{option} must be ")
    assert str(error.value).endswith(f", but is {switch}.")


def test_a_switch_is_a_switch():
    for annotation in (bool, bool | None, Any, object, int | bool | str):
        check_type("it", True, annotation)


@pytest.mark.parametrize("annotation", [int, float, str, bool, int | None, Sequence[str], tuple[float, float] | None])
def test_a_table_is_no_number_and_no_text(annotation):
    with pytest.raises(UserError, match=r"^it must be .*, but is \{'a': 1\}\.$"):
        check_type("it", {"a": 1}, annotation)


@pytest.mark.parametrize("annotation", [dict, Mapping[str, int], Any, object, Mapping[str, Any] | None])
def test_a_table_is_one_where_it_may_be(annotation):
    check_type("it", {"a": 1}, annotation)
    check_type("it", {"_target_": "x"}, int)  # which is built first


@pytest.mark.parametrize("annotation", [WaitK | None, Callable[..., Attention], Callable[..., Attention] | None])
def test_options_without_a_class_are_refused_where_there_must_be_one(annotation):
    with pytest.raises(UserError) as error:
        check_type("model.waiting", {"pace": 2}, annotation)
    assert str(error.value) == (
        "model.waiting must have a class, whose options these are, but is {'pace': 2}: choose one first."
    )


@pytest.mark.parametrize("annotation", [dict[str, WaitK], Table, Table | None])
def test_a_table_needs_no_class(annotation):
    check_type("x", {"pace": 2}, annotation)
