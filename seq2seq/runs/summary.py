"""Tables of results, for whoever watches."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.config.closed_table import trusted
from seq2seq.config.overrides import command, override
from seq2seq.data.examples import Example
from seq2seq.data.series import Series
from seq2seq.errors import printable
from seq2seq.installed import is_installed
from seq2seq.metrics.units import with_unit
from seq2seq.training.time_left import duration

_SAMPLES = 10
_FORECAST = (".npz", ".csv", ".parquet")  # endings of files that `forecast.py` reads


def print_report(
    record: dict[str, Any],
    examples: Sequence[Example],
    hypotheses: Sequence[str],
    data: Mapping[str, Any],
    folder: Path,
    scripts: Path,
) -> None:
    """Print a table of scores, ten samples, what the run cost, what looks wrong, where it is, and what to do next.

    All of it goes to stdout, as the run's result. What to do next is with files of the run's own data.
    """
    console = Console(highlight=False)
    samples = Table(title=f"samples of {record['split']}")
    for name in ("source", "output", "reference", ""):
        samples.add_column(name)
    stride = max(1, len(examples) // _SAMPLES)
    for example, hypothesis in list(zip(examples, hypotheses, strict=True))[::stride][:_SAMPLES]:
        right = "ok" if hypothesis in example.targets else ""
        samples.add_row(
            *(Text(printable(text)) for text in (example.source, hypothesis, " / ".join(example.targets))), right
        )
    shown = bool(hypotheses) and not isinstance(hypotheses[0], Series)  # of which a name would say nothing
    console.print(*([samples] if shown else []), _scores(record))
    if "cost" in record:
        print(cost_line(**record["cost"]))
    for remark in record.get("remarks", []):
        print(remark)
    minutes = record["training_seconds"] / 60
    print(f"best checkpoint: step {record['step']}; trained {minutes:.1f} minutes; run folder: {folder}\n")
    print("next:")
    for line in _next_commands(examples, data, folder, scripts):
        print(f"  {line}")


def _scores(record: dict[str, Any]) -> Table:
    """The scores of the split that is reported, and of all of dev beside it."""
    table = Table()
    table.add_column(with_unit("scores", *record["scores"]))
    for name in record["scores"]:
        table.add_column(name, justify="right")
    rows = {record["split"]: record} | ({"dev": record["dev"]} if "dev" in record else {})
    for split, row in rows.items():
        table.add_row(f"{split}, {row['sentences']:,} examples", *_rounded(row["scores"]))
    if "fine_tuning" in record:
        table.add_section()
        for name, scores in record["fine_tuning"]["scores"].items():
            for when, row in scores.items():
                table.add_row(Text(f"{name}, {when} fine-tuning"), *_rounded(row))
    return table


def _rounded(scores: Mapping[str, float]) -> Iterator[str]:
    return (f"{value:.2f}" if abs(value) >= 1 or value == 0 else f"{value:.3g}" for value in scores.values())


def cost_line(steps: int, seconds: Mapping[str, float]) -> str:
    """The steps of a run, the time, and the share of each part of it in percent."""
    total = sum(seconds.values())
    shares = ", ".join(f"{name} {100 * own / max(total, 1e-9):.0f} %" for name, own in seconds.items())
    return f"cost: {steps:,} steps in {duration(total)}: {shares}"


def _next_commands(examples: Sequence[Example], data: Mapping[str, Any], folder: Path, scripts: Path) -> Iterator[str]:
    """The commands that look at a run, each to be pasted as it is."""
    told = [f"trust={trusted()[0]}" if len(trusted()) == 1 else f"trust=[{','.join(trusted())}]"] if trusted() else []
    run = [override("run", str(folder)), *told]
    if any(isinstance(target, Series) for one in examples[:1] for target in one.targets):
        yield command(f"{scripts}/forecast.py", [*run, override("file", _series_file(data))])
    framed = any(isinstance(one.source, Series) for one in examples)
    text = next((one.source for one in examples if one.source.strip() and one.source.isprintable()), "text")
    if not framed:  # which no line of text is
        # echo takes a dash for an option of its own, and in some shells a backslash for a sign.
        writes = "echo" if not text.startswith("-") and "\\" not in text else "printf '%s\\n'"
        yield f"{writes} {shlex.quote(text)} | {command(f'{scripts}/translate.py', run)}"
    yield command(f"{scripts}/evaluate.py", run)
    if any(folder.glob("tensorboard/**/events.out.tfevents.*")):
        yield f"tensorboard --logdir {shlex.quote(str(folder))}"
    elif examples and not framed and is_installed("captum"):
        yield command(f"{scripts}/interpret.py", [*run, override("text", text)])


def _series_file(data: Mapping[str, Any]) -> str:
    """The path of a file of data whose series can be forecast, test before others; or a name, where there is none."""
    paths = [str(data[name]) for name in ("test", "dev", "train") if name in data and data[name]]
    found = (path for path in paths if Path(path).suffix.lower() in _FORECAST and Path(path).is_file())
    return next(found, "series.npz")


def print_rates(rows: Sequence[dict[str, Any]]) -> None:
    """Print the speeds of all rows beside each other, as a table on stderr."""
    table = Table(title="training speed, median of steps taken in turn")
    for name in ("", "target tokens/s", "of the first", "parameters"):
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        speed, share = f"{row['target_tokens_per_second']:,}", f"{row['share_of_first']:.0%}"
        table.add_row(Text(row["name"]), speed, share, f"{row['parameters']:,}")
    Console(highlight=False, stderr=True).print(table)


def print_peers(speed: int, recorded: Mapping[str, int | float], recorded_on: str) -> None:
    """Print a speed measured now and those recorded before, as shares of the first of these, as a table on stderr."""
    table = Table(title="training speed at one model size", min_width=40)
    for name in ("", "target tokens/s", "of the first recorded", "measured"):
        table.add_column(name, justify="left" if name in ("", "measured") else "right")
    table.add_row("this framework", f"{speed:,.0f}", "", "here and now", end_section=True)
    first = next(iter(recorded.values()))
    for name, known in recorded.items():
        table.add_row(name.replace("_", " "), f"{known:,.0f}", f"{known / first:.0%}", recorded_on)
    Console(highlight=False, stderr=True).print(table)


def print_profile(rows: Sequence[dict[str, Any]]) -> None:
    """Print what a training step's time goes into, as a table on stderr."""
    table = Table(title="a training step, by kind of operation")
    for name in ("", "calls", "ms", "share", "GFLOP/s", "GB/s"):
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        rates = (f"{row[name]:,.0f}" if row[name] else "" for name in ("gflop_per_second", "gbyte_per_second"))
        table.add_row(row["kind"], f"{row['calls']:,}", f"{row['milliseconds']:.2f}", f"{row['share']:.1%}", *rates)
    Console(highlight=False, stderr=True).print(table)


