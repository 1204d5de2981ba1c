"""Types of numbers: one that sums and exponentials bear, and that of products."""

import torch
from torch import Tensor


def precise(values: Tensor) -> Tensor:
    """The values in float32, or in their own type if that is a better one."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def product_type(like: Tensor) -> torch.dtype:
    """The type that products of such numbers are computed in: autocast's where it is on, which leaves float64 alone."""
    device = like.device.type
    if torch.is_autocast_enabled(device) and like.dtype != torch.float64:
        return torch.get_autocast_dtype(device)
    return like.dtype
