"""Load an export back into what a translator needs, or find the export of a run in its folder."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from seq2seq.compression.product_library import AUTO, Products
from seq2seq.data.splitting import Fingerprint
from seq2seq.decoding.stepper import Stepper
from seq2seq.drift.spread import Spread
from seq2seq.errors import UserError
from seq2seq.export import manifest
from seq2seq.export.manifest import is_export
from seq2seq.export.onnx_stepper import GraphNames, ModelFacts, OnnxStepper, is_installed
from seq2seq.runs.checkpoint_paths import find_checkpoint
from seq2seq.runs.known_data import check_signals, check_splits
from seq2seq.runs.model_kinds import reads_frames, writes_frames
from seq2seq.runs.run import DecodingRun, LoadedRun, load_run, restored_tokenizers
from seq2seq.runs.versions import folder_in_use

logger = logging.getLogger(__name__)

_AGAIN = "export the run again."
FOLDER = "onnx"  # in a run: its export
START, STEP, STEP_INT8 = "start.onnx", "step.onnx", "step_int8.onnx"


@dataclass(frozen=True)
class ExportedRun(DecodingRun):
    """A trained model as graphs, and how it came about."""

    model: ModelFacts
    graphs: dict[str, OnnxStepper] = field(default_factory=dict)  # by precision

    def precision(self, asked: str, device: torch.device) -> str:
        """The precision of the graph that is asked for, whatever products torch has here; that of `auto` is float32."""
        return "float32" if asked == "auto" else asked

    def stepper(self, products: Products) -> Stepper:
        if products.library != AUTO:
            raise UserError(
                f"product_library must be auto with an export, whose products are its own, but is {products.library}."
            )
        precision = products.precision
        if precision not in self.graphs:
            raise UserError(
                f"precision must be one of {', '.join(self.graphs)} with this export, which has no graph of other "
                f"products, but is {precision}: int8 comes by scripts/export.py int8=true."
            )
        return self.graphs[precision]


def load_export(path: str | Path) -> ExportedRun:
    """The export of a folder. Raises UserError if it is damaged, of another opset, or cannot be run here."""
    folder = Path(path)
    return _opened(folder, manifest.read_manifest(folder))


def exported_from(path: str | Path) -> ExportedRun:
    """The export in a run's folder. Raises UserError where there is none, or it is of other weights."""
    run, folder = load_run(path), export_folder(path)
    if not is_export(folder):
        _refuse_unexported(run, path)
        raise UserError(
            f"runtime=onnx needs an export in the run, but {folder} is none: write it by scripts/export.py run={path}, "
            "or choose runtime=torch."
        )
    contents = manifest.read_manifest(folder)
    if contents["weights"] != manifest.digest_of_weights(run.model):
        raise UserError(f"runtime=onnx needs an export of the run's weights, but {folder} is of others: {_AGAIN}")
    return _opened(folder, contents)


def _refuse_unexported(run: LoadedRun, path: str | Path) -> None:
    """Raise UserError at a run of a kind that is never exported."""
    frames = reads_frames(run.config) or writes_frames(run.config)
    if frames or run.model.sourceless or run.model.edits:
        kind = "a run of frames" if frames else "a language model" if run.model.sourceless else "a transducer"
        raise UserError(f"runtime must be auto or torch with run={path}, as {kind} is never exported, but is onnx.")


def graphs_beside(path: str | Path, run: LoadedRun) -> LoadedRun:
    """The run with the graphs of its export, if it has one of these weights that can be run here."""
    folder = export_folder(path)
    if not is_export(folder):
        return run
    if not is_installed():
        logger.info("%s is not used, as onnxruntime is not installed", folder)
        return run
    try:
        contents = manifest.read_manifest(folder)
        if contents["weights"] == manifest.digest_of_weights(run.model):
            return replace(run, graphs=_opened(folder, contents).graphs["float32"])
        logger.warning("%s is not used, as it is of other weights than the run: %s", folder, _AGAIN)
    except UserError as error:  # the run itself is whole
        logger.warning("%s is not used, as it cannot be read: %s", folder, error)
    return run


def export_folder(path: str | Path) -> Path:
    """The folder in a run that its export is looked for in."""
    return export_home(path) / FOLDER


def export_home(path: str | Path) -> Path:
    """The folder of a run, or of its version in use, that exports go into."""
    path = Path(path)
    if path.is_dir():
        return folder_in_use(path)
    folder = find_checkpoint(path).parent
    return folder.parent if folder.name == "checkpoints" else folder


def _check_facts(folder: Path, contents: dict[str, Any]) -> None:
    """Raise UserError where a manifest tells of model and data in other types than it was written in."""
    try:
        if any(type(fact) is not bool for fact in contents["model"].values()):
            raise UserError("model must be of true and false alone, but is not")
        if splits := contents["run"]["splits"]:  # what an early version trained knows none
            check_splits(splits)
        check_signals(contents["run"]["signals"])
    except UserError as error:
        raise UserError(f"run={folder} is damaged: {manifest.FILE}: {error}. {_AGAIN}") from None


def _opened(folder: Path, contents: dict[str, Any]) -> ExportedRun:
    own = contents["run"]
    try:
        names = GraphNames(tuple(contents["memory"]), tuple(contents["states"]))
        facts = ModelFacts(**contents["model"])
        graphs = manifest.read_files(folder, contents, [*contents["graphs"].values()])
        files = manifest.read_files(folder, contents, contents["tokenizers"].values())
        _check_facts(folder, contents)
        known = {name: Fingerprint(**value) for name, value in own["splits"].items()}
        signals = {name: Spread(**value) for name, value in own["signals"].items()}
        models = {name: files[file] for name, file in contents["tokenizers"].items()}
        tokenizers = restored_tokenizers(models, own["config"])
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"run={folder} is damaged: {manifest.FILE} lacks what it should hold ({error}). {_AGAIN}"
        ) from None
    steppers = {
        precision: OnnxStepper({"start": graphs[START], "step": graphs[step]}, names, facts)
        for precision, step in (("float32", STEP), ("int8", STEP_INT8))
        if step in graphs
    }
    return ExportedRun(facts, tokenizers, own["config"], own["step"], known, signals, steppers)
