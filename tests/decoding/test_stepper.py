import torch

from seq2seq.decoding.stepper import Stepper, reorder, select
from seq2seq.layers.recurrent.state import LSTMState
from seq2seq.symbols import EOS

ROWS = torch.tensor([2, 0, 2])
PARENTS = torch.tensor([[1, 0, 0], [0, 0, 1], [1, 1, 1]])


def nest(*shape):
    tensors = [torch.randn(*shape, *own) for own in [(), (4,), (2, 5), (1,)]]
    return tensors, (tensors[0], (LSTMState(tensors[1], tensors[2]), (tensors[3],)))


def test_select_takes_the_rows_of_every_tensor_of_nested_tuples():
    tensors, state = nest(3)
    flat, (lstm, (nested,)) = select(state, ROWS)
    assert isinstance(lstm, LSTMState)
    for chosen, tensor in zip((flat, lstm.hidden, lstm.cell, nested), tensors, strict=True):
        assert torch.equal(chosen, torch.stack([tensor[2], tensor[0], tensor[2]]))


def test_select_of_no_rows_is_empty():
    (state,) = select((torch.randn(3, 4),), torch.tensor([], dtype=torch.long))
    assert state.shape == (0, 4)


def test_select_of_the_first_rows_copies_nothing():
    values = torch.randn(4, 5)
    for rows, copied in (([0, 1, 2], False), ([0, 2], True), ([1, 2], True), ([0, 1, 2, 3], False)):
        (chosen,) = select((values,), torch.tensor(rows))
        assert torch.equal(chosen, values[rows])
        assert (chosen.data_ptr() != values.data_ptr()) == copied


def test_select_keeps_what_is_one_tensor_one():
    values = torch.randn(4, 5)
    first, second = select((values, values), torch.tensor([3, 1]))
    assert first is second


def test_reorder_gives_every_hypothesis_its_parent_s_state():
    tensors, states = nest(3, 2)  # from two hypotheses of each sentence to three
    flat, (lstm, (nested,)) = reorder(states, PARENTS)
    assert isinstance(lstm, LSTMState)
    for chosen, tensor in zip((flat, lstm.hidden, lstm.cell, nested), tensors, strict=True):
        for row in range(3):
            for place in range(3):
                assert torch.equal(chosen[row, place], tensor[row, PARENTS[row, place]])


def test_stepping_selected_rows_is_selecting_stepped_rows(build_model, padded):
    for decoder in ("luong", "gnmt", "bahdanau"):
        model = build_model(decoder=decoder).eval()
        assert isinstance(model, Stepper)
        memory, states = model.start(*padded([[4, 5, EOS], [6, EOS], [7, 8, 9, 10, EOS]]))
        ids = torch.tensor([[5], [6], [7]])
        logits, weights, after = model.step(ids, memory, states)
        chosen_logits, chosen_weights, chosen_after = model.step(ids[ROWS], *select((memory, states), ROWS))
        torch.testing.assert_close(chosen_logits, logits[ROWS])
        torch.testing.assert_close(chosen_weights, weights[ROWS])
        torch.testing.assert_close(chosen_after, select(after, ROWS))


def test_stepping_reordered_states_is_reordering_stepped_ones(build_model, padded):
    for decoder in ("luong", "gnmt", "bahdanau"):
        model = build_model(decoder=decoder).eval()
        memory, states = model.start(*padded([[4, 5, EOS], [6, EOS], [7, 8, 9, 10, EOS]]))
        states = reorder(states, torch.zeros(3, 2, dtype=torch.long))
        states = model.step(torch.tensor([[5, 6], [6, 7], [9, 4]]), memory, states)[2]
        ids = torch.tensor([[8, 5], [11, 4], [6, 7]])
        logits, weights, after = model.step(ids, memory, states)
        chosen = model.step(ids.gather(1, PARENTS), memory, reorder(states, PARENTS))
        torch.testing.assert_close(chosen, reorder((logits, weights, after), PARENTS))


def test_logits_are_new_at_every_step(build_model, padded):
    model = build_model().eval()
    memory, states = model.start(*padded([[4, 5, EOS]]))
    with torch.no_grad():
        first = model.step(torch.tensor([[5]]), memory, states)[0].clone()
        model.step(torch.tensor([[5]]), memory, states)[0].fill_(7.0)
        assert torch.equal(model.step(torch.tensor([[5]]), memory, states)[0], first)
