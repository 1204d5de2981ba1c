"""The choice between attention and a transducer, by the data; docs/transducer.md has the figures."""

from dataclasses import dataclass
from typing import Any

from seq2seq.config.builder import build
from seq2seq.data.edits.monotonicity import monotonicity
from seq2seq.data.examples import Splits
from seq2seq.data.spreading import spread_over
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.runs.data_facts import DataKind
from seq2seq.runs.open_model import ATTENTION, TRANSDUCER
from seq2seq.runs.possible import misfits

_PAIRS = 50_000  # up to which transducers were measured to be as good as attention, or better
_SHARE = 0.4  # of bits: 0.58 and more where sides run in the same order, 0.23 and less where they do not
_LOOKED_AT = 600  # pairs
_SYMBOLS = 1000  # of an alphabet at most; a table of edits has all pairs of them
_ALPHABETS = ("char", "word")


@dataclass(frozen=True)
class ModelChoice:
    """The name of the model that was chosen, and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


def choose(config: dict[str, Any], splits: Splits, kind: DataKind) -> ModelChoice:
    """The model that suits a config whose tokenizer is settled: what it can be, or else what its data are like.

    Raises UserError where what is given fits neither.
    """
    unfit = misfits(config)
    out = next((name for name, why in unfit.items() if why), None)
    if out is None:
        return _by_data(config, splits, kind)
    return ModelChoice(ATTENTION if out == TRANSDUCER else TRANSDUCER, f"{out} is not possible: {unfit[out]}")


def _by_data(config: dict[str, Any], splits: Splits, kind: DataKind) -> ModelChoice:
    what = f"{kind.pairs:,} pairs, {kind}"
    if kind.has_sentences:
        return ModelChoice(ATTENTION, f"{what}, and edits suit words")
    kinds = {config["tokenizer"].get(side) for side in ("source", "target")}
    if not kinds <= {*_ALPHABETS}:
        named = "those of another run" if None in kinds else " and ".join(sorted(map(str, kinds)))
        return ModelChoice(ATTENTION, f"{what}, and edits are of characters or symbols, but tokens are {named}")
    if kind.pairs > _PAIRS:
        return ModelChoice(ATTENTION, f"{what}, and transducers were found as good up to {_PAIRS:,}")
    some = spread_over(splits.train, _LOOKED_AT)
    tokenizers: Tokenizers = build(config["tokenizer"], "tokenizer").train(some, build(config["text"], "text"))
    sizes = tokenizers.source.size, tokenizers.written.size
    if max(sizes) > _SYMBOLS:
        return ModelChoice(ATTENTION, f"{what}, and edits are of alphabets, but there are {max(sizes):,} symbols")
    share = monotonicity(tokenizers, [one.source for one in some], [one.targets[0] for one in some])
    saved = f"reading sources in order saves {100 * max(share, 0):.0f} % of the bits of targets"
    if share < _SHARE:
        return ModelChoice(ATTENTION, f"{what}, alignment not monotone ({saved}, less than {100 * _SHARE:.0f} %)")
    return ModelChoice(TRANSDUCER, f"{what}, alignment monotone ({saved})")
