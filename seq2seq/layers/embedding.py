"""Token ids to vectors."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.dropout import LockedDropout, TypeDropout
from seq2seq.mixing import mixed
from seq2seq.shapes import Ids, SoftIds, TimeVectors
from seq2seq.symbols import PAD, UNK

RecentIds = Int[Tensor, "batch before"]  # of the tokens right before others


def initialize_embedding(embedding: nn.Embedding) -> None:
    """Draw normal vectors of variance 1 / size, so that a tied output's logits start with variance 1; padding is 0."""
    nn.init.normal_(embedding.weight, std=embedding.embedding_dim**-0.5)
    if embedding.padding_idx is not None:
        with torch.no_grad():
            embedding.weight[embedding.padding_idx].zero_()


class Embedding(nn.Module):
    """A table of vectors, with dropout of words by type, and locked dropout on what it returns.

    Its rows are a `multiple` of a number: those past the vocabulary belong to no token. Where a model copies, ids
    beyond the vocabulary are read as UNK. Raises UserError below 1.
    """

    beyond = False  # whether there can be such ids

    def __init__(
        self,
        vocabulary_size: int,
        size: int,
        *,
        dropout: float = 0.0,
        type_dropout: float = 0.0,
        multiple: int = 1,
    ) -> None:
        super().__init__()
        if multiple < 1:
            raise UserError(f"multiple must be at least 1, but is {multiple}.")
        self.vocabulary_size = vocabulary_size
        self.table = nn.Embedding(-(-vocabulary_size // multiple) * multiple, size, padding_idx=PAD)
        initialize_embedding(self.table)
        self.types = TypeDropout(type_dropout)
        self.dropout = LockedDropout(dropout)

    @property
    def size(self) -> int:
        """Width of a vector."""
        return self.table.embedding_dim

    @property
    def rows(self) -> int:
        """Number of vectors: one for each token, and those that make it a round number."""
        return self.table.num_embeddings

    def forward(self, ids: Ids | SoftIds) -> TimeVectors:
        return self.dropout(self.undropped(ids))

    def undropped(self, ids: Ids | SoftIds) -> TimeVectors:
        """The vectors of tokens or mixtures, before locked dropout."""
        return self._mean(ids) if isinstance(ids, SoftIds) else self.look_up(ids)

    def look_up(self, ids: Ids) -> TimeVectors:
        """The vectors of the tokens, before locked dropout."""
        ids = self.known(ids)
        return self.types(self.table(ids), ids, self.vocabulary_size)

    def known(self, ids: Ids) -> Ids:
        """The ids, those beyond the vocabulary as UNK."""
        return ids.where(ids < self.vocabulary_size, UNK) if self.beyond else ids

    def _mean(self, soft: SoftIds) -> TimeVectors:
        """The mean vector of every place's tokens, by their weights."""
        flat = soft.ids.flatten(1)  # (batch, target k)
        vectors = self.look_up(flat).unflatten(1, soft.ids.shape[1:])  # (batch, target, k, size)
        return (vectors * soft.weights.to(vectors.dtype).unsqueeze(-1)).sum(-2)


class NGramEmbedding(nn.Module):
    """Vectors of the n-grams around each token, summed (after Bojanowski et al. 2017).

    A window (before, after) is the n-gram of that many tokens before and after each one, and has a table of its
    own: one row per n-gram where `buckets` rows suffice for all, else rows shared by hashing (Weinberger et al.
    2009). What lies outside the sentence counts as padding. Hashes are `mixed`; those of models before version 0.2 were
    not, and missed tokens where vocabulary_size and buckets share factors.
    """

    def __init__(
        self,
        vocabulary_size: int,
        size: int,
        *,
        windows: Sequence[Sequence[int]],
        buckets: int = 50_000,
        mixed: bool = True,
    ) -> None:
        super().__init__()
        if buckets < 1:
            raise UserError(f"buckets must be at least 1, but is {buckets}.")
        self.vocabulary_size = vocabulary_size
        self.mixed = mixed
        self.windows = [_window(window) for window in windows]
        self.sizes = [min(buckets, vocabulary_size ** (sum(window) + 1)) for window in self.windows]
        self.tables = nn.ModuleList(nn.Embedding(rows, size) for rows in self.sizes)
        for weight in self.tables.parameters():
            nn.init.normal_(weight, std=0.5 * size**-0.5)

    @property
    def before(self) -> int:
        """The most tokens before one that an n-gram of it has."""
        return max(before for before, _ in self.windows)

    @property
    def after(self) -> int:
        """The most tokens after one that an n-gram of it has."""
        return max(after for _, after in self.windows)

    def forward(self, ids: Ids, recent: RecentIds | None = None) -> TimeVectors:
        """Vectors of the tokens, `batch time size`, which may follow others, `batch before`."""
        seen, count = (ids, 0) if recent is None else (torch.cat([recent, ids], 1), recent.shape[1])
        vectors = [
            table(self._rows(seen, *window, rows)[:, count:])
            for window, rows, table in zip(self.windows, self.sizes, self.tables, strict=True)
        ]
        return torch.stack(vectors).sum(0)

    def _rows(self, ids: Ids, before: int, after: int, rows: int) -> Tensor:
        """Row of the n-gram at each token: a number in base vocabulary_size, or where rows are too few a hash of it."""
        size = before + after + 1
        padded = functional.pad(ids, (before, after), value=PAD)
        number, hashed = torch.zeros_like(ids), self.mixed and rows < self.vocabulary_size**size
        for offset in range(size):
            token = padded[:, offset : offset + ids.shape[1]]
            number = mixed(number + token) if hashed else (number * self.vocabulary_size + token) % rows
        return number % rows


def _window(window: Sequence[int]) -> tuple[int, int]:
    if len(window) != 2 or min(window) < 0 or max(window) == 0:
        raise UserError(
            f"A window of ngrams must be [before, after] and cover at least one neighbour, but is {list(window)}."
        )
    return window[0], window[1]
