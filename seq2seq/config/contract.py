"""Checks of a config, with the constructor's signature as the schema: every node is checked against its target."""

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, is_typeddict

from beartype import BeartypeConf
from beartype.door import is_bearable
from omegaconf import DictConfig, OmegaConf

from seq2seq.config import task_name  # noqa: F401  (for references in conf/)
from seq2seq.config.closed_table import find
from seq2seq.config.experiments import without_replaced
from seq2seq.config.job import given_overrides
from seq2seq.config.moved import new_name
from seq2seq.config.optimizer_bounds import check_bounds
from seq2seq.config.own_classes import without_leftovers
from seq2seq.config.places import CONF
from seq2seq.config.reserved import refusal
from seq2seq.config.signatures import CONTROL, parameters
from seq2seq.errors import UserError, check_finite, shown

PLAIN = (dict, list, str, int, float, bool, type(None))
_SIZES = ("embedding_size", "hidden_size", "feature_size", "num_layers")  # of which torch has its own ideas below 1
_MOST_LAYERS = 1000  # each is an object, even before it has weights
_LARGEST_SEED = (1 << 32) - 1  # of NumPy
_ROWS = (Sequence, Iterable, Collection, list)
_TOWER = BeartypeConf(is_pep484_tower=True)  # an int is a float where a float is wanted


def plain(config: Any) -> dict[str, Any]:
    """The config in plain types, every reference resolved. Raises OmegaConf's error at a value that is missing."""
    container = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return {str(key): value for key, value in cast(dict[str, Any], container).items()}


_OFF = (None, "auto")


def resolve(config: DictConfig, overrides: Sequence[str] | None = None) -> dict[str, Any]:
    """The config of a script in plain types, resolved, without what concerns one invocation alone.

    Parts that are chosen for the model, such as `model.cell`, have been copied to the sides that refer to them.
    Overrides are those that it was composed with, the job's own unless given: a class that they put in the place of
    another leaves out options of that one, and a choice in the place of an experiment's what that gave it.
    """
    given = given_overrides() if overrides is None else overrides
    resolved = plain(without_leftovers(without_replaced(config, given), given))
    for key in ("run_dir", "resume", "from", "find_lr", "lr_finder", "trust"):  # no file may say whom to trust
        resolved.pop(key, None)
    model = resolved["model"]
    sides = [side for side in config.model.values() if isinstance(side, DictConfig)]
    for part in [key for key in model if (CONF / "model" / key).is_dir() and any(key in side for side in sides)]:
        del model[part]
    if model.get("ngrams", _OFF[0]) in _OFF:  # of an input without tokens
        model.pop("ngrams", None)
    return resolved


def read_options(config: DictConfig) -> dict[str, Any]:
    """The options of a script's config, checked, in plain types."""
    options = plain(without_leftovers(config, given_overrides()))
    check({**options, "pieces": {**options["pieces"], "function": None}} if "pieces" in options else options)
    return options


def check(config: Mapping[str, Any], path: str = "") -> None:
    """Check every node with a `_target_` against what that takes.

    Raises UserError at the first key that its target does not take, or value of another type than declared.
    """
    for name, node in targets(config, path):
        check_node(name, node)


def check_node(name: str, node: Mapping[str, Any]) -> Callable[..., Any]:
    """The target of a node, whose own keys and values have been checked.

    Raises UserError at a target that is not in the table, a key that it does not take, or a value of another type.
    """
    target = find(node["_target_"], name)
    known = parameters(target)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in known.values())
    for key, value in node.items():
        if key in CONTROL:
            continue
        if renamed := new_name(f"{name}.{key}"):
            raise UserError(f"{name}.{key} is not an option any more: did you mean {renamed}?")
        if refused := refusal(f"{name}.{key}"):
            raise UserError(refused)
        if key in known:
            check_type(f"{name}.{key}", value, known[key].annotation)
            if key in _SIZES and type(value) is int and value < 1:
                raise UserError(f"{name}.{key} must be at least 1, but is {value}.")
            if key == "num_layers" and type(value) is int and value > _MOST_LAYERS:
                raise UserError(f"{name}.{key} must be at most {_MOST_LAYERS}, but is {value}: give fewer layers.")
        elif not open_ended:
            raise UserError(
                f"{name}.{key} is not an option of {node['_target_']}: it takes {', '.join(known) or 'none'}."
            )
    if node["_target_"].startswith("torch.optim."):
        check_bounds(name, node)
    return target


def check_plain(name: str, value: Any) -> None:
    """Check that a value is one that YAML has, whatever it holds. Raises UserError at any other, and at a reference."""
    if type(value) not in PLAIN:
        raise UserError(f"{name} must be a plain value of a config, but is of type {type(value).__name__}.")
    if type(value) is str and "${" in value:
        raise UserError(f"{name} must be a value that refers to no other, but is {value!r}.")
    if type(value) is dict and not all(type(key) is str for key in value):
        raise UserError(f"{name} must have texts as keys, but has {list(value)!r}.")


