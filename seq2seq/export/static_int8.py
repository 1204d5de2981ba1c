"""Graphs whose products with weights are in 8 bits, by ranges that are fixed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from seq2seq.export.graphs import quiet
from seq2seq.export.onnx_stepper import OnnxStepper

_MOST = 256  # steps that ranges are taken from: they do not grow much behind


class _Inputs(CalibrationDataReader):
    """Arrays that a graph was given, one call after the other."""

    def __init__(self, given: list[dict[str, np.ndarray]]) -> None:
        self._given: Iterator[dict[str, np.ndarray]] = iter(given)

    def get_next(self) -> Any:
        return next(self._given, None)


class Recorder(OnnxStepper):
    """A stepper that keeps what its first steps were given, each of few hypotheses."""

    def __init__(self, plain: OnnxStepper) -> None:
        super().__init__(plain.graphs, plain.names, plain.facts)
        self.given: list[dict[str, np.ndarray]] = []

    def run(self, graph: str, given: dict[str, np.ndarray]) -> list[Any]:
        if graph == "step" and len(self.given) < _MOST:
            self.given.append({name: array.copy() for name, array in given.items()})
        return super().run(graph, given)


def quantized(stepper: OnnxStepper, decode: Callable[[OnnxStepper], Any]) -> OnnxStepper:
    """A stepper whose `step` has weights of 8 bits, in a range for each row, and inputs in one range for each product.

    Ranges of inputs are those that come in while `decode` searches with the stepper that it is given. They are fixed:
    ranges found at every step would be the whole batch's, and a sentence's result would depend on its neighbours.
    """
    recorder = Recorder(stepper)
    decode(recorder)
    with TemporaryDirectory() as folder, quiet():
        plain, small = Path(folder) / "step.onnx", Path(folder) / "int8.onnx"
        plain.write_bytes(stepper.graphs["step"])
        quantize_static(
            plain,
            small,
            _Inputs(recorder.given),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            reduce_range=True,  # without it, sums of 16 bits overflow on processors without VNNI
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        model = onnx.load(small)
    return OnnxStepper({**stepper.graphs, "step": model.SerializeToString()}, stepper.names, stepper.facts)
