import re
import unicodedata
from functools import lru_cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq.data.examples import Example
from seq2seq.data.learnt_pieces import learnt_pieces
from seq2seq.data.normalization import RULES
from seq2seq.data.piece_options import KINDS, PieceOptions
from seq2seq.data.space_mark import hidden, readable
from seq2seq.data.text import TextForm
from seq2seq.data.tokenizers import Tokenizer, Tokenizers, TokenizerTrainer
from seq2seq.errors import UserError
from seq2seq.symbols import BOS, EOS, PAD, UNK

LAW = settings(deadline=None, max_examples=100)
GERMAN = """\
Ein älterer Mann, der einen roten Hut trägt, spielt Gitarre.
Zwei Hunde rennen über die grüne Wiese.
Eine Frau sitzt auf einer Bank und liest die Zeitung von gestern.
Kinder spielen im Schnee; einer wirft einen Ball!
"Warum nicht?", fragte das Mädchen und lächelte.
Der Zug fährt um 7:45 Uhr von Gleis 12 ab.
Ein Junge springt in das kühle Wasser eines Sees.
Drei Männer arbeiten auf dem Dach eines großen Hauses."""
ENGLISH = """\
An older man wearing a red hat is playing the guitar.
Two dogs are running across the green meadow.
A woman sits on a bench and reads yesterday's newspaper.
Children are playing in the snow; one throws a ball!
"Why not?", asked the girl, and smiled.
The train leaves from platform 12 at 7:45.
A boy jumps into the cool water of a lake.
Three men are working on the roof of a big house."""
PAIRS = [Example(*pair) for pair in zip(GERMAN.split("\n"), ((e,) for e in ENGLISH.split("\n")), strict=True)]
SIZES = {"unigram": 80, "bpe": 80, "char": None, "word": None}


@lru_cache
def tokenizers_of(kind: str, *, joint: bool = False) -> Tokenizers:
    return trainer_of(kind, joint=joint).train(PAIRS)


def trainer_of(kind: str, **options) -> TokenizerTrainer:
    return TokenizerTrainer(source=kind, target=kind, source_size=SIZES[kind], target_size=SIZES[kind], **options)


def round_trip(tokenizer: Tokenizer, texts: list[str]) -> list[str]:
    return tokenizer.decode(tokenizer.encode(texts))


def error_of(trainer: TokenizerTrainer) -> str:
    with pytest.raises(UserError) as error:
        trainer.train(PAIRS)
    return str(error.value)


# ---- What every kind has in common


@pytest.mark.parametrize("kind", KINDS)
def test_reserved_ids_are_the_same_in_every_vocabulary_and_never_come_from_text(kind):
    for tokenizer in (tokenizers_of(kind).source, tokenizers_of(kind).target):
        assert tokenizer.pieces([PAD, UNK, BOS, EOS]) == ["<pad>", "<unk>", "<s>", "</s>"]
        rows = tokenizer.encode([*GERMAN.split("\n"), "<s> </s> <pad> Ωλ", ""])
        assert not {PAD, BOS, EOS} & {index for row in rows for index in row}
        assert all(0 <= index < tokenizer.size for row in rows for index in row)


@pytest.mark.parametrize("kind", KINDS)
def test_text_seen_in_training_comes_back_without_unknowns(kind):
    tokenizers = tokenizers_of(kind)
    for tokenizer, text in ((tokenizers.source, GERMAN), (tokenizers.target, ENGLISH)):
        lines = text.split("\n")
        assert round_trip(tokenizer, lines) == lines
        assert not any(UNK in row for row in tokenizer.encode(lines))
        assert [tokenizer.unknown(line) for line in lines] == [[]] * len(lines)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_unseen_text_of_seen_characters_comes_back(kind):
    texts = ["Zwei Frauen rennen um 12 Uhr in das Wasser!", "Männer; Hüte: große", "a", "e  i"]
    assert round_trip(tokenizers_of(kind).source, [*texts, "  e i "]) == [*texts, "e i"]


@pytest.mark.parametrize("kind", KINDS)
def test_two_trainings_give_the_same_bytes(kind):
    first, second = tokenizers_of(kind), trainer_of(kind).train(PAIRS)
    assert first.source.serialized == second.source.serialized
    assert first.target.serialized == second.target.serialized
    assert first.source.serialized != first.target.serialized


