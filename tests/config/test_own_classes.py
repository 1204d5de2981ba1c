"""Classes of a user's own in the place of parts: of their options what it takes stays, and no `+` is guessed."""

import sys
from types import ModuleType

import pytest
from hydra import compose

from seq2seq.config.arguments import readable_arguments
from seq2seq.config.closed_table import trusting
from seq2seq.config.composing import composing
from seq2seq.config.contract import check_node, resolve, targets
from seq2seq.config.invocation import invocation, invoked
from seq2seq.config.keywords import called
from seq2seq.config.mistakes import in_one_line
from seq2seq.config.options import flat
from seq2seq.config.places import CONF
from seq2seq.errors import UserError
from seq2seq.runs.automatic import nominal


class Part:
    """A part with one option that no part of ours has, and one that some have."""

    def __init__(
        self, sharpness: float = 1.0, dropout: float = 0.5, lr: float = 1.0, warmup_steps: int = 7
    ) -> None: ...


class Any:
    """A part that hands on whatever it gets."""

    def __init__(self, **others: object) -> None: ...


class SameRate:
    """A part with the rate of ours."""

    def __init__(self, lr: float = 2e-3) -> None: ...


TRUST = "trust=[own_parts]"
TARGET = "own_parts.Part"
GROUPS = sorted(
    str(path.relative_to(CONF)).replace("/", ".")
    for path in [*CONF.iterdir(), *(CONF / "model").iterdir(), *(CONF / "model" / "cell").iterdir()]
    if path.is_dir()
)
NO_CLASSES = {
    "experiment",
    "hydra",
    "inference",
    "mode",
    "sizing",
    "space",
    "fusion",
    "rerank",
    "reset",
    "simultaneous",
}
NO_CLASSES |= {"watch", "trainer", "model"}
TABLES = ("callbacks", "logger", "metrics")
SLOTS = [group for group in GROUPS if group not in {*NO_CLASSES, *TABLES}]


@pytest.fixture(autouse=True)
def own_parts(monkeypatch):
    module = ModuleType("own_parts")
    for kind in (Part, Any, SameRate):
        setattr(module, kind.__name__, kind)
        monkeypatch.setattr(kind, "__module__", "own_parts")
    monkeypatch.setitem(sys.modules, "own_parts", module)


def config_of(*arguments):
    """The plain config that scripts/train.py runs with."""
    with invoked("train", arguments), in_one_line():
        with composing():
            config = compose("train", readable_arguments(list(arguments)))
        with trusting(config.trust):
            found = nominal(resolve(config))
            for name, node in targets(found):
                if node["_target_"] == TARGET:
                    check_node(name, node)
        return found


def added(argument):
    """What the sentence on an argument says to write."""
    with pytest.raises(UserError, match=r"write (.*)\.$") as refused:
        config_of(argument, TRUST)
    return str(refused.value).rpartition(": write ")[2].removesuffix(".").strip("'")


def own_nodes(config):
    return [node for _, node in targets(config) if node["_target_"] == TARGET]


@pytest.mark.parametrize("slot", SLOTS)
def test_a_class_in_any_place_gets_no_option_that_it_does_not_take(slot):
    with invoked("train", ()), composing():
        there = flat(resolve(compose("train"))) | {"model.cell": {}, "model.attention": {}, "model.input": {}}
    given = f"{slot}._target_={TARGET}"
    if there.get(slot) is None and not slot.startswith("model.cell."):
        given = added(given)
    nodes = own_nodes(config_of(given, TRUST))
    assert nodes
    assert all(set(node) <= {"_target_", "_partial_", "sharpness", "dropout", "lr", "warmup_steps"} for node in nodes)


