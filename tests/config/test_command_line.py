"""Every mistake is one line on stderr, exit code 2, and nothing else."""

import errno
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf.errors import OmegaConfBaseException

import seq2seq
from seq2seq.config.command_line import mistakes_in_one_line, run, write_lines
from seq2seq.errors import DivergedError, UserError

# Keys and options


@pytest.mark.parametrize(
    ("override", "wrong", "meant"),
    [
        ("budget.max_step=3", "budget.max_step", "budget.max_steps"),
        ("budjet.max_steps=3", "budjet.max_steps", "budget.max_steps"),
        ("model.encoder.hiden_size=3", "model.encoder.hiden_size", "model.encoder.hidden_size"),
        ("max_steps=3", "max_steps", "budget.max_steps"),
        ("sed=3", "sed", "seed"),
        ("modell=luong", "modell", "model"),
        ("modle=luong", "modle", "model"),
        ("model/atention=dot", "model/atention", "model/attention"),
    ],
)
def test_an_unknown_key_or_group_is_answered_with_the_nearest(mistake, override, wrong, meant):
    assert mistake("train", override) == f"The option {wrong!r} does not exist: did you mean {meant!r}?"


@pytest.mark.parametrize(
    ("script", "name", "meant"),
    [
        ("train", "file", "data.train"),
        ("train", "data.valid", "data.dev"),
        ("train", "data.path", "data.train"),
        ("train", "data.src", "data.source"),
        ("train", "epochs", "budget.max_steps"),
        ("train", "batch_size", "batches.max_tokens"),
        ("train", "output_dir", "run_dir"),
        ("translate", "checkpoint", "run"),
        ("translate", "batch", "batch_size"),
        ("evaluate", "path", "file"),
        ("train", "max_epochs", "budget.max_steps"),
        ("train", "max_grad_norm", "gradients.max_norm"),
        ("train", "teacher_forcing_ratio", "scheduled_sampling"),
        ("train", "fp16", "precision"),
        ("train", "valid_freq", "trainer.val_check_interval"),
        ("train", "cell_type", "model/cell"),
        ("train", "max_len", "batches.max_length"),
        ("translate", "max_len", "decoding.length.maximum"),
    ],
)
def test_words_of_others_are_answered_with_ours(mistake, script, name, meant):
    data = ["data=tsv"] if script == "train" else []
    assert mistake(script, *data, f"{name}=1") == f"The option {name!r} does not exist: did you mean {meant!r}?"


@pytest.mark.parametrize(
    ("script", "name", "meant"),
    [
        ("train", "weight_decay", "'optimizer.weight_decay', which needs optimizer=adafactor or optimizer=adamw or"),
        ("train", "patience", "'callbacks.early_stopping.patience', which needs callbacks=early_stopping"),
        ("translate", "temperature", "'decoding.temperature', which needs decoding=sampling"),
        ("translate", "top_k", "'decoding.top_k', which needs decoding=sampling"),
    ],
)
def test_words_of_others_for_an_option_of_another_choice_name_it(mistake, script, name, meant):
    assert mistake(script, f"{name}=1").startswith(f"The option {name!r} does not exist: did you mean {meant}")


def test_what_has_to_be_asked_for_elsewhere_alone_is_told_to_be_needless(mistake):
    assert mistake("train", "num_workers=4") == (
        "The option 'num_workers' does not exist, and none is needed: data are read and batched in the process that "
        "trains."
    )


def test_of_a_part_without_such_an_option_those_that_it_has_are_told(mistake):
    assert mistake("train", "budget.xyzzy=1") == (
        "The option 'budget.xyzzy' does not exist: budget has max_steps, max_minutes, until."
    )


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("model=GNMT", "model=gnmt"),
        ("model/cell=QRNN", "model/cell=qrnn"),
        ("metrics=Exact_Match", "metrics=exact_match"),
        ("metrics=WER", "metrics=pronunciation"),
        ("metrics=bleu", "metrics=translation"),
        ("metrics=[exact_match,accuracy]", "metrics=exact_match or metrics=classes"),
        ("metrics=f1", "metrics=classes"),
        ("Seed=1", "'seed'"),
        ("optimizer.LR=1", "'optimizer.lr'"),
    ],
)
def test_capitals_and_scores_are_no_other_name(mistake, override, meant):
    assert f"did you mean {meant}?" in mistake("train", override)


