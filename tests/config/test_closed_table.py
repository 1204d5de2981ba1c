"""What can be built is what stands in the table, and what the user's own word adds to it."""

import re
import sys

import pytest

from seq2seq.config.buildable import TABLE
from seq2seq.config.builder import build
from seq2seq.config.closed_table import find, find_function, trusting
from seq2seq.config.contract import check
from seq2seq.config.places import CONF
from seq2seq.errors import UserError

OWN = """
from seq2seq.layers.attention.dot import DotAttention
from os import getcwd
import os

class OwnAttention(DotAttention):
    pass

def attention(**options):
    raise AssertionError("called")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A package of the user's."""
    (tmp_path / "own_parts.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_parts"
    sys.modules.pop("own_parts", None)


def refusal(target, path: str = "model.attention") -> str:
    with pytest.raises(UserError) as error:
        find(target, path)
    return str(error.value)


def test_every_target_of_conf_is_in_the_table_and_all_of_ours_in_it_are_targets():
    named = {
        name for path in CONF.rglob("*.yaml") for name in re.findall(r"_target_:\s*([\w.]+)", path.read_text("utf-8"))
    }
    assert named - {"auto"} <= TABLE  # which data replace by one of it
    assert {name for name in TABLE if name.startswith("seq2seq.")} <= named


@pytest.mark.parametrize("name", sorted(TABLE))
def test_what_is_in_the_table_is_a_class_where_it_says(name):
    found = find(name, "part")
    assert isinstance(found, type)
    assert found.__name__ == name.rpartition(".")[2]


@pytest.mark.parametrize(
    "target", ["os.system", "builtins.eval", "pathlib.Path", "subprocess.Popen", "", ".", "a.", 7, None, ["os"]]
)
def test_what_is_not_in_the_table_is_refused_without_advice_to_trust_it(target):
    assert refusal(target).startswith("model.attention must be built by seq2seq, but its _target_ is ")
    assert "os" not in refusal(target).partition("trust=")[2]


@pytest.mark.parametrize(
    "target", ["seq2seq.data.examples.Example", "torch.hub.load", "torch.optim.adam.Adam", "seq2seq"]
)
def test_neighbours_of_what_is_in_the_table_are_not_in_it(target):
    assert "must be built by seq2seq" in refusal(target)


def test_a_class_of_the_user_is_built_where_its_package_is_trusted_and_nowhere_else(own):
    node = {"_target_": "own_parts.OwnAttention", "_partial_": True, "scaled": True}
    message = (
        "model.attention must be built by seq2seq, but its _target_ is 'own_parts.OwnAttention': "
        "if it is of your own code, add trust=[own_parts]."
    )
    for action in (lambda: build(node, "model.attention"), lambda: check({"model": {"attention": node}})):
        with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
            action()
    assert own not in sys.modules  # nothing was imported to find that out
    with trusting(["own_parts"]):
        check({"model": {"attention": node}})
        waiting = build(node, "model.attention")
    assert type(waiting(query_size=2, memory_size=2)).__name__ == "OwnAttention"  # it was found while that was open
    assert refusal("own_parts.OwnAttention") == message


@pytest.mark.parametrize(
    "target", ["own_parts.getcwd", "own_parts.os.system", "own_parts.attention", "own_parts.DotAttention"]
)
def test_only_its_own_classes_are_trusted(own, target):
    with trusting([own]):
        assert refusal(target) == f"model.attention must name classes of own_parts itself, but {target} is none."


@pytest.mark.parametrize("target", ["own_parts", "own_parts.Nothing", "own_parts.", "own_parts..x"])
def test_what_a_trusted_package_does_not_hold_is_one_line(own, target):
    with trusting([own]):
        assert refusal(target).startswith("model.attention ")
        assert "\n" not in refusal(target)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_parts.getcwd", "signals must name functions of own_parts itself, but own_parts.getcwd is none."),
        ("own_parts.OwnAttention", "signals must name functions of own_parts itself, but own_parts.OwnAttention is "),
        ("own_parts.Nothing", "signals has own_parts.Nothing, which cannot be found: "),
        ("other.late", "signals must be of packages that are trusted, but has other.late: if it is of your own code, "),
        ("seq2seq.errors.printable", "signals must be of packages that are trusted, but has seq2seq.errors.printable."),
    ],
)
def test_functions_are_found_by_the_same_rules(own, name, message):
    with trusting([own]), pytest.raises(UserError) as error:
        find_function(name, "signals")
    assert str(error.value).startswith(message)
    with trusting([own]):
        assert find_function("own_parts.attention", "signals").__name__ == "attention"


@pytest.mark.parametrize("name", ["os", "builtins", "subprocess", "", "a.b", "a b", 3, None])
def test_the_standard_library_and_what_is_no_package_cannot_be_trusted(name):
    rule = "^trust must hold names of packages with classes of your own, but holds "
    with pytest.raises(UserError, match=rule), trusting([name]):
        pass
