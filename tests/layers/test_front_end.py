import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.front_end import ConvolutionalFrontEnd

SIZE, WIDTH = 3, 7
LENGTHS = torch.tensor([4, 7, 1, 5])
# widths, stride
WINDOWS = [
    ([1], 1),
    ([2], 1),
    ([1, 2, 3], 1),
    ([5], 1),
    ([9], 1),
    ([2], 2),
    ([1, 4], 2),
    ([3], 3),
    ([5, 2], 3),
    ([4], 4),
]


def front_end(widths, stride=1, *, channels=2, highway=0) -> ConvolutionalFrontEnd:
    """With biases, which start at 0."""
    made = ConvolutionalFrontEnd(SIZE, widths=widths, channels=channels, stride=stride, highway=highway)
    with torch.no_grad():
        for filters in made.filters:
            filters.bias.normal_()
    return made


def sentences(**options) -> torch.Tensor:
    """Padding holds rubbish: nothing may depend on it."""
    return torch.randn(4, WIDTH, SIZE, requires_grad=True, **options)


def convolved(made: ConvolutionalFrontEnd, sentence: torch.Tensor) -> torch.Tensor:
    """Of one sentence without padding, by the sums themselves."""
    rows = []
    for start in range(0, len(sentence), made.stride):
        row = []
        for filters in made.filters:
            channels, _, width = filters.weight.shape
            first = start - (width - made.stride) // 2
            for channel in range(channels):
                total = filters.bias[channel]
                for offset in range(width):
                    if 0 <= first + offset < len(sentence):
                        total = total + filters.weight[channel, :, offset] @ sentence[first + offset]
                row.append(total.clamp(min=0))
        rows.append(torch.stack(row))
    return torch.stack(rows)


@pytest.mark.parametrize("highway", [0, 2])
@pytest.mark.parametrize(("widths", "stride"), WINDOWS)
def test_every_sentence_is_convolved_as_if_alone_and_unpadded(widths, stride, highway):
    made, vectors = front_end(widths, stride, highway=highway), sentences()
    found, lengths = made(vectors, LENGTHS)
    assert found.shape == (4, -(-WIDTH // stride), made.output_size)
    for row, length in enumerate(LENGTHS.tolist()):
        expected = convolved(made, vectors[row, :length])
        for layer in made.highway:
            expected = layer(expected)
        assert lengths[row] == len(expected)
        torch.testing.assert_close(found[row, : len(expected)], expected)


@pytest.mark.parametrize(("widths", "stride"), WINDOWS)
def test_more_padding_and_another_order_change_nothing(widths, stride):
    made, vectors, order = front_end(widths, stride, highway=1), sentences(), torch.tensor([2, 0, 3, 1])
    found, lengths = made(vectors, LENGTHS)
    wider = torch.cat([vectors[order], torch.randn(4, 5, SIZE) * 100], 1)
    shuffled, shuffled_lengths = made(wider, LENGTHS[order])
    assert torch.equal(shuffled_lengths, lengths[order])
    for row, source in enumerate(order):
        torch.testing.assert_close(shuffled[row, : lengths[source]], found[source, : lengths[source]])


@pytest.mark.parametrize(("widths", "stride"), WINDOWS)
def test_every_position_looks_at_all_that_it_stands_for_and_at_no_padding(widths, stride):
    made, vectors = front_end(widths, stride, channels=8, highway=1), sentences(dtype=torch.double)
    made = made.double()
    with torch.no_grad():
        for filters in made.filters:
            filters.bias.fill_(30.0)  # relu lets everything through
    found, lengths = made(vectors, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        for position in range(lengths[row]):
            (gradient,) = torch.autograd.grad(found[row, position].sum(), vectors, retain_graph=True)
            seen = gradient.ne(0).any(-1)
            own = slice(position * stride, min(length, (position + 1) * stride))
            assert seen[row, own].all()
            assert not seen[row, length:].any()
            assert not seen[torch.arange(4) != row].any()
            assert seen.sum() <= max(widths)


@pytest.mark.parametrize(("widths", "stride", "highway"), [([1, 3], 1, 1), ([4], 2, 0), ([3, 2], 3, 1)])
def test_gradients(widths, stride, highway):
    made = front_end(widths, stride, highway=highway).double()
    vectors = torch.randn(2, 5, SIZE, dtype=torch.double, requires_grad=True)
    lengths = torch.tensor([5, 2])
    assert torch.autograd.gradcheck(lambda given: made(given, lengths)[0], vectors)
    found, _ = made(vectors, lengths)
    for name, parameter in made.named_parameters():
        (gradient,) = torch.autograd.grad(found.sum(), parameter, retain_graph=True)
        assert gradient.ne(0).any(), name


@pytest.mark.parametrize(
    "options", [{"widths": [2]}, {"widths": [3, 3]}, {"channels": 3}, {"stride": 2}, {"highway": 1}], ids=str
)
def test_every_option_changes_the_result(options):
    def result(**options):
        torch.manual_seed(3)
        made = ConvolutionalFrontEnd(SIZE, **options)
        torch.manual_seed(4)
        return made(sentences(), LENGTHS)[0]

    base = {"widths": [3], "channels": 2, "stride": 1, "highway": 0}
    assert torch.equal(result(**base), result(**base))
    other = result(**base | options)
    assert other.shape != result(**base).shape or not torch.equal(other, result(**base))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": []}, "widths must be one or more, each at least 1, but are []."),
        ({"widths": [3, 0]}, "widths must be one or more, each at least 1, but are [3, 0]."),
        ({"channels": 0}, "channels must be at least 1, but is 0."),
        ({"stride": 0}, "stride must be at least 1, but is 0."),
        ({"highway": -1}, "highway must be at least 0, but is -1."),
        (
            {"widths": [1, 2], "stride": 3},
            "stride must not exceed the greatest of widths, 2, but is 3: input between the windows would be lost.",
        ),
    ],
    ids=str,
)
def test_mistakes_are_told(options, message):
    with pytest.raises(UserError) as error:
        ConvolutionalFrontEnd(SIZE, **{"widths": [3], "channels": 2} | options)
    assert str(error.value) == f"{message}"