def test_none_of_another_group_is_not_meant(mistake):
    assert mistake("train", "tokenizer=none").startswith(
        "The option tokenizer=none does not exist. There are auto, bpe"
    )


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("pairs.tsv", "tsv"),
        ("my/pairs.csv", "tsv"),
        ("p.jsonl.gz", "json"),
        ("P.JSON", "json"),
        ("p.parquet", "parquet"),
    ],
)
def test_a_file_given_as_the_kind_of_data_is_answered_with_what_reads_it(mistake, file, kind):
    assert mistake("train", f"data={file}") == (
        f"data={file} is no kind of data: did you mean data={kind} data.train={file}?"
    )


@pytest.mark.parametrize(
    ("override", "was", "rather"),
    [
        ("trainer.gradient_clip_val=5", "trainer.gradient_clip_val", "gradients.max_norm"),
        ("trainer.gradient_clip_algorithm=value", "trainer.gradient_clip_algorithm", "gradients"),
        ("objective.coverage=1", "objective.coverage", "objective.coverage_loss"),
    ],
)
def test_an_option_of_before_is_answered_with_its_name_of_now(mistake, override, was, rather):
    assert mistake("train", override) == f"The option {was!r} does not exist: did you mean {rather!r}?"
    assert mistake("train", f"+{override}") == f"{was} is not an option any more: did you mean {rather}?"


def test_a_part_of_before_is_answered_with_its_name_of_now(mistake):
    said = mistake("translate", "run=x", "decoding=beam", "decoding.coverage.beta=1")
    assert said == (
        "The option 'decoding.coverage.beta' does not exist: did you mean 'decoding.coverage_penalty.beta'?"
    )


def test_an_option_of_other_choices_names_these_however_deep_it_lies(mistake):
    owners = "model=auto or model=bahdanau or model=luong or model=transducer"
    said = mistake("train", "model=gnmt", "model.decoder.connection=dense")
    assert said == f"The option 'model.decoder.connection' needs {owners}."


@pytest.mark.parametrize("plus", ["", "+", "++"])
def test_an_option_that_the_script_sets_is_answered_with_what_to_use(mistake, plus):
    said = mistake("train", f"{plus}trainer.max_epochs=5")
    assert said == "trainer.max_epochs is set by the script: use budget.max_steps instead."


@pytest.mark.parametrize(
    "script",
    ["train", "translate", "evaluate", "score", "selfcheck", "interpret", "intervene", "probe", "health", "gradients"]
    + ["time_constants", "horizon", "erosion", "compare", "adapt"],
)
@pytest.mark.parametrize("plus", ["+", "++"])
def test_a_key_that_a_script_does_not_read_cannot_be_added(mistake, script, plus):
    assert mistake(script, f"{plus}xyzzy=1") == "The option 'xyzzy' does not exist: --help shows what there is."


@pytest.mark.parametrize(
    ("script", "argument", "said"),
    [
        ("evaluate", "+fil.x=1", "The option 'fil.x' does not exist: did you mean 'file'?"),
        ("train", "+monitor.metrik=x", "The option 'monitor.metrik' does not exist: did you mean 'monitor.metric'?"),
        ("train", "+averaging.deca=x", "The option 'averaging.deca' does not exist: did you mean 'averaging.decay'?"),
    ],
)
def test_a_key_that_is_added_where_nothing_reads_it_is_refused(mistake, script, argument, said):
    assert mistake(script, argument) == said


