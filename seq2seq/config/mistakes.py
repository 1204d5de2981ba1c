"""Mistakes of users that Hydra, OmegaConf or the system raise, told in one line as our own are."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeGuard

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from seq2seq.config.invocation import choice_of, invocation
from seq2seq.config.options import example, nearest, unknown
from seq2seq.config.places import CONF
from seq2seq.config.signs import needs_plus
from seq2seq.errors import DivergedError, UserError

# Metrics by the names of their scores, and by what others call these.
_SCORES = {
    **dict.fromkeys(("bleu", "chrf", "chrf++", "ter", "sacrebleu"), ("translation",)),
    **dict.fromkeys(("wer", "per"), ("pronunciation",)),
    **dict.fromkeys(("cer", "edit_distance", "levenshtein"), ("characters",)),
    **dict.fromkeys(("em", "exact"), ("exact_match",)),
    **dict.fromkeys(("accuracy", "acc"), ("exact_match", "classes")),
    **dict.fromkeys(("f1", "macro_f1"), ("classes",)),
    **dict.fromkeys(("ppl", "loss"), ("perplexity",)),
    **dict.fromkeys(("mae", "rmse", "mse", "crps"), ("forecast",)),
}


@contextmanager
def in_one_line() -> Iterator[None]:
    """Raise mistakes that users make as UserError, or DivergedError, alone and without what led to it."""
    try:
        yield
    except (UserError, HydraException, OmegaConfBaseException) as error:
        kind = DivergedError if isinstance(error, DivergedError) else UserError
        raise kind(one_line(error)) from None


def one_line(error: BaseException) -> str:
    """The line that tells a user of an error."""
    mistake = find(error, UserError)
    if mistake is not None:
        return str(mistake)
    text = str(error)
    if is_of_system(error):
        return _of_the_system(error)
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} must be given, for example {example(str(error.full_key))}"
    if isinstance(error, OverrideParseException):
        return f"The override {error.override!r} cannot be read: {' '.join(text.split())}"
    if group_name := re.search(r"Could not override '?([\w/]+)'?\.\s*No match in the defaults list", text):
        return _unmatched(group_name[1])
    if key := re.search(r"Could not override '([^']+)'", text):
        return needs_plus(key[1]) or unknown(key[1])
    if choice := re.search(r"Could not find '([^']+)'", text):
        options = re.findall(r"^\t(\S+)$", text, flags=re.MULTILINE)
        return _no_option(choice[1], options)
    if plugin := re.search(r"In 'hydra/launcher/(\w+)': Could not load 'hydra/launcher/([a-z]+)", text):
        library = f"hydra-{plugin[2]}-launcher"
        return f"hydra/launcher={plugin[1]} needs the library {library}: pip install -e '.[{plugin[2]}]'."
    if listed := re.search(r"Could not load '([^']+)'\.$", text.split("\n")[0]):
        group = listed[1].rpartition("/")[0]
        return _no_option(listed[1], sorted(path.stem for path in (CONF / group).glob("*.yaml")))
    return " ".join(text.split("\n")[0].split())


def _of_the_system(error: OSError) -> str:
    """The line on what the system refused, or in the words of a library that has its own."""
    if has_own_words(error):
        return " ".join((error.strerror or str(error)).split())
    place = "The output" if error.filename is None else str(error.filename)
    return f"{place} cannot be read or written: {error.strerror}: check path, permissions and space."


def _no_option(chosen: str, options: Sequence[str]) -> str:
    """The line on a choice, `GROUP/NAME`, that a group does not have."""
    group, _, name = chosen.rpartition("/")
    if chosen.partition("/")[0] == "data" and (file := _of_file(chosen.partition("/")[2])):
        return f"data={file} is no kind of data: did you mean data={kind_of_file(file)} data.train={file}?"
    scored = _SCORES.get(name.casefold(), ()) if group == "metrics" else ()
    close = scored or [near for near in (nearest(name, options),) if near]
    meant = _of_other_groups(name) or [choice_of(group, near) for near in close]
    hint = f": did you mean {' or '.join(meant)}?" if meant else "."
    return f"The option {choice_of(group, name)} does not exist{hint} There are {', '.join(options)}."


def _of_file(name: str) -> str:
    """The name where it is one of a file; nothing where it is a word alone."""
    return name if "/" in name or "." in name else ""


def kind_of_file(name: str) -> str:
    """The option of data= that reads a file of this name."""
    endings = {".json": "json", ".jsonl": "json", ".parquet": "parquet"}
    return next((kind for ending, kind in endings.items() if f"{ending}." in f"{name.lower()}."), "tsv")


def _of_other_groups(name: str) -> list[str]:
    """The choices of that very name in a group of parts of models, where there are any."""
    if name == "none":
        return []  # of which many groups have one
    found = [path.parent.relative_to(CONF) for path in (CONF / "model").rglob("*.yaml") if path.stem == name]
    return sorted(choice_of(str(group), name) for group in found)


def _unmatched(group: str) -> str:
    """The line on a group of which the model has no part: the user chose an option of it, or another option did."""
    given = invocation().arguments
    model = next((text for text in reversed(given) if text.startswith("model=")), None)
    if model is None or any(re.split("[=@]", text)[0] == group for text in given):
        return unknown(group)
    if model == "model=language_model":
        return f"{model} needs settings that suit running text: write experiment=language_model in its place."
    chooser = next((text for text in reversed(given) if text.startswith("experiment=")), "sizing=auto")
    return f"{model} has no {group}, which {chooser} chooses: leave one of them out."


def is_of_system(error: BaseException) -> TypeGuard[OSError]:
    """Tell whether the operating system refused something; some of Hydra's errors are an OSError, too."""
    return isinstance(error, OSError) and not isinstance(error, HydraException)


def has_own_words(error: OSError) -> bool:
    """Tell whether a library says in words of its own what it lacks, such as a folder for temporary files."""
    system = error.errno is not None and error.strerror == os.strerror(error.errno)
    return error.filename is None and not system and bool(str(error))


def find(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The first exception of a kind in a chain, None without one; Hydra wraps what constructors raise."""
    seen: set[int] = set()  # an exception that a thread keeps and raises again can be in its own chain
    while error is not None and id(error) not in seen:
        if isinstance(error, kind):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
