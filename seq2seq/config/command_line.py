"""Run a script: a user's mistake becomes one line on stderr and exit code 2, or 3 where training failed."""

import errno
import io
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

import seq2seq
from seq2seq.config.arguments import readable_arguments
from seq2seq.config.help import help_text
from seq2seq.config.invocation import owning_process
from seq2seq.config.mistakes import find, has_own_words, is_of_system, one_line
from seq2seq.config.options import did_you_mean
from seq2seq.config.run_mode import mode_known
from seq2seq.config.sweep import Job, current_job
from seq2seq.errors import UserError, printable
from seq2seq.ranks import first_process, forget_no_numbers
from seq2seq.standard_streams import check_input, check_output, fill_closed, waiting_streams

_failed_jobs: list[Job] = []  # of a sweep
# What a device answers while it is written to or read: of no path, but nothing of ours, either.
_OF_DEVICES = ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "ENXIO", "ENODEV", "ESTALE", "EMFILE", "ENFILE", "ENOMEM")
_DEVICES = {getattr(errno, name) for name in _OF_DEVICES if hasattr(errno, name)}


class _Lossy(io.FileIO):
    """A stream that loses what cannot be written: no run ends because nobody can read what it says."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def run(main: Callable[[], None], end: Callable[[], Iterable[str]] = tuple) -> None:
    """Call a script's Hydra main, and write the lines that `end` returns, after all jobs of a sweep.

    A user's mistake ends the script with one line and exit code 2; diverged training, and memory that is not enough for
    a batch, with 3.
    """
    _say_what_can_be_said()
    fill_closed()
    forget_no_numbers()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("seq2seq").setLevel(logging.INFO if _speaks() else logging.ERROR)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing
    _write_utf8()
    _failed_jobs.clear()
    with owning_process(), waiting_streams(), mistakes_in_one_line(), _flushed():
        _catch_interrupts()
        if "--version" in sys.argv:
            print(f"seq2seq {seq2seq.__version__}")
            return
        if {"-h", "--help"} & set(sys.argv):
            print(help_text(Path(sys.argv[0]).stem))
            return
        _refuse_nowhere()
        _refuse_words(sys.argv[1:])
        sys.argv[1:] = readable_arguments(_flags_first(sys.argv[1:]))
        with mode_known(sys.argv[1:]):
            main()
        write_lines(end())
    if _failed_jobs:
        sys.exit(2)


def _catch_interrupts() -> None:
    """Have Ctrl-C raise KeyboardInterrupt, in a script that left that to be while it was loaded."""
    from seq2seq.early_interrupt import catch_interrupts  # not above: who imports it gives Ctrl-C up

    catch_interrupts()


def _speaks() -> bool:
    """Tell whether this process says what is wrong: of several that train, the first does, which makes the same
    mistakes; those of training are told by guards. Others are alone, whatever a job has left in the environment.
    """
    return first_process() or Path(sys.argv[0]).stem != "train"


@contextmanager
def _flushed() -> Iterator[None]:
    """Write out what stdout holds at the end, where a disk that is full or a reader that is gone can be told."""
    check_output()
    try:
        yield
    except BaseException:
        try:
            sys.stdout.flush()
        except OSError:  # what ends the script is told, and not this besides
            _discard_output()
        raise
    sys.stdout.flush()


def _say_what_can_be_said() -> None:
    """Lose what stderr cannot take: it may be closed, full, or a pipe that nobody reads."""
    stream = sys.stderr
    if stream is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  for as long as the process
    elif isinstance(stream, io.TextIOWrapper) and stream is sys.__stderr__:
        raw = _Lossy(stream.fileno(), "wb", closefd=False)
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", line_buffering=True)


def _write_utf8() -> None:
    """Write UTF-8 whatever the locale is; a name that is no text comes out of stdout as the bytes that it is."""
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _refuse_nowhere() -> None:
    """Raise UserError where the folder that a command was started in is gone: every path is read from there."""
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(f"The working folder cannot be used: {error.strerror}: change to one that is there.") from None


def _refuse_words(arguments: Sequence[str]) -> None:
    """Raise UserError at an argument that is neither key=value nor a flag of Hydra."""
    with suppress(SystemExit):  # what argparse refuses, it will refuse to Hydra too
        known, flags = get_args_parser().parse_known_intermixed_args(list(arguments))
        for text in [*flags, *known.overrides]:
            key = text.partition("=")[0].lstrip("-")
            if text in flags and text.startswith("-"):
                raise UserError(f"{text} is no option: options are key=value without dashes{did_you_mean(key)}")
            if "=" not in text.lstrip("~") and not text.startswith("~") or text.startswith("="):
                raise UserError(
                    f"{text} is no option: options are key=value without spaces, as in seed=2; --help shows them."
                )


def _flags_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with flags, and the values of these, before the options: Hydra reads none behind a flag."""
    with suppress(SystemExit):  # what argparse refuses, it will refuse to Hydra too
        known, _ = get_args_parser().parse_known_intermixed_args(list(arguments))
        flags = list(arguments)
        for text in known.overrides:
            flags.remove(text)
        return [*flags, *known.overrides]
    return list(arguments)


@contextmanager
def mistakes_in_one_line() -> Iterator[None]:
    """Exit with code 2 and one line at a user's mistake. Used inside a job too, lest Hydra adds a line of its own.

    A job of a sweep that fails is told by number and overrides, and the next one runs.
    """
    try:
        yield
    except BrokenPipeError:
        _discard_output()
        sys.exit(0)
    except (UserError, HydraException, OmegaConfBaseException, OSError) as error:
        if is_of_system(error):
            if error.filename is None and error.errno not in _DEVICES and not has_own_words(error):
                raise  # of no path or stream that a user can name
            if error.filename is None and not has_own_words(error):
                _discard_output()
        job = current_job()
        if _speaks():
            print(printable(f"error: {f'{job}: ' if job else ''}{one_line(error)}"), file=sys.stderr)
        if job is None:
            sys.exit(getattr(find(error, UserError), "exit_code", UserError.exit_code))
        _failed_jobs.append(job)
    except KeyboardInterrupt:
        sys.exit(130)


def lines_of_stdin() -> Iterator[bytes]:
    """The lines of stdin, as bytes. Raises UserError, once the first is asked for, if they cannot be read."""
    check_input()
    yield from sys.stdin.buffer


def chunks_of_stdin() -> Iterator[bytes]:
    """Bytes of stdin, in chunks as they come. Raises UserError, once the first is asked for, if they cannot be read."""
    check_input()
    stream = sys.stdin.buffer
    assert isinstance(stream, io.BufferedReader)
    yield from iter(stream.read1, b"")


def write_lines(lines: Iterable[str]) -> None:
    """Write each line to stdout, whole and at once.

    Where nobody reads on, or at Ctrl-C, the output ends after a whole line.
    """
    write_parts(f"{line}\n" for line in lines)


def write_parts(parts: Iterable[str]) -> None:
    """Write each part of a text to stdout at once, until nobody reads on."""
    try:
        for part in parts:
            sys.stdout.write(part)
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()


def _discard_output() -> None:
    """Send all that stdout still holds nowhere, lest Python complains when it closes it."""
    with suppress(io.UnsupportedOperation):  # a stream of Python alone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
