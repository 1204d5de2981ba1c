"""Headers of tables: first lines that name columns rather than being a pair."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

# Words that name columns of sources and targets, whatever the language of the pairs.
_ROLES = frozenset(
    """
    answer col column corrected correction corrections form forms gold grapheme graphemes hypothesis inflected
    inflection input inputs ipa label lang language lemma lemmas normalised normalized original orthography output
    outputs phone phoneme phonemes phones phonetic phonetics pron pronunciation pronunciations question reference
    references romanised romanized sentence sentences source sources spelling src target targets text texts tgt
    transcript transcription translation translations transliteration trg word words
    antwort aussprache ausgabe eingabe form frage grundform lautschrift original quelle satz text wort wörter
    zieltext ziel quelltext übersetzung
    cible entrée forme lemme mot mots orthographe phonème phonèmes phrase prononciation sortie texte traduction
    destino entrada forma fuente lema objetivo oración origen palabra pronunciación salida texto traducción
    destinazione frase fonte ingresso origine parola pronuncia testo traduzione uscita
    fala origem palavra pronúncia saída tradução alvo
    bron doel invoer uitvoer uitspraak vertaling woord zin
    källa mål ord uttal översättning kilde oversettelse oversættelse udtale uttale
    cel słowo tłumaczenie wymowa źródło wyjście wejście zdanie
    cíl překlad slovo výslovnost vstup výstup věta zdroj
    лемма источник перевод предложение произношение слово текст цель форма вхід вихід джерело переклад вимова
    çeviri cümle hedef kaynak kelime okunuş sözcük
    sana ääntäminen käännös lähde kohde szó kiejtés fordítás forrás cél
    原文 译文 源 目标 单词 发音 句子 翻译 输入 输出 単語 発音 訳文 入力 出力 文 읽기 단어 발음 원문 번역
    """.split()  # noqa: SIM905
)
# Languages: the two-letter code, the three-letter ones, the name in English and in itself.
_NAMED = """
    af afr afrikaans|am amh amharic|ar ara arabic العربية|az aze azerbaijani|be bel belarusian беларуская|bg bul
    bulgarian български|bn ben bengali bangla বাংলা|ca cat catalan català|cs ces cze czech čeština česky|cy cym
    wel welsh cymraeg|da dan danish dansk|de deu ger german deutsch|el ell gre greek ελληνικά|en eng english
    englisch anglais inglés|eo epo esperanto|es spa spanish español castellano|et est estonian eesti|eu eus baq
    basque euskara|fa fas per persian farsi فارسی|fi fin finnish suomi|fr fra fre french français französisch|ga
    gle irish gaeilge|gl glg galician galego|gu guj gujarati|ha hau hausa|he heb hebrew עברית|hi hin hindi
    हिन्दी|hr hrv croatian hrvatski|hu hun hungarian magyar|hy hye arm armenian հայերեն|id ind indonesian|ig ibo
    igbo|is isl ice icelandic íslenska|it ita italian italiano|ja jpn japanese 日本語|jv jav javanese|ka kat geo
    georgian ქართული|kk kaz kazakh қазақ|km khm khmer|kn kan kannada|ko kor korean 한국어|la lat latin|lo lao|lt
    lit lithuanian lietuvių|lv lav latvian latviešu|mk mkd mac macedonian македонски|ml mal malayalam|mn mon
    mongolian|mr mar marathi|ms msa may malay|mt mlt maltese|my mya bur burmese|ne nep nepali|nl nld dut dutch
    nederlands|no nor nob nno norwegian norsk|pa pan punjabi|pl pol polish polski|pt por portuguese português|ro
    ron rum romanian română|ru rus russian русский|sa san sanskrit|si sin sinhala|sk slk slo slovak slovenčina|sl
    slv slovene slovenian slovenščina|sq sqi alb albanian shqip|sr srp serbian српски srpski|sv swe swedish
    svenska|sw swa swahili kiswahili|ta tam tamil தமிழ்|te tel telugu|th tha thai ไทย|tl tgl tagalog filipino|tr
    tur turkish türkçe|uk ukr ukrainian українська|ur urd urdu اردو|uz uzb uzbek|vi vie vietnamese|xh xho xhosa|yo
    yor yoruba|zh zho chi cmn chinese mandarin 中文 汉语|zu zul zulu
"""
# Two-letter codes of ISO 639-1 for all others.
_CODES = """
    aa ab ae ak an as av ay ba bh bi bm bo br bs ce ch co cr cu cv dv dz ee ff fj fo fy gd gn gv ho ht hz ia ie ii
    ik io iu kg ki kj kl kr ks ku kv kw ky lb lg li ln lu mg mh mi na nb nd ng nn nr nv ny oc oj om or os pi ps qu
    rm rn rw sc sd se sg sm sn so ss st su tg ti tk tn to ts tt tw ty ug ve vo wa wo yi za
"""
_CODE = re.compile(r"([a-z]{2,3})(?:[-_](?:[a-z]{2}|[a-z]{4}))?")
_JOINT = re.compile(r"[_.:/-]|(?<=\S)\s*[(\[]")  # between a code and a word that belong together: source_en, text (de)
_WORD = re.compile(r"[^\W\d_]+")


@cache
def _languages() -> dict[str, str]:
    """The code of a language by each of its names and codes."""
    rows = [names.split() for names in _NAMED.split("|")]
    return {code: code for code in _CODES.split()} | {name: row[0] for row in rows for name in row}


@dataclass(frozen=True)
class _Title:
    """A name of a column: the language in it, if any, whether that is all of it, and a bare code, as short as words."""

    language: str = ""
    alone: bool = False
    code: bool = False


def names_columns(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Tell whether the cells of a first line are titles of columns, each of them and not all the same.

    Titles are words such as `source`, `Wort` or `pronunciation`, and names and codes of languages. Two names of one
    language are a pair, as in a dictionary; so are two words as short as codes where others of the lines are as short.
    """
    titles = [_title(cell.strip().casefold()) for cell in first]
    found = [title for title in titles if title is not None]
    if len(found) < len(titles) or len({cell.strip().casefold() for cell in first}) < 2:
        return False
    if all(title.alone for title in found) and len({title.language for title in found}) < 2:
        return False
    codes = [place for place, title in enumerate(found) if title.code]
    return not codes or not any(all(len(row[place]) <= len(first[place]) for place in codes) for row in others)


def says_what(cell: str) -> bool:
    """Tell whether a cell says what is in its column, in words and not by a code, which can be one of anything."""
    title = _title(cell.strip().casefold())
    return title is not None and not title.code


def _title(cell: str) -> _Title | None:
    """The title that a cell in small letters is; None if it is none."""
    known = _languages()
    if (code := _CODE.fullmatch(cell)) and code[1] in known:
        return _Title(known[code[1]], alone=True, code=code[1] == cell)
    words = _WORD.findall(cell)
    roles = [word for word in words if word in _ROLES]
    spoken = [word for word in words if word in known and (len(word) > 3 or not word.isascii() or _JOINT.search(cell))]
    if not words or len(roles) + len(spoken) < len(words):
        return None
    return _Title(known[spoken[0]] if spoken else "", alone=not roles)
