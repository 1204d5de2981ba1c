"""Tables are read as they are meant: a header is never a pair, quotes are CSV's alone, and lines stay exact."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.config.builder import call
from seq2seq.data.corpora.columns import Columns
from seq2seq.data.corpora.pair_table import read_pairs, sources_in
from seq2seq.data.corpora.tsv import TSVCorpus, read_tsv
from seq2seq.errors import UserError

TITLES = """
    en de | EN FR | eng deu | en-US pt_BR | zh-Hans en | English Georgian | Deutsch English | 中文 English
    lemma inflected+form | mot prononciation | word Wort | Wort Aussprache | palabra pronunciación
    source_en target_de | de.text en.text | Text+[de] Text+[en] | sentence1 sentence2 | English IPA
    grapheme phoneme | слово произношение | 単語 発音 | en translation | Word Pronunciation | source target | SRC TGT
    source+text target+text
"""
PAIRS = """
    word W+ER+D | hello target | word word | x target | target t+ɑ+ɹ+ɡ+ə+t | German Deutsch | en English | de d+e
    English English | is+it the+word | the+word das+Wort | English a+language | No Nein | spelling s+p | en +
    Latin latinus | my+word is+it | source+en target+de | be was
"""


def as_lines(table: str) -> list[str]:
    rows = [row.split() for row in table.replace("\n    ", "|").strip("|\n").split("|")]
    return ["\t".join(cells).replace("+", " ") for cells in rows if cells]


ON_SEVERAL = (
    "a cell must be on one line, but this one is on several, from line 1 on: put a space in the place of each end of a "
    "line inside of it."
)
JOINED = "; several are joined: data.source=[1,2]."
cell = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\t\0\ufeff"), min_size=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def write(path: Path, *lines: str) -> Path:
    raw = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def error_of(action) -> str:
    with pytest.raises(UserError) as error:
        action()
    return str(error.value)


@settings(deadline=None, max_examples=60)
@given(pairs=st.lists(st.tuples(cell, cell), min_size=1), delimiter=st.sampled_from(",;"))
def test_what_is_written_as_csv_is_read(folder, pairs, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(pairs)
    path = folder / "pairs.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    if any(cell.strip() for pair in pairs for cell in pair):
        assert read_pairs(path, Columns(delimiter=delimiter, header=False)) == pairs


@settings(deadline=None, max_examples=60)
@given(pairs=st.lists(st.tuples(cell, cell), min_size=1))
def test_cells_between_tabs_are_exact(folder, pairs):
    path = write(folder / "pairs.tsv", *("\t".join(pair) for pair in pairs))
    if any(cell.strip() for pair in pairs for cell in pair):
        assert read_pairs(path, Columns(header=False)) == pairs


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_of_a_csv_file_is_found(tmp_path, name, delimiter):
    rows = [f'"a{delimiter} b"{delimiter}1', f'c{delimiter}"2 ""x"""', f"d{delimiter}NA"]
    pairs = read_pairs(write(tmp_path / name, *rows), Columns())
    assert pairs == [(f"a{delimiter} b", "1"), ("c", '2 "x"'), ("d", "NA")]


@pytest.mark.parametrize(
    ("lines", "options", "pair"),
    [
        (["a, b, c;x", "d, e, f;y"], {}, ("a, b, c", "x")),
        (["a;b;c,x", "d;e;f,y"], {}, ("a;b;c", "x")),
        (["a,b;x;u", "d,e;y;v"], {"source": 1, "target": 3}, ("a,b", "u")),
        (["dog,N;PL,dogs", "cat,N;PL,cats"], {"source": [1, 2], "target": 3}, ("dog N;PL", "dogs")),
        (["a, b;c", "good;gut"], {}, ("a, b", "c")),
    ],
)
def test_of_delimiters_that_cut_alike_the_one_is_taken_that_gives_the_columns(tmp_path, lines, options, pair):
    path = write(tmp_path / "pairs.csv", *lines)
    assert read_pairs(path, Columns(**options))[0] == pair


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (["hello, world;hallo welt"], {}),
        (["1,5;2"], {}),
        (["1,5;2", "3,5;4"], {"header": False}),
        (["1,5;2,5;3", "4,5;5,5;6"], {"source": 1, "target": 3}),
    ],
)
def test_delimiters_of_which_each_may_be_meant_are_told(tmp_path, lines, options):
    path = write(tmp_path / "pairs.csv", *lines)
    said = error_of(lambda: read_pairs(path, Columns(**options)))
    assert said == (
        f"{path} must be cut by one delimiter, but ',' and ';' do it alike in {lines[0]!r}: say which, "
        "data.delimiter=comma or data.delimiter=semicolon."
    )
    assert error_of(lambda: read_pairs(write(path, lines[0].replace(";2,5;", ";")))).endswith(
        ": put `sep=;` in a line above, or another."
    )
    assert read_pairs(path, Columns(delimiter=";"))[0] == tuple(lines[0].replace(";2,5;", ";").split(";"))
    assert read_pairs(write(path, "sep=;", "a,b;c")) == [("a,b", "c")]


