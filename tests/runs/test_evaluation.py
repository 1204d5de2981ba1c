"""Scores of a translator, and of a run on its own data or a file."""

import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.selfcheck import selfcheck
from seq2seq.commands.train import train
from seq2seq.config.builder import build
from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.metrics.pronunciation import PronunciationScores
from seq2seq.metrics.significance import Draws
from seq2seq.runs.checkpoint import read_checkpoint, sealed
from seq2seq.runs.evaluation import build_scores, evaluate, load_sources
from seq2seq.runs.of_frames import check_metrics
from seq2seq.runs.run import load_run

METRICS = {"exact_match": ExactMatch(), "pronunciation": PronunciationScores()}


def repeated(*texts: str) -> list[Example]:
    """Examples that an echo gets right."""
    return [Example(text, ("zz", text)) for text in texts]


def test_a_perfect_translator(echo):
    found = evaluate(echo, repeated("a b", "c", "d e f"), METRICS)
    assert found.scores == {"exact_match": 100.0, "wer": 0.0, "per": 0.0}
    assert found.hypotheses == ["a b", "c", "d e f"]


def test_a_translator_that_fails(echo):
    found = evaluate(echo, [Example("a b", ("c d",)), Example("c", ("x y", "z"))], METRICS)
    assert found.scores == {"exact_match": 0.0, "wer": 100.0, "per": 100.0}


def test_a_translator_that_is_half_right(echo):
    examples = [*repeated("a b", "c"), Example("d e", ("d f",)), Example("g", ("h",))]
    found = evaluate(echo, examples, METRICS)
    assert found.scores == {"exact_match": 50.0, "wer": 50.0, "per": pytest.approx(100 * 2 / 6)}


def test_scores_do_not_depend_on_what_was_scored_before(echo):
    first = evaluate(echo, repeated("a"), METRICS)
    evaluate(echo, [Example("a", ("b",))], METRICS)
    assert evaluate(echo, repeated("a"), METRICS).scores == first.scores


class FromSource(ExactMatch):
    """The share of hypotheses that end as their source does: a score that wants the source, as COMET does."""

    def counts(self, hypotheses, references, sources):
        return super().counts([text[-1] for text in hypotheses], [[text[-1]] for text in sources], sources)


def test_a_metric_may_read_the_sources(echo):
    found = evaluate(echo, [Example("a b", ("c",)), Example("d", ("e",))], {"from_source": FromSource()})
    assert found.scores == {"exact_match": 100.0}


def test_the_report(echo):
    examples = [*repeated("a", "b"), Example("c", ("d",))]
    found = evaluate(echo, examples, {"exact_match": ExactMatch()})
    report = found.report()
    assert report == {
        "scores": {"exact_match": 66.6667},
        "signatures": {"exact_match": "any of several references"},
        "sentences": 3,
        "seconds": round(found.seconds, 3),
    }
    assert 0 < found.seconds < 60


def test_intervals_come_from_draws_of_the_sentences(echo):
    examples = [*repeated("a", "b", "c"), Example("d", ("e",))] * 10
    found = evaluate(echo, examples, METRICS, Draws(bootstrap=300))
    for name in ("exact_match", "wer", "per"):
        low, high = found.report()["intervals"][name]
        assert low < found.scores[name] < high
    assert (low, high) == (round(low, 4), round(high, 4))


def test_scores_by_counts_are_those_of_a_torchmetric(echo):
    examples = [*repeated("a b", "c"), Example("d e", ("d f",))]
    found = evaluate(echo, examples, METRICS)
    for metric in METRICS.values():
        metric.prepare([example.targets for example in examples])
        metric.update(found.hypotheses, [example.targets for example in examples])
        assert {score: float(value) for score, value in metric.compute().items()} == pytest.approx(
            {score: found.scores[score] for score in metric.compute()}
        )
        metric.reset()


