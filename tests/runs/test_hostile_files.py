"""Nothing that a run, an export or a file beside them holds is called, whatever reads it.

A grammar plants everything that `weights_only` admits, around everything that would leave a witness if it were built.
The whole (`-m slow`) tries 60 forged checkpoints in each of 27 readers, 1,620, and 60 forged manifests in each of six,
360; the quick suite one checkpoint in each.
"""

import json
import random
import shutil
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from line_streams import build_stream
from matplotlib.figure import Figure
from omegaconf import DictConfig

import seq2seq
from seq2seq.commands.adapt import adapt
from seq2seq.commands.average import average
from seq2seq.commands.benchmark import benchmark_config
from seq2seq.commands.comparing.contender import Contender
from seq2seq.commands.comparing.trained_runs import train_contender
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.export import export
from seq2seq.commands.forecast import forecast
from seq2seq.commands.interpret import interpret
from seq2seq.commands.intervene import intervene
from seq2seq.commands.score import score_lines
from seq2seq.commands.selfcheck import selfcheck
from seq2seq.commands.train import train
from seq2seq.errors import UserError
from seq2seq.export import manifest
from seq2seq.runs.checkpoint import read_checkpoint, sealed

TARGETS = ["os.system", "builtins.open", "pathlib.Path.touch", "torch.hub.load", "torch.load", "numpy.savetxt"]
TARGETS += ["shutil.copy", "seq2seq.runs.checkpoint.Path.touch", "seq2seq.commands.train.train", "witness.fire"]
TARGETS += ["hydra.utils.instantiate"]
KEYS = ["path", "name", "command", "file", "f", "a", "_args_", "_partial_", "_recursive_", "_convert_"]
PARTS = ["model", "data", "metrics", "decoding", "tokenizer", "text", "callbacks", "trainer", "logger", "optimizer"]
PLAIN = 2  # of the kinds below, those that hold no other


def hostile(draw: random.Random, witness: str, depth: int = 0) -> Any:
    """A value that would leave a witness if it were built by anything that takes it."""
    choice = draw.randrange(8 if depth < 3 else PLAIN)
    if choice == 0:
        value = draw.choice([witness, [witness], f"touch {witness}", True])
        return {"_target_": draw.choice(TARGETS), draw.choice(KEYS): value}
    if choice == 1:
        quoted = repr(hostile(draw, witness, 9) if depth < 9 else {"_target_": draw.choice(TARGETS)}).replace("'", '"')
        return draw.choice([f"${{oc.create:'{quoted}'}}", "${oc.env:HOME}", "${model}", "${..data}"])
    inner = hostile(draw, witness, depth + 1)
    return [
        (inner,),
        [inner],
        {"x": inner},
        OrderedDict(x=inner),
        {"_target_": inner},
        {"_target_": "list", "a": inner},
    ][choice - PLAIN]


def places(node: Any, path: tuple = ()) -> list[tuple]:
    """Ways to every value in a config."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in children for place in places(child, (*path, key)))]


def planted(config: dict[str, Any], place: tuple, value: Any) -> dict[str, Any]:
    config = deepcopy(config)
    *way, last = place
    node = config
    for key in way:
        node = node[key]
    node[last] = value
    return config


@pytest.fixture(scope="module")
def contents(finished) -> dict[str, Any]:
    """The last checkpoint of the finished run. Alter copies of it only."""
    return torch.load(finished / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.fixture
def folder(finished, tmp_path, monkeypatch) -> Path:
    """A copy of the finished run, whose checkpoints can be forged, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(finished, tmp_path / "run"))


def resumed(folder: Path) -> None:
    """Resume as train.py does, from the config that the checkpoint holds."""
    config = read_checkpoint(folder / "checkpoints" / "last.ckpt", whole=True)["config"]
    train({**config, "budget": {**config["budget"], "max_steps": 31}}, folder, resume=True)