def test_a_carriage_return_ends_a_line_of_csv_and_a_cell_is_of_any_length(tmp_path):
    path, limit = tmp_path / "pairs.csv", csv.field_size_limit()
    for ending in (b"\r", b"\r\n", b"\n"):
        path.write_bytes(ending.join([b"a,b", b'"c, d",e', b""]))
        assert read_pairs(path) == [("a", "b"), ("c, d", "e")]
    path.write_text(f"a,{'x' * 200_000}\n", encoding="utf-8")
    assert read_pairs(path, Columns(header=False)) == [("a", "x" * 200_000)]
    path.write_bytes(b'a,"b\rc"\r')
    assert error_of(lambda: read_pairs(path)) == f"{path}, line 2: {ON_SEVERAL}"
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ('"a", "b"', ("a", "b")),
        ('"a, ""x""" ,  "b; ""c"", d" ', ('a, "x"', 'b; "c", d')),
        ('"x, ""y"" z", b', ('x, "y" z', " b")),
        ('5" wide, "b"', ('5" wide', "b")),
        ('a "b", c "d"', ('a "b"', ' c "d"')),
        ('"a" , b', ("a", " b")),
    ],
)
def test_spaces_around_quotes_are_not_of_the_text(tmp_path, line, pair):
    assert read_pairs(write(tmp_path / "pairs.csv", line, "c,d")) == [pair, ("c", "d")]
    assert read_pairs(write(tmp_path / "pairs.tsv", line), Columns(delimiter=",")) == [pair]


@pytest.mark.parametrize(("first", "delimiter"), [("sep=;", ";"), ("SEP=|", "|"), ('"sep=,"', ","), ("sep=\t", "\t")])
def test_a_first_line_of_csv_may_name_the_delimiter(tmp_path, first, delimiter):
    path = write(tmp_path / "pairs.CSV", first, f"source{delimiter}target", f"a{delimiter}b", "c")
    assert error_of(lambda: read_pairs(path)).startswith(f"{path}, line 4 must ")
    assert read_pairs(write(path, first, f"a{delimiter}b")) == [("a", "b")]
    assert "at least one row below its first line" in error_of(lambda: read_pairs(write(path, first)))


@pytest.mark.parametrize("name", ["P.CSV", "p.Csv", "P.CSV.GZ", "p.csv.GZ"])
def test_the_end_of_a_name_is_told_in_any_case(tmp_path, name):
    path = tmp_path / name
    raw = b'"a, x",b\n'
    path.write_bytes(gzip.compress(raw) if name.lower().endswith("gz") else raw)
    assert read_pairs(path) == [("a, x", "b")]


@pytest.mark.parametrize("line", as_lines(TITLES))
@pytest.mark.parametrize("header", ["auto", True])
def test_a_header_is_no_pair_and_is_said(tmp_path, caplog, line, header):
    path = write(tmp_path / "pairs.tsv", line, "house\tmaison")
    assert read_pairs(path, Columns(header=header)) == [("house", "maison")]
    first, second = line.split("\t")
    said = f"{path}: the first line, {first!r}, {second!r}, is left out as a header"
    assert caplog.messages == ([f"{said} (data.header=false reads it as a pair)"] if header == "auto" else [])
    read_pairs(path, Columns(header=header))
    assert len(caplog.messages) == (header == "auto")  # once, however often it is read
    if header == "auto":
        read_pairs(path)
        assert caplog.messages[1] == said  # where no option says otherwise


@pytest.mark.parametrize("line", as_lines(PAIRS))
def test_a_first_pair_is_no_header(tmp_path, caplog, line):
    path = write(tmp_path / "pairs.tsv", line, "a\tb")
    assert read_pairs(path, Columns())[0] == tuple(line.split("\t"))
    assert not caplog.messages


@pytest.mark.parametrize("line", ["am\tbe", "is\tit", "no\tso", "HE\tUR"])
def test_words_as_short_as_codes_are_a_pair_where_others_are_as_short(tmp_path, caplog, line):
    path = write(tmp_path / "pairs.tsv", line, "house\tHaus", "an\tat", "go\tgehen")
    assert read_pairs(path, Columns())[0] == tuple(line.split("\t"))
    assert not caplog.messages
    assert read_pairs(write(path, line, "house\tHaus", "go\tgehen"), Columns())[0] == ("house", "Haus")


