"""Load a run folder, or a checkpoint, back into a model and its tokenizers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from seq2seq.compression.packing import pack
from seq2seq.compression.precision import resolve_decoding_precision
from seq2seq.compression.product_library import Products
from seq2seq.config.builder import build, told_at
from seq2seq.config.closed_table import find
from seq2seq.data.copied_pieces import suited, target_ids
from seq2seq.data.edits.edit_tokenizers import EditTokenizers, restored
from seq2seq.data.examples import Splits
from seq2seq.data.running_text import lines_of
from seq2seq.data.splitting import Fingerprint
from seq2seq.data.text import TextForm
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.stepper import Stepper
from seq2seq.drift.spread import Spread
from seq2seq.errors import UserError
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.checkpoint import read_checkpoint, recorded_signals, recorded_splits
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.described_model import with_weights
from seq2seq.runs.frame_tokenizers import answers, reader_of, writer_of
from seq2seq.runs.model_kinds import is_language_model, reads_frames, writes_edits, writes_frames
from seq2seq.runs.own_files import with_own_files
from seq2seq.runs.versions import home_of, tell_version


@runtime_checkable
class DecodingModel(Protocol):
    """Interface of a model to a translator beside its steps, whatever computes these."""

    @property
    def sourceless(self) -> bool:
        """Tell whether it reads no source."""

    @property
    def edits(self) -> bool:
        """Tell whether it writes edits of the source."""

    @property
    def copies(self) -> bool:
        """Tell whether it copies pieces of the source."""

    @property
    def attends(self) -> bool:
        """Tell whether it looks at the source at every step."""


@dataclass(frozen=True)
class DecodingRun(ABC):
    """A trained model to decode with, whatever computes it, and how it came about."""

    model: DecodingModel
    tokenizers: Tokenizers
    config: dict[str, Any]
    step: int
    splits: dict[str, Fingerprint]  # what it was trained and selected on; nothing where that is not known
    signals: dict[str, Spread] = field(default_factory=dict)  # what is usual of them on dev; as well

    def precision(self, asked: str, device: torch.device) -> str:
        """The number format of products that is asked for, or of those that `auto` chooses from the fastest here.

        Raises UserError if it cannot be had.
        """
        return resolve_decoding_precision(asked, device)

    @abstractmethod
    def stepper(self, products: Products) -> Stepper:
        """The model ready to be stepped, its products made in a way. Raises UserError if that cannot be had."""


@dataclass(frozen=True)
class LoadedRun(DecodingRun):
    """A trained model ready to use, and how it came about."""

    model: Seq2Seq
    graphs: Stepper | None = None  # the same model by ONNX Runtime, where there is an export of it to choose
    ranges: dict[str, float] = field(default_factory=dict)  # of int8 products, where they were found on dev

    def stepper(self, products: Products) -> Stepper:
        return pack(self.model, products, self.ranges)


def build_model(config: dict[str, Any], tokenizers: Tokenizers) -> Seq2Seq:
    """The model of a plain config, with fresh weights."""
    model = build(config["model"], "model")(
        source_vocabulary_size=tokenizers.source.size, target_vocabulary_size=tokenizers.target.size
    )
    if model.copying is not None:
        model.copying.spell(target_ids(tokenizers))
    return model


def train_tokenizers(config: dict[str, Any], splits: Splits) -> Tokenizers:
    """The tokenizers that a config describes, learnt from what there is to train on."""
    trainer = build(config["tokenizer"], "tokenizer")
    with told_at("tokenizer", type(trainer)):
        if writes_frames(config):
            return Tokenizers(reader_of(config, splits), writer_of(splits))
        if reads_frames(config):
            targets = trainer.train(answers(splits), text_form(config)).written
            return Tokenizers(reader_of(config, splits), targets)
        examples = lines_of(splits.train) if is_language_model(config) else splits.train
        texts = trainer.train(examples, text_form(config))
    if not writes_edits(config):
        return texts
    with told_at("model", find(config["model"]["_target_"], "model")):
        return EditTokenizers.learn(texts, splits.train)


def text_form(config: dict[str, Any]) -> TextForm:
    """The form of text that a run reads and writes."""
    return build(config["text"], "text")


def load_run(path: str | Path, device: str | torch.device = "cpu", option: str = "run") -> LoadedRun:
    """The run of a folder or checkpoint: its model has the averaged weights and is in evaluation mode.

    Raises UserError if what the checkpoint describes is not what it holds, or is nothing that this package builds.
    """
    checkpoint = read_checkpoint(found := find_checkpoint(path, option))
    tell_version(Path(path), found)
    config = with_own_files(checkpoint["config"], home_of(found))
    try:
        tokenizers = tokenizers_of(checkpoint)
        model = with_weights(partial(build_model, config, tokenizers), config, checkpoint["weights"])
    except UserError:
        raise
    except Exception as error:  # types are checked, but not every value that a forged config can hold
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{found} cannot be built as it describes itself: {type(error).__name__}: {reason}") from error
    known = recorded_splits(checkpoint), recorded_signals(checkpoint)
    step, ranges = checkpoint["global_step"], checkpoint.get("ranges", {})
    return LoadedRun(model.eval().to(device), tokenizers, config, step, *known, ranges=ranges)


def tokenizers_of(checkpoint: dict[str, Any]) -> Tokenizers:
    """The tokenizers that a checkpoint holds."""
    models = {name: bytes(data.numpy()) for name, data in checkpoint["tokenizers"].items()}
    return restored_tokenizers(models, checkpoint["config"])


def restored_tokenizers(models: dict[str, bytes], config: dict[str, Any]) -> Tokenizers:
    """The tokenizers of a config, from their serialised models by name."""
    return suited(restored(models, text_form(config)), config)


def pick_device(name: str) -> torch.device:
    """The device of a name; `auto` is a GPU if there is one. Raises UserError if torch knows or has no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device must be auto, cpu, cuda or cuda:N, but is {name!r}.") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device={device} is none of the {torch.cuda.device_count()} GPUs here: use device=cpu or auto."
        )
    if device.type not in ("cpu", "cuda") and not _computes(device):
        raise UserError(f"device={device} is none that computes here: use device=cpu or auto.")
    return device


def _computes(device: torch.device) -> bool:
    try:
        return bool(torch.ones(1, device=device).item())
    except Exception:  # whatever torch raises for what it was not built with
        return False
