"""Parts of models as modules of torch, for loops of one's own.

    model = nn.Seq2Seq(
        source_vocabulary_size=30, target_vocabulary_size=40, options=nn.ModelOptions(embedding_size=64),
        encoder=partial(nn.Encoder, options=nn.StackOptions(hidden_size=64, num_layers=2, cell=nn.LSTMCell)),
        bridge=nn.LastOutputBridge,
        decoder=partial(nn.LuongDecoder, options=nn.DecoderOptions(...)), output=nn.TiedOutput,
    )
    features = model(source, lengths, target).features      # batch target size; model.output.loss(...) scores them
    nn.BeamSearch(beam_size=5)(model, source, lengths)      # hypotheses of each sentence

What a part takes is in its constructor; a model's parts are factories, as the model supplies their sizes.
`examples/training_loop.py` trains one in forty lines.
"""

from seq2seq.decoding.ensemble import EnsembleStepper
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.diverse_beam import DiverseBeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.decoding.stepper import Stepper
from seq2seq.layers.attention.additive import AdditiveAttention
from seq2seq.layers.attention.attention import Attention, Memory, ScoredAttention
from seq2seq.layers.attention.coverage import CoverageAttention
from seq2seq.layers.attention.dot import DotAttention
from seq2seq.layers.attention.general import GeneralAttention
from seq2seq.layers.attention.local import LocalAttention
from seq2seq.layers.attention.location import LocationAttention
from seq2seq.layers.attention.monotonic import MonotonicAttention
from seq2seq.layers.attention.multi_head import MultiHeadAttention
from seq2seq.layers.attention.none import NoAttention
from seq2seq.layers.attention.normalized_additive import NormalizedAdditiveAttention
from seq2seq.layers.copying import Pointer
from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.embedding import Embedding, NGramEmbedding
from seq2seq.layers.front_end import ConvolutionalFrontEnd, FrontEnd
from seq2seq.layers.inputs.frames import FrameInput
from seq2seq.layers.inputs.input import Input, SourceSide
from seq2seq.layers.inputs.pictures import PictureInput
from seq2seq.layers.inputs.tokens import TokenInput
from seq2seq.layers.output.adaptive import AdaptiveOutput
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.gaussian import GaussianOutput
from seq2seq.layers.output.huber import HuberOutput
from seq2seq.layers.output.mixture import MixtureOutput
from seq2seq.layers.output.output import Output
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.layers.recurrent.bidirectional import BidirectionalLayer
from seq2seq.layers.recurrent.blockwise import BlockwiseLayer
from seq2seq.layers.recurrent.cells.cell import Cell
from seq2seq.layers.recurrent.cells.conv_lstm import ConvLSTMCell
from seq2seq.layers.recurrent.cells.coupled import CoupledLSTMCell
from seq2seq.layers.recurrent.cells.elman import ElmanCell
from seq2seq.layers.recurrent.cells.factorized import FactorizedLSTMCell
from seq2seq.layers.recurrent.cells.gap_cell import GapCell
from seq2seq.layers.recurrent.cells.grouped import GroupedLSTMCell
from seq2seq.layers.recurrent.cells.gru import GRUCell
from seq2seq.layers.recurrent.cells.gru_d import GRUDCell
from seq2seq.layers.recurrent.cells.highway import RecurrentHighwayCell
from seq2seq.layers.recurrent.cells.layer_norm import LayerNormLSTMCell
from seq2seq.layers.recurrent.cells.low_rank import LowRankLSTMCell
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.memory import MemoryCell, QueueCell, StackCell, SuperpositionCell
from seq2seq.layers.recurrent.cells.min_gru import MinGRUCell
from seq2seq.layers.recurrent.cells.min_lstm import MinLSTMCell
from seq2seq.layers.recurrent.cells.mogrifier import MogrifierLSTMCell
from seq2seq.layers.recurrent.cells.multi_timescale import MultiTimescaleLSTMCell
from seq2seq.layers.recurrent.cells.no_forget import NoForgetLSTMCell
from seq2seq.layers.recurrent.cells.no_output import NoOutputLSTMCell
from seq2seq.layers.recurrent.cells.options import CellOptions, GatedCellOptions, LinearCellOptions
from seq2seq.layers.recurrent.cells.peephole import PeepholeLSTMCell
from seq2seq.layers.recurrent.cells.phased_lstm import PhasedLSTMCell
from seq2seq.layers.recurrent.cells.projected import ProjectedLSTMCell
from seq2seq.layers.recurrent.cells.qrnn import QRNNCell
from seq2seq.layers.recurrent.cells.residual import ResidualElmanCell
from seq2seq.layers.recurrent.cells.sru import SRUCell
from seq2seq.layers.recurrent.cells.time_lstm import TimeLSTMCell
from seq2seq.layers.recurrent.initialization import Chrono, ForgetBias, Initialization
from seq2seq.layers.recurrent.one_way import OneWayLayer
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.layers.recurrent.stack import Encoded, RecurrentStack, StackOptions
from seq2seq.layers.sweeps import SweepingFrontEnd
from seq2seq.models.bridge import LastOutputBridge, StateBridge, ZeroBridge
from seq2seq.models.decoder import Decoder, DecoderOptions, GNMTDecoder, LuongDecoder, States
from seq2seq.models.encoder import Encoder
from seq2seq.models.input_feeding import BahdanauDecoder
from seq2seq.models.model_options import ModelOptions
from seq2seq.models.seq2seq import ModelOutputs, Seq2Seq