def test_a_key_like_no_other_is_answered_with_where_to_look(mistake):
    assert mistake("train", "xyzzy=3") == "The option 'xyzzy' does not exist: --help shows what there is."


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        (
            "train",
            ["model=lung"],
            "The option model=lung does not exist: did you mean model=luong? There are bahdanau, gnmt, luong, "
            "transducer.",
        ),
        (
            "train",
            ["model/attention=zzz"],
            "The option model/attention=zzz does not exist. There are additive, dot, general.",
        ),
        (
            "translate",
            ["run=x", "decoding=gredy"],
            "The option decoding=gredy does not exist: did you mean decoding=greedy? There are greedy.",
        ),
    ],
)
def test_an_unknown_option_is_answered_with_the_list(mistake, script, arguments, message):
    said = mistake(script, *arguments)
    # More options may come to a group; those of today stay in the list, in order.
    head, _, listed = message.rpartition("There are ")
    start, _, shown = said.rpartition("There are ")
    assert start == head
    assert set(listed.removesuffix(".").split(", ")) <= set(shown.removesuffix(".").split(", "))


def test_an_unknown_key_of_another_script_is_compared_with_its_own(mistake):
    assert mistake("translate", "rn=x") == "The option 'rn' does not exist: did you mean 'run'?"
    assert mistake("evaluate", "run=x", "fil=y") == "The option 'fil' does not exist: did you mean 'file'?"
    assert mistake("benchmark", "step=3") == "The option 'step' does not exist: did you mean 'steps'?"


@pytest.mark.parametrize("name", ["output"])
def test_what_reads_stdin_says_so_to_those_who_name_a_file(mistake, name):
    said = mistake("translate", "run=x", f"{name}=lines.txt")
    assert said == (
        f"The option {name!r} does not exist: lines are read from stdin and answered on stdout, by < IN > OUT."
    )


def test_a_key_with_several_values_is_told_with_the_one_that_counts(mistake, caplog):
    mistake("train", "seed=1", "budget.max_steps=2", "seed=3", "sed=1", "seed=no")
    assert [record.getMessage() for record in caplog.records if "given" in record.getMessage()] == [
        "seed is given 3 times: no counts, 1, 3 not"
    ]


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("translate", ["decoding.beam_size=3"], "needs decoding=beam or decoding=diverse_beam."),
        ("translate", ["decoding.patience=3"], "needs decoding=beam."),
        ("translate", ["decoding/ranking=gnmt"], "needs decoding=beam or decoding=diverse_beam."),
        ("translate", ["rerank.utility=edit"], "needs rerank=mbr."),
        ("train", ["decoding.temperature=2"], "needs decoding=sampling."),
        (
            "translate",
            ["decoding.beam_siz=3", "decoding=beam"],
            "does not exist: did you mean 'decoding.beam_size'?",
        ),
        ("translate", ["decoding.length.max_ratoi=3"], "does not exist: did you mean 'decoding.length.max_ratio'?"),
        ("benchmark", ["batch_siz=3", "mode=decode"], "does not exist: did you mean 'batch_size'?"),
    ],
)
def test_an_option_of_another_choice_is_answered_with_the_choice(mistake, script, arguments, message):
    said = mistake(script, "run=x", *arguments) if script != "train" else mistake(script, *arguments)
    name = arguments[0].partition("=")[0]
    assert said == f"The option {name!r} {message}"


def test_a_script_without_its_run_is_told_what_is_missing(mistake):
    for script in ("translate", "evaluate", "score", "selfcheck", "interpret", "intervene", "probe", "health"):
        assert mistake(script) == "run must be given, for example run=DIR"
    for script in ("time_constants", "adapt"):
        assert mistake(script) == "run must be given, for example run=DIR"
    assert mistake("benchmark", "mode=decode") == "run must be given, for example run=DIR"


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        (
            "interpret",
            ["run=x"],
            'text, frames or stream must be given: text="..." looks into one translation, frames=FILE into that of a '
            "series, stream=FILE at a long text.",
        ),
        ("train", ["data=tsv"], "data.train must be given, for example data.train=pairs.tsv"),
        ("train", ["data=json"], "data.train must be given, for example data.train=pairs.jsonl"),
        ("train", ["data=hub"], "data.name must be given, for example data.name=bentrevett/multi30k"),
    ],
)
def test_a_value_that_has_to_be_given_is_named_with_an_example(mistake, script, arguments, message):
    assert mistake(script, *arguments) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["help"], "help is no option: options are key=value without spaces, as in seed=2; --help shows them."),
        (["seed", "=", "2"], "seed is no option: options are key=value without spaces, as in seed=2; --help shows "),
        (["--seed", "2"], "--seed is no option: options are key=value without dashes: did you mean 'seed'?"),
        (["--lr=0.1"], "--lr=0.1 is no option: options are key=value without dashes: did you mean 'optimizer.lr'?"),
        (["--epochs", "10"], "--epochs is no option: options are key=value without dashes"),
    ],
)
def test_what_is_not_key_and_value_is_answered_with_how_to_write_it(mistake, arguments, message):
    assert mistake("train", *arguments).startswith(message)


