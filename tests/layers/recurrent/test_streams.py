"""Streams read in chunks: however they are cut, what comes of them is the same."""

from functools import partial

import pytest
import torch
from torch.utils import _pytree as pytree

from seq2seq.errors import UserError
from seq2seq.layers.dropout import LockedDropout
from seq2seq.layers.recurrent.bidirectional import BidirectionalLayer
from seq2seq.layers.recurrent.blockwise import BlockwiseLayer
from seq2seq.layers.recurrent.cells.lstm import LSTMCell
from seq2seq.layers.recurrent.cells.options import GatedCellOptions
from seq2seq.layers.recurrent.layer import unroll_within
from seq2seq.layers.recurrent.one_way import OneWayLayer
from seq2seq.layers.recurrent.regularization import Regularization
from seq2seq.layers.recurrent.stack import RecurrentStack, StackOptions

SIZE, ROWS, TIME = 4, 3, 13
LENGTHS = torch.tensor([13, 8, 1])
CUTS = [[13], [1] * 13, [2, 0, 7, 4]]
ONE_WAY = {"direction": "forward"}
BLOCKS = [{"block_size": size, "lookahead": ahead} for size, ahead in ((1, 0), (2, 3), (4, 1), (5, 5), (20, 0))]
DROPPING = GatedCellOptions(regularization=Regularization(recurrent_dropout=0.2))
NOBODY = torch.zeros(ROWS, dtype=torch.bool)


def stack(cell=LSTMCell, *, num_layers=2, dropout=0.0, **options) -> RecurrentStack:
    return RecurrentStack(SIZE, StackOptions(SIZE, num_layers, cell, dropout=dropout, **options)).double()


def inputs() -> torch.Tensor:
    return torch.randn(ROWS, TIME, SIZE, dtype=torch.double)


def rows_of(values, lengths) -> list[torch.Tensor]:
    return [row[:length] for row, length in zip(values, lengths.tolist(), strict=True)]


def read(layers, given, lengths, cuts):
    """What comes of streams that are cut so, rows beside each other, and the last state."""
    state, found, start = layers.start(given[:, 0]), [[] for _ in lengths], 0
    for number, size in enumerate(cuts):
        chunk, left = given[:, start : start + size], (lengths - start).clamp(0, size)
        ended = torch.full((len(given),), number == len(cuts) - 1)
        encoded, state = layers.advance(chunk, left, state, ended)
        for row, values in zip(found, rows_of(encoded.values, encoded.lengths), strict=True):
            row.append(values)
        start += size
    return [torch.cat(row) for row in found], encoded.last, state


