"""Models without attention: what would read its weights is refused by name, or does without."""

import json
from pathlib import Path

import pytest
from line_streams import build_stream

from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.interpret import figures_of, read
from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.commands.translate import build_live_stream
from seq2seq.config.builder import build
from seq2seq.config.contract import read_options
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run

UNATTENDED = ["model/attention=none", "budget.max_steps=4"]
COVERAGE = ["decoding=beam", "decoding.coverage_penalty.beta=0.3"]


@pytest.fixture(scope="module")
def folder(train_tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unattended")
    train_tiny(folder, *UNATTENDED)
    return folder


# Every option of training that reads weights of attention, and what is said of it.
TRAINING = {
    "decoding.coverage_penalty": (
        COVERAGE,
        "decoding.coverage_penalty.beta must be 0 with a model without attention, which looks at no source word, but "
        "is 0.3.",
    ),
    "objective.coverage_loss": (
        ["objective.coverage_loss=0.5"],
        "objective.coverage_loss must be 0 where attention is none, but is 0.5.",
    ),
    "objective.entropy_floor": (
        ["objective.entropy_floor=0.5"],
        "objective.entropy_floor must be 0 where attention is none, but is 0.5.",
    ),
    "model/copying": (["model/copying=pointer"], "copying"),
    "model/waiting": (["model/waiting=wait_k", "model/bridge=zero"], "attention must not be none where waiting is on"),
    "model.decoder.attention_normalizer": (["model.decoder.attention_normalizer=entmax"], "attention_normalizer"),
}


@pytest.mark.parametrize("option", TRAINING)
def test_options_of_training_that_read_attention_are_refused(tiny_config, option):
    overrides, message = TRAINING[option]
    with pytest.raises(UserError) as error:
        refuse_mistakes(tiny_config(*UNATTENDED, *overrides), Path("unused"))
    assert message in str(error.value)
    if option not in ("model.decoder.attention_normalizer", "model/copying", "model/waiting"):
        refuse_mistakes(tiny_config(*overrides), Path("unused"))  # as it may be with attention


def test_alignments_guide_nothing(tiny_config, folder):
    objective = build(tiny_config("objective=guided_attention")["objective"], "objective")
    with pytest.raises(UserError, match="^Guided attention needs weights above 0, which NoAttention does not have "):
        objective.check(load_run(folder).model)


@pytest.mark.parametrize("command", ["translate", "evaluate"])
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["replace_unknown=true"], "replace_unknown must be false with a model without attention, which looks at no"),
        (COVERAGE, "decoding.coverage_penalty.beta must be 0 with a model without attention, which looks at no source"),
    ],
)
def test_options_of_commands_that_read_attention_are_refused(config_of, folder, command, overrides, message):
    config = config_of(command, f"run={folder}", "device=cpu", "threads=1", *overrides)
    with pytest.raises(UserError) as error:
        evaluate_run(config) if command == "evaluate" else build_stream(config)
    assert str(error.value).startswith(message)


def test_what_is_told_of_attention_is_left_out(config_of, folder):
    """Even weights would look as if they said something."""
    stream = build_stream(config_of("translate", f"run={folder}", "device=cpu", "threads=1", "format=json"))
    (line,) = stream([b"a b c\n"])
    found = json.loads(line)
    (best,) = found["translations"]
    assert best["attention"] == best["alignment"] == []
    assert "entropy" not in load_run(folder).signals
    assert {"nll", "unknown", "length_ratio"} == load_run(folder).signals.keys()
    options = read_options(config_of("interpret", f"run={folder}", "text=a b c", "device=cpu", "steps=2"))
    assert "attention" not in figures_of(read(load_run(folder), options))


def test_a_search_of_the_last_words_has_no_coverage(config_of, train_tiny, tmp_path):
    one_way = ["model.encoder.direction=forward", "model.encoder.hidden_size=8", "model/ngrams=none"]
    train_tiny(tmp_path, *one_way, "budget.max_steps=2")
    config = config_of("translate", f"run={tmp_path}", "device=cpu", "threads=1", "simultaneous=wait_k", *COVERAGE)
    with pytest.raises(UserError, match="^decoding.coverage_penalty.beta must be 0 with simultaneous, whose search "):
        build_live_stream(config)
