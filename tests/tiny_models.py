"""A fresh random stream for every test, builders of tiny models, and translators of letters."""

import gc
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import signatures  # noqa: F401  before anything of ours is imported
import torch
from hydra.utils import get_object
from omegaconf import OmegaConf
from torch import Tensor

from seq2seq import machine
from seq2seq.compression.prepared import computes_bfloat16, computes_int8, sums_8_bits
from seq2seq.config.builder import call
from seq2seq.config.places import CONF
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.search import Search
from seq2seq.layers.attention.general import GeneralAttention
from seq2seq.layers.inputs.tokens import TokenInput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.models.bridge import LastOutputBridge
from seq2seq.models.decoder import GNMTDecoder, LuongDecoder
from seq2seq.models.encoder import Encoder
from seq2seq.models.input_feeding import BahdanauDecoder
from seq2seq.models.model_options import ModelOptions
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.models.waiting import WaitK
from seq2seq.symbols import EOS, PAD
from seq2seq.translation.translator import Translator


def _options_of(group: str, **tiny: dict[str, Any]) -> dict[str, Callable]:
    """A constructor for every option of a group of conf/: laws hold for what is added there. Some are made tiny."""
    found = {}
    for path in sorted((CONF / group).glob("*.yaml")):
        node = dict(OmegaConf.to_container(OmegaConf.load(path)))
        if node.get("_target_", "auto") == "auto":  # none of them, or one of the others
            continue
        own = {key: value for key, value in node.items() if key not in ("defaults", "_target_", "_partial_")}
        found[path.stem] = partial(call, get_object(node["_target_"]), **own | tiny.get(path.stem, {}))
    return found


ATTENTIONS = _options_of(
    "model/attention",
    additive={"size": 5},
    normalized_additive={"size": 5},
    multi_head={"heads": 2},
    local={"window": 2},
    location={"size": 5, "filters": 2, "window": 3},
    coverage={"size": 5},
    monotonic={"size": 5, "gain": 1.0},
)
CELLS = _options_of(
    "model/cell",
    lstm_projected={"expansion": 1.6},
    lstm_low_rank={"rank": 2},
    lstm_factorized={"rank": 2},
    lstm_grouped={"groups": 2},
    lstm_multi_timescale={"timescales": 2},
    mogrifier={"rounds": 3},
    stack={"width": 2, "depth": 3, "pop_bias": 0.0},
    queue={"width": 2, "depth": 3, "pop_bias": 0.0},
    superposition={"width": 2, "depth": 3, "pop_bias": 0.0},
)
CELLS["conv_lstm_peepholes"] = partial(CELLS["conv_lstm"], peepholes=True, padding_mode="replicate")
CELLS["stack_lstm"] = partial(CELLS["stack"], controller="lstm")
CELLS["qrnn_window_2"] = partial(CELLS["qrnn"], window=2)
GAP_CELLS = _options_of("model/gap_cell")  # of gap_size gaps behind each input
OUTPUTS = _options_of("model/output", adaptive={"cutoffs": [5, 9]}, mixture={"components": 2})
OUTPUTS = {name: kind for name, kind in OUTPUTS.items() if not kind.args[0].frames}
OUTPUTS["entmax"] = partial(OUTPUTS["full"], normalizer="entmax")
COPYING = _options_of("model/copying")
BESIDE_MEMORY = ("stack", "stack_lstm", "queue", "superposition")  # cells whose weights read what is in front there
LIGHT = ("sru", "qrnn", "qrnn_window_2", "min_gru", "min_lstm")  # cells without a recurrent matrix
SCALED = partial(GeneralAttention, scaled=True)  # of scores that stay small whatever the weights
DECODERS = {"luong": LuongDecoder, "gnmt": GNMTDecoder, "bahdanau": BahdanauDecoder}


machine.file = lambda: Path(os.devnull, "none")  # nothing is kept of speeds beside other tests
torch.set_num_threads(1)  # each process that runs tests has a core
for _device in (torch.cuda, torch.xpu, torch.mtia):  # one that is not there would keep each seed, and the stack with it
    if not _device.is_available():
        _device.manual_seed_all = lambda seed: None


@pytest.fixture(params=CELLS)
def cell_kind(request) -> Callable[..., Cell]:
    """A constructor of every cell, options among its keywords: cell_kind(3, 4, activation="relu")."""
    return CELLS[request.param]


@pytest.fixture(params=["lstm", "gru", "elman", "elman_relu"])
def fused_kind(request) -> Callable[..., Cell]:
    """Of every cell that torch has a kernel for."""
    return CELLS[request.param]


@pytest.fixture(params=LIGHT)
def light_kind(request) -> Callable[..., Cell]:
    """Of every cell without a recurrent matrix."""
    return CELLS[request.param]


@pytest.fixture(params=sorted(CELLS.keys() - set(LIGHT)))
def matrix_kind(request) -> Callable[..., Cell]:
    """Of every cell with a recurrent matrix."""
    return CELLS[request.param]


@pytest.fixture
def ways() -> Callable[[Cell], tuple[bool, ...]]:
    """What `fused` of a cell is to be for all its ways of reading a sequence: most have one."""
    return lambda cell: (True,) if type(cell).unroll is Cell.unroll else (True, False)


