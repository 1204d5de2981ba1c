"""The pointer and its output: equations by hand, sums, gradients, and what cannot be copied."""

from functools import partial

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.attention.attention import Memory
from seq2seq.layers.copying import Pointer, PointerOutput
from seq2seq.layers.embedding import Embedding
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.output import Output
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.symbols import BOS, EOS, PAD, UNK

SOURCES, WORDS = 8, 9  # tokens of the vocabularies
# Two sources of up to five tokens. 4 is the target's 6; 5, 6 and 7 are nothing there; 8 and 10 are unknown pieces.
SOURCE = torch.tensor([[4, 5, 4, 5, EOS], [8, 6, 10, EOS, PAD]])
MASK = SOURCE != PAD
SOURCE[1, 2] = 10


def new_pointer(**sizes) -> Pointer:
    own = {"state_size": 3, "memory_size": 2, "input_size": 4} | sizes
    pointer = Pointer(source_vocabulary_size=SOURCES, target_vocabulary_size=WORDS, **own)
    pointer.spell(torch.tensor([-1, -1, -1, EOS, 6, -1, -1, -1]))
    return pointer


def new_output(words=FullOutput) -> PointerOutput:
    return PointerOutput(words(feature_size=5, embedding=Embedding(WORDS, 5)), feature_size=5, vocabulary_size=WORDS)


def rows_of(switch: float, sums: list[float], places: list[int], *, features: torch.Tensor) -> torch.Tensor:
    return torch.cat([features, torch.tensor([switch]), torch.tensor(sums), torch.tensor(places).float()]).unsqueeze(0)


def random_rows(dtype=torch.float32, steps: int = 4) -> tuple[Pointer, torch.Tensor]:
    """Rows of a random pointer, `batch target row`."""
    pointer = new_pointer().to(dtype)
    memory = Memory(torch.randn(2, 5, 2, dtype=dtype), torch.empty(0), MASK, copies=tuple(pointer.reach(SOURCE, MASK)))
    weights = torch.randn(2, steps, 5, dtype=dtype).masked_fill(~MASK.unsqueeze(1), float("-inf")).softmax(-1)
    given = (torch.randn(2, steps, size, dtype=dtype) for size in (3, 4))
    return pointer, pointer(torch.randn(2, steps, 5, dtype=dtype), weights, weights, memory, *given)


