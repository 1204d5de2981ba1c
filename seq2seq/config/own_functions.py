"""Functions of the user's own that a config names by package and name."""

from collections.abc import Callable
from inspect import isfunction
from typing import Any

from hydra.utils import get_object

from seq2seq.config.closed_table import trusted
from seq2seq.errors import UserError


def own_function(name: str, option: str) -> Callable[..., Any]:
    """The function of a dotted name, in a package that the command was told to trust; `option` is where it is named.

    Raises UserError, before anything is imported, at a package that is not trusted, and where there is no such
    function.
    """
    package = name.partition(".")[0]
    if package not in trusted():
        raise UserError(
            f"{option} must be of packages that are trusted, but has {name}: if it is of your own code, add "
            f"trust=[{package}]."
        )
    try:
        found = get_object(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{option} has {name}, which cannot be found: {str(error).splitlines()[0]}") from None
    if not isfunction(found) or found.__module__.partition(".")[0] != package:
        raise UserError(f"{option} must name functions of {package} itself, but {name} is none.")
    return found
