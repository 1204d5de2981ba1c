"""The closed table of what a config can build: nothing else is looked up, whoever wrote the config."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from hydra.utils import get_object

from seq2seq.errors import UserError

_OURS = """
data.augmentation.copying.Copying
data.augmentation.hallucination.Hallucination
data.augmentation.noise.Noise
data.batch_growth.BatchGrowth
data.augmentation.splicing.Splicing
data.corpora.cmudict.CMUDictCorpus
data.corpora.csv_frames.CSVFrameCorpus
data.corpora.frame_files.NpzCorpus
data.corpora.hub.DatasetsCorpus
data.corpora.kept_pairs.KeptPairsCorpus
data.corpora.line_images.LineImageCorpus
data.corpora.mixture.MixtureCorpus
data.corpora.parallel.ParallelCorpus
data.corpora.synthetic.SyntheticCorpus
data.corpora.text.TextCorpus
data.corpora.ts.TsCorpus
data.corpora.tsv.TSVCorpus
data.curriculum.CompetenceCurriculum
data.curriculum.LengthCurriculum
data.datamodule.Seq2SeqDataModule
data.segmentation.SampledSegmentation
data.streams.StreamOptions
data.text.TextForm
data.truncation.Truncation
data.tokenizers.TokenizerTrainer
decoding.filters.Filters
decoding.length.LengthLimits
decoding.ranking.AverageRanking
decoding.ranking.CoveragePenalty
decoding.ranking.GNMTRanking
decoding.ranking.SumRanking
decoding.ranking.WordRewardRanking
decoding.search.beam.BeamSearch
decoding.search.diverse_beam.DiverseBeamSearch
decoding.search.greedy.GreedySearch
decoding.search.sampling.Sampling
decoding.simultaneous.ConfidencePolicy
decoding.simultaneous.WaitKPolicy
drift.adwin.Adwin
drift.page_hinkley.PageHinkley
drift.watch.Watch
layers.attention.additive.AdditiveAttention
layers.attention.coverage.CoverageAttention
layers.attention.dot.DotAttention
layers.attention.general.GeneralAttention
layers.attention.local.LocalAttention
layers.attention.location.LocationAttention
layers.attention.monotonic.MonotonicAttention
layers.attention.multi_head.MultiHeadAttention
layers.attention.none.NoAttention
layers.attention.normalized_additive.NormalizedAdditiveAttention
layers.copying.Pointer
layers.embedding.NGramEmbedding
layers.front_end.ConvolutionalFrontEnd
layers.inputs.frames.FrameInput
layers.inputs.pictures.PictureInput
layers.inputs.tokens.TokenInput
layers.output.adaptive.AdaptiveOutput
layers.output.full.FullOutput
layers.output.mixture.MixtureOutput
layers.output.tied.TiedOutput
layers.recurrent.cells.conv_lstm.ConvLSTMCell
layers.recurrent.cells.coupled.CoupledLSTMCell
layers.recurrent.cells.elman.ElmanCell
layers.recurrent.cells.factorized.FactorizedLSTMCell
layers.recurrent.cells.grouped.GroupedLSTMCell
layers.recurrent.cells.gru.GRUCell
layers.recurrent.cells.highway.RecurrentHighwayCell
layers.recurrent.cells.layer_norm.LayerNormLSTMCell
layers.recurrent.cells.low_rank.LowRankLSTMCell
layers.recurrent.cells.lstm.LSTMCell
layers.recurrent.cells.memory.QueueCell
layers.recurrent.cells.memory.StackCell
layers.recurrent.cells.memory.SuperpositionCell
layers.recurrent.cells.min_gru.MinGRUCell
layers.recurrent.cells.min_lstm.MinLSTMCell
layers.recurrent.cells.mogrifier.MogrifierLSTMCell
layers.recurrent.cells.multi_timescale.MultiTimescaleLSTMCell
layers.recurrent.cells.no_forget.NoForgetLSTMCell
layers.recurrent.cells.no_output.NoOutputLSTMCell
layers.recurrent.cells.peephole.PeepholeLSTMCell
layers.recurrent.cells.projected.ProjectedLSTMCell
layers.recurrent.cells.qrnn.QRNNCell
layers.recurrent.cells.residual.ResidualElmanCell
layers.recurrent.cells.sru.SRUCell
layers.recurrent.initialization.Chrono
layers.recurrent.initialization.ForgetBias
layers.recurrent.initialization.Initialization
layers.recurrent.regularization.Regularization
layers.sweeps.SweepingFrontEnd
metrics.characters.CharacterErrors
metrics.exact_match.ExactMatch
metrics.pronunciation.PronunciationScores
metrics.translation.TranslationScores
models.bridge.LastOutputBridge
models.bridge.StateBridge
models.bridge.ZeroBridge
models.decoder.GNMTDecoder
models.decoder.LuongDecoder
models.encoder.Encoder
models.input_feeding.BahdanauDecoder
models.language_model.LanguageModel
models.seq2seq.Seq2Seq
models.transducer.Transducer
models.transducer.TransducerDecoder
models.waiting.WaitK
runs.fusion.LanguageModelFusion
runs.fusion.LanguageModelRescoring
runs.run_tokenizers.RunTokenizers
runs.teacher_targets.TeacherTargets
training.budget.Budget
training.callbacks.cost.Cost
training.callbacks.early_stopping.EarlyStopping
training.callbacks.gate_monitor.GateMonitor
training.callbacks.loss_watch.LossWatch
training.callbacks.health.HealthRecord
training.callbacks.history.History
training.callbacks.largest_batch.LargestBatch
training.callbacks.length_scores.LengthScores
training.callbacks.memory.Memory
training.callbacks.perplexity.Perplexity
training.callbacks.progress.BudgetProgress
training.callbacks.samples.Samples
training.callbacks.score_watch.ScoreWatch
training.callbacks.throughput.Throughput
training.csv_logger.CSVLogger
training.callbacks.update_ratio.UpdateRatio
training.gradients.clip_adaptively.ClipAdaptively
training.gradients.clip_by_gate.ClipByGate
training.gradients.clip_by_norm.ClipByNorm
training.gradients.clip_by_value.ClipByValue
training.gradients.noise.AnnealedNoise
training.lr_finder.RateRange
training.muon.MuonWithAdamW
training.objectives.cross_entropy.CrossEntropy
training.objectives.guided_attention.GuidedAttention
training.objectives.imitation.Imitation
training.objectives.r_drop.RDrop
training.objectives.distillation.Distillation
training.objectives.minimum_risk.MinimumRisk
training.objectives.self_critical.SelfCritical
training.saving.CheckpointPolicy
training.scheduled_sampling.ConstantSampling
training.scheduled_sampling.ExponentialSampling
training.scheduled_sampling.InverseSigmoidSampling
training.scheduled_sampling.LinearSampling
training.plateau.PlateauSchedule
training.processes.Processes
training.schedules.ConstantSchedule
training.schedules.CosineRestartsSchedule
training.schedules.CosineSchedule
training.schedules.InverseSquareRootSchedule
training.schedules.LinearSchedule
training.schedules.OneCycleSchedule
translation.pieces.PieceLimits
translation.reranking.MinimumBayesRisk
translation.resets.BoundaryReset
translation.resets.EveryReset
translation.resets.NoReset
translation.resets.SegmentReset
translation.resets.SilenceReset
"""
_THEIRS = """
pytorch_lightning.Trainer
pytorch_lightning.callbacks.DeviceStatsMonitor
pytorch_lightning.callbacks.LearningRateMonitor
pytorch_lightning.loggers.MLFlowLogger
pytorch_lightning.loggers.TensorBoardLogger
pytorch_lightning.loggers.WandbLogger
pytorch_lightning.strategies.DDPStrategy
torch.optim.Adadelta
torch.optim.Adafactor
torch.optim.Adagrad
torch.optim.Adam
torch.optim.AdamW
torch.optim.NAdam
torch.optim.RAdam
torch.optim.RMSprop
torch.optim.SGD
"""
TABLE = frozenset([*(f"seq2seq.{name}" for name in _OURS.split()), *_THEIRS.split()])

_trusted: ContextVar[tuple[str, ...]] = ContextVar("_trusted", default=())


@contextmanager
def trusting(packages: Any) -> Iterator[None]:
    """Build classes of these packages, or of this one, too, for as long as the context is open.

    Whoever runs a command names them, from the working folder or installed; no file can. Raises UserError at a name
    that is no package of the user's.
    """
    names = list(packages) if isinstance(packages, Sequence) and not isinstance(packages, str) else [packages]
    for name in names:
        if not isinstance(name, str) or not _can_be_trusted(name):
            raise UserError(f"trust must hold names of packages with classes of your own, but holds {name!r}.")
    if names and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a script's own folder stands there instead
    for name in names:
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            raise UserError(
                f"trust must hold packages that can be imported, but {name!r} is none: install it, or run the command "
                "in the folder that it is in."
            )
    token = _trusted.set(tuple(names))
    try:
        yield
    finally:
        _trusted.reset(token)


def find(target: Any, path: str) -> Callable[..., Any]:
    """The class of a name in the table, or in a package that is trusted; `path` is where a config names it.

    Raises UserError at any other name, before anything is imported.
    """
    if isinstance(target, str) and target in TABLE:
        return get_object(target)
    package = target.partition(".")[0] if isinstance(target, str) else ""
    if package not in _trusted.get():
        advice = f": if it is of your own code, add trust=[{package}]." if _can_be_trusted(package) else "."
        raise UserError(f"{path} must be built by seq2seq, but its _target_ is {target!r}{advice}")
    try:
        found = get_object(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{path} cannot be built: {str(error).splitlines()[0]}") from None
    if not isinstance(found, type) or found.__module__.partition(".")[0] != package:
        raise UserError(f"{path} must be built by a class of {package} itself, but its _target_ is {target!r}.")
    return found


def _can_be_trusted(package: str) -> bool:
    return package.isidentifier() and package not in {*sys.stdlib_module_names, "seq2seq"}
