"""Numbers in a type that sums and exponentials bear."""

import torch
from torch import Tensor


def precise(values: Tensor) -> Tensor:
    """The values in float32, or in their own type if that is a better one."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
