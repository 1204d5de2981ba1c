"""Runs on several corpora that are mixed."""

import json
import re

import pytest
from kept_runs import last, same
from line_streams import build_stream

import seq2seq
from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.errors import UserError
from seq2seq.runs.evaluation import load_splits

PARTS = ["data=mixture"]
PARTS += [f"+data@data.parts.{name}={name}" for name in ("copy", "reverse")]
PARTS += [f"data.parts.{name}.{key}" for name in ("copy", "reverse") for key in ("alphabet_size=6", "max_length=5")]
PARTS += [f"data.parts.{name}.{split}_size=6" for name in ("copy", "reverse") for split in ("dev", "test")]
PARTS += ["data.parts.copy.train_size=60", "data.parts.reverse.train_size=12", "data.parts.reverse.seed=2"]
RUN = [
    *PARTS,
    *("model=luong", "model.embedding_size=8", "model.encoder.hidden_size=4", "model.decoder.hidden_size=8"),
    *("model.decoder.feature_size=8", "batches.max_tokens=64", "schedule.warmup_steps=2", "trainer.accelerator=cpu"),
    *("precision=32-true", "logger=none", "averaging.decay=0.5", "trainer.val_check_interval=2", "budget.max_steps=6"),
    *("metrics=exact_match", "tokenizer=char", "sizing=none", "threads=1", "task=mixed"),
]
TAGS = ["data.tags={copy:'<copy>',reverse:'<back>'}"]
SYMBOLS = ["tokenizer.symbols=['<copy>','<back>']"]


@pytest.fixture
def train_mixed(plain_config_of):
    from seq2seq.commands.train import train

    def run(folder, *overrides, resume=False):
        folder.mkdir(exist_ok=True)
        train(plain_config_of("train", *RUN, *overrides), folder, resume=resume)

    return run


@pytest.mark.parametrize("mix", ["data.temperature=5.0", "+data.weights={copy:1,reverse:1}"])
def test_it_changes_what_is_learnt_and_goes_on_to_the_bit(train_mixed, tmp_path, interrupt_at, mix):
    train_mixed(tmp_path / "whole", mix)
    interrupt_at(5)
    with pytest.raises(KeyboardInterrupt):
        train_mixed(tmp_path / "parted", mix)
    train_mixed(tmp_path / "parted", mix, resume=True)
    assert same(last(tmp_path / "parted"), last(tmp_path / "whole"))
    train_mixed(tmp_path / "plain")
    assert not same(last(tmp_path / "plain"), last(tmp_path / "whole"))


def test_a_tagged_run_is_scored_by_part_and_translates_behind_a_tag(train_mixed, tmp_path, plain_config_of, config_of):
    train_mixed(tmp_path, *TAGS, *SYMBOLS, "data.temperature=2.0")
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert record["corpora"].keys() == {"copy", "reverse"}
    halves = [own["exact_match"] for own in record["corpora"].values()]
    assert record["scores"]["exact_match"] == pytest.approx(sum(halves) / 2)
    splits = load_splits(plain_config_of("train", *RUN, *TAGS, *SYMBOLS))
    assert {example.source.split()[0] for example in splits.train} == {"<copy>", "<back>"}
    own = [f"run={tmp_path}", "format=json", "threads=1"]
    plain, behind = (
        build_stream(config_of("translate", *own)),
        build_stream(config_of("translate", *own, "tag='<back>'")),
    )
    typed = [json.loads(line) for line in plain([b"<back> a b", b""])]
    given = [json.loads(line) for line in behind([b"a b", b""])]
    assert typed == given
    assert [json.loads(line) for line in plain([b"a b"])] != given[:1]
    run = seq2seq.load(tmp_path)
    scores = [
        [own[0].hypothesis.score for own in run.translate(texts, n_best=1, **keywords)]
        for texts, keywords in ((["<back> a b", ""], {}), (["a b", ""], {"tag": "<back>"}), (["a b", ""], {}))
    ]
    assert scores[0] == scores[1] != scores[2]
    for tag, message in (
        ("<other>", "tag must be a piece of the model's source"),
        (["a"], "tag must be str | None, but is"),
    ):
        with pytest.raises(UserError, match=re.escape(message)):
            run.translate("a b", tag=tag)
    with pytest.raises(UserError) as error:
        build_stream(config_of("translate", *own, "tag='<other>'"))
    assert str(error.value) == (
        "tag must be a piece of the model's source vocabulary, but '<other>' is none: leave it out."
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (TAGS, "data.tags must each be one of tokenizer.symbols, so that they are not cut, but '<copy>' is none: add "),
        (
            [*TAGS, *SYMBOLS, "augmentation=noise"],
            "augmentation makes pairs from sources without data.tags: leave one ",
        ),
        (
            [*TAGS, *SYMBOLS, "model.source_word_dropout=0.1"],
            "model.source_word_dropout must be 0 with data.tags, which it would drop, but is 0.1.",
        ),
        (
            [*TAGS, *SYMBOLS, "model.type_dropout=0.1"],
            "model.type_dropout must be 0 with data.tags, which it would drop, but is 0.1.",
        ),
        (["data.temperature=0.1"], "data.temperature must be at least 1, but is 0.1."),
        (["~data.parts.reverse"], "data.parts must be at least 2 corpora, but are 1: name each with an override "),
        (["data.parts.reverse.seeds=3"], "data.parts.reverse.seeds is not an option of "),
        (["objective=guided_attention"], "objective needs alignments of the training pairs, but data.alignments is "),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_read(plain_config_of, tmp_path, overrides, message):
    own = [text if not text.startswith("data.parts.reverse.seeds") else f"+{text}" for text in overrides]
    with pytest.raises(UserError) as error:
        refuse_mistakes(plain_config_of("train", *RUN, *own), tmp_path)
    assert str(error.value).startswith(message)
