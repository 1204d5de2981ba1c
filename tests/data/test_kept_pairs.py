import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.corpora.kept_pairs import keep_pairs, keep_series, read_kept_pairs
from seq2seq.data.examples import Example
from seq2seq.data.series import Series
from seq2seq.errors import UserError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1)), min_size=1))
def test_any_texts_come_back_as_they_went_in(tmp_path_factory, pairs):
    examples = [Example(source, tuple(targets)) for source, targets in pairs]
    path = tmp_path_factory.mktemp("kept") / "pairs.jsonl"
    keep_pairs(path, examples)
    assert read_kept_pairs(str(path)) == examples


@pytest.mark.parametrize(
    "line",
    ["", "[]", "3", '{"source": "a"}', '{"source": 1, "targets": ["b"]}', '{"source": "a", "targets": []}',
     '{"source": "a", "targets": "b"}', '{"source": "a", "targets": [1]}', "[" * 100_000],
)  # fmt: skip
def test_a_line_that_is_no_example_is_named(tmp_path, line):
    path = tmp_path / "pairs.jsonl"
    path.write_text(f'{{"source": "a", "targets": ["b"]}}\n{line}\n', encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_kept_pairs(str(path))
    assert str(error.value).startswith(
        f'{path}, line 2 must be {{"source": "...", "targets": ["...", ...]}}, but is {line[:80]!r}.'
    )


def test_frames_that_answer_texts_are_not_kept(tmp_path):
    with pytest.raises(UserError, match="pairs must have sources that are frames to be kept as arrays, but they are"):
        keep_series(tmp_path / "pairs.npz", [Example("a", (Series(np.ones((2, 1))),))])
    assert not list(tmp_path.iterdir())
