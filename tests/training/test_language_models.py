"""Language models are trained on running text, go on exactly, and are refused what needs a source."""

import json
import logging
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kept_runs import last
from line_streams import build_stream
from torch.testing import assert_close

import seq2seq
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.interpret import interpret
from seq2seq.commands.selfcheck import selfcheck
from seq2seq.commands.train import train
from seq2seq.data.batching import TokenBudget
from seq2seq.data.examples import Example
from seq2seq.decoding.scoring import score_targets
from seq2seq.errors import DivergedError, UserError
from seq2seq.runs.checkpoint import save_checkpoint
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.perplexity import perplexity
from seq2seq.runs.possible import checked
from seq2seq.runs.possible_text import check_text
from seq2seq.runs.run import load_run
from seq2seq.symbols import EOS

ROOT = Path(__file__).parents[2]
RUN = [
    "experiment=language_model",
    "data.documents=paragraphs",
    "tokenizer=word",
    "model.embedding_size=6",
    "model.hidden_size=8",
    "model.top_size=6",
    "model.num_layers=2",
    "truncation.window=5",
    "batches.max_tokens=25",
    "optimizer.lr=2.0",
    "budget.max_steps=9",
    "trainer.val_check_interval=3",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "precision=32-true",
    "logger=none",
    "threads=1",
]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> list[str]:
    """Documents of a few lines each, by which the next word can be guessed; and overrides that name them."""
    draw, folder = random.Random(1), tmp_path_factory.mktemp("text")

    def line() -> str:
        start = draw.randrange(6)
        return " ".join("abcdef"[(start + place) % 6] for place in range(draw.randint(2, 7)))

    for name, count in (("train", 30), ("dev", 5)):
        documents = ["\n".join(line() for _ in range(draw.randint(1, 4))) for _ in range(count)]
        (folder / f"{name}.txt").write_text("\n\n".join(documents) + "\n")
    return [f"data.train={folder}/train.txt", f"data.dev={folder}/dev.txt"]


@pytest.fixture(scope="module")
def config_of_run(plain_config_of, text):
    return lambda *overrides: plain_config_of("train", *RUN, *text, *overrides)


