"""The scale of scores that are products of vectors."""

from seq2seq.errors import UserError


def score_scale(size: int, *, scaled: bool, scale_size: int | None) -> float:
    """The factor of scores: 1 / sqrt(size) if scaled, else 1; `scale_size` stands for a size that was once larger.

    Raises UserError at one that is smaller, or that nothing is scaled by.

    >>> from seq2seq.layers.attention.scaling import score_scale
    >>> [score_scale(9, scaled=True, scale_size=size) for size in (16, None)]
    [0.25, 0.3333333333333333]
    """
    if scale_size is None:
        return size**-0.5 if scaled else 1.0
    if not scaled:
        raise UserError(f"scale_size must be null where scaled is false, but is {scale_size}.")
    if scale_size < size:
        raise UserError(
            f"scale_size must be at least {size}, the size that is multiplied, or null for it, but is {scale_size}."
        )
    return float(scale_size**-0.5)
