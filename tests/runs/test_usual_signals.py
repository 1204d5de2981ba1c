"""A run keeps what is usual of its signals, and says where it does not know."""

import logging
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq.commands.train import train
from seq2seq.config.builder import build
from seq2seq.drift.spread import Spread
from seq2seq.errors import UserError
from seq2seq.runs import usual_signals as usual
from seq2seq.runs.checkpoint import read_checkpoint, sealed
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.run import LoadedRun, load_run
from seq2seq.runs.usual_signals import measured, usual_signals
from seq2seq.translation.carried_translator import CarriedTranslator
from seq2seq.translation.line import Line
from seq2seq.translation.signals import SIGNALS, signals_of
from seq2seq.translation.translator import Translator


@pytest.fixture(scope="module")
def run(finished) -> LoadedRun:
    return load_run(finished)


@pytest.fixture(scope="module")
def translator(run) -> Translator:
    return Translator(run.model, run.tokenizers, build(run.config["decoding"], "decoding"))


@pytest.fixture
def options(run, finished) -> dict[str, Any]:
    """Options of `translate` that the watch asks for."""
    return {"run": str(finished), "decoding": run.config["decoding"], "fusion": None, "tag": None}


def about(usual: dict[str, Spread]) -> dict[str, Any]:
    return {name: pytest.approx(vars(spread), abs=1e-5) for name, spread in usual.items()}


def test_as_training_ends_the_checkpoint_gets_the_spreads_of_dev(finished, run, translator):
    sources = [example.source for example in load_splits(run.config).dev]
    rows = [signals_of(own[0]) for own in translator.translations([Line(one) for one in sources], attention=True)]
    wanted = {name: Spread.of(row[name] for row in rows) for name in rows[0]}
    assert wanted.keys() == SIGNALS.keys()
    assert {name: vars(spread) for name, spread in run.signals.items()} == about(wanted)
    assert wanted["nll"].deviation > 0
    read_checkpoint(finished / "checkpoints" / "best.ckpt", whole=True)  # sealed again, all of it
    assert load_run(finished / "checkpoints" / "last.ckpt").signals == {}  # whose training may go on


