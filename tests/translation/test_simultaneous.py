"""Text in and text out while it comes, by a reader that says again what it has read."""

import json
import unicodedata

import pytest
import torch

from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.simultaneous import WaitKPolicy
from seq2seq.errors import UserError
from seq2seq.translation import said, source_text
from seq2seq.translation.live_stream import LiveStream, LiveStreams
from seq2seq.translation.simultaneous import SimultaneousTranslator

SENTENCES = ["the red house and the tower", "a house on the red hill", "tower and hill and house"]


class EchoReader:
    """A reading is the list of ids so far, states are the number of tokens that were said."""

    def __init__(self, size: int) -> None:
        self.size = size

    def open(self):
        return []

    def read(self, ids, reading, *, ended):
        return [*reading, *ids[0].tolist()]

    def begin(self, reading):
        return (torch.zeros(1, 1, dtype=torch.long),)

    def look(self, reading, states, since):
        return (torch.tensor([reading]),), states

    def step(self, ids, memory, states):
        (source,), (place,) = memory, states
        logits = torch.zeros(1, 1, self.size)
        logits[0, 0, source[0, min(int(place), source.shape[1] - 1)]] = 9.0
        return logits, torch.zeros(1, 1, source.shape[1]), (place + 1,)


def translator(kind: str, k: int, texts=SENTENCES, size: int = 22) -> SimultaneousTranslator:
    sizes = {"source_size": size, "target_size": size} if kind in ("unigram", "bpe") else {}
    tokenizers = TokenizerTrainer(source=kind, target=kind, joint=True, **sizes).train(
        [Example(text, (text,)) for text in texts]
    )
    return SimultaneousTranslator(EchoReader(tokenizers.target.size), WaitKPolicy(k=k), GreedySearch(), tokenizers)


@pytest.mark.parametrize("kind", ["word", "unigram", "char"])
@pytest.mark.parametrize("k", [1, 3, 100])
def test_how_a_text_comes_changes_nothing(kind, k):
    built = translator(kind, k)
    for text in SENTENCES:
        at_once, by_letter = built.open(), built.open()
        assert at_once.feed(text) + at_once.end() == text
        assert "".join([by_letter.feed(letter) for letter in text] + [by_letter.end()]) == text
        assert by_letter.delays == at_once.delays


def test_words_are_said_as_they_are_read():
    session = translator("word", 2).open()
    said = [session.feed(part) for part in ("the r", "ed", " house", " and ", "the tower")]
    assert said == ["", "", "the", " red house", " and"]  # a word is read once white space follows it
    assert session.end() == " the tower"
    assert session.delays == [2, 3, 4, 5, 6, 6]


def test_words_of_pieces_are_said_whole():
    built = translator("unigram", 1)
    text = SENTENCES[0]
    assert len(built.tokenizers.target.surface(text)) > len(text.split())
    session, said = built.open(), []
    for letter in text:
        if new := session.feed(letter):
            said.append(new)
    said.append(session.end())
    assert "".join(said) == text
    assert all(part.split() == [word for word in part.split() if word in text.split()] for part in said)
    assert len(said) > 2


@pytest.mark.parametrize("text", ["한국어 말", "কো মৌ", "ñandú ễ", "கொ மௌ"])
def test_what_composes_is_one_letter_however_it_comes(text):
    built = translator("char", 1, texts=[text])
    parts = unicodedata.normalize("NFD", text)
    assert len(parts) > len(text)
    session = built.open()
    assert "".join([session.feed(part) for part in parts] + [session.end()]) == text


def test_letters_are_said_one_by_one_and_marks_stay_with_theirs():
    texts = ["a\u00e9bc", "bca", "\u00e9\u00e9"]
    session = translator("char", 1, texts).open()
    said = [session.feed(character) for character in "ae\u0301b"]
    assert said == ["", "a", "", "\u00e9"]  # a letter waits for the next, which could be its mark
    assert session.end() == "b"
    assert session.delays == [1, 2, 3]


class ForgetfulReader(EchoReader):
    """A reading is the number of tokens so far and the last eight of them."""

    def open(self):
        return 0, ()

    def read(self, ids, reading, *, ended):
        return reading[0] + ids.shape[1], (*reading[1], *ids[0].tolist())[-8:]

    def look(self, reading, states, since):
        return (torch.tensor([reading[1]]), torch.tensor([reading[0]])), states

    def step(self, ids, memory, states):
        (source, read), (place,) = memory, states
        return super().step(ids, (source,), (place - int(read) + source.shape[1],))[:2] + ((place + 1,),)


@pytest.fixture
def short(monkeypatch):
    """Sessions that forget early."""
    monkeypatch.setattr(source_text, "LONGEST", 40)
    monkeypatch.setattr(source_text, "KEPT", 12)
    monkeypatch.setattr(said, "LONGEST", 24)
    monkeypatch.setattr(said, "KEPT", 8)


@pytest.mark.parametrize("kind", ["word", "unigram", "char", "bpe"])
@pytest.mark.parametrize("letters", [1, 7, 1000])
def test_what_is_forgotten_changes_nothing_that_is_said(kind, letters, request):
    built = translator(kind, 3)
    text = " ".join([*SENTENCES] * 5)
    parts = [text[start : start + letters] for start in range(0, len(text), letters)]
    whole = built.open()  # too short a text to forget any of it
    whole.feed(text)
    whole.end()
    request.getfixturevalue("short")
    forgetful, keeping = built.open(keeps=False), built.open()
    for session in (forgetful, keeping):
        assert "".join([session.feed(part) for part in parts] + [session.end()]) == text
    assert (forgetful.said, forgetful.delays) == ("", [])
    assert keeping.said == text
    assert keeping.delays == whole.delays
    assert len(keeping.source.kept) < len(text) / 2