@pytest.mark.parametrize("kind", KINDS)
def test_the_serialised_bytes_are_the_whole_tokenizer(kind, tmp_path):
    tokenizers = tokenizers_of(kind)
    tokenizers.save(tmp_path / "new" / "tokenizers")
    for side in ("source", "target"):
        kept = getattr(tokenizers, side)
        read = Tokenizer((tmp_path / "new" / "tokenizers" / f"{side}.model").read_bytes())
        assert read.encode(GERMAN.split("\n")) == kept.encode(GERMAN.split("\n"))
        assert read.size == kept.size


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_encodes_to_nothing(kind):
    tokenizer = tokenizers_of(kind).source
    assert tokenizer.encode([]) == tokenizer.decode([]) == []
    assert tokenizer.encode(["", "  "]) == [[], []]
    assert tokenizer.decode([[], []]) == ["", ""]


# ---- Characters and words


CHARACTERS = "".join(map(chr, range(97, 123))) + " AZ0192.,;!?'\"<>/&éßñжи中"


@lru_cache
def characters() -> Tokenizer:
    return TokenizerTrainer(source="char", target="char").train([Example(f"a {CHARACTERS}", ("b",))]).source


@LAW
@given(st.text(CHARACTERS, max_size=30))
@example("<s></s><pad><unk>")
@example("a  b ")
def test_characters_are_one_token_each_and_decode_to_the_text(text):
    (row,) = characters().encode([text])
    assert len(row) == len(text.strip())
    assert characters().decode([row]) == [text.strip()]


VOCABULARY = ["AH0", "AA", "B", "ng", "it's", "<b>", "käse", "жить", "中文", "x.y", "(2)"]


@lru_cache
def words() -> Tokenizer:
    return TokenizerTrainer(source="word", target="word").train([Example(" ".join(VOCABULARY), ("b",))]).source


@LAW
@given(st.lists(st.sampled_from(VOCABULARY), max_size=12))
def test_words_are_one_token_each_and_decode_to_the_text(chosen):
    text = " ".join(chosen)
    (row,) = words().encode([text])
    assert len(row) == len(chosen)
    assert words().decode([row]) == [text]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["a▁b", "▁", "▁a b▁ ▁", "a ▁ b", "▁▁", "ab▁▁ba"])
def test_the_sign_that_stands_for_a_space_comes_back_where_the_text_has_it(kind, text):
    size = {"unigram": 12, "bpe": 12}.get(kind)
    examples = [Example(text, ("a",)), Example("a b ab ba", ("a",))] * 3
    trainer = TokenizerTrainer(source=kind, target="char", source_size=size, exact_size=False)
    tokenizer = trainer.train(examples).source
    assert UNK not in tokenizer.encode([text])[0]
    assert round_trip(tokenizer, [text]) == [text]
    assert tokenizer.join(tokenizer.surface(text)) == text
    assert "".join(map(readable, tokenizer.surface(text))).strip() == text
    assert tokenizer.encode([text]) != tokenizer.encode([text.replace("▁", " ")])


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_the_sign_is_part_of_symbols_and_is_drawn_as_itself(kind):
    options = PieceOptions(symbols=["▁x▁"], protect="▁+")
    trainer = TokenizerTrainer(source=kind, target="char", source_size=12, exact_size=False, options=options)
    tokenizer = trainer.train([Example("a▁x▁b▁▁ a b", ("a",))] * 3).source
    assert tokenizer.decode(tokenizer.sample(["a▁x▁b▁▁"] * 3, 0.5, 1)) == ["a▁x▁b▁▁"] * 3
    assert hidden("▁x▁") in tokenizer.surface("a▁x▁b")
    assert hidden("▁▁") in tokenizer.surface("b▁▁ a")


def test_an_unseen_sign_is_unknown_rather_than_a_space():
    assert [readable(piece) for piece in characters().unknown("a▁b")] == ["▁"]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text(CHARACTERS, max_size=10), max_size=5))
def test_a_text_encodes_the_same_alone_and_among_others(texts):
    assert characters().encode(texts) == [characters().encode([text])[0] for text in texts]


def test_without_a_size_every_character_and_word_has_a_place():
    letters = {letter for text in GERMAN.split("\n") for letter in text}
    assert tokenizers_of("char").source.size == 4 + len(letters)
    assert tokenizers_of("word").source.size == 4 + len(set(GERMAN.split()))


@pytest.mark.parametrize("kind", ["char", "word"])
def test_a_smaller_vocabulary_keeps_the_most_frequent(kind):
    examples = [Example("a a a b b c", ("x",))]
    tokenizer = TokenizerTrainer(source=kind, target="char", source_size=6).train(examples).source
    assert tokenizer.size == 6
    assert tokenizer.unknown("a") == []
    assert [piece.strip("\u2581") for piece in tokenizer.unknown("c")] == ["c"]


