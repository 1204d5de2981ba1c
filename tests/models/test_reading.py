"""Targets that are written while their source is read, token by token."""

import pytest
import torch
from tiny_models import ATTENTIONS
from torch import nn

from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.simultaneous import ConfidencePolicy, Session, WaitKPolicy
from seq2seq.errors import UserError
from seq2seq.layers.copying import Pointer
from seq2seq.models.reading import GrowingReader
from seq2seq.models.waiting import WaitK
from seq2seq.symbols import BOS, EOS, PAD

KINDS = sorted(ATTENTIONS.keys() - {"local", "none"})
SOURCE = [4, 9, 5, 11, 7, 6, 8]
LIMITS = LengthLimits(max_ratio=1.0, max_extra=4)
SEARCHES = {
    "greedy": GreedySearch(length=LIMITS),
    "beam": BeamSearch(beam_size=3, length=LIMITS),
}


def reading_model(build_model, *, ending: bool = True, **options):
    model = build_model(direction="forward", encoder_size=8, **options).double()
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.7)
    if not ending:
        model.output.bias.data[EOS] = -100.0
    return model.eval()


def session(model, policy, search="greedy", window=None) -> Session:
    return Session(GrowingReader(model, window=window), policy, SEARCHES[search])


def written(session: Session, source=SOURCE) -> list[int]:
    return [*session.feed(source), *session.end()]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
@pytest.mark.parametrize("k", [8, 50])
def test_waiting_for_all_of_a_source_is_the_offline_search(build_model, decoder, search, k):
    model = reading_model(build_model, decoder=decoder)
    for length in (1, 4, 7):
        source = torch.tensor([[*SOURCE[:length], EOS]])
        ((offline, *_),) = SEARCHES[search](model, source, torch.tensor([length + 1]))
        mine = session(model, WaitKPolicy(k=k), search)
        assert written(mine, SOURCE[:length]) == offline.ids
        assert list(mine.delays) == [length + 1] * len(offline.ids)


@pytest.mark.parametrize("attention", KINDS)
@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_each_token_is_what_training_would_have_predicted(build_model, decoder, attention):
    """The forced scores of one masked pass choose the very tokens that the session wrote, from the same beginning."""
    k = 2
    model = reading_model(build_model, ending=False, decoder=decoder, attention=attention)
    mine = session(model, WaitKPolicy(k=k))
    before = mine.feed(SOURCE)
    assert len(before) == len(SOURCE) - k + 1
    assert list(mine.delays) == list(range(k, len(SOURCE) + 1))
    model.decoder.waiting = WaitK(k, k)
    model.train()
    target = torch.tensor([[BOS, *before[:-1]]])
    features = model(torch.tensor([[*SOURCE, EOS]]), torch.tensor([len(SOURCE) + 1]), target).features
    scores = model.output.logits(features.flatten(0, 1)).index_fill(1, torch.tensor([PAD, BOS, EOS]), float("-inf"))
    assert scores.argmax(-1).tolist() == before


def test_there_is_no_end_before_the_source_s(build_model):
    model = reading_model(build_model)
    model.output.weight.data[EOS] = 0
    model.output.bias.data[EOS] = 100.0
    mine = session(model, WaitKPolicy(k=1))
    assert mine.feed(SOURCE) == []  # nothing is made up in its place
    assert mine.end() == []


def test_what_an_end_came_too_early_for_is_written_once_more_is_read(build_model):
    """As of a word whose letters are silent for a while: nothing is said at them."""
    model = reading_model(build_model)
    mine, step, silent = session(model, WaitKPolicy(k=1)), model.step, range(3, 6)

    def ending(ids, memory, states):
        logits, weights, states = step(ids, memory, states)
        logits[..., EOS] = 100.0 if mine.read in silent else -100.0
        return logits, weights, states

    mine.reader.model.step = ending
    mine.feed(SOURCE)
    assert list(mine.delays) == [1, 2, 6, 6, 6, 6, 7]


def test_how_a_source_is_fed_changes_nothing(build_model):
    model = reading_model(build_model)
    at_once, by_token = session(model, WaitKPolicy(k=3)), session(model, WaitKPolicy(k=3))
    whole = written(at_once)
    parts = [token for index in SOURCE for token in by_token.feed([index])] + by_token.end()
    assert parts == whole
    assert by_token.delays == at_once.delays


@pytest.mark.parametrize(("margin", "written_early"), [(1e-9, 7), (1.0, 0)])
def test_confidence_reads_on_while_two_tokens_are_close(build_model, margin, written_early):
    model = reading_model(build_model, ending=False)
    mine = session(model, ConfidencePolicy(margin=margin))
    policy_asked = []
    mine.policy.ready = lambda read, done: policy_asked.append(read) is None and done < read
    assert len(mine.feed(SOURCE)) == written_early


@pytest.mark.parametrize(("margin", "written_early"), [(0.05, 7), (0.15, 0)])
def test_confidence_counts_an_end_as_the_next_best(build_model, margin, written_early):
    """A token has 0.5, the end of the target 0.4."""
    mine = session(reading_model(build_model), ConfidencePolicy(margin=margin))
    step = mine.reader.model.step

    def close(ids, memory, states):
        logits, weights, states = step(ids, memory, states)
        chances = torch.full_like(logits, 0.1 / (logits.shape[-1] - 2))
        chances[..., EOS], chances[..., -1] = 0.4, 0.5
        return chances.log(), weights, states

    mine.reader.model.step = close
    mine.policy.ready = lambda read, done: done < read
    assert len(mine.feed(SOURCE)) == written_early


