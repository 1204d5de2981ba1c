"""Language models that help a translator: at every token, or in the order of what it found."""

from collections.abc import Sequence
from typing import Any

import torch

from seq2seq.compression.packing import pack
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.decoding.fusion import FusedStepper
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.ranking import AverageRanking, Ranking
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.stepper import Stepper
from seq2seq.errors import UserError, check_finite
from seq2seq.models.language_model import LanguageModel
from seq2seq.runs.run import LoadedRun, load_run
from seq2seq.translation.reranking import LineReranking
from seq2seq.translation.translator import Translator


class LanguageModelFusion:
    """Shallow fusion with the language model of a `run`, which has to have the target's tokenizer.

    At a `weight` of 0 there is none. Raises UserError below 0.
    """

    def __init__(self, *, run: str, weight: float = 0.2) -> None:
        self.run, self.weight = run, _checked(weight)

    def around(self, stepper: Stepper, tokenizer: Tokenizer, precision: str, device: torch.device) -> Stepper:
        """A stepper with the language model beside it. Raises UserError if that is none, or of other tokens."""
        if self.weight == 0:
            return stepper
        own = _load(self.run, device)
        if own.tokenizers.target.serialized != tokenizer.serialized:
            raise UserError(
                f"run must be a language model with the target's tokenizer, but that of {self.run} is another: train "
                "it with tokenizer=run and tokenizer.run=DIR of the translating run, or rerank with it."
            )
        return FusedStepper(stepper, pack(own.model, precision, own.ranges), self.weight)


class LanguageModelRescoring(LineReranking):
    """An order by log p(text | source) + weight log p_LM(text), as the ranking compares lengths (Och & Ney 2002).

    The language model of a `run` reads texts, so its tokenizer may be another. Raises UserError at a weight below 0.
    """

    def __init__(self, *, run: str, weight: float = 0.2, ranking: Ranking | None = None) -> None:
        self.run, self.weight, self.ranking = run, _checked(weight), ranking or AverageRanking()
        self._scorer: Translator | None = None

    def prepare(self, source: Tokenizer | None, device: torch.device, **limits: Any) -> None:
        """Load the language model to the device, as a translator of these limits. Raises UserError if it is none."""
        own = _load(self.run, device)
        self._scorer = Translator(pack(own.model), own.tokenizers, GreedySearch(), device=device, **limits)

    def __call__(self, texts: Sequence[str], hypotheses: Sequence[Hypothesis]) -> list[int]:
        if self._scorer is None:
            self.prepare(None, torch.device("cpu"))
        assert self._scorer is not None
        targets = self._scorer.tokenizers.target.encode(texts)
        given = [scored.score for scored in self._scorer.score([""] * len(texts), targets)]
        scores = torch.tensor([own.score for own in hypotheses]) + self.weight * torch.tensor(given)
        lengths = torch.tensor([max(1, len(own.token_scores)) for own in hypotheses])
        ranks = self.ranking(scores, lengths).tolist()
        return sorted(range(len(texts)), key=lambda number: -ranks[number])


def _checked(weight: float) -> float:
    check_finite(weight=weight)
    if weight < 0:
        raise UserError(f"weight must be at least 0, but is {weight}.")
    return weight


def _load(path: str, device: torch.device) -> LoadedRun:
    found = load_run(path, device)
    if not isinstance(found.model, LanguageModel):
        raise UserError(f"run must be a language model, but {path} reads a source: train one, model=language_model.")
    return found
