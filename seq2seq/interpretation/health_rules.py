"""Thresholds of vital signs, each with words and with overrides to try."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from seq2seq.interpretation.vital_signs import VitalSign
from seq2seq.models.seq2seq import Seq2Seq


@dataclass(frozen=True)
class HealthRule:
    """A kind of sign, its title, the range in which it is well, what is said of it outside, and overrides to try."""

    kind: str
    title: str  # what it is a share of, wherever it is shown
    low: float
    high: float
    words: str
    trials: tuple[str, ...]
    advice: str = ""  # what there is to try beside

    def holds(self, sign: VitalSign) -> bool:
        """Tell whether a sign of the kind is within the range."""
        return self.low <= sign.value <= self.high

    def sentence(self, sign: VitalSign, without: Collection[str] = ()) -> str:
        """The sentence on a sign that is not, with the overrides of none of some options to try."""
        shown = f"{100 * sign.value:.0f} %"
        said = self.words.format(share=shown, gate=sign.gate)
        possible = [trial for trial in self.trials if trial.partition("=")[0] not in without]
        trials = ", or ".join([*possible, *([self.advice] if self.advice else [])])
        return f"{sign.kind}, {sign.place}: {said}: try {trials}"


RULES = (
    HealthRule(
        kind="kept",
        title="units whose keeping gate is above 0.99 on every step",
        low=0.0,
        high=0.25,
        words="{share} of {gate} gates above 0.99 on every step: they never let go",
        trials=("model.cell.initialization.forget_bias=0", "optimizer=adamw"),
    ),
    HealthRule(
        kind="open",
        title="units whose other gate is above 0.99 on every step",
        low=0.0,
        high=0.25,
        words="{share} of {gate} gates above 0.99 on every step: they choose nothing",
        trials=("optimizer=adamw",),
        advice="a lower optimizer.lr",
    ),
    HealthRule(
        kind="shut",
        title="units whose gate is below 0.01 on every step",
        low=0.0,
        high=0.25,
        words="{share} of {gate} gates below 0.01 on every step: they let nothing through",
        trials=("optimizer=adamw",),
        advice="a lower optimizer.lr",
    ),
    HealthRule(
        kind="dead",
        title="units whose hidden state stays within 0.01",
        low=0.0,
        high=0.1,
        words="{share} of units, whose hidden state stays within 0.01, show nothing",
        trials=(),
        advice="a lower optimizer.lr, or a smaller model.encoder.hidden_size or model.decoder.hidden_size",
    ),
    HealthRule(
        kind="rank",
        title="effective rank of hidden states, of what it could be",
        low=0.05,
        high=1.0,
        words="{share} of the rank that hidden states could have: they say little",
        trials=(),
        advice="more data or steps, or a smaller model.encoder.hidden_size or model.decoder.hidden_size",
    ),
    HealthRule(
        kind="entropy",
        title="entropy of attention, of that of even weights",
        low=0.0,
        high=0.9,
        words="{share} of the entropy of even weights: it looks everywhere alike",
        trials=("model/attention=general", "model/attention=additive"),
        advice="a longer run",
    ),
    HealthRule(
        kind="without_context",
        title="right next tokens that stay so without context",
        low=0.02,
        high=0.9,
        words="{share} of right next tokens stay so without context",
        trials=("model.target_word_dropout=0.1",),
        advice="a longer run: above 90 % the source is hardly read, below 2 % attention is all that there is",
    ),
    HealthRule(
        kind="without_state",
        title="right next tokens that stay so with context alone",
        low=0.0,
        high=0.95,
        words="{share} of right next tokens stay so with context alone",
        trials=("model.source_word_dropout=0.1",),
        advice="a smaller model.decoder.hidden_size: the state is hardly used",
    ),
)


def not_taken(model: Seq2Seq) -> set[str]:
    """Options of trials that a model of the kind refuses, or has not."""
    found = set()
    if model.edits or model.tags:
        found |= {"model.target_word_dropout", "model/attention"}
    if model.encoder.input.frames:
        found.add("model.source_word_dropout")
    return found


def health_sentences(signs: Iterable[VitalSign], without: Collection[str] = ()) -> Iterator[str]:
    """Sentences on signs that are outside of the range of their rule, with no advice on options that are not taken."""
    rules = {rule.kind: rule for rule in RULES}
    for sign in signs:
        if not rules[sign.kind].holds(sign):
            yield rules[sign.kind].sentence(sign, without)
