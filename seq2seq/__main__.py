"""The command `seq2seq`: seq2seq train|translate|evaluate|... [overrides], each the script of that name."""

import seq2seq.early_interrupt  # noqa: F401, I001  before what takes long to load
import difflib
import runpy
import sys

import seq2seq
from seq2seq.config.command_line import mistakes_in_one_line
from seq2seq.config.completion import complete
from seq2seq.config.places import SCRIPTS


def main() -> None:
    """Run the script that the first argument names with the others; exit with code 2 and one line at any other name."""
    scripts = sorted(SCRIPTS.glob("*.py"))
    names = [path.stem for path in scripts]
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print("seq2seq COMMAND [key=value ...]; its options: seq2seq COMMAND --help")
        print('words complete in bash, zsh and fish: eval "$(seq2seq -sc install=bash)"')
        print(f"commands: {', '.join(names)}")
    elif name == "--version":
        print(f"seq2seq {seq2seq.__version__}")
    elif name in ("-sc", "--shell-completion"):
        with mistakes_in_one_line():
            complete(" ".join(arguments), scripts)
    elif name in names:
        sys.argv[:] = [str(SCRIPTS / f"{name}.py"), *arguments]
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}."
        print(f"error: {name} is no command: {hint}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