def test_a_pieces_place_is_the_target_id_of_its_text_or_where_it_comes_first():
    places, sums = new_pointer().reach(SOURCE, MASK)
    # 4 is the target's 6, 5 is said to be at place 1, the end is EOS; other positions have places of no piece.
    assert places.tolist() == [[6, WORDS + 1, WORDS + 2, WORDS + 3, EOS], [WORDS, WORDS + 1, WORDS + 2, EOS, WORDS + 4]]
    assert sums[0].tolist() == [
        [1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [0, 1, 0, 0, 0],
        [0, 0, 0, 0, 1],
    ]
    assert sums[1].tolist() == torch.diag(torch.tensor([1.0, 1, 1, 1, 0])).tolist()


def test_probabilities_by_hand():
    """With g = 1/4: p(6) = 1/4 of the vocabulary's and 3/4 (0.2 + 0.3), p(place 1) = 3/4 (0.1 + 0.15)."""
    output = new_output()
    torch.nn.init.zeros_(output.words.projection.weight)
    output.words.projection.bias = torch.nn.Parameter(torch.arange(WORDS).float().add(1).log())
    rows = rows_of(
        torch.tensor(1 / 3).log().item(),
        [0.5, 0.25, 0.0, 0.0, 0.25],
        [6, WORDS + 1, WORDS + 2, WORDS + 3, EOS],
        features=torch.randn(5),
    )
    words = torch.tensor([0, 2, 0, 4, 5, 6, 7, 8, 9]) / 41
    expected = torch.cat([words / 4, torch.tensor([0, 0.1875, 0, 0, 0])])
    expected[6] += 0.375
    expected[EOS] += 0.1875
    torch.testing.assert_close(output.log_probabilities(rows)[0].exp(), expected)
    torch.testing.assert_close(output.loss(rows, torch.tensor([6])), -torch.tensor([7 / 41 / 4 + 0.375]).log())
    share, switch = output.copied(rows, torch.tensor([6]))
    torch.testing.assert_close(share, torch.tensor([0.375 / (7 / 41 / 4 + 0.375)]))
    torch.testing.assert_close(switch, torch.tensor([0.75]))
    assert output.copied(rows, torch.tensor([WORDS + 1]))[0].item() == 1
    assert output.copied(rows, torch.tensor([5]))[0].item() == 0


def test_the_switch_by_hand():
    pointer = new_pointer(state_size=1, memory_size=1, input_size=1)
    pointer.switch.weight = torch.nn.Parameter(torch.tensor([[2.0, 3.0, 5.0]]))  # of context, state and input
    torch.nn.init.constant_(pointer.switch.bias, 7.0)
    reach = pointer.reach(torch.tensor([[4, 5]]), torch.ones(1, 2, dtype=torch.bool))
    memory = Memory(torch.tensor([[[1.0], [10.0]]]), torch.empty(0), torch.ones(1, 2), copies=tuple(reach))
    weights = torch.tensor([[[0.75, 0.25]]])
    row = pointer(torch.zeros(1, 1, 5), weights, weights, memory, torch.tensor([[[0.5]]]), torch.tensor([[[-2.0]]]))
    torch.testing.assert_close(row[0, 0, 5].item(), 2 * (0.75 + 2.5) + 3 * 0.5 - 5 * 2 + 7)
    assert row[0, 0, 6:].tolist() == [0.75, 0.25, 6, WORDS + 1]


@pytest.mark.parametrize("words", [FullOutput, TiedOutput])
def test_probabilities_sum_to_one_over_the_extended_set_and_are_those_of_the_loss(words):
    _, rows = random_rows()
    output, flat = new_output(words), rows.flatten(0, 1)
    found = output.log_probabilities(flat)
    assert found.shape == (8, WORDS + 5)
    torch.testing.assert_close(found.exp().sum(1), torch.ones(8))
    assert not found[:, [PAD, BOS]].isfinite().any()
    assert found[:4].isfinite().nonzero()[:, 1].unique().tolist() == [UNK, *range(EOS, WORDS), WORDS + 1]
    assert found[4:].isfinite().nonzero()[:, 1].unique().tolist() == [UNK, *range(EOS, WORDS + 3)]
    for target in (UNK, EOS, 6, WORDS + 1):
        losses = output.loss(flat, torch.full((8,), target))
        torch.testing.assert_close(-losses, found[:, target])
        torch.testing.assert_close(output.target_scores(flat, torch.full((8,), target)), found[:, target])
    torch.testing.assert_close(output.logits(flat).log_softmax(1), found)
    torch.testing.assert_close(output.probabilities(output.barred(flat)), found.exp())


def test_with_the_switch_at_one_it_is_the_plain_output_bit_for_bit():
    pointer, rows = random_rows()
    output, flat = new_output(), rows.flatten(0, 1)
    flat[:, 5] = 1e4
    plain = output.words.log_probabilities(flat[:, :5])
    assert torch.equal(output.log_probabilities(flat)[:, :WORDS], plain)
    assert (output.log_probabilities(flat)[:, WORDS:] < -1e3).all()
    targets = torch.randint(EOS, WORDS, (8,))
    assert torch.equal(output.loss(flat, targets), output.words.loss(flat[:, :5], targets))


def test_gradients_of_the_mixed_loss():
    pointer, rows = random_rows(torch.float64)
    output = new_output().double()
    flat = rows.flatten(0, 1).detach()
    targets = torch.tensor([UNK, EOS, 6, WORDS + 1, WORDS, WORDS + 1, 7, EOS])
    numbers, places = flat[:, :11].clone().requires_grad_(), flat[:, 11:]

    def losses(numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        wide = torch.cat([numbers, places], 1)
        said = output.log_probabilities(wide)
        return output.loss(wide, targets), said.exp().sum(1) + said[:, EOS:WORDS].sum(1)

    # Of sums that are 0 nothing depends, so they have no gradient on either side of 0: they stay where they are.
    free = numbers[:, 6:] > 0
    given = numbers.detach()

    def of_free(parts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return losses(torch.cat([given[:, :6] * 1.0, given[:, 6:].masked_scatter(free, parts)], 1))

    assert torch.autograd.gradcheck(of_free, (given[:, 6:][free].clone().requires_grad_(),))
    assert torch.autograd.gradcheck(
        lambda head: losses(torch.cat([head, given[:, 6:]], 1)), (numbers[:, :6].detach().clone().requires_grad_(),)
    )


def test_both_ways_to_the_loss_have_one_gradient():
    torch.manual_seed(2)
    _, rows = random_rows(torch.float64)
    output, targets = new_output().double(), torch.tensor([UNK, EOS, 6, WORDS + 1, WORDS, WORDS + 1, 7, EOS])
    found = []
    for way in (output.loss, lambda flat, to: -output.log_probabilities(flat).gather(1, to.unsqueeze(1)).squeeze(1)):
        flat = rows.detach().flatten(0, 1).requires_grad_()
        losses = way(flat, targets)
        losses.sum().backward()
        found.append((losses.detach(), flat.grad[:, :11], output.words.projection.weight.grad.clone()))
        output.zero_grad()
    for one, other in zip(*found, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other)


def test_a_piece_that_attention_has_nothing_for_costs_much_but_not_infinitely_much():
    pointer = new_pointer()
    memory = Memory(torch.randn(2, 5, 2), torch.empty(0), MASK, copies=tuple(pointer.reach(SOURCE, MASK)))
    weights = torch.zeros(2, 1, 5)
    weights[..., 0] = 1
    rows = pointer(torch.randn(2, 1, 5), weights, weights, memory, torch.randn(2, 1, 3), torch.randn(2, 1, 4))
    output = new_output()
    losses = output.loss(rows.flatten(0, 1), torch.tensor([WORDS + 1, WORDS + 1]))
    assert losses.isfinite().all()
    assert (losses > 80).all()
    losses.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in pointer.parameters())
    torch.testing.assert_close(output.log_probabilities(rows.flatten(0, 1)).exp().sum(1), torch.ones(2))


def test_half_precision_rows_keep_ids_and_sums():
    pointer = new_pointer().bfloat16()
    memory = Memory(torch.randn(2, 5, 2).bfloat16(), torch.empty(0), MASK, copies=tuple(pointer.reach(SOURCE, MASK)))
    weights = MASK.float().div(MASK.sum(1, keepdim=True)).unsqueeze(1)
    given = (torch.randn(2, 1, size).bfloat16() for size in (5, 3, 4))
    features, state, inputs = given
    rows = pointer(features, weights, weights, memory, state, inputs).flatten(0, 1)
    found = new_output().bfloat16().log_probabilities(rows)
    assert rows.dtype == found.dtype == torch.float32
    torch.testing.assert_close(found.exp().sum(1), torch.ones(2))
    with torch.autocast("cpu", torch.bfloat16):
        pointer = new_pointer()
        rows = pointer(features.float(), weights, weights, memory, state.float(), inputs.float()).flatten(0, 1)
    assert rows[0, 6:11].tolist() == pytest.approx([0.4, 0.4, 0, 0, 0.2], abs=1e-7)


def test_outputs_without_full_probabilities_are_refused_by_name():
    class Sampled(Output):
        def scores(self, features):
            raise NotImplementedError

    with pytest.raises(UserError, match="^copying needs an output .* full or tied, but it is Sampled: choose another"):
        PointerOutput(Sampled(), feature_size=5, vocabulary_size=WORDS)
    with pytest.raises(UserError, match="^copying needs the probabilities of all tokens in training, but samples is 4"):
        new_output(partial(FullOutput, samples=4))
    with pytest.raises(UserError, match="^normalizer must be softmax with copying, .* but is entmax: choose softmax"):
        new_output(partial(FullOutput, normalizer="entmax"))
