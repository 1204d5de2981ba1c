"""No constructor that a config can build takes an infinity, NaN, or what no float32 holds, by whomever it is called."""

import math
import re
from inspect import signature
from typing import Any, get_args

import pytest
import torch
from hydra.utils import get_object

from seq2seq.config.buildable import TABLE
from seq2seq.config.builder import call
from seq2seq.drift.adwin import Adwin
from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.frame_embedding import FrameEmbedding
from seq2seq.layers.inputs.input import SourceSide
from seq2seq.layers.labels import Labels
from seq2seq.layers.output.huber import HuberOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.models.language_model import LanguageModel
from seq2seq.models.tagger import TaggingDecoder
from seq2seq.training.objectives.cross_entropy import CrossEntropy

NUMBERS = (math.nan, math.inf, -math.inf, 1e39, -1e39)  # the last are none that 32 bits hold


class SomeCorpus:
    def load(self) -> None: ...


NEEDED: dict[str, Any] = {
    **{"query_size": 4, "memory_size": 4, "feature_size": 4, "input_size": 8, "hidden_size": 4, "num_layers": 2},
    **{"side": SourceSide(3, 4, lambda: Embedding(9, 4)), "cell": LSTMCell, "source_ends": False, "marks_end": False},
    **{"run": "DIR", "teachers": ["DIR"], "base": CrossEntropy(), "detectors": {"adwin": Adwin}, "train": "train.tsv"},
    **{"parts": {"a": SomeCorpus(), "b": SomeCorpus()}, "params": [torch.nn.Parameter(torch.zeros(2, 2))]},
    "monitor": "dev/loss",
}
EMBEDDINGS = {HuberOutput: FrameEmbedding(3, 4), TaggingDecoder: Labels(9)}
# Rates that are not looked at before what drops by them is built, which is by name: tests of theirs below.
LATER = {"DecoderOptions", "StackOptions", "LanguageModelOptions", "ModelOptions"}


def takes_floats(annotation: Any) -> bool:
    return annotation is float or any(map(takes_floats, get_args(annotation)))


def constructors() -> list[Any]:
    """Classes of the closed table, and those that their options are of."""
    own = [get_object(name) for name in sorted(TABLE) if name.startswith("seq2seq.")]
    shared = [
        signature(kind).parameters["options"].annotation for kind in own if "options" in signature(kind).parameters
    ]
    return list(dict.fromkeys([*own, *(one for one in shared if one.__name__ not in LATER)]))


CASES = [
    pytest.param(kind, name, id=f"{kind.__name__}.{name}")
    for kind in constructors()
    for name, parameter in signature(kind).parameters.items()
    if takes_floats(parameter.annotation)
]


def like(number: float, annotation: Any, default: Any) -> Any:
    """The number as its parameter takes it: alone, as one of several, or by name."""
    if isinstance(default, tuple):
        return (*default[1:], number)
    text = str(annotation)
    return {"a": number} if "Mapping" in text else [number, 1.0] if "Sequence" in text or "tuple" in text else number


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_numbers_that_are_not_finite_or_too_large_are_refused_by_name(kind, name, number):
    known = signature(kind).parameters
    needed = [one for one, own in known.items() if own.default is own.empty and own.kind is not own.VAR_KEYWORD]
    possible = NEEDED | {"embedding": EMBEDDINGS.get(kind, Embedding(20, 4))}
    given = {one: known[one].annotation() if one == "options" else possible[one] for one in needed if one != name}
    with pytest.raises(UserError, match=rf"^{name}\b.*but (is|are) .*(nan|inf|1e\+39)"):
        kind(**given, **{name: like(number, known[name].annotation, known[name].default)})


def test_the_law_knows_many_constructors():
    assert len(CASES) > 100


RATES = (
    *("dropout", "type_dropout", "source_word_dropout", "target_word_dropout"),
    *("encoder_dropout", "decoder_dropout", "attention_dropout"),
)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", RATES)
def test_rates_of_a_model_that_are_not_finite_are_refused_by_name(build_model, name, number):
    own = name.removeprefix("encoder_").removeprefix("decoder_")
    with pytest.raises(UserError, match=rf"\b{own}\b.* but is {re.escape(str(number))}"):
        build_model(**{name: number})


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["dropout", "hidden_dropout", "output_dropout", "type_dropout", "word_dropout"])
def test_rates_of_a_language_model_that_are_not_finite_are_refused_by_name(name, number):
    sizes = {"source_vocabulary_size": 9, "target_vocabulary_size": 9, "embedding_size": 4, "hidden_size": 4}
    with pytest.raises(UserError, match=rf"^{name} must be at least 0 and below 1, but is {re.escape(str(number))}"):
        call(LanguageModel, **sizes, num_layers=2, top_size=4, cell=LSTMCell, output=TiedOutput, **{name: number})
