import pytest
from hydra.utils import get_object

from seq2seq.config.moved import _MODULES, with_moved_targets
from seq2seq.decoding.search.greedy import GreedySearch

OLD = {
    "decoding": {"_target_": "seq2seq.decoding.greedy.GreedySearch", "length": None},
    "parts": [{"_target_": "torch.optim.Adam", "betas": [0.9, 0.98]}],
    "note": "seq2seq.decoding.greedy.GreedySearch",
}


def test_targets_of_before_are_found_and_all_else_stays():
    found = with_moved_targets(OLD)
    assert get_object(found["decoding"]["_target_"]) is GreedySearch
    assert found["parts"] == OLD["parts"]
    assert found["note"] == OLD["note"]
    assert with_moved_targets(found) == found


@pytest.mark.parametrize(("old", "new"), _MODULES.items())
def test_what_moved_is_no_longer_there_and_stands_elsewhere(old, new):
    get_object(new)
    with pytest.raises(ImportError):
        __import__(old)