@pytest.mark.parametrize("cuts", CUTS[1:3], ids=["single", "few"])
def test_any_cut_of_a_stream_gives_what_the_whole_gives_for_every_cell(cell_kind, cuts):
    layers, given = stack(cell_kind, direction="forward"), inputs()
    whole = layers(given, LENGTHS)
    found, last, state = read(layers, given, LENGTHS, cuts)
    for mine, theirs in zip(found, rows_of(whole.values, whole.lengths), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    torch.testing.assert_close(last, whole.last, rtol=0, atol=1e-12)
    *_, at_once = read(layers, given, LENGTHS, [TIME])
    torch.testing.assert_close(state.layers, at_once.layers, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cuts", CUTS, ids=str)
@pytest.mark.parametrize("options", [ONE_WAY, *BLOCKS], ids=str)
@pytest.mark.parametrize(
    ("connection", "halvings"), [("none", 0), ("residual", 1), ("highway", 0), ("dense", 1)], ids=str
)
def test_any_cut_gives_the_same_for_every_connection_and_kind(options, connection, halvings, cuts):
    layers = stack(num_layers=3, connection=connection, halvings=halvings, **options)
    given = inputs()
    whole = layers(given, LENGTHS)
    found, last, _ = read(layers, given, LENGTHS, cuts)
    for mine, theirs in zip(found, rows_of(whole.values, whole.lengths), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    torch.testing.assert_close(last, whole.last, rtol=0, atol=1e-12)


def test_float32_is_equal_to_rounding(cell_kind):
    layers, given = stack(cell_kind, direction="forward").float(), inputs().float()
    whole = layers(given, LENGTHS)
    found, *_ = read(layers, given, LENGTHS, [5, 8])
    for mine, theirs in zip(found, rows_of(whole.values, whole.lengths), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6)


def test_gradients_go_through_the_cuts(cell_kind):
    layers, given = stack(cell_kind, direction="forward"), inputs()
    weights = list(layers.parameters())
    whole = torch.autograd.grad(sum(row.square().sum() for row in rows_of(*layers(given, LENGTHS)[:2])), weights)
    found, *_ = read(layers, given, LENGTHS, [5, 0, 8])
    cut = torch.autograd.grad(sum(row.square().sum() for row in found), weights)
    torch.testing.assert_close(cut, whole, rtol=0, atol=1e-11)


def test_rows_without_steps_keep_their_state(cell_kind):
    cell, given = cell_kind(SIZE, SIZE).double(), inputs()
    _, before = cell.unroll(given[:, :3], cell.start(given[:, 0]))
    _, after = unroll_within(cell, given[:, 3:], torch.tensor([0, 5, 0]), before)
    _, alone = cell.unroll(given[1:2, 3:8], type(before)(*(part[1:2] for part in before)))
    for old, new, own in zip(before, after, alone, strict=True):
        assert torch.equal(new[[0, 2]], old[[0, 2]])
        torch.testing.assert_close(new[1:2], own, rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", [ONE_WAY, *BLOCKS], ids=str)
def test_a_renewed_row_is_as_a_fresh_one_and_others_go_on(options):
    layers, given = stack(halvings=1, **options), inputs()
    everybody = torch.full((ROWS,), TIME)
    _, state = layers.advance(given, everybody, layers.start(given[:, 0]), NOBODY)
    again = layers.renew(state, torch.tensor([False, True, False]))
    ended = ~NOBODY
    mixed, _ = layers.advance(given, everybody, again, ended)
    fresh, _ = layers.advance(given, everybody, layers.start(given[:, 0]), ended)
    on, _ = layers.advance(given, everybody, state, ended)
    for row, wanted in ((0, on), (1, fresh), (2, on)):
        mine, theirs = rows_of(mixed.values, mixed.lengths)[row], rows_of(wanted.values, wanted.lengths)[row]
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    assert fresh.lengths[1] == mixed.lengths[1]


def test_rows_do_not_see_each_other(cell_kind):
    layers, given = stack(cell_kind, direction="forward"), inputs()
    together, *_ = read(layers, given, LENGTHS, [4, 9])
    for row, length in enumerate(LENGTHS.tolist()):
        (alone,), *_ = read(layers, given[row : row + 1, :length], LENGTHS[row : row + 1], [length])
        torch.testing.assert_close(together[row], alone, rtol=0, atol=1e-12)


def test_one_way_outputs_see_nothing_that_comes_later():
    layers, given = stack(direction="forward", num_layers=3, connection="residual"), inputs().requires_grad_()
    values = layers(given, torch.full((ROWS,), TIME)).values
    (seen,) = torch.autograd.grad(values[:, 5].square().sum(), given)
    assert torch.equal(seen.ne(0).any(-1)[0], torch.arange(TIME) <= 5)


@pytest.mark.parametrize("options", BLOCKS[:4], ids=str)
def test_an_output_waits_for_its_block_and_what_it_looks_ahead(options):
    size, ahead = options["block_size"], options["lookahead"]
    layer, given = BlockwiseLayer(SIZE, SIZE, cell=LSTMCell, **options).double(), inputs().requires_grad_()
    outputs, _ = layer(given, torch.full((ROWS,), TIME))
    for step in range(TIME):
        (seen,) = torch.autograd.grad(outputs[:, step].square().sum(), given, retain_graph=True)
        end = (step // size + 1) * size + ahead
        assert torch.equal(seen.ne(0).any(-1)[0], torch.arange(TIME) < end)
    found = layer.advance(given, torch.full((ROWS,), TIME), layer.start(given[:, 0]), NOBODY)
    assert found.lengths.tolist() == [(TIME - ahead) // size * size] * ROWS


@pytest.mark.parametrize("block_size", [TIME, 50])
@pytest.mark.parametrize("lookahead", [0, 3])
def test_one_block_is_the_bidirectional_layer_bit_for_bit(cell_kind, block_size, lookahead):
    given = inputs()
    whole = BidirectionalLayer(SIZE, SIZE, cell=cell_kind).double()
    layer = BlockwiseLayer(SIZE, SIZE, cell=cell_kind, block_size=block_size, lookahead=lookahead).double()
    layer.load_state_dict(whole.state_dict())
    mask = (torch.arange(TIME) < LENGTHS.unsqueeze(1)).unsqueeze(-1)
    for mine, theirs in zip(layer(given, LENGTHS), whole(given, LENGTHS), strict=True):
        same = mask if mine.dim() == 3 else True
        assert torch.equal(mine * same, theirs * same)


def test_blocks_are_read_backwards_from_behind_their_ends():
    """By hand: the backward cell over steps 6 to 4, of which the last two, in time, are the block's."""
    layer, given = BlockwiseLayer(SIZE, SIZE, cell=LSTMCell, block_size=2, lookahead=1).double(), inputs()
    outputs, last = layer(given, torch.full((ROWS,), TIME))
    window = given[:, 4:7].flip(1)
    back, _ = layer.backwards.unroll(window, layer.backwards.start(window[:, 0]))
    torch.testing.assert_close(outputs[:, 4:6, SIZE:], back[:, 1:].flip(1), rtol=0, atol=1e-12)
    torch.testing.assert_close(last[:, SIZE:], outputs[:, 12, SIZE:])  # the last block is step 12 alone


def test_one_dropout_mask_is_for_a_whole_stream():
    layers, given = stack(num_layers=1, direction="forward", connection="none", dropout=0.5), inputs()
    found, _, state = read(layers, given, torch.full((ROWS,), TIME), [3, 4, 6])
    for row, mask in zip(found, state.masks[0], strict=True):
        assert torch.equal(row.eq(0), mask.eq(0).expand(TIME, -1))
    assert {0.0, 2.0} == set(state.masks[0].flatten().tolist())
    layers.eval()
    assert all(row.ne(0).all() for row in read(layers, given, torch.full((ROWS,), TIME), [3, 10])[0])
    assert isinstance(layers.dropout, LockedDropout)


@pytest.mark.parametrize("options", [ONE_WAY, *BLOCKS[:4]], ids=str)
def test_a_stream_s_state_does_not_grow(options):
    layers, sizes = stack(num_layers=2, halvings=1, **options), []
    state = layers.start(torch.zeros(1, SIZE, dtype=torch.double))
    for _ in range(30):
        chunk = torch.randn(1, 7, SIZE, dtype=torch.double)
        with torch.no_grad():
            _, state = layers.advance(chunk, torch.tensor([7]), state, NOBODY[:1])
        sizes.append(sum(part.numel() for part in pytree.tree_leaves(state)))
    assert max(sizes[20:]) == max(sizes[10:20])  # what waits comes again after ten chunks, at most


def test_layers_that_read_from_the_end_have_no_streams():
    with pytest.raises(UserError) as error:
        stack().start(inputs()[:, 0])
    assert str(error.value) == (
        "direction must be forward, or block_size a number of steps, for streams: with direction=both a layer reads "
        "each sequence from its end."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "backward"}, "direction must be one of both, forward, but is 'backward'."),
        ({"lookahead": 2}, "lookahead needs a block_size that it looks behind, but is 2."),
        ({"block_size": 0}, "block_size must be at least 1 step, or null for one block, but is 0."),
        ({"block_size": 2, "lookahead": -1}, "lookahead must be at least 0 steps, but is -1."),
        ({"block_size": 2, "direction": "forward"}, "block_size must be null where direction is forward, but is 2."),
        ({"block_size": 2, "chunk_size": 4}, "chunk_size must be null beside a block_size, but is 4."),
    ],
    ids=str,
)
def test_mistakes_are_told(options, message):
    with pytest.raises(UserError) as error:
        stack(**options)
    assert str(error.value) == message


def test_a_one_way_layer_runs_in_chunks_for_less_memory():
    whole = OneWayLayer(SIZE, SIZE, cell=LSTMCell).double()
    chunked = OneWayLayer(SIZE, SIZE, cell=LSTMCell, chunk_size=4).double()
    chunked.load_state_dict(whole.state_dict())
    given = inputs()
    for mine, theirs in zip(chunked(given, LENGTHS), whole(given, LENGTHS), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    with pytest.raises(UserError, match="chunk_size must be null where recurrent_dropout is above 0"):
        OneWayLayer(SIZE, SIZE, cell=partial(LSTMCell, options=DROPPING), chunk_size=4)