def test_the_version_is_ours(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "--version"])
    run(lambda: 1 / 0)
    assert capsys.readouterr() == (f"seq2seq {seq2seq.__version__}\n", "")


# Values


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("budget.max_steps=many", "budget.max_steps must be int | None, but is 'many'."),
        ("budget.max_steps=2.5", "budget.max_steps must be int | None, but is 2.5."),
        ("model.dropout=high", "model.dropout must be float, but is 'high'."),
        ("optimizer.lr=null", "optimizer.lr must be float, but is None."),
        ("model.share_embeddings=3", "model.share_embeddings must be bool, but is 3."),
        ("data.train_size=[1,2]", "data.train_size must be int, but is [1, 2]: give one of them."),
        ("averaging.decay=slow", "averaging.decay must be float | None, but is 'slow'."),
        ("seed=one", "seed must be a whole number from 0 to 4294967295, but is 'one'."),
        ("seed=1.5", "seed must be a whole number from 0 to 4294967295, but is 1.5."),
        ("optimizer.lr=-1", "optimizer.lr must be above 0, but is -1: 0.002 is the default of Adam."),
        ("resume=maybe", "resume must be bool, but is 'maybe'."),
        ("find_lr=3", "find_lr must be bool, but is 3."),
        ("trust=3", "trust must hold names of packages with classes of your own, but holds 3."),
        ("callbacks.samples.count=0", "callbacks.samples.count must be at least 1, but is 0: "),
        ("tokenizer.source_size=0", "tokenizer.source_size must be at least 1, or null for all there is, but is 0."),
        ("tokenizer.character_coverage=3.5", "tokenizer.character_coverage must be from 0.98 to 1, but is 3.5."),
        ("precision=half", "precision must be one of auto, 32-true, "),
        (
            "monitor.metric=dev/wer",
            "monitor.metric must be one of dev/loss, dev/exact_match, but is 'dev/wer', which metrics=pronunciation ",
        ),
        ("+model.width=3", "model.width is not an option of seq2seq.models.seq2seq.Seq2Seq: it takes "),
        ("model.dropout=1.5", "model.dropout must be at least 0 and below 1, but is 1.5."),
        ("trainer.accelerator=abacus", "trainer cannot be built: You selected an invalid accelerator name: "),
    ],
)
def test_a_wrong_value_is_named_before_anything_is_written(mistake, tiny_run, tmp_path, override, message):
    said = mistake("train", *tiny_run, override, "run_dir=run")
    assert said == message or (message.endswith(" ") and said.startswith(message))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("accelerator", ["cuda", "gpu", "mps"])
def test_a_device_that_there_is_not_is_named(mistake, tiny_run, monkeypatch, accelerator):
    for kind in (torch.cuda, torch.backends.mps):
        monkeypatch.setattr(kind, "is_available", lambda: False)
    assert mistake("train", *tiny_run, f"trainer.accelerator={accelerator}", "run_dir=run") == (
        f"trainer.accelerator must be auto or cpu where torch finds no such device, but is '{accelerator}': leave it "
        "out, or install a torch that is built for it."
    )


@pytest.mark.parametrize("devices", ["0", "-1", "[]", "[0]", "two"])
def test_processes_on_a_cpu_are_a_number(mistake, tiny_run, tmp_path, devices):
    found = mistake(
        "train", *tiny_run, "trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={devices}", "run_dir=run"
    )
    shown = "'two'" if devices == "two" else devices
    assert found == f"trainer.devices must be a number of processes on a CPU, 1 or more, but is {shown}."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("devices", ["0", "[]"])