def test_titles_are_looked_for_in_the_columns_that_are_read(tmp_path):
    path = write(tmp_path / "pairs.csv", "id,en,notes,de", "7,house,,Haus")
    assert read_pairs(path, Columns(source=2, target=4)) == [("house", "Haus")]


@pytest.mark.parametrize(
    "line", ["id,source,target", "target,lang,source", "notes,target,source,text", "target,source"]
)
@pytest.mark.parametrize("header", ["auto", True])
def test_columns_that_are_named_source_and_target_are_these(tmp_path, caplog, line, header):
    cells = {"source": "a", "target": "b"}
    path = write(tmp_path / "pairs.csv", line, ",".join(cells.get(name, "x") for name in line.split(",")))
    assert read_pairs(path, Columns(header=header)) == [("a", "b")]
    said = "is left out as a header, and its columns source and target are read (data.header=false reads it as a pair)"
    assert [said in message for message in caplog.messages] == [True] * (header == "auto")


@pytest.mark.parametrize("line", ["input\tlang\toutput", "Source\tlang\tTarget", "source\ttarget\ttarget"])
@pytest.mark.parametrize("header", ["auto", True, False])
def test_of_more_than_two_columns_none_is_guessed(tmp_path, caplog, line, header):
    path = write(tmp_path / "pairs.tsv", line, "a\tb\tc")
    said = error_of(lambda: read_pairs(path, Columns(header=header)))
    assert said.startswith(NO_TAB.format(path) + f"2: {line!r}. Say which columns to read, for example data.source=")
    assert not caplog.messages


def test_a_header_can_be_read_as_a_pair(tmp_path):
    path = write(tmp_path / "pairs.tsv", "source\ttarget", "a\tb")
    assert read_pairs(path, Columns(header=False)) == [("source", "target"), ("a", "b")]


@pytest.mark.parametrize("columns", [{"source": "Word", "target": "Pron"}, {"source": 3, "target": 1, "header": True}])
def test_columns_are_chosen_by_name_or_number(tmp_path, columns):
    path = write(tmp_path / "pairs.csv", "Pron;Notes;Word", "b;x;a", 'd;"y;z";c')
    corpus = call(TSVCorpus, train=str(path), dev_size=1, **columns)
    splits = corpus.load()
    assert sorted((own.source, *own.targets) for own in splits.train + splits.dev) == [("a", "b"), ("c", "d")]


