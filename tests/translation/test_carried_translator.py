"""Lines that follow each other: each is read on from the one before, until a rule lets its stream begin anew."""

import gc
import logging
import os
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.utils import _pytree as pytree

from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import UserError
from seq2seq.models.source_streams import SourceStreams
from seq2seq.symbols import EOS
from seq2seq.translation.carried_translator import CarriedTranslator
from seq2seq.translation.line import Line
from seq2seq.translation.line_stream import LineStream
from seq2seq.translation.resets import (
    BoundaryReset,
    DriftReset,
    EveryReset,
    NoReset,
    Past,
    SegmentReset,
    SilenceReset,
)
from seq2seq.translation.translator import Translator

TEXTS = ["abc", "d", "", "efg hij", "k", "lm"]
SHORT = LengthLimits(max_ratio=0.0, max_extra=5)


@pytest.fixture
def plain(build_model, letters):
    """A translator of a random model that reads one way, the same at every call."""

    def build(search=None, **options) -> Translator:
        torch.manual_seed(3)
        sizes = {f"{side}_vocabulary_size": getattr(letters, side).size for side in ("source", "target")}
        model = build_model(**{"direction": "forward", **sizes, **options}).double().eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(3.0)
        return Translator(model, letters, search or GreedySearch(length=SHORT))

    return build


def found(translator, texts=TEXTS) -> list[Hypothesis]:
    return [own[0] for own in translator.search_lines([Line(text) for text in texts])]


def scores(translator, texts=TEXTS) -> list[float]:
    return [own.score for own in found(translator, texts)]


def joined(translator, lines) -> float:
    """The score of the last line, by an encoder that has read the others at once, and the answer."""
    tokenizer, model = translator.tokenizers.source, translator.stepper
    before = [index for line in tokenizer.encode(lines[:-1]) for index in [*line, EOS]]
    now = [*tokenizer.encode(lines[-1:])[0], EOS]
    streams = SourceStreams(model)
    if before:
        streams.start(torch.tensor([before]), torch.tensor([len(before)]))
    return translator.search(streams, torch.tensor([now]), torch.tensor([len(now)]))[0][0].score


@pytest.mark.parametrize(
    "search", [GreedySearch(length=SHORT), BeamSearch(beam_size=3, length=SHORT)], ids=["greedy", "beam"]
)
def test_lines_that_begin_anew_are_answered_as_by_themselves(plain, search):
    one = plain(search)
    assert [own.ids for own in found(CarriedTranslator(one, SegmentReset()))] == [own.ids for own in found(one)]
    assert scores(CarriedTranslator(one, SegmentReset())) == pytest.approx(scores(one), abs=1e-9)


@pytest.mark.parametrize("options", [{}, {"encoder_layers": 3, "connection": "dense", "halvings": 1}], ids=str)
def test_lines_that_go_on_are_read_behind_all_before_them(plain, options):
    translator = CarriedTranslator(plain(**options), NoReset())
    read = ["abc", "d", "efg hij"]
    if not options:  # where steps are halved, a line's end is one
        wanted = [joined(translator, read[: count + 1]) for count in range(3)]
        assert scores(translator, read) == pytest.approx(wanted, abs=1e-9)
    alone = scores(plain(**options), read)
    again = scores(CarriedTranslator(plain(**options), NoReset()), read)
    assert again[0] == pytest.approx(alone[0], abs=1e-9)
    assert all(abs(one - two) > 1e-6 for one, two in zip(again[1:], alone[1:], strict=True))


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_a_stream_goes_on_from_call_to_call_and_a_whole_call_begins_anew(plain, cut):
    whole, parts = (CarriedTranslator(plain(), SilenceReset()) for _ in range(2))
    assert scores(parts, TEXTS[:cut]) + scores(parts, TEXTS[cut:]) == scores(whole)
    assert whole(TEXTS) == whole(TEXTS)
    assert [own.score for own in whole.hypotheses(TEXTS)] == [own.score for own in whole.hypotheses(TEXTS)]