def test_gpus_are_some(mistake, tiny_run, monkeypatch, devices):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = mistake("train", *tiny_run, "trainer.accelerator=gpu", f"trainer.devices={devices}", "run_dir=run")
    assert found == f"trainer.devices must be a number of GPUs, or a list of theirs, but is {devices}."


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell what a process holds")
def test_processes_that_memory_has_no_room_for_are_refused(mistake, tiny_run, tmp_path):
    found = mistake(
        "train", *tiny_run, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=100000", "run_dir=run"
    )
    assert re.fullmatch(
        r"trainer\.devices must leave room for 99999 more processes of [\d,]+ MB, but [\d,]+ MB are free: at most "
        r"trainer\.devices=\d+\.",
        found,
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "shown"),
    [("task=", "''"), ("task=a/b", "'a/b'"), ("task=..", "'..'"), ("task=null", "None")],
)
@pytest.mark.parametrize("instead", ["find_lr=false", "find_lr=true"])
def test_a_task_that_names_no_folder_is_refused(mistake, tiny_run, tmp_path, override, shown, instead):
    assert mistake("train", *tiny_run, override, instead) == (
        f"task must be a text that can name a folder, without /, but is {shown}: give another, or leave task out."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_cannot_be_is_told_before_data_are_read(mistake, tmp_path):
    """Which are not there."""
    sizes = ["model/attention=dot", "model.encoder.hidden_size=8", "model.decoder.hidden_size=8"]
    said = mistake("train", "data=tsv", "data.train=missing.tsv", *sizes, "run_dir=run")
    assert said.startswith("Dot attention needs queries as wide as the memory")


def test_missing_data_are_told_before_anything_is_written(mistake, tmp_path):
    said = mistake("train", "data=tsv", "data.train=missing.tsv", "run_dir=run")
    assert said == (
        f"data.train=missing.tsv does not exist: give the path of a file (relative ones start at {tmp_path})."
    )
    assert not (tmp_path / "run").exists()


def test_an_argument_that_cannot_be_read_is_one_line(mistake):
    assert mistake("train", "~seed=[1").startswith("The override '~seed=[1' cannot be read: ")
    assert (
        mistake("train", "seed=[1", "experiment=reverse")
        == "seed must be a whole number from 0 to 4294967295, but is '[1'."
    )


@pytest.mark.parametrize("override", ["seed=1,2", "model=luong,gnmt", "task=a,b"])
def test_several_values_name_multirun(mistake, override):
    assert mistake("train", override).startswith(f"{override} holds several values to try: add --multirun to run ")


@pytest.mark.parametrize("text", ["ευρώπη", "naïve", "it's", "Hello, world", "a=b", "a#b", "run (1)"])
def test_any_text_reaches_a_script(mistake, text):
    assert mistake("interpret", f"run={text}", "text=x").startswith(f"run={text} does not exist")
    assert mistake("interpret", "run=nowhere", f"text={text}").startswith("run=nowhere does not exist")


# Run folders


def fingerprint(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_folder_that_holds_a_run_is_refused_and_left_alone(mistake, finished, tiny_run):
    before = fingerprint(finished)
    assert mistake("train", *tiny_run, f"run_dir={finished}") == (
        f"run_dir={finished} already holds a run: choose another folder, or add resume=true to continue it."
    )
    assert fingerprint(finished) == before


def test_resuming_nothing(mistake, tmp_path):
    assert mistake("train", "resume=true", "run_dir=nowhere") == (
        "resume=true needs a run to continue, but run_dir=nowhere holds none: leave resume=true out to start one, or "
        "give another run_dir."
    )
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("override", ["model=gnmt", "scheduled_sampling=linear"])
def test_resuming_with_another_part_is_refused(mistake, finished, override):
    before = fingerprint(finished)
    assert mistake("train", f"run_dir={finished}", "resume=true", override).startswith(
        f"{override} cannot change in a run that is continued with resume=true: it was trained with "
    )
    assert fingerprint(finished) == before


def test_resuming_a_finished_run(mistake, finished):
    before = fingerprint(finished)
    assert mistake("train", f"run_dir={finished}", "resume=true") == (
        "The run has used up its budget (max_steps=30) at step 30: "
        "raise budget.max_steps or budget.max_minutes to go on."
    )
    assert fingerprint(finished) == before


def test_a_run_that_is_not_there(mistake, finished):
    message = "run=nowhere does not exist: give a run folder or a checkpoint file."
    for script in ("translate", "evaluate", "score", "selfcheck"):
        assert mistake(script, "run=nowhere", lines=b"a\tb\n") == message
    assert mistake("benchmark", "mode=decode", "run=nowhere") == message
    assert mistake("translate", f"run=[{finished},nowhere]") == message


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "metrics.exact_match.tokenize=zh",
            "metrics.exact_match.tokenize is not an option of seq2seq.metrics.exact_match.ExactMatch: it takes none.",
        ),
        (
            "metrics.translation.tokenize=zh",
            "metrics.translation must be one of the run's, exact_match: choose others by metrics=OPTION.",
        ),
        ("metrics.exact_match=zh", "metrics.exact_match must hold options or be null, but is 'zh': give "),
    ],
)
def test_a_change_of_metrics_that_the_run_does_not_have(mistake, finished, override, message):
    for plus in ("", "+"):
        assert mistake("evaluate", f"run={finished}", f"{plus}{override}").startswith(message)