# ---- What is unknown


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_unseen_characters_are_found(kind):
    tokenizer = tokenizers_of(kind).source
    assert [piece.strip("\u2581") for piece in tokenizer.unknown("Ein Ω und λ")] == ["Ω", "λ"]
    assert UNK in tokenizer.encode(["Ein Ω"])[0]


def test_unseen_words_are_found():
    tokenizer = tokenizers_of("word").source
    assert tokenizer.unknown("Zwei Katzen rennen über Mauern") == ["\u2581Katzen", "\u2581Mauern"]
    assert [index == UNK for index in tokenizer.encode(["Zwei Katzen rennen"])[0]] == [False, True, False]


# ---- Joint tokenizers


@pytest.mark.parametrize("kind", KINDS)
def test_joint_tokenizers_are_one_object_that_knows_both_sides(kind):
    joint = tokenizers_of(kind, joint=True)
    assert joint.source is joint.target
    lines = GERMAN.split("\n") + ENGLISH.split("\n")
    assert round_trip(joint.source, lines) == lines
    assert tokenizers_of(kind).source is not tokenizers_of(kind).target


@pytest.mark.parametrize(
    ("source", "target", "sizes", "shown"),
    [
        ("bpe", "bpe", (100, 90), "source bpe of size 100 and target bpe of size 90"),
        ("char", "word", (None, None), "source char of size None and target word of size None"),
    ],
)
def test_joint_tokenizers_must_be_of_one_kind_and_size(source, target, sizes, shown):
    message = (
        f"joint must be false where the sides differ, but is true with {shown}: set it to false, or give both the same "
        "kind and size."
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        TokenizerTrainer(source=source, target=target, source_size=sizes[0], target_size=sizes[1], joint=True)


def test_every_target_of_an_example_is_learnt_from():
    trainer = TokenizerTrainer(source="char", target="word")
    target = trainer.train([Example("a", ("one two", "three")), Example("b", ("four",))]).target
    assert target.unknown("one two three four") == []


# ---- Mistakes


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_vocabulary_smaller_than_the_alphabet_is_refused_with_the_least_size_that_works(kind, side):
    def trainer(size: int) -> TokenizerTrainer:
        other = "target" if side == "source" else "source"
        return TokenizerTrainer(**{side: kind, other: "char", f"{side}_size": size})

    message = error_of(trainer(10))
    least = re.fullmatch(rf"{side}_size must be at least (\d+), one for every character, but is 10\.", message)
    assert least, message
    assert getattr(trainer(int(least[1]) + (kind == "unigram")).train(PAIRS), side).size >= int(least[1])
    assert error_of(trainer(int(least[1]) - 1)).endswith(f"but is {int(least[1]) - 1}.")


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("kind", ["unigram", "bpe", "word"])
def test_a_vocabulary_that_the_data_cannot_fill_is_refused_with_the_greatest_size_that_works(kind, side):
    def trainer(size: int) -> TokenizerTrainer:
        other = "target" if side == "source" else "source"
        return TokenizerTrainer(**{side: kind, other: "char", f"{side}_size": size})

    message = error_of(trainer(30_000))
    most = re.fullmatch(rf"{side}_size must be at most (\d+), all that the data can fill, but is 30000\.", message)
    assert most, message
    assert getattr(trainer(int(most[1])).train(PAIRS), side).size == int(most[1])


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_of_joint_sides_both_sizes_are_to_be_set(kind):
    def trainer(size: int) -> TokenizerTrainer:
        return TokenizerTrainer(source=kind, target=kind, source_size=size, target_size=size, joint=True)

    message = error_of(trainer(30_000))
    said = r"source_size and target_size must be at most (\d+), all that the data can fill, but are 30000: "
    most = re.fullmatch(rf"{said}the sides are joint, set both\.", message)
    assert most, message
    assert trainer(int(most[1])).train(PAIRS).source.size == int(most[1])


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_subwords_need_a_size(kind):
    with pytest.raises(UserError) as error:
        TokenizerTrainer(source="char", target=kind)
    assert str(error.value) == f"target_size must be a number for kind {kind}, but is null."


def test_an_unknown_kind_is_refused():
    with pytest.raises(UserError) as error:
        TokenizerTrainer(source="chars", target="char")
    assert str(error.value) == "source must be one of unigram, bpe, char, word, but is 'chars'."


def test_an_unknown_normalisation_is_refused_in_one_line():
    with pytest.raises(UserError) as error:
        PieceOptions(normalization="no_such_rule")
    assert str(error.value) == (
        "normalization must be one of identity, nfd, nfkc, nfkc_cf, nmt_nfkc, nmt_nfkc_cf, but is 'no_such_rule'."
    )


@pytest.mark.parametrize("rule", RULES)
def test_every_normalisation_that_is_told_can_be_learnt_with(rule):
    trainer = TokenizerTrainer(source="char", target="char", options=PieceOptions(normalization=rule))
    assert trainer.train(PAIRS).source.size > 4


# ---- Every option has an effect


def test_normalisation_decides_what_is_made_equal():
    def learn(normalization: str) -> Tokenizer:
        trainer = TokenizerTrainer(source="char", target="char", options=PieceOptions(normalization=normalization))
        return trainer.train([Example("Aﬁ a fi", ("b",))]).source

    assert round_trip(learn("nmt_nfkc"), ["Aﬁ"]) == ["Afi"]
    assert round_trip(learn("identity"), ["Aﬁ"]) == ["Aﬁ"]
    assert round_trip(learn("nmt_nfkc_cf"), ["Aﬁ"]) == ["afi"]


HANGUL = ("순한국", "고양이가", "값")


@lru_cache
def taken_apart(kind: str, **given: object) -> Tokenizer:
    texts = (*HANGUL, "Việt Nam", "é", "ΰ ῷ", "𑂚", "ab")
    options = PieceOptions(normalization="nfd")
    size = {"unigram": 60, "bpe": 60}.get(kind)
    trainer = TokenizerTrainer(source=kind, target="char", source_size=size, options=options, **given)
    return trainer.train([Example(text, ("b",)) for text in texts]).source


def test_nfd_makes_a_syllable_of_hangul_its_letters_and_an_unseen_one_is_known():
    tokenizer = taken_apart("char")
    assert tokenizer.surface("한") == list(unicodedata.normalize("NFD", "한"))
    assert tokenizer.unknown("핝") == ["ᆬ"]  # a letter that no text has
    assert tokenizer.unknown("손") == tokenizer.unknown("하") == []  # syllables that no text has


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["순한국", "고양이가", "값 순한국", "Việt Nam", "é ab", "ΰ ῷ", "𑂚"])
def test_what_nfd_took_apart_comes_back_composed(kind, text):
    assert round_trip(taken_apart(kind, exact_size=False), [text]) == [text]


