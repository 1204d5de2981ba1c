"""The options that a script has, and what is said of those that it has not."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from hydra import compose
from hydra.errors import HydraException
from omegaconf import OmegaConf

from seq2seq.config.composing import composing
from seq2seq.config.invocation import choice_of, invocation, is_called, spelled
from seq2seq.config.moved import new_name
from seq2seq.config.other_words import MEANT, needless
from seq2seq.config.own_classes import TABLES, class_to_add, given_targets
from seq2seq.config.places import CONF
from seq2seq.config.reserved import refusal
from seq2seq.errors import UserError

_STREAMS = ("file", "output")  # as people call what a filter reads and writes
_FILTERS = ("translate",)


def refuse_unknown(added: Sequence[str]) -> None:
    """Raise UserError at a key that is added where nothing reads it: at the top of the config, or in a table of it."""
    if not added:
        return
    known = defaults()
    for key in added:
        if _has_no_place(key, known):
            raise UserError(unknown(key))


def _has_no_place(key: str, known: Mapping[str, Any]) -> bool:
    """Tell whether nothing would read a key that is added: at the top, in a closed table, in a part that is not there.

    A part is there by its option of a group, or by a class that is given.
    """
    top, _, name = key.partition(".")
    entry, _, inner = name.partition(".")
    table = known.get(top)
    if top not in known:
        return not (CONF / top).is_dir()
    if top in TABLES:
        part = f"{top}.{entry}"  # where it is no choice, it is a run's
        return top in choices() and bool(inner) and not known.get(part) and part not in _given_parts()
    if table is None and (CONF / top).is_dir():
        return bool(name) and top not in _given_parts()
    closed = isinstance(table, dict) and "_target_" not in table and top != "model"  # which takes more parts
    return closed and bool(name) and key not in known and not inner


def _given_parts() -> set[str]:
    return set(given_targets(invocation().arguments))


def unknown(name: str) -> str:
    """The line that tells of an option or group that the config lacks, and what to do about it."""
    if refused := refusal(name):
        return refused
    if renamed := new_name(name):
        return f"The option {spelled(name)!r} does not exist: did you mean {spelled(renamed)!r}?"
    if sentence := class_to_add(name, invocation().arguments, defaults()):
        return sentence
    if owners := _parts_that_take(name):
        return f"The option {spelled(name)!r} needs {' or '.join(owners)}."
    if name in _STREAMS and invocation().script in _FILTERS:
        return f"The option {name!r} does not exist: lines are read from stdin and answered on stdout, by < IN > OUT."
    advice = (invocation().script == "train" and needless(name)) or _needing_a_choice(name) or did_you_mean(name)
    return f"The option {spelled(name)!r} does not exist{advice}"


def _needing_a_choice(name: str) -> str:
    """The end of a sentence on a word that means an option which other choices have; nothing where it means none."""
    meant = MEANT.get(name.rpartition(".")[2].casefold(), ())
    if _known_elsewhere(name, _known_keys()):
        return ""
    found = ((key, _parts_that_take(key)) for key in meant)
    return next((f": did you mean {spelled(key)!r}, which needs {' or '.join(own)}?" for key, own in found if own), "")


def _parts_that_take(name: str) -> list[str]:
    """Options of a key's group, written as a user chooses them, that have such a key or part; else of a group above."""
    first, *others = name.replace(".", "/").split("/")
    if first not in choices() and first not in null_by_default():  # another script may have more groups
        return []
    for depth in reversed(range(len(others))):
        group, key = "/".join([first, *others[:depth]]), others[depth:]
        files = sorted((CONF / group).glob("*.yaml"))
        if found := [choice_of(group, path.stem) for path in files if _has(path, key)]:
            return found
    return []


def _has(path: Path, key: Sequence[str]) -> bool:
    """Tell whether a file of conf/ has a key, given by its parts, or, of one part, a group of such a name."""
    if len(key) == 1:
        part = re.compile(rf"^{re.escape(key[0])}:|^defaults:.*[\[ ]{re.escape(key[0])}:", re.MULTILINE)
        return part.search(path.read_text(encoding="utf-8")) is not None
    found = OmegaConf.to_container(OmegaConf.load(path))
    return isinstance(found, dict) and ".".join(key) in flat(found)


def did_you_mean(name: str, known: Sequence[str] | None = None) -> str:
    """The end of a sentence: `: did you mean ...?`, or where to look.

    Words of others for an option come first. Dotted names are compared whole, then by their last and first part.
    """
    known = _known_keys() if known is None else known
    if meant := _known_elsewhere(name, known) or _nearest_key(name, known):
        return f": did you mean {spelled(meant)!r}?"
    first, _, part = name.partition(".")
    own = [key.removeprefix(f"{first}.") for key in known if part and key.startswith(f"{first}.")]
    names = [name for name in own if "." not in name and not name.startswith("_")]
    if names:
        return f": {first} has {', '.join(names)}."
    if is_called():
        keywords = sorted({key for key in known if re.fullmatch("[a-z_]+", key)})
        return f": {invocation().script} takes {', '.join(keywords)}."
    return ": --help shows what there is."


