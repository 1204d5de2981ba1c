"""Matrix products with weights that are laid out once and used at every step."""

import warnings
from abc import ABC, abstractmethod
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError

Rows = Float[Tensor, "*rows input"]
Results = Float[Tensor, "*rows output"]

PRECISIONS = ("float32", "bfloat16", "int8")
LIBRARIES = ("onednn", "blas")  # of products in float32: the latter is what torch multiplies by
# Below this many weights a product costs less than what oneDNN spends before it.
_SMALL = 1 << 14
# From so many tokens on, only the weights of their scores are rounded to 8 bits.
_LARGE = 1 << 12
# Of 8 bits, and of the 7 that are left where sums of 16 bits overflow: on each side of 0.
_STEPS, _FEWER_STEPS = 127, 63
# The rows that oneDNN lays weights out for; the layout serves any other number nearly as well.
_ROWS = 256


class PreparedLinear(ABC):
    """A product inputs W^T + b in float32, or its sigmoid or tanh: laid out once, used at every step."""

    @abstractmethod
    def __call__(self, inputs: Rows) -> Results:
        """The product with inputs, `*rows output`."""


class PlainLinear(PreparedLinear):
    """A product by torch's own function, in the type of the weights."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, activation: str = "none") -> None:
        self.weight, self.bias, self.activation = weight, bias, activation

    def __call__(self, inputs: Rows) -> Results:
        sums = functional.linear(inputs.to(self.weight.dtype), self.weight, self.bias).float()
        return _activated(sums, self.activation)


class OneDNNLinear(PreparedLinear):
    """A product by oneDNN, which torch reaches without a new layout of the weights at each call only in this way."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, activation: str = "none") -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        self.dtype, self.bias, self.activation = weight.dtype, bias, activation

    @staticmethod
    def available() -> bool:
        """Tell whether this torch has the operators, which are not part of its public interface."""
        return all(hasattr(torch.ops.mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise"))

    def __call__(self, inputs: Rows) -> Results:
        inputs = inputs.to(self.dtype)
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, self.activation, [], "").float()


class Int8Linear(PreparedLinear):
    """A product of weights of 8 bits, scaled per row, and inputs of 8 bits in one range, found while `calibrating`.

    A range found anew at every call would be that of the whole batch: a sentence's result would depend on its
    neighbours.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, *, activation: str = "none") -> None:
        self.steps = _STEPS if sums_8_bits() else _FEWER_STEPS
        self.limit, self.calibrating, self.activation = 0.0, False, activation
        self.weight = _prepack(weight, bias)

    def limited(self, limit: float | None) -> bool:
        """Take a range that is known, and tell whether one is."""
        self.limit = limit or 0.0
        return limit is not None

    def __call__(self, inputs: Rows) -> Results:
        if self.calibrating:
            self.limit = max(self.limit, float(inputs.abs().max()))
        return _activated(self.sums(inputs, max(self.limit, 1e-12)), self.activation)

    def sums(self, inputs: Rows, limit: float) -> Results:
        """The product with inputs rounded to 8 bits in a range; those beyond it count as its ends."""
        return _int8_sums(inputs, self.weight, limit=limit, steps=self.steps)


class WideInt8Linear(Int8Linear):
    """A product whose weights alone are of 8 bits: inputs have 16, as the sum of two of 8 (their products are summed).

    It is for scores of large vocabularies. Reading their weights is what costs, and the first sum's error is theirs.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, *, activation: str = "none") -> None:
        super().__init__(weight, None, activation=activation)
        self.bias = bias

    def sums(self, inputs: Rows, limit: float) -> Results:
        step = limit / self.steps
        high = (inputs / step).round_().clamp_(-self.steps, self.steps).mul_(step)
        rest = _int8_sums(inputs - high, self.weight, limit=step / 2, steps=self.steps)
        sums = _int8_sums(high, self.weight, limit=limit, steps=self.steps).add_(rest)
        return sums if self.bias is None else sums.add_(self.bias)


def _activated(sums: Results, activation: str) -> Results:
    """The activation of sums, in their place."""
    return sums if activation == "none" else sums.sigmoid_() if activation == "sigmoid" else sums.tanh_()


def _prepack(weight: Tensor, bias: Tensor | None) -> torch.ScriptObject:
    """Weights rounded to 8 bits in a range per row, laid out for the product."""
    scales = weight.abs().amax(1).double().clamp_min_(1e-12) / _STEPS
    zeros = torch.zeros(len(scales), dtype=torch.long)
    with warnings.catch_warnings():  # that tensors of this type will go; no other can be laid out for the product
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor, torch.quantize_per_channel and other")
        quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    return torch.ops.quantized.linear_prepack(quantized, bias)


def _int8_sums(inputs: Rows, weight: torch.ScriptObject, *, limit: float, steps: int) -> Results:
    """Products with inputs rounded to so many steps on each side of 0, up to the limit."""
    if steps < _STEPS:  # beyond the limit there are more of them, which overflow as those of 8 bits do
        inputs = inputs.clamp(-limit, limit)
    return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(inputs, limit / steps, steps + 1, weight)


def is_small(weight: Tensor) -> bool:
    """Tell whether weights are too few to matter."""
    return weight.numel() < _SMALL


def prepare(
    weight: Tensor,
    bias: Tensor | None,
    precision: str,
    *,
    activation: str = "none",
    library: str = LIBRARIES[0],
    scores: bool = False,
) -> PreparedLinear:
    """The product with such weights by a library, if there is it; those that are too few to matter stay in float32.

    In int8, `scores` of a large vocabulary are by inputs that are hardly rounded.
    """
    if is_small(weight):
        return PlainLinear(weight, bias, activation=activation)
    if precision == "int8":
        wide = scores and len(weight) >= _LARGE
        return (WideInt8Linear if wide else Int8Linear)(weight, bias, activation=activation)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    kind = OneDNNLinear if library == "onednn" and OneDNNLinear.available() else PlainLinear
    return kind(weight.to(dtype), None if bias is None else bias.to(dtype), activation=activation)


def check_precision(precision: str, device: torch.device) -> None:
    """Check that there is such a product. Raises UserError if not."""
    if precision not in PRECISIONS:
        raise UserError(f"precision must be one of {', '.join(PRECISIONS)}, but is {precision!r}.")
    if precision == "bfloat16" and device.type == "cuda":
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            raise UserError("precision=bfloat16 needs a GPU that multiplies it, and this does not: use float32.")
        return
    if precision != "float32" and device.type != "cpu":
        raise UserError(f"precision={precision} needs device=cpu, but the model is on {device}: use precision=float32.")
    if precision == "bfloat16" and not computes_bfloat16():
        raise UserError("precision=bfloat16 needs a processor that multiplies it, and this does not: use float32.")
    if precision == "int8" and not computes_int8():
        instead = "bfloat16 or float32" if computes_bfloat16() else "float32"
        raise UserError(f"precision=int8 needs an x86 processor, and this is none: use precision={instead}.")


@cache
def computes_bfloat16() -> bool:
    """Tell whether this processor runs products and LSTMs in bfloat16, in training too.

    Asked, then tried once, since settings can switch instructions off.
    """
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    if supported is not None and not supported():
        return False
    try:
        if OneDNNLinear.available():
            OneDNNLinear(torch.ones(32, 32, dtype=torch.bfloat16), None)(torch.ones(1, 32))
        _try_lstm()
    except RuntimeError:
        return False
    return True


def _try_lstm() -> None:
    """Run a small LSTM and its gradients under autocast. Raises RuntimeError where there is no kernel for it."""
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        lstm = nn.LSTM(16, 16, batch_first=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs, _ = lstm(torch.ones(2, 3, 16))
        outputs.sum().backward()


def computes_int8() -> bool:
    """Tell whether this processor has the products of 8 bits that are used here, as x86 has."""
    return "x86" in torch.backends.quantized.supported_engines


def sums_8_bits() -> bool:
    """Tell whether int8 products of 8-bit inputs are summed as they are, tried with the largest.

    Without VNNI, pairs of products are added in 16 bits, which overflow unless the inputs have 7.
    """
    if not computes_int8():
        return False
    size = 64
    sums = _int8_sums(torch.ones(1, size), _prepack(torch.ones(32, size), None), limit=1.0, steps=_STEPS)
    return bool((sums > 0.99 * size).all())
