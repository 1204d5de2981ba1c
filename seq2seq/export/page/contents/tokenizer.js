// Text to ids and back, for models of single characters and of words between spaces.

const [PAD, UNK, BOS, EOS] = [0, 1, 2, 3];
const [SPACE, STAND_IN] = ["\u2581", "\u{10fffd}"]; // how pieces have a space, and the sign itself
// What Python calls white space, and the byte order mark.
const BLANK = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]+";
const ENDS = new RegExp(`^${BLANK}|${BLANK}$`, "g");
const FORMS = { nfc: "NFC", nfkc: "NFKC" };

class TextForm {
  constructor(name) {
    this.name = FORMS[name];
  }

  // Text in one form of Unicode, without white space at its ends.
  of(text) {
    return (this.name ? text.normalize(this.name) : text).replace(ENDS, "");
  }
}

class SourceTokenizer {
  constructor({ pieces, symbols, kind }, form) {
    this.ids = new Map(pieces.map((piece, id) => [piece, id]).filter(([, id]) => id > EOS));
    this.symbols = [...symbols].sort((one, other) => other.length - one.length);
    this.kind = kind;
    this.form = form;
  }

  cut(text) {
    const marked = text.replaceAll(SPACE, STAND_IN).replaceAll(" ", SPACE);
    if (this.kind === "word") return (SPACE + marked).split(new RegExp(`(?=${SPACE})`, "u"));
    const pieces = [];
    for (let place = 0; place < marked.length; ) {
      const symbol = this.symbols.find((own) => marked.startsWith(own, place));
      pieces.push(symbol ?? String.fromCodePoint(marked.codePointAt(place)));
      place += pieces.at(-1).length;
    }
    return pieces;
  }

  // Ids of a text and the pieces that they stand for; each that is not known is one.
  encode(text, most) {
    const formed = this.form.of(text);
    const pieces = formed ? this.cut(formed) : [];
    const ids = pieces.map((piece) => this.ids.get(piece) ?? UNK);
    return { ids: ids.slice(0, most), pieces: pieces.slice(0, most), cut: ids.length > most };
  }
}

class TargetTokenizer {
  constructor({ pieces, unknown }, form) {
    this.pieces = pieces;
    this.unknown = unknown;
    this.form = form;
  }

  decode(ids) {
    const text = ids.map((id) => (id === UNK ? this.unknown : this.pieces[id])).join("");
    return this.form.of(readable(text));
  }
}

// A piece as people read it.
function readable(piece) {
  return piece.replaceAll(SPACE, " ").replaceAll(STAND_IN, SPACE);
}
