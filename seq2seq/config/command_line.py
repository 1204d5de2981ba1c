"""Run a script: a user's mistake becomes one line on stderr and exit code 2."""

import difflib
import errno
import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeGuard, cast

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seq2seq.config.moved import new_name
from seq2seq.config.overrides import added_key, one_value, readable, resuming, sweep_into, switched_on
from seq2seq.config.reserved import refusal
from seq2seq.errors import UserError

CONF = Path(__file__).parents[2] / "conf"
_failed_jobs: list[str] = []  # of a sweep
_OPEN = ("callbacks", "metrics", "kinds", "model")  # tables of parts that may get more of them


def run(main: Callable[[], None]) -> None:
    """Call a script's Hydra main; a user's mistake ends it with one line and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("seq2seq").setLevel(logging.INFO)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing
    _write_utf8()
    _failed_jobs.clear()
    with mistakes_in_one_line(), _flushed():
        sys.argv[1:] = _readable(sys.argv[1:])
        main()
    if _failed_jobs:
        sys.exit(2)


@contextmanager
def _flushed() -> Iterator[None]:
    """Write out what stdout holds at the end, where a disk that is full or a reader that is gone can be told."""
    if sys.stdout is None:
        raise UserError("stdout is closed: leave it open, or write it to a file with > FILE.")
    try:
        yield
    finally:
        sys.stdout.flush()


def _write_utf8() -> None:
    """Write UTF-8 whatever the locale is; a name that is no text comes out of stdout as the bytes that it is."""
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _readable(arguments: list[str]) -> list[str]:
    """Arguments in the form that Hydra reads. Raises UserError at one with several values in a plain run."""
    multirun = bool({"-m", "--multirun"} & set(arguments))
    found = [readable(argument, multirun=multirun) for argument in arguments]
    if Path(sys.argv[0]).stem == "train" and "resume" in map(switched_on, found):
        if multirun:
            raise UserError("resume=true continues one run: leave out --multirun.")
        return resuming(found)
    if multirun:
        found = [sweep_into(argument) for argument in found]
    _refuse_unknown([key for argument in found if (key := added_key(argument))])
    if multirun or not any("," in argument for argument in found):
        return found
    return [one_value(argument, _defaults()) if "," in argument else argument for argument in found]


def _refuse_unknown(added: list[str]) -> None:
    """Raise UserError at a key that is added where nothing reads it: at the top of the config, or in a table of it."""
    if not added:
        return
    known = _defaults()
    for key in added:
        top, _, name = key.partition(".")
        table = known.get(top)
        closed = isinstance(table, dict) and name and "_target_" not in table and top not in _OPEN
        if (top not in known and not (CONF / top).is_dir()) or (closed and key not in known and "." not in name):
            raise UserError(_unknown(key))


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
        if _of_system(error):
            if error.filename is None and error.errno != errno.ENOSPC:
                raise  # of no path or stream that a user can name
            if error.filename is None:
                _discard_output()
        job = _job_of_sweep()
        print(f"error: {job}{_one_line(error)}", file=sys.stderr)
        if not job:
            sys.exit(2)
        _failed_jobs.append(job)
    except KeyboardInterrupt:
        sys.exit(130)


def _job_of_sweep() -> str:
    """The number and the own overrides of the job that runs in a sweep; nothing outside of one."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return ""
    hydra = HydraConfig.get()
    own = [text for text in hydra.overrides.task if text not in sys.argv]
    return f"job {hydra.job.num} ({', '.join(own)}): "


def lines_of_stdin() -> Iterable[bytes]:
    """The lines of stdin, as bytes. Raises UserError if it is closed."""
    if sys.stdin is None:
        raise UserError("stdin is closed: give lines with < FILE, or by a pipe.")
    return sys.stdin.buffer


def write_lines(lines: Iterable[str]) -> None:
    """Write each line to stdout, whole and at once.

    Where nobody reads on, or at Ctrl-C, the output ends after a whole line.
    """
    try:
        for line in lines:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()