MARK = "delimiter must be auto, tab, comma, semicolon, space, bar, lexicon or one character, but is"
SAME = "target must be another column than source, but both have"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": "::"}, f"{MARK} '::'."),
        ({"delimiter": ""}, f"{MARK} ''."),
        ({"delimiter": "Tab"}, f"{MARK} 'Tab'."),
        ({"delimiter": '"'}, "delimiter must be no quote, end of line or NUL, but is '\"': try auto."),
        ({"delimiter": "\n"}, r"delimiter must be no quote, end of line or NUL, but is '\n': try auto."),
        ({"delimiter": "\r"}, r"delimiter must be no quote, end of line or NUL, but is '\r': try auto."),
        ({"delimiter": "\0"}, r"delimiter must be no quote, end of line or NUL, but is '\x00': try auto."),
        ({"header": "yes"}, "header must be auto, true or false, but is 'yes'."),
        ({"source": 0}, "source must be at least 1, or the name of a column, but is 0."),
        ({"source": []}, "source must be a column or several, but is []: give one."),
        ({"source": [1, 0]}, "source must be at least 1, or the name of a column, but is 0."),
        ({"source": 2, "target": 2}, f"{SAME} 2: give both of them."),
        ({"source": 2}, f"{SAME} 2: give both of them."),
        ({"target": 1}, f"{SAME} 1: give both of them."),
        ({"source": [1, 2], "target": 2}, f"{SAME} 2: give both of them."),
        ({"source": "x", "target": ["y", "x"]}, f"{SAME} 'x': give both of them."),
        ({"source": [1, 1], "target": 2}, "source must have each column once, but repeats 1."),
        ({"target": "x", "header": False}, "target must be a number where header is false, but is 'x'."),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    assert error_of(lambda: Columns(**options)) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "source"}, "target must be another column of {} than source, but both have 2: give both of them."),
        ({"source": "id", "target": 1}, "target must be another column of {} than source, but both have 1: "),
        ({"source": [2, "source"], "target": 3}, "source must have each column of {} once, but repeats 2."),
        ({"source": [1, 2], "target": "source"}, "target must be another column of {} than source, but both have 2: "),
    ],
)
def test_no_column_is_read_twice_however_it_is_given(tmp_path, options, message):
    path = write(tmp_path / "pairs.csv", "id,source,target", "1,a,b")
    assert error_of(lambda: read_pairs(path, Columns(**options))).startswith(message.format(path))


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["a,b", "c"], {}, "{}, line 2 must have 2 columns, but has 1: 'c'. Give it 2 columns, as other lines have."),
        (
            ["a,b", "c,d,e"],
            {},
            "{}, line 2 must have 2 columns, but has 3: 'c,d,e'. Give it 2 columns, as other lines have; a comma "
            "inside of a cell needs quotes around it.",
        ),
        (["a,b", "", "c,d"], {}, "{}, line 2 must be a row of 2 columns, but is empty: take it out."),
        (
            ["a,b,c"],
            {},
            "{}, line 1 must have 2 columns, but has 3: 'a,b,c'. Say which columns to read, for example "
            f"data.source=1 data.target=3{JOINED}",
        ),
        (
            [",Source,target"],
            {},
            "{}, line 1 must have 2 columns, but has 3: ',Source,target'. Say which columns to read, for "
            f"example data.source=Source data.target=target{JOINED}",
        ),
        (
            ["a,b"],
            {"target": 3},
            "{}, line 1 must have 3 columns, but has 2: 'a,b'. Write a source, a tab and a target on every line.",
        ),
        (["a,b"], {"source": "x"}, "source must be a column of {}, a, b, but is 'x'."),
        (["source,target"], {}, "{} must hold at least one row below its header."),
        (['a,"b', 'c"'], {}, f"{{}}, line 2: {ON_SEVERAL}"),
        (['a,"b" c'], {}, "{}, line 1 cannot be read as CSV: ',' expected after '\"'."),
        (
            ["a,b", 'c,"d', "e,f"],
            {},
            "{}, line 2 cannot be read as CSV: a quote in it is not closed. Close it, or double it if it is one of the "
            "text, in quotes around the whole cell.",
        ),
    ],
)
def test_a_table_that_cannot_be_read_is_told(tmp_path, lines, options, message):
    path = write(tmp_path / "pairs.csv", *lines)
    assert error_of(lambda: read_pairs(path, Columns(**options))) == message.format(path)


NO_TAB = "{}, line 1 must be `source<TAB>target` with exactly one tab, but has "


@pytest.mark.parametrize(
    ("lines", "message", "unread"),
    [
        (["a;b", "c;d"], "0: 'a;b'. Its cells are between ';', as it seems: give data.delimiter=semicolon.", "';'"),
        (["a|b|c", "d|e|f"], "0: 'a|b|c'. Its cells are between '|', as it seems: give data.delimiter=bar.", "'|'"),
        (["a b", "c d"], "0: 'a b'. Its cells are between ' ', as it seems: give data.delimiter=space.", "' '"),
        (
            ["a ||| b c"],
            "0: 'a ||| b c'. Put a tab in the place of ' ||| ', for example with sed 's/ ||| /\\t/'.",
            "' |||",
        ),
        (
            ['[{"a": "b"},', '{"a": "c"}]'],
            '0: \'[{"a": "b"},\'. It is a list in JSON: read it by data=json.',
            "in JSON.",
        ),
        (["[", '  {"a": "b"}', "]"], "0: '['. It is a list in JSON: read it by data=json.", "list in JSON."),
        (['{"a": "b"}'], '0: \'{"a": "b"}\'. These are JSON lines: read them by data=json.', "JSON lines."),
        (["a b c", "a"], "0: 'a b c'. Write a source, a tab and a target on every line.", "Write a source, "),
        (
            ["id\tlemma\ttags\tform", "1\ta\tN\tb"],
            "3: 'id\\tlemma\\ttags\\tform'. Say which columns to read, for example data.source=lemma "
            f"data.target=form{JOINED}",
            "Write a source, a tab and a target",
        ),
    ],
)
def test_what_would_read_a_table_is_told(tmp_path, lines, message, unread):
    path = write(tmp_path / "pairs.txt", *lines)
    assert error_of(lambda: read_pairs(path, Columns())) == NO_TAB.format(path) + message
    assert unread in error_of(lambda: read_pairs(path))
    assert "data." not in error_of(lambda: read_pairs(path))


