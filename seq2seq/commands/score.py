"""Score pairs of lines: what a run gives to the second line after the first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from omegaconf import DictConfig

from seq2seq.commands.translating.series_input import corpus_in
from seq2seq.config.command_line import lines_of_stdin, write_lines
from seq2seq.config.contract import check_counts, read_options
from seq2seq.data.copied_pieces import pieces_of
from seq2seq.data.corpora.frame_files import FrameCorpus
from seq2seq.data.encoding import pairs_of
from seq2seq.data.packed_files import text_lines
from seq2seq.data.pair_lines import pair_of_columns
from seq2seq.data.text import decoded
from seq2seq.data.text_files import told_as
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.runs.named_runs import load_decoding_runs
from seq2seq.runs.translator import open_translator
from seq2seq.standard_streams import check_source
from seq2seq.symbols import EOS
from seq2seq.translation.translator import Translator
from seq2seq.translation.unseen import UnseenInPairs

FORMATS = ("tsv", "json")


def score(config: DictConfig) -> None:
    """Score the pairs of lines of stdin, or the series of a `file`, and write a line of each to stdout."""
    check_source("file", config.file)
    write_lines(score_lines(config, lines_of_stdin()))


def score_lines(config: DictConfig, lines: Iterable[bytes]) -> Iterator[str]:
    """Lines of scores, one for every `source<TAB>target` line, or every series of a `file` and its target.

    Log-probabilities in nats, EOS among them: their sum, how many, and each. Raises UserError at a line without a tab.
    """
    options = read_options(config)
    check_counts(options, buffer=1)
    if options["format"] not in FORMATS:
        raise UserError(f"format must be one of {', '.join(FORMATS)}, but is {options['format']!r}.")
    runs = load_decoding_runs(options)
    found = corpus_in(options, runs[0], {}, "score")
    translator = open_translator(options, lines=options["buffer"], runs=runs)
    if found is not None:
        yield from _of_series(options, translator, *found)
        return
    stream, unseen = enumerate(text_lines(lines, "stdin"), 1), UnseenInPairs(translator.tokenizers)
    while chunk := list(islice(stream, options["buffer"])):
        pairs, mistake = _read(chunk)
        yield from _scored(options, translator, pairs, unseen, first_number=chunk[0][0])
        if mistake is not None:
            raise mistake
    unseen.sum_up()


def _of_series(options: Mapping[str, Any], translator: Translator, corpus: FrameCorpus, path: str) -> Iterator[str]:
    """Lines of scores of the series of a file, and of their targets."""
    with told_as("file"):
        examples = corpus.examples(path)
    pairs, number, unseen = pairs_of(examples), 1, UnseenInPairs(translator.tokenizers)
    while chunk := list(islice(pairs, options["buffer"])):
        yield from _scored(options, translator, chunk, unseen, first_number=number)
        number += len(chunk)
    unseen.sum_up()


def _scored(
    options: Mapping[str, Any],
    translator: Translator,
    pairs: Sequence[tuple[str, str]],
    unseen: UnseenInPairs,
    *,
    first_number: int,
) -> Iterator[str]:
    """Lines of scores of pairs, of which the first has a number; what is unknown of them is counted."""
    sources, texts = [source for source, _ in pairs], [target for _, target in pairs]
    _, targets = translator.tokenizers.encode_pairs(sources, texts)
    unseen.add(sources, texts, targets)
    scored = translator.score(sources, targets, first_number=first_number)
    for source, hypothesis in zip(sources, scored, strict=True):
        yield _written(hypothesis, translator.tokenizers, source, options["format"])


def _read(chunk: list[tuple[int, bytes]]) -> tuple[list[tuple[str, str]], UserError | None]:
    """The pairs up to the first line that holds a mistake, and the mistake, None if there is none."""
    pairs: list[tuple[str, str]] = []
    for number, line in chunk:
        try:
            pairs.append(pair_of_columns(decoded(line), number))
        except UserError as mistake:
            return pairs, mistake
    return pairs, None


def _written(hypothesis: Hypothesis, tokenizers: Tokenizers, source: str, form: str) -> str:
    scores = [round(score, 6) for score in hypothesis.token_scores]
    if form == "tsv":
        return "\t".join([f"{hypothesis.score:.6f}", str(len(scores)), " ".join(map(str, scores))])
    pieces = pieces_of(tokenizers, [*hypothesis.ids, EOS], source)
    return strict_json(
        {"score": round(hypothesis.score, 6), "pieces": pieces, "token_scores": scores}, ensure_ascii=False
    )
