"""Tiny taggers, without dropout."""

from functools import partial

import torch
from torch import nn

from seq2seq.config.builder import call
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.models.encoder import Encoder
from seq2seq.models.model_options import ModelOptions
from seq2seq.models.tagger import Tagger, TaggingDecoder


def build(*, source_size: int = 10, size: int = 9, output=FullOutput, decoder=None, options=None, **encoder) -> Tagger:
    """A tagger in float64 and training mode, all of whose weights are drawn."""
    torch.manual_seed(1)
    wanted = {"hidden_size": 4, "num_layers": 1, "cell": LSTMCell, "dropout": 0.0} | encoder
    model = Tagger(
        source_vocabulary_size=source_size,
        target_vocabulary_size=size,
        options=ModelOptions(**{"embedding_size": 6, "dropout": 0.0} | (options or {})),
        encoder=partial(call, Encoder, **wanted),
        decoder=partial(TaggingDecoder, **{"hidden_size": 8, "feature_size": 6, "dropout": 0.0} | (decoder or {})),
        output=output,
    ).double()
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.7)
    return model