def test_the_metrics_of_a_config_have_its_names(tiny_config):
    scores = build_scores(tiny_config())
    assert {name: type(metric) for name, metric in scores.items()} == {"exact_match": ExactMatch}


# Runs


@pytest.fixture
def report(config_of, finished):
    """evaluate_run of the finished run, with overrides."""
    return lambda *overrides: evaluate_run(config_of("evaluate", f"run={finished}", "device=cpu", *overrides))


def test_a_run_is_scored_on_test(report):
    found = report()
    assert list(found) == ["data", "scores", "intervals", "signatures", "sentences", "seconds", "step"]
    assert (found["data"], found["sentences"]) == ("test", 7)
    assert found == report("split=test") | {"seconds": found["seconds"]}


@pytest.mark.parametrize(("split", "sentences"), [("train", 60), ("dev", 8), ("test", 7)])
def test_a_split_by_name(report, split, sentences):
    found = report(f"split={split}")
    assert (found["data"], found["sentences"]) == (split, sentences)


def test_a_file_of_pairs(report, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a b\tnever this\nc\tc\nc\td\n", encoding="utf-8")
    found = report(f"file={path}")
    assert found["data"] == str(path)
    assert found["sentences"] == 2  # two references of one source are one example
    assert set(found["scores"]) == {"exact_match"}


def test_a_file_and_its_split_score_alike(report, tmp_path, finished):
    train = build(load_run(finished).config["data"], "").load().train
    path = tmp_path / "train.tsv"
    path.write_text("".join(f"{e.source}\t{e.targets[0]}\n" for e in train), encoding="utf-8")
    from_file, from_split = report(f"file={path}"), report("split=train")
    assert from_file["scores"] == from_split["scores"]


def test_without_bootstrap_there_are_no_intervals(report):
    assert "intervals" not in report("bootstrap=0")
    assert set(report("bootstrap=10")["intervals"]) == {"exact_match"}


def test_intervals_depend_on_the_seed_alone(report):
    first, again, other = (report("split=train", "bootstrap=5", f"seed={seed}")["intervals"] for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("name", ["bootstrap", "randomization"])
def test_numbers_of_draws_below_zero(report, name):
    with pytest.raises(UserError, match=f"^{name} must be a whole number of at least 0, but is -1.$"):
        report(f"{name}=-1")


def test_an_unknown_split(report):
    with pytest.raises(UserError) as error:
        report("split=tset")
    assert str(error.value) == "split must be train, dev or test, but is 'tset'."


@pytest.mark.parametrize("split", ["dev", "train"])
def test_a_file_and_a_split_together_are_refused(report, tmp_path, finished, split):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\ta\n")
    message = f"split must be null where there is a file, but is {split!r} beside file={path}: give one."
    with pytest.raises(UserError) as error:
        report(f"file={path}", f"split={split}")
    assert str(error.value) == message
    with pytest.raises(UserError) as error:
        load_sources(load_run(finished), str(path), split)
    assert str(error.value) == message


@pytest.fixture
def without_test(finished, tmp_path) -> Path:
    """A checkpoint whose data has no test split."""
    contents: dict[str, Any] = torch.load(finished / "checkpoints" / "best.ckpt", weights_only=True)
    contents["config"]["data"]["test_size"] = 0
    torch.save(sealed(contents), tmp_path / "without.ckpt")
    return tmp_path / "without.ckpt"


def test_an_empty_split(config_of, without_test):
    with pytest.raises(UserError) as error:
        evaluate_run(config_of("evaluate", f"run={without_test}", "split=test"))
    assert str(error.value) == ("split=test is empty in this run's data: choose another, or give file=pairs.tsv.")


def test_without_a_test_split_dev_is_scored(config_of, without_test):
    found = evaluate_run(config_of("evaluate", f"run={without_test}"))
    assert (found["data"], found["sentences"]) == ("dev", 8)


# Metrics other than the run's


@pytest.fixture
def translating(finished, tmp_path) -> Path:
    """A checkpoint that was trained with metrics=translation before these had options."""
    contents: dict[str, Any] = torch.load(finished / "checkpoints" / "best.ckpt", weights_only=True)
    contents["config"]["metrics"] = {
        "translation": {"_target_": "seq2seq.metrics.translation.TranslationScores"},
        "exact_match": {"_target_": "seq2seq.metrics.exact_match.ExactMatch"},
    }
    torch.save(sealed(contents), tmp_path / "translating.ckpt")
    return tmp_path / "translating.ckpt"


@pytest.mark.parametrize("plus", ["", "+"])
def test_an_option_of_the_runs_metric_is_changed_and_shows_in_the_signature(config_of, translating, plus):
    own = evaluate_run(config_of("evaluate", f"run={translating}"))
    changed = evaluate_run(config_of("evaluate", f"run={translating}", f"{plus}metrics.translation.word_order=2"))
    assert "nw:0" in own["signatures"]["translation"]
    assert "nw:2" in changed["signatures"]["translation"]
    assert changed["scores"]["chrf"] != own["scores"]["chrf"]
    assert changed["scores"] | {"chrf": 0} == own["scores"] | {"chrf": 0}


def test_a_metric_of_the_run_is_left_out(config_of, translating):
    found = evaluate_run(config_of("evaluate", f"run={translating}", "metrics.translation=null"))
    assert list(found["scores"]) == ["exact_match"]


def test_metrics_that_the_run_was_not_trained_with(report):
    assert list(report("metrics=pronunciation")["scores"]) == ["wer", "per"]
    found = report("metrics=translation", "metrics.translation.word_order=2")
    assert list(found["scores"]) == ["bleu", "chrf", "ter", "exact_match"]
    assert "nw:2" in found["signatures"]["translation"]


def test_a_metric_of_frames_is_refused_before_text_is_searched(report, monkeypatch):
    monkeypatch.setattr("seq2seq.commands.evaluate.evaluate", lambda *_: pytest.fail("text is searched"))
    with pytest.raises(UserError, match=r"^metrics must not be forecast where model.output writes text"):
        report("metrics=forecast")


@pytest.mark.parametrize("metrics", [None, "wer", [], {"wer": None}, {"wer": "wer"}, {"wer": [1]}])
def test_what_is_no_metric_is_none_of_frames(finished, metrics):
    check_metrics(load_run(finished).config, metrics)


# Data that have moved


@pytest.fixture
def moved(tmp_path, tiny_config, monkeypatch):
    """The folder of a run whose training file, of 30 words of which 6 were held out, has moved."""
    monkeypatch.chdir(tmp_path)
    words = [f"{first}{second}\t{second}{first}\n" for first in "abcdef" for second in "vwxyz"]
    Path("words.tsv").write_text("".join(words), encoding="utf-8")
    config = tiny_config("budget.max_steps=1", "trainer.val_check_interval=1", "tokenizer=char")
    config["data"] = {"_target_": "seq2seq.data.corpora.tsv.TSVCorpus", "train": "words.tsv", "dev_size": 6}
    Path("run").mkdir()
    train(config, Path("run"), resume=False)
    Path("words.tsv").rename("moved words.tsv")
    return Path("run")


def test_moved_data_are_asked_for_by_the_option_that_names_them(moved, config_of, tmp_path, capsys, caplog):
    expected = f"data.train=words.tsv does not exist: give the path of a file (relative ones start at {tmp_path})."
    with pytest.raises(UserError) as error:
        evaluate_run(config_of("evaluate", f"run={moved}"))
    assert str(error.value) == expected
    config = read_checkpoint(moved / "checkpoints" / "last.ckpt")["config"]
    config["budget"]["max_steps"] = 2
    with pytest.raises(UserError) as error:
        train(config, moved, resume=True)
    assert str(error.value) == expected
    caplog.clear()
    found = evaluate_run(config_of("evaluate", f"run={moved}", "data.train='moved words.tsv'"))
    assert (found["data"], found["sentences"]) == ("dev", 6)
    assert caplog.messages == []  # the same examples are held out
    selfcheck(config_of("selfcheck", f"run={moved}", "data.train='moved words.tsv'", "sentences=2"))
    assert "promises on dev, 2 sentences" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.trian=x", "data.trian must be one of the run's, train, dev, test, dev_size, "),
        ("data.held_out_below=0.5", "data.held_out_below must be one of the run's, "),
        (
            "data.delimiter=tabs",
            "data.delimiter must be auto, tab, comma, semicolon, space, bar, lexicon or one character, but is",
        ),
        ("data.dev_size=x", "data.dev_size must be int | None, but is 'x'."),
    ],
)
def test_other_data_options_than_the_runs_are_refused(moved, config_of, override, message):
    with pytest.raises(UserError) as error:
        evaluate_run(config_of("evaluate", f"run={moved}", "data.train='moved words.tsv'", override))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("script", [("evaluate", evaluate_run), ("selfcheck", selfcheck)])
