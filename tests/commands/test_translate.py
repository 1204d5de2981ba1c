"""A config of `translate` to a stream of translations."""

import json

import pytest
from line_streams import build_stream

from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import UserError
from seq2seq.runs.run import load_run
from seq2seq.translation.translator import Translator

LINES = [b"a b c\n", b"\n", b"f\n", b"d d a b e\n"]
TEXTS = [line.decode().strip() for line in LINES]


@pytest.fixture
def stream_of(config_of, finished):
    """The stream of the finished run, with overrides."""
    return lambda *overrides: build_stream(config_of("translate", f"run={finished}", "device=cpu", *overrides))


def test_by_default_a_stream_says_what_greedy_search_finds(stream_of, finished):
    run = load_run(finished)
    alone = [Translator(run.model, run.tokenizers, GreedySearch())([text])[0] for text in TEXTS]
    assert len(set(alone)) > 2
    for buffer in (1, 3, 100):
        assert list(stream_of(f"buffer={buffer}")(LINES)) == alone


def test_every_option_reaches_what_it_is_for(stream_of):
    stream = stream_of(
        "buffer=7", "input=json", "format=json", "n_best=2", "batch_size=3", "max_tokens=500", "max_source_tokens=40",
        "decoding=beam", "decoding.beam_size=4", "decoding.length.max_extra=1", "decoding.filters.no_repeat_ngram=2",
        "decoding/ranking=gnmt", "rerank=mbr", "rerank.utility=edit", "replace_unknown=true", "pieces.forbidden=[a]",
    )  # fmt: skip
    translator = stream.translator
    assert (stream.buffer, stream.n_best) == (7, 2)
    assert (translator.batch_size, translator.max_tokens, translator.max_source_tokens) == (3, 500, 40)
    assert (translator.search.width, translator.search.length.max_extra) == (4, 1)
    assert [edit.size for edit in translator.search.filters.active] == [2]
    assert translator.search.ranking.alpha == 0.6
    assert (translator.rerank.utility, translator.rerank.weighted) == ("edit", True)
    assert translator.replace_unknown
    assert translator.pieces.forbidden == ["a"]
    (written,) = stream([b'{"source": "a b", "prefix": "b", "constraints": ["c"]}\n'])
    found = json.loads(written)
    assert [own["text"][0] for own in found["translations"]] == ["b", "b"]
    assert "c" in found["translations"][0]["text"]
    assert "a" not in "".join(own["text"] for own in found["translations"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["batch_size=0"], "batch_size must be at least 1, but is 0."),
        (["batch_size=many"], "batch_size must be int, but is 'many'."),
        (["max_source_tokens=2.5"], "max_source_tokens must be int, but is 2.5."),
        (["replace_unknown=3"], "replace_unknown must be bool, but is 3."),
        (["buffer=0"], "buffer must be at least 1, but is 0."),
        (["buffer=all"], "buffer must be int, but is 'all'."),
        (["n_best=two"], "n_best must be int, but is 'two'."),
        (["format=yaml"], "format must be one of text, tsv, json, but is 'yaml'."),
        (["threads=some"], "threads must be auto or at least 1, but is 'some'."),
        (["pieces.forbidden=a"], "pieces.forbidden must be a list, but is 'a': write [a]."),
        (["pieces.allowed=[1]"], "pieces.allowed must be list[str] | None, but is [1]."),
        (
            ["pieces.forbidden=['</s>']"],
            "pieces.forbidden must leave </s>, with which hypotheses end: for longer ones, raise the minimum length.",
        ),
        (["rerank=mbr", "rerank.utility=ter"], "rerank.utility must be one of chrf, edit, but is 'ter'."),
        (["precision=half"], "precision must be one of auto, float32, bfloat16, int8, but is 'half'."),
    ],
)
def test_a_wrong_value_is_named(stream_of, overrides, message):
    assert root_of(stream_of, *overrides) == message


def root_of(stream_of, *overrides: str) -> str:
    """The user's mistake, which Hydra wraps where a constructor finds it."""
    with pytest.raises(Exception, match=r".") as caught:
        stream_of(*overrides)
    error: BaseException | None = caught.value
    while not isinstance(error, UserError):
        assert error is not None
        error = error.__cause__
    return str(error)


def test_a_line_outside_the_vocabulary_is_refused_as_it_comes(stream_of):
    answers = stream_of("input=json", "buffer=10")([b'{"source": "a"}\n', b'{"source": "a", "prefix": "zz"}\n'])
    assert next(answers)
    with pytest.raises(UserError, match=r"^line 2: the prefix 'zz' must be in the target vocabulary, but it lacks "):
        next(answers)
