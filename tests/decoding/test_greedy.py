import pytest
import torch

from seq2seq.decoding.greedy import GreedySearch
from seq2seq.errors import UserError
from seq2seq.symbols import BOS, EOS, PAD

KINDS, STEPS, VOCABULARY = 6, 30, 8
# Decided steps after which a sentence may still be in the batch: the search looks for ended ones every fourth step.
SLACK = 4


class TableStepper:
    """Next tokens by a table: log-probabilities by the sentence's first token, the position and the token before."""

    def __init__(self, table: torch.Tensor) -> None:
        self.table = table
        self.rows: list[int] = []
        self.given: list[tuple[torch.Tensor, torch.Tensor]] = []

    def start(self, source, lengths):
        return source[:, 0], (torch.zeros_like(lengths),)

    def step(self, ids, state):
        kind, (position,) = state
        # Logits are log-probabilities up to a constant of every row.
        logits = self.table[kind, position, ids] + 3.0 * kind.unsqueeze(1) - 7.0
        self.rows.append(len(ids))
        self.given.append((logits, logits.clone()))
        return logits, torch.zeros(len(ids), 1, 1), (kind, (position + 1,))


def random_table() -> torch.Tensor:
    return (3 * torch.randn(KINDS, STEPS, VOCABULARY, VOCABULARY)).log_softmax(-1)


def ending_after(counts: list[int]) -> torch.Tensor:
    """Kind k emits 4, 5, 6, 4, ... for counts[k] steps and then EOS."""
    table = torch.full((len(counts), STEPS, VOCABULARY, VOCABULARY), 0.01)
    for kind, count in enumerate(counts):
        for step in range(STEPS):
            table[kind, step, :, EOS if step == count else 4 + step % 3] = 10.0
    return (table / table.sum(-1, keepdim=True)).log()


