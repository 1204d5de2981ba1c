"""Checkpoints: what makes one whole, and how one is read that may be damaged, foreign or forged."""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq.config.contract import check_plain
from seq2seq.config.moved import up_to_date
from seq2seq.data.examples import Splits
from seq2seq.data.splitting import Fingerprint, fingerprints
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.drift.spread import Spread
from seq2seq.errors import UserError
from seq2seq.finite import listed, not_finite
from seq2seq.models.earlier_names import with_present_names
from seq2seq.runs.compact_weights import check_compact, with_wide_weights
from seq2seq.runs.known_data import check_signals, check_splits
from seq2seq.whole_file import write_whole

FORMAT = 3  # raised whenever what is written changes; 2 had no digests and did not know its splits
COMPACT = 4  # that of weights in fewer bits, which earlier versions do not widen
_READABLE = (2, FORMAT, COMPACT)
_SCHEMA = {"config": dict, "tokenizers": dict, "weights": dict, "global_step": int}
_PARTS = ("model", "data", "metrics", "tokenizer", "decoding", "text")  # of a config, without which nothing can be done
_USED = ("weights", "limits", "tokenizers")  # what a finished run is made of; the rest is for resuming


def saved_with(config: dict[str, Any], tokenizers: Tokenizers, splits: Splits) -> dict[str, Any]:
    """Entries that make a checkpoint self-contained, in types that load with weights_only=True."""
    return {
        "format": FORMAT,
        "config": config,
        "splits": fingerprints(splits),
        "tokenizers": as_tensors(tokenizers),
    }


def as_tensors(tokenizers: Tokenizers) -> dict[str, Tensor]:
    """The models of tokenizers, as a checkpoint holds them."""
    models = tokenizers.serialized
    return {side: torch.frombuffer(bytearray(data), dtype=torch.uint8) for side, data in models.items()}


