"""Reasons why SentencePiece learnt no tokenizer, in one line."""

import re


def explained(message: str, kind: str, size: int | None, side: str) -> str:
    """The line that tells a user why the tokenizer of a side could not be learnt, from what SentencePiece says."""
    name = f"{side}_size"
    if most := re.search(r"value <= (\d+)", message):
        return f"{name} must be at most {most[1]}, all that the data can fill, but is {size}."
    if least := re.search(r"smaller than required_chars\D+(\d+)\D+(\d+)", message):
        return f"{name} must be at least {least[2]}, one for every character, but is {size}."
    if "sentences_.empty()" in message:
        return f"data must hold {side} texts that are not all empty, to learn pieces from: look at its columns."
    return f"The {kind} tokenizer of the {side} could not be learnt: {message.splitlines()[-1]}"