def print_memory(record: Mapping[str, Any]) -> None:
    """Print what a training step's memory is for, as a table on stderr."""
    sentences, source, target = (record[name] for name in ("sentences", "source_length", "target_length"))
    title = f"memory of a step on {sentences} sentences, {source} to {target} tokens"
    table = Table(title=title, min_width=len(title))
    for name in ("", "MB"):
        table.add_column(name, justify="right" if name else "left")
    for name, megabytes in record["megabytes"].items():
        table.add_row(name, f"{megabytes:,.2f}", end_section=name == "gradients")
    Console(highlight=False, stderr=True).print(table)


def print_comparison(record: dict[str, Any]) -> None:
    """Print the scores of compared runs, their mean and deviation, and the differences, as tables on stderr."""
    names = list(record["mean"])
    examples = with_unit(f"{record['sentences']} examples", *names)
    scores = Table(title=Text(f"scores on {record['data']} ({examples})"))
    scores.add_column("", overflow="fold")
    for name in names:
        scores.add_column(name, justify="right")
    for run in record["runs"]:
        scores.add_row(
            Text(run["run"]), *(_with_interval(run["scores"][n], run.get("intervals", {}).get(n)) for n in names)
        )
    scores.add_section()
    for row in ("mean", "deviation"):
        scores.add_row(row, *_rounded({name: record[row][name] for name in names}))
    tests = Table(title=Text(f"differences from {record['runs'][0]['run']}"))
    for name in ("", "score", "difference", "p, bootstrap", "p, randomization"):
        tests.add_column(name, justify="left" if name in ("", "score") else "right", overflow="fold")
    for other in record["differences"]:
        for name, found in other["scores"].items():
            p_values = [f"{found[p]:.4f}" if p in found else "" for p in ("bootstrap_p", "randomization_p")]
            difference = _with_interval(found["difference"], found.get("interval"), sign="+")
            tests.add_row(Text(other["run"]), name, difference, *p_values)
    Console(highlight=False, stderr=True).print(scores, tests)


def _with_interval(value: float, interval: Sequence[float] | None, sign: str = "") -> str:
    ends = f" ({interval[0]:{sign}.2f} to {interval[1]:{sign}.2f})" if interval else ""
    return f"{value:{sign}.2f}{ends}"


def print_vocabularies(rows: Sequence[dict[str, Any]]) -> None:
    """Print what outputs cost at sizes of the vocabulary, as a table on stderr."""
    table = Table(title="a training step by output and vocabulary")
    for name in ("vocabulary", "output", "parameters", "seconds", "of processor", "MB at peak, beside", "MB held"):
        table.add_column(name, justify="left" if name == "output" else "right")
    for row in rows:
        names = ("seconds_per_step", "processor_seconds_per_step", "megabytes_at_peak", "megabytes_held")
        numbers = (f"{row[name]:,.3f}" if row[name] < 10 else f"{row[name]:,.0f}" for name in names)
        table.add_row(f"{row['vocabulary']:,}", row["output"], f"{row['parameters']:,}", *numbers)
    Console(highlight=False, stderr=True).print(table)