def _discard_output() -> None:
    """Send all that stdout still holds nowhere, lest Python complains when it closes it."""
    with suppress(io.UnsupportedOperation):  # a stream of Python alone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(error: BaseException) -> str:
    mistake = _find(error, UserError)
    if mistake is not None:
        return str(mistake)
    text = str(error)
    if _of_system(error):
        place = "The output" if error.filename is None else str(error.filename)
        return f"{place} cannot be read or written: {error.strerror}: check path, permissions and space."
    if isinstance(error, OverrideParseException):
        return f"The override {error.override!r} cannot be read: {' '.join(text.split())}"
    if key := re.search(r"Could not override '([^']+)'", text):
        return _unknown(key[1])
    if choice := re.search(r"Could not find '([^']+)'", text):
        options = re.findall(r"^\t(\S+)$", text, flags=re.MULTILINE)
        group, _, name = choice[1].rpartition("/")
        close = difflib.get_close_matches(name, options, n=1)
        hint = f": did you mean {group}={close[0]}?" if close else "."
        return f"The option {group}={name} does not exist{hint} There are {', '.join(options)}."
    if group_name := re.search(r"Could not override '?([\w/]+)'?\.\s*No match in the defaults list", text):
        return _unknown(group_name[1])
    return " ".join(text.split("\n")[0].split())


def _of_system(error: BaseException) -> TypeGuard[OSError]:
    """Tell whether the operating system refused something; some of Hydra's errors are an OSError, too."""
    return isinstance(error, OSError) and not isinstance(error, HydraException)


def _find(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The first exception of a kind in a chain, None without one; Hydra wraps what constructors raise."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _unknown(name: str) -> str:
    """The line that tells of an option or group that the config lacks, and what to do about it."""
    if refused := refusal(name):
        return refused
    if renamed := new_name(name):
        return f"The option {name!r} does not exist: did you mean {renamed!r}?"
    if owners := _owners(name):
        return f"The option {name!r} needs {' or '.join(owners)}."
    return f"The option {name!r} does not exist{did_you_mean(name, _known_keys())}"


def _owners(name: str) -> list[str]:
    """Options of a key's group, written as a user chooses them, that have such a key or part."""
    group, _, key = name.replace(".", "/").rpartition("/")
    part = re.compile(rf"^{re.escape(key)}:|^defaults:.*[\[ ]{re.escape(key)}:", re.MULTILINE)
    files = sorted((CONF / group).glob("*.yaml")) if group else []
    return [f"{group}={path.stem}" for path in files if part.search(path.read_text(encoding="utf-8"))]


def did_you_mean(name: str, known: list[str]) -> str:
    """The end of a sentence: `: did you mean ...?`, or where to look.

    Dotted names are compared whole, then by their last and first part.
    """
    last = {key.rpartition(".")[2]: key for key in known}
    for part, keys in (
        (name, {key: key for key in known}),
        (name.rpartition(".")[2], last),
        (name.partition(".")[0], {key: key for key in known if "." not in key}),
    ):
        if close := difflib.get_close_matches(part, list(keys), n=1, cutoff=0.75):
            return f": did you mean {keys[close[0]]!r}?"
    return ": --help shows what there is."


def _known_keys() -> list[str]:
    """The dotted keys of the script's config, with the options that were chosen, and all groups of conf/."""
    groups = [str(folder.relative_to(CONF)) for folder in CONF.rglob("*") if folder.is_dir()]
    return [*_defaults(), *groups]


def _defaults() -> dict[str, Any]:
    """Values of the script's config by dotted key, with the options that were chosen and nothing else changed."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    chosen = [text for text in sys.argv[1:] if (CONF / text.partition("=")[0]).is_dir()]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            config = compose(Path(sys.argv[0]).stem, chosen)
        except HydraException:  # one of them is another mistake
            config = compose(Path(sys.argv[0]).stem)
    return flat(cast(dict[Any, Any], OmegaConf.to_container(config)))


def flat(config: dict[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Values of a config by dotted key, tables among them."""
    found = {}
    for key, value in config.items():
        found[f"{prefix}{key}"] = value
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
    return found
