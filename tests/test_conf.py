import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from tiny_models import BESIDE_MEMORY

from seq2seq.config.builder import build
from seq2seq.config.contract import check, resolve, targets
from seq2seq.config.signatures import parameters
from seq2seq.data.examples import Example
from seq2seq.data.series import Series
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.automatic import nominal
from seq2seq.runs.run import build_model

CONF = Path(__file__).parents[1] / "conf"
FILES = sorted(CONF.rglob("*.yaml"))
SCRIPTS = sorted(path.stem for path in CONF.glob("*.yaml"))
LAUNCHERS = CONF / "hydra" / "launcher"  # which compose where their plugin is: tests/commands/test_launchers.py
OPTIONS = sorted(
    (str(path.parent.relative_to(CONF)), path.stem) for path in FILES if path.parent not in (CONF, LAUNCHERS)
)
# A model without a source takes other parts than the rest, and settings of its own.
SOURCELESS = "language_model"
TAGGER = "tagger"  # nor does one that reads no target have a decoder of cells
MODELS = [name for group, name in OPTIONS if group == "model" and name not in (SOURCELESS, TAGGER)]
# Frames with times, and an encoder that can read the gaps between them.
TIMED = ("model=gnmt", "model/input=frames", "model.input.time_unit=1.0", "model.input.gaps=true")
TIMED += ("model.encoder.direction=forward", "model/attention=general")
# What takes the options of a group; train takes those of all others.
HOMES = {
    "decoding/ranking": ("train", "decoding=beam"),
    "fusion": ("translate",),
    "inference": ("translate",),
    "kinds": ("horizon",),
    "method": ("prune",),
    "mode": ("benchmark",),
    "model/gap_cell": ("train", *TIMED),
    "model/waiting": ("train", "experiment=simultaneous"),  # of encoders that read on
    "rerank": ("translate",),
    "reset": ("translate",),
    "simultaneous": ("translate",),
    "space": ("search",),
    "watch": ("translate",),
}
# Parts of encoders that read one way and decoders that attend to nothing: they go together, and with few others.
HANDED_ON = {("model/attention", "none"), ("model/bridge", "state")}
SEARCHING = [
    ("train",),
    ("compare",),
    ("search",),
    ("translate",),
    ("evaluate",),
    ("average",),
    ("compress",),
    ("adapt",),
    ("interpret",),
    ("intervene",),
    ("selfcheck",),
    ("benchmark",),
    ("benchmark", "mode=decode"),
]
SIDES = ("encoder", "decoder")
OF_MODEL = [group for group, _ in OPTIONS if group.startswith("model/") and group not in HOMES]
PARTS = {group: [name for kind, name in OPTIONS if kind == group] for group in OF_MODEL if group.count("/") == 1}
OF_FRAMES = {("model/output", "gaussian"), ("model/output", "huber")}  # in a model of frames on both sides
PARTS["model/output"].remove("auto")  # one of the others
for _group, _name in OF_FRAMES:
    PARTS[_group].remove(_name)
for _group, _name in HANDED_ON:
    PARTS[_group].remove(_name)


@pytest.fixture(autouse=True)
def _no_hydra_left_behind() -> Iterator[None]:
    yield
    GlobalHydra.instance().clear()


def composed(script: str, *overrides: str) -> DictConfig:
    """A script's config, with a text wherever the user has to give one."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(script, list(overrides))
    for key in OmegaConf.missing_keys(config):
        OmegaConf.update(config, key, "given")
    return config


@cache
def plain(script: str, *overrides: str) -> dict[str, Any]:
    config = composed(script, *overrides)
    return (
        nominal(resolve(config))
        if "model" in config
        else OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    )


def chosen(group: str, option: str) -> dict[str, Any]:
    """The config of a script that takes the option, with it; in train's, with options of other groups too."""
    return plain(*HOMES[group], f"{group}={option}") if group in HOMES else plain("train", *companions(group, option))


