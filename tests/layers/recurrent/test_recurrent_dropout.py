"""Recurrent dropout: one mask for all steps of a sentence, on what recurrent weights read and on nothing else."""

from functools import partial

import pytest
import torch
from tiny_models import BESIDE_MEMORY, CELLS, LIGHT

from seq2seq.errors import UserError
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.layers.recurrent.stack import BidirectionalLayer

SIZE, BATCH, TIME, RATE = 6, 5, 4, 0.4
# Cells whose recurrent weights have a column for each unit that they read: a mask on units is one on columns.
KINDS = sorted(CELLS.keys() - {*LIGHT, *BESIDE_MEMORY})
OTHER_FORMS = ("lstm_grouped", "lstm_low_rank", "conv_lstm", "conv_lstm_peepholes")
COLUMNS = sorted(set(KINDS) - set(OTHER_FORMS))


def pair(kind, rough, **rates):
    """A cell with noise and the same cell without."""
    noisy = rough(kind(3, SIZE, regularization=Regularization(**{"recurrent_dropout": RATE} | rates)))
    plain = kind(3, SIZE)
    plain.load_state_dict(noisy.state_dict())
    return noisy, plain


def drawn(noisy, state):
    """The mask of a pass that begins with the state after seed 5."""
    torch.manual_seed(5)
    return noisy.regularization.mask(state.hidden)


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_pass_is_one_by_weights_without_the_masked_columns(kind, rough, random_state):
    noisy, plain = pair(CELLS[kind], rough)
    sequence, first = torch.randn(1, TIME, 3), random_state(plain, 1)
    mask = drawn(noisy, first)
    assert mask.unique().tolist() == pytest.approx([0.0, 1 / (1 - RATE)])
    torch.manual_seed(5)
    found = noisy.unroll(sequence, first)
    with torch.no_grad():
        for name in plain.recurrent_weights:
            plain.get_parameter(name).mul_(mask)
    torch.testing.assert_close(found, plain.unroll(sequence, first))


@pytest.mark.parametrize("kind", OTHER_FORMS)
def test_weights_in_other_forms_read_masked_units_too(kind, rough, random_state):
    noisy, plain = pair(CELLS[kind], rough)
    inputs, state = torch.randn(BATCH, 3), random_state(plain, BATCH)
    mask = drawn(noisy, state)
    expected, gates = plain(plain.project(inputs), state._replace(hidden=state.hidden * mask))
    torch.testing.assert_close(noisy(noisy.project(inputs), state, mask), (expected, gates))


@pytest.mark.parametrize("kind", KINDS)
def test_unroll_is_repeated_steps_with_one_mask(kind, rough, random_state):
    noisy, _ = pair(CELLS[kind], rough, zoneout_hidden=0.0)
    sequence, state = torch.randn(BATCH, TIME, 3), random_state(noisy, BATCH)
    torch.manual_seed(5)
    outputs, last = noisy.unroll(sequence, state)
    torch.manual_seed(5)
    step = noisy.sequence(state)
    for time, inputs in enumerate(sequence.unbind(1)):
        state, _ = step(noisy.project(inputs), state)
        torch.testing.assert_close(outputs[:, time], state.hidden)
    torch.testing.assert_close(last, state)
    assert not torch.equal(noisy.unroll(sequence, random_state(noisy, BATCH))[0], outputs)


def test_sentences_have_masks_of_their_own_that_keep_the_mean():
    mask = Regularization(recurrent_dropout=RATE).mask(torch.zeros(400, 50))
    assert abs(float(mask.mean()) - 1) < 0.03  # 20,000 draws: three deviations are 0.017
    assert len({tuple(row) for row in mask.tolist()}) == 400


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_off_out_of_training_and_draws_nothing(kind, rough, random_state):
    noisy, plain = pair(CELLS[kind], rough)
    sequence, first = torch.randn(BATCH, TIME, 3), random_state(plain, BATCH)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    torch.testing.assert_close(noisy.eval().unroll(sequence, first), plain.unroll(sequence, first))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("rates", [{"zoneout_hidden": 0.5}, {"weight_drop": 0.3}])
def test_with_other_noise_the_old_state_stays_whole(rough, random_state, rates):
    noisy, _ = pair(CELLS["gru"], rough, **rates)
    state = random_state(noisy, 300)
    torch.manual_seed(5)
    outputs, _ = noisy.unroll(torch.randn(300, 1, 3), state)
    kept = outputs[:, 0].eq(state.hidden)
    assert (0.4 < kept.float().mean() < 0.6) == ("zoneout_hidden" in rates)


@pytest.mark.parametrize("kind", ["lstm", "gru", "recurrent_highway"])
def test_padding_changes_nothing(kind):
    regularization = Regularization(recurrent_dropout=RATE)
    layer = BidirectionalLayer(3, SIZE, cell=partial(CELLS[kind], regularization=regularization))
    lengths, inputs = torch.tensor([4, 2, 3]), torch.randn(3, 4, 3)
    padded = torch.cat([inputs, 100 * torch.randn(3, 3, 3)], 1)
    torch.manual_seed(5)
    outputs, last = layer(inputs, lengths)
    torch.manual_seed(5)
    wider, same = layer(padded, lengths)
    torch.testing.assert_close(same, last)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(wider[row, :length], outputs[row, :length])


def test_an_input_feeding_decoder_has_one_mask_for_a_target(build_model):
    cell = partial(CELLS["lstm"], regularization=Regularization(recurrent_dropout=RATE))
    model = build_model(decoder="bahdanau", cell=cell, decoder_layers=2)
    drawn, mask = [], Regularization.mask
    source, lengths, target = torch.randint(4, 12, (3, 4)), torch.tensor([4, 2, 3]), torch.randint(4, 13, (3, 6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Regularization, "mask", lambda *given: drawn.append(mask(*given)) or drawn[-1])
        model(source, lengths, target)
    assert [tuple(one.shape) for one in drawn] == [(3, 4)] * 4 + [(3, 8)] * 2


def test_chunks_that_would_drop_other_units_are_refused():
    cell = partial(CELLS["lstm"], regularization=Regularization(recurrent_dropout=0.25))
    with pytest.raises(UserError) as error:
        BidirectionalLayer(3, 4, cell=cell, chunk_size=2)
    assert str(error.value) == (
        "chunk_size must be null where recurrent_dropout is above 0, as each chunk would drop other units, "
        "but they are 2 and 0.25."
    )
