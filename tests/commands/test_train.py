"""What is said of the data of a run, before it starts and when it is taken up again."""

import logging
from dataclasses import replace

import pytest

from seq2seq.commands.train import train
from seq2seq.data.examples import Example, Splits
from seq2seq.errors import UserError
from seq2seq.models.sizes import parameter_count, shortened
from seq2seq.runs.evaluation import load_examples, warn_of_poor_data
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
    told = [(record.msg, record.getMessage()) for record in caplog.records]
    return [message for form, message in told if "text" in form or " references " in message or "never seen" in message]


def test_what_the_form_changed_and_what_is_out_of_reach_is_said(phones, tmp_path, caplog, capsys):
    messages = said(caplog, phones("pat\tʔ a\nkat\ta kʰ\n"), tmp_path / "run")
    assert messages == [
        "text.form=nfc changed 3 texts, such as 'pʰ a tʲ '",
        "dev: 1 of 2 references (50.0 %) are what no output can equal, such as 'ʔ a': the target vocabulary lacks 'ʔ'",
    ]


def test_sources_of_dev_that_train_lacks_are_said(phones, tmp_path, caplog, capsys):
    assert said(caplog, phones("PAT\ta kʰ\nkat\ta kʰ\n"), tmp_path / "run")[1:] == [
        "dev: 1 of 2 sources (50.0 %) hold what was never seen in training, such as 'PAT' (in 'PAT'); all of it is "
        "known in lower case, as 'pat'",
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


# Data that change behind a run


@pytest.fixture
def grown(tmp_path, tiny_config):
    """A run that held 6 of 30 words out, whose file has 20 words more since; its config, folder, and dev as it was."""
    path = tmp_path / "words.tsv"
    words = [f"{first}{second}\t{second}{first}\n" for first in "abcdef" for second in "vwxyz"]
    path.write_text("".join(words), encoding="utf-8")
    config = tiny_config("tokenizer=char", "budget.max_steps=2", "trainer.val_check_interval=1")
    config["data"] = {"_target_": "seq2seq.data.corpora.tsv.TSVCorpus", "train": str(path), "dev_size": 6}
    (tmp_path / "run").mkdir()
    train(config, tmp_path / "run", resume=False)
    dev = load_examples(load_run(tmp_path / "run"), None, "dev")[1]
    path.write_text("".join([*(f"{n}\t{n}\n" for n in range(20)), *words]), encoding="utf-8")
    return tmp_path / "run", dev


def warnings_of(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_dev_stays_dev_as_the_file_grows_and_that_it_grew_is_said(grown, caplog, capsys):
    folder, dev = grown
    _, found = load_examples(load_run(folder), None, "dev")
    assert set(dev) < set(found)
    assert all(example.source.isdigit() for example in set(found) - set(dev))
    assert warnings_of(caplog) == [
        f"dev is not what it was when this run was trained: 6 examples then, {len(found)} now"
    ]


def test_a_run_of_before_splits_were_recorded_is_warned_of(grown, caplog, capsys):
    folder, _ = grown
    run = replace(load_run(folder), splits={})
    load_examples(run, None, "dev")
    assert warnings_of(caplog) == ["what this run was trained on was not recorded: its dev may have been among it"]


def test_sources_that_are_also_in_train_are_counted(phones, tmp_path, caplog, capsys):
    said(caplog, phones("pat\tpʰ a tʲ\nxyz\tn\n"), tmp_path / "run")
    assert any(line.startswith("dev: 1 of 2 sources are in train, too: ") for line in warnings_of(caplog))


def test_small_data_are_not_warned_of(tiny_config, tmp_path, capsys):
    """Lightning does, for every epoch that has fewer steps than lie between two that are logged."""
    train(tiny_config("budget.max_steps=2", "trainer.log_every_n_steps=1000", "logger=csv"), tmp_path, resume=False)


def test_the_size_of_the_model_is_said_once(tiny_config, tmp_path, caplog, capsys):
    caplog.set_level(logging.INFO, logger="seq2seq")
    train(tiny_config("budget.max_steps=1"), tmp_path, resume=False)
    said = [message for message in caplog.messages if message.startswith("model: ")]
    assert said == [f"model: {shortened(parameter_count(load_run(tmp_path).model))} parameters"]


@pytest.mark.parametrize("override", ["trainer.profiler=simple", "+trainer.profiler=simple"])
def test_the_profiler_is_an_option_as_others_are(tiny_config, override):
    assert tiny_config()["trainer"]["profiler"] is None
    assert tiny_config(override)["trainer"]["profiler"] == "simple"


def test_data_that_teach_little_are_warned_of(caplog):
    few, one = [Example("a", ("x",)), Example("b", ("y",))], [Example(str(number), ("x",)) for number in range(60)]
    warn_of_poor_data(Splits(few, few))
    assert warnings_of(caplog)[-1] == "train: 2 sources only: a task takes hundreds to be learnt; add pairs"
    warn_of_poor_data(Splits(one, few))
    assert warnings_of(caplog)[-1].startswith("train: all 60 targets are 'x': the model will learn to say nothing else")
    before = len(warnings_of(caplog))
    warn_of_poor_data(Splits([*one, Example("c", ("y",))], few))
    assert len(warnings_of(caplog)) == before


def test_a_metric_that_data_do_not_choose_is_told_before_tokenizers_are_learnt(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.commands.train.train_tokenizers", lambda *_: pytest.fail("tokenizers are learnt"))
    with pytest.raises(UserError) as error:
        train(tiny_config("metrics=auto", "monitor.metric=dev/bleu"), tmp_path, resume=False)
    assert str(error.value) == (
        "monitor.metric must be one of dev/loss, dev/exact_match, but is 'dev/bleu', which metrics=translation gives."
    )