def test_data_beside_a_file_are_refused(finished, config_of, script):
    name, command = script
    with pytest.raises(UserError) as error:
        command(config_of(name, f"run={finished}", "file=x.tsv", "data.train=y.tsv"))
    assert str(error.value) == (
        "data.train has no effect where there is a file, but is given beside file=x.tsv: give one."
    )


def test_other_data_take_the_place_of_the_runs(moved, config_of):
    found = evaluate_run(config_of("evaluate", f"run={moved}", "data=reverse", "data.test_size=3"))
    assert (found["data"], found["sentences"]) == ("test", 3)


def test_a_file_can_be_a_pipe(finished, config_of):
    reading, writing = os.pipe()
    os.write(writing, b"a b\tb a\n")
    os.close(writing)
    assert evaluate_run(config_of("evaluate", f"run={finished}", f"file=/dev/fd/{reading}"))["sentences"] == 1
    os.close(reading)


@pytest.mark.parametrize(("file", "said"), [("no.tsv", "does not exist: give "), (".", "is a folder: give the path")])
def test_a_file_that_cannot_be_read_is_told_by_its_option(finished, config_of, file, said):
    with pytest.raises(UserError, match=f"^file={re.escape(file)} {said}"):
        evaluate_run(config_of("evaluate", f"run={finished}", f"file={file}"))