@pytest.mark.parametrize("form", ["nfc", "nfkc", "none"])
def test_nfd_needs_a_form_that_composes_again(form):
    trainer = TokenizerTrainer(source="char", target="char", options=PieceOptions(normalization="nfd"))
    if form != "none":
        tokenizer = trainer.train([Example("각 İ", ("b",))], TextForm(form)).source
        assert round_trip(tokenizer, ["각 İ"]) == ["각 İ"]
        return
    with pytest.raises(UserError) as error:
        trainer.train([Example("각 İ", ("b",))], TextForm(form))
    assert str(error.value) == (
        "normalization must not be nfd where the form of text is none, which does not compose again what nfd takes "
        "apart: set the form to nfc, or normalization to identity."
    )


@settings(LAW, max_examples=30)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
def test_any_text_that_nfd_took_apart_comes_back_composed(text):
    trainer = TokenizerTrainer(source="char", target="char", options=PieceOptions(normalization="nfd"))
    form = TextForm()
    tokenizer = trainer.train([Example(form(text), ("b",))], form).source
    assert round_trip(tokenizer, [text]) == [form(text)]


@pytest.mark.parametrize(("kind", "size"), [("char", None), ("char", 20), ("bpe", 20), ("unigram", 9), ("word", None)])
def test_character_coverage_leaves_rare_characters_out(kind, size):
    examples = [Example("ab ba aab bba b a abab " * 100 + "aq", ("c",))]

    def learn(coverage: float) -> Tokenizer:
        options = PieceOptions(character_coverage=coverage)
        trainer = TokenizerTrainer(source=kind, target="char", source_size=size, options=options)
        return trainer.train(examples).source

    assert learn(1.0).unknown("ab aq") == []
    assert [piece[-1] for piece in learn(0.99).unknown("ab aq")] == ["q"]


