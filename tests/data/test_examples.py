from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.example_store import group

LAW = settings(deadline=None, max_examples=50)
few_pairs = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("vwxyz")), max_size=20)


@LAW
@given(few_pairs)
def test_grouping_keeps_every_distinct_pair_once_in_order_of_appearance(pairs):
    examples = group(pairs)
    assert [example.source for example in examples] == list(dict.fromkeys(source for source, _ in pairs))
    for example in examples:
        answers = [target for source, target in pairs if source == example.source]
        assert example.targets == tuple(dict.fromkeys(answers))


@LAW
@given(few_pairs)
def test_grouping_twice_is_grouping_once(pairs):
    once = group(pairs)
    assert group((example.source, target) for example in once for target in example.targets) == once
