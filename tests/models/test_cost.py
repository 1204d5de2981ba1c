"""The arithmetic that is told of a model is what it does, whatever the lengths of both sides."""

from functools import partial
from math import prod

import pytest
import torch
from test_language_model import new_model as new_language_model
from tiny_models import ATTENTIONS, CELLS
from tiny_taggers import build as build_tagger
from tiny_transducers import build as build_transducer
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.layers.copying import Pointer
from seq2seq.layers.embedding import NGramEmbedding
from seq2seq.layers.front_end import ConvolutionalFrontEnd
from seq2seq.layers.inputs.frames import FrameInput
from seq2seq.layers.output.adaptive import AdaptiveOutput
from seq2seq.layers.output.frames import writes_frames
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.gaussian import GaussianOutput
from seq2seq.layers.output.huber import HuberOutput
from seq2seq.layers.output.mixture import MixtureOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.sweeps import SweepingFrontEnd
from seq2seq.models.bridge import LastOutputBridge, StateBridge, ZeroBridge
from seq2seq.models.cost import multiply_accumulates
from seq2seq.models.seq2seq import Seq2Seq

FRAME_VALUES = 3
LENGTHS = [(12, 5), (4, 7)]  # of source and target
# All sizes differ where they can: embedding 6, memory 8, decoder 10, features 7.
SIZES = {"decoder_size": 10, "feature_size": 7, "attention": "additive"}


def of_vector(matrix: tuple[int, ...], *others: object, **options: object) -> int:
    """The FLOP of a matrix by a vector, which torch does not count by itself."""
    return 2 * prod(matrix)


def counted(model: Seq2Seq, source_length: int, target_length: int) -> int:
    """Multiply-accumulates that torch counts while one sentence goes through the visible paths of all cells."""
    for module in model.eval().modules():
        module.fused = False
    source = torch.randint(4, 7, (1, source_length))
    if not model.sourceless and model.encoder.input.frames:
        source = torch.randn(1, source_length, model.encoder.input.features)
    target = torch.randint(4, 7, (1, target_length))
    if model.output.frames:
        target = torch.randn(1, target_length, FRAME_VALUES)
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping={torch.ops.aten.mv: of_vector}) as counter:
        features = model(source, torch.tensor([source_length]), target).features
        model.output.scores(features.flatten(0, 1))
    return counter.get_total_flops() // 2


def assert_told_right(model: Seq2Seq) -> None:
    for source_length, target_length in LENGTHS:
        told = multiply_accumulates(model, torch.tensor([source_length]), torch.tensor([target_length]))
        assert told.tolist() == [counted(model, source_length, target_length)]


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_of_every_attention(build_model, attention, decoder):
    sizes = {"decoder_size": 8} if "dot" in attention else {}  # queries as wide as values
    assert_told_right(build_model(**SIZES | sizes | {"attention": attention, "decoder": decoder}))


@pytest.mark.parametrize("cell", CELLS)
def test_of_every_cell(build_model, cell):
    assert_told_right(build_model(**SIZES, cell=CELLS[cell]))


@pytest.mark.parametrize(
    "output",
    [
        *(TiedOutput, FullOutput, MixtureOutput, partial(MixtureOutput, components=2, tied=False)),
        *(partial(AdaptiveOutput, cutoffs=[5, 6], shrink=2.0), GaussianOutput, HuberOutput),
    ],
)
def test_of_every_output(build_model, output):
    size = FRAME_VALUES if writes_frames(output) else 13
    assert_told_right(build_model(**SIZES, output=output, target_vocabulary_size=size))


@pytest.mark.parametrize("bridge", [LastOutputBridge, ZeroBridge, StateBridge])
def test_of_every_bridge(build_model, bridge):
    assert_told_right(build_model(bridge=bridge, direction="forward", encoder_size=8, decoder_layers=2))


@pytest.mark.parametrize(
    "options",
    [
        {"front_end": partial(ConvolutionalFrontEnd, widths=[3, 4], channels=5, stride=2, highway=1)},
        {"front_end": partial(SweepingFrontEnd, patch_height=3, patch_width=2, hidden_size=2)},
        {"ngrams": partial(NGramEmbedding, windows=[[1, 0]])},
        {"connection": "highway"},
        {"connection": "dense", "halvings": 1},
        {"direction": "forward"},
        {"chunk_size": 3},
        {"block_size": 3, "lookahead": 2},
        {"block_size": 20, "halvings": 1},
        {"copying": Pointer},
        {"copying": Pointer, "halvings": 1},
        {"input": FrameInput, "source_vocabulary_size": 3},
        {"input": partial(FrameInput, imputation="decay", mask=True, gaps=True), "source_vocabulary_size": 3},
    ],
    ids=str,
)
def test_of_every_way_to_read_a_source(build_model, options):
    assert_told_right(build_model(**SIZES, **options))


@pytest.mark.parametrize(
    "build",
    [build_tagger, partial(build_tagger, source_size=2, input=FrameInput), build_transducer, new_language_model],
)
def test_of_every_kind_of_model(build):
    assert_told_right(build())
