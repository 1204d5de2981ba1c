"""Reasons why SentencePiece learnt no tokenizer, in one line."""

import re
from collections.abc import Sequence


def explained(message: str, kind: str, size: int | None, sides: Sequence[str]) -> str:
    """The line that tells a user why the tokenizer of a side, or of both, could not be learnt.

    It is made of what SentencePiece says.
    """
    name = " and ".join(f"{side}_size" for side in sides)
    whose = " and ".join(sides)
    but = f"but is {size}." if len(sides) == 1 else f"but are {size}: the sides are joint, set both."
    if most := re.search(r"value <= (\d+)", message):
        return f"{name} must be at most {most[1]}, all that the data can fill, {but}"
    if least := re.search(r"smaller than required_chars\D+(\d+)\D+(\d+)", message):
        return f"{name} must be at least {least[2]}, one for every character, {but}"
    if "sentences_.empty()" in message:
        return f"data must hold {whose} texts that are not all empty, to learn pieces from: look at its columns."
    return f"The {kind} tokenizer of the {whose} could not be learnt: {message.splitlines()[-1]}"