@cache
def companions(group: str, option: str) -> list[str]:
    """The overrides that choose an option and, for fewer compositions, of every other kind one that has the same place.

    An experiment chooses for itself, and not every cell takes every initialization.
    """
    alone = {*HOMES, "experiment", "hydra", "model/cell/initialization"}
    known = [
        (kind, name)
        for kind, name in OPTIONS
        if (kind, name) not in {("model", SOURCELESS), ("model", TAGGER), *HANDED_ON, *OF_FRAMES}
    ]
    options = {kind: [name for other, name in known if other == kind] for kind, _ in known}
    if (group, option) == ("model", SOURCELESS):
        return [f"experiment={SOURCELESS}"]
    if (group, option) == ("model", TAGGER):
        return [f"model={TAGGER}"]
    if (group, option) in OF_FRAMES:
        return ["experiment=forecast", f"{group}={option}"]
    if (group, option) in HANDED_ON:
        return ["experiment=stack"]
    if group in alone:
        return [f"{group}={option}"]
    place = options[group].index(option)
    found = {kind: names[place] for kind, names in options.items() if kind not in alone and place < len(names)}
    if found.get("model/input", "tokens") != "tokens":  # whose sources have no n-grams, and no pieces to copy
        of_tokens = {"model/ngrams", "model/copying"}
        found = {
            kind: name
            for kind, name in found.items()
            if kind not in ({"model/input"} if group in of_tokens else of_tokens)
        }
    lacking = {kind for kind in found if kind in PARTS and found.get("model") and not has(found["model"], kind)}
    if group in lacking:
        del found["model"]
        lacking = set()
    return [f"{kind}={name}" for kind, name in found.items() if kind not in lacking]


@cache
def has(model: str, group: str) -> bool:
    """Whether a model has a part of the kind."""
    return any(
        group.endswith(f"/{part}")
        for default in OmegaConf.load(CONF / f"model/{model}.yaml").defaults
        if default != "_self_"
        for part in default
    )


def raw(path: Path) -> dict[str, Any]:
    """A file's own keys. What only composition can tell is an empty mapping."""

    def open_ended(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key: item for key, item in value.items() if (key, item) != ("_target_", "auto")}
            return {key: open_ended(item) for key, item in kept.items() if key != "defaults"}
        if isinstance(value, list):
            return [open_ended(item) for item in value]
        unknown = isinstance(value, str) and (value in ("???", "auto") or "${" in value)
        return {} if unknown else value

    return open_ended(OmegaConf.to_container(OmegaConf.load(path), resolve=False))


def completed(config: Any) -> Any:
    """The config with a node, which fits any type, in the place of every empty mapping."""
    if isinstance(config, dict):
        whole = {"_target_": "seq2seq.layers.attention.dot.DotAttention", "_partial_": True}
        return {key: completed(value) for key, value in config.items()} or whole
    return [completed(value) for value in config] if isinstance(config, list) else config


