"""Lines of text as pictures, rendered in the fonts that are installed, some of which are held out to test on.

    python examples/line_images.py                          writes lines/{train,dev,test}.tsv and a PNG per line
    python examples/line_images.py --texts FILE             of your own lines of text
    python scripts/train.py data=lines data.train=lines/train.tsv ...       as in docs/pictures.md
    python examples/line_images.py --run DIR --look lines/test/00000-DejaVuSans-Oblique.png

Each line is up to 24 characters of a line of the texts, else of Python's own manual, on paper that is not quite white,
in ink that is not quite black, at a size and place of its own, a little blurred and noisy. Pillow draws it; the fonts
are matplotlib's and the system's. Test and dev are of texts that train has not, and test is of fonts that train has
not.
"""

import argparse
import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from matplotlib import get_data_path
from matplotlib.font_manager import findSystemFonts
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import seq2seq
from seq2seq.data.corpora.line_images import line_series
from seq2seq.interpretation.line_plot import attention_over_line
from seq2seq.interpretation.trace import trace
from seq2seq.symbols import BOS, EOS

HEIGHT, LONGEST = 32, 24  # pixels, characters
# Families with all letters, digits and marks of ASCII; others among the files are of mathematical signs.
FAMILIES = re.compile(
    r"(DejaVu(Sans|SansMono|Serif|SansCondensed|SerifCondensed)(-|$)|Liberation|STIXGeneral|cm(r|b|ss|ti|tt)10)"
)
HELD_OUT = (
    *("DejaVuSans-Oblique", "DejaVuSansMono-Bold", "DejaVuSerif", "DejaVuSerifCondensed-BoldItalic"),
    *(
        "LiberationMono-Italic",
        "LiberationSans-Bold",
        "LiberationSerif-Regular",
        "STIXGeneralBolIta",
        "cmss10",
        "cmr10",
    ),
)


def fonts() -> dict[str, str]:
    """Paths of the fonts that are installed, by name."""
    files = [*findSystemFonts(str(Path(get_data_path()) / "fonts" / "ttf")), *findSystemFonts()]
    found = {Path(path).stem: path for path in files if FAMILIES.match(Path(path).stem)}
    return dict(sorted(found.items()))


def pieces(lines: Sequence[str]) -> Iterator[str]:
    """Runs of words of each line, at most 24 characters long; some in capitals, and some with a number."""
    for line in lines:
        chosen = np.random.default_rng(int.from_bytes(hashlib.blake2b(line.encode(), digest_size=4).digest()))
        piece = ""
        for word in line.split():
            word = _written(word, chosen)
            if piece and len(piece) + 1 + len(word) > chosen.integers(6, LONGEST + 1):
                yield piece[:LONGEST].strip()
                piece = ""
            piece = f"{piece} {word}" if piece else word
        if piece:
            yield piece[:LONGEST].strip()


def _written(word: str, chosen: np.random.Generator) -> str:
    """The word, perhaps in capitals or behind a number."""
    draw = chosen.random()
    if draw < 0.08:
        return word.upper()
    if draw < 0.2:
        return word.capitalize()
    return f"{chosen.integers(10 ** chosen.integers(1, 5))} {word}" if draw < 0.28 else word


def render(text: str, font: str, chosen: np.random.Generator) -> Image.Image:
    """The picture of a text, 32 pixels high, with all that is drawn by lot."""
    drawn = ImageFont.truetype(font, int(chosen.integers(17, 24)))
    left, top, right, bottom = drawn.getbbox(text)
    margins = chosen.integers(2, 9, 2)
    paper, ink = int(chosen.integers(200, 256)), int(chosen.integers(0, 90))
    sheet = Image.new("L", (int(right - left + margins.sum()), HEIGHT), paper)
    ascent, descent = drawn.getmetrics()
    line = max(0, (HEIGHT - ascent - descent) // 2) + int(chosen.integers(-2, 3))
    ImageDraw.Draw(sheet).text((int(margins[0] - left), line), text, fill=ink, font=drawn)
    blurred = sheet.filter(ImageFilter.GaussianBlur(float(chosen.uniform(0, 0.8))))
    noise = chosen.normal(0, chosen.uniform(0, 10), (HEIGHT, sheet.width))
    return Image.fromarray((np.asarray(blurred, float) + noise).clip(0, 255).astype(np.uint8))


def write(folder: Path, split: str, texts: Sequence[str], files: Sequence[str], seed: int) -> None:
    """Write the pictures of a split, the fonts in turn, and its table."""
    chosen, rows = np.random.default_rng(seed), []
    (folder / split).mkdir(parents=True)
    for number, text in enumerate(texts):
        name = f"{split}/{number:05d}-{Path(files[number % len(files)]).stem}.png"
        render(text, files[number % len(files)], chosen).save(folder / name)
        rows.append(f"{name}\t{text}\n")
    (folder / f"{split}.tsv").write_text("".join(rows))


def manual() -> str:
    """The text of the manual that comes with Python."""
    from pydoc_data.topics import topics

    return "\n".join(topics.values())


def make(texts: str, folder: Path, train: int, test: int) -> None:
    """Write all splits of the lines of some texts."""
    lines = [line for line in texts.splitlines() if line.isascii() and line.isprintable()]
    count = train + 2 * test
    chosen = list(islice(dict.fromkeys(piece for piece in pieces(lines) if piece), count))
    if len(chosen) < count:
        raise SystemExit(
            f"texts must be enough for {count} lines in ASCII, but are for {len(chosen)}: lower --train and --test."
        )
    files = fonts()
    seen = [path for name, path in files.items() if name not in HELD_OUT]
    unseen = [path for name, path in files.items() if name in HELD_OUT]
    write(folder, "test", chosen[:test], unseen, seed=1)
    write(folder, "dev", chosen[test : 2 * test], seen, seed=2)
    write(folder, "train", chosen[2 * test :], seen, seed=3)
    print(f"{train} lines in {len(seen)} fonts, {test} to test on in {len(unseen)} others")


def look(run: str, picture: str, out: str) -> str:
    """The text that a run reads in a picture, on which its attention is drawn into a file."""
    (own,) = seq2seq.Run(run).members
    data = own.config["data"]
    line = line_series(picture, data["height"], inverted=data["inverted"])
    (text,) = seq2seq.Run(run).translate([line.values])
    ids = [*own.tokenizers.encode_pairs([line], [text])[1][0], EOS]
    source, target = torch.from_numpy(line.values).unsqueeze(0), torch.tensor([[BOS, *ids]])
    weights = trace(own.model, source, torch.tensor([len(line.values)]), target).weights[0]
    pieces = [piece.replace("\u2581", "\u2423") for piece in own.tokenizers.target.pieces(ids)]
    attention_over_line(weights, source[0], pieces, title=text).savefig(out, dpi=100)
    return text


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, help="a file of lines of text")
    parser.add_argument("--folder", type=Path, default=Path("lines"), help="a new folder")
    parser.add_argument("--train", type=int, default=12_000, help="lines to train on")
    parser.add_argument("--test", type=int, default=1_000, help="lines to test on, and as many for dev")
    parser.add_argument("--run", help="a run that has learnt to read lines, and")
    parser.add_argument("--look", help="a picture to look into with it")
    parser.add_argument("--out", default="attention.png", help="where its attention is drawn")
    given = parser.parse_args()
    if given.run and given.look:
        print(look(given.run, given.look, given.out))
        return
    make(given.texts.read_text("utf-8") if given.texts else manual(), given.folder, given.train, given.test)


if __name__ == "__main__":
    main()
