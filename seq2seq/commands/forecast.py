"""Forecast series of a file, as a config says, without Lightning, datasets or torchmetrics."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from seq2seq.config.contract import check_type, read_options
from seq2seq.data.series import ForecastSeries, Series
from seq2seq.data.text_files import told_as
from seq2seq.errors import UserError
from seq2seq.runs.forecaster import open_forecaster
from seq2seq.runs.named_files import writable_file
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.series_corpus import corpus_of
from seq2seq.standard_streams import check_no_output
from seq2seq.whole_file import behind_links, write_whole

_KINDS = (".csv", ".npz")
_READ = (".npz", ".csv", ".parquet")


def forecast(config: DictConfig) -> str:
    """Forecast the series of `file` and return a table of them as CSV; nothing where they are written to `out`."""
    options = read_options(config)
    out = _checked(options)
    runs = load_runs(options)
    forecaster = open_forecaster(options, runs)
    path = str(options["file"])
    corpus = corpus_of(runs[0].config, path)
    with told_as("file"):
        names, read = corpus.named_series(path)
        series = list(read)
    found = forecaster.forecasts(series, options["length"])
    if out is not None and out.suffix == ".npz":
        write_whole(behind_links(out), _arrays(found))
        return ""
    table = "".join(_lines(_names(names, found), [_name(one, path) for one in series], found))
    if out is None:
        return table
    write_whole(behind_links(out), table.encode())
    return ""


def _checked(options: dict[str, Any]) -> Path | None:
    """The path of the file that is to be written, if one is. Raises UserError where it or the one to read is none."""
    if options["file"] is None:
        raise UserError("file must be that of the series to forecast, but is null: give file=series.npz.")
    if Path(str(options["file"])).suffix.lower() not in _READ:
        raise UserError(f"file must be .npz, .csv or .parquet, but is {options['file']}.")
    check_no_output("file", str(options["file"]))
    check_type("out", options["out"], str | None)
    if options["out"] is None:
        return None
    out = Path(options["out"])
    if out.suffix not in _KINDS:
        raise UserError(f"out must be a file in {' or '.join(_KINDS)}, or null for a table on stdout, but is {out}.")
    if not out.parent.is_dir():
        raise UserError(f"out must be in a folder that is there, but {out.parent} is none.")
    if os.path.exists(out) and os.path.exists(options["file"]) and os.path.samefile(out, options["file"]):
        raise UserError(f"out must be another file than file={options['file']}, which is read, but is {out}.")
    return writable_file("out", out)


def _name(series: Series, path: str) -> str:
    return series.place.removeprefix(f"{path}, series ")


def _names(names: Sequence[str], found: Sequence[ForecastSeries]) -> Sequence[str]:
    """Names of the features that are written, as the file has them if it can tell."""
    count = found[0].values.shape[1] if found else 0
    return names if len(names) == count else [f"value_{number}" for number in range(1, count + 1)]


def _lines(names: Sequence[str], series: Sequence[str], found: Sequence[ForecastSeries]) -> Iterator[str]:
    """Lines of CSV, a header first: the series, the step behind its end, means, and deviations if there are any."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    given = bool(found) and found[0].deviations is not None
    writer.writerow(["series", "step", *names, *(f"{name}_deviation" for name in names if given)])
    for name, one in zip(series, found, strict=True):
        parts = [one.values] if one.deviations is None else [one.values, one.deviations]
        for step, row in enumerate(np.concatenate(parts, 1), 1):
            writer.writerow([name, step, *(f"{value:.7g}" for value in row)])
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def _arrays(found: Sequence[ForecastSeries]) -> bytes:
    """The bytes of a file with `frames`, all series one behind the other, `lengths`, and `deviations` if any."""
    arrays: dict[str, Any] = {"lengths": np.array([len(one.values) for one in found])}
    if found:
        arrays["frames"] = np.concatenate([one.values for one in found])
    deviations = [one.deviations for one in found if one.deviations is not None]
    if deviations:
        arrays["deviations"] = np.concatenate(deviations)
    held = io.BytesIO()
    np.savez(held, **arrays)
    return held.getvalue()