def header(path: Path) -> list[str]:
    """The comment that a file opens with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    after = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return [line for line in lines[:after] if not line.startswith("# @package")]


@cache
def tokenizers() -> Tokenizers:
    return TokenizerTrainer(source="char", target="char", joint=True).train([Example("abcd", ("efgh",))])


STRIDING = {"strided", "sweeps"}  # front ends that leave edits, and pointers, no place for each token
FRAMED = {"frames", "pictures"}  # inputs that pointers cannot copy from


def build_on_meta(config: dict[str, Any]) -> Seq2Seq:
    """The model at its full size, without memory or random numbers."""
    with torch.device("meta"):
        return build_model(config, tokenizers())


# ---- Every file

# Options that are another one's constructor with other values: what they are for.
VARIANTS = {
    "augmentation/frame_noise.yaml": {"snr", "feature_masks", "time_masks"},
    "augmentation/frames.yaml": {"stretch", "shift", "smoothing", "snr"},
    "metrics/labels.yaml": {"words"},
    "model/attention/scaled_dot.yaml": {"scaled"},
    "model/cell/elman_relu.yaml": {"activation"},
    "model/front_end/strided.yaml": {"stride", "highway"},
    "tokenizer/auto.yaml": {"exact_size"},
    "truncation/varied.yaml": {"varied"},
    "tokenizer/bpe.yaml": {"source_size", "target_size", "joint"},
    "tokenizer/unigram.yaml": {"source_size", "target_size", "joint"},
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_defaults_of_code_and_config_agree(path):
    """Whoever uses Python gets what whoever uses the scripts gets."""
    differing = {key for node in nodes(raw(path)) for key in unlike_code(node)}
    assert differing == VARIANTS.get(str(path.relative_to(CONF)), set())


def nodes(config: Any) -> Iterator[dict[str, Any]]:
    """Those that build something of ours."""
    return (dict(node) for _, node in targets(config) if node["_target_"].startswith("seq2seq."))


def unlike_code(node: dict[str, Any]) -> Iterator[str]:
    """Options that the constructor has another default for."""
    for name, parameter in parameters(get_object(node["_target_"])).items():
        chosen = node.get(name, parameter.default)
        if isinstance(chosen, dict) or parameter.default is parameter.empty or "${" in str(chosen) or chosen == "???":
            continue
        if (tuple(chosen) if isinstance(chosen, list) else chosen) != parameter.default:  # YAML has no tuples
            yield name


def test_a_default_that_differs_is_found():
    node = {"_target_": "seq2seq.layers.attention.dot.DotAttention", "_partial_": True, "scaled": True}
    assert list(unlike_code(node)) == ["scaled"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_every_file_has_only_keys_and_types_that_its_targets_take(path):
    check(completed(raw(path)), str(path.relative_to(CONF)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_every_file_opens_with_what_it_is(path):
    opening = header(path)
    assert opening
    assert opening[0].startswith("# ")
    assert len(opening[0]) > 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_what_the_user_has_to_give_is_shown_in_the_command_at_the_top(path):
    missing = [key for key, value in OmegaConf.to_container(OmegaConf.load(path)).items() if value == "???"]
    everywhere = path.parent == CONF or "# @package _global_" in path.read_text(encoding="utf-8")
    group = "" if everywhere else f"{path.parent.name}."
    assert [key for key in missing if f"{group}{key}=" not in "\n".join(header(path))] == []


def test_the_walk_has_seen_every_kind_of_target():
    found = {name for path in FILES for name, _ in targets(raw(path), str(path.relative_to(CONF)))}
    expected = {
        "data/tsv.yaml",
        "model/gnmt.yaml",
        "model/gnmt.yaml.encoder",
        "metrics/translation.yaml.metrics.exact_match",
        "callbacks/early_stopping.yaml.early_stopping",
        "trainer/ddp.yaml.strategy",
        "train.yaml.budget",
    }
    assert expected <= found


# ---- Every composition


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_a_config_that_keeps_the_contract(script):
    assert (CONF.parent / "scripts" / f"{script}.py").is_file()
    check(plain(script))


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_of_every_group_resolves_and_builds(group, option):
    config = chosen(group, option)
    check(config)
    if group.startswith(("model", "experiment")):  # other groups leave the model as it is
        build_on_meta(config)
    parts = ("data", "tokenizer", "objective", "schedule", "scheduled_sampling", "decoding", "budget", "rerank")
    for part in (*parts, "pieces"):
        if config.get(part) is not None:
            built = build(config[part] | ({"max_steps": 1} if part == "budget" else {}), "")
            assert type(built).__name__ == config[part]["_target_"].rpartition(".")[2]


def graft(config: dict[str, Any], group: str, option: str) -> None:
    """Put an option of a kind of part into the model of a config, wherever that has the kind."""
    part, other = group.rpartition("/")[2], deepcopy(chosen(group, option)["model"])
    encoder = config["model"]["encoder"]
    if part == "input":  # whose front end is of the other config, too
        other["encoder"]["input"]["front_end"] = encoder["input"]["front_end"]
    inside = (encoder["input"], other["encoder"]["input"])
    for own, given in ((config["model"], other), *((config["model"][side], other[side]) for side in SIDES), inside):
        if part in own and part in given:
            own[part] = given[part]


@pytest.mark.parametrize("number", range(max(map(len, PARTS.values()))))
@pytest.mark.parametrize("model", MODELS)
def test_every_model_takes_every_part(model, number):
    """The first option of every kind of part together, then the second, until each has had its turn."""
    config = deepcopy(plain("train", f"model={model}"))
    for group, options in PARTS.items():
        option = options[number % len(options)]
        pointing = bool(config["model"].get("copying"))
        refused = STRIDING if model == "transducer" else STRIDING | FRAMED if pointing else set()
        if option not in refused:
            graft(config, group, option)
    check(config)
    build_on_meta(config)


@pytest.mark.parametrize("cell", PARTS["model/cell"])
def test_every_cell_with_a_gate_that_keeps_its_memory_takes_every_initialization(cell):
    config = deepcopy(chosen("model/cell", cell))
    for name in (name for group, name in OPTIONS if group == "model/cell/initialization"):
        for side in SIDES:
            given = chosen("model/cell/initialization", name)["model"][side]["cell"]["initialization"]
            config["model"][side]["cell"]["initialization"] = given
            config["model"][side]["cell"]["regularization"]["zoneout_hidden"] = 0.1
        check(config)
        if name == "matrices" or not cell.startswith(("elman", "lstm_no_forget", *BESIDE_MEMORY)):
            build_on_meta(config)
        else:
            with pytest.raises(UserError, match="^model.cell.initialization must be matrices for a cell without"):
                build_on_meta(config)


@pytest.mark.parametrize("script", SEARCHING, ids=" ".join)
@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "decoding"])
def test_every_script_that_searches_takes_every_search(script, option):
    config = plain(*script, f"decoding={option}", "decoding.length.minimum=2", "decoding.filters.end_bias=0.5")
    check(config)
    search = build(config["decoding"], "")
    assert search.length.minimum == 2
    assert [type(edit).__name__ for edit in search.filters.active] == ["EndBias"]


def test_only_scoring_does_without_a_search():
    others = {"score", "forecast", "export", "prune"}
    others |= {"gradients", "time_constants", "horizon", "erosion", "probe", "health"}  # of the laboratory
    assert {script for script, *_ in SEARCHING} | others == set(SCRIPTS)
    assert {script for script in SCRIPTS if "decoding" not in plain(script)} == others


@pytest.mark.parametrize("option", ["beam", "diverse_beam"])
def test_beams_take_every_ranking_and_coverage(option):
    rankings = [name for group, name in OPTIONS if group == "decoding/ranking"]
    overrides = ("translate", f"decoding={option}", "decoding.coverage_penalty.beta=0.25")
    for name in rankings:
        config = plain(*overrides, f"decoding/ranking={name}")
        check(config)
        search = build(config["decoding"], "")
        assert type(search.ranking).__name__ == config["decoding"]["ranking"]["_target_"].rpartition(".")[2]
        assert search.coverage_penalty.beta == 0.25
    given = plain(*overrides, "decoding/ranking=gnmt", "decoding.ranking.alpha=1.5")
    assert build(given["decoding"], "").ranking.alpha == 1.5


@pytest.mark.parametrize("group", sorted({group for group, _ in OPTIONS} - {"hydra"}))
def test_no_two_options_of_a_group_are_the_same(group):
    files = [OmegaConf.load(CONF / group / f"{option}.yaml") for kind, option in OPTIONS if kind == group]
    assert len({json.dumps(OmegaConf.to_container(file), sort_keys=True) for file in files}) == len(files)


def test_no_experiment_is_what_train_says():
    assert plain("train", "experiment=none") == plain("train")


@pytest.mark.parametrize("name", [option for group, option in OPTIONS if group == "experiment" and option != "none"])
def test_an_experiment_names_its_runs_and_has_a_budget(name):
    config = plain("train", f"experiment={name}")
    assert config["task"] == name
    assert any(config["budget"][limit] for limit in ("max_steps", "max_minutes"))


def test_every_metric_that_a_config_monitors_is_one_that_it_computes():
    for name in [option for group, option in OPTIONS if group == "metrics"]:
        config = plain("train", f"metrics={name}")
        scores = [build(node, "") for node in config["metrics"].values()]
        said = Series(np.ones((2, 1))) if name == "forecast" else "a b c d e f"
        for metric in scores:
            metric.update([said], [[said]])
        if not scores:
            assert config["monitor"] == {"metric": "dev/loss", "mode": "min"}
            continue
        computed = {f"dev/{name}": float(value) for metric in scores for name, value in metric.compute().items()}
        best = computed[config["monitor"]["metric"]]
        assert (best, config["monitor"]["mode"]) in ((pytest.approx(100), "max"), (pytest.approx(0), "min"))


def test_the_choices_that_encoder_and_decoder_share_reach_them():
    config = plain("train", "model=bahdanau", "model/attention=additive", "model.attention.size=7", "model.dropout=0.2")
    assert config["model"]["decoder"]["attention"]["size"] == 7
    assert config["model"]["encoder"]["cell"] == config["model"]["decoder"]["cell"]
    assert config["model"]["encoder"]["dropout"] == config["model"]["decoder"]["dropout"] == 0.2
    assert {"cell", "attention", "ngrams", "front_end"}.isdisjoint(config["model"])


# ---- What the contract catches


def planted(path: str, value: Any) -> dict[str, Any]:
    """The default config with one value put in."""
    config = deepcopy(plain("train"))
    *parents, key = path.split(".")
    node = config
    for parent in parents:
        node = node[parent]
    node[key] = value
    return config


def message_of(config: dict[str, Any], path: str = "") -> str:
    with pytest.raises(UserError) as error:
        check(config, path)
    return str(error.value)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "model.encoder.num_layer",
            "model.encoder.num_layer is not an option of seq2seq.models.encoder.Encoder: it takes "
            "side, hidden_size, num_layers, cell, gap_cell, connection, halvings, chunk_size, dropout, direction, "
            "block_size, lookahead, input.",
        ),
        (
            "data.stres",
            "data.stres is not an option of seq2seq.data.corpora.cmudict.CMUDictCorpus: it takes "
            "stress, dev_share, test_share, seed.",
        ),
        (
            "objective.smoothing",
            "objective.smoothing is not an option of seq2seq.training.objectives.cross_entropy.CrossEntropy: it takes "
            "label_smoothing, smoothing_prior, coverage_loss, entropy_floor, entropy_weight, activation_loss, "
            "temporal_loss.",
        ),
    ],
)
def test_a_misspelt_key_is_caught_with_what_there_is(key, message):
    assert message_of(planted(key, 1)) == message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.encoder.num_layers", "two", "model.encoder.num_layers must be int, but is 'two'."),
        ("model.encoder.num_layers", 2.5, "model.encoder.num_layers must be int, but is 2.5."),
        ("model.encoder.num_layers", None, "model.encoder.num_layers must be int, but is None."),
        ("model.encoder.dropout", "0.3", "model.encoder.dropout must be float, but is '0.3'."),
        ("model.encoder.connection", True, "model.encoder.connection must be str | Sequence[str], but is True."),
        ("data.stress", 1, "data.stress must be bool, but is 1."),
        ("budget.max_steps", "many", "budget.max_steps must be int | None, but is 'many'."),
        ("tokenizer.source", ["char"], "tokenizer.source must be str, but is ['char']: give one of them."),
    ],
)
def test_a_value_of_the_wrong_type_is_caught_with_the_type_wanted(key, value, message):
    assert message_of(planted(key, value)) == message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.encoder.dropout", 0),  # a whole number where a fraction is wanted
        ("budget.max_steps", None),
        ("budget.max_steps", 10),
        ("budget.max_minutes", 1),
        ("optimizer.betas", [0.9, 0.98]),  # YAML has no tuples
        ("model.encoder.input.ngrams", None),
    ],
)
def test_a_value_of_the_right_type_passes(key, value):
    check(planted(key, value))


def test_mistakes_are_found_in_lists_and_below_other_targets():
    bad = {"_target_": "seq2seq.training.objectives.cross_entropy.CrossEntropy", "label_smoothing": "a"}
    message = "label_smoothing must be float, but is 'a'."
    assert message_of({"parts": [{}, {"deep": [bad]}]}) == f"parts[1].deep[0].{message}"
    encoder = {"_target_": "seq2seq.models.encoder.Encoder", "cell": bad}
    assert message_of({"model": {"encoder": encoder}}) == f"model.encoder.cell.{message}"


def test_a_planted_mistake_in_a_file_is_found(tmp_path):
    path = tmp_path / "broken.yaml"
    target = "seq2seq.training.objectives.cross_entropy.CrossEntropy"
    path.write_text(f"_target_: {target}\nlabel_smoothing: ${{a}}\nlabel_smothing: 0.1\n")
    assert message_of(completed(raw(path)), "broken.yaml") == (
        f"broken.yaml.label_smothing is not an option of {target}: it takes "
        "label_smoothing, smoothing_prior, coverage_loss, entropy_floor, entropy_weight, activation_loss, "
        "temporal_loss."
    )