@pytest.mark.parametrize("run", ["null", "''", "[null]"])
def test_a_run_has_to_be_named(config_of, run):
    with pytest.raises(
        UserError, match=r"^run must be a run folder or a checkpoint file, but is empty: give run=DIR\.$"
    ):
        evaluate_run(config_of("evaluate", f"run={run}"))


# What a run cannot know


def test_what_is_unknown_of_a_file_is_told(report, tmp_path, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")
    (tmp_path / "pairs.tsv").write_text("A B\tb a\na b\tb x\na b c\tc b a\nb\tb\n", encoding="utf-8")
    report(f"file={tmp_path / 'pairs.tsv'}")
    assert caplog.messages == [
        f"{tmp_path / 'pairs.tsv'}: 1 of 4 sources (25.0 %) hold what was never seen in training, such as 'A', 'B' (in "
        "'A B'); all of it is known in lower case, as 'a b'",
        f"{tmp_path / 'pairs.tsv'}: 1 of 4 references (25.0 %) are what no output can equal, such as 'b x': the target "
        "vocabulary lacks 'x'",
    ]


def test_references_that_copied_words_may_equal_are_not_told(report, tmp_path, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")
    (tmp_path / "pairs.tsv").write_text("a b\tb x\n", encoding="utf-8")
    report(f"file={tmp_path / 'pairs.tsv'}", "replace_unknown=true")
    assert caplog.messages == []


def test_of_what_is_known_nothing_is_told(report, caplog):
    caplog.set_level(logging.WARNING, logger="seq2seq")
    report("split=dev")
    assert caplog.messages == []
