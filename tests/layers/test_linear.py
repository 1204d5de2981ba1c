import torch
from torch import nn

from seq2seq.layers.embedding import initialize_embedding
from seq2seq.layers.linear import initialize_linear, linear


def test_linear_is_xavier_with_zero_bias():
    layer = linear(32, 64)
    bound = (6 / (32 + 64)) ** 0.5
    assert 0.98 * bound < layer.weight.abs().max() <= bound
    assert layer.bias.eq(0).all()


def test_linear_may_have_no_bias():
    assert linear(3, 5, bias=False).bias is None


def test_initialize_linear_overwrites_what_was_there():
    layer = nn.Linear(3, 5)
    nn.init.constant_(layer.weight, 9.0)
    nn.init.constant_(layer.bias, 9.0)
    initialize_linear(layer)
    assert layer.weight.abs().max() < 1
    assert layer.bias.eq(0).all()


def test_embedding_gives_a_tied_output_logits_of_unit_variance():
    embedding = nn.Embedding(2000, 64, padding_idx=0)
    initialize_embedding(embedding)
    logits = embedding.weight[1:] @ torch.randn(64, 200)
    # About 2000 * 64 independent entries: the variance of their products is 1 to a few percent.
    assert abs(logits.var().item() - 1) < 0.1
    assert embedding.weight[0].eq(0).all()


def test_embedding_without_padding_has_no_zero_row():
    embedding = nn.Embedding(20, 8)
    initialize_embedding(embedding)
    assert embedding.weight.abs().sum(1).gt(0).all()
