"""`model=auto`: by what is given, else by the data; it becomes a plain model, and why is said in one line."""

import logging
import random

import pytest

from seq2seq.data.examples import Example, Splits
from seq2seq.errors import UserError
from seq2seq.runs import model_choice
from seq2seq.runs.automatic import nominal
from seq2seq.runs.model_kinds import is_open
from seq2seq.runs.open_model import with_model
from seq2seq.runs.possible import checked
from seq2seq.runs.run import train_tokenizers
from seq2seq.runs.settling import settle

DRAW = random.Random(1)
WORDS = ["".join(DRAW.choices("abcdeghilo", k=DRAW.randint(2, 9))) for _ in range(200)]
SPOKEN = [Example(word, (" ".join(word.upper()),)) for word in WORDS]
REVERSED = [Example(" ".join(word), (" ".join(word[::-1]),)) for word in WORDS]
SENTENCES = [Example(f"the house {n} stands on hill {n % 7}", (f"das haus {n} steht auf {n % 7}",)) for n in range(60)]
HAN = [Example(chr(0x4E00 + 2 * n) + chr(0x4E00 + 2 * n + 1), (f"a {n % 9}",)) for n in range(600)]


@pytest.fixture
def config(plain_config_of):
    return lambda *overrides: plain_config_of("train", "model=auto", *overrides)


@pytest.fixture
def chosen(config, caplog):
    """The config that is settled for examples, and the line that says why its model is what it is."""

    def settled(examples, *overrides):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            found = settle(config(*overrides), Splits(examples, examples[:3]), train_tokenizers)[0]
        lines = [record.getMessage() for record in caplog.records]
        return found, next(line for line in lines if line.startswith("model: "))

    return settled


def name_of(config) -> str:
    return config["model"]["_target_"].rpartition(".")[2]


@pytest.mark.parametrize(
    ("examples", "overrides", "name", "why"),
    [
        (SPOKEN, [], "Transducer", "200 pairs, words to space-separated symbols, alignment monotone (reading sources"),
        (REVERSED, [], "Seq2Seq", "200 pairs, space-separated symbols to space-separated symbols, alignment not mono"),
        (SENTENCES, [], "Seq2Seq", "60 pairs, sentences to sentences, and edits suit words"),
        (SPOKEN, ["tokenizer=bpe", "tokenizer.source_size=30", "tokenizer.target_size=30"], "Seq2Seq",
         "200 pairs, words to space-separated symbols, and edits are of characters or symbols, but tokens are bpe"),
        (HAN, [], "Seq2Seq", "600 pairs, words to space-separated symbols, and edits are of alphabets, but there are"),
    ],
    ids=["spoken", "reversed", "sentences", "pieces", "han"],
)  # fmt: skip
def test_the_data_choose(chosen, examples, overrides, name, why):
    config, line = chosen(examples, *overrides)
    assert name_of(config) == name
    assert line.partition(": ")[2].partition(": ")[2].startswith(why)


def test_many_pairs_are_for_attention(chosen, monkeypatch):
    monkeypatch.setattr(model_choice, "_PAIRS", 100)
    config, line = chosen(SPOKEN)
    assert name_of(config) == "Seq2Seq"
    assert line == (
        "model: gnmt: 200 pairs, words to space-separated symbols, and transducers were found as good up to 100"
    )


@pytest.mark.parametrize("name", ["gnmt", "transducer"])
def test_it_becomes_what_the_name_alone_makes(plain_config_of, config, name):
    assert nominal(with_model(config(), name)) == nominal(plain_config_of("train", f"model={name}"))


def test_the_line_of_what_was_chosen_chooses_the_same(plain_config_of, config, caplog):
    with caplog.at_level(logging.INFO):
        found = settle(config(), Splits(SPOKEN, SPOKEN[:3]), train_tokenizers)[0]
    overrides = next(own.getMessage() for own in caplog.records if " come " in own.getMessage()).partition(": ")[2]
    assert overrides.startswith("model=transducer ")
    again = settle(plain_config_of("train", *overrides.split()), Splits(SPOKEN, SPOKEN[:3]), train_tokenizers)[0]
    assert again == found


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("model/attention=dot", "Seq2Seq"),
        ("model/attention=multi_head", "Seq2Seq"),
        ("model/copying=pointer", "Seq2Seq"),
        ("model.share_embeddings=true", "Seq2Seq"),
        ("model.decoder.attention_dropout=0.1", "Seq2Seq"),
        ("model.target_word_dropout=0.1", "Seq2Seq"),
        ("scheduled_sampling=linear", "Seq2Seq"),
        ("objective=r_drop", "Seq2Seq"),
        ("objective=imitation", "Transducer"),
        ("model.decoder.connection=residual", "Transducer"),
        ("model.decoder.num_layers=1", "Transducer"),
    ],
)
@pytest.mark.parametrize("examples", [SPOKEN, REVERSED], ids=["spoken", "reversed"])
def test_what_only_one_can_do_decides_and_is_kept(chosen, override, name, examples):
    given = [override, *(["tokenizer=char", "tokenizer.joint=true"] if "share" in override else [])]
    config, line = chosen(examples, *given)
    assert name_of(config) == name
    assert " is not possible: " in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["objective=imitation", "model/attention=dot"],
            "model=auto can choose neither gnmt as Imitation needs a tran",
        ),
        (["model.dropout=2.0"], "model.dropout must be at least 0 and below 1, but is 2.0."),
        (["model.decoder.num_layers=0"], "model.decoder.num_layers must be "),
    ],
)
def test_what_neither_can_do_is_refused_before_there_are_data(config, overrides, message):
    with pytest.raises(UserError) as caught:
        checked(config(*overrides))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_only_an_open_model_is_open(config, plain_config_of):
    assert is_open(config())
    assert not is_open(plain_config_of("train"))
    assert not is_open(nominal(config()))
