import pytest

from seq2seq.data import line_parts as module
from seq2seq.data.line_parts import LinePart, line_parts
from seq2seq.errors import UserError

TEXT = "\ufeffone two\r\n\nthree four five six seven eight\nandwithoutanywhitespaceatall\nά b\nend\r".encode()


@pytest.fixture(autouse=True)
def _short_parts(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 12)


def of(data: bytes, size: int) -> list[LinePart]:
    return list(line_parts((data[start : start + size] for start in range(0, len(data), size)), "a"))


def test_a_long_line_comes_in_parts_of_whole_words():
    assert of(TEXT, 1000) == [
        (1, "one two", True),
        (2, "", True),
        (3, "three four ", False),
        (3, "five six ", False),
        (3, "seven eight", True),
        (4, "andwithoutan", False),
        (4, "ywhitespacea", False),
        (4, "tall", True),
        (5, "ά b", True),
        (6, "end", True),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 13, 40])
def test_however_the_chunks_are_cut_the_parts_are_the_same(size):
    assert of(TEXT, size) == of(TEXT, 1000)


@pytest.mark.parametrize("length", [11, 12, 13, 24])
def test_a_carriage_return_at_the_cut_belongs_to_the_line_end(length):
    data = b"x" * length + b"\r\n" + b"y"
    assert of(data, 1) == of(data, 1000)
    assert "".join(part.text for part in of(data, 1)) == "x" * length + "y"


def test_nothing_is_no_line():
    assert of(b"", 1) == []
    assert of(b"a\n", 1) == [(1, "a", True)]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_what_is_not_utf_8_is_told_with_its_line(size):
    with pytest.raises(UserError) as error:
        of(b"a\nb\n\xff\n", size)
    assert str(error.value) == "a, line 3 is not UTF-8: convert it, for example with iconv."
    with pytest.raises(UserError) as error:
        of("a\nά".encode()[:-1], size)
    assert str(error.value) == "a, line 2 is not UTF-8: convert it, for example with iconv."
