"""Settings that follow from the data."""

import logging
import math
from collections.abc import Callable
from itertools import cycle, islice, product
from typing import Any

import pytest

from seq2seq.config.contract import check
from seq2seq.config.options import flat
from seq2seq.config.places import CONF
from seq2seq.data.examples import Example, Splits
from seq2seq.data.text_kind import TextKind
from seq2seq.runs.automatic import nominal, said, with_size
from seq2seq.runs.data_facts import DataKind, DataSize
from seq2seq.runs.model_kinds import AUTO
from seq2seq.runs.rules import KIND_RULES, METRICS, epochs
from seq2seq.runs.run import train_tokenizers
from seq2seq.runs.settling import settle

SETTLED_BY_THE_DATA = [
    "batches.max_tokens",
    "batches.max_dev_examples",
    "budget.max_steps",
    "schedule.warmup_steps",
    "averaging.decay",
    "optimizer.lr",
    "trainer.val_check_interval",
    "model.dropout",
    "model.embedding_size",
    "model.encoder.hidden_size",
    "model.decoder.hidden_size",
    "model.decoder.feature_size",
]
PAIRS = [3, 30, 100, 800, 8_000, 100_000, 1_000_000, 30_000_000]
WORDS = [Example(f"w{number}rd", (f"W {number % 10} R D",)) for number in range(60)]
SENTENCES = [Example(f"the house {n} stands on hill {n % 7}", (f"das haus {n} steht auf {n % 7}",)) for n in range(60)]
SYMBOLS = [Example(f"a b c {n % 9}", (f"{n % 9} c b a",)) for n in range(60)]
# What BLEU, which counts four words in a row, says nothing of.
DATES = [Example(f"{n % 28 + 1} March {1900 + n}", (f"{1900 + n}-03-{n % 28 + 1:02}",)) for n in range(600)]
DEFINITIONS = [Example(f"what is {n} steps away from the house on hill {n + 9}", (f"w{n}rd",)) for n in range(600)]
GENOMES = [Example(f"{3**60 * n:b}"[:60], (f"{5**60 * n:b}"[:60],)) for n in range(1, 60)]
TITLES = [Example(f"the house {n} stands on hill {n + 9}", (f"haus{n} {'auf' * 13}{n}",)) for n in range(600)]
CHINESE_SENTENCES = [
    Example(f"the house {n} stands on hill {n + 9}", (chr(0x4E00 + n) * 20 + chr(0x4F00 + n) * 22,)) for n in range(60)
]


@pytest.fixture(scope="module")
def config(plain_config_of: Callable) -> Callable[..., dict[str, Any]]:
    """The plain config of scripts/train.py, not settled yet."""
    return lambda *overrides: plain_config_of("train", *overrides)


def sized(config: dict[str, Any], pairs: int, tokens: float = 20.0) -> dict[str, Any]:
    """The config with what follows from a size."""
    return nominal(with_size(config, DataSize(pairs, tokens)))


def settled(config: dict[str, Any], examples: list[Example]) -> dict[str, Any]:
    return settle(config, Splits(examples, examples[:3]), train_tokenizers)[0]


def left_open(config: dict[str, Any]) -> set[str]:
    """What is still at auto, without the options that find out for themselves."""
    own = {"precision", "threads", "trainer.accelerator", "trainer.devices", "metrics.translation.tokenize"}
    return {key for key, value in flat(config).items() if value == AUTO and not key.startswith("data.")} - own


def test_everything_that_follows_is_settled_and_keeps_the_contract(config):
    plain = config()
    assert set(SETTLED_BY_THE_DATA) <= left_open(plain)
    check(found := nominal(plain))
    assert left_open(found) == set()


@pytest.mark.parametrize("pairs", PAIRS)
@pytest.mark.parametrize("tokens", [4.0, 30.0, 400.0])
def test_every_size_has_values_that_can_be_trained_with(config, pairs, tokens):
    found = sized(config(), pairs, tokens)
    check(found)
    longest = 2 * (found["batches"]["max_length"] + 1)
    assert found["batches"]["max_tokens"] >= longest
    steps = found["budget"]["max_steps"]
    assert 0 < found["trainer"]["val_check_interval"] < steps
    assert 0 < found["schedule"]["warmup_steps"] < steps / 5
    assert 0 <= found["averaging"]["decay"] < 1
    assert 0 <= found["model"]["dropout"] <= 0.5


