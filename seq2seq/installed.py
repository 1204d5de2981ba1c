"""Libraries that may be installed, or not."""

import importlib.util


def is_installed(library: str) -> bool:
    """Tell whether a library can be imported: a folder of its name alone, as of data or logs, is none."""
    found = importlib.util.find_spec(library)
    return found is not None and found.origin is not None