def sources(kinds: list[int], lengths: list[int] | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor(lengths or [1] * len(kinds))
    return torch.tensor(kinds).unsqueeze(1).expand(-1, int(lengths.max())), lengths


def likeliest_path(table: torch.Tensor, kind: int, limit: int) -> tuple[list[int], float, bool]:
    """Ids, score and whether EOS came, one token at a time."""
    ids, score, previous = [], 0.0, BOS
    for step in range(limit):
        row = table[kind, step, previous].tolist()
        previous = max((token for token in range(VOCABULARY) if token not in (PAD, BOS)), key=row.__getitem__)
        score += row[previous]
        if previous == EOS:
            return ids, score, True
        ids.append(previous)
    return ids, score, False


@pytest.mark.parametrize("seed", range(4))
def test_greedy_takes_the_likeliest_path_and_scores_it_by_the_table(seed):
    torch.manual_seed(seed)
    table, kinds, lengths = random_table(), [3, 0, 5, 2, 4, 1, 3], [4, 1, 9, 2, 7, 3, 8]
    found = GreedySearch(max_length_ratio=2.0, max_length_extra=3)(TableStepper(table), *sources(kinds, lengths))
    for hypothesis, kind, length in zip(found, kinds, lengths, strict=True):
        ids, score, finished = likeliest_path(table, kind, 2 * length + 3)
        assert (hypothesis.ids, hypothesis.finished) == (ids, finished)
        assert hypothesis.score == pytest.approx(score, abs=1e-4)


def test_padding_and_bos_are_never_chosen_but_keep_their_probability():
    table = random_table()
    table[..., [PAD, BOS]] += 20.0
    table = table.log_softmax(-1)
    found = GreedySearch(max_length_extra=12)(TableStepper(table), *sources([0, 1, 2]))
    for kind, hypothesis in enumerate(found):
        ids, score, _ = likeliest_path(table, kind, 14)
        assert not {PAD, BOS, EOS} & set(hypothesis.ids)
        assert hypothesis.ids == ids
        assert hypothesis.score == pytest.approx(score, rel=1e-5)


def test_the_length_limit_depends_on_that_sentence_alone():
    table = ending_after([STEPS] * 3)
    search = GreedySearch(max_length_ratio=1.5, max_length_extra=2)
    found = search(TableStepper(table), *sources([0, 1, 2], [3, 10, 1]))
    assert [len(hypothesis.ids) for hypothesis in found] == [6, 17, 3]
    assert not any(hypothesis.finished for hypothesis in found)


def test_an_end_at_the_limit_still_counts():
    search = GreedySearch(max_length_ratio=0.0, max_length_extra=5)
    at, beyond = search(TableStepper(ending_after([4, 5])), *sources([0, 1]))
    assert (at.ids, at.finished) == ([4, 5, 6, 4], True)
    assert (beyond.ids, beyond.finished) == ([4, 5, 6, 4, 5], False)


def test_an_end_at_once_is_an_empty_hypothesis():
    table = ending_after([0])
    (hypothesis,) = GreedySearch()(TableStepper(table), *sources([0]))
    assert hypothesis.ids == []
    assert hypothesis.finished
    # The stepper's constant of -7 costs digits of a log-probability near 0.
    assert hypothesis.score == pytest.approx(table[0, 0, BOS, EOS].item(), abs=1e-6)


def test_finished_sentences_leave_the_batch_and_order_is_restored():
    counts, kinds = [1, 6, 20, 11], [2, 0, 1, 3, 0, 2, 1]
    stepper = TableStepper(ending_after(counts))
    found = GreedySearch()(stepper, *sources(kinds))
    assert [hypothesis.ids for hypothesis in found] == [[4 + i % 3 for i in range(counts[kind])] for kind in kinds]
    assert all(hypothesis.finished for hypothesis in found)
    for step, rows in enumerate(stepper.rows):
        assert sum(counts[kind] >= step for kind in kinds) <= rows
        assert rows <= sum(counts[kind] >= step - SLACK for kind in kinds)
    assert len(stepper.rows) <= max(counts) + 1 + SLACK


def test_a_sentence_at_its_limit_leaves_the_batch():
    stepper = TableStepper(ending_after([STEPS] * 2))
    GreedySearch(max_length_ratio=1.0, max_length_extra=1)(stepper, *sources([0, 1], [1, 20]))
    assert stepper.rows[2 + SLACK :] == [1] * (21 - 2 - SLACK)


def test_the_search_leaves_the_stepper_s_logits_as_they_were():
    stepper = TableStepper(random_table())
    GreedySearch()(stepper, *sources([0, 1, 2]))
    for given, copy in stepper.given:
        assert torch.equal(given, copy)


@pytest.mark.parametrize(
    ("options", "values"), [({"max_length_ratio": -1.0}, "-1.0 and 20"), ({"max_length_extra": 0}, "2.0 and 0")]
)
def test_bad_limits_are_told(options, values):
    with pytest.raises(UserError) as error:
        GreedySearch(**options)
    assert str(error.value) == (
        f"max_length_ratio must be at least 0 and max_length_extra at least 1, but are {values}."
    )


@pytest.fixture(params=["luong", "gnmt", "bahdanau"])
def model(request, build_model):
    """Random, with logits far enough apart for a clear choice, and EOS likely enough to end some sentences."""
    model = build_model(decoder=request.param, attention="general").eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.5)
        model.output.bias[EOS] += 1.0
    return model


@pytest.fixture
def sentences() -> list[list[int]]:
    draw = torch.Generator().manual_seed(5)
    lengths = torch.randint(1, 9, (12,), generator=draw).tolist()
    return [[*torch.randint(4, 12, (length,), generator=draw).tolist(), EOS] for length in lengths]


def test_batch_of_one_equals_batch_of_many_equals_shuffled(model, sentences, padded):
    search = GreedySearch(max_length_extra=10)
    together = search(model, *padded(sentences))
    assert len({hypothesis.finished for hypothesis in together}) == 2, "both ways to end must occur"
    order = torch.randperm(len(sentences)).tolist()
    shuffled = search(model, *padded([sentences[row] for row in order], extra=2))
    for place, row in enumerate(order):
        (alone,) = search(model, *padded([sentences[row]]))
        for other in (shuffled[place], alone):
            assert other.ids == together[row].ids
            assert other.finished == together[row].finished
            assert other.score == pytest.approx(together[row].score, rel=1e-5, abs=1e-5)


def test_forced_score_of_a_hypothesis_is_its_search_score(model, sentences, padded):
    for sentence in sentences:
        source, lengths = padded([sentence])
        (hypothesis,) = GreedySearch(max_length_extra=10)(model, source, lengths)
        outputs = torch.tensor([*hypothesis.ids, *([EOS] if hypothesis.finished else [])])
        inputs = torch.tensor([[BOS, *outputs[:-1].tolist()]])
        features, _ = model(source, lengths, inputs)
        forced = -model.output.loss(features[0], outputs).sum().item()
        assert hypothesis.score == pytest.approx(forced, rel=1e-5, abs=1e-5)
