"""Measure the speed of training or decoding on this machine, as a config says."""

import copy
from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

import torch
from omegaconf import DictConfig

from seq2seq.commands.benchmarking.few_steps import conditions, load_data
from seq2seq.commands.benchmarking.vocabularies import benchmark_vocabularies
from seq2seq.commands.building.module import build_module
from seq2seq.commands.building.trainer import choose_threads
from seq2seq.config.choices import read_choices
from seq2seq.config.composition import composed
from seq2seq.config.contract import check, check_counts, check_type, read_options, resolve
from seq2seq.config.job import given_overrides
from seq2seq.errors import UserError
from seq2seq.runs.automatic import nominal
from seq2seq.runs.evaluation import load_sources
from seq2seq.runs.named_runs import decoding_device, load_decoding_runs
from seq2seq.runs.settling import settled_like
from seq2seq.runs.summary import print_memory, print_peers, print_profile, print_rates
from seq2seq.runs.translator import open_translator, runtime_of
from seq2seq.training.speed import benchmark, compare
from seq2seq.translation.speed import benchmark_bulk, benchmark_lines
from seq2seq.translation.translator import Translator

_OWN = ("mode", "rounds", "warmup", "clock", "choices")  # of what the script takes beside options of train.py


def benchmark_config(config: DictConfig) -> dict[str, Any]:
    """Measure what the mode of a config is for and return the report; nothing is written."""
    return _MODES[config["mode"]](config)


def _benchmark_training(config: DictConfig) -> dict[str, Any]:
    """Learn tokenizers, build the model, train it for a few timed steps and return the report."""
    plain = resolve(config)
    check(nominal(plain))
    check_counts(plain, steps=1, warmup=0)
    for name in ("profile", "memory"):
        check_type(name, plain[name], bool)
    plain, data = load_data(plain)
    where = conditions(plain)
    if plain["profile"] and where.device.type != "cpu":
        raise UserError("profile=true times operations of a CPU: add trainer.accelerator=cpu.")
    module = build_module(plain, data)
    choose_threads(plain, module.model, where.device, where.precision)
    where.check_clock()
    counts = {name: plain[name] for name in ("steps", "warmup", "profile", "memory")}
    report = benchmark(module, data, where, **counts)
    if plain["profile"]:
        print_profile(report["profile"])
    if plain["memory"]:
        print_memory(report["memory"])
    return report


def _benchmark_peers(config: DictConfig) -> dict[str, Any]:
    """Train at the size that other toolkits were measured at and return the report, with what was recorded of them."""
    plain = resolve(config)
    check(nominal(plain))
    check_counts(plain, steps=1, warmup=0)
    check_type("recorded_on", plain["recorded_on"], str)
    if not plain["recorded"]:
        raise UserError(
            "recorded must hold at least one speed, but is empty: keep one of those in conf/mode/peers.yaml."
        )
    for name, speed in plain["recorded"].items():
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not speed > 0:
            raise UserError(f"recorded.{name} must be target tokens a second, above 0, but is {speed!r}.")
    plain, data = load_data(plain)
    where = conditions(plain)
    module = build_module(plain, data)
    choose_threads(plain, module.model, where.device, where.precision)
    report = benchmark(module, data, where, steps=plain["steps"], warmup=plain["warmup"])
    report |= {"mode": "peers", "threads": torch.get_num_threads()}
    print_peers(report["target_tokens_per_second"], plain["recorded"], plain["recorded_on"])
    return {**report, "recorded": plain["recorded"], "recorded_on": plain["recorded_on"]}


def _benchmark_cells(config: DictConfig) -> dict[str, Any]:
    """Train the same model with every kind of cell in turn and return the report, with a row of speeds per kind."""
    plains = {str(name): _with_cell(config, kind) for name, kind in config["kinds"].items()}
    if not plains:
        raise UserError("kinds must hold at least one cell, but is empty: keep one of those in conf/kinds/cells.yaml.")
    return {"mode": "cells", **_in_turn(plains, config, "cells")}


def _benchmark_options(config: DictConfig) -> dict[str, Any]:
    """Train the model with each choice of options in turn and return the report, with a row of speeds per choice."""
    shared = [text for text in given_overrides() if text.partition("=")[0] not in _OWN]
    choices = read_choices(config["choices"] or ())
    plains = {name: composed("train", [*shared, *own]) for name, own in choices.items()}
    return {"mode": "options", **_in_turn(plains, config, "options")}


def _in_turn(plains: Mapping[str, dict[str, Any]], config: DictConfig, name: str) -> dict[str, Any]:
    """The part of a report that holds, under a name, a row of speeds per config, trained in turn on one's data."""
    counts = {count: config[count] for count in ("rounds", "warmup")}
    check_counts(counts, rounds=1, warmup=0)
    for plain in plains.values():
        check(nominal(plain))
    first, data = load_data(next(iter(plains.values())))
    modules = {
        own: build_module(settled_like(plain, data.splits, data.tokenizers), data) for own, plain in plains.items()
    }
    where = conditions({**first, "clock": config["clock"]})
    choose_threads(first, next(iter(modules.values())).model, where.device, where.precision)
    where.check_clock()
    rows = compare(modules, data, where, **counts)
    print_rates(rows)
    return {"threads": torch.get_num_threads(), "rounds": counts["rounds"], name: rows}


def _with_cell(config: DictConfig, kind: DictConfig) -> dict[str, Any]:
    own = copy.deepcopy(config)
    own["model"]["cell"] = kind
    return resolve(own)


def _benchmark_decoding(config: DictConfig) -> dict[str, Any]:
    """Translate a run's own sources and return the report.

    In bulk with all threads asked for, then one by one with the products and the number of threads that suit that.
    """
    options = read_options(config)
    check_counts(options, sentences=1, lines=1, repeats=1)
    runs = load_decoding_runs(options)
    name, texts = load_sources(runs[0], options["file"], options["split"])
    if not texts:
        raise UserError(f"{name} must hold a source that is not empty: give file=lines.txt or another split.")
    texts = list(islice(cycle(texts), options["sentences"]))
    device = decoding_device(options, runs)
    precisions = dict.fromkeys(run.precision(options["precision"], device) for run in runs)  # auto is each run's own
    threads = torch.get_num_threads()
    translator = open_translator(options, runs=runs)
    bulk = {**benchmark_bulk(translator, texts, repeats=options["repeats"]), **_by(translator)}
    torch.set_num_threads(threads)
    alone = open_translator(options, lines=1)  # of the runs once more: their products were made for bulk
    single = benchmark_lines(alone, texts[: options["lines"]])
    return {
        "mode": "decode",
        "data": name,
        "sentences": len(texts),
        "decoding": options["decoding"]["_target_"].rpartition(".")[2],
        "width": translator.search.width,
        "batch_size": options["batch_size"],
        "precision": ", ".join(precisions),
        **bulk,
        "milliseconds_per_line": {**single, **_by(alone)},
    }


def _by(translator: Translator) -> dict[str, Any]:
    return {"threads": torch.get_num_threads(), "runtime": runtime_of(translator)}


_MODES = {
    "train": _benchmark_training,
    "cells": _benchmark_cells,
    "options": _benchmark_options,
    "peers": _benchmark_peers,
    "decode": _benchmark_decoding,
    "vocabulary": benchmark_vocabularies,
}
