"""Subwords that are drawn anew in every epoch."""

from collections.abc import Sequence

from seq2seq.errors import UserError

_ALPHA = 0.2
_MERGE_DROPOUT = 0.1


class SampledSegmentation:
    """Segmentations of the training pairs, drawn anew in every epoch.

    Of a unigram model, by P(pieces)^alpha: near 0 any alike, 1 the model's own distribution (Kudo 2018). Of byte
    pairs, by leaving out merges with the probability `merge_dropout` (Provilkov et al. 2020). Sides of characters or
    words stay as they are. Raises UserError if a value is out of range.
    """

    def __init__(self, *, alpha: float | None = None, merge_dropout: float | None = None) -> None:
        for name, value in (("alpha", alpha), ("merge_dropout", merge_dropout)):
            if value is not None and not 0 < value <= 1:
                raise UserError(f"{name} must be above 0 and at most 1, but is {value}.")
        self.alpha, self.merge_dropout = alpha, merge_dropout

    def strengths(self, kinds: Sequence[str]) -> list[float | None]:
        """Values that SentencePiece calls alpha, for tokenizers of these kinds; None for those that cut in one way.

        Raises UserError where an option, or all of it, has no effect.
        """
        for name, value, kind in (("alpha", self.alpha, "unigram"), ("merge_dropout", self.merge_dropout, "bpe")):
            if value is not None and kind not in kinds:
                raise UserError(f"{name} needs a tokenizer of kind {kind}, but they are {', '.join(kinds)}.")
        if not {"unigram", "bpe"} & set(kinds):
            raise UserError(
                f"segmentation=sampled needs tokenizers of subwords, but they are {', '.join(kinds)}, which cut a text "
                "in one way: choose tokenizer=unigram or tokenizer=bpe, or segmentation=none."
            )
        known = {"unigram": self.alpha or _ALPHA, "bpe": self.merge_dropout or _MERGE_DROPOUT}
        return [known.get(kind) for kind in kinds]