# Decoding


@pytest.mark.parametrize(
    ("arguments", "line", "message"),
    [
        (["decoding=beam", "decoding.beam_size=0"], "a", "decoding.beam_size must be at least 1, but is 0."),
        (["decoding=sampling", "decoding.top_p=2.0"], "a", "decoding.top_p must be above 0 and at most 1, but is 2.0."),
        (["decoding.length.max_extra=0"], "a", "decoding.length.max_extra must be at least 1, but is 0."),
        (
            ["input=json"],
            '{"source": "a", "prefix": "zz"}',
            "line 1: the prefix 'zz' must be in the target vocabulary, but it lacks '\u2581zz'.",
        ),
        (
            ["input=json", "decoding=beam", "decoding.length.maximum=3"],
            '{"source": "a b c d", "constraints": ["a b", "c"]}',
            "line 1: the constraints must fit into the maximum length, 3 tokens with EOS here, but 4 are needed: "
            "raise maximum of the length limits.",
        ),
        (
            ["input=json"],
            '{"source": "a", "constraints": ["b"]}',
            "Constraints need beam search: no other search can hold to phrases.",
        ),
        (
            ["input=json"],
            "a",
            "line 1 must be a JSON object, but cannot be read: Expecting value: line 1 column 1 (char 0).",
        ),
        (
            ["format=tsv", "n_best=3", "decoding=beam", "decoding.beam_size=2"],
            "a",
            "n_best must be between 1 and 2, all that this search finds, but is 3: search with a "
            "wider beam, or draw more samples.",
        ),
        (
            ["pieces.allowed=[q]"],
            "a",
            "pieces.allowed must name pieces of the target vocabulary, but 'q' is none of them.",
        ),
        (["run=[]"], "a", "run must name at least one run folder or checkpoint, but is empty."),
    ],
)
def test_what_decoding_cannot_do_is_one_line(mistake, finished, arguments, line, message):
    assert mistake("translate", f"run={finished}", *arguments, lines=f"{line}\n".encode()) == message


def test_a_line_that_cannot_be_scored_is_one_line(mistake, finished):
    assert mistake("score", f"run={finished}", lines=b"a\n") == ("line 1 must be source<TAB>target, but has 0 tabs.")


# The mechanism


def test_a_mistake_inside_another_error_is_still_told(capsys):
    outer = OmegaConfBaseException("outer")
    outer.__cause__ = UserError("inner")
    with pytest.raises(SystemExit) as end, mistakes_in_one_line():
        raise outer
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: inner\n"


def test_diverged_training_has_an_exit_code_of_its_own(capsys):
    with pytest.raises(SystemExit) as end, mistakes_in_one_line():
        raise DivergedError("training has diverged.")
    assert end.value.code == 3
    assert capsys.readouterr().err == "error: training has diverged.\n"


def test_our_own_mistakes_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), mistakes_in_one_line():
        1 / 0  # noqa: B018


