"""Additive attention that sees the earlier weights around every position."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.attention.looking_back import LookingBackAttention
from seq2seq.layers.linear import linear
from seq2seq.shapes import BeamWeights


class LocationAttention(LookingBackAttention):
    """Location attention: v . tanh(W query + b + U value + F features), features = the earlier weights convolved.

    Chorowski et al. 2015, eq. 8-9, with the last weights; `cumulative` takes the sum of all (Shen et al. 2018).
    `filters` convolutions see `window` positions each. Raises UserError unless the window has a middle, and without
    filters. A filter that sees the position before leads attention forward:

    >>> import torch
    >>> from seq2seq.layers.attention.location import LocationAttention
    >>> attention = LocationAttention(query_size=1, memory_size=1, size=1, filters=1, window=3, cumulative=False)
    >>> for name, value in {"vector": 20.0, "value_projection.weight": 1.0, "feature_projection.weight": 9.0}.items():
    ...     _ = torch.nn.init.constant_(attention.get_parameter(name), value)
    >>> attention.filters.weight.data = torch.tensor([[1.0, 0.0, 0.0]])
    >>> memory = attention.remember(torch.tensor([[[1.0], [0.0], [0.0]]]), torch.ones(1, 3, dtype=torch.bool))
    >>> attention.unroll(torch.zeros(1, 3, 1), memory, attention.start(memory))[1].argmax(-1).tolist()
    [[0, 1, 2]]
    """

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        size: int = 128,
        filters: int = 16,
        window: int = 7,
        cumulative: bool = True,
    ) -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, size=size, cumulative=cumulative)
        if window < 1 or window % 2 == 0:
            raise UserError(f"window must be odd and at least 1, but is {window}.")
        if filters < 1:
            raise UserError(f"filters must be at least 1, but is {filters}.")
        self.window = window
        self.filters = linear(window, filters, bias=False)
        self.feature_projection = linear(filters, size, bias=False)

    @property
    def pair_parts(self) -> tuple[nn.Module, ...]:
        return self.filters, self.feature_projection

    def features(self, seen: BeamWeights) -> Float[Tensor, "batch beam source size"]:
        # Weights on padding are 0, as are those beyond the ends: padding changes nothing.
        around = functional.pad(seen, (self.window // 2, self.window // 2)).unfold(2, self.window, 1)
        return self.feature_projection(self.filters(around))