@pytest.fixture(scope="module")
def folder(config_of_run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("language_model") / "run"
    folder.mkdir()
    train(config_of_run(), folder, resume=False)
    return folder


def test_selfcheck_asks_for_beginnings_as_no_split_has_sources(folder, config_of, tmp_path):
    with pytest.raises(UserError) as error:
        selfcheck(config_of("selfcheck", f"run={folder}", "device=cpu"))
    assert str(error.value) == (
        "file must be given with a language model, whose own data have no sources: file=lines.txt, of beginnings to go "
        "on from."
    )


def test_a_run_reports_the_perplexity_of_dev(folder, config_of):
    record = json.loads((folder / "metrics.json").read_text())
    assert record["scores"]["perplexity"] < 8  # of six words and an end
    assert evaluate_run(config_of("evaluate", f"run={folder}", "device=cpu"))["scores"] == record["scores"]


@pytest.mark.parametrize("truncation", [[], ["truncation=none", "data.documents=lines"]], ids=["window", "none"])
def test_it_learns_what_follows(plain_config_of, text, tmp_path, truncation):
    kept = [own for own in RUN if not truncation or not own.startswith(("truncation", "data"))]
    weak = [f"model.{name}=0.1" for name in ("dropout", "type_dropout", "output_dropout", "hidden_dropout")]
    longer = ["budget.max_steps=150", "trainer.val_check_interval=50", "batches.max_tokens=100", "optimizer.lr=5.0"]
    none = ["objective.activation_loss=0.0", "objective.temporal_loss=0.0", "model.cell.regularization.weight_drop=0.0"]
    config = plain_config_of("train", *kept, *text, *longer, *weak, *none, *truncation)
    train(config, tmp_path, resume=False)
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert record["scores"]["perplexity"] < 4.5  # of a guess by how often words come: over 6


def test_gradients_are_clipped_by_gate(config_of_run, folder, tmp_path):
    train(config_of_run("gradients=gate", "gradients.max_norm=1e-3"), tmp_path, resume=False)
    assert not torch.equal(last(tmp_path)["weights"]["output.bias"], last(folder)["weights"]["output.bias"])


def test_it_diverges_in_words(config_of_run, tmp_path):
    with pytest.raises(DivergedError, match=r"^training has diverged at step \d+: .* not finite"):
        train(config_of_run("optimizer.lr=1e38", "gradients=none", "budget.max_steps=60"), tmp_path, resume=False)


@pytest.mark.parametrize("steps", [3, 4, 6])
def test_resumed_is_uninterrupted(folder, config_of_run, tmp_path, steps):
    train(config_of_run(f"budget.max_steps={steps}"), tmp_path, resume=False)
    stopped = last(tmp_path)
    assert len(stopped["carried_states"]) == 2  # layers
    train(config_of_run(), tmp_path, resume=True)
    ours, theirs = last(tmp_path), last(folder)
    for part in ("state_dict", "weights"):
        for name, value in theirs[part].items():
            assert torch.equal(ours[part][name], value), name
    for own, other in zip(ours["carried_states"], theirs["carried_states"], strict=True):
        assert all(torch.equal(*parts) for parts in zip(own, other, strict=True))


def test_states_that_are_carried_matter(folder, config_of_run, tmp_path):
    train(config_of_run("budget.max_steps=4"), tmp_path, resume=False)
    path = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint = last(tmp_path)
    checkpoint["carried_states"] = [[torch.zeros_like(part) for part in own] for own in checkpoint["carried_states"]]
    save_checkpoint(path, checkpoint)
    train(config_of_run(), tmp_path, resume=True)
    assert not torch.equal(last(tmp_path)["weights"]["output.bias"], last(folder)["weights"]["output.bias"])


def test_rows_that_go_on_with_other_text_or_in_another_number_begin_anew_by_name(config_of_run, text, tmp_path, caplog):
    train(config_of_run("budget.max_steps=4"), tmp_path / "run", resume=False)
    for name, change, said in (
        (
            "rows",
            {"batches": {"max_tokens": 20}},
            "is read in 4 rows, of which the run has carried states of 5:",
        ),
        (
            "text",
            {"data": {"changed": "accept"}},
            "has changed: its rows begin without the states that the run",
        ),
    ):
        copied = shutil.copytree(tmp_path / "run", tmp_path / name)
        config = config_of_run("budget.max_steps=5")
        for group, values in change.items():
            config[group] |= values
        if name == "text":
            lines = Path(config["data"]["train"]).read_text().split("\n\n")
            config["data"]["train"] = str(tmp_path / "other.txt")
            (tmp_path / "other.txt").write_text("\n\n".join(reversed(lines)))
        caplog.clear()
        train(config, copied, resume=True)
        assert f"the text {said}" in caplog.text
        caplog.clear()
        train(config_of_run("budget.max_steps=6") | {group: config[group] for group in change}, copied, resume=True)
        assert "the text" not in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        "truncation.window=9",
        "truncation.varied=false",
        "objective.activation_loss=0.0",
        "objective.temporal_loss=0.0",
        "model.cell.regularization.weight_drop=0.0",
        "model.connection=highway",
        "data.documents=lines",
    ],
)
def test_every_part_of_the_recipe_changes_the_weights(folder, config_of_run, tmp_path, change):
    train(config_of_run(change), tmp_path, resume=False)
    assert not torch.equal(last(tmp_path)["weights"]["output.bias"], last(folder)["weights"]["output.bias"])


def test_perplexity_is_that_of_documents_scored_one_by_one(folder, config_of_run):
    run = load_run(folder)
    dev = load_splits(config_of_run()).dev
    found = perplexity(run.model, run.tokenizers, dev)
    nats, tokens, lines_read = 0.0, 0, 0
    for example in dev:
        lines = run.tokenizers.target.encode(example.targets[0].split("\n"))
        ids = [index for line in lines for index in [*line, EOS]]
        (scored,) = score_targets(
            run.model, torch.tensor([[EOS]]), torch.tensor([1]), torch.tensor([ids]), torch.tensor([len(ids)])
        )
        nats, tokens, lines_read = nats - scored.score, tokens + len(ids), lines_read + len(lines)
    assert (found.tokens, found.words, found.documents) == (tokens, tokens, 5)
    assert found.nats == pytest.approx(nats, rel=1e-5)
    assert found.characters == 2 * (tokens - lines_read)  # letters and spaces between, and an end for the last space


