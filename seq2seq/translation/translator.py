"""Translation of lines: encode, batch by length, search, decode, in the order that they came."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.copied_pieces import within
from seq2seq.data.frame_reader import source_sequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.spreading import Item, spread_over
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.request import Request
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.search import Search
from seq2seq.decoding.stepper import Stepper, attends
from seq2seq.errors import UserError
from seq2seq.shapes import Lengths, Source
from seq2seq.translation.length_batches import length_batches
from seq2seq.translation.line import Line, Translation
from seq2seq.translation.line_constraints import LineConstraints
from seq2seq.translation.merging import merged
from seq2seq.translation.pieces import PieceLimits
from seq2seq.translation.reranking import Reranking

logger = logging.getLogger(__name__)


class Translator:
    """A search over lines of text. Empty text stays empty; what is unknown to the tokenizer becomes UNK.

    Batches hold lines of like length: at most `batch_size`, and at most `max_tokens` with their padding. Of a source,
    no more than `max_source_tokens` are read.
    """

    def __init__(
        self,
        stepper: Stepper,
        tokenizers: Tokenizers,
        search: Search,
        *,
        batch_size: int = 256,
        max_tokens: int = 32768,
        max_source_tokens: int = 1024,
        pieces: PieceLimits | None = None,
        rerank: Reranking | None = None,
        replace_unknown: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        sizes = {"batch_size": batch_size, "max_tokens": max_tokens, "max_source_tokens": max_source_tokens}
        for name, size in sizes.items():
            if size < 1:
                raise UserError(f"{name} must be at least 1, but is {size}.")
        if rerank is not None and search.width < 2:
            raise UserError(
                "rerank needs several hypotheses, but this search finds one: search by beam, or draw several samples."
            )
        if replace_unknown and tokenizers.edits:
            raise UserError("replace_unknown must be false for a transducer, which copies what it does not know.")
        self.stepper = stepper
        self.tokenizers = tokenizers
        self.search = search
        self.batch_size, self.max_tokens, self.max_source_tokens = batch_size, max_tokens, max_source_tokens
        self.pieces = pieces or PieceLimits()
        self.rerank = rerank
        self.replace_unknown = replace_unknown
        self.device = device
        self.longest = 0  # characters of the longest source in training; 0 where that is not known
        self.other_forms: list[Stepper] = []  # of the same model, of which the fastest may take its place
        self.before_batch: Callable[[], None] | None = None  # of lines, where somebody may want it to go no further

    @property
    def forms(self) -> list[Stepper]:
        """The model in all its forms, each once."""
        return [self.stepper, *(form for form in self.other_forms if form is not self.stepper)]

    def anew(self) -> "Translator":
        """A translator that has read nothing yet, and whose reading changes no other: this one keeps nothing."""
        return self

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """The best translation of every text."""
        return [found[0].text for found in self.translations([Line(text) for text in texts])]

    def hypotheses(self, texts: Sequence[str]) -> list[Hypothesis]:
        """The best hypothesis of every text, by the search alone."""
        lines = [Line(text) for text in texts]
        return [found[0] for found in self.search_lines(lines)]

    def share(self, count: int, rank: int, processes: int) -> slice:
        """The places of those of so many texts that one of several processes is to translate."""
        return slice(rank, count, processes)

    def some(self, lines: Sequence[Item], most: int | None) -> Sequence[Item]:
        """Return at most so many of some lines, None for all: they stand for all, and lie evenly among these."""
        return spread_over(lines, most)

    def translations(
        self, lines: Sequence[Line], *, n_best: int = 1, attention: bool = False, first_number: int = 1
    ) -> list[list[Translation]]:
        """The `n_best` translations of every line, best first; warnings and mistakes name a line by its number."""
        merges = self.tokenizers.edits and self.search.distinct  # what was drawn stands for itself
        found = self.search_lines(
            lines,
            n_best=max(n_best, self.search.width) if self.rerank or merges else n_best,
            attention=attention or self.replace_unknown,
            first_number=first_number,
        )
        sources = [line.source for line, own in zip(lines, found, strict=True) for _ in own]
        texts = iter(self.tokenizers.decode(sources, [hypothesis.ids for own in found for hypothesis in own]))
        translations = [
            [Translation(next(texts), hypothesis, line.source, self.tokenizers) for hypothesis in own]
            for line, own in zip(lines, found, strict=True)
        ]
        if self.replace_unknown:
            translations = [[translation.without_unknown() for translation in own] for own in translations]
        if merges:
            translations = [merged(own, self.search.ranking) for own in translations]
        return [own[:n_best] for own in self._in_order(translations)]

    def search_lines(
        self, lines: Sequence[Line], *, n_best: int = 1, attention: bool = False, first_number: int = 1
    ) -> list[list[Hypothesis]]:
        """Hypotheses that the search finds for every line; one empty hypothesis for an empty line.

        They have attention if it is wanted, and the model attends to anything.
        """
        encoded = self._encode([line.source for line in lines], first_number)
        max_lengths = self._max_lengths(encoded)
        constraints = self._constraints(lines, max_lengths, first_number)
        found, looks = [[Hypothesis([], 0.0, True)]] * len(lines), attention and attends(self.stepper)
        for rows in self._batches(encoded.lengths.nonzero().squeeze(1), encoded.lengths + 1):
            if self.before_batch is not None:
                self.before_batch()
            source, lengths = encoded.padded(rows, end=True)
            limits = self.pieces.filters(self.tokenizers.target, partial(self._source_pieces, source, lengths))
            request = Request(
                n_best, looks, [*constraints.filters(rows, self.device), *limits], constraints.phrases_of(rows)
            )
            batch = self._search(source.to(self.device), lengths.to(self.device), request)
            for row, hypotheses in zip(rows.tolist(), batch, strict=True):
                found[row] = hypotheses
                _warn_of_no_end(hypotheses[0], int(max_lengths[row]), first_number + row, lines[row])
        return found

    def check(self, line: Line, number: int) -> None:
        """Check that the prefix and constraints of a line can be held.

        Raises UserError, with the line's number, if not.
        """
        if line.prefix or line.phrases:
            max_lengths = self._max_lengths(self._encode([line.source], None))
            self._constraints([line], max_lengths, number)

    def score(
        self, sources: Sequence[str], targets: Sequence[Sequence[int]], *, first_number: int | None = 1
    ) -> list[Hypothesis]:
        """Hypotheses with what the model gives to token ids as translations of texts, EOS behind them.

        Without a first number, sources are no lines that somebody would find, and none is warned of.
        """
        encoded = self._encode(sources, first_number)
        lengths = encoded.lengths.tolist()
        wanted = TokenSequences.from_ids(
            [within(self.tokenizers, ids, length) for ids, length in zip(targets, lengths, strict=True)]
        )
        found = [Hypothesis([], 0.0, True)] * len(sources)
        for rows in self._batches(torch.arange(len(sources)), encoded.lengths.maximum(wanted.lengths) + 1):
            batch = (*encoded.padded(rows, end=True), *wanted.padded(rows, end=True))
            scored = score_targets(self.stepper, *(tensor.to(self.device) for tensor in batch))
            for row, hypothesis in zip(rows.tolist(), scored, strict=True):
                found[row] = hypothesis
        return found

    def _constraints(self, lines: Sequence[Line], max_lengths: Lengths, first_number: int) -> LineConstraints:
        limits, target = self.search.length, self.tokenizers.target
        return LineConstraints(lines, target, max_lengths, limits, self.pieces, first_number=first_number)

    def _encode(self, texts: Sequence[str], first_number: int | None = 1) -> TokenSequences:
        sentences = source_sequences(self.tokenizers.source, texts)
        if first_number is not None:
            self._warn_of_long(sentences.lengths, first_number)
        return sentences.cut(self.max_source_tokens)

    def _max_lengths(self, sources: TokenSequences) -> Lengths:
        """The numbers of tokens that a search may write for sources, which count with their end where they have one."""
        return self.search.length.max_length(sources.lengths + sources.end)

    def _warn_of_long(self, lengths: Lengths, first_number: int) -> None:
        for row in (lengths > self.max_source_tokens).nonzero().flatten().tolist():
            logger.warning(
                "line %d has %d tokens: only the first %d are read (max_source_tokens)",
                first_number + row, lengths[row], self.max_source_tokens,
            )  # fmt: skip

    def _search(self, source: Source, lengths: Lengths, request: Request) -> list[list[Hypothesis]]:
        return self.search(self.stepper, source, lengths, request)

    def _batches(self, rows: Int[Tensor, " rows"], lengths: Int[Tensor, " lines"]) -> Iterator[Int[Tensor, " batch"]]:
        """Batches of the given rows, longest first, so that neighbours are of like length."""
        return length_batches(rows, lengths, most=self.batch_size, tokens=self.max_tokens)

    def _source_pieces(self, source: Source, lengths: Lengths) -> list[list[str]]:
        rows = zip(source.tolist(), lengths.tolist(), strict=True)
        return [self.tokenizers.source.pieces(ids[: length - 1]) for ids, length in rows]

    def _in_order(self, found: list[list[Translation]]) -> list[list[Translation]]:
        if self.rerank is None:
            return found
        orders = iter(self.rerank.orders([own for own in found if len(own) > 1]))
        return [[own[number] for number in next(orders)] if len(own) > 1 else own for own in found]


def _warn_of_no_end(hypothesis: Hypothesis, most: int, number: int, line: Line) -> None:
    if hypothesis.finished:
        return
    if len(hypothesis.ids) < most:
        logger.warning(
            "line %d: filters and limits left no token to go on with; its answer is what there was by then", number
        )
    elif line.phrases:
        logger.warning(
            "line %d: nothing that holds all its constraints ended within %d tokens; its answer may lack some",
            number, most,
        )  # fmt: skip
