"""A translator by the weights of a model that is being trained."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from seq2seq.compression.packing import pack
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.translation.translator import Translator


def fast_translator(
    translator: Translator, model: Seq2Seq, before_batch: Callable[[], None] | None = None
) -> Translator:
    """The translator with a packed copy of the model, which must go on to be trained; it may call before each batch."""
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
