"""Gates between a transformation and its input."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.layers.linear import linear

_CLOSED = -2.0  # most of the input passes by at first (Kim et al. 2016)


class HighwayGate(nn.Module):
    """Highway gate: t outputs + (1 - t) inputs, t = sigmoid(W inputs + b), b is -2 at first (Srivastava et al. 2015).

    Where sizes differ, the input passes by as U inputs, without a bias.
    """

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.gate = linear(input_size, output_size)
        nn.init.constant_(self.gate.bias, _CLOSED)
        self.bypass = nn.Identity() if input_size == output_size else linear(input_size, output_size, bias=False)

    def forward(
        self, inputs: Float[Tensor, "*batch input"], outputs: Float[Tensor, "*batch output"]
    ) -> Float[Tensor, "*batch output"]:
        t = self.gate(inputs).sigmoid()
        return t * outputs + (1 - t) * self.bypass(inputs)


class HighwayLayer(nn.Module):
    """A highway gate around relu(W inputs + b) (Srivastava et al. 2015)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.transformation = linear(size, size)
        self.gate = HighwayGate(size, size)

    def forward(self, inputs: Float[Tensor, "*batch size"]) -> Float[Tensor, "*batch size"]:
        return self.gate(inputs, functional.relu(self.transformation(inputs)))
