"""BLEU, chrF and TER, as sacreBLEU computes them."""

from collections.abc import Sequence
from itertools import zip_longest

import torch
from sacrebleu.metrics import BLEU, CHRF, TER
from torch import Tensor

from seq2seq.metrics.scores import Scores

# sacreBLEU's statistics per sentence: n-gram counts for BLEU and chrF, edits and reference length for TER.
_KINDS = {"bleu": BLEU, "chrf": CHRF, "ter": TER}


class TranslationScores(Scores):
    """Corpus BLEU (Papineni et al. 2002), chrF (Popovic 2015) and TER (Snover et al. 2006), raw case, detokenised.

    torchmetrics has its own of these, but its chrF and its unsmoothed BLEU differ from sacreBLEU's.
    """

    def __init__(self) -> None:
        super().__init__()
        # Effective order would change corpus BLEU; sacreBLEU's warning about it concerns single sentences.
        self.scorers = {name: kind() for name, kind in _KINDS.items()}
        for name, scorer in self.scorers.items():
            size = len(_statistics(scorer, ["a"], [["a"]])[0])
            self.add_state(name, torch.zeros(size, dtype=torch.double), dist_reduce_fx="sum")

    def update(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        if not hypotheses:
            return
        for name, scorer in self.scorers.items():
            rows = _statistics(scorer, hypotheses, references)
            total = getattr(self, name) + torch.tensor(rows, dtype=torch.double, device=self.device).sum(0)
            setattr(self, name, total)

    def compute(self) -> dict[str, Tensor]:
        return {
            name: torch.tensor(scorer._compute_score_from_stats(_numbers(getattr(self, name))).score)
            for name, scorer in self.scorers.items()
        }

    @property
    def signature(self) -> str:
        return "; ".join(f"{name} {scorer.get_signature()}" for name, scorer in self.scorers.items())


def _statistics(
    scorer: BLEU | CHRF | TER, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> list[list[int | float]]:
    """Statistics of every sentence, as sacreBLEU counts them.

    It wants reference streams: the first reference of each sentence, the second, ..., None where none.
    """
    streams = [list(stream) for stream in zip_longest(*references)]
    return scorer._extract_corpus_statistics(list(hypotheses), streams)


def _numbers(total: Tensor) -> list[int | float]:
    """Counts as integers, which sacreBLEU prints and compares; TER's averaged lengths stay as they are."""
    return [int(value) if value == int(value) else value for value in total.tolist()]
