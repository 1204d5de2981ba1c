"""A fresh random stream for every test, and builders of tiny models."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
from torch import Tensor

from seq2seq.layers.attention.additive import AdditiveAttention
from seq2seq.layers.attention.dot import DotAttention
from seq2seq.layers.attention.general import GeneralAttention
from seq2seq.layers.output import TiedOutput
from seq2seq.layers.recurrent.cells import LSTMCell
from seq2seq.models.bridge import LastOutputBridge
from seq2seq.models.decoder import BahdanauDecoder, GNMTDecoder, LuongDecoder
from seq2seq.models.encoder import Encoder
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.symbols import PAD

ATTENTIONS = {"dot": DotAttention, "general": GeneralAttention, "additive": partial(AdditiveAttention, size=5)}
DECODERS = {"luong": LuongDecoder, "gnmt": GNMTDecoder, "bahdanau": BahdanauDecoder}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(1)


@pytest.fixture
def attention_kind() -> Callable[[str], Callable]:
    """An attention's constructor by name; it still takes query_size and memory_size."""
    return ATTENTIONS.__getitem__


@pytest.fixture
def decoder_kind() -> Callable[[str], Callable]:
    """A decoder's constructor by name."""
    return DECODERS.__getitem__


@pytest.fixture
def build_model() -> Callable[..., Seq2Seq]:
    """A tiny model in training mode, without dropout unless told: build_model(decoder="gnmt", encoder_layers=3)."""
    return _build_model


def _build_model(
    *,
    source_vocabulary_size: int = 12,
    target_vocabulary_size: int = 13,
    embedding_size: int = 6,
    share_embeddings: bool = False,
    dropout: float = 0.0,
    cell: Callable = LSTMCell,
    encoder_size: int = 4,  # per direction, so a memory of 8
    encoder_layers: int = 2,
    encoder_dropout: float = 0.0,
    residual: bool = True,
    ngrams: Callable | None = None,
    bridge: Callable = LastOutputBridge,
    decoder: str = "luong",
    decoder_size: int = 8,
    decoder_layers: int | None = None,
    decoder_dropout: float = 0.0,
    feature_size: int = 6,
    attention: str | Callable = "general",
    output: Callable = TiedOutput,
) -> Seq2Seq:
    return Seq2Seq(
        source_vocabulary_size=source_vocabulary_size,
        target_vocabulary_size=target_vocabulary_size,
        embedding_size=embedding_size,
        share_embeddings=share_embeddings,
        dropout=dropout,
        encoder=partial(
            Encoder,
            hidden_size=encoder_size,
            num_layers=encoder_layers,
            cell=cell,
            residual=residual,
            dropout=encoder_dropout,
            ngrams=ngrams,
        ),
        bridge=bridge,
        decoder=partial(
            DECODERS[decoder],
            hidden_size=decoder_size,
            feature_size=feature_size,
            num_layers=decoder_layers or (2 if decoder == "gnmt" else 1),
            cell=cell,
            attention=ATTENTIONS[attention] if isinstance(attention, str) else attention,
            dropout=decoder_dropout,
        ),
        output=output,
    )


@pytest.fixture
def padded() -> Callable[..., tuple[Tensor, Tensor]]:
    """Sentences of ids as one right-padded tensor, `extra` columns of padding wider than needed, and their lengths."""
    return _padded


def _padded(sentences: Sequence[Sequence[int]], extra: int = 0) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    ids = torch.full((len(sentences), int(lengths.max()) + extra), PAD)
    for row, sentence in enumerate(sentences):
        ids[row, : len(sentence)] = torch.tensor(sentence)
    return ids, lengths
