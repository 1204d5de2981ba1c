"""Other translators that have a say in the order of what was found."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from line_streams import build_stream

import seq2seq
from seq2seq.commands.interpret import interpret
from seq2seq.commands.train import train
from seq2seq.config.closed_table import trusting
from seq2seq.config.contract import read_options
from seq2seq.errors import UserError
from seq2seq.export import manifest
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs import fusion
from seq2seq.runs.rescoring import TranslatorRescoring
from seq2seq.runs.run import load_run
from seq2seq.runs.translator import open_translator
from seq2seq.translation.line import Line
from seq2seq.translation.reranking import Reranking

LINES = ["a b c", "c", "", "b a d e"]


@pytest.fixture(scope="module")
def runs(tiny_config: Callable, tmp_path_factory) -> dict[str, Path]:
    """Two tiny translators, and one of another kind and vocabulary."""
    folder = tmp_path_factory.mktemp("rescoring")
    for name in ("first", "second", "other"):
        (folder / name).mkdir()
    train(tiny_config("budget.max_steps=10"), folder / "first", resume=False)
    train(tiny_config("budget.max_steps=10", "seed=2"), folder / "second", resume=False)
    train(tiny_config("budget.max_steps=5", "tokenizer=char", "model=bahdanau"), folder / "other", resume=False)
    return {name: folder / name for name in ("first", "second", "other")}


def found(config_of: Callable, run: Path, *overrides: str) -> list[list[tuple[str, float]]]:
    """Texts and scores of the best of every line, in their order."""
    given = (f"run={run}", "device=cpu", "decoding=beam", "format=json", "n_best=4", "decoding.beam_size=4", *overrides)
    answers = build_stream(config_of("translate", *given))([f"{line}\n".encode() for line in LINES])
    return [[(own["text"], own["score"]) for own in json.loads(answer)["translations"]] for answer in answers]


@pytest.mark.parametrize("others", [["second"], ["other"], ["second", "other"]])
@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_the_order_is_that_of_the_sum_of_all_scores(runs, config_of, others, weight):
    paths = ",".join(str(runs[name]) for name in others)
    plain = found(config_of, runs["first"])
    rescored = found(config_of, runs["first"], "rerank=translator", f"rerank.run=[{paths}]", f"rerank.weight={weight}")
    for line, before, after in zip(LINES, plain, rescored, strict=True):
        assert sorted(before) == sorted(after)
        sums = [
            score + weight * sum(seq2seq.load(runs[name]).score([(line, text)])[0].score for name in others)
            for text, score in after
        ]
        assert sums == sorted(sums, reverse=True) or len(after) == 1


def test_a_heavy_weight_leaves_the_order_to_the_others(runs, config_of):
    plain = found(config_of, runs["first"])
    assert plain != found(
        config_of, runs["first"], "rerank=translator", f"rerank.run={runs['second']}", "rerank.weight=50.0"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run": []}, "run must name a run or several, but is []: give rerank.run=[DIR,DIR]."),
        ({"run": ["a", ""]}, "run must name a run or several, but is ['a', '']: give rerank.run=[DIR,DIR]."),
        (
            {"run": "a", "weight": 0.0},
            "weight must be above 0, but is 0.0: for the search's own order, choose rerank=none.",
        ),
    ],
)
def test_nothing_to_say_is_refused(options, message):
    with pytest.raises(UserError) as error:
        TranslatorRescoring(**options)
    assert str(error.value) == message


def test_a_missing_run_is_told_by_its_option(runs, config_of):
    with pytest.raises(UserError, match="^rerank.run=nowhere does not exist"):
        found(config_of, runs["first"], "rerank=translator", "rerank.run=nowhere")


def test_an_export_is_told_where_a_run_is_needed(runs, config_of, tmp_path):
    (tmp_path / manifest.FILE).write_text("{}")
    told = (
        f"run={tmp_path} is an export, which translate, evaluate, score, selfcheck and benchmark mode=decode can use "
        "alone: give the run that it was made of."
    )
    with pytest.raises(UserError) as error:
        found(config_of, runs["first"], "rerank=translator", f"rerank.run={tmp_path}")
    assert str(error.value) == f"rerank.{told}"
    with pytest.raises(UserError) as error:
        interpret(config_of("interpret", f"run={tmp_path}", "text=a"))
    assert str(error.value) == told


@pytest.mark.parametrize("kind", ["translator", "language_model"])
def test_runs_that_rate_have_the_limits_of_the_one_that_translates(runs, config_of, caplog, monkeypatch, kind):
    limits = {"batch_size": 3, "max_tokens": 50, "max_source_tokens": 2}
    given = (f"{name}={value}" for name, value in limits.items())
    if kind == "language_model":
        monkeypatch.setattr(fusion, "_load", load_run)
    options = read_options(
        config_of(
            "translate",
            f"run={runs['first']}",
            "decoding=beam",
            f"rerank={kind}",
            f"rerank.run={runs['other']}",
            *given,
        )
    )
    translator = open_translator(options)
    rerank = translator.rerank
    (scorer,) = rerank._scorers if kind == "translator" else [rerank._scorer]
    assert {name: getattr(scorer, name) for name in limits} == limits
    if kind == "translator":
        assert translator.translations([Line("a b c d e f"), Line("f e d c b a")])
        assert [record.getMessage()[:6] for record in caplog.records if "only the first" in record.getMessage()] == [
            "line 1",
            "line 2",
        ]


@pytest.mark.parametrize(("name", "kind"), [("sourceless", "a language model"), ("edits", "a transducer")])
def test_a_run_of_a_kind_that_is_never_exported_is_told_so(runs, config_of, monkeypatch, name, kind):
    monkeypatch.setattr(Seq2Seq, name, True)
    with pytest.raises(UserError) as error:
        build_stream(config_of("translate", f"run={runs['first']}", "runtime=onnx"))
    assert str(error.value) == (
        f"runtime must be auto or torch with run={runs['first']}, as {kind} is never exported, but is onnx."
    )


class Noting(Reranking):
    """A reranking of one's own, which notes what it is told to get ready for."""

    def prepare(self, source, device, **limits):
        self.told = source, device, limits

    def orders(self, found):
        return [list(range(len(own))) for own in found]


def test_a_reranking_of_one_s_own_is_told_what_ours_are_told(runs, config_of, monkeypatch):
    module = ModuleType("own_rerankings")
    module.Noting = Noting
    monkeypatch.setitem(sys.modules, "own_rerankings", module)
    monkeypatch.setattr(Noting, "__module__", "own_rerankings")
    options = read_options(config_of("translate", f"run={runs['first']}", "decoding=beam", "batch_size=3"))
    with trusting(["own_rerankings"]):
        translator = open_translator({**options, "rerank": {"_target_": "own_rerankings.Noting"}})
    source, device, limits = translator.rerank.told
    assert source is translator.tokenizers.source
    assert device.type == translator.device.type
    assert limits["batch_size"] == 3