__all__ = [
    "FactorizedLSTMCell",
    "GroupedLSTMCell",
    "RecurrentHighwayCell",
    "ResidualElmanCell",
    "AdaptiveOutput",
    "AdditiveAttention",
    "Attention",
    "BahdanauDecoder",
    "BeamSearch",
    "BidirectionalLayer",
    "BlockwiseLayer",
    "OneWayLayer",
    "RecurrentStack",
    "Cell",
    "CellOptions",
    "Chrono",
    "ConvolutionalFrontEnd",
    "FrameInput",
    "FrontEnd",
    "PictureInput",
    "SweepingFrontEnd",
    "Input",
    "SourceSide",
    "TokenInput",
    "ConvLSTMCell",
    "CoupledLSTMCell",
    "CoverageAttention",
    "Decoder",
    "DecoderOptions",
    "DiverseBeamSearch",
    "DotAttention",
    "ElmanCell",
    "Embedding",
    "ModelOptions",
    "Encoded",
    "Encoder",
    "EnsembleStepper",
    "ForgetBias",
    "FullOutput",
    "GNMTDecoder",
    "GRUCell",
    "GRUDCell",
    "GapCell",
    "PhasedLSTMCell",
    "TimeLSTMCell",
    "GatedCellOptions",
    "GaussianOutput",
    "GeneralAttention",
    "GreedySearch",
    "HuberOutput",
    "Hypothesis",
    "Initialization",
    "LSTMCell",
    "LastOutputBridge",
    "LayerNormLSTMCell",
    "LengthLimits",
    "LinearCellOptions",
    "LocalAttention",
    "LocationAttention",
    "LockedDropout",
    "LowRankLSTMCell",
    "LuongDecoder",
    "Memory",
    "MemoryCell",
    "QueueCell",
    "StackCell",
    "SuperpositionCell",
    "NoAttention",
    "StateBridge",
    "MinGRUCell",
    "MinLSTMCell",
    "ModelOutputs",
    "MixtureOutput",
    "MogrifierLSTMCell",
    "MonotonicAttention",
    "MultiHeadAttention",
    "MultiTimescaleLSTMCell",
    "NGramEmbedding",
    "NoForgetLSTMCell",
    "NoOutputLSTMCell",
    "NormalizedAdditiveAttention",
    "Output",
    "PeepholeLSTMCell",
    "Pointer",
    "ProjectedLSTMCell",
    "QRNNCell",
    "Regularization",
    "SRUCell",
    "Sampling",
    "ScoredAttention",
    "Seq2Seq",
    "StackOptions",
    "States",
    "Stepper",
    "TiedOutput",
    "ZeroBridge",
]
