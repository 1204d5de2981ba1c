"""Score pairs of lines: what a run gives to the second line after the first."""

from collections.abc import Iterable, Iterator
from itertools import islice

from omegaconf import DictConfig

from seq2seq.config.contract import check_counts, read_options
from seq2seq.data.copied_pieces import pieces_of
from seq2seq.data.pair_lines import pair_of_columns
from seq2seq.data.text import decoded
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError
from seq2seq.finite import strict_json
from seq2seq.runs.of_frames import refuse_frames
from seq2seq.runs.translator import open_translator
from seq2seq.symbols import EOS

FORMATS = ("tsv", "json")


def score_lines(config: DictConfig, lines: Iterable[bytes]) -> Iterator[str]:
    """Lines of scores, one for every `source<TAB>target` line.

    Log-probabilities in nats, EOS among them: their sum, how many, and each. Raises UserError at a line without a tab.
    """
    options = read_options(config)
    check_counts(options, buffer=1)
    if options["format"] not in FORMATS:
        raise UserError(f"format must be one of {', '.join(FORMATS)}, but is {options['format']!r}.")
    translator = open_translator(options, lines=options["buffer"])
    refuse_frames(translator.tokenizers, options["run"], "score")
    tokenizers, stream = translator.tokenizers, enumerate(lines, 1)
    while chunk := list(islice(stream, options["buffer"])):
        pairs, mistake = _read(chunk)
        sources = [source for source, _ in pairs]
        _, targets = tokenizers.encode_pairs(sources, [target for _, target in pairs])
        scored = translator.score(sources, targets, first_number=chunk[0][0])
        for source, hypothesis in zip(sources, scored, strict=True):
            yield _written(hypothesis, tokenizers, source, options["format"])
        if mistake is not None:
            raise mistake


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
