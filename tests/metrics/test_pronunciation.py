import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.metrics.exact_match import ExactMatch
from seq2seq.metrics.pronunciation import PronunciationScores, _warn_of_spaces

LAW = settings(deadline=None, max_examples=60)
phones = st.lists(st.sampled_from(["AA", "B", "CH", "D"]), max_size=5).map(" ".join)
reference = phones.filter(bool)
words = st.lists(st.tuples(phones, st.lists(reference, min_size=1, max_size=3)), min_size=1, max_size=8)
Case = tuple[str, list[str]]


def scores_of(*updates: list[Case]) -> dict[str, float]:
    metric = PronunciationScores()
    for update in updates:
        metric.update([hypothesis for hypothesis, _ in update], [known for _, known in update])
    return {name: float(value) for name, value in metric.compute().items()}


def edits(left: list[str], right: list[str]) -> int:
    """Levenshtein's recursion, row by row."""
    row = list(range(len(right) + 1))
    for i, phone in enumerate(left, 1):
        following = [i]
        for j, other in enumerate(right, 1):
            following.append(min(row[j] + 1, following[-1] + 1, row[j - 1] + (phone != other)))
        row = following
    return row[-1]


def written_out(cases: list[Case]) -> dict[str, float]:
    """The definition: each word against the reference that takes the fewest edits."""
    distances, lengths = [], []
    for hypothesis, known in cases:
        pairs = [(edits(hypothesis.split(), r.split()), len(r.split())) for r in known]
        distance, length = sorted(pairs)[0]
        distances.append(distance)
        lengths.append(length)
    wer = 100 * sum(distance > 0 for distance in distances) / len(cases)
    return {"wer": wer, "per": 100 * sum(distances) / sum(lengths)}


@LAW
@given(words)
def test_scores_follow_the_definition(cases):
    assert scores_of(cases) == pytest.approx(written_out(cases))


# Each case: hypothesis, references, edits to the closest, its length.
COUNTED = [
    ("K AE T", ["K AE T"], 0, 3),
    ("K AA T", ["K AE T"], 1, 3),  # substituted
    ("K AE", ["K AE T"], 1, 3),  # left out
    ("K AE T S", ["K AE T"], 1, 3),  # put in
    ("T AE K", ["K AE T"], 2, 3),  # exchanged: two substitutions
    ("", ["K AE T"], 3, 3),
    ("T AH M EY T OW", ["T AH M AA T OW", "T AH M EY T OW"], 0, 6),
    ("T AH M IY T", ["T AH M AA T OW", "T AH M EY T OW Z"], 2, 6),
    ("R EH D Z", ["R IY D", "R EH D", "R EH D IH D"], 1, 3),
    ("KAET", ["K AE T"], 3, 3),  # one phone of four letters
    (" K  AE T ", ["K AE T"], 0, 3),  # spaces do not count
]


@pytest.mark.parametrize(("hypothesis", "references", "distance", "length"), COUNTED)
def test_one_word_counted_by_hand(hypothesis, references, distance, length):
    expected = {"wer": 100.0 * (distance > 0), "per": 100 * distance / length}
    assert scores_of([(hypothesis, references)]) == pytest.approx(expected)


def test_rates_are_of_sums_over_all_words_and_not_means_of_rates():
    wrong = sum(distance > 0 for *_, distance, _ in COUNTED)
    distances, lengths = (sum(case[position] for case in COUNTED) for position in (2, 3))
    assert (wrong, distances, lengths, len(COUNTED)) == (8, 14, 39, 11)
    expected = {"wer": 100 * 8 / 11, "per": 100 * 14 / 39}
    assert scores_of([case[:2] for case in COUNTED]) == pytest.approx(expected)


@LAW
@given(words, st.randoms(use_true_random=False))
def test_the_order_of_words_and_references_does_not_matter(cases, random):
    mixed = [(hypothesis, random.sample(known, len(known))) for hypothesis, known in cases]
    random.shuffle(mixed)
    assert scores_of(mixed) == scores_of(cases)


@LAW
@given(words, st.integers(0, 8))
def test_halves_added_up_are_the_whole(cases, cut):
    assert scores_of(cases[:cut], cases[cut:]) == scores_of(cases)


@LAW
@given(words)
def test_wer_is_what_exact_match_leaves(cases):
    matches = ExactMatch()
    matches.update(*zip(*cases, strict=True))
    assert scores_of(cases)["wer"] == pytest.approx(100 - float(matches.compute()["exact_match"]), abs=1e-4)


def test_states_of_several_processes_add_up():
    cases = [case[:2] for case in COUNTED]
    first, second = PronunciationScores(), PronunciationScores()
    first.update(*zip(*cases[:4], strict=True))
    second.update(*zip(*cases[4:], strict=True))
    first.merge_state(second)
    assert {name: float(value) for name, value in first.compute().items()} == scores_of(cases)


def test_a_reset_forgets():
    metric = PronunciationScores()
    metric.update(["AA"], [["B"]])
    metric.reset()
    metric.update(["AA"], [["AA"]])
    assert metric.compute() == {"wer": 0.0, "per": 0.0}


def test_hypotheses_and_references_must_be_as_many():
    with pytest.raises(ValueError, match="shorter"):
        PronunciationScores().update(["AA", "B"], [["AA"]])


@pytest.mark.parametrize(
    ("references", "warns"),
    [
        ([["kæt"], ["tomato"], [""]], True),
        ([["สวัสดี", "ขอบคุณ"]], True),
        ([["kæt"], ["t o"]], False),
        ([["kæt"], ["tɔ"]], True),
        ([["AH0"], ["EY1"]], False),  # words of one phone
        ([["ə"], ["tʲ"], ["t͡ʃ"], ["ẽː"]], False),
        ([[""], [" "]], False),
        ([], False),
    ],
)
def test_references_without_spaces_are_told_once_at_the_start(caplog, references, warns):
    _warn_of_spaces.cache_clear()
    metric = PronunciationScores()
    for _ in range(2):
        metric.prepare(references)
    assert [text.split(", such as ")[0] for text in caplog.messages] == [
        "each reference counts as one phone, because none has a space between phones"
    ] * warns


@pytest.mark.parametrize(("rank", "warns"), [(None, True), (0, True), (1, False)])
def test_the_first_process_alone_tells_it_and_a_torch_without_processes_does(caplog, monkeypatch, rank, warns):
    _warn_of_spaces.cache_clear()
    if rank is None:  # as where torch was built without them
        monkeypatch.setattr("torch.distributed.is_available", lambda: False)
        monkeypatch.delattr("torch.distributed.is_initialized")
    else:
        monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
        monkeypatch.setattr("torch.distributed.get_rank", lambda: rank)
    PronunciationScores().prepare([["tomato"]])
    assert len(caplog.messages) == warns