@pytest.mark.parametrize("decoder", ["luong", "gnmt", "bahdanau"])
def test_where_nothing_was_sure_the_end_finds_what_the_offline_search_does(build_model, decoder):
    model = reading_model(build_model, decoder=decoder)
    ((offline, *_),) = SEARCHES["greedy"](model, torch.tensor([[*SOURCE, EOS]]), torch.tensor([len(SOURCE) + 1]))
    mine = session(model, ConfidencePolicy(margin=1.0))
    assert written(mine) == offline.ids
    assert list(mine.delays) == [len(SOURCE) + 1] * len(offline.ids)


def test_what_is_written_while_reading_has_a_bound(build_model):
    mine = session(reading_model(build_model, ending=False), ConfidencePolicy(margin=1e-9))
    assert len(mine.feed(SOURCE[:1])) == 5  # as limits of the search say of one token
    assert len(written(mine, SOURCE[1:])) <= 12


def test_the_confident_write_what_they_are_sure_of():
    policy = ConfidencePolicy(margin=0.3)
    assert policy.sure(torch.tensor([0.6, 0.25, 0.15]).log())
    assert not policy.sure(torch.tensor([0.5, 0.3, 0.2]).log())
    assert not policy.ready(0, 0)


def test_a_window_keeps_as_much_however_long_the_source_is(build_model):
    model = reading_model(build_model)
    mine, sizes = session(model, WaitKPolicy(k=2), window=5), []
    for _ in range(6):
        mine.feed(SOURCE)
        sizes.append(mine.reading.memory.values.shape[1])
    assert sizes == [5] * 6
    assert mine.reading.first == 6 * len(SOURCE) - 5


def test_a_session_with_a_window_keeps_no_more_numbers_than_that(build_model):
    model = reading_model(build_model, ending=False)
    mine = session(model, WaitKPolicy(k=2, window=5), window=5)
    found = [token for _ in range(9) for token in mine.feed(SOURCE)]
    assert (mine.read, mine.done) == (63, 62)
    assert list(mine.written) == found[-5:]
    assert list(mine.delays) == [59, 60, 61, 62, 63]
    assert len(found + mine.end()) == mine.done  # the search knows how many there are already


@pytest.mark.parametrize("attention", ["dot", "location", "monotonic"])
def test_a_window_as_long_as_the_source_changes_nothing(build_model, attention):
    model = reading_model(build_model, attention=attention)
    assert written(session(model, WaitKPolicy(k=2), window=8)) == written(session(model, WaitKPolicy(k=2)))


@pytest.mark.parametrize("attention", ["location", "coverage", "monotonic"])
@torch.inference_mode()
def test_a_window_moves_what_attention_remembers_along(build_model, attention):
    """In absolute positions: what a step sees of earlier weights is what was given there, as far as it is kept."""
    model = reading_model(build_model, attention=attention)
    mine, window = session(model, WaitKPolicy(k=2), window=3), 3
    mine.feed(SOURCE[:4])
    before, first = mine.states.attention[0][0, 0], mine.written_at.first
    mine.reading = mine.reader.read(torch.tensor([SOURCE[4:6]]), mine.reading, ended=False)
    memory, states = mine._look()
    gone = mine.reading.first - first
    assert (gone, len(memory.mask[0])) == (2, window)
    wanted = torch.cat([before[gone:], before.new_zeros(gone)])
    if attention == "monotonic":
        wanted[0] += before[:gone].sum()
    torch.testing.assert_close(states.attention[0][0, 0], wanted)
    _, weights, _ = mine.reader.step(torch.tensor([[mine.written[-1]]]), memory, states)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 1, dtype=weights.dtype))


def test_least_lengths_count_what_was_written_while_reading(build_model):
    model = reading_model(build_model)
    model.output.bias.data[EOS] = 100.0  # it would end at once
    search = GreedySearch(length=LengthLimits(max_ratio=1.0, max_extra=9, minimum=10))
    mine = Session(GrowingReader(model), WaitKPolicy(k=1), search)
    assert len(written(mine)) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"direction": "both", "encoder_size": 4},
            "direction must be forward, or block_size a number of steps, for streams: with direction=both a layer "
            "reads each sequence from its end.",
        ),
        (
            {"direction": "forward", "encoder_size": 8, "attention": "local"},
            "attention must not be local where waiting is on, as its window stands at a share of the whole length: "
            "choose another attention.",
        ),
        (
            {"direction": "forward", "encoder_size": 8, "copying": Pointer},
            "model must not copy to read on, but its pointer looks for pieces in all of a source.",
        ),
    ],
    ids=str,
)
def test_models_that_look_ahead_are_refused(build_model, options, message):
    with pytest.raises(UserError) as error:
        GrowingReader(build_model(**options))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WaitKPolicy(k=0), "k must be at least 1 token, but is 0."),
        (lambda: WaitKPolicy(pace=float("inf")), "pace must be above 0 tokens and finite, but is inf."),
        (lambda: WaitKPolicy(pace=0.0), "pace must be above 0 tokens and finite, but is 0.0."),
        (lambda: ConfidencePolicy(margin=1.5), "margin must be above 0 and at most 1, but is 1.5."),
        (lambda: ConfidencePolicy(margin=0.0), "margin must be above 0 and at most 1, but is 0.0."),
        (lambda: ConfidencePolicy(first=0), "first must be at least 1 token, but is 0."),
    ],
)
def test_mistakes_are_told(make, message):
    with pytest.raises(UserError) as error:
        make()
    assert str(error.value) == message


def test_other_mistakes_are_told(build_model):
    model = reading_model(build_model)
    with pytest.raises(UserError, match="window must be at least 1 token, or null for all, but is 0."):
        WaitKPolicy(window=0)
    mine = session(model, WaitKPolicy(k=1))
    written(mine)
    assert mine.end() == []
    with pytest.raises(UserError, match="A source that has ended takes no more tokens: open another session."):
        mine.feed([4])
