"""The command `seq2seq`: seq2seq train|translate|evaluate|... [overrides], each the script of that name."""

import difflib
import runpy
import sys

import seq2seq
from seq2seq.config.places import SCRIPTS


def main() -> None:
    """Run the script that the first argument names with the others; exit with code 2 and one line at any other name."""
    names = sorted(path.stem for path in SCRIPTS.glob("*.py"))
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(f"seq2seq COMMAND [key=value ...]; its options: seq2seq COMMAND --help\ncommands: {', '.join(names)}")
    elif name == "--version":
        print(f"seq2seq {seq2seq.__version__}")
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
