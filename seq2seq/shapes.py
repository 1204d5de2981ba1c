"""Tensor types by name: the one place where a recurring shape is named. The batch is axis 0 everywhere."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

Ids = Int[Tensor, "batch time"]
SourceIds = Int[Tensor, "batch source"]
Frames = Float[Tensor, "batch source feature"]
Source = SourceIds | Frames  # what an encoder reads
TargetIds = Int[Tensor, "batch target"]
TargetFrames = Float[Tensor, "batch target value"]
BeamIds = Int[Tensor, "batch beam"]
BeamFrames = Float[Tensor, "batch beam value"]
Lengths = Int[Tensor, " batch"]
RowMask = Bool[Tensor, " batch"]
RowScores = Float[Tensor, " batch"]

TimeMask = Bool[Tensor, "batch time"]
SourceMask = Bool[Tensor, "batch source"]
StepMask = Bool[Tensor, "batch #target source"]  # of every step of a target, or one for all

TimeVectors = Float[Tensor, "batch time size"]
Inputs = Float[Tensor, "batch time input"]
Outputs = Float[Tensor, "batch time hidden"]
Vectors = Float[Tensor, "batch size"]

Values = Float[Tensor, "batch source memory"]
Keys = Float[Tensor, "batch source key"]
Query = Float[Tensor, "batch target query"]
Context = Float[Tensor, "batch target memory"]
AttentionWeights = Float[Tensor, "batch target source"]
Features = Float[Tensor, "batch target feature"]
BeamFeatures = Float[Tensor, "batch beam feature"]
Logits = Float[Tensor, "batch beam vocabulary"]
BeamWeights = Float[Tensor, "batch beam source"]
BeamScores = Float[Tensor, "batch beam"]

SentenceCounts = Float[np.ndarray, "sentence count"]
TrialTotals = Float[np.ndarray, "trial count"]
TrialScores = Float[np.ndarray, " trial"]


class SoftIds(NamedTuple):
    """Mixtures of tokens, one in every place, by weights that sum to 1; a row per place, or `batch target` of them."""

    ids: Int[Tensor, "*place k"]
    weights: Float[Tensor, "*place k"]


Written = TargetIds | SoftIds | TargetFrames  # what a decoder reads of whole targets
BeamWritten = BeamIds | SoftIds | BeamFrames