@pytest.fixture(scope="module")
def readers(config_of, finished, tiny_run, tmp_path_factory) -> dict[str, Callable[[Path], Any]]:
    """Everything that reads a run, by name."""
    lines = tmp_path_factory.mktemp("lines") / "pairs.tsv"
    lines.write_text("a b\tb a\nc d\td c\n", encoding="utf-8")
    series = lines.with_name("series.csv")
    series.write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    new = lines.with_name("new.tsv")
    new.write_text("".join(f"{one} {two}\t{two} {one}\n" for one in "abcdef" for two in "abcdef"), encoding="utf-8")
    keywords = {key: yaml.safe_load(value) for key, value in (text.split("=") for text in tiny_run)}
    keywords |= {"budget.max_steps": 1, "verbose": False, "run_dir": "out"}
    of_others = {key: value for key, value in keywords.items() if not key.startswith("model.")}

    def config(name: str, *overrides: str) -> DictConfig:
        return config_of(name, *overrides, *(["threads=1"] if name not in ("average", "export", "interpret") else []))

    def answer(*overrides: str) -> list[Any]:
        return list(build_stream(config("translate", "device=cpu", *overrides))([b"a b\n"]))

    def ways(run: Path) -> dict[str, Callable[[], Any]]:
        own = [f"run='{run}'", "device=cpu"]
        other = [f"run='{finished}'", "decoding=beam"]
        pairs = f"file='{lines}'"
        library = partial(seq2seq.load, str(run), device="cpu")
        return {
            "translate": lambda: answer(*own),
            "translate, an ensemble": lambda: answer(f"run=['{finished}','{run}']"),
            "translate, runtime=onnx": lambda: answer(*own, "runtime=onnx"),
            "rerank=translator": lambda: answer(*other, "rerank=translator", f"rerank.run='{run}'"),
            "rerank=language_model": lambda: answer(*other, "rerank=language_model", f"rerank.run='{run}'"),
            "fusion=language_model": lambda: answer(*other, "fusion=language_model", f"fusion.run='{run}'"),
            "score": lambda: list(score_lines(config("score", *own), [b"a b\tb a\n"])),
            "evaluate": lambda: evaluate_run(config("evaluate", *own, pairs)),
            "evaluate, side by side": lambda: evaluate_run(
                config("evaluate", f"run=['{finished}','{run}']", "compare=true", "device=cpu", pairs)
            ),
            "selfcheck": lambda: selfcheck(config("selfcheck", *own, "sentences=1")),
            "interpret": lambda: interpret(config("interpret", *own, "text=a", "steps=1")),
            "intervene": lambda: intervene(
                config("intervene", *own, pairs, "gates=[input]", "to=[one]", "attention=[]")
            ),
            "forecast": lambda: forecast(config("forecast", *own, f"file='{series}'")),
            "average": lambda: average(
                config("average", f"run=['{finished}','{run}']", "out=out", "device=cpu", pairs)
            ),
            "adapt": lambda: adapt(config("adapt", *own, f"in='{new}'", "hold_out=0.5", "updates=1")),
            "export": lambda: export(config("export", f"run='{run}'", "out=out", "sentences=1", pairs)),
            "benchmark mode=decode": lambda: benchmark_config(
                config("benchmark", "mode=decode", *own, "sentences=1", "lines=1", "repeats=1", pairs)
            ),
            "train resume=true": lambda: resumed(run),
            "train from=": lambda: seq2seq.train(**{"from": str(run), "run_dir": "out"}),
            "train init=": lambda: seq2seq.train(**{**of_others, "init": str(run)}),
            "train init= rehearsal=": lambda: seq2seq.train(**{**of_others, "init": str(run), "rehearsal": 1.0}),
            "train tokenizer=run": lambda: seq2seq.train(**keywords, tokenizer="run", tokenizer__run=str(run)),
            "train distill=": lambda: seq2seq.train(**keywords, distill="teachers", distill__teachers=[str(run)]),
            "train objective=distillation": lambda: seq2seq.train(
                **keywords, objective="distillation", objective__teachers=[str(run)]
            ),
            "seq2seq.load": lambda: library().translate("a b"),
            "seq2seq.load, interpreted": lambda: library().interpret("a b"),
            "seq2seq.ensemble": lambda: seq2seq.ensemble([str(finished), str(run)]).translate("a b"),
        }

    return {name: lambda run, name=name: ways(run)[name]() for name in ways(finished)}


def refused(read: Callable[[], Any], witness: Path) -> bool:
    """Tell whether something is refused in one line. It leaves no witness, whatever comes of it."""
    try:
        read()
    except UserError as error:
        if "\n" in str(error):
            raise
        return True
    finally:
        assert not witness.exists()
        shutil.rmtree("out", ignore_errors=True)
    return False


def forge(contents: dict[str, Any], folder: Path, place: tuple, value: Any) -> None:
    """Put a value into the config of both checkpoints of a run, sealed as ours are."""
    torch.save(sealed(contents | {"config": planted(contents["config"], place, value)}), folder / "last.ckpt")
    shutil.copy(folder / "last.ckpt", folder / "checkpoints" / "best.ckpt")
    shutil.move(folder / "last.ckpt", folder / "checkpoints" / "last.ckpt")


READERS = [
    "translate", "translate, an ensemble", "translate, runtime=onnx", "rerank=translator", "rerank=language_model",
    "fusion=language_model", "score", "evaluate", "evaluate, side by side", "selfcheck", "interpret", "intervene",
    "forecast", "average", "adapt", "export", "benchmark mode=decode", "train resume=true", "train from=",
    "train init=", "train init= rehearsal=", "train tokenizer=run", "train distill=", "train objective=distillation",
    "seq2seq.load", "seq2seq.load, interpreted", "seq2seq.ensemble",
]  # fmt: skip
BARE = ("train tokenizer=run",)  # reads no part of the config that says what to build
QUICK, WHOLE = 1, 60


def test_every_reader_is_tried(readers):
    assert list(readers) == READERS


