"""The console that tables are printed on, for whoever watches."""

from rich.console import Console

_WIDTH = 100  # columns that tables of numbers take; a narrower window would fold them


def watching_console(width: int = _WIDTH) -> Console:
    """The console of stderr, of at least a width: a file, or a narrow window, gets whole lines."""
    console = Console(highlight=False, stderr=True)
    console.width = max(console.width, width)
    return console
