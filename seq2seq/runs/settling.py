"""A config settled by the data: every value that it leaves at `auto`, its tokenizers and its kind of model."""

import logging
from collections.abc import Callable

from seq2seq.data.copied_pieces import suited
from seq2seq.data.examples import Splits
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.runs.automatic import of_kind, of_size, said
from seq2seq.runs.data_facts import DataKind, DataSize
from seq2seq.runs.model_choice import choose
from seq2seq.runs.model_kinds import is_open
from seq2seq.runs.of_frames import check_sources
from seq2seq.runs.open_model import with_model
from seq2seq.runs.rules import Config, Option, epochs

logger = logging.getLogger(__name__)
Fits = Callable[[Config, Tokenizers, Splits], int | None]
_TOKENS = "batches.max_tokens"


def settle(
    config: Config,
    splits: Splits,
    learn: Callable[[Config, Splits], Tokenizers],
    *,
    says: bool = True,
    fits: Fits = lambda *_: None,
) -> tuple[Config, Tokenizers]:
    """The config with a value wherever it was at auto, and the tokenizers that it describes, as `learn` gives them.

    `fits` may tell of fewer tokens in a batch than follow from the data, from which the other sizes then follow. What
    was chosen is logged in one line, as overrides that choose the same; before it, why which model was. Where the model
    copies, the tokenizers tell unknown pieces of the source apart.
    """
    check_sources(config, splits)
    kind = DataKind.of(splits)
    config, found = of_kind(config, kind)
    if is_open(config):
        choice = choose(config, splits, kind)
        config = with_model(config, choice.name)
        found = {"model": Option("model", choice.name), **found}
        if says:
            logger.info("model: %s", choice)
    tokenizers = learn(config, splits)
    size = DataSize.of(splits, tokenizers, config["batches"]["max_length"])
    config, by_size = _sized(config, size, lambda sized: fits(sized, suited(tokenizers, sized), splits))
    if says and (chosen := said({**found, **by_size}, kind)):
        logger.info(
            "%s pairs, %s, %.0f tokens each, come %.3g times: %s",
            *(f"{size.pairs:,}", kind, size.tokens, epochs(size, config), " ".join(chosen)),
        )
    return config, suited(tokenizers, config)


def _sized(config: Config, size: DataSize, fits: Callable[[Config], int | None]) -> tuple[Config, Config]:
    """The config with all that follows from the size of the data and from what fits, and this alone."""
    settled, found = of_size(config, size)
    if _TOKENS not in found or (fewer := fits(settled)) in (None, found[_TOKENS]):
        return settled, found
    settled, others = of_size({**config, "batches": {**config["batches"], "max_tokens": fewer}}, size)
    return settled, {_TOKENS: fewer, **others}


def settled_like(config: Config, splits: Splits, tokenizers: Tokenizers) -> Config:
    """The config with a value wherever it was at auto, for data with tokenizers that are learnt already."""
    return settle(config, splits, lambda *_: tokenizers, says=False)[0]