def test_more_pairs_make_larger_batches_that_come_back_less_often_with_less_dropout(config):
    found = [sized(config(), pairs) for pairs in PAIRS]
    sizes = [config["batches"]["max_tokens"] for config in found]
    rounds = [epochs(DataSize(pairs, 20.0), config) for pairs, config in zip(PAIRS, found, strict=True)]
    dropouts = [config["model"]["dropout"] for config in found]
    rates = [config["optimizer"]["lr"] for config in found]
    assert sizes == sorted(sizes)
    assert rounds == sorted(rounds, reverse=True)
    assert dropouts == sorted(dropouts, reverse=True)
    assert rates == sorted(rates)
    assert min(rounds) >= 3.5 - 0.1
    assert len({*sizes}) > 3
    assert max(dropouts) > min(dropouts)


@pytest.mark.parametrize("key", SETTLED_BY_THE_DATA)
def test_what_the_user_sets_stays_and_the_rest_is_settled(config, key):
    value = flat(nominal(config()))[key]
    given = value / 2 if isinstance(value, float) else value + 2
    found = flat(nominal(config(f"{key}={given}")))
    assert found[key] == given
    assert left_open(found) == set()


def test_what_follows_from_steps_follows_from_those_of_the_user(config):
    few, many = (nominal(config(f"budget.max_steps={steps}")) for steps in (100, 50_000))
    assert few["schedule"]["warmup_steps"] < many["schedule"]["warmup_steps"]
    assert few["trainer"]["val_check_interval"] < many["trainer"]["val_check_interval"]
    assert few["averaging"]["decay"] < many["averaging"]["decay"]
    assert few["model"]["dropout"] < many["model"]["dropout"]


@pytest.mark.parametrize("steps", [1, 5, 30, 2000])
def test_there_is_a_validation_within_any_number_of_steps(config, steps):
    assert 1 <= nominal(config(f"budget.max_steps={steps}"))["trainer"]["val_check_interval"] <= steps


def test_minutes_take_the_place_of_steps(config):
    found = nominal(config("budget.max_minutes=3"))
    assert found["budget"]["max_steps"] is None
    assert found["trainer"]["val_check_interval"] > 1


def test_accumulated_batches_make_fewer_steps_of_large_data(config):
    one, four = (sized(config(f"trainer.accumulate_grad_batches={n}"), 10**6) for n in (1, 4))
    assert math.isclose(one["budget"]["max_steps"], 4 * four["budget"]["max_steps"], rel_tol=0.05)


@pytest.mark.parametrize(
    ("examples", "source", "target", "metric", "monitored"),
    [
        (WORDS, "char", "word", "pronunciation", "dev/wer"),
        (SENTENCES, "unigram", "unigram", "translation", "dev/bleu"),
        (SYMBOLS, "word", "word", "exact_match", "dev/exact_match"),
        ([Example(f"{n}x", (f"x{n}",)) for n in range(30)], "char", "char", "exact_match", "dev/exact_match"),
        (DATES, "char", "char", "exact_match", "dev/exact_match"),
        (DEFINITIONS, "unigram", "char", "exact_match", "dev/exact_match"),
        (GENOMES, "char", "char", "exact_match", "dev/exact_match"),
        (TITLES, "unigram", "unigram", "exact_match", "dev/exact_match"),
        (CHINESE_SENTENCES, "unigram", "unigram", "translation", "dev/bleu"),
    ],
)
def test_tokenizers_and_metrics_suit_the_kind_of_text(config, examples, source, target, metric, monitored):
    found = settled(config(), examples)
    assert (found["tokenizer"]["source"], found["tokenizer"]["target"]) == (source, target)
    assert next(iter(found["metrics"])) == metric
    assert found["monitor"]["metric"] == monitored == found["callbacks"]["score_watch"]["monitor"]
    assert (found["model"]["encoder"]["input"]["ngrams"] is None) == (source == "unigram")
    check(found)


SYLLABLES = [Example(chr(0xAC00 + 37 * n) + chr(0xAC00 + 53 * n), (f"a {n % 9}",)) for n in range(200)]
CHINESE = [Example(chr(0x4E00 + n) + chr(0x5E00 + n), (f"a {n % 9}",)) for n in range(200)]
ACCENTS = [Example("aéèbü"[n % 5 :] + "dé", (f"a {n % 9}",)) for n in range(200)]


@pytest.mark.parametrize(
    ("examples", "normalization"),
    [(SYLLABLES, "nfd"), (CHINESE, "identity"), (ACCENTS, "identity"), (SENTENCES, "identity")],
    ids=["syllables", "chinese", "accents", "sentences"],
)
def test_characters_are_taken_apart_where_they_are_rare_and_their_parts_are_not(config, examples, normalization):
    assert settled(config(), examples)["tokenizer"]["normalization"] == normalization


