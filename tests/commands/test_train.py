"""What training says of its data before it starts, and that nothing of the text is lost on the way to the scores."""

import logging

import pytest

from seq2seq.commands.train import train
from seq2seq.data.examples import Example
from seq2seq.runs.evaluation import load_examples
from seq2seq.runs.run import load_run

# Phones with modifiers, a decomposed letter, a joiner and a no-break space, with white space at some ends.
TRAIN = "pat\tpʰ a tʲ \nkat\tkʰ a tʰ\nnal\te\u0301 n\ntak\ta\u200cb\u00a0c\n\ufefflap\tl a p\n"


@pytest.fixture
def phones(tmp_path, tiny_config):
    """The config of a short run on pairs of phones: phones(dev)."""

    def build(dev: str) -> dict:
        config = tiny_config("tokenizer=char_word", "budget.max_steps=2")
        for split, text in (("train", TRAIN), ("dev", dev)):
            (tmp_path / f"{split}.tsv").write_text(text, encoding="utf-8")
        config["data"] = {
            "_target_": "seq2seq.data.corpora.tsv.TSVCorpus",
            "train": str(tmp_path / "train.tsv"),
            "dev": str(tmp_path / "dev.tsv"),
        }
        return config

    return build


def said(caplog, config, folder) -> list[str]:
    caplog.set_level(logging.INFO, logger="seq2seq")
    folder.mkdir()
    train(config, folder, resume=False)
    return [record.getMessage() for record in caplog.records if "text" in record.msg or record.msg.startswith("dev")]


def test_what_the_form_changed_and_what_is_out_of_reach_is_said(phones, tmp_path, caplog, capsys):
    messages = said(caplog, phones("pat\tʔ a\nkat\ta kʰ\n"), tmp_path / "run")
    assert messages == [
        "text.form=nfc changed 3 texts, such as 'pʰ a tʲ '",
        "dev: 1 of 2 references (50.0 %) are what no output can equal, such as 'ʔ a': the target vocabulary lacks 'ʔ'",
    ]


def test_nothing_is_said_of_text_that_is_as_it_should_be(phones, tmp_path, caplog, capsys):
    config = phones("pat\tpʰ a tʲ\nnal\té n\ntak\ta\u200cb\u00a0c\n")
    config["data"]["train"] = config["data"]["dev"]
    assert said(caplog, config, tmp_path / "run") == []


def test_a_run_reads_and_writes_the_form_that_it_was_trained_in(phones, tmp_path, capsys):
    config = phones(TRAIN)
    config["text"]["form"] = "nfkc"
    (tmp_path / "run").mkdir()
    train(config, tmp_path / "run", resume=False)
    (tmp_path / "held.tsv").write_text("pat\tph a tj\npat\tpʰ a tʲ\n", encoding="utf-8")
    run = load_run(tmp_path / "run")
    assert load_examples(run, str(tmp_path / "held.tsv"), None)[1] == [Example("pat", ("ph a tj",))]
    assert load_examples(run, None, "train")[1][0] == Example("pat", ("ph a tj",))
    assert run.tokenizers.source.encode(["ｐat "]) == run.tokenizers.source.encode(["pat"])
