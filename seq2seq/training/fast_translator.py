"""A translator by the weights of a model that is being trained."""

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from seq2seq.compression.packing import pack
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.translation.forecaster import Forecaster
from seq2seq.translation.translator import Translator

Answering = TypeVar("Answering", bound=Translator | Forecaster)


def fast_translator(translator: Answering, model: Seq2Seq, before_batch: Callable[[], None] | None = None) -> Answering:
    """The translator, or forecaster, with a packed copy of the model, which must go on to be trained.

    It may call something before each batch.
    """
    found = copy.copy(translator)
    if before_batch is not None:
        found.before_batch = before_batch
    # Products are packed from float32 alone: a model in another format translates as it is.
    if all(weight.dtype == torch.float32 for weight in model.parameters()):
        found.stepper = pack(_copy(model).eval())
    return found


def _copy(model: Seq2Seq) -> Seq2Seq:
    """A copy, with weights as cuDNN wants them, side by side, which copying undoes."""
    found = copy.deepcopy(model)
    for layer in found.modules():
        if isinstance(layer, nn.RNNBase):
            layer.flatten_parameters()
    return found
