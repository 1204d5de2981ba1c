import pytest
import torch

from seq2seq.masking import (
    last_within,
    length_mask,
    masked_softmax,
    reversal,
    reverse_within,
    shortened,
    without_padding,
)

LENGTHS = torch.tensor([4, 1, 6, 3])
WIDTH = 6


def test_length_mask_is_true_at_the_first_positions_of_every_row():
    assert length_mask(torch.tensor([2, 0, 3]), 4).tolist() == [
        [True, True, False, False],
        [False, False, False, False],
        [True, True, True, False],
    ]


def test_length_mask_holds_as_many_positions_as_the_lengths_say():
    torch.testing.assert_close(length_mask(LENGTHS, WIDTH).sum(1), LENGTHS)


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_shortened_counts_what_is_begun(steps):
    assert shortened(LENGTHS, steps).tolist() == [len(range(0, length, steps)) for length in LENGTHS.tolist()]


def test_without_padding_keeps_what_is_within_and_hides_even_what_is_no_number():
    values, mask = torch.randn(4, WIDTH, 3), length_mask(LENGTHS, WIDTH)
    values[~mask] = float("nan")
    assert torch.equal(without_padding(values, LENGTHS)[mask], values[mask])
    assert without_padding(values, LENGTHS)[~mask].eq(0).all()


def test_masked_softmax_sums_to_one_and_is_exactly_zero_on_padding():
    mask = length_mask(LENGTHS, WIDTH)
    weights = masked_softmax(torch.randn(4, 5, WIDTH) * 3, mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 5))
    assert torch.equal(weights > 0, mask.unsqueeze(1).expand_as(weights))


def test_masked_softmax_is_the_softmax_of_what_is_not_masked():
    scores = torch.randn(4, 5, WIDTH)
    weights = masked_softmax(scores, length_mask(LENGTHS, WIDTH))
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(weights[row, :, :length], scores[row, :, :length].softmax(-1))


@pytest.mark.parametrize(
    ("given", "computed"),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)
def test_masked_softmax_computes_in_float32_or_better(given, computed):
    weights = masked_softmax(torch.randn(2, 3, 4, dtype=given), torch.ones(2, 4, dtype=torch.bool))
    assert weights.dtype == computed


def test_masked_scores_get_no_gradient():
    scores = torch.randn(4, 5, WIDTH, requires_grad=True)
    mask = length_mask(LENGTHS, WIDTH)
    (masked_softmax(scores, mask) * torch.randn(4, 5, WIDTH)).sum().backward()
    assert scores.grad[~mask.unsqueeze(1).expand_as(scores)].eq(0).all()
    assert scores.grad[2].ne(0).all()


def test_last_within_is_the_vector_before_the_padding():
    values = torch.randn(4, WIDTH, 3)
    torch.testing.assert_close(
        last_within(values, LENGTHS), torch.stack([values[0, 3], values[1, 0], values[2, 5], values[3, 2]])
    )


def test_reversal_is_an_involution():
    permutation = reversal(LENGTHS, WIDTH)
    assert torch.equal(permutation[permutation], torch.arange(4 * WIDTH))


def test_reversal_turns_tokens_around_and_keeps_padding_in_place():
    values = torch.randn(4, WIDTH, 3)
    turned = reverse_within(values, reversal(LENGTHS, WIDTH))
    for row, length in enumerate(LENGTHS.tolist()):
        assert torch.equal(turned[row, :length], values[row, :length].flip(0))
        assert torch.equal(turned[row, length:], values[row, length:])


def test_reverse_within_has_the_gradient_of_its_values():
    values = torch.randn(4, WIDTH, 3, dtype=torch.float64, requires_grad=True)
    permutation = reversal(LENGTHS, WIDTH)
    assert torch.autograd.gradcheck(lambda v: reverse_within(v, permutation), values)


def test_reverse_within_takes_values_that_are_not_contiguous():
    values = torch.randn(WIDTH, 4, 3).transpose(0, 1)
    permutation = reversal(LENGTHS, WIDTH)
    assert torch.equal(reverse_within(values, permutation), reverse_within(values.contiguous(), permutation))