def test_what_the_system_refuses_is_told_by_path(capsys, tmp_path):
    with pytest.raises(SystemExit) as end, mistakes_in_one_line():
        (tmp_path / "no" / "file").write_text("x")
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/no/file cannot be read or written: No such file or directory: "
        "check path, permissions and space.\n"
    )


def test_an_error_of_the_system_that_names_nothing_keeps_its_traceback():
    with pytest.raises(OSError), mistakes_in_one_line():  # noqa: PT011, as it says nothing
        raise OSError


@pytest.mark.parametrize("name", ["ENOSPC", "EFBIG", "EIO", "EROFS", "EMFILE"])
def test_what_a_device_refuses_is_told_though_it_names_nothing(capfd, name):
    number = getattr(errno, name)
    with pytest.raises(SystemExit) as end, mistakes_in_one_line():
        raise OSError(number, os.strerror(number))
    assert end.value.code == 2
    assert capfd.readouterr().err.startswith(f"error: The output cannot be read or written: {os.strerror(number)}: ")


def test_an_error_in_its_own_chain_is_told(capsys, tmp_path):
    kept = FileNotFoundError(errno.ENOENT, "gone", "log")
    kept.__context__ = other = ValueError("while it was told")
    other.__context__ = kept  # as where a thread keeps an error and it is raised twice
    with pytest.raises(SystemExit), mistakes_in_one_line():
        raise kept
    assert capsys.readouterr().err == "error: log cannot be read or written: gone: check path, permissions and space.\n"


@pytest.mark.parametrize("stderr", ["> /dev/full", ">&-", "> >(true)"])
def test_a_script_goes_on_where_nobody_can_read_what_it_says(tmp_path, stderr):
    own = tmp_path / "script.py"
    own.write_text(
        "import sys\nfrom seq2seq.config.command_line import run\nfrom seq2seq.errors import UserError\n"
        "def main():\n    for _ in range(20000):\n        print('progress', file=sys.stderr)\n    print('done')\n"
        "    raise UserError('wrong.')\nrun(main)\n"
    )
    command = f"{sys.executable} {own} 2{stderr}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "done\n")


def test_an_interrupt_exits_as_the_shell_expects(capsys):
    with pytest.raises(SystemExit) as end, mistakes_in_one_line():
        raise KeyboardInterrupt
    assert end.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_lines_are_written_whole_and_at_once(monkeypatch, tmp_path):
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)

        def lines():
            yield "one"
            assert path.read_text(encoding="utf-8") == "one\n"
            yield "zwei ß"
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_lines(lines())
        assert path.read_text(encoding="utf-8") == "one\nzwei ß\n"


@pytest.mark.parametrize(("script", "said"), [("translate", "error: wrong\n"), ("train", "")])
def test_what_another_job_left_in_the_environment_silences_no_command_of_one_process(monkeypatch, capsys, script, said):
    for name, value in {"TORCHELASTIC_RUN_ID": "7", "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", [f"scripts/{script}.py"])
    with pytest.raises(SystemExit) as end, mistakes_in_one_line():
        raise UserError("wrong")
    assert (end.value.code, capsys.readouterr().err) == (2, said)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']"),
        OSError("No usable temporary directory found\n in ['/tmp', '/var/tmp']"),
    ],
    ids=["with a number", "without"],
)
def test_what_a_library_says_in_its_own_words_is_one_line(monkeypatch, capsys, error):
    monkeypatch.setattr(sys, "argv", ["scripts/evaluate.py"])
    with pytest.raises(SystemExit) as end, mistakes_in_one_line():
        raise error
    said = "error: No usable temporary directory found in ['/tmp', '/var/tmp']\n"
    assert (end.value.code, capsys.readouterr().err) == (2, said)


def test_an_error_of_the_system_without_a_path_is_ours():
    with pytest.raises(ConnectionResetError), mistakes_in_one_line():
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


def test_a_working_folder_that_is_gone_is_one_line(monkeypatch, capsys, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(sys, "argv", ["scripts/translate.py", "run=x"])
    with pytest.raises(SystemExit) as end:
        run(lambda: None)
    said = "error: The working folder cannot be used: No such file or directory: change to one that is there.\n"
    assert (end.value.code, capsys.readouterr().err) == (2, said)
