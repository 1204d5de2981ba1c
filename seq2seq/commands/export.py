"""Write a run as graphs, once they are proved to do what the model does."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

import seq2seq
from seq2seq.config.contract import check_counts, check_type, read_options
from seq2seq.config.open_parts import with_own_data
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.stepper import Stepper
from seq2seq.errors import UserError
from seq2seq.export import manifest
from seq2seq.export.onnx_stepper import GraphNames, ModelFacts, OnnxStepper
from seq2seq.export.proof import Limits, Proof, prove, prove_alone
from seq2seq.export.writing import write_export
from seq2seq.models.sizes import parameter_count, shortened
from seq2seq.runs.evaluation import build_scores, evaluate, load_examples, load_sources, spread_over
from seq2seq.runs.exported_run import START, STEP, STEP_INT8, export_folder
from seq2seq.runs.of_frames import refuse_frames
from seq2seq.runs.run import LoadedRun, load_run
from seq2seq.runs.run_folder import new_folder
from seq2seq.runs.sourceless import refuse_language_model
from seq2seq.symbols import BOS, EOS, PAD, UNK
from seq2seq.translation.translator import Translator

logger = logging.getLogger(__name__)
_LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
_ROUNDED = Limits(0.05, 0.01)  # of 8 bits, as selfcheck has them: a sum's last bit can move what is rounded
_Graphs = dict[str, bytes]


def export(config: DictConfig) -> dict[str, Any]:
    """Write the run of a config as graphs into a folder and return where, and what was proved.

    Raises UserError, with nothing written, where a part of the model cannot go, or graphs do something else.
    """
    options = read_options(config)
    _check(options)
    folder = new_folder("out", options["out"] or export_folder(str(options["run"])))
    run = load_run(str(options["run"]))
    refuse_language_model(run, options["run"], "export")
    refuse_frames(run.tokenizers, options["run"], "export")
    if run.model.edits or run.model.tags:
        kind = "transducer" if run.model.edits else "tagger"
        raise UserError(f"export needs a model that writes text, but run={options['run']} is a {kind}: decode by it.")
    run = replace(run, config=with_own_data(run.config, options["data"], options["file"]))
    name, sources = load_sources(run, options["file"], options["split"] or "dev" if options["file"] is None else None)
    if not sources:
        raise UserError(f"{name} must hold a source that is not empty: give file=pairs.tsv or another split.")
    sources = spread_over(sources, options["sentences"])
    stepper, tensors = _stepper(run)
    proof = prove(_translator(run, run.model), _translator(run, stepper), sources)
    logger.info("proved on %d lines of %s: scores differ by %.1e nats at most", proof.lines, name, proof.worst)
    graphs, scores = _graphs(run, stepper, sources, options)
    report = {"lines": proof.lines, "worst_difference": proof.worst, **({"scores": scores} if scores else {})}
    contents, data = _contents(run, stepper, tensors, graphs)
    write_export(folder, {**contents, "proof": report}, data, _told(run, stepper, proof, scores))
    sizes = {file: len(content) for file, content in graphs.items()}
    return {"out": str(folder), "to": "onnx", "opset": manifest.OPSET, **report, "bytes": sizes}


def _check(options: Mapping[str, Any]) -> None:
    if options["to"] != "onnx":
        raise UserError(f"to must be onnx, but is {options['to']!r}.")
    if any(find_spec(name) is None for name in _LIBRARIES):
        raise UserError(f"to=onnx needs the libraries {', '.join(_LIBRARIES)}: pip install -e '.[onnx]'.")
    check_counts(options, sentences=1)
    check_type("int8", options["int8"], bool)
    if isinstance(options["run"], list):
        raise UserError("run must be one run, as an ensemble is of several exports: export each.")


def _translator(run: LoadedRun, stepper: Stepper) -> Translator:
    return Translator(stepper, run.tokenizers, GreedySearch())


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
    run: LoadedRun, stepper: OnnxStepper, sources: Sequence[str], options: Mapping[str, Any]
) -> tuple[_Graphs, dict[str, Any]]:
    """Graphs by file, and the scores of those with 8 bits beside the others where there are any."""
    graphs = {START: stepper.graphs["start"], STEP: stepper.graphs["step"]}
    if not options["int8"]:
        return graphs, {}
    from seq2seq.export.static_int8 import quantized

    small = quantized(stepper, lambda recorder: _translator(run, recorder)(sources))
    prove_alone(_translator(run, small), sources, _ROUNDED)
    split = None if options["file"] is not None else options["split"] or "dev"
    name, examples = load_examples(run, options["file"], split)
    scores = {
        precision: evaluate(_translator(run, own), examples, build_scores(run.config)).report()["scores"]
        for precision, own in (("float32", stepper), ("int8", small))
    }
    return {**graphs, STEP_INT8: small.graphs["step"]}, {"data": name, "sentences": len(examples), **scores}


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
        head = (
            f"Scores on {scores['data']}, {scores['sentences']} sentences, %:\n\n| | float32 | int8 |\n|---|---|---|\n"
        )
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