@pytest.mark.parametrize("most", [300, 1000, 100_000])
def test_perplexity_is_the_same_whatever_is_read_together(folder, config_of_run, most, monkeypatch):
    run, dev = load_run(folder), load_splits(config_of_run()).dev
    expected = perplexity(run.model, run.tokenizers, dev).nats
    monkeypatch.setattr("seq2seq.data.running_text._WINDOW", 3)
    assert perplexity(run.model, run.tokenizers, dev, TokenBudget(most, 512)).nats == pytest.approx(expected, rel=1e-5)


def test_dev_loss_is_that_perplexity(folder):
    validations = last(folder)["callbacks"]["History"]["validations"]
    record = json.loads((folder / "metrics.json").read_text())
    assert min(loss for *_, loss, _ in validations) == pytest.approx(record["scores"]["loss"], abs=1e-4)


def test_nothing_to_score_is_told(folder):
    run, called = load_run(folder), seq2seq.load(folder)
    for texts in ([], [""], ["", " "]):
        with pytest.raises(UserError, match="^texts must hold a text that is not empty, but there is none.$"):
            called.perplexity(texts)
    assert called.perplexity(["", "a"]).documents == 1
    with pytest.raises(UserError, match="^split must hold a document that is not empty"):
        perplexity(run.model, run.tokenizers, [Example("", ("",))])


def test_a_line_is_continued(folder, config_of):
    stream = build_stream(config_of("translate", f"run={folder}", "device=cpu", "decoding=sampling"))
    lines = list(stream([b"a b\n", b"\n", b"c\n"]))
    assert lines[0].startswith("a b")
    assert lines[1] == ""
    assert lines[2].startswith("c")


def test_a_prefix_alone_is_continued_as_a_line_is(folder):
    model = seq2seq.load(str(folder), device="cpu")
    assert model.translate("", prefix="a b") == model.translate("a b") != ""
    assert model.translate("") == ""


def test_a_file_of_ones_own_is_scored(folder, config_of, tmp_path):
    (tmp_path / "own.txt").write_text("a b c\n\nb c\n")
    report = evaluate_run(config_of("evaluate", f"run={folder}", "device=cpu", f"file={tmp_path}/own.txt"))
    assert (report["tokens"], report["sentences"]) == (7, 2)


def test_each_word_that_is_unknown_counts_and_is_told(folder, config_of, tmp_path, caplog):
    file = tmp_path / "own.txt"
    file.write_text("a x yy zzz b\n\nb c\n")
    caplog.set_level(logging.WARNING, logger="seq2seq")
    report = evaluate_run(config_of("evaluate", f"run={folder}", "device=cpu", f"file={file}"))
    assert report["tokens"] == report["words"] == 9
    found = seq2seq.load(str(folder), device="cpu").perplexity(["a x yy zzz b", "b c"])
    assert found.tokens == 9
    told = "1 of 2 lines (50.0 %) hold what was never seen in training, such as 'x', 'yy', 'zzz' (in 'a x yy zzz b')"
    assert caplog.messages == [f"{file}: {told}", f"texts: {told}"]


def test_from_python_texts_have_the_perplexity_of_the_command(folder, config_of, text):
    model = seq2seq.load(str(folder), device="cpu")
    dev = Path(text[1].partition("=")[2]).read_text().strip().split("\n\n")
    record = evaluate_run(config_of("evaluate", f"run={folder}", "device=cpu"))
    for found in (model.perplexity(dev), model.perplexity(split="dev")):
        assert {name: round(value, 4) for name, value in found.scores.items()} == record["scores"]
    for wrong, message in (
        (
            lambda: model.evaluate(),
            "evaluate needs a model with a source, but this is a language model: call perplexity.",
        ),
        (lambda: model.perplexity("a b"), "texts must be several texts, in a list, but are of type str."),
        (lambda: model.perplexity(iter(["a", 1])), "texts[1] must be a text, but is 1."),
        (
            lambda: model.perplexity(["a"], split="dev"),
            "split must be None where there are texts, but is 'dev': give one.",
        ),
    ):
        with pytest.raises(UserError) as error:
            wrong()
        assert str(error.value) == message


