import torch

from seq2seq.decoding.stepper import Stepper, select
from seq2seq.layers.recurrent.cells import LSTMState
from seq2seq.symbols import EOS

ROWS = torch.tensor([2, 0, 2])


def test_select_reorders_every_tensor_of_nested_tuples():
    tensors = [torch.randn(3, *shape) for shape in [(), (4,), (2, 5), (1,)]]
    state = (tensors[0], (LSTMState(tensors[1], tensors[2]), (tensors[3],)))
    flat, (lstm, (nested,)) = select(state, ROWS)
    assert isinstance(lstm, LSTMState)
    for chosen, tensor in zip((flat, lstm.hidden, lstm.cell, nested), tensors, strict=True):
        assert torch.equal(chosen, torch.stack([tensor[2], tensor[0], tensor[2]]))


def test_select_of_no_rows_is_empty():
    (state,) = select((torch.randn(3, 4),), torch.tensor([], dtype=torch.long))
    assert state.shape == (0, 4)


def test_stepping_selected_rows_is_selecting_stepped_rows(build_model, padded):
    for decoder in ("luong", "gnmt", "bahdanau"):
        model = build_model(decoder=decoder).eval()
        assert isinstance(model, Stepper)
        state = model.start(*padded([[4, 5, EOS], [6, EOS], [7, 8, 9, 10, EOS]]))
        ids = torch.tensor([5, 6, 7])
        logits, weights, after = model.step(ids, state)
        chosen_logits, chosen_weights, chosen_after = model.step(ids[ROWS], select(state, ROWS))
        torch.testing.assert_close(chosen_logits, logits[ROWS])
        torch.testing.assert_close(chosen_weights, weights[ROWS])
        torch.testing.assert_close(chosen_after, select(after, ROWS))