@pytest.mark.parametrize("trials", [QUICK, pytest.param(WHOLE, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", READERS)
def test_nothing_that_a_checkpoint_holds_is_called(contents, readers, folder, monkeypatch, name, trials):
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)  # pictures take the most time, and see numbers alone
    witness, draw = folder / "witness", random.Random(name)
    whole = shutil.copytree(folder, folder.with_name("whole"))
    count = 0
    for number in range(trials):
        value = hostile(draw, str(witness))
        part = draw.choice([part for part in PARTS if part in contents["config"]])
        place = draw.choice(places(contents["config"][part], (part,)))
        if number == 0:
            place = ("model", "encoder")  # which all of them build
        forge(contents, folder, place, value)
        count += refused(lambda: readers[name](folder), witness)
        shutil.rmtree(folder)
        shutil.copytree(whole, folder)
    least = -1 if name in BARE else trials // 5  # what is in other parts may not be looked at
    assert count > least


OTHER_KINDS = {
    "translate, runtime=onnx": "needs an export",
    "rerank=language_model": "language model",
    "fusion=language_model": "language model",
    "forecast": "frames",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_what_is_whole_is_read(readers, folder, name):
    if name in OTHER_KINDS:
        with pytest.raises(UserError, match=OTHER_KINDS[name]):
            readers[name](folder)
    else:
        readers[name](folder)


# An export: graphs, and a manifest in JSON that holds the config


@pytest.fixture(scope="module")
def exported(finished, config_of, tmp_path_factory) -> Path:
    """A run with an export in it. Read it only."""
    folder = Path(shutil.copytree(finished, tmp_path_factory.mktemp("exported") / "run"))
    export(config_of("export", f"run={folder}", "sentences=2"))
    return folder


def of_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def forge_manifest(whole: Path, path: Path, draw: random.Random, witness: Path) -> None:
    """Put something hostile anywhere into a manifest, sealed as ours are."""
    told = json.loads(whole.read_text(encoding="utf-8"))
    told.pop("seal")
    place = draw.choice(places(told["run"]["config"], ("run", "config")) if draw.random() < 0.5 else places(told)[1:])
    told = planted(told, place, of_json(hostile(draw, str(witness))))
    path.write_text(json.dumps({**told, "seal": manifest._seal(told)}), encoding="utf-8")


EXPORT_READERS = ["translate", "evaluate", "selfcheck", "benchmark mode=decode"]
BESIDE_RUNS = ["translate, runtime=onnx", "seq2seq.load"]  # the latter goes on without what it cannot read


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORT_READERS + BESIDE_RUNS)
def test_nothing_that_an_export_holds_is_called(readers, exported, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    run = Path(shutil.copytree(exported, tmp_path / "run"))
    witness, draw, path = tmp_path / "witness", random.Random(name), run / "onnx" / manifest.FILE
    place = run if name in BESIDE_RUNS else path.parent
    assert not refused(lambda: readers[name](place), witness)
    count = 0
    for _ in range(WHOLE):
        forge_manifest(exported / "onnx" / manifest.FILE, path, draw, witness)
        count += refused(lambda: readers[name](place), witness)
    assert count >= (3 if name != "seq2seq.load" else 0)  # most of a manifest is for people, or for training


# Files beside the checkpoints, which people read, and some commands


TEXTS = ["!!python/object/apply:os.system ['touch {}']", "a: &a [*a, *a]", "{{", "[]", "\0", "model: ${{oc.env:HOME}}"]
TEXTS += ['{{"_target_": "os.system", "command": "touch {}"}}', '{{"scores": {{"_target_": "os.system"}}, "step": []}}']
BESIDE = ["config.yaml", "metrics.json", "environment.json", "changes.yaml", "metrics/metrics.csv", "versions/current"]


@pytest.mark.parametrize("texts", [TEXTS[:1], pytest.param(TEXTS, marks=pytest.mark.slow)], ids=len)
@pytest.mark.parametrize("name", BESIDE)
def test_nothing_beside_a_checkpoint_is_called(readers, folder, name, texts):
    (folder / name).parent.mkdir(exist_ok=True)
    witness = folder / "witness"
    ways = [partial(readers["translate"], folder), lambda: seq2seq.load(str(folder), device="cpu").scores]
    if len(texts) > 1:
        ways.append(partial(readers["train resume=true"], folder))  # which writes some of them
    for text in texts:
        for read in ways:
            (folder / name).write_text(text.format(witness), encoding="utf-8")
            refused(read, witness)


@pytest.mark.parametrize("text", ["{", "[]", '{"scores": []}', "[" * 100_000], ids=len)
def test_a_record_that_is_none_is_one_line(folder, text):
    (folder / "metrics.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"^\S+metrics\.json is damaged: it "):
        _ = seq2seq.load(str(folder), device="cpu").scores


def test_a_comparison_reads_what_its_runs_have_told_and_nothing_else(folder):
    done = Contender("a", [], 8, 16, 1)
    (folder / "command.txt").write_text(" ".join(["scripts/train.py", *done.command, "logger=csv"]) + "\n")
    (folder / "metrics").mkdir()
    (folder / "metrics" / "metrics.csv").write_text("step,dev/loss\n1,2.0\n")
    assert train_contender(done, folder).seconds > 0
    for text in TEXTS:
        (folder / "metrics.json").write_text(text.format(folder / "witness"), encoding="utf-8")
        assert refused(lambda: train_contender(done, folder), folder / "witness")