def test_of_another_delimiter_without_a_name_the_option_is_told_in_quotes(tmp_path):
    path = write(tmp_path / "pairs.txt", "a:b", "c:d")
    assert error_of(lambda: read_pairs(path, Columns())).endswith("give \"data.delimiter=':'\".")


@pytest.mark.parametrize(
    ("mark", "names"),
    [(";", [";", "semicolon"]), (",", ["comma"]), (" ", ["space"]), ("|", ["bar", "pipe"]), ("\t", ["tab", r"\t"])],
)
@pytest.mark.parametrize("ending", ["txt", "csv"])
def test_a_delimiter_that_is_told_reads_the_table(tmp_path, mark, names, ending):
    path = write(tmp_path / f"pairs.{ending}", f"a{mark}b", f"c{mark}d")
    for name in (mark, *names):
        assert read_pairs(path, Columns(delimiter=name)) == [("a", "b"), ("c", "d")]


@pytest.mark.parametrize(("name", "mark"), [("pairs.tsv", "\t"), ("pairs.csv", ",")])
def test_empty_lines_at_the_end_are_no_rows(tmp_path, name, mark):
    path = write(tmp_path / name, f"a{mark}b", "", " ", "")
    assert read_pairs(path) == [("a", "b")]


def test_columns_that_are_chosen_are_read_whatever_others_there_are(tmp_path):
    path = write(tmp_path / "inflection.tsv", "dog\tdogs\tN;PL", "go\twent\tV;PST", "go\tgo\t")
    first_two = [("dog", "dogs"), ("go", "went"), ("go", "go")]
    assert read_pairs(path, Columns(source=1, target=2)) == first_two
    assert read_pairs(path, Columns(source=1)) == first_two
    assert read_pairs(path, Columns(source=[1, 3], target=2)) == [
        ("dog N;PL", "dogs"),
        ("go V;PST", "went"),
        ("go", "go"),
    ]
    named = write(tmp_path / "named.tsv", "Lemma\tTags\tForm", "dog\tN;PL\tdogs")
    assert read_pairs(named, Columns(source=["Lemma", "Tags"], target="Form")) == [("dog N;PL", "dogs")]


def test_the_pairs_of_an_evaluation_are_read_alike(tmp_path):
    path = write(tmp_path / "pairs.csv", "Word,Pronunciation", '"a, b",1')
    assert [(own.source, own.targets) for own in read_tsv(path)] == [("a, b", ("1",))]


@pytest.mark.parametrize("name", ["t.tsv", "t.csv"])
def test_a_name_of_two_columns_is_not_the_first_of_them(tmp_path, name):
    between = "\t" if name.endswith("tsv") else ","
    path = tmp_path / name
    path.write_text("".join(between.join(row) + "\n" for row in (["text", "label", "text"], ["a", "b", "c"])))
    with pytest.raises(UserError) as error:
        read_pairs(path, Columns(source="text", target="label"))
    assert str(error.value) == (
        f"source must name one column of {path}, but 'text' is the name of columns 1 and 3: give a number."
    )
    assert read_pairs(path, Columns(source=3, target="label")) == [("c", "b")]


RETURNS = "abc\tcba\nab\rd\tdba\nabe\teba\n"


def test_a_carriage_return_within_a_cell_between_tabs_is_part_of_it(tmp_path):
    (path := tmp_path / "pairs.tsv").write_bytes(RETURNS.encode())
    assert read_pairs(path) == [("abc", "cba"), ("ab\rd", "dba"), ("abe", "eba")]
    assert list(sources_in(path)) == ["abc", "ab\rd", "abe"]


@pytest.mark.parametrize("sign", [";", ",", "|", " "])
def test_a_carriage_return_between_other_delimiters_is_told_by_its_line(tmp_path, sign):
    (path := tmp_path / "pairs.txt").write_bytes(RETURNS.replace("\t", sign).encode())
    message = error_of(lambda: read_pairs(path, Columns(delimiter=sign)))
    assert message == f"{path}, line 2 cannot be read as CSV: a carriage return is in it. Take it out."
    assert list(sources_in(path)) == RETURNS.replace("\t", sign).split("\n")[:-1]
    assert list(sources_in(path, Columns(delimiter=sign))) == RETURNS.replace("\t", sign).split("\n")[:-1]


def test_a_carriage_return_in_lines_of_text_keeps_them_from_being_pairs_alone(tmp_path):
    (path := tmp_path / "pairs.txt").write_bytes(RETURNS.replace("\t", ";").encode())
    assert error_of(lambda: read_pairs(path)).startswith(f"{path}, line 1 ")
