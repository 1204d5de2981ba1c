"""The perplexity of language models on texts."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from seq2seq.data.batching import TokenBudget
from seq2seq.data.examples import Example
from seq2seq.data.running_text import documents_of, whole_documents
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.errors import UserError
from seq2seq.models.language_model import LanguageModel
from seq2seq.training.carried import CarriedStates
from seq2seq.training.likelihood import likelihood

logger = logging.getLogger(__name__)
_MOST = 700.0  # nats that a float has an exponential of


@dataclass(frozen=True)
class TextPerplexity:
    """Negative log-likelihood of documents, in nats, and how many tokens, words and characters it is of.

    The end of every line counts as a token, a word and a character. Numbers by word or by character can be compared
    between tokenizers.
    """

    nats: float
    documents: int
    tokens: int
    words: int
    characters: int
    seconds: float

    @property
    def scores(self) -> dict[str, float]:
        """Perplexity by token and by word, bits by character, and the loss, which is nats by token."""
        return {
            "loss": self.nats / self.tokens,
            "perplexity": math.exp(min(self.nats / self.tokens, _MOST)),
            "word_perplexity": math.exp(min(self.nats / self.words, _MOST)),
            "bits_per_character": self.nats / self.characters / math.log(2),
        }

    def report(self) -> dict[str, Any]:
        """The record that evaluate prints and training keeps, in types of JSON."""
        counts = {name: getattr(self, name) for name in ("tokens", "words", "characters")}
        scores = {name: round(value, 4) for name, value in self.scores.items()}
        return {"scores": scores, "sentences": self.documents, **counts, "seconds": round(self.seconds, 3)}


@torch.no_grad()
def perplexity(
    model: LanguageModel, tokenizers: Tokenizers, examples: Sequence[Example], budget: TokenBudget | None = None
) -> TextPerplexity:
    """The likelihood of the targets of examples, each a document, whatever the windows that they are read in.

    Raises UserError where there is no token.
    """
    started = time.monotonic()
    documents = documents_of(examples, tokenizers.target)
    documents = documents.kept(documents.lengths > 0)
    if not len(documents):
        raise UserError("split must hold a document that is not empty: choose another, or give file=text.txt.")
    windows, batches = whole_documents(documents, budget or TokenBudget(16384, 512))
    device, carried, nats = next(model.parameters()).device, CarriedStates(), 0.0
    for rows in batches:
        batch = windows.batch(rows, step_tokens=1.0).to(device)
        nats += float(likelihood(model, batch, carried.forward(model, batch, batch.target_inputs)).total)
    lines = [line for example in examples for text in example.targets for line in text.split("\n") if line]
    words, characters = (sum(map(len, parts)) + len(lines) for parts in ([line.split() for line in lines], lines))
    tokens = int(windows.counts.sum())
    return TextPerplexity(nats, len(documents), tokens, words, characters, time.monotonic() - started)