def test_of_many_sources_a_thousand_that_lie_evenly_are_measured(translator, monkeypatch):
    heard: list[int] = []

    def translations(lines: list[Line], **_: Any) -> list[Any]:
        heard.extend(int(line.source) for line in lines)
        return []

    monkeypatch.setattr(translator, "translations", translations)
    assert measured(translator, [str(number) for number in range(2500)]) == {}
    assert heard == [place * 5 // 2 for place in range(1000)]


def test_of_a_long_stream_the_first_thousand_are_measured(translator, monkeypatch):
    """Others would be of a stream with holes."""
    heard: list[str] = []
    monkeypatch.setattr(usual, "signals_of", lambda line: heard.append(line.source) or {})
    monkeypatch.setattr(CarriedTranslator, "translations", lambda self, lines, **_: [[line] for line in lines])
    monkeypatch.setattr(CarriedTranslator, "__init__", lambda self: None)
    measured(CarriedTranslator(), [str(number) for number in range(2500)])
    assert heard == [str(number) for number in range(1000)]


def test_what_is_not_finite_is_left_out(translator, monkeypatch):
    rows = iter([{"nll": 1.0, "entropy": nan}, {"nll": inf}, {"nll": 3.0}])
    monkeypatch.setattr(usual, "signals_of", lambda translation: next(rows))
    assert measured(translator, ["a", "b", "c"]) == {"nll": Spread(2.0, 1.0, 2)}


def test_a_run_that_keeps_its_last_checkpoint_alone_has_them_there_and_goes_on(tiny_config, tmp_path):
    options = ["saving.keep=[last]", "trainer.val_check_interval=4"]
    train(tiny_config(*options, "budget.max_steps=4"), tmp_path, resume=False)
    first = load_run(tmp_path)
    train(tiny_config(*options, "budget.max_steps=8"), tmp_path, resume=True)
    second = load_run(tmp_path)
    assert (first.step, second.step) == (4, 8)
    assert first.signals.keys() == second.signals.keys() == SIGNALS.keys()
    assert first.signals != second.signals


def changed(finished: Path, path: Path, signals: Any) -> Path:
    contents = torch.load(finished / "checkpoints" / "best.ckpt", weights_only=True)
    del contents["signals"]
    torch.save(sealed(contents | ({} if signals is None else {"signals": signals})), path)
    return path


@pytest.mark.parametrize(
    "signals",
    [
        [],
        {"nll": 1.0},
        {"nll": {"mean": 1.0, "deviation": 1.0}},
        {"nll": {"mean": 1, "deviation": 1.0, "lines": 3}},
        {"nll": {"mean": float("nan"), "deviation": 1.0, "lines": 3}},
        {"nll": {"mean": 1.0, "deviation": -1.0, "lines": 3}},
        {"nll": {"mean": 1.0, "deviation": 1.0, "lines": 3, "_target_": "os.system"}},
    ],
)
def test_what_is_forged_is_one_line(finished, tmp_path, signals):
    path = changed(finished, tmp_path / "forged.ckpt", signals)
    with pytest.raises(UserError, match=r"signals\.\w* must be a mean, a deviation and a number of lines, but is not"):
        load_run(path)


def test_a_checkpoint_of_before_is_loaded_and_says_what_to_give(finished, tmp_path, translator, options):
    old = load_run(changed(finished, tmp_path / "old.ckpt", None))
    with pytest.raises(UserError) as error:
        usual_signals({**options, "run": "old.ckpt"}, None, [old], translator)
    assert str(error.value) == (
        "watch.reference must be a file of usual lines for run=old.ckpt, whose checkpoint does not say what is usual "
        "of its signals, but is null: give watch.reference=FILE, some hundred lines as in training."
    )
    assert usual_signals(options, None, [load_run(finished)], translator) == load_run(finished).signals


def test_a_reference_is_measured_with_what_translates(tmp_path, run, translator, options):
    path = tmp_path / "usual.tsv"
    path.write_text("a b c\tc b a\n\nf\nd d a b e\n", encoding="utf-8")
    found = usual_signals(options, str(path), [run], translator)
    assert {name: vars(one) for name, one in found.items()} == about(measured(translator, ["a b c", "f", "d d a b e"]))
    tagged = usual_signals({**options, "tag": "b"}, str(path), [run], translator)
    assert tagged["nll"].mean == pytest.approx(measured(translator, ["b a b c", "b f", "b d d a b e"])["nll"].mean)


def test_few_lines_and_another_search_are_warned_of(run, translator, options, caplog):
    with caplog.at_level(logging.WARNING):
        usual_signals(options, None, [run], translator)
        assert caplog.messages == [
            "watch: 8 lines of dev say only roughly what is usual: give watch.reference=FILE with some hundred"
        ]
        beam = {**options, "decoding": {"_target_": "seq2seq.decoding.search.beam.BeamSearch"}}
        usual_signals(beam, None, [run], translator)
    assert caplog.messages[1] == (
        "watch: what is usual was measured with GreedySearch, not BeamSearch: watch.reference=FILE measures it as it "
        "is here"
    )


def test_what_one_run_has_kept_is_not_that_of_several_or_of_a_fusion(run, translator, options, tmp_path):
    (path := tmp_path / "usual.txt").write_text("a b\nf\n", encoding="utf-8")
    for runs, more in (([run, run], {}), ([run], {"fusion": {"_target_": "any"}})):
        with pytest.raises(UserError, match=r"^watch.reference must be a file of usual lines with several models or"):
            usual_signals(options | more, None, runs, translator)
        assert usual_signals(options | more, str(path), runs, translator).keys() == SIGNALS.keys()


@pytest.mark.parametrize(("text", "count"), [("", 0), ("\ta\n \tb\n", 0), ("a b\n", 1)])
def test_a_reference_of_too_little_is_refused(tmp_path, run, translator, options, text, count):
    (path := tmp_path / "usual.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        usual_signals(options, str(path), [run], translator)
    wanted = f"watch.reference must hold at least 2 lines with text, but {path} has {count}."
    assert str(error.value) == (wanted if text else f"The data file {path} is empty: it must hold at least one line.")


def test_a_reference_that_is_not_there_is_named(run, translator, options):
    with pytest.raises(UserError, match=r"^watch\.reference.*nowhere\.txt"):
        usual_signals(options, "nowhere.txt", [run], translator)


def test_a_language_model_is_not_watched(run, translator, options, monkeypatch):
    monkeypatch.setattr(type(run.model), "sourceless", True)
    with pytest.raises(UserError, match=r"^watch must be none with a language model, which has no source"):
        usual_signals(options, None, [run], translator)
