"""Other translators that have a say in which of several translations is the best."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch

from seq2seq.compression.packing import pack
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.decoding.ranking import Ranking, SumRanking
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import UserError, check_finite, shown
from seq2seq.runs.run import load_run
from seq2seq.translation.line import Translation
from seq2seq.translation.reranking import Reranking
from seq2seq.translation.translator import Translator


class TranslatorRescoring(Reranking):
    """An order by log p(text | source) + weight times the sum of log p of other runs (after Liu et al. 2016).

    They read texts, so that they may be of other kinds and vocabularies: a transducer beside attention, say, which
    makes other mistakes. Raises UserError if no run is named, or at a weight that is not above 0.
    """

    def __init__(self, *, run: str | list[str], weight: float = 1.0, ranking: Ranking | None = None) -> None:
        check_finite(weight=weight)
        self.paths = [run] if isinstance(run, str) else run
        if not self.paths or not all(isinstance(path, str) and path for path in self.paths):
            raise UserError(f"run must name a run or several, but is {shown(run)}: give rerank.run=[DIR,DIR].")
        if not weight > 0:
            raise UserError(f"weight must be above 0, but is {weight}: for the search's own order, choose rerank=none.")
        self.weight, self.ranking = weight, ranking or SumRanking()
        self._scorers: list[Translator] = []

    def prepare(self, source: Tokenizer | None, device: torch.device, **limits: Any) -> None:
        """Load the runs to the device, as translators of these limits.

        Raises UserError where one does not read what the translator reads, or writes no text.
        """
        if source is None:
            raise UserError("run must not be given beside a language model, which has no source: choose none.")
        for path in self.paths:
            own = load_run(path, device)
            if own.model.sourceless:
                raise UserError(f"run must read a source, but {path} is a language model: rerank=language_model.")
            if isinstance(own.tokenizers.source, FrameReader) != isinstance(source, FrameReader):
                raise UserError(f"run must read what the translating run reads, but one of {path} and it reads frames.")
            if isinstance(source, FrameReader) and own.tokenizers.source.serialized != source.serialized:
                raise UserError(f"run must read the features that the translating run reads, but {path} reads others.")
            if own.model.output.frames:
                raise UserError(f"run must write text, but {path} writes frames: name a run that translates.")
            self._scorers.append(Translator(pack(own.model), own.tokenizers, GreedySearch(), device=device, **limits))

    def orders(self, found: Sequence[Sequence[Translation]]) -> list[list[int]]:
        flat = list(chain.from_iterable(found))
        scores = torch.tensor([one.hypothesis.score for one in flat])
        for scorer in self._scorers:
            scores += self.weight * torch.tensor(_scores(scorer, flat))
        lengths = torch.tensor([max(1, len(one.hypothesis.token_scores)) for one in flat])
        ranks = iter(self.ranking(scores, lengths).tolist() if flat else [])
        rows = [[next(ranks) for _ in own] for own in found]
        return [sorted(range(len(row)), key=lambda number: -row[number]) for row in rows]


def _scores(scorer: Translator, found: Sequence[Translation]) -> list[float]:
    sources = [one.source for one in found]
    _, targets = scorer.tokenizers.encode_pairs(sources, [one.text for one in found])
    return [own.score for own in scorer.score(sources, targets, first_number=None)]
