"""A run in Python: it answers as the commands do."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pandas
import pytest
import torch
from line_streams import build_stream
from torch import nn

import seq2seq
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.score import score_lines
from seq2seq.interpretation.trace import named_cells
from seq2seq.library import interpretation

HALF = "{} must hold whole characters, but has half a surrogate pair, '\\ud"
WORDS = ["bcd", "a", "", "fedcba", "cab"]


@pytest.fixture(scope="module")
def run(finished) -> seq2seq.Run:
    return seq2seq.load(finished)


def lines_of(config_of, finished, *overrides: str) -> list[str]:
    stream = build_stream(config_of("translate", f"run={finished}", *overrides))
    return list(stream(f"{word}\n".encode() for word in WORDS))


@pytest.mark.parametrize(
    ("keywords", "overrides"),
    [({}, []), ({"decoding": "beam", "decoding__beam_size": 3}, ["decoding=beam", "decoding.beam_size=3"])],
)
def test_translations_are_those_of_the_command(run, config_of, finished, keywords, overrides):
    assert run.translate(WORDS, **keywords) == lines_of(config_of, finished, *overrides)
    assert [run.translate(word, **keywords) for word in WORDS] == run.translate(WORDS, **keywords)


def test_n_best_are_translations_with_scores_and_alignment(run):
    found = run.translate(["bcd", "cab"], n_best=2, decoding="beam")
    assert [len(own) for own in found] == [2, 2]
    alone = run.translate("bcd", n_best=2, decoding="beam")
    assert [one.text for one in found[0]] == [one.text for one in alone]
    assert found[0][0].text == run.translate("bcd", decoding="beam")
    first = found[0][0]
    assert first.hypothesis.score >= found[0][1].hypothesis.score
    assert len(first.alignment) == len(first.pieces)


def test_a_prefix_and_constraints_hold(run):
    assert run.translate("bcd", prefix="a").startswith("a")
    assert "e" in run.translate("bcd", decoding="beam", constraints=["e"])
    held = run.translate(["bcd", "cab"], prefix=["a", "f"], constraints=[["e"], []], decoding="beam")
    assert [text[0] for text in held] == ["a", "f"]
    assert "e" in held[0]


def test_scores_are_those_of_the_command(run, config_of, finished):
    pairs = [("bcd", "dcb"), ("a", "a"), ("bcd", "b")]
    lines = score_lines(config_of("score", f"run={finished}"), (f"{s}\t{t}\n".encode() for s, t in pairs))
    assert [f"{found.score:.6f}" for found in run.score(pairs)] == [line.split("\t")[0] for line in lines]


def test_evaluation_is_that_of_the_command(run, config_of, finished, tmp_path):
    wanted = evaluate_run(config_of("evaluate", f"run={finished}", "split=dev"))
    found = run.evaluate(split="dev").report()
    assert {**found, "seconds": 0} == {
        **{name: value for name, value in wanted.items() if name not in ("data", "step")},
        "seconds": 0,
    }
    by_exact_match = run.evaluate([("bcd", "dcb")], metrics="exact_match", bootstrap=0)
    assert list(by_exact_match.scores) == ["exact_match"]


def test_what_is_unknown_is_told_by_the_name_of_the_examples(run, monkeypatch):
    names = []
    monkeypatch.setattr("seq2seq.runs.unknown_examples.warn_of_unknown", lambda name, *given: names.append(name))
    for options in ({}, {"split": "train"}, {"pairs": [("bcd", "dcb")]}):
        run.evaluate(**options, bootstrap=0)
    assert names == ["test" if run.config["data"].get("test_size") else "dev", "train", "pairs"]


def test_a_file_is_read_by_the_columns_of_the_run(run, monkeypatch, tmp_path):
    turned = {"_target_": "seq2seq.data.corpora.tsv.TSVCorpus", "train": "pairs.tsv", "source": 2, "target": 1}
    monkeypatch.setitem(run.config, "data", turned)
    path, pairs = tmp_path / "given.tsv", [("bcd", "dcb"), ("a", "a"), ("bcd", "b")]
    path.write_text("Ziel\tQuelle\n" + "".join(f"{target}\t{source}\n" for source, target in pairs))
    assert [found.token_scores for found in run.score(path)] == [found.token_scores for found in run.score(pairs)]
    by_file, by_list = (run.evaluate(given, metrics="exact_match", bootstrap=0) for given in (str(path), pairs))
    assert (by_file.scores, by_file.hypotheses) == (by_list.scores, by_list.hypotheses)


def test_a_run_says_what_it_is(run, finished):
    assert isinstance(run.model, nn.Module)
    assert not run.model.training
    assert repr(run).startswith(f"Run('{finished}': ")
    assert run.report["scores"] == run.scores
    assert all("<td" in run._repr_html_() and name in run._repr_html_() for name in run.scores)
    assert run.config["seed"] == 1


def test_answers_are_the_same_from_several_threads_and_leave_the_model_as_it_was(run):
    before = {name: weight.clone() for name, weight in run.model.state_dict().items()}
    alone = run.translate(WORDS, decoding="beam")
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: run.translate(WORDS, decoding="beam"), range(8)))
    assert together == [alone] * 8
    after = run.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_interpretations_come_from_several_threads_and_leave_the_model_alone(run, monkeypatch):
    read, seen = interpretation.read, []
    monkeypatch.setattr(interpretation, "read", lambda own, *given: seen.append(own.model) or read(own, *given))
    fused = {name: cell.fused for name, cell in named_cells(run.model).items()}
    alone = run.interpret("bcd", steps=2)
    together = Barrier(4)

    def call(_):
        together.wait()
        return run.interpret("bcd", steps=2)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(call, range(4)))
    assert all(torch.equal(own.trace.features, alone.trace.features) for own in found)
    assert {name: cell.fused for name, cell in named_cells(run.model).items()} == fused
    assert len(seen) == 5
    assert not any(model is run.model for model in seen)


def test_constraints_may_come_from_generators(run):
    wanted = run.translate("bcd", decoding="beam", constraints=["e"])
    assert run.translate("bcd", decoding="beam", constraints=(text for text in ["e"])) == wanted
    assert "e" in wanted
    for several in ([(text for text in ["e"]), []], ((text for text in own) for own in (["e"], []))):
        first, _ = run.translate(["bcd", "cab"], decoding="beam", constraints=several)
        assert first == wanted


def test_threads_are_left_as_they_were(run):
    torch.set_num_threads(2)
    run.translate(WORDS, threads=1)
    run.translate("bcd")
    assert torch.get_num_threads() == 2


def test_a_text_is_looked_into(run, tmp_path):
    found = run.interpret("bcd", steps=2)
    assert found.output == run.translate("bcd")
    assert {"attention", "gates of decoder 1"} <= found.figures().keys()
    assert found.trace.cells
    assert found._repr_html_().startswith("<iframe")
    paths = found.save(str(tmp_path / "report"), formats=["svg"])
    assert [path.name for path in paths][:2] == ["report.html", "attention.svg"]
    with pytest.raises(seq2seq.UserError, match="must be a new or empty folder, but is not"):
        found.save(str(tmp_path / "report"))


def test_an_ensemble_of_one_run_twice_is_that_run(run, finished):
    both = seq2seq.ensemble([run, finished])
    assert both.translate(WORDS) == run.translate(WORDS)
    assert both.translate(WORDS, ensemble="probabilities", decoding="beam") == run.translate(WORDS, decoding="beam")
    assert repr(both) == f"Ensemble({finished}, {finished})"


def test_a_column_of_a_data_frame_goes_in_and_out(run):
    frame = pandas.DataFrame({"word": WORDS})
    frame["reversed"] = run.translate(frame["word"])
    assert frame["reversed"].tolist() == run.translate(WORDS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.translate(5), "texts must be a text, or several, but is of type int."),
        (
            lambda run: run.translate(["a", None]),
            "texts[1] must be a text, but is None: leave out rows that lack one, of a data frame by dropna().",
        ),
        *(
            (lambda run, text=text: run.translate(["a", text]), HALF.format("texts[1]"))
            for text in ["b\ud800", "b\udc00c"]
        ),
        (lambda run: run.translate("a", prefix="b\ud800"), HALF.format("texts")),
        (lambda run: run.translate(["a"], constraints=[["b\ud800"]]), HALF.format("texts[0]")),
        (lambda run: run.score([("a", "b"), ("a\ud800", "b")]), HALF.format("pairs[1]")),
        (lambda run: run.evaluate([("a", "b\ud800")]), HALF.format("pairs[0]")),
        (lambda run: run.interpret("\ud800"), HALF.format("text")),
        (lambda run: run.translate("a", n_best=0), "n_best must be a whole number of at least 1, but is 0."),
        (
            lambda run: run.translate(["a"], prefix=["b", "c"]),
            "prefix must be given for each of 1 texts, but there are 2.",
        ),
        (
            lambda run: run.translate(["a"], constraints=["b"]),
            "constraints of texts[0] must be a list of texts, but are 'b'.",
        ),
        (
            lambda run: run.translate("a", constraints=["Z"]),
            "line 1: the constraint 'Z' must be in the target vocabulary, but it lacks '▁Z'.",
        ),
        (
            lambda run: run.translate("a", decodin="beam"),
            "The option 'decodin' does not exist: did you mean 'decoding'?",
        ),
        (lambda run: run.translate("a", buffer=1), "buffer is an option of the command line alone: leave it out."),
        (lambda run: run.translate("a", device="cpu"), "device is chosen when a run is loaded: leave it out here."),
        (
            lambda run: run.translate("a", decoding__beam_size=2),
            "The option 'decoding__beam_size' needs decoding='beam' or decoding='diverse_beam'.",
        ),
        (
            lambda run: run.evaluate([("a", "b")], split="dev"),
            "split must be None where there are pairs, but is 'dev': give one.",
        ),
        (lambda run: run.evaluate(split="den"), "split must be train, dev or test, but is 'den'."),
        (lambda run: run.interpret(" "), "text must be one line, but is ' '."),
        (
            lambda run: run.interpret("a", target="b", decoding__length__minimum=3),
            "decoding__length__minimum has no effect beside target, with which nothing is searched for: leave one of "
            "them out.",
        ),
        (lambda run: seq2seq.ensemble([]), "runs must hold at least one run, but is empty."),
        (lambda run: seq2seq.ensemble("r200"), "runs must be several runs or their paths, in a list, but is 'r200'."),
        (
            lambda run: run.translate("a", constraints=[None]),
            "constraints of texts[0] must be a list of texts, but are [None].",
        ),
        (lambda run: run.translate("a", constraints=None), "constraints of texts[0] must be a list of texts, but are "),
        (lambda run: run.translate(["a"], constraints=None), "constraints must be given for each text, or left out, "),
        (lambda run: run.translate(["a"], prefix=None), "prefix must be given for each text, or left out, but is None"),
        (lambda run: run.fine_tune([("a", "b")], init=run), "init must be a number, a text, "),
        (lambda run: run.fine_tune([("a", "b")], init=run.model), "init must be a number, a text, "),
        (lambda run: seq2seq.train(None), "pairs must be given, or left out for data=..., but are None."),
        (lambda run: seq2seq.train(data="tsv"), "data.train must be given, for example data.train=pairs.tsv"),
        (lambda run: seq2seq.train(data="hub"), "data.name must be given, for example data.name="),
        (
            lambda run: seq2seq.train([("a", "b")], trust=["nosuch"]),
            "trust must hold packages that can be imported, but ",
        ),
        (lambda run: seq2seq.load(run.path, device="mps"), "device=mps is none that computes here: use device=cpu"),
        (lambda run: seq2seq.load("nowhere"), "run=nowhere does not exist: give a run folder or a checkpoint file."),
        (lambda run: seq2seq.load(run.path, device="cuda:99"), "device=cuda:99 is none of the "),
    ],
)
def test_a_mistake_is_one_line(run, call, message):
    with pytest.raises(seq2seq.UserError) as error:
        call(run)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_a_name_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(AttributeError, match="has no attribute 'trian': it has .*, train"):
        seq2seq.trian  # noqa: B018


def test_importing_the_package_imports_no_other():
    code = "import sys; before = set(sys.modules); import seq2seq; print(*sorted(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in found} - set(sys.stdlib_module_names) == {"seq2seq"}
    assert [name for name in found if name.startswith("seq2seq")] == ["seq2seq"]


def test_loading_and_translating_import_nothing_of_training_scoring_and_drawing(finished):
    code = "import sys, seq2seq; seq2seq.load(sys.argv[1]).translate('bcd'); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code, finished], capture_output=True, text=True, check=True).stdout
    assert not {"matplotlib", "torchmetrics", "pytorch_lightning", "lightning", "datasets", "pandas"} & {*found.split()}


def test_every_name_of_nn_is_a_class_that_it_offers():
    assert all(isinstance(getattr(seq2seq.nn, name), type) for name in seq2seq.nn.__all__)
    assert {"LSTMCell", "BahdanauDecoder", "Seq2Seq", "BeamSearch", "MultiHeadAttention"} <= set(seq2seq.nn.__all__)


def test_a_source_far_longer_than_any_in_training_is_told(run, caplog):
    run.translate("a b " * 200)
    assert "far longer than any in training, which had at most " in caplog.text


def test_what_was_never_seen_is_told_of_all_calls(run, caplog):
    caplog.set_level("WARNING", logger="seq2seq")
    run.translate(["A B", "b x"])
    run.score([("A B", "b a"), ("a", "y")])
    run.evaluate([("A B", "b a"), ("a", "a")])
    known = "all of it is known in lower case, as 'a b'"
    assert caplog.messages == [
        f"never seen in training, translated as unknown: 'A', 'B' (in 'A B'; said once); {known}",
        "2 lines held what was never seen in training, 3 times in all: 'A' 1, 'B' 1, 'x' 1; 1 of these lines "
        "are known in lower case",
        f"never seen in training, scored as unknown: 'A', 'B' (in 'A B'; said once); {known}",
        "never seen among targets in training, scored as unknown: 'y' (in 'y'; said once)",
        f"pairs: 1 of 2 sources (50.0 %) hold what was never seen in training, such as 'A', 'B' (in 'A B'); {known}",
    ]
