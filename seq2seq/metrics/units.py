"""Units of scores."""

# All that are no percentages: of what comes next, in nats, bits or choices, and of forecasts, in the units of the data.
_OWN_UNITS = frozenset(
    ("loss", "perplexity", "word_perplexity", "bits_per_character", "mae", "rmse", "crps"),
)


def with_unit(text: str, *scores: str) -> str:
    """A text about scores of these names, and that they are percent where all of them are."""
    names = {name.rpartition("/")[2] for name in scores}
    return text if names & _OWN_UNITS else f"{text}, %"
