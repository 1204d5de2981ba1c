import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.dropout import LockedDropout, TypeDropout, WordDropout
from seq2seq.symbols import BOS, EOS, PAD, UNK


def test_mask_is_locked_over_time():
    dropped = LockedDropout(0.5)(torch.ones(8, 7, 16))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert dropped.unique().tolist() == [0.0, 2.0]


def test_sentences_have_masks_of_their_own():
    dropped = LockedDropout(0.5)(torch.ones(8, 3, 64))
    assert len(dropped[:, 0].unique(dim=0)) == 8


def test_calls_draw_fresh_masks():
    dropout, values = LockedDropout(0.5), torch.ones(4, 3, 32)
    assert not torch.equal(dropout(values), dropout(values))


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.7])
def test_scale_keeps_the_mean(probability):
    values = torch.ones(100, 1, 1000)
    dropped = LockedDropout(probability)(values)
    # The mean of n independent entries that are 0 or 1 / keep has variance p / (keep n): five of its deviations.
    deviation = (probability / ((1 - probability) * values.numel())) ** 0.5
    assert abs(dropped.mean().item() - 1) < 5 * deviation
    torch.testing.assert_close(dropped.max(), torch.tensor(1 / (1 - probability)))


def test_mask_for_loops_has_the_same_values():
    mask = LockedDropout(0.25).mask(torch.zeros(50, 40))
    torch.testing.assert_close(mask.unique(), torch.tensor([0.0, 1 / 0.75]))


@pytest.mark.parametrize("dropout", [LockedDropout(0.5).eval(), LockedDropout(0.0)], ids=["eval", "p=0"])
def test_identity_in_evaluation_and_at_zero(dropout):
    values = torch.randn(4, 5, 6)
    assert torch.equal(dropout(values), values)
    assert torch.equal(dropout.mask(values[:, 0]), torch.ones(4, 6))


def test_gradient_passes_where_values_passed():
    values = torch.ones(3, 4, 32, requires_grad=True)
    dropped = LockedDropout(0.5)(values)
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped.detach())


@pytest.mark.parametrize("probability", [-0.1, 1.0, 1.5])
def test_bad_probability_is_told(probability):
    with pytest.raises(UserError) as error:
        LockedDropout(probability)
    assert str(error.value) == f"dropout must be at least 0 and below 1, but is {probability}."


# ---- Of words


IDS = torch.tensor([[BOS, 4, 5, 4, UNK, 6, EOS, PAD], [BOS, 5, 5, EOS, PAD, PAD, PAD, PAD]])


def test_a_type_is_kept_or_dropped_wherever_it_stands_in_the_batch():
    torch.manual_seed(0)
    seen = set()
    for _ in range(20):
        dropped = TypeDropout(0.5)(torch.ones(2, 8, 3), IDS, 7)
        assert torch.equal(dropped, dropped[..., :1].expand_as(dropped))
        factors = dropped[..., 0]
        for kind in (4, 5, 6, UNK):
            assert factors[kind == IDS].unique().tolist() in ([0.0], [2.0])
        for kind in (PAD, BOS, EOS):
            assert factors[kind == IDS].unique().tolist() == [1.0]
        seen.add(tuple(factors.flatten().tolist()))
    assert len(seen) > 1  # drawn anew for each batch


def test_words_become_unknown_and_marks_stay():
    torch.manual_seed(0)
    ids = IDS.repeat(400, 1)
    dropped = WordDropout(0.25)(ids)
    marks = (ids == PAD) | (ids == BOS) | (ids == EOS)
    assert torch.equal(dropped[marks], ids[marks])
    changed = dropped != ids
    assert dropped[changed].unique().tolist() == [UNK]
    of_words = changed[ids > EOS].float()
    deviation = (0.25 * 0.75 / len(of_words)) ** 0.5
    assert abs(of_words.mean().item() - 0.25) < 5 * deviation


@pytest.mark.parametrize("training", [True, False])
def test_words_stay_in_evaluation_and_at_zero_and_nothing_is_drawn(training):
    probability = 0.0 if training else 0.5
    torch.manual_seed(0)
    assert WordDropout(probability).train(training)(IDS) is IDS
    vectors = torch.ones(2, 8, 3)
    assert TypeDropout(probability).train(training)(vectors, IDS, 7) is vectors
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))


@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_probabilities_of_words_out_of_range_are_refused(probability):
    for kind, name in ((TypeDropout, "type_dropout"), (WordDropout, "word_dropout")):
        with pytest.raises(UserError) as error:
            kind(probability)
        assert str(error.value) == f"{name} must be at least 0 and below 1, but is {probability}."