def test_rows_side_by_side_are_as_each_alone(plain):
    texts = ["abc", "d", "efg", "hij", "klm", "a b", "c"]  # in rows of 3, 2 and 2
    rows = [texts[:3], texts[3:5], texts[5:]]
    wanted = [text for row in rows for text in CarriedTranslator(plain(), NoReset())(row)]
    assert CarriedTranslator(plain(), NoReset(), rows=3)(texts) == wanted
    assert CarriedTranslator(plain(), NoReset(), rows=99)(texts) == plain()(texts)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_what_follows_each_other(plain, processes):
    translator = CarriedTranslator(plain(), NoReset())
    shares = [TEXTS[translator.share(len(TEXTS), rank, processes)] for rank in range(processes)]
    assert [text for share in shares for text in share] == TEXTS


def behind(plain, reset, texts) -> tuple[list[float], list[float]]:
    """Scores of lines under a rule, and of the last line alone."""
    return scores(CarriedTranslator(plain(), reset), texts), scores(CarriedTranslator(plain(), NoReset()), texts[-1:])


@pytest.mark.parametrize(
    ("reset", "texts", "anew"),
    [
        (NoReset(), ["abc", "", "d"], False),
        (SilenceReset(), ["abc", "", "d"], True),
        (SilenceReset(), ["abc", "e", "d"], False),
        (SilenceReset(lines=2), ["abc", "", "d"], False),
        (SilenceReset(lines=2), ["abc", "", "", "d"], True),
        (SilenceReset(lines=2), ["", "abc", "", "d"], False),
        (EveryReset(tokens=4), ["abc", "d"], True),  # letters and the line's end
        (EveryReset(tokens=5), ["abc", "d"], False),
        (EveryReset(tokens=5), ["abc", "e", "f", "d"], False),  # anew at f
        (BoundaryReset(piece="d"), ["abc", "d"], True),
        (BoundaryReset(piece="d"), ["abc", "e"], False),
        (BoundaryReset(piece="d"), ["abc", "efd"], True),
        (DriftReset(lambda nats: True), ["abc", "d"], True),
        (DriftReset(lambda nats: False), ["abc", "d"], False),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "-".join(value),
)
def test_a_reset_row_equals_a_fresh_one_bit_for_bit(plain, reset, texts, anew):
    carried, alone = behind(plain, reset, texts)
    assert (carried[-1] == alone[0]) is anew


def test_drift_is_told_the_nats_of_each_answer_and_begins_anew_behind_an_alarm(plain):
    class Second:
        def __init__(self):
            self.told = []

        def __call__(self, nats: float) -> bool:
            self.told.append(nats)
            return len(self.told) == 2

    translator, texts = CarriedTranslator(plain(), DriftReset(Second())), ["abc", "d", "e", "f"]
    answers = found(translator, texts)
    assert translator.reset.alarm.told == []  # a stream has a copy of the rule
    wanted = [-own.score / (len(own.ids) + own.finished) for own in answers]
    assert translator.resets[0].alarm.told == wanted
    assert [own.score for own in answers[2:]] == scores(CarriedTranslator(plain(), NoReset()), texts[2:])


def test_each_stream_has_a_rule_of_its_own(plain):
    class Counting(NoReset):
        def __init__(self):
            self.seen = 0

        def see(self, answer):
            self.seen += 1

    translator = CarriedTranslator(plain(), Counting(), rows=2)
    translator.begin(2)
    found(translator, ["a", "b", "c"])
    assert [reset.seen for reset in translator.resets] == [2, 1]
    assert translator.reset.seen == 0


def poison(streams, row, value):
    """Put a number into the state of one stream."""
    state = pytree.tree_map(torch.clone, streams.state)
    state.stack.layers[0].cell[row, 1] = float(value)
    streams.state = state


@pytest.mark.parametrize(
    "reset", [NoReset(), SilenceReset(), EveryReset(tokens=10**9)], ids=lambda reset: type(reset).__name__
)
def test_a_state_that_is_not_finite_begins_anew_and_is_counted(plain, reset, caplog):
    translator = CarriedTranslator(plain(), reset)
    found(translator, ["abc"])
    poison(translator.streams, 0, "nan")
    with caplog.at_level(logging.WARNING):
        found(translator, ["d"])
    assert "1 streams began anew, as what the encoder had read was not finite" in caplog.text
    assert (translator.streams.not_finite, translator.pasts) == (1, [Past()])
    assert scores(translator, ["efg"]) == scores(CarriedTranslator(plain(), NoReset()), ["efg"])


def test_a_stream_that_is_not_finite_leaves_the_others_alone(plain):
    one, two = (CarriedTranslator(plain(), NoReset(), rows=2) for _ in range(2))
    for translator in (one, two):
        translator.begin(2)
        found(translator, ["abc", "de"])
    poison(two.streams, 0, "inf")
    assert scores(one, ["f", "g"])[1] == scores(two, ["f", "g"])[1]
    assert two.streams.not_finite == 1


@pytest.mark.parametrize("buffer", [1, 2, 100])
def test_lines_come_one_by_one_however_many_are_read_at_once(plain, buffer):
    lines = [f"{text}\n".encode() for text in TEXTS]
    found = list(LineStream(CarriedTranslator(plain(), SilenceReset()), buffer=buffer)(lines))
    assert found == list(LineStream(CarriedTranslator(plain(), SilenceReset()), buffer=3)(lines))
    assert len(found) == len(TEXTS)


def test_the_past_of_a_stream_is_what_came_since_it_began():
    past = Past().behind([7, 8]).behind([])
    assert past == Past(tokens=3, silence=1)
    assert past.behind([9]) == Past(tokens=5, silence=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(EveryReset, tokens=0), "tokens must be at least 1, but is 0."),
        (partial(SilenceReset, lines=0), "lines must be at least 1, but is 0."),
    ],
    ids=["every", "silence"],
)
def test_rules_that_say_nothing_are_refused(make, message):
    with pytest.raises(UserError) as error:
        make()
    assert str(error.value) == message


