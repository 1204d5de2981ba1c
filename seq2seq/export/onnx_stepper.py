"""A model as two graphs, stepped by ONNX Runtime."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2seq.errors import UserError
from seq2seq.shapes import BeamIds, BeamWeights, Lengths, Logits, Source

_MISSING = "runtime=onnx and exports need the library onnxruntime: pip install -e '.[onnx]'."


class GraphNames(NamedTuple):
    """Names of the tensors that `start` hands `step`: one for each sentence, and one for each hypothesis."""

    memory: tuple[str, ...]
    states: tuple[str, ...]


class ModelFacts(NamedTuple):
    """Facts of a model that decide what a translator can be asked for."""

    attends: bool  # whether contexts say anything of the source
    copies: bool  # whether it copies pieces of the source
    edits: bool  # whether target ids are edits of the source
    sourceless: bool = False  # what reads no source is not exported


class OnnxStepper:
    """A `Stepper` of exported graphs. It runs on a CPU, on as many threads as torch is set to.

    Raises UserError where ONNX Runtime is not installed, or does not take a graph.
    """

    def __init__(self, graphs: Mapping[str, bytes], names: GraphNames, facts: ModelFacts) -> None:
        self.graphs, self.names, self.facts = dict(graphs), names, facts
        self._sessions: dict[tuple[str, int], Any] = {}
        self._session("step")  # what is wrong with it is told now
        self._session("start")

    @property
    def attends(self) -> bool:
        """Tell whether weights say where in a source the model looked."""
        return self.facts.attends

    def start(self, source: Source, lengths: Lengths) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The memory, and the states of one empty hypothesis of each sentence, `batch 1 ...`."""
        found = self._run("start", ("source", "lengths"), (source, lengths))
        count = len(self.names.memory)
        return tuple(found[:count]), tuple(found[count:])

    def step(
        self, ids: BeamIds, memory: tuple[Tensor, ...], states: tuple[Tensor, ...]
    ) -> tuple[Logits, BeamWeights, tuple[Tensor, ...]]:
        """Scores of the token after each of `ids`, weights of the source, and next states, as of the model."""
        names = "ids", *self.names.memory, *self.names.states
        logits, weights, *after = self._run("step", names, (ids, *memory, *states))
        return logits, weights, tuple(after)

    def _run(self, graph: str, names: Sequence[str], tensors: Sequence[Tensor]) -> list[Tensor]:
        _, used = self._session(graph)
        given = {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True) if name in used}
        return [torch.from_numpy(array) for array in self.run(graph, given)]

    def run(self, graph: str, given: dict[str, np.ndarray]) -> list[Any]:
        """Results of a graph for named arrays."""
        return self._session(graph)[0].run(None, given)

    def _session(self, graph: str) -> tuple[Any, set[str]]:
        """The session of a graph on the threads of now, and the names that it takes."""
        key = graph, torch.get_num_threads()
        if key not in self._sessions:
            session = _open(self.graphs[graph], key[1])
            self._sessions[key] = session, {value.name for value in session.get_inputs()}
        return self._sessions[key]


def is_installed() -> bool:
    """Tell whether ONNX Runtime is installed."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return True


def _open(graph: bytes, threads: int) -> Any:
    try:
        import onnxruntime  # which takes a third of a second, and is needed by exports alone
    except ImportError:
        raise UserError(_MISSING) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # beside torch's threads, which spin
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of a foreign graph, the runtime raises whatever comes of it
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"An exported graph is none that ONNX Runtime runs: {reason}.") from None