@pytest.mark.parametrize("kind", ["word", "unigram", "char"])
def test_a_line_without_end_is_not_kept(kind, short):
    built = translator(kind, 3)
    built.reader = ForgetfulReader(built.reader.size)
    session, most = built.open(keeps=False), [0, 0]
    for _ in range(60):
        for word in SENTENCES[0].split():
            session.feed(f"{word} ")
            most = [max(most[0], len(session.source.kept)), max(most[1], len(session._said._ids))]
    assert session.units >= 360
    assert most[0] <= 40 + 128  # what was looked at for a place to cut
    assert most[1] <= 24 + 64
    assert session.end().endswith("er")


def test_a_word_without_end_is_kept_and_told_as_it_is(short):
    built = translator("word", 1)
    session = built.open(keeps=False)
    assert session.feed("red " + "x" * 5000 + " house ").split()[0] == "red"
    assert session.end() == ""


def test_delays_of_wait_k_on_words():
    (answer,) = translator("word", 3).answers(["the red house and the tower"])
    assert (answer.text, answer.units, answer.delays) == ("the red house and the tower", 6, [3, 4, 5, 6, 6, 6])


def test_an_empty_text_is_answered_by_nothing():
    session = translator("word", 1).open()
    assert session.feed("") + session.feed("   ") + session.end() == ""
    assert session.delays == []


def test_each_line_has_its_own_answer():
    stream = LiveStream(translator("word", 1))
    chunks = [b"the red ", b"house\n\na ", b"house", b" on the hill"]
    assert "".join(stream(chunks)) == "the red house\n\na house on the hill\n"


def test_what_is_said_is_written_before_more_is_read():
    stream, order = LiveStream(translator("word", 1)), []

    def chunks():
        for chunk in (b"the ", b"red ", b"house\n"):
            order.append(chunk)
            yield chunk

    for part in stream(chunks()):
        if part.strip():
            order.append(part)
    assert order == [b"the ", "the", b"red ", " red", b"house\n", " house\n"]


def test_a_character_can_come_in_two_chunks():
    stream = LiveStream(translator("word", 1, ["caf\u00e9 a", "b caf\u00e9"]))
    assert "".join(stream([b"caf\xc3", b"\xa9 a\n"])) == "caf\u00e9 a\n"


def test_an_input_that_ends_in_a_character_is_told_after_its_answer():
    found: list[str] = []
    with pytest.raises(UserError) as error:
        found.extend(LiveStream(translator("word", 1))([b"the red\nhouse \xc3"]))
    assert "".join(found) == "the red\nhouse\n"
    assert str(error.value) == (
        "line 2 must end with a whole character, but the input ended in the midst of one in UTF-8: its last bytes were "
        "left out."
    )


def test_lines_end_at_newlines_alone_however_they_come():
    stream = LiveStream(translator("word", 1))
    chunks = [b"the red\r", b"\nhouse\r\n", b"a\rhouse\n", b"hill\r"]
    found = "".join(stream(chunks))
    assert found.count("\n") == 4
    assert found.splitlines()[:2] == ["the red", "house"]


def test_streams_end_before_a_mistake_is_told():
    found: list[str] = []
    with pytest.raises(UserError, match="line 2 must be a JSON object, but cannot be read"):
        found.extend(LiveStreams(translator("word", 1))([b'{"stream": "x", "text": "the red hill"}\nbad\n']))
    assert [json.loads(line) for line in found] == [
        {"stream": "x", "text": "the red", "end": False},
        {"stream": "x", "text": " hill", "end": True},
    ]


def test_streams_play_side_by_side():
    lines = [
        {"stream": "a", "text": "the red "},
        {"stream": "b", "text": "a house "},
        {"stream": "a", "text": "house", "end": True},
        {"stream": "b", "text": "on"},
    ]
    chunks = ["".join(json.dumps(line) + "\n" for line in lines).encode()]
    found = [json.loads(line) for line in LiveStreams(translator("word", 1))(chunks)]
    assert found == [
        {"stream": "a", "text": "the red", "end": False},
        {"stream": "b", "text": "a house", "end": False},
        {"stream": "a", "text": " house", "end": True},
        {"stream": "b", "text": " on", "end": True},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[1]\n", "line 1 must be a JSON object with stream, and text and end if wanted, but is b'[1]'."),
        (
            b'{"stream": 1, "more": 2}\n',
            "line 1 must be a JSON object with stream, and text and end if wanted, but is ",
        ),
        (b'{"stream": "a", "text": 3}\n', "line 1: stream and text must be texts, and end true or false."),
        (b"{\n", "line 1 must be a JSON object, but cannot be read: "),
        (b'{"stream": "a", "text": "\\ud800"}\n', "line 1 must hold whole characters, but has half a surrogate pair"),
        (b'{"stream": "\\ud800", "text": "a"}\n', "line 1 must hold whole characters, but has half a surrogate pair"),
    ],
)
def test_lines_that_are_no_streams_are_told(line, message):
    with pytest.raises(UserError) as error:
        list(LiveStreams(translator("word", 1))([line]))
    assert str(error.value).startswith(message)
