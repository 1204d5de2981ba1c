"""The rule by which settings follow from the data; docs/settings.md explains it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import OmegaConf

from seq2seq.config.places import CONF
from seq2seq.data.text_kind import TextKind
from seq2seq.runs.data_facts import DataKind, DataSize
from seq2seq.runs.model_kinds import is_tagger, writes_edits

Config = dict[str, Any]
# Rules by the pattern of the key that they settle, from facts and the config as far as it is settled, in their order.
KindRules = Mapping[str, Callable[[DataKind, Config], Any]]
ModelRules = Mapping[str, Callable[[None, Config], Any]]
SizeRules = Mapping[str, Callable[[DataSize, Config], Any]]

# Found on 100 to 120,000 pairs of pronunciation and on 100,000 of translation; docs/settings.md has the scores.
_LEAST_STEPS, _EPOCHS, _FEWEST_PAIRS = 2200, 3.5, 24.0
_OWN_RATES = {"torch.optim.SGD": 1.0, "torch.optim.Adafactor": 0.01}
_LOWER_IS_BETTER = ("loss", "wer", "per", "cer", "ter", "mae", "rmse", "crps")


@dataclass(frozen=True)
class Option:
    """An option of a group of conf/, chosen by a rule."""

    group: str
    name: str

    def read(self) -> Config:
        """The config of its file, in plain types."""
        found: Any = OmegaConf.to_container(OmegaConf.load(CONF / self.group / f"{self.name}.yaml"))
        return {str(key): value for key, value in found.items()}

    def node(self) -> Any:
        """The value at the place of its group."""
        found = self.read()
        return found.get(self.group.rpartition("/")[2], found)


# ---- Tokenizer and metrics


def _piece_kind(side: str) -> Callable[[DataKind, Config], str]:
    def rule(kind: DataKind, config: Config) -> str:
        if is_tagger(config):
            return "char" if side == "source" and kind.source is TextKind.WORDS else "word"
        if kind.labels:
            return "word"
        if kind.has_sentences:
            return "char" if side == "target" and kind.target is TextKind.WORDS else "unigram"
        return "word" if getattr(kind, side) is TextKind.SYMBOLS else "char"

    return rule


def _vocabulary_size(side: str) -> Callable[[DataKind, Config], int | None]:
    def rule(kind: DataKind, config: Config) -> int | None:
        if config["tokenizer"][side] not in ("unigram", "bpe"):
            return None
        by_pairs = min(max(2 ** round(math.log2(12 * math.sqrt(kind.pairs))), 500), 16_000)
        return int(max(by_pairs, 2 * kind.characters))

    return rule


def _joint(kind: DataKind, config: Config) -> bool:
    chosen = config["tokenizer"]
    sides = [(chosen[side], chosen[f"{side}_size"]) for side in ("source", "target")]
    return sides[0] == sides[1] and sides[0][0] in ("unigram", "bpe")


def _normalization(kind: DataKind, config: Config) -> str:
    """Letters instead of syllables where these are too many to learn; pieces of sentences find them themselves."""
    cut = {config["tokenizer"]["source"], config["tokenizer"]["target"]} & {"unigram", "bpe"}
    return "nfd" if kind.composed and not cut and not is_tagger(config) else "identity"


METRICS = ("forecast", "labels", "classes", "translation", "pronunciation", "exact_match")  # that may be chosen


def _metrics(kind: DataKind, config: Config) -> Option:
    if kind.target is TextKind.FRAMES:
        return Option("metrics", "forecast")
    if is_tagger(config):
        return Option("metrics", "labels")
    if kind.labels:
        return Option("metrics", "classes")
    if kind.has_sentences and kind.phrases:
        return Option("metrics", "translation")
    says_words = kind.target is TextKind.SYMBOLS and kind.source is not TextKind.SYMBOLS
    return Option("metrics", "pronunciation" if says_words else "exact_match")


def _ngrams(kind: DataKind, config: Config) -> Option:
    """Vectors of pairs of letters, which tell most of how a word is said; pieces of sentences are longer already.

    Where an encoder reads streams, they are of letters before.
    """
    if kind.source is TextKind.SENTENCES:
        return Option("model/ngrams", "none")
    encoder = config["model"]["encoder"]
    looks_ahead = encoder.get("direction", "both") == "both" and encoder.get("block_size") is None
    return Option("model/ngrams", "bigrams" if looks_ahead else "preceding")


def mode_of(metric: str) -> str:
    """The mode that suits a metric: min of those that are better where they are lower, as `dev/loss` is, else max."""
    return "min" if metric.rpartition("/")[2] in _LOWER_IS_BETTER else "max"


KIND_RULES: KindRules = {
    "tokenizer.source": _piece_kind("source"),
    "tokenizer.target": _piece_kind("target"),
    "tokenizer.source_size": _vocabulary_size("source"),
    "tokenizer.target_size": _vocabulary_size("target"),
    "tokenizer.joint": _joint,
    "tokenizer.normalization": _normalization,
    "model.encoder.input.ngrams": _ngrams,
    "metrics": _metrics,
    "monitor.metric": lambda kind, config: _metrics(kind, config).read()["monitor"]["metric"],
    "callbacks.*.monitor": lambda kind, config: config["monitor"]["metric"],
    "schedule.monitor": lambda kind, config: config["monitor"]["metric"],
}


# ---- What follows from the model


def _output(_: None, config: Config) -> str:
    """The output's class: no embedding tells how actions are scored, which are no pieces of a text, nor labels."""
    return str(
        Option("model/output", "full" if writes_edits(config) or is_tagger(config) else "tied").read()["_target_"]
    )


