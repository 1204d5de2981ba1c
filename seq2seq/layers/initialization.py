"""Named initialisations."""

import torch
from torch import nn


def initialize_linear(linear: nn.Linear) -> None:
    """Xavier uniform weight, zero bias."""
    nn.init.xavier_uniform_(linear.weight)
    if linear.bias is not None:
        nn.init.zeros_(linear.bias)


def initialize_embedding(embedding: nn.Embedding) -> None:
    """Normal with variance 1 / size, so that a tied output starts with logits of unit variance; padding 0."""
    nn.init.normal_(embedding.weight, std=embedding.embedding_dim**-0.5)
    if embedding.padding_idx is not None:
        with torch.no_grad():
            embedding.weight[embedding.padding_idx].zero_()


def linear(input_size: int, output_size: int, *, bias: bool = True) -> nn.Linear:
    """An initialised `nn.Linear`."""
    layer = nn.Linear(input_size, output_size, bias=bias)
    initialize_linear(layer)
    return layer