def test_what_cannot_read_on_is_refused(plain, echo):
    with pytest.raises(
        UserError, match="^run must name one run with reset, no export, and fusion must be none: one model reads on"
    ):
        CarriedTranslator(echo, NoReset())
    with pytest.raises(UserError, match="^direction must be forward, or block_size a number of steps, for streams"):
        CarriedTranslator(plain(direction="both"), NoReset())
    with pytest.raises(UserError, match="^piece must be one of the model's source vocabulary, but 'ß' is none: train"):
        CarriedTranslator(plain(), BoundaryReset(piece="ß"))
    with pytest.raises(UserError, match="^rows must be at least 1, but is 0."):
        CarriedTranslator(plain(), NoReset(), rows=0)
    with pytest.raises(UserError, match="^lines that follow each other cannot be scored by themselves"):
        CarriedTranslator(plain(), NoReset()).score(["a"], [[5]])


def resident() -> float:
    """The memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell of memory so")
def test_memory_does_not_grow_with_what_was_read(plain):
    translator, sizes = CarriedTranslator(plain(), NoReset()), []
    model = translator.stepper
    state, lengths = model.encoder.start(1), torch.tensor([10])
    for _ in range(10):
        with torch.inference_mode():
            for _ in range(1000):
                _, state = model.encoder.advance(torch.randint(4, 12, (1, 10)), lengths, state)
        for _ in range(25):
            found(translator, ["abcdefghijkl"] * 10)
        gc.collect()
        sizes.append(resident())
    assert translator.pasts[0].tokens == 10 * 25 * 10 * 13
    assert sizes[-1] - sizes[1] < 5