def sealed(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint with a digest of every tensor, and of all else that it holds."""
    contents = {name: value for name, value in checkpoint.items() if name != "digests"}
    return {**contents, "digests": dict(_digests(contents))}


def save_checkpoint(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint, sealed."""
    buffer = io.BytesIO()
    torch.save(sealed(checkpoint), buffer)
    with buffer.getbuffer() as data:
        write_whole(path, data)


def read_checkpoint(path: Path, *, whole: bool = False) -> dict[str, Any]:
    """The contents of a checkpoint, with its config as this version would have written it.

    What a finished run needs is compared with its digests, with `whole` all of it. Raises UserError if it is not a
    checkpoint of ours, of another format, lacks a part, is not what was written, or is not finite.
    """
    try:
        checkpoint = _read(path)
    except UserError as error:
        raise UserError(f"{error}{_other(path)}") from None
    try:
        checkpoint = _checked(checkpoint, whole=whole)
    except UserError as error:
        reason = str(error).removesuffix(".")
        raise UserError(f"{path} is damaged, or was changed since it was written: {reason}.{_other(path)}") from None
    _refuse_not_finite(checkpoint, path, whole=whole)
    return checkpoint


def recorded_splits(checkpoint: dict[str, Any]) -> dict[str, Fingerprint]:
    """Fingerprints of the splits that a checkpoint was trained on; none in one of before they were kept."""
    return {name: Fingerprint(**known) for name, known in checkpoint.get("splits", {}).items()}


def recorded_signals(checkpoint: dict[str, Any]) -> dict[str, Spread]:
    """Usual values of the signals of a checkpoint's run; nothing in one of before that was kept, or under way."""
    return {name: Spread(**known) for name, known in checkpoint.get("signals", {}).items()}


def _read(path: Path) -> dict[str, Any]:
    """The contents of a file that is a checkpoint of ours and of a format that is read; nothing else is known of it."""
    try:
        checkpoint = _unpickled(path)
    except Exception as error:  # of a damaged file, torch's reader raises whatever comes of it
        raise UserError(f"{path} is not a checkpoint of seq2seq: it cannot be read ({type(error).__name__}).") from None
    _check_format(path, checkpoint)
    return checkpoint


def _unpickled(path: Path) -> Any:
    """Read a file by torch, mapped into memory where torch finds it: it takes every path for UTF-8."""
    if os.fsencode(path) == str(path).encode(errors="replace"):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    with path.open("rb") as file:
        return torch.load(file, map_location="cpu", weights_only=True)


def _checked(checkpoint: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """The checkpoint with its config as this version would have written it, and weights as wide as a model has them."""
    _check_schema(checkpoint)
    _check_tensors(checkpoint)
    _check_digests(checkpoint, whole=whole)
    config = up_to_date(checkpoint["config"])
    _check_parts(config)
    if checkpoint["format"] == COMPACT:
        check_compact(checkpoint)
        checkpoint = with_wide_weights(checkpoint, FORMAT)
    return {**checkpoint, "config": config, "weights": with_present_names(checkpoint["weights"])}


def _refuse_not_finite(checkpoint: dict[str, Any], path: Path, *, whole: bool) -> None:
    """Raise UserError at weights that are not finite, with `whole` at those in training, too: nothing comes of them."""
    parts = ("weights", "state_dict") if whole else ("weights",)
    leaves = (leaf for part in parts for leaf in _leaves("", checkpoint.get(part)))
    if names := not_finite({name: value for name, value in leaves if isinstance(value, Tensor)}):
        raise UserError(
            f"run={path} must hold weights that are finite, but some are not ({listed(names)}): use another checkpoint "
            "of the run, or train again with a lower learning rate."
        )


def _check_format(path: Path, checkpoint: Any) -> None:
    if not isinstance(checkpoint, dict) or type(checkpoint.get("format")) is not int:
        raise UserError(f"{path} is not a checkpoint of seq2seq: train one with scripts/train.py.")
    if checkpoint["format"] not in _READABLE:
        raise UserError(
            f"{path} is a checkpoint of format {checkpoint['format']}, but this version reads up to {COMPACT}: train "
            "it again, or use the version that wrote it."
        )


def _check_schema(checkpoint: dict[str, Any]) -> None:
    for name, kind in _SCHEMA.items():
        if not isinstance(checkpoint.get(name), kind):
            raise UserError(f"{name} must be a {kind.__name__}, but is {_kind(checkpoint.get(name))}")
    _check_tree("config", checkpoint["config"])
    for name, value in checkpoint["weights"].items():
        if not isinstance(value, Tensor) or not isinstance(name, str):
            raise UserError(f"weights.{name} must be a tensor, but is {_kind(value)}")
    for side in ("source", "target"):
        data = checkpoint["tokenizers"].get(side)
        if not isinstance(data, Tensor) or data.dtype is not torch.uint8 or data.dim() != 1:
            raise UserError(f"tokenizers.{side} must be a row of bytes, but is {_kind(data)}")
    if checkpoint["format"] >= FORMAT:
        check_splits(checkpoint.get("splits"))
    check_signals(checkpoint.get("signals", {}))


def _check_tensors(checkpoint: dict[str, Any]) -> None:
    for name, value in _leaves("", checkpoint):
        if not isinstance(value, Tensor):
            continue
        if value.layout is not torch.strided or value.is_quantized:
            raise UserError(f"{name} must be a dense tensor, but is not")
        if value.is_meta:
            raise UserError(f"{name} must be a tensor with numbers, but has none")


def _check_parts(config: dict[str, Any]) -> None:
    for part in _PARTS:
        if type(config.get(part)) is not dict:
            raise UserError(f"config.{part} must be a mapping, but is {_kind(config.get(part))}")


def _check_tree(name: str, value: Any) -> None:
    check_plain(name, value)
    children = value.items() if type(value) is dict else enumerate(value) if type(value) is list else ()
    for key, child in children:
        _check_tree(f"{name}.{key}", child)


def _check_digests(checkpoint: dict[str, Any], *, whole: bool) -> None:
    if checkpoint["format"] < FORMAT:
        return
    contents = {name: value for name, value in checkpoint.items() if name != "digests"}
    known = checkpoint.get("digests")
    if not isinstance(known, dict):
        raise UserError(f"digests must be a dict, but is {_kind(known)}")
    for name, digest in _digests(contents, None if whole else _USED):
        if known.get(name) != digest:
            raise UserError(f"{name or 'what is beside its tensors'} is not what was written")


def _digests(contents: dict[str, Any], parts: tuple[str, ...] | None = None) -> Iterator[tuple[str, str]]:
    """Digests by the dotted names of tensors, of those parts alone if they are given; that of all else has no name."""
    others = hashlib.blake2b(digest_size=16)
    for name, value in _leaves("", contents):
        others.update(f"{name}={_kind(value) if isinstance(value, Tensor) else repr(value)}\n".encode())
        if isinstance(value, Tensor) and (parts is None or name.startswith(parts)):
            data = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
            yield name, hashlib.blake2b(data.data, digest_size=16).hexdigest()
    yield "", others.hexdigest()


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Values that hold no others, behind their dotted names; an empty container is one."""
    if isinstance(value, dict | list | tuple) and value:
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(f"{name}.{key}" if name else str(key), child)
    else:
        yield name, value


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} {list(value.shape)}"
    return "missing" if value is None else f"of type {type(value).__name__}"


def _other(path: Path) -> str:
    """Advice to use the other checkpoint of the same run instead; nothing where it is not whole."""
    names = {"best.ckpt": "last.ckpt", "last.ckpt": "best.ckpt"}
    if path.name not in names:
        return ""
    other = path.with_name(names[path.name])
    try:
        checkpoint = _checked(_read(other), whole=True)
        _refuse_not_finite(checkpoint, other, whole=True)
    except UserError:
        return ""
    return f" {other}, of step {checkpoint['global_step']}, is whole: use that."