def test_what_needs_a_source_is_refused(folder, config_of):
    message = f"needs a model with a source, but run={folder} is a language model: give another run.$"
    with pytest.raises(UserError, match=f"^interpret {message}"):
        interpret(config_of("interpret", f"run={folder}", "text=a", "device=cpu"))
    with pytest.raises(UserError, match=f"^compare {message}"):
        evaluate_run(config_of("evaluate", f"run=[{folder},{folder}]", "compare=true", "device=cpu"))
    with pytest.raises(UserError, match="^run must be one language model"):
        evaluate_run(config_of("evaluate", f"run=[{folder},{folder}]", "device=cpu"))


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("scheduled_sampling=constant", "scheduled_sampling must be none"),
        ("augmentation=noise", "augmentation must be none"),
        ("references=best", "references must be each"),
        ("curriculum=competence", "curriculum must be none"),
        ("segmentation=sampled", "segmentation must be none"),
        ("init=runs/1", "init must be null"),
        ("objective.coverage_loss=1.0", "objective.coverage_loss must be 0"),
        ("objective.entropy_floor=0.1", "objective.entropy_floor must be 0"),
        ("metrics=exact_match", "metrics must be perplexity"),
        ("monitor.metric=dev/bleu", "monitor.metric must be dev/loss"),
        ("callbacks.samples={_target_:seq2seq.training.callbacks.samples.Samples}", "callbacks.samples must be null"),
        ("callbacks.gate_monitor={_target_:x}", "callbacks.gate_monitor must be null"),
        ("callbacks.vital_signs={_target_:x}", "callbacks.vital_signs must be null"),
        ("callbacks.length_scores={_target_:x}", "callbacks.length_scores must be null"),
        ("decoding=beam", "decoding must be greedy, as training searches nothing,"),
    ],
)
def test_what_goes_with_a_source_alone_is_refused_by_name(config_of_run, override, start):
    config = config_of_run()
    changed = config_of_run(override)
    with pytest.raises(UserError) as error:
        check_text(config | {name: value for name, value in changed.items() if value != config[name]})
    assert str(error.value) == f"{start} with a language model, which has no source: see experiment=language_model."


def test_other_objectives_are_refused(plain_config_of, text):
    config = plain_config_of("train", *RUN, *text)
    config["objective"] = plain_config_of("train", "experiment=reverse", "objective=r_drop")["objective"]
    with pytest.raises(UserError, match="^objective must be cross_entropy with a language model"):
        checked(config)


def test_running_text_is_refused_to_other_models(plain_config_of, text):
    config = plain_config_of("train", "experiment=reverse")
    config["data"] = plain_config_of("train", *RUN, *text)["data"]
    with pytest.raises(UserError, match="^data=text has no sources, which this model reads"):
        checked(config)


def test_the_target_side_of_pairs_is_text_too(config_of_run, plain_config_of, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"x {n}\ta b c d\n" for n in range(12)))
    config = config_of_run("budget.max_steps=2")
    config["data"] = plain_config_of("train", "data=tsv", f"data.train={pairs}")["data"]
    (tmp_path / "run").mkdir()
    train(config, tmp_path / "run", resume=False)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["words"] == 5


@pytest.mark.slow  # starts processes that start processes
def test_two_processes_train_as_one_does(text, config_of_run, tmp_path):
    still = ["truncation.varied=false", "model.dropout=0.0", "model.type_dropout=0.0", "model.output_dropout=0.0"]
    still += ["model.hidden_dropout=0.0", "model.cell.regularization.weight_drop=0.0"]
    train(config_of_run(*still), tmp_path, resume=False)
    both = tmp_path / "both"
    overrides = [*RUN, *text, *still, "trainer=ddp", "trainer.devices=2", f"run_dir={both}", "budget.max_steps=4"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "train.py"), *overrides],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    train(config_of_run(*still), both, resume=True)  # one process takes up the states of two
    one, two = last(tmp_path), last(both)
    for name, value in one["weights"].items():
        assert_close(two["weights"][name], value, atol=1e-5, rtol=1e-4)
    for own, other in zip(one["carried_states"], two["carried_states"], strict=True):
        for parts in zip(own, other, strict=True):
            assert_close(*parts, atol=1e-5, rtol=1e-4)
