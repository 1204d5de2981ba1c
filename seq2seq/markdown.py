"""Texts in tables of Markdown."""


def cell(text: str) -> str:
    """The text as it goes between two bars of a row."""
    return text.replace("|", r"\|")
