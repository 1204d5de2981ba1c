"""An attention of one's own, used from the command line without a fork of the package.

In this folder, for whoever trusts this file:

    python ../../scripts/train.py --config-dir conf model/attention=cosine trust=[own_attention] task=mine
    python ../../scripts/translate.py run=runs/mine/DATE_TIME trust=[own_attention] < words.txt

A checkpoint names the class but does not hold it, and no file can say that it is to be trusted: every command is told.
Cells, corpora, metrics, objectives and callbacks of one's own come in the same way.
"""

import torch
from torch import nn
from torch.nn import functional

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory, ScoredAttention
from seq2seq.layers.linear import linear
from seq2seq.shapes import AttentionWeights, Keys, Query, Values


class CosineAttention(ScoredAttention):
    """Attention by the angle: score = sharpness cos(query, W value), with a sharpness that is learnt.

    Raises UserError if the sharpness to begin with is not above 0.
    """

    def __init__(self, *, query_size: int, memory_size: int, sharpness: float = 10.0) -> None:
        super().__init__()
        if sharpness <= 0:
            raise UserError(f"sharpness must be above 0, but is {sharpness}.")
        self.projection = linear(memory_size, query_size, bias=False)
        self.sharpness = nn.Parameter(torch.tensor(float(sharpness)))

    def keys(self, values: Values) -> Keys:
        """The projected values at length 1."""
        return functional.normalize(self.projection(values), dim=-1)

    def score(self, query: Query, memory: Memory) -> AttentionWeights:
        """Cosines of queries and keys, `batch target source`, by the sharpness."""
        return self.sharpness * torch.bmm(functional.normalize(query, dim=-1), memory.keys.transpose(1, 2))