def targets(config: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Nodes with a `_target_`, each behind its dotted path."""
    if isinstance(config, Mapping):
        if "_target_" in config:
            yield path, config
        for key, value in config.items():
            yield from targets(value, f"{path}.{key}" if path else str(key))
    elif isinstance(config, list):
        for index, value in enumerate(config):
            yield from targets(value, f"{path}[{index}]")


def check_type(name: str, value: Any, annotation: Any) -> None:
    """Check the type of a value; a node's own value is not looked at.

    Raises UserError if it is of another type than declared, and at a number that is not finite.
    """
    check_finite(**{name: value})
    if annotation is inspect.Parameter.empty or isinstance(annotation, str):
        return
    if isinstance(value, Mapping) and not value.keys() & {*CONTROL} and _is_built(annotation):
        raise UserError(f"{name} must have a class, whose options these are, but is {shown(value)}: choose one first.")
    if isinstance(value, Mapping) and ("_target_" in value or not _is_plain(annotation)):
        return  # a node, or a table of them
    if not _fits(value, annotation):
        if isinstance(value, str) and _fits([value], annotation):
            raise UserError(f"{name} must be a list, but is {value!r}: write [{value}].")
        wanted = annotation.__name__ if isinstance(annotation, type) else str(annotation)
        wanted = wanted.replace("collections.abc.", "").replace(" | torch.Tensor", "")  # which no config can hold
        several = isinstance(value, list) and value and all(_fits(one, annotation) for one in value)
        raise UserError(f"{name} must be {wanted}, but is {shown(value)}{': give one of them' if several else ''}.")


def check_options(schema: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Check options that a constructor takes under their own names.

    Raises UserError if one is of another type than there.
    """
    for name, parameter in inspect.signature(schema).parameters.items():
        if name in options:
            check_type(name, options[name], parameter.annotation)


def check_counts(options: Mapping[str, Any], **least: int) -> None:
    """Check that options are whole numbers, each at least as high as it must be.

    Raises UserError at the first that is not.
    """
    for name, bound in least.items():
        if type(options[name]) is not int or options[name] < bound:
            raise UserError(f"{name} must be a whole number of at least {bound}, but is {options[name]!r}.")


def check_seed(options: Mapping[str, Any], seeds: int = 1) -> None:
    """Check that `seed`, the first of so many that follow each other, is one that every generator takes.

    Raises UserError if not.
    """
    seed, most = options["seed"], _LARGEST_SEED - (seeds - 1)
    if type(seed) is not int or not 0 <= seed <= most:
        raise UserError(f"seed must be a whole number from 0 to {most}, but is {seed!r}.")


def check_limit(options: Mapping[str, Any]) -> None:
    """Check that `limit` is null, which is all, or a whole number of at least 1. Raises UserError if not."""
    if options["limit"] is not None:
        check_counts(options, limit=1)


def check_distinct(name: str, values: Iterable[Any]) -> None:
    """Check that an option has each of its values once. Raises UserError at the first that comes twice."""
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise UserError(f"{name} must have each once, but has {value} twice: leave one out.")
        seen.add(value)


def _is_built(annotation: Any) -> bool:
    """Tell whether a type is a class of this package, or what makes one: no mapping is, but one that names a class."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return all(kind is NoneType or _is_own(get_origin(kind) or kind) for kind in kinds)


def _is_own(kind: Any) -> bool:
    if kind is Callable:
        return True
    return isinstance(kind, type) and kind.__module__.startswith("seq2seq.") and not is_typeddict(kind)


def _is_plain(annotation: Any) -> bool:
    """Tell whether a type is one of numbers, texts and switches alone, none of which a mapping can be."""
    inner = [one for one in get_args(annotation) if one is not ...]
    return all(map(_is_plain, inner)) if inner else annotation in PLAIN[2:]


def _takes_switch(annotation: Any) -> bool:
    return (
        annotation in (bool, object, Any)
        or isinstance(annotation, bool)
        or any(map(_takes_switch, get_args(annotation)))
    )


def _fits(value: Any, annotation: Any) -> bool:
    """Tell whether a value is of a type, in all its items; a text is no sequence of texts, a list may be a tuple."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin in _ROWS or (origin is tuple and inner[-1:] == (...,)):
        return isinstance(value, list | tuple) and all(_fits(item, inner[0]) for item in value)
    if origin is tuple:
        same = isinstance(value, list | tuple) and len(value) == len(inner)
        return same and all(map(_fits, value, inner))
    if type(value) is bool and not _takes_switch(annotation):  # Python's bool is an int
        return False
    return any(is_bearable(form, annotation, conf=_TOWER) for form in (value, _as_tuple(value)))


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
