"""Run a script: a user's mistake becomes one line on stderr and exit code 2."""

import difflib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seq2seq.config.moved import new_name
from seq2seq.errors import UserError

CONF = Path(__file__).parents[2] / "conf"


def run(main: Callable[[], None]) -> None:
    """Call a script's Hydra main; a user's mistake ends it with one line and exit code 2, diverged training with 3."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("seq2seq").setLevel(logging.INFO)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing
    with mistakes_in_one_line():
        main()


@contextmanager
def mistakes_in_one_line() -> Iterator[None]:
    """Exit with code 2 and one line at a user's mistake. Used inside a job too, lest Hydra adds a line of its own."""
    try:
        yield
    except (UserError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        sys.exit(getattr(_find(error, UserError), "exit_code", UserError.exit_code))
    except KeyboardInterrupt:
        sys.exit(130)


def write_lines(lines: Iterable[str]) -> None:
    """Write each line to stdout, whole and at once.

    Where nobody reads on, or at Ctrl-C, the output ends after a whole line.
    """
    try:
        for line in lines:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # lest Python complains when it closes stdout


def _one_line(error: BaseException) -> str:
    mistake = _find(error, UserError)
    if mistake is not None:
        return str(mistake)
    text = str(error)
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


def _find(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The first exception of a kind in a chain, None without one; Hydra wraps what constructors raise."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _unknown(name: str) -> str:
    """The line that tells of an option or group that the config lacks, and what to do about it."""
    if renamed := new_name(name):
        return f"The option {name!r} does not exist: did you mean {renamed!r}?"
    if owners := _owners(name):
        return f"The option {name!r} needs {' or '.join(owners)}."
    return f"The option {name!r} does not exist{_did_you_mean(name, _known_keys())}"


def _owners(name: str) -> list[str]:
    """Options of a key's group, written as a user chooses them, that have such a key or part."""
    group, _, key = name.replace(".", "/").rpartition("/")
    part = re.compile(rf"^{re.escape(key)}:|^defaults:.*[\[ ]{re.escape(key)}:", re.MULTILINE)
    files = sorted((CONF / group).glob("*.yaml")) if group else []
    return [f"{group}={path.stem}" for path in files if part.search(path.read_text(encoding="utf-8"))]


def _did_you_mean(name: str, known: list[str]) -> str:
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
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    chosen = [text for text in sys.argv[1:] if (CONF / text.partition("=")[0]).is_dir()]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            config = compose(Path(sys.argv[0]).stem, chosen)
        except HydraException:  # one of them is another mistake
            config = compose(Path(sys.argv[0]).stem)
    groups = [str(folder.relative_to(CONF)) for folder in CONF.rglob("*") if folder.is_dir()]
    keys = _keys(cast(dict[Any, Any], OmegaConf.to_container(config)))
    return [*keys, *groups]


def _keys(config: dict[Any, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in config.items():
        found.append(f"{prefix}{key}")
        if isinstance(value, dict):
            found += _keys(value, f"{prefix}{key}.")
    return found
