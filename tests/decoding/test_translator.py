import pytest
import torch

from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.greedy import GreedySearch
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError

TEXTS = ["b", "", "abcab cab", "c c c", "   ", "a", "ccbbaa bca", "ab", "b a", ""]
ALL_EMPTY = [[], [""], ["", "  ", ""]]


class Echo:
    """Says the source again; its state is what is left to say."""

    def __init__(self, vocabulary_size: int) -> None:
        self.vocabulary_size = vocabulary_size
        self.batches: list[torch.Tensor] = []

    def start(self, source, lengths):
        self.batches.append(lengths)
        return (source,)

    def step(self, ids, state):
        (left,) = state
        logits = 20.0 * torch.nn.functional.one_hot(left[:, 0], self.vocabulary_size)
        return logits, torch.zeros(len(ids), 1, 1), (left.roll(-1, 1),)


@pytest.fixture(scope="module")
def tokenizers() -> Tokenizers:
    examples = [Example(text, (text,)) for text in TEXTS if text.strip()]
    return TokenizerTrainer(source="char", target="char", joint=True).train(examples)


@pytest.fixture
def echo(tokenizers):
    return Echo(tokenizers.source.size)


@pytest.fixture
def translator(tokenizers, echo):
    return Translator(echo, tokenizers, GreedySearch(), batch_size=3)


def test_line_i_answers_line_i_and_empty_stays_empty(translator):
    assert translator(TEXTS) == [text.strip() for text in TEXTS]


@pytest.mark.parametrize("texts", ALL_EMPTY, ids=len)
def test_nothing_but_empty_lines_stays_so(translator, texts):
    assert translator(texts) == [""] * len(texts)


def test_empty_text_is_never_searched(translator, echo):
    empty, full = translator.hypotheses(["", "ab"])
    assert (empty.ids, empty.score, empty.finished) == ([], 0.0, True)
    assert full.ids
    assert [len(lengths) for lengths in echo.batches] == [1]


def test_batches_hold_at_most_batch_size_neighbours_in_length(translator, echo):
    translator(TEXTS)
    assert [len(lengths) for lengths in echo.batches] == [3, 3, 1]
    lengths = torch.cat(echo.batches).tolist()
    assert lengths == sorted(lengths, reverse=True)


def test_unknown_characters_go_through_unk(translator, tokenizers):
    text = "a\N{SNOWMAN}b"
    assert tokenizers.source.unknown(text) == ["\N{SNOWMAN}"]
    known, unknown, other = translator(["ab", text, "c"])
    assert (known, other) == ("ab", "c")
    assert unknown == "a \N{DOUBLE QUESTION MARK} b"


@pytest.mark.parametrize("batch_size", [1, 2, 4, 256])
def test_batch_size_changes_nothing(build_model, tokenizers, batch_size):
    size = tokenizers.source.size
    model = build_model(source_vocabulary_size=size, target_vocabulary_size=size).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.5)  # logits far enough apart for a clear choice
    search = GreedySearch(max_length_extra=6)
    expected = Translator(model, tokenizers, search, batch_size=3)(TEXTS)
    assert len(set(expected)) > 3
    assert Translator(model, tokenizers, search, batch_size=batch_size)(TEXTS) == expected


@pytest.mark.parametrize("batch_size", [0, -3])
def test_bad_batch_size_is_told(tokenizers, echo, batch_size):
    with pytest.raises(UserError) as error:
        Translator(echo, tokenizers, GreedySearch(), batch_size=batch_size)
    assert str(error.value) == f"batch_size must be at least 1, but is {batch_size}."
