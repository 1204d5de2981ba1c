"""Series of a file, for a command that reads lines of text where there is none."""

from collections.abc import Mapping
from typing import Any

from seq2seq.config.contract import check_type
from seq2seq.data.corpora.frame_files import FrameCorpus
from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.text_files import check_readable, told_as
from seq2seq.errors import UserError
from seq2seq.runs.run import DecodingRun
from seq2seq.runs.series_corpus import corpus_of
from seq2seq.runs.translator import refuse_forecasters


def corpus_in(
    options: Mapping[str, Any], run: DecodingRun, usual: Mapping[str, Any], what: str
) -> tuple[FrameCorpus, str] | None:
    """The corpus that reads the `file` of options, and its path; None of a run that reads lines of text from stdin.

    Raises UserError, naming the command, where there is a file and the run reads text, or the other way round, at an
    option that is not as usual, which is for lines, and at a run that writes frames. A path at which nothing is to be
    read is told here, too, as a corpus may open it only at its first series.
    """
    check_type("file", options["file"], str | None)
    refuse_forecasters(options, [run])
    reads_series = isinstance(run.tokenizers.source, FrameReader)
    if (path := options["file"]) is None:
        if reads_series:
            raise UserError(
                f"{what} reads lines of text without a file, but run={options['run']} reads frames: give "
                "file=series.npz, .csv, .parquet or one such as its data."
            )
        return None
    if not reads_series:
        raise UserError(
            f"file must be null with run={options['run']}, which reads lines of text from stdin, but is {path}."
        )
    for name, value in usual.items():
        if options[name] != value:
            shown = "none" if value is None else value
            raise UserError(f"{name} must be {shown} with a file of series, which is for lines of text.")
    with told_as("file"):
        check_readable(path)
        return corpus_of(run.config, path), path
