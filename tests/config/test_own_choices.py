"""The options that a stored config was made with are found in it again."""

import pytest

from seq2seq.config.options import flat
from seq2seq.config.own_choices import own_choices
from seq2seq.config.places import CONF

GROUPS = ["data", "tokenizer", "model", "model/input", "model/front_end", "callbacks", "trainer", "logger", "metrics"]
MISSING = {
    "json": ("train", "source", "target"),
    "hub": ("name", "source", "target"),
    "tsv": ("train",),
    "pairs": ("train",),
    "text": ("train",),
    "npz": ("train",),
    "ts": ("train",),
    "csv_frames": ("train",),
    "parquet_frames": ("train",),
    "wav": ("train",),
    "lines": ("train",),
    "run": ("run",),
}
PACE = "model.waiting.pace=1"
NEEDED = dict.fromkeys(("multi30k_de_en", "pronalsyl", "pronalsyl_transducer"), "folder=x")
NEEDED |= dict.fromkeys(("language_model", "forecast"), "data.train=x")
MISSING |= {"parquet": MISSING["json"], "parallel": MISSING["json"]}


@pytest.fixture
def stored(plain_config_of):
    """A config as a run stores it, by dotted key."""
    return lambda *overrides: flat(plain_config_of("train", *overrides))


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_is_found_in_what_it_made(stored, group):
    for path in sorted((CONF / group).glob("*.yaml")):
        given = [f"{group}.{key}=x" for key in MISSING.get(path.stem, ())]
        given += ["sizing=none"] * (path.stem == "language_model")  # whose sizes do not follow from pairs
        assert own_choices(group, stored(f"{group}={path.stem}", *given)) == [path.stem]


@pytest.mark.parametrize(
    ("group", "option", "changes"),
    [
        ("tokenizer", "bpe", ["tokenizer.source_size=77", "tokenizer.target_size=77"]),
        ("data", "reverse", ["data.train_size=9", "data.dev_size=9", "data.alphabet_size=4"]),
        ("callbacks", "early_stopping", ["callbacks.early_stopping.patience=2", "callbacks.samples=null"]),
        ("model/cell", "elman_relu", ["model.cell.regularization.zoneout_hidden=0.5"]),
    ],
)
def test_single_values_may_be_others(stored, group, option, changes):
    assert own_choices(group, stored(f"{group}={option}", *changes)) == [option]


def test_an_own_class_is_of_no_option(stored):
    assert own_choices("optimizer", stored() | {"optimizer._target_": "mine.Optimizer"}) == []


@pytest.mark.parametrize(
    ("experiment", "changes"),
    [*((path.stem, []) for path in sorted((CONF / "experiment").glob("*.yaml"))), ("simultaneous", [PACE])],
)
def test_an_experiment_is_found_whatever_single_values_were_given(stored, experiment, changes):
    given = [*changes, *([NEEDED[experiment]] if experiment in NEEDED else [])]
    assert experiment in own_choices("experiment", stored(f"experiment={experiment}", *given))
