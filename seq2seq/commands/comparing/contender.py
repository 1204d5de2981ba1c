"""A choice made ready to be trained beside others: its hidden sizes, and its steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.data.tokenizers import Tokenizers
from seq2seq.models.blank import blank
from seq2seq.models.sizes import fitted_size, parameter_count
from seq2seq.runs.run import build_model


@dataclass(frozen=True)
class Contender:
    """A model to train: its overrides, its hidden sizes and parameters, and the steps where they are its own."""

    name: str
    overrides: list[str]
    encoder_size: int
    decoder_size: int
    parameters: int
    steps: int | None = None

    @property
    def command(self) -> list[str]:
        """Overrides that train the contender, those of its sizes and steps last."""
        sizes = [f"model.encoder.hidden_size={self.encoder_size}", f"model.decoder.hidden_size={self.decoder_size}"]
        return [*self.overrides, *sizes, *([] if self.steps is None else [f"budget.max_steps={self.steps}"])]

    def sized(self, plain: dict[str, Any]) -> dict[str, Any]:
        """The config with the contender's hidden sizes."""
        encoder, decoder = (
            {**plain["model"][side], "hidden_size": size}
            for side, size in (("encoder", self.encoder_size), ("decoder", self.decoder_size))
        )
        return {**plain, "model": {**plain["model"], "encoder": encoder, "decoder": decoder}}


def count_parameters(plain: dict[str, Any], tokenizers: Tokenizers) -> int:
    """The number of parameters of the model that a config describes, which is not built for real."""
    with blank("meta"):
        return parameter_count(build_model(plain, tokenizers))


def as_given(name: str, overrides: Sequence[str], plain: dict[str, Any], tokenizers: Tokenizers) -> Contender:
    """The contender with the hidden sizes that its config says."""
    encoder, decoder = (plain["model"][side]["hidden_size"] for side in ("encoder", "decoder"))
    return Contender(name, list(overrides), encoder, decoder, count_parameters(plain, tokenizers))


def fit_sizes(
    name: str, overrides: Sequence[str], plain: dict[str, Any], tokenizers: Tokenizers, wanted: int
) -> Contender:
    """The contender with the hidden sizes, in the config's own ratio, whose parameters are nearest to those wanted."""
    sizes = [plain["model"][side]["hidden_size"] for side in ("encoder", "decoder")]
    ratio = sizes[1] / sizes[0]

    def contender(size: int) -> Contender:
        sized = Contender(name, list(overrides), size, round(ratio * size), 0)
        return as_given(name, overrides, sized.sized(plain), tokenizers)

    return contender(fitted_size(lambda size: contender(size).parameters, wanted))
