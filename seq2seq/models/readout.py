"""The readout of decoders."""

import torch
from torch import nn

from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.linear import linear
from seq2seq.shapes import Context, Features, Outputs


class Readout(nn.Module):
    """Readout: features = tanh(W [hidden; context]) (Luong et al. 2015, eq. 5), with locked dropout."""

    def __init__(self, hidden_size: int, memory_size: int, feature_size: int, *, dropout: float) -> None:
        super().__init__()
        self.projection = linear(hidden_size + memory_size, feature_size)
        self.dropout = LockedDropout(dropout)

    def forward(self, hidden: Outputs, context: Context) -> Features:
        return self.dropout(self.projection(torch.cat([hidden, context], -1)).tanh())
