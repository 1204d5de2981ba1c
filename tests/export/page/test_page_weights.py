"""A page's weights: how far they move, where they are, and that its script widens them to the numbers of ours."""

import pytest
import torch
from page_programs import needs_node, weights_in_node

from seq2seq.errors import UserError
from seq2seq.export.page.assembly import script
from seq2seq.export.page.weight_bytes import store

FORMS = [("float16", 2**-11), ("int8", 1 / 254)]


@pytest.fixture
def model(build_model):
    return build_model(share_embeddings=True, target_vocabulary_size=12, decoder="gnmt")


@pytest.mark.parametrize(("form", "share"), FORMS)
def test_weights_lose_no_more_than_their_bits(model, form, share):
    stored = store(model, form)
    small = stored.widened(model)
    assert small.output.weight is small.decoder.embedding.table.weight is small.encoder.input.embedding.table.weight
    assert len({where["offset"] for where in stored.places.values()}) == len({*model.parameters()})
    for (name, one), (_, other) in zip(model.named_parameters(), small.named_parameters(), strict=True):
        if one.dim() == 1:
            assert torch.equal(one, other), name
        else:
            assert ((one - other).abs() <= share * one.abs().amax(1, keepdim=True) + 2**-24).all(), name
            assert not torch.equal(one, other)


@needs_node
@pytest.mark.parametrize("form", ["float16", "int8"])
def test_the_script_reads_the_numbers_of_the_model_to_the_bit(model, form):
    stored = store(model, form)
    found = weights_in_node(script(("numbers.js",)), stored)
    small = stored.widened(model).state_dict()
    assert found.keys() == small.keys()
    for name, weight in small.items():
        assert torch.equal(torch.tensor(found[name]), weight.flatten()), name


def test_weights_that_16_bits_do_not_hold_are_refused_and_kept_in_8(model):
    with torch.no_grad():
        model.decoder.readout.projection.weight[0, 0] = 70_000
    with pytest.raises(UserError, match="^float16 holds numbers up to 65,504, but decoder.readout.projection.weight "):
        store(model, "float16")
    assert store(model, "int8").widened(model).decoder.readout.projection.weight[0, 0] == 70_000
