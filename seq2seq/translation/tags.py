"""Tags that stand before the sources of a part of a mixture."""

from dataclasses import replace

from seq2seq.data.corpus_mix import tagged
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.text import check_whole
from seq2seq.data.tokenizers import Tokenizer
from seq2seq.errors import UserError
from seq2seq.translation.line import Line


def check_tag(tag: str | None, source: Tokenizer) -> None:
    """Raise UserError at a tag that is no piece of a model's source vocabulary."""
    check_whole(tag or "", "tag")
    if tag is not None and isinstance(source, FrameReader):
        raise UserError(f"tag must be none with a model that reads frames, but is {tag!r}: leave it out.")
    if tag is not None and not source.ids(tag):
        raise UserError(f"tag must be a piece of the model's source vocabulary, but {tag!r} is none: leave it out.")


def behind_tag(tag: str | None, line: Line) -> Line:
    """The line with a tag before its source, if there is one; an empty one stays so."""
    return replace(line, source=tagged(tag, line.source)) if tag and line.source.strip() else line