# What a test can need of the processor, by its marker, and how to ask for it.
NEEDS = {"needs_bfloat16": computes_bfloat16, "needs_int8": computes_int8, "needs_vnni": sums_8_bits}


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of every later search for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the processor cannot run."""
    for marker, met in NEEDS.items():
        if item.get_closest_marker(marker) and not met():
            pytest.skip(f"this processor lacks it: {marker}")


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
    type_dropout: float = 0.0,
    source_word_dropout: float = 0.0,
    target_word_dropout: float = 0.0,
    vocabulary_multiple: int = 1,
    cell: Callable = LSTMCell,
    encoder_size: int = 4,  # per direction, so a memory of 8
    encoder_layers: int = 2,
    encoder_dropout: float = 0.0,
    connection: str = "residual",
    halvings: int = 0,
    chunk_size: int | None = None,
    direction: str = "both",
    block_size: int | None = None,
    lookahead: int = 0,
    ngrams: Callable | None = None,
    front_end: Callable | None = None,
    bridge: Callable = LastOutputBridge,
    decoder: str = "luong",
    decoder_size: int = 8,
    decoder_layers: int | None = None,
    decoder_dropout: float = 0.0,
    attention_dropout: float = 0.0,
    feature_size: int = 6,
    attention: str | Callable = SCALED,
    output: Callable = TiedOutput,
    checkpointing: bool = False,
    copying: Callable | None = None,
    waiting: WaitK | None = None,
    input: Callable | None = None,
) -> Seq2Seq:
    return Seq2Seq(
        source_vocabulary_size=source_vocabulary_size,
        target_vocabulary_size=target_vocabulary_size,
        options=ModelOptions(
            embedding_size,
            share_embeddings,
            dropout,
            type_dropout,
            source_word_dropout,
            target_word_dropout,
            checkpointing,
            vocabulary_multiple,
        ),
        encoder=partial(
            call,
            Encoder,
            hidden_size=encoder_size,
            num_layers=encoder_layers,
            cell=cell,
            connection=connection,
            halvings=halvings,
            chunk_size=chunk_size,
            direction=direction,
            block_size=block_size,
            lookahead=lookahead,
            dropout=encoder_dropout,
            input=input or partial(TokenInput, ngrams=ngrams, front_end=front_end),
        ),
        bridge=bridge,
        decoder=partial(
            call,
            DECODERS[decoder],
            hidden_size=decoder_size,
            feature_size=feature_size,
            num_layers=decoder_layers or (2 if decoder == "gnmt" else 1),
            cell=cell,
            attention=ATTENTIONS[attention] if isinstance(attention, str) else attention,
            dropout=decoder_dropout,
            attention_dropout=attention_dropout,
            waiting=waiting,
        ),
        output=output,
        copying=copying,
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


# Translators


class EchoStepper:
    """Says the source again, looking at what it says; `batches` are the shapes of what it was started on."""

    def __init__(self, vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size
        self.batches: list[tuple[int, ...]] = []

    def start(self, source: Tensor, lengths: Tensor) -> tuple[Any, Any]:
        self.batches.append(tuple(source.shape))
        return (source, lengths), (torch.zeros(len(source), 1, dtype=torch.long),)

    def step(self, ids: Tensor, memory: Any, states: Any) -> tuple[Tensor, Tensor, Any]:
        (source, lengths), (place,) = memory, states
        place = place.minimum(lengths.unsqueeze(1) - 1)
        logits = 20.0 * torch.nn.functional.one_hot(source.gather(1, place), self.vocabulary_size)
        return logits, torch.nn.functional.one_hot(place, source.shape[1]).float(), (place + 1,)


@pytest.fixture(scope="session")
def letters() -> Tokenizers:
    """One vocabulary of lower-case letters, digits and the space for both sides."""
    examples = [Example("abcdefghijklm nopqrstuvwxyz", ("0123456789",))]
    return TokenizerTrainer(source="char", target="char", joint=True).train(examples)


@pytest.fixture
def echo_of() -> Callable[..., Translator]:
    """A translator whose every translation is the text itself: echo_of(tokenizers, batch_size=2)."""

    def build(tokenizers: Tokenizers, search: Search | None = None, **options: Any) -> Translator:
        return Translator(EchoStepper(tokenizers.target.size), tokenizers, search or GreedySearch(), **options)

    return build


@pytest.fixture
def echo(echo_of: Callable[..., Translator], letters: Tokenizers) -> Translator:
    return echo_of(letters, batch_size=3)


@pytest.fixture
def babbler(build_model: Callable[..., Seq2Seq], letters: Tokenizers) -> Callable[..., Translator]:
    """A random model that has much to say, the same at every call: babbler(search, batch_size=2)."""

    def build(search: Search | None = None, *, tokenizers: Tokenizers = letters, **options: Any) -> Translator:
        torch.manual_seed(3)
        sizes = {f"{side}_vocabulary_size": getattr(tokenizers, side).size for side in ("source", "target")}
        model = build_model(**sizes).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(2.5)  # logits far enough apart for a clear choice
            model.output.bias[EOS] += 2.0
        limits = LengthLimits(max_ratio=1.0, max_extra=6)
        return Translator(model, tokenizers, search or BeamSearch(beam_size=4, length=limits), **options)

    return build
