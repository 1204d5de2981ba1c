"""Runs that another learns from."""

from collections.abc import Sequence

from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.run import load_run


def check_teachers(paths: Sequence[str], option: str) -> None:
    """Check that there is a checkpoint at every path of an option. Raises UserError if not."""
    for path in paths:
        try:
            find_checkpoint(path)
        except UserError as error:
            raise UserError(
                f"{option} must be runs that are there for as long as others learn from them, but {error}"
            ) from None


def load_teachers(paths: Sequence[str], tokenizers: Tokenizers) -> list[Seq2Seq]:
    """Models of runs, in evaluation mode and without gradients.

    Raises UserError if one has other tokenizers than those given: its probabilities would be of other pieces.
    """
    check_teachers(paths, "objective.teachers")
    models = []
    for path in paths:
        run = load_run(path)
        for side in ("source", "target"):
            if getattr(run.tokenizers, side).serialized != getattr(tokenizers, side).serialized:
                raise UserError(
                    f"objective.teachers must have the tokenizers of the run that learns, but {path} has another "
                    f"{side} vocabulary: train both on the same data with the same tokenizer options, or give "
                    f"init={path}."
                )
        models.append(run.model.requires_grad_(False))
    return models
