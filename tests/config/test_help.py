"""--help shows every option with its comment, the groups, and examples that compose."""

import re
import shlex
import sys

import pytest

from seq2seq.config.help import comments, help_text
from seq2seq.config.places import CONF

SCRIPTS = sorted(path.stem for path in CONF.glob("*.yaml"))


@pytest.fixture
def shown(monkeypatch):
    """The help of a script beside these arguments."""

    def run(script: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *arguments])
        return help_text(script)

    return run


@pytest.mark.parametrize("script", SCRIPTS)
def test_there_are_three_examples_or_a_few_more_that_compose(shown, config_of, script):
    examples = re.findall(r"^  (python .*)$", shown(script), re.MULTILINE)
    assert 3 <= len(examples) <= 5
    for line in examples:
        words = shlex.split(re.sub(r"\s[<>]\s\S+", "", line))
        assert words[1] == f"scripts/{script}.py"
        config_of(script, *words[2:])


def test_every_option_is_shown_with_its_comment(shown):
    text = shown("train")
    assert re.search(r"^  seed=1$", text, re.MULTILINE)
    assert re.search(
        r"^  resume=false +# with run_dir: continue that run exactly where it stopped$", text, re.MULTILINE
    )
    assert re.search(
        r"^  batches.max_length=256 +# longer pairs are left out of train, and counted$", text, re.MULTILINE
    )
    assert re.search(r"^  optimizer.betas=\[0.9, 0.98\]$", text, re.MULTILINE)
    assert "_target_" not in text
    assert re.search(
        r"^  tolerance=null +# between .*; null: 1e-5 in float32; 0.05, and ", shown("selfcheck"), re.MULTILINE
    )


def test_groups_are_shown_with_the_option_that_is_chosen(shown):
    assert re.search(
        r"^  model: auto, bahdanau, gnmt, language_model, luong, tagger, transducer  \[gnmt\]$",
        shown("train"),
        re.MULTILINE,
    )
    text = shown("train", "model=bahdanau", "data=tsv")
    names = "auto, bahdanau, gnmt, language_model, luong, tagger, transducer"
    assert re.search(rf"^  model: {names}  \[bahdanau\]$", text, re.MULTILINE)
    assert re.search(r"^  data.delimiter=auto +# a character, or tab, ", text, re.MULTILINE)


def test_comments_go_by_dotted_keys(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("# what\na:  # one\n  b: 1            # two\n" + " " * 24 + "# more\n  c: '#'\nd: 3  # four\n")
    assert comments(path) == {"a": "one", "a.b": "two more", "d": "four"}


def test_comments_are_those_of_the_options_that_are_chosen(shown):
    rate = re.compile(r"^  optimizer.lr=\S+ +# at most; it falls", re.MULTILINE)
    assert not rate.search(shown("train"))
    assert rate.search(shown("train", "optimizer=adafactor"))
    layers = re.compile(r"^  model.decoder.num_layers=\S+ +# 2 of gnmt, 1 of a transducer$", re.MULTILINE)
    assert not layers.search(shown("train"))
    assert layers.search(shown("train", "model=auto"))
    assert re.search(r"^  run=\S+ +# a run folder or a checkpoint file", shown("translate"), re.MULTILINE)
