"""Names of classes and options in configs written before, and what they are called now."""

from typing import Any

from seq2seq.config.reserved import without_reserved

# Classes by the paths that they had before.
_TARGETS = {
    "pytorch_lightning.callbacks.EarlyStopping": "seq2seq.training.callbacks.early_stopping.EarlyStopping",
    "pytorch_lightning.loggers.CSVLogger": "seq2seq.training.csv_logger.CSVLogger",
    "pytorch_lightning.strategies.DDPStrategy": "seq2seq.training.processes.Processes",
    "seq2seq.decoding.beam.BeamSearch": "seq2seq.decoding.search.beam.BeamSearch",
    "seq2seq.decoding.diverse_beam.DiverseBeamSearch": "seq2seq.decoding.search.diverse_beam.DiverseBeamSearch",
    "seq2seq.decoding.greedy.GreedySearch": "seq2seq.decoding.search.greedy.GreedySearch",
    "seq2seq.decoding.sampling.Sampling": "seq2seq.decoding.search.sampling.Sampling",
    "seq2seq.layers.output.FullOutput": "seq2seq.layers.output.full.FullOutput",
    "seq2seq.layers.output.TiedOutput": "seq2seq.layers.output.tied.TiedOutput",
    "seq2seq.training.callbacks.health.HealthRecord": "seq2seq.training.callbacks.curve_record.CurveRecord",
    "seq2seq.training.callbacks.memory.Memory": "seq2seq.training.callbacks.peak_memory.PeakMemory",
    "seq2seq.training.losses.CrossEntropy": "seq2seq.training.objectives.cross_entropy.CrossEntropy",
}

# Options by the names that they had before.
_RENAMED = {
    "objective.coverage": "objective.coverage_loss",
    "decoding.coverage": "decoding.coverage_penalty",
    "callbacks.health": "callbacks.curves",
    "trainer.gradient_clip_val": "gradients.max_norm",
    "trainer.gradient_clip_algorithm": "gradients",
}

# Options that are new, by class, with the values by which earlier configs keep their meaning.
_BEFORE: dict[Any, dict[str, Any]] = {
    "seq2seq.data.corpora.csv_frames.CSVFrameCorpus": {"unnamed": True},
    "seq2seq.data.corpora.hub.DatasetsCorpus": {"in_order": True},
    "seq2seq.data.corpora.parquet_frames.ParquetFrameCorpus": {"unnamed": True},
    "seq2seq.layers.embedding.NGramEmbedding": {"mixed": False},
    "seq2seq.training.gradients.noise.AnnealedNoise": {"relative": False},
}

# Names of loggers, of which there was one.
_LOGGERS = {
    "pytorch_lightning.loggers.TensorBoardLogger": "tensorboard",
    "seq2seq.training.csv_logger.CSVLogger": "csv",
}

_CLIP_BY_NORM = "seq2seq.training.gradients.clip_by_norm.ClipByNorm"
_ENCODER, _TOKENS = "seq2seq.models.encoder.Encoder", "seq2seq.layers.inputs.tokens.TokenInput"


_LATER: dict[str, Any] = {
    "augmentation": None,
    "segmentation": None,
    "curriculum": None,
    "batch_growth": None,
    "distill": None,
    "references": "each",
    "init": None,
    "rehearsal": 0.0,
    "freeze": [],
    "freeze_steps": None,
    "rates": None,
    "truncation": None,
    "carry": None,
}


def new_name(option: str) -> str | None:
    """The present name of an option that was renamed, itself or with the part that it is in; None if it was not."""
    for old, new in _RENAMED.items():
        if option == old or option.startswith(f"{old}."):
            return new + option.removeprefix(old)
    return None


def up_to_date(config: dict[str, Any]) -> dict[str, Any]:
    """A plain config as this version would have written it."""
    found = _with_moved_targets(config)
    _rename_options(found)
    if "data" in found:  # text was taken as it came, but for the ends; that makes no difference to its tokenizers
        found.setdefault("text", {"_target_": "seq2seq.data.text.TextForm", "form": "nfc"})
    fed = found.get("scheduled_sampling")
    if isinstance(fed, dict) and "sample" in fed:
        fed["feed"] = "sample" if fed.pop("sample") else "argmax"
    if "budget" in found:
        _complete_training(found)
    if "averaging" in found:
        found["averaging"] = _of_its_kind(found["averaging"])
    board = found.get("logger")
    if isinstance(board, dict) and "_target_" in board:
        found["logger"] = {_LOGGERS.get(str(board["_target_"]), "own"): board}
    if isinstance(found.get("trainer"), dict):
        found["trainer"] = without_reserved(found["trainer"])
        _take_clipping(found, found["trainer"])
    return found


def _rename_options(found: dict[str, Any]) -> None:
    """Give options that stay in their group the names that they have now."""
    for old, new in _RENAMED.items():
        group, name = old.split(".")
        if new.startswith(f"{group}.") and isinstance(found.get(group), dict) and name in found[group]:
            found[group][new.removeprefix(f"{group}.")] = found[group].pop(name)


def _take_clipping(found: dict[str, Any], trainer: dict[str, Any]) -> None:
    """Take the limit of gradients out of the trainer, where that still had it."""
    if "gradients" in found:
        return
    trainer.pop("gradient_clip_algorithm", None)  # it did nothing: the norm was clipped
    limit = trainer.pop("gradient_clip_val", None)
    found["gradients"] = None if limit is None else {"_target_": _CLIP_BY_NORM, "max_norm": float(limit)}


def _complete_training(found: dict[str, Any]) -> None:
    """Add what training was told without a word, and take what changed nothing."""
    found.setdefault("matmul_precision", "highest")
    found.setdefault("threads", "auto")
    found.setdefault("gradient_noise", None)
    found.setdefault("pruning", None)
    found.setdefault("on_divergence", "stop")
    found.setdefault("max_rollbacks", 3)
    found.setdefault(
        "saving",
        {"_target_": "seq2seq.training.saving.CheckpointPolicy", "keep": ["best", "last"], "every_minutes": 10.0},
    )
    for name, value in _LATER.items():
        found.setdefault(name, value)
    optimizer = found.get("optimizer")
    decays = isinstance(optimizer, dict) and "weight_decay" in optimizer
    muon = decays and str(found["optimizer"].get("_target_")).endswith(".MuonWithAdamW")
    found.setdefault("decay_all", decays and not muon)  # it was for all, as muon's is without a word
    if found["on_divergence"] == "stop":
        found["max_rollbacks"] = 3


def _of_its_kind(averaging: Any) -> Any:
    """The options of an average without those that other kinds have, which changed nothing."""
    if not isinstance(averaging, dict):
        return averaging
    kind = averaging.get("kind", "ema")
    others = (() if kind == "ema" else ("decay",)) + (() if kind == "triggered" else ("monitor", "mode"))
    return {name: None if name in others else value for name, value in averaging.items()}


def _with_moved_targets(config: Any) -> Any:
    if isinstance(config, dict):
        found = {
            key: _TARGETS.get(value, value)
            if key == "_target_" and isinstance(value, str)
            else _with_moved_targets(value)
            for key, value in config.items()
        }
        if found.get("_target_") == _ENCODER and "input" not in found:  # it was told of its tokens itself
            own = {name: found.pop(name) for name in ("ngrams", "front_end") if name in found}
            found["input"] = {"_target_": _TOKENS, "_partial_": True, **own}
        missing = _BEFORE.get(str(found.get("_target_")), {})
        return found | {key: value for key, value in missing.items() if key not in found}
    return [_with_moved_targets(value) for value in config] if isinstance(config, list) else config
