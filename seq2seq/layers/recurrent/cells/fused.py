"""Cells that torch has a fused kernel for."""

from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.recurrent.cells.cell import Cell, CellInputs, Projected
from seq2seq.layers.recurrent.cells.options import CellOptions
from seq2seq.layers.recurrent.gate_view import GateView, gate_views
from seq2seq.layers.recurrent.state import State, StateLayout
from seq2seq.shapes import Inputs, Outputs


class FusedCell(Cell):
    """A cell whose parameters are those of a one-layer `nn.RNNBase`, for its kernel and for visible equations alike."""

    gate_names: ClassVar[tuple[str, ...]]  # in the order of torch's rows

    def __init__(self, kernel: nn.RNNBase, layout: StateLayout, options: CellOptions, *, standard: bool) -> None:
        super().__init__(kernel.input_size, len(self.gate_names) * kernel.hidden_size, layout, options)
        self.kernel = kernel
        self.standard = standard  # whether the equations are those of torch's kernel
        self.initialize(options)

    @property
    def gates(self) -> dict[str, GateView]:
        input, recurrent, *biases = self.kernel.all_weights[0]
        return gate_views(dict.fromkeys(self.gate_names, self.hidden_size), input, recurrent, *biases)

    @property
    def recurrent_weights(self) -> tuple[str, ...]:
        return ("kernel.weight_hh_l0",)

    @property
    def plain(self) -> bool:
        """Tell whether a step out of training is what torch's kernel computes."""
        return self.standard and not self.regularization.zoneout

    def project(self, inputs: CellInputs) -> Projected:
        kernel: Any = self.kernel  # whose `all_weights` would take longer than a small product
        return functional.linear(inputs, kernel.weight_ih_l0, kernel.bias_ih_l0)

    def recur(self, hidden: Tensor) -> Projected:
        """The hidden state's part of all gates, `*batch gates`."""
        kernel: Any = self.kernel
        return functional.linear(hidden, kernel.weight_hh_l0, kernel.bias_hh_l0)

    def unroll(self, inputs: Inputs, state: State) -> tuple[Outputs, State]:
        if self.masks or not (self.fused and self.plain):
            return super().unroll(inputs, state)
        first = tuple(part.unsqueeze(0).to(inputs.dtype).contiguous() for part in state)  # as cuDNN wants it
        outputs, last = self._run(inputs, first[0] if len(first) == 1 else first)
        return outputs, type(state)(*(part.squeeze(0) for part in (last if isinstance(last, tuple) else (last,))))

    def _run(self, inputs: Inputs, first: Any) -> tuple[Outputs, Any]:
        dropped, kind = self.dropped_weights(), _kind_on(inputs.device)
        if not dropped and kind is None:
            return self.kernel(inputs, first)
        weights = [dropped.get(f"kernel.{name}", weight) for name, weight in self.kernel.named_parameters()]
        run = getattr(torch, self.kernel.mode.lower())  # the function that the module calls with its own weights
        with torch.autocast(inputs.device.type, enabled=kind is None and torch.is_autocast_enabled(inputs.device.type)):
            if kind is not None:
                inputs, weights = inputs.to(kind), [weight.to(kind) for weight in weights]
                first = tuple(part.to(kind) for part in first) if isinstance(first, tuple) else first.to(kind)
            outputs, *last = run(inputs, first, weights, True, 1, 0.0, self.training, False, True)
        return outputs, last[0] if len(last) == 1 else tuple(last)


def _kind_on(device: torch.device) -> torch.dtype | None:
    """The format in which a device's kernel is to run, or None for what autocast makes of it.

    On CUDA, autocast gives it float16, whatever it was told, and without a scaled loss small gradients would be lost.
    """
    if device.type != "cuda" or not torch.is_autocast_enabled("cuda"):
        return None
    if torch.get_autocast_dtype("cuda") != torch.bfloat16:
        return None
    return torch.bfloat16 if _cuda_runs_bfloat16() else torch.float32


@cache
def _cuda_runs_bfloat16() -> bool:
    """Tell whether CUDA's kernels of recurrent layers take bfloat16, as those of cuDNN 9.13 and later do."""
    try:
        with torch.random.fork_rng(devices=[torch.cuda.current_device()]), torch.autocast("cuda", enabled=False):
            nn.LSTM(8, 8, device="cuda", dtype=torch.bfloat16)(
                torch.zeros(1, 1, 8, device="cuda", dtype=torch.bfloat16)
            )
    except RuntimeError:
        return False
    return True
