"""Write a run as graphs, once they are proved to do what the model does."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import seq2seq
from seq2seq.commands.exporting.exported_sources import ExportedSources, searching
from seq2seq.decoding.length import LengthLimits
from seq2seq.errors import UserError
from seq2seq.export import manifest
from seq2seq.export.onnx_stepper import GraphNames, ModelFacts, OnnxStepper
from seq2seq.export.proof import Limits, Proof, prove, prove_alone
from seq2seq.export.writing import write_export
from seq2seq.installed import is_installed
from seq2seq.metrics.units import with_unit
from seq2seq.models.sizes import parameter_count, shortened
from seq2seq.runs.exported_run import START, STEP, STEP_INT8, export_folder
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.run_folder import new_folder
from seq2seq.symbols import BOS, EOS, PAD, UNK

logger = logging.getLogger(__name__)
_LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
_ROUNDED = Limits(0.05, 0.01)  # of 8 bits, as selfcheck has them: a sum's last bit can move what is rounded
_Graphs = dict[str, bytes]


def place(options: Mapping[str, Any]) -> Path:
    """The folder that graphs are written into. Raises UserError if it holds something, or a library is missing."""
    if not all(map(is_installed, _LIBRARIES)):
        raise UserError(f"to=onnx needs the libraries {', '.join(_LIBRARIES)}: pip install -e '.[onnx]'.")
    return new_folder("out", options["out"] or export_folder(str(options["run"])))


def write(run: LoadedRun, sources: ExportedSources, options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write a run as graphs into a folder, and return what was proved.

    Raises UserError, with nothing written, where a part of the model cannot go, or graphs do something else.
    """
    stepper, tensors = _stepper(run)
    proof = prove(searching(run, run.model), searching(run, stepper), sources.lines)
    logger.info("proved on %d lines of %s: scores differ by %.1e nats at most", proof.lines, sources.name, proof.worst)
    graphs, scores = _graphs(run, stepper, sources, int8=options["int8"])
    report = {"lines": proof.lines, "worst_difference": proof.worst, **({"scores": scores} if scores else {})}
    contents, data = _contents(run, stepper, tensors, graphs)
    write_export(folder, {**contents, "proof": report}, data, _told(run, stepper, proof, scores))
    return {"opset": manifest.OPSET, **report, "bytes": {file: len(content) for file, content in graphs.items()}}


def _stepper(run: LoadedRun) -> tuple[OnnxStepper, dict[str, Any]]:
    """The model by graphs, and names, types and sizes of their tensors."""
    from seq2seq.export.graphs import tensors_of, trace  # with libraries that are looked for first

    logger.info("tracing start and step")
    traced = trace(run.model)
    model = run.model
    facts = ModelFacts(attends=model.attends, copies=model.copies, edits=model.edits)
    data = {"start": traced.start.SerializeToString(), "step": traced.step.SerializeToString()}
    tensors = {"start": tensors_of(traced.start), "step": tensors_of(traced.step)}
    return OnnxStepper(data, GraphNames(traced.memory, traced.states), facts), tensors


def _graphs(
    run: LoadedRun, stepper: OnnxStepper, sources: ExportedSources, *, int8: bool
) -> tuple[_Graphs, dict[str, Any]]:
    """Graphs by file, and the scores of those with 8 bits beside the others where there are any."""
    graphs = {START: stepper.graphs["start"], STEP: stepper.graphs["step"]}
    if not int8:
        return graphs, {}
    from seq2seq.export.static_int8 import quantized

    small = quantized(stepper, lambda recorder: searching(run, recorder)(sources.lines))
    prove_alone(searching(run, small), sources.lines, _ROUNDED)
    return {**graphs, STEP_INT8: small.graphs["step"]}, sources.scores(run, {"float32": stepper, "int8": small})


def _contents(
    run: LoadedRun, stepper: OnnxStepper, tensors: Mapping[str, Any], graphs: Mapping[str, bytes]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest without digests, and the files that it is of."""
    models = {f"tokenizers/{name}.model": data for name, data in run.tokenizers.serialized.items()}
    limits = LengthLimits()
    contents = {
        "opset": manifest.OPSET,
        "graphs": {Path(file).stem: file for file in graphs},
        "tensors": tensors,
        "memory": list(stepper.names.memory),
        "states": list(stepper.names.states),
        "symbols": {"PAD": PAD, "UNK": UNK, "BOS": BOS, "EOS": EOS},
        "form": run.tokenizers.source.form.form,
        "kind": run.tokenizers.source.kind,
        "limits": {"max_ratio": limits.max_ratio, "max_extra": limits.max_extra},
        "tokenizers": {Path(file).stem: file for file in models},
        "model": stepper.facts._asdict(),
        "weights": manifest.digest_of_weights(run.model),
        "run": {
            "config": run.config,
            "step": run.step,
            "splits": {name: vars(known) for name, known in run.splits.items()},
            "signals": {name: vars(spread) for name, spread in run.signals.items()},
        },
    }
    return contents, {**graphs, **models}


def _told(run: LoadedRun, stepper: OnnxStepper, proof: Proof, scores: Mapping[str, Any]) -> dict[str, str]:
    """Values of the README's blanks."""
    names = ", ".join(f"`{name}`" for name in (*stepper.names.memory, *stepper.names.states))
    table = ""
    if scores:
        rows = [f"| {name} | {scores['float32'][name]} | {scores['int8'][name]} |" for name in scores["float32"]]
        title = with_unit(f"Scores on {scores['data']}, {scores['sentences']} sentences", *scores["float32"])
        head = f"{title}:\n\n| | float32 | int8 |\n|---|---|---|\n"
        table = "\n" + head + "\n".join(rows) + "\n"
    numbers = {"pad": PAD, "bos": BOS, "eos": EOS, "opset": manifest.OPSET, "step": run.step, "lines": proof.lines}
    return {
        **{name: str(value) for name, value in numbers.items()},
        "version": seq2seq.__version__,
        "model": type(run.model.decoder).__name__,
        "parameters": shortened(parameter_count(run.model)),
        "given": names,
        "worst": f"{proof.worst:.1e}",
        "files": f"| `{STEP_INT8}` | `step.onnx` with weights of 8 bits; inputs of products are rounded, too |\n"
        * bool(scores),
        "scores": table,
    }
