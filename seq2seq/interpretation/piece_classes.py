"""Classes of pieces: kinds of characters, and manners of phones."""

import unicodedata

_MARK = "\u2581"  # SentencePiece's sign for a space
_VOWELS = set("aeiouyæøœəɐɑɒɔɘɛɜɞɤɨɪɯɵɶʉʊʌʏıаеёиоуыэюяєіїαεηιουω")
_KINDS = {"N": "digit", "P": "punctuation", "S": "symbol", "Z": "space", "M": "mark", "C": "control"}
# The phones of ARPAbet, by manner.
_PHONES = {
    "vowel": "AA AE AH AO AW AX AY EH ER EY IH IY OW OY UH UW",
    "stop": "B D G K P T",
    "affricate": "CH JH",
    "fricative": "DH F HH S SH TH V Z ZH",
    "nasal": "M N NG",
    "liquid": "L R",
    "glide": "W Y",
}
_MANNERS = {phone: manner for manner, phones in _PHONES.items() for phone in phones.split()}


def character_class(piece: str) -> str:
    """The kind of a piece's first character: vowel or consonant, digit, punctuation, symbol, space, mark, control.

    Vowels are letters that are mainly that in Latin, Cyrillic, Greek and the IPA, with or without accents. A letter of
    a script without case is a letter.
    """
    text = piece.replace(_MARK, "") or " "
    plain = unicodedata.normalize("NFD", text[0])[0]
    kind = unicodedata.category(plain)
    if kind[0] != "L":
        return _KINDS[kind[0]]
    if plain.lower() in _VOWELS:
        return "vowel"
    return "letter" if kind == "Lo" else "consonant"


def phone_class(piece: str) -> str:
    """The manner of a phone of ARPAbet, with stress or without: vowel, stop, affricate and so on; other of all else."""
    return _MANNERS.get(piece.replace(_MARK, "").rstrip("012"), "other")


def is_vowel(piece: str) -> bool:
    """Tell whether a piece is a vowel: a phone of ARPAbet, or else by its first character, as of letters and IPA."""
    manner = phone_class(piece)
    return manner == "vowel" if manner != "other" else character_class(piece) == "vowel"
