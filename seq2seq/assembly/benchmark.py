"""A config to the speed of training or decoding on this machine."""

from itertools import cycle, islice
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from seq2seq.assembly.contract import check, check_counts, resolve
from seq2seq.assembly.evaluation import load_sources
from seq2seq.assembly.inference import build_translator, load_runs, read_options
from seq2seq.assembly.run import pick_device
from seq2seq.assembly.threads import set_threads
from seq2seq.assembly.training import build_module
from seq2seq.decoding.benchmark import benchmark_bulk, benchmark_lines
from seq2seq.errors import UserError
from seq2seq.training.benchmark import benchmark
from seq2seq.training.precision import resolve_precision


def benchmark_config(config: DictConfig) -> dict[str, Any]:
    """The report of the mode that a config is for; nothing is written."""
    return _MODES[config["mode"]](config)


def _benchmark_training(config: DictConfig) -> dict[str, Any]:
    """Learn tokenizers, build the model and train it for a few timed steps."""
    plain = resolve(config)
    check(plain)
    check_counts(plain, steps=1, warmup=0)
    torch.set_flush_denormal(True)
    torch.manual_seed(plain["seed"])
    accelerator = plain["trainer"]["accelerator"]
    splits = instantiate(plain["data"]).load()
    tokenizers = instantiate(plain["tokenizer"]).train(splits.train)
    data = instantiate(plain["batches"])(splits=splits, tokenizers=tokenizers)
    return benchmark(
        build_module(plain, data),
        data,
        precision=resolve_precision(plain["precision"], accelerator),
        device=pick_device({"gpu": "cuda"}.get(accelerator, accelerator)),
        steps=plain["steps"],
        warmup=plain["warmup"],
        gradient_clip_val=plain["trainer"]["gradient_clip_val"],
    )


def _benchmark_decoding(config: DictConfig) -> dict[str, Any]:
    """Translate a run's own sources, in bulk with all threads asked for, then one by one with those that suit that."""
    options = read_options(config)
    check_counts(options, sentences=1, lines=1, repeats=1)
    runs = load_runs(options)
    name, texts = load_sources(runs[0], options["file"], options["split"] or "dev")
    if not texts:
        raise UserError(f"{name} must hold a source that is not empty: give file=lines.txt or another split.")
    texts = list(islice(cycle(texts), options["sentences"]))
    translator = build_translator(options, runs)
    threads = torch.get_num_threads()
    set_threads(options["threads"], translator, lines=options["batch_size"])
    bulk = {**benchmark_bulk(translator, texts, repeats=options["repeats"]), "threads": torch.get_num_threads()}
    torch.set_num_threads(threads)
    set_threads(options["threads"], translator, lines=1)
    single = benchmark_lines(translator, texts[: options["lines"]])
    return {
        "mode": "decode",
        "data": name,
        "sentences": len(texts),
        "decoding": options["decoding"]["_target_"].rpartition(".")[2],
        "width": translator.search.width,
        "batch_size": options["batch_size"],
        "precision": options["precision"],
        **bulk,
        "milliseconds_per_line": {**single, "threads": torch.get_num_threads()},
    }


_MODES = {"train": _benchmark_training, "decode": _benchmark_decoding}
