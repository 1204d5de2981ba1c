"""Numbers that are not finite are found, and are no JSON."""

import ast
import json
from pathlib import Path

import pytest
import torch

from seq2seq.finite import listed, not_finite, strict_json

ROOT = Path(__file__).parents[1]


def test_tensors_that_are_not_finite_are_named():
    tensors = {"good": torch.ones(2), "inf": torch.tensor([1.0, float("inf")]), "nan": torch.tensor(float("nan"))}
    assert not_finite(tensors) == ["inf", "nan"]


@pytest.mark.parametrize(
    ("count", "expected"), [(0, ""), (2, "0, 1"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more"), (9, "0, 1, 2 and 6 more")]
)
def test_a_few_names_are_listed_and_the_others_counted(count, expected):
    assert listed([str(number) for number in range(count)]) == expected


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def test_json_has_null_for_what_is_no_finite_number():
    value = {"a": [1.5, float("nan"), (float("-inf"), "NaN")], "b": float("inf"), "c": None, "d": 3}
    read = json.loads(strict_json(value), parse_constant=refuse)
    assert read == {"a": [1.5, None, [None, "NaN"]], "b": None, "c": None, "d": 3}


def test_all_json_is_written_strictly():
    """json.dumps would write NaN, which no other program reads."""
    lenient = []
    for path in [*(ROOT / "seq2seq").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("json.dumps", "json.dump"):
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
                if options.get("allow_nan") != "False":
                    lenient.append(str(path.relative_to(ROOT)))
    assert lenient == []
