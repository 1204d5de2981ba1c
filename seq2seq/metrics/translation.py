"""BLEU, chrF and TER, as sacreBLEU computes them."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise, zip_longest

import numpy as np
import torch
from sacrebleu.metrics import BLEU, CHRF, TER

from seq2seq.errors import UserError
from seq2seq.metrics.scores import Scores, is_first_process
from seq2seq.metrics.writing import Writing, writing_of
from seq2seq.shapes import SentenceCounts, TrialScores, TrialTotals

logger = logging.getLogger(__name__)

_AUTO = "auto"
_TOKENIZE = {Writing.SPACED: "13a", Writing.CHINESE: "zh", Writing.JAPANESE: "char", Writing.UNSPACED: "char"}
_ASIAN = {Writing.CHINESE, Writing.JAPANESE}
# sacreBLEU's counts per sentence: n-grams for BLEU and chrF, edits and reference length for TER.
Scorers = dict[str, BLEU | CHRF | TER]


class TranslationScores(Scores):
    """Corpus BLEU (Papineni et al. 2002), chrF (Popovic 2015) and TER (Snover et al. 2006), detokenised.

    BLEU splits texts by `tokenize`, one of sacreBLEU's names; `auto` goes by the script of most letters of all
    references: `zh` for Han, `char` for Japanese and for scripts without spaces, as Thai, else `13a`. `lowercase` is
    for BLEU and chrF, as TER never looks at case. `word_order=2` makes chrF++. `asian_support` has TER split Han
    characters, where None does so for references in Chinese or Japanese; TER knows no words of other scripts without
    spaces. torchmetrics has its own of these, but its chrF and its unsmoothed BLEU differ from sacreBLEU's.
    Raises UserError at a `tokenize` that is unknown or not installed and a `word_order` below 0.
    """

    def __init__(
        self,
        *,
        tokenize: str = _AUTO,
        lowercase: bool = False,
        word_order: int = 0,
        asian_support: bool | None = None,
    ) -> None:
        if word_order < 0:
            raise UserError(f"word_order must be at least 0, but is {word_order}: 2 makes chrF++.")
        # Effective order would change corpus BLEU; sacreBLEU's warning about it concerns single sentences.
        scorers: Scorers = {
            "bleu": _bleu(tokenize, lowercase=lowercase),
            "chrf": CHRF(word_order=word_order, lowercase=lowercase),
            "ter": _ter(bool(asian_support)),
        }
        sizes = [len(_statistics(scorer, ["a"], [["a"]])[0]) for scorer in scorers.values()]
        super().__init__(sum(sizes), dtype=torch.double)
        self.scorers = scorers
        self._parts = [slice(*ends) for ends in pairwise(accumulate(sizes, initial=0))]
        self._tokenize, self._lowercase, self._asian_support = tokenize, lowercase, asian_support
        self._settled = False

    def settle(self, references: Sequence[Sequence[str]]) -> None:
        """Choose by the script of the references what was left open; without this, the first sentences' decide."""
        self._settled = True
        writing = writing_of(chain.from_iterable(references))
        if self._tokenize == _AUTO:
            self.scorers["bleu"] = _bleu(_TOKENIZE[writing], lowercase=self._lowercase)
        if self._asian_support is None:
            self.scorers["ter"] = _ter(writing in _ASIAN)
        first = is_first_process()
        if self._tokenize == _AUTO and writing is not Writing.SPACED and first:
            _say(writing, _TOKENIZE[writing])
        bleu = self.scorers["bleu"]
        if first and isinstance(bleu, BLEU) and _is_zero(bleu, references):
            _warn_of_zero(str(bleu.tokenizer.signature()))

    def counts(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]], sources: Sequence[str]
    ) -> SentenceCounts:
        if not hypotheses:
            return np.zeros((0, len(self.totals)))
        if not self._settled:
            self.settle(references)
        rows = [_statistics(scorer, hypotheses, references) for scorer in self.scorers.values()]
        return np.concatenate([np.array(part, dtype=float) for part in rows], axis=1)

    def scores(self, totals: TrialTotals) -> dict[str, TrialScores]:
        return {
            name: np.array([scorer._compute_score_from_stats(row).score for row in totals[:, part].tolist()])
            for (name, scorer), part in zip(self.scorers.items(), self._parts, strict=True)
        }

    def of_sentences(self, counts: SentenceCounts) -> dict[str, TrialScores]:
        """Scores of every sentence alone; BLEU is of the orders that it has, and smoothed (Chen & Cherry 2014)."""
        bleu = self.scorers["bleu"]
        assert isinstance(bleu, BLEU)
        bleu.effective_order = True
        try:
            return self.scores(counts)
        finally:
            bleu.effective_order = False

    @property
    def signature(self) -> str:
        return "; ".join(f"{name} {scorer.get_signature()}" for name, scorer in self.scorers.items())


def _bleu(tokenize: str, *, lowercase: bool) -> BLEU:
    if tokenize == _AUTO:
        tokenize = _TOKENIZE[Writing.SPACED]  # until the references are known
    if tokenize not in BLEU.TOKENIZERS:
        raise UserError(f"tokenize must be one of auto, {', '.join(BLEU.TOKENIZERS)}, but is {tokenize!r}.")
    try:
        return BLEU(tokenize=tokenize, lowercase=lowercase)
    except (ImportError, RuntimeError, OSError) as error:
        raise UserError(
            f"tokenize={tokenize} needs what is not installed here ({' '.join(str(error).split())}): install it, or "
            "choose char."
        ) from None


def _ter(asian: bool) -> TER:
    return TER(normalized=asian, asian_support=asian)  # sacreBLEU splits Asian characters only where it normalizes


def _is_zero(bleu: BLEU, references: Sequence[Sequence[str]]) -> bool:
    """Tell whether BLEU is 0 whatever is written, as no reference has as many tokens as its longest n-grams."""
    texts = [text for text in chain.from_iterable(references) if text.strip()]
    return bool(texts) and all(len(bleu.tokenizer(text).split()) < bleu.max_ngram_order for text in texts)


@lru_cache
def _warn_of_zero(tokenize: str) -> None:
    logger.warning(
        "BLEU will be 0 whatever is written: it counts four tokens in a row, and no reference has as many (split by "
        "metrics.translation.tokenize=%s); look at chrF and exact match, or choose metrics=exact_match",
        tokenize,
    )


@lru_cache
def _say(writing: Writing, tokenize: str) -> None:
    logger.info(
        "references are written %s: BLEU splits texts by metrics.translation.tokenize=%s", writing.value, tokenize
    )


def _statistics(
    scorer: BLEU | CHRF | TER, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> list[list[int | float]]:
    """Statistics of every sentence, as sacreBLEU counts them.

    It wants reference streams: the first reference of each sentence, the second, ..., None where none.
    """
    streams = [list(stream) for stream in zip_longest(*references)]
    return scorer._extract_corpus_statistics(list(hypotheses), streams)
