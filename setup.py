"""Takes conf/ and scripts/ into a wheel; all else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithScripts(build_py):
    """A build with the folders that lie beside the package in a clone; an editable install finds them there."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for folder in ("conf", "scripts"):
                target = Path(self.build_lib, "seq2seq", folder)
                shutil.copytree(folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": WithScripts})
