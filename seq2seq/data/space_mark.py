"""The sign that SentencePiece writes for a space, and what stands for it in texts that hold the sign itself."""

SPACE = "\u2581"  # how SentencePiece writes a space
STAND_IN = "\U0010fffd"  # of private use, the last: what stands in pieces where a text has the sign


def hidden(text: str) -> str:
    """The text with what stands for the sign, so that the sign is not read as a space."""
    return text.replace(SPACE, STAND_IN)


def shown(text: str) -> str:
    """The text with the sign where something stands for it: undoes `hidden`."""
    return text.replace(STAND_IN, SPACE)


def readable(piece: str) -> str:
    """The text of a piece, with its spaces as spaces; a sign that was in the text is itself."""
    return shown(piece.replace(SPACE, " "))
