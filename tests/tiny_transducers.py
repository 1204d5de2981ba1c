"""Tiny transducers, without dropout."""

from functools import partial

import torch

from seq2seq.config.builder import call
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.models.bridge import LastOutputBridge
from seq2seq.models.encoder import Encoder
from seq2seq.models.model_options import ModelOptions
from seq2seq.models.transducer import Transducer, TransducerDecoder


def build(
    *, source_size: int = 10, size: int = 14, output=FullOutput, layers: int = 1, seed: int = 1, embedding=None, **parts
) -> Transducer:
    """A transducer in training mode; encoder and embedding take options, unlike those of most tests."""
    torch.manual_seed(seed)
    encoder = {"hidden_size": 4, "num_layers": 1, "cell": LSTMCell, "dropout": 0.0} | parts.pop("encoder", {})
    return Transducer(
        source_vocabulary_size=source_size,
        target_vocabulary_size=size,
        options=ModelOptions(**{"embedding_size": 6, "dropout": 0.0} | (embedding or {})),
        encoder=partial(call, Encoder, **encoder),
        bridge=LastOutputBridge,
        decoder=partial(
            TransducerDecoder, hidden_size=8, feature_size=6, cell=LSTMCell, num_layers=layers, dropout=0.0
        ),
        output=output,
    )
