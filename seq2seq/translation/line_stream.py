"""A stream of lines in and lines out, without limit and in constant memory."""

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from seq2seq.data.series import Series
from seq2seq.data.text import Change, changed, decoded
from seq2seq.errors import UserError
from seq2seq.translation.formats import FORMATS, INPUTS, is_request, read_text
from seq2seq.translation.line import Line, Translation
from seq2seq.translation.overlong import Overlong
from seq2seq.translation.tags import behind_tag, check_tag
from seq2seq.translation.translator import Translator
from seq2seq.translation.unseen import Unseen

logger = logging.getLogger(__name__)


class LineStream:
    """Answers lines `buffer` at a time: 1 answers each as it comes, more are sorted by length and faster.

    What the source vocabulary lacks is warned of once, and summed up at the end, as is what the form of text changed.
    A `tag` stands before every source, as it did before those of a corpus that the model was trained on. A `watch` is
    shown the number and best translation, with its attention, of every line after that is answered.
    """

    def __init__(
        self,
        translator: Translator,
        *,
        buffer: int = 4096,
        input: str = "text",
        format: str = "text",
        n_best: int = 1,
        tag: str | None = None,
        watch: Callable[[int, Translation], None] | None = None,
    ) -> None:
        if buffer < 1:
            raise UserError(f"buffer must be at least 1, but is {buffer}.")
        for name, value, known in (("input", input, INPUTS), ("format", format, FORMATS)):
            if value not in known:
                raise UserError(f"{name} must be one of {', '.join(known)}, but is {value!r}.")
        if n_best < 1:
            raise UserError(f"n_best must be at least 1, but is {n_best}.")
        if format == "text" and n_best > 1:
            raise UserError(
                f"n_best must be 1 with format=text, where line i answers line i, but is {n_best}: "
                "use format=tsv or json."
            )
        check_tag(tag, translator.tokenizers.source)
        self.translator = translator
        self.tag = tag
        self.buffer = buffer
        self.read, self.write = INPUTS[input], FORMATS[format]
        self.n_best = n_best
        self.watch = watch
        self.attention = format != "text" or watch is not None

    def __call__(self, lines: Iterable[bytes]) -> Iterator[str]:
        """Texts to write, one for every line. Bytes that are not UTF-8 are replaced.

        Raises UserError at a line that cannot be read, after all before it are answered.
        """
        tokenizer = self.translator.tokenizers.source
        stream, number, unseen, change = iter(lines), 1, Unseen(tokenizer), Change(0)
        overlong = Overlong(self.translator.longest, tokenizer.form)
        while chunk := list(islice(stream, self.buffer)):
            wanted, mistake = self._read(chunk, number)
            if number == 1:
                self._warn_of_request(chunk[0])
            sources = [line.source for line in wanted]
            unseen.add(sources)
            overlong.add(sources)
            change += changed(tokenizer.form, sources)
            yield from self._answers(wanted, number)
            if mistake is not None:
                raise mistake
            number += len(chunk)
        unseen.sum_up()
        overlong.sum_up()
        if change.texts:
            logger.info("text.form=%s changed %s", tokenizer.form.form, change)

    def _warn_of_request(self, line: bytes) -> None:
        if self.read is read_text and is_request(decoded(line)):
            logger.warning(
                "line 1 is a JSON object with source, but is read as the text to translate: add input=json to read its "
                "source"
            )

    def of_series(self, series: Iterable[Series]) -> Iterator[str]:
        """Texts to write, one for every series. Raises UserError at one that the model cannot read, or file."""
        stream, number = iter(series), 1
        while chunk := list(islice(stream, self.buffer)):
            yield from self._answers([Line(one) for one in chunk], number)
            number += len(chunk)

    def _answers(self, lines: list[Line], first: int) -> Iterator[str]:
        """Texts to write for lines, of which the first has a number."""
        found = self.translator.translations(lines, n_best=self.n_best, attention=self.attention, first_number=first)
        for number, (line, translations) in enumerate(zip(lines, found, strict=True), first):
            yield self.write(number, line, translations)
            if self.watch is not None:
                self.watch(number, translations[0])

    def _read(self, chunk: list[bytes], number: int) -> tuple[list[Line], UserError | None]:
        """The lines up to the first that holds a mistake, and the mistake, None if there is none."""
        wanted: list[Line] = []
        for row, line in enumerate(chunk):
            try:
                read = behind_tag(self.tag, self.read(decoded(line), number + row))
                self.translator.check(read, number + row)
            except UserError as mistake:
                return wanted, mistake
            wanted.append(read)
        return wanted, None