def _known_elsewhere(name: str, known: Sequence[str]) -> str | None:
    """The option that a word means to those who know it from elsewhere; None if it is no such word."""
    word = name.rpartition(".")[2].casefold()
    return next((key for key in MEANT.get(word, ()) if key in known and key != name), None)


def _nearest_key(name: str, known: Sequence[str]) -> str | None:
    """The option whose name is most like another: whole, by its last part, by its first; None if none is."""
    first, _, part = name.partition(".")
    last = {key.rpartition(".")[2]: key for key in known}
    for text, keys in (
        (name, {key: key for key in known}),
        (name.rpartition(".")[2], last),
        (first, {key: key for key in known if "." not in key and (key != first or not part)}),
    ):
        if close := nearest(text, keys, cutoff=0.75):
            return keys[close]
    return None


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name of those known that is most like another, in letters of any size; None if none is."""
    small = {own.casefold(): own for own in known}
    close = difflib.get_close_matches(name.casefold(), list(small), n=1, cutoff=cutoff)
    return small[close[0]] if close else None


def _known_keys() -> list[str]:
    """The dotted keys of the script's config, with the options that were chosen, and its groups, that can be given."""
    refused = invocation().refused
    return [key for key in (*defaults(), *choices()) if key.partition(".")[0] not in refused]


def defaults() -> dict[str, Any]:
    """Values of the script's config by dotted key, with the options that were chosen and nothing else changed."""
    return _values(*_chosen())


def values_under(script: str, chosen: Mapping[str, str]) -> dict[str, Any]:
    """Values of a script's config by dotted key, with options of those of its groups that are named."""
    known = _composed(script)["hydra"]["runtime"]["choices"]
    return _values(script, *(f"{group}={option}" for group, option in chosen.items() if group in known))


def _values(script: str, *chosen: str) -> dict[str, Any]:
    return flat({key: value for key, value in _composed(script, *chosen).items() if key != "hydra"})


def choices() -> dict[str, str]:
    """The groups of the script's config, each with the option that it is at."""
    chosen = _composed(*_chosen())["hydra"]["runtime"]["choices"]
    return {
        group: option
        for group, option in chosen.items()
        if option and not group.startswith("hydra") and "@" not in group
    }


def mode_by_config() -> Any:
    """Hydra's mode as the script's config has it, with the options that were chosen; None leaves it to flags."""
    return _composed(*_chosen())["hydra"]["mode"]


def null_by_default() -> set[str]:
    """Groups that the script has no option of unless one is chosen."""
    script: Any = OmegaConf.load(CONF / f"{invocation().script}.yaml")
    entries = script.get("defaults", [])
    return {str(key) for entry in entries if not isinstance(entry, str) for key, own in entry.items() if own is None}


def _chosen() -> list[str]:
    """The name of the script, and the arguments that choose an option of a group."""
    called = invocation()
    given = (text.partition("=") for text in called.arguments)
    chosen = ((key, value) for key, _, value in given if (CONF / key).is_dir() and value != "null")
    return [called.script, *(f"{key}={value}" for key, value in chosen if value[:1] not in ("", "{"))]


@cache
def _composed(script: str, *chosen: str) -> dict[Any, Any]:
    with composing():
        try:
            config = compose(script, list(chosen), return_hydra_config=True)
        except HydraException:  # one of them is another mistake
            config = compose(script, return_hydra_config=True)
    return cast(dict[Any, Any], OmegaConf.to_container(config))


def flat(config: dict[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Values of a config by dotted key, tables among them."""
    found = {}
    for key, value in config.items():
        found[f"{prefix}{key}"] = value
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
    return found


def example(key: str) -> str:
    """The example of a value that the comments of conf/ give for a key, those of the chosen options before others."""
    group = key.rpartition(".")[0].replace(".", "/")
    chosen = CONF / group / f"{choices().get(group)}.yaml"
    for path in (chosen, CONF / f"{invocation().script}.yaml", *sorted((CONF / group).glob("*.yaml"))):
        comments = re.findall(r"^# .*", path.read_text(encoding="utf-8"), re.MULTILINE) if path.is_file() else []
        if found := re.search(rf"(?<![\w.]){re.escape(key)}=(?:\"[^\"]*\"|[^\s\"]+)", "\n".join(comments)):
            return found[0].partition("|")[0]  # the first of alternatives: a shell would take the bar for a pipe
    return f"{key}=..."