# ---- Pieces


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_of_a_text_are_those_of_its_ids_but_for_the_unknown(kind):
    tokenizer = tokenizers_of(kind).source
    text = "Zwei Ωλ Hunde Ω rennen λKinder"
    (ids,) = tokenizer.encode([text])
    pairs = list(zip(tokenizer.surface(text), tokenizer.pieces(ids), strict=True))
    assert all((shown == piece) == (piece != "<unk>") for shown, piece in pairs)
    assert "".join(tokenizer.unknown(text)) == "".join(shown for shown, piece in pairs if piece == "<unk>") != ""
    assert tokenizer.join(tokenizer.surface(text)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_every_piece_has_its_id(kind):
    tokenizer = tokenizers_of(kind).source
    for index in range(tokenizer.size):
        (piece,) = tokenizer.pieces([index])
        assert tokenizer.ids(piece)[0] == index
    for piece in ("no such piece", "Ω", ""):
        assert tokenizer.ids(piece) in ([], tokenizer.ids("\u2581") if piece == "" else [])


def test_a_piece_is_found_at_the_beginning_of_a_word_and_within_one():
    trainer = TokenizerTrainer(source="bpe", target="char", source_size=20)
    tokenizer = trainer.train([Example(text, ("x",)) for text in ("an ox an ant", "ban fan man", "an an tan")]).source
    assert tokenizer.pieces(tokenizer.ids("an")) == ["an", "\u2581an"]
    assert tokenizer.pieces(tokenizer.ids("\u2581an")) == ["\u2581an"]
    assert tokenizers_of("word").source.ids("Zwei") == tokenizers_of("word").source.ids("\u2581Zwei") != []


def test_joined_words_are_apart_with_or_without_their_marks():
    join = tokenizers_of("word").target.join
    assert join(["\u2581Two", "\u2581dogs", "Ω", "\u2581across"]) == "Two dogs Ω across"
    assert tokenizers_of("char").target.join(["T", "w", "Ω", "\u2581", "a"]) == "TwΩ a"


def test_tokenizers_that_take_text_apart_are_equal_where_all_they_learnt_from_is():
    examples = [Example("\uac01", ("a",))]
    first, second = (
        TokenizerTrainer(source="char", target="char", options=PieceOptions(normalization="nfd")).train(examples)
        for _ in range(2)
    )
    assert first.source.serialized == second.source.serialized
    assert second.source.encode(["\uac01"]) == Tokenizer(first.source.serialized).encode(["\uac01"])


# ---- Texts that hold what SentencePiece keeps for itself


RESERVED = [
    "<s>alt</s> neu",
    "N <unk> fiel um <unk> %",
    "x <pad> y",
    "Q \u2582\u2585\u2587 fertig",
    "a<s>b </s>",
    "ein Hut",
]


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_texts_that_hold_reserved_names_and_signs_are_learnt_and_come_back(kind, joint):
    examples = [Example(text, (text,)) for text in RESERVED] * 3
    trainer = TokenizerTrainer(
        source=kind, target=kind, source_size=SIZES[kind], target_size=SIZES[kind], joint=joint, exact_size=False
    )
    for tokenizer in vars(trainer.train(examples)).values():
        rows = tokenizer.encode(RESERVED)
        assert not {PAD, UNK, BOS, EOS} & {index for row in rows for index in row}
        assert [tokenizer.unknown(text) for text in RESERVED] == [[]] * len(RESERVED)
        assert tokenizer.decode(rows) == [tokenizer.join(tokenizer.surface(text)) for text in RESERVED] == RESERVED
        assert tokenizer.pieces([PAD, UNK, BOS, EOS]) == ["<pad>", "<unk>", "<s>", "</s>"]
        assert [tokenizer.ids(name)[0] for name in ("<pad>", "<unk>", "<s>", "</s>")] == [PAD, UNK, BOS, EOS]


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_protected_names_are_pieces_of_their_own_and_never_the_end_of_a_target(kind):
    options = PieceOptions(protect="<[^>]+>|\u2585")
    trainer = trainer_of(kind, exact_size=False, options=options)
    tokenizer = trainer.train([Example(text, (text,)) for text in RESERVED] * 3).target
    for text, names in zip(
        RESERVED, [["<s>", "</s>"], ["<unk>"] * 2, ["<pad>"], ["\u2585"], ["<s>", "</s>"], []], strict=True
    ):
        (ids,) = tokenizer.encode([text])
        assert not {PAD, UNK, BOS, EOS} & set(ids)
        assert tokenizer.decode([ids]) == [text]
        assert [piece for piece in tokenizer.pieces(ids) if "<" in piece or piece == "\u2585"] == names
        (drawn,) = tokenizer.sample([text], 0.5, seed=1)
        assert [piece for piece in tokenizer.pieces(drawn) if "<" in piece or piece == "\u2585"] == names


def test_what_nobody_has_reserved_is_read_once():
    reads = []

    def texts():
        reads.append(1)
        return iter(ENGLISH.split("\n"))

    learnt_pieces(texts, "char", None, options=PieceOptions(), exact_size=True, sides=["source"])
    assert len(reads) == 1


@pytest.mark.parametrize("kind", ["char", "bpe", "unigram"])
@pytest.mark.parametrize("options", [{"symbols": ["New York", "x  y"]}, {"protect": "New York|x  y"}])
def test_a_symbol_with_spaces_in_it_is_never_cut(kind, options):
    text = "to New York, x  y"
    examples = [Example(f"{text} and New Yorks {word}", (text,)) for word in ("a", "be", "sea", "to", "York", "New")]
    size = None if kind == "char" else 40
    trainer = TokenizerTrainer(
        source=kind, target=kind, source_size=size, target_size=size, exact_size=False, options=PieceOptions(**options)
    )
    tokenizers = trainer.train(examples)
    for tokenizer in (tokenizers.source, tokenizers.target):
        pieces = tokenizer.surface(text)
        assert {"New\u2581York", "x\u2581\u2581y"} <= set(pieces), pieces
        assert tokenizer.decode(tokenizer.encode([text])) == [text]


# ---- One token for each word, or character, known or not


@settings(deadline=None, max_examples=100)
@example("Zwei Einhörner Zebras rennen", "nfc", "identity")
@example("Ωλ aΩλ  Ω", "none", "identity")
@example("<s> <unk><X><X", "nfkc", "nfd")
@given(
    st.text("aZwei Ωλπ<X>\u2581½é각", max_size=12),
    st.sampled_from(["nfc", "nfkc", "none"]),
    st.sampled_from(["identity", "nfd"]),
)
def test_ids_are_as_many_as_words_or_characters_whatever_is_known(text, form, normalization):
    if normalization == "nfd" and form == "none":
        form = "nfc"
    words, letters = whole_tokenizers(form, normalization)
    formed = words.form(text)
    cut = unicodedata.normalize("NFD", formed) if normalization == "nfd" else formed
    characters = re.findall("<X>|.", cut, re.DOTALL)
    for tokenizer, units in ((words, formed and cut.split(" ")), (letters, characters)):
        (ids,), pieces = tokenizer.encode([text]), tokenizer.surface(text)
        assert len(ids) == len(pieces) == len(units)
        assert tokenizer.encode([text] * 9) == tokenizer.sample([text] * 9, 0.5, seed=1) == [ids] * 9
        assert [readable(piece) for piece in pieces] == [" " * (tokenizer is words) + unit for unit in units]
        assert [index == UNK for index in ids] == [not tokenizer.ids(piece) for piece in pieces]
        assert tokenizer.join(pieces) == formed


@lru_cache
def whole_tokenizers(form: str, normalization: str) -> tuple[Tokenizer, Tokenizer]:
    options = PieceOptions(normalization=normalization, protect="<X>")
    trainer = TokenizerTrainer(source="word", target="char", options=options)
    tokenizers = trainer.train([Example("Zwei Hunde rennen", ("Zwei <X> a",))], TextForm(form))
    return tokenizers.source, tokenizers.target


@pytest.mark.parametrize(("kind", "units"), [("word", 6), ("char", 26), ("unigram", None), ("bpe", None)])
def test_neighbours_that_are_unknown_are_one_token_each_but_of_subwords(kind, units):
    tokenizer = tokenizers_of(kind).source
    (ids,) = tokenizer.encode(["ΩΩ λλ ππ ΔΔ ΛΛΛΛ ΞΞΞΞΞΞΞΞΞ"])
    spaces = 0 if kind == "word" else 5
    assert (len(ids) == units) if units else 6 <= ids.count(UNK) <= 6 + spaces
    assert ids.count(UNK) == (units - spaces if units else 6)


def test_what_is_lacked_is_told_by_word_and_of_characters_by_what_stands_together():
    text = "Zwei Katzen Mäuse rennen ΩΩ"
    assert tokenizers_of("word").source.unknown(text) == ["\u2581Katzen", "\u2581Mäuse", "\u2581ΩΩ"]
    assert tokenizers_of("char").source.unknown("<ΩΩ> a") == ["<ΩΩ>"]