MODEL_RULES: ModelRules = {"model.output._target_": _output}


# ---- Sizes


def _batch_pairs(size: DataSize) -> float:
    return min(max(0.55 * math.sqrt(size.pairs), _FEWEST_PAIRS), 256.0)


def _max_tokens(size: DataSize, config: Config) -> int:
    longest = 2 * (config["batches"]["max_length"] + 1)  # a pair must fit
    return max(64 * round(_batch_pairs(size) * size.tokens / 64), longest)


def _steps(size: DataSize, config: Config) -> int:
    """Steps that make small data come often, and large data a few times."""
    per_epoch = size.pairs * size.tokens / _step_tokens(config)
    return 100 * math.ceil(max(_LEAST_STEPS, _EPOCHS * per_epoch) / 100)


def _step_tokens(config: Config) -> int:
    """The most tokens that a step is made of."""
    return int(config["batches"]["max_tokens"] * config["trainer"].get("accumulate_grad_batches", 1))


def _max_steps(size: DataSize, config: Config) -> int | None:
    return _steps(size, config) if config["budget"]["max_minutes"] is None else None


def _expected_steps(size: DataSize, config: Config) -> int:
    return config["budget"]["max_steps"] or _steps(size, config)


def _interval(size: DataSize, config: Config) -> int:
    steps = _expected_steps(size, config)
    return min(steps, max(20, steps // 10))


def epochs(size: DataSize, config: Config) -> float:
    """The number of times that every pair comes."""
    return _expected_steps(size, config) * _step_tokens(config) / (size.pairs * size.tokens)


def _dropout(size: DataSize, config: Config) -> float:
    """Dropout that grows with the times that a pair comes, in steps of 0.05."""
    wanted = 0.1 + 0.1 * math.log2(epochs(size, config) / _EPOCHS)
    return round(0.05 * round(min(max(wanted, 0.1), 0.3) / 0.05), 2)


def _learning_rate(size: DataSize, config: Config) -> float:
    """The rate of Adam, higher for larger batches, whose gradients are surer; another kind's is that of its option."""
    own = _OWN_RATES.get(str(config["optimizer"]["_target_"]))
    if own is not None:
        return own
    pairs = _step_tokens(config) / size.tokens
    return float(f"{2e-3 * (max(pairs, _FEWEST_PAIRS) / _FEWEST_PAIRS) ** (1 / 3):.2g}")


def _warmup(size: DataSize, config: Config) -> int:
    if str(config["schedule"]["_target_"]).endswith(".OneCycleSchedule"):
        return 0  # its rise is a warm-up
    return max(1, _expected_steps(size, config) // 15)


def _decay(size: DataSize, config: Config) -> float | None:
    if config["averaging"]["kind"] != "ema":
        return None  # whose option it is
    return round(min(max(1 - 5 / _expected_steps(size, config), 0.9), 0.9995), 4)


def _sample(size: DataSize, config: Config) -> int:
    """The number of examples that take a tenth of the time, by the pairs trained on between two validations."""
    pairs = config["trainer"]["val_check_interval"] * _step_tokens(config) / size.tokens
    return max(200, 100 * round(0.07 * pairs / 100))


def _directions(config: Config) -> int:
    """The number of ways in which an encoder reads."""
    return 1 if config["model"]["encoder"].get("direction") == "forward" else 2


def _memory_size(config: Config) -> int:
    """The width of what an encoder leaves, which is also that of queries that are compared with it as they are."""
    return config["model"]["encoder"]["hidden_size"] * _directions(config)


SIZE_RULES: SizeRules = {
    "batches.max_tokens": _max_tokens,
    "budget.max_steps": _max_steps,
    "schedule.warmup_steps": _warmup,
    "averaging.decay": _decay,
    "trainer.val_check_interval": _interval,
    "batches.max_dev_examples": _sample,
    "model*.dropout": _dropout,
    "model.embedding_size": lambda size, config: 128,
    "model.encoder.hidden_size": lambda size, config: 256 // _directions(config),
    "model.decoder.hidden_size": lambda size, config: _memory_size(config),
    "model.decoder.feature_size": lambda size, config: _memory_size(config) // 2,
    "optimizer.lr": _learning_rate,
}