def test_metrics_that_may_be_chosen_are_those_that_rules_choose(config):
    kinds = [
        DataKind(source, target, 10, 10, labels=labels, phrases=phrases)
        for source, target, labels, phrases in product(TextKind, TextKind, (False, True), (False, True))
    ]
    chosen = {KIND_RULES["metrics"](kind, one).name for one in (config(), config("model=tagger")) for kind in kinds}
    assert chosen == {*METRICS}


def test_metrics_that_may_be_chosen_are_those_that_there_are():
    """But for these two, which are of tasks that no data tell of."""
    names = {path.stem for path in (CONF / "metrics").glob("*.yaml")}
    assert {*METRICS} == names - {AUTO, "characters", "perplexity"}


MODES = {
    "min": ["loss", "wer", "per", "cer", "ter", "mae", "rmse", "crps"],
    "max": ["bleu", "chrf", "exact_match", "accuracy", "macro_f1"],
}


@pytest.mark.parametrize("metrics", ["translation", "pronunciation"])
@pytest.mark.parametrize(("mode", "name"), [(mode, name) for mode, names in MODES.items() for name in names])
def test_the_mode_suits_the_metric_that_is_monitored_whatever_others_there_are(config, metrics, mode, name):
    watched = nominal(config(f"metrics={metrics}", f"monitor.metric=dev/{name}", "schedule=plateau"))
    assert watched["monitor"]["mode"] == watched["schedule"]["mode"] == mode


def test_the_mode_of_a_part_suits_what_this_part_monitors(config):
    parts = ["callbacks=early_stopping", "callbacks.early_stopping.monitor=train/loss", "schedule=plateau"]
    found = nominal(config("metrics=translation", *parts, "schedule.monitor=dev/ter"))
    assert found["monitor"] == {"metric": "dev/bleu", "mode": "max"}
    assert (found["callbacks"]["early_stopping"]["mode"], found["schedule"]["mode"]) == ("min", "min")


def test_a_mode_that_is_given_stays(config):
    found = nominal(config("metrics=translation", "monitor.mode=min", "schedule=plateau"))
    assert found["monitor"]["mode"] == found["schedule"]["mode"] == "min"


def test_what_was_chosen_is_said_in_one_line_of_overrides_that_choose_the_same(config, caplog):
    with caplog.at_level(logging.INFO):
        found = settled(config(), WORDS)
    [line] = [record.getMessage() for record in caplog.records if record.name == "seq2seq.runs.settling"]
    said, _, overrides = line.partition(": ")
    assert said.startswith("60 pairs, words to space-separated symbols, 11 tokens each, come ")
    assert "\n" not in line
    assert settled(config(*overrides.split()), WORDS) == found


CHOSEN = (
    "tokenizer.source=char",
    "tokenizer.target=char",
    "tokenizer.joint=false",
    "tokenizer.normalization=identity",
)


@pytest.mark.parametrize(
    ("source", "target", "left"),
    [
        (TextKind.FRAMES, TextKind.FRAMES, []),
        (TextKind.FRAMES, TextKind.WORDS, ["tokenizer.target=char", "tokenizer.normalization=identity"]),
        (TextKind.WORDS, TextKind.WORDS, list(CHOSEN)),
    ],
)
def test_nothing_is_said_of_tokenizers_that_frames_have_not(source, target, left):
    chosen = dict(one.split("=") for one in CHOSEN)
    assert said({**chosen, "optimizer.lr": 0.1}, DataKind(source, target, 10, 10)) == [*left, "optimizer.lr=0.1"]


def test_a_config_without_anything_to_settle_says_nothing(config, caplog):
    plain = settled(config(), WORDS)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert settled(plain, WORDS) == plain
    assert not caplog.records


def test_a_side_that_is_too_long_counts_as_long_as_may_be():
    examples = [Example("ab", ("c d",)), Example("ab" * 5000, ("c d",))]
    tokenizers = train_tokenizers({"tokenizer": TOKENIZER, "text": TEXT}, Splits(examples, []))
    assert DataSize.of(Splits(examples, []), tokenizers, max_length=10).tokens == (3 + 3 + 11 + 3) / 2


def test_kinds_are_those_of_most_examples():
    assert DataKind.of(Splits(WORDS, [])) == DataKind(TextKind.WORDS, TextKind.SYMBOLS, 60, 17, phrases=True)


def test_kinds_are_those_of_most_examples_of_the_whole_file():
    words, sentences = (list(islice(cycle(some), count)) for some, count in ((WORDS, 700), (SENTENCES, 800)))
    assert DataKind.of(Splits(words + sentences, [])) == DataKind.of(Splits(sentences + words, []))


TOKENIZER = {"_target_": "seq2seq.data.tokenizers.TokenizerTrainer", "source": "char", "target": "word"}
TEXT = {"_target_": "seq2seq.data.text.TextForm", "form": "nfc"}