def test_options_that_both_take_stay_as_they_were():
    config = config_of(f"optimizer._target_={TARGET}", f"schedule._target_={TARGET}", "sizing=none", TRUST)
    assert config["optimizer"] == {"_target_": TARGET, "_partial_": True, "lr": 2e-3}
    assert config["schedule"] == {"_target_": TARGET, "warmup_steps": 400}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ("optimizer._target_=own_parts.Part", "sizing=none"),
            "keeps lr=0.002 (its own: 1.0), and does not take betas, ",
        ),
        (
            ("optimizer._target_=own_parts.Part", "optimizer.lr=0.5"),
            "does not take betas, eps, fused of what stood there",
        ),
        (
            ("schedule._target_=own_parts.Part", "sizing=none"),
            "keeps warmup_steps=400 (its own: 7), and does not take ",
        ),
        (
            ("optimizer._target_=own_parts.Any", "sizing=none"),
            "keeps lr=0.002, betas=[0.9, 0.98], eps=1e-09, fused=True",
        ),
    ],
)
def test_what_a_class_keeps_of_what_stood_there_is_told_in_one_line(caplog, given, said):
    with caplog.at_level("INFO"):
        config_of(*given, TRUST)
    (line,) = [message for message in caplog.messages if "stood there" in message]
    assert line.startswith(f"{given[0].replace('._target_=', ': ')} {said}")
    assert line.endswith(" of what stood there")


def test_options_that_are_as_a_class_has_them_itself_are_not_told(caplog, monkeypatch):
    monkeypatch.setattr(sys.modules["own_parts"], "Part", SameRate)
    with caplog.at_level("INFO"):
        config_of(f"optimizer._target_={TARGET}", "sizing=none", TRUST)
    assert [message for message in caplog.messages if "keeps" in message] == []


def test_what_is_given_itself_is_refused_by_name():
    with pytest.raises(UserError, match=r"^optimizer\.eps is not an option of own_parts\.Part: it takes sharpness, "):
        config_of(f"optimizer._target_={TARGET}", "optimizer.eps=1e-3", TRUST)
    with pytest.raises(UserError, match=r"^model\.encoder\.cell\.regularization is not an option of own_parts\.Part"):
        config_of(f"model.cell._target_={TARGET}", "model.cell.regularization.zoneout_hidden=0.1", TRUST)


@pytest.mark.parametrize("slot", ["model.cell", "model.attention", "optimizer", "schedule", "callbacks.samples"])
def test_an_option_of_its_own_is_added_with_a_plus_as_the_sentence_says(slot):
    own = f"{slot}._target_={TARGET}"
    with pytest.raises(UserError) as refused:
        config_of(own, f"{slot}.sharpness=2", TRUST)
    assert str(refused.value) == (
        f"{slot}.sharpness is an option of own_parts.Part that the config leaves at its default: "
        f"write +{slot}.sharpness=..."
    )
    assert all(node["sharpness"] == 2 for node in own_nodes(config_of(own, f"+{slot}.sharpness=2", TRUST)))


@pytest.mark.parametrize("slot", ["model.cell", "optimizer", "schedule", "callbacks.samples"])
def test_a_class_may_come_with_its_options_at_once(slot):
    nodes = own_nodes(config_of(f"{slot}={{_target_:{TARGET},sharpness:2}}", TRUST))
    assert nodes
    assert all(node["sharpness"] == 2 for node in nodes)
    keywords = {slot: {"_target_": TARGET, "sharpness": 2}, "trust": ["own_parts"]}
    with called("train", keywords) as config, trusting(config.trust):
        assert own_nodes(nominal(resolve(config))) == nodes


@pytest.mark.parametrize("plus", ["", "+"])
@pytest.mark.parametrize(
    ("part", "right"),
    [
        ("logger", "+logger.own={_target_:own_parts.Part,_partial_:true}"),
        ("metrics", "+metrics.own._target_=own_parts.Part"),
        ("callbacks", "+callbacks.own._target_=own_parts.Part"),
    ],
)
def test_a_class_for_a_table_is_told_the_name_that_it_needs(part, right, plus):
    assert added(f"{plus}{part}._target_={TARGET}") == right
    assert added(f"{part}.own._target_={TARGET}") == right
    assert own_nodes(config_of(right, TRUST))


def test_classes_of_torch_are_in_the_place_of_ours_as_well():
    config = config_of("optimizer._target_=torch.optim.SGD", "+optimizer.momentum=0.9")
    assert config["optimizer"].keys() == {"_target_", "_partial_", "lr", "fused", "momentum"}


def test_who_is_not_trusted_is_told_as_ever():
    with invoked("train", given := [f"optimizer._target_={TARGET}"]), composing():
        config = resolve(compose("train", readable_arguments(given)))
    with pytest.raises(UserError, match=r"add trust=\[own_parts\]\.$"):
        check_node("optimizer", config["optimizer"])
    assert invocation().script != "train"
