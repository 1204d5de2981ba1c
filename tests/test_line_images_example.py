"""The example's lines say what its tables say, and fonts of test are not those of train."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import line_images as example  # noqa: E402

sys.path.pop(0)
from seq2seq.data.corpora.line_images import LineImageCorpus  # noqa: E402
from seq2seq.data.corpora.split_options import FileOptions  # noqa: E402


def test_pieces_are_short_and_the_same_every_time():
    lines = example.manual().splitlines()[:300]
    found = list(example.pieces(lines))
    assert found == list(example.pieces(lines))
    assert max(map(len, found)) <= example.LONGEST
    assert {re.sub(r"\W|\d", "", word).lower() for piece in found for word in piece.split()} > {"the", "assert"}


def test_matplotlib_s_fonts_are_there_and_have_all_letters():
    files = example.fonts()
    assert {"DejaVuSans", "STIXGeneral", "cmr10"} <= files.keys()
    assert not {"cmsy10", "LastResortHE-Regular", "STIXSizOneSymReg", "DejaVuSansDisplay"} & files.keys()
    for name in ("DejaVuSerif", "cmtt10", "STIXGeneralBol"):
        chosen = (np.random.default_rng(1) for _ in range(2))
        one, other = (
            np.asarray(example.render(text, files[name], own)) for text, own in zip("il", chosen, strict=True)
        )
        assert one.shape[0] == example.HEIGHT
        assert one.shape != other.shape or (one != other).any()


def test_splits_share_no_text_and_test_has_fonts_of_its_own(tmp_path):
    example.make(example.manual(), tmp_path / "lines", train=60, test=20)
    options = FileOptions(*(str(tmp_path / "lines" / f"{name}.tsv") for name in ("train", "dev", "test")))
    splits = LineImageCorpus(options=options, height=24).load()
    texts, names = [], []
    for split, count in ((splits.train, 60), (splits.dev, 20), (splits.test, 20)):
        assert len(split) == count
        texts.append({one.targets[0] for one in split})
        names.append({Path(one.source.place).stem.partition("-")[2] for one in split})
    assert not texts[0] & (texts[1] | texts[2])
    assert not names[0] & names[2]
    assert names[2] <= set(example.HELD_OUT)


def test_too_little_text_is_told(tmp_path):
    with pytest.raises(SystemExit, match="texts must be enough for 30 lines in ASCII, but are for 1: lower"):
        example.make("one line", tmp_path / "lines", train=10, test=10)
