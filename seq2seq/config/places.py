"""Paths of conf/ and scripts/: in the package where it is installed, beside it in a clone."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
INSTALLED = (_PACKAGE / "conf").is_dir()
_HOME = _PACKAGE if INSTALLED else _PACKAGE.parent
CONF, SCRIPTS = _HOME / "conf", _HOME / "scripts"
