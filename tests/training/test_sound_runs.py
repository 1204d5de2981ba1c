"""Sounds in, words out: whole runs on WAV files, while they play, and looked into."""

import wave

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import seq2seq
from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.interpret import interpret
from seq2seq.commands.train import train
from seq2seq.config.builder import build
from seq2seq.data.wav_file import read_sound
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.simultaneous import WaitKPolicy
from seq2seq.errors import UserError
from seq2seq.models.reading import GrowingReader
from seq2seq.runs.run import load_run
from seq2seq.translation.simultaneous import SimultaneousTranslator

RATE = 8000
TONES = {"low": 400, "middle": 1200, "high": 3000}
RUN = """
data=wav data.spectrum.rate=8000 data.spectrum.bands=12 data.spectrum.window=0.032 data.spectrum.hop=0.02 model=luong
model/input=frames tokenizer=word model.embedding_size=8 model.encoder.hidden_size=16 model.encoder.direction=forward
model.decoder.hidden_size=16 model.decoder.feature_size=16 model/waiting=wait_k model.waiting.lowest=6
model.waiting.highest=8 model.waiting.pace=5.0 model.dropout=0.0 augmentation=spec_augment augmentation.feature_width=1
trainer.accelerator=cpu trainer.val_check_interval=30 precision=32-true threads=1 logger=none schedule.warmup_steps=2
optimizer.lr=0.03 batches.max_tokens=600 budget.max_steps=90 averaging.decay=0.9
"""


def write_tones(folder, name: str, count: int, seed: int) -> str:
    """A table of sounds, each of two tones of 0.1 s in a row."""
    random, lines = np.random.default_rng(seed), []
    for number in range(count):
        words = [list(TONES)[random.integers(3)] for _ in range(2)]
        times = np.arange(RATE // 10) / RATE
        tones = [np.sin(2 * np.pi * TONES[word] * times + random.uniform(0, 6)) for word in words]
        samples = 0.5 * np.concatenate(tones) + random.normal(0, 0.01, 2 * len(times))
        with wave.open(str(folder / f"{name}{number}.wav"), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes((samples * 32000).astype("<i2").tobytes())
        lines.append(f"{name}{number}.wav\t{' '.join(words)}\n")
    (folder / f"{name}.tsv").write_text("".join(lines))
    return str(folder / f"{name}.tsv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sounds")


@pytest.fixture(scope="module")
def learnt(folder, plain_config_of, tmp_path_factory):
    """The folder of a run that has learnt to name tones while they sound."""
    place = tmp_path_factory.mktemp("learnt")
    data = [f"data.train={write_tones(folder, 'a', 80, 1)}", f"data.test={write_tones(folder, 'b', 20, 2)}"]
    train(plain_config_of("train", *RUN.split(), *data), place, resume=False)
    return place


def test_tones_are_named_and_so_they_are_while_they_sound(config_of, learnt):
    given = [f"run={learnt}", "device=cpu", "simultaneous=wait_k", "bootstrap=0"]
    report = evaluate_run(config_of("evaluate", *given, "simultaneous.k=[7,500]"))
    early, whole = report["simultaneous"]
    assert report["offline"]["scores"]["wer"] <= 10
    assert whole["scores"] == report["offline"]["scores"]
    assert early["scores"]["wer"] <= 10  # k is beyond the first tone, and 5 frames later the second sounds
    assert early["latency"]["al"] < whole["latency"]["al"]
    assert early["silent"] == whole["silent"] == 0
    paces = evaluate_run(config_of("evaluate", *given, "simultaneous.k=7", "simultaneous.pace=[null,1.0,5.0]"))
    as_trained, slower, said = paces["simultaneous"]
    assert as_trained["latency"] == said["latency"] == early["latency"]  # which is 5, as it was trained
    assert slower["latency"]["al"] != said["latency"]["al"]


def test_sound_that_comes_in_chunks_is_answered_as_its_file(learnt, folder):
    run = load_run(learnt)
    spectrum = build(run.config["data"]["spectrum"], "data.spectrum")
    translator = SimultaneousTranslator(
        GrowingReader(run.model), WaitKPolicy(k=7, pace=5.0), GreedySearch(), run.tokenizers
    )
    samples, _ = read_sound(folder / "b0.wav")
    stream, session = spectrum.stream(), translator.open_series()
    parts = [session.feed(stream.feed(chunk).numpy()) for chunk in samples.split(100)]
    before = "".join(parts)
    whole = translator.open_series()
    said = whole.feed(spectrum(samples).numpy()) + whole.end()
    assert before + session.end() == said
    assert len(before.split()) >= 1
    assert session.delays == whole.delays


def test_attention_is_drawn_over_the_spectrum(config_of, learnt, folder, tmp_path):
    given = [f"run={learnt}", f"frames={folder / 'b0.wav'}", f"out={tmp_path / 'out'}", "device=cpu", "steps=2"]
    files = interpret(config_of("interpret", *given, "formats=[png]"))
    assert {"report.html", "attention.png", "occlusion.png"} <= {file.name for file in files}
    page = files[0].read_text(encoding="utf-8")
    assert '<span class="text">b0</span>' in page


@pytest.fixture(scope="module")
def spectrum(learnt, folder):
    made = build(load_run(learnt).config["data"]["spectrum"], "data.spectrum")
    return made(read_sound(folder / "b0.wav").samples).numpy()


def test_from_python_a_sound_is_an_array(learnt, folder, spectrum):
    run = seq2seq.load(learnt, device="cpu")
    found = run.interpret(spectrum, steps=2)
    assert found.output == run.translate(spectrum)
    assert found.reading.source == [str(number) for number in range(1, len(spectrum) + 1)]
    picture = found.figures()["attention"]
    assert isinstance(picture, Figure)
    above, below = (axes.images[0].get_array() for axes in picture.axes[:2])
    assert above.shape == spectrum.T.shape
    assert below.shape == (len(found.reading.target), len(spectrum))
    np.testing.assert_allclose(below, found.trace.weights[0].numpy())
    normalized = load_run(learnt).model.encoder.input.normalization(torch.from_numpy(spectrum)[None])
    np.testing.assert_allclose(above, normalized[0].numpy().T, rtol=1e-5)
    with pytest.raises(UserError, match="probe must have .* numbers, one per frame, but has 2"):
        run.interpret(spectrum, probe=[1, 2])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["text=x"], "text must be left out, as run={run} reads frames: give frames=FILE."),
        (["text=x", "frames=x.wav"], "text must be left out beside frames, which are read in its place."),
        (["frames=x.mp3"], "frames must be a .npy, a .npz or a .wav file, but is x.mp3."),
        (["frames=x.wav"], "x.wav must be a sound, but there is no such file."),
        (["frames=x.npy"], "frames cannot be read from x.npy: [Errno 2] No such file or directory: 'x.npy'"),
        (["frames={folder}/b0.wav", "max_source_tokens=4"], "frames must be at most max_source_tokens=4, but are"),
        (["frames=x.wav", "stream=x.txt"], "frames"),
    ],
)  # fmt: skip
def test_what_cannot_be_looked_into_is_told(config_of, learnt, folder, tmp_path, given, message):
    given = [one.format(folder=folder) for one in given]
    with pytest.raises(UserError) as error:
        interpret(config_of("interpret", f"run={learnt}", f"out={tmp_path / 'out'}", "device=cpu", *given))
    assert str(error.value).startswith(message.format(run=learnt))
    assert not (tmp_path / "out").exists()


def test_an_array_in_a_file_is_read_as_frames(config_of, learnt, tmp_path, spectrum):
    np.save(tmp_path / "one.npy", spectrum)
    given = [f"run={learnt}", f"frames={tmp_path / 'one.npy'}", f"out={tmp_path / 'out'}", "device=cpu", "steps=2"]
    assert '<span class="text">one</span>' in interpret(config_of("interpret", *given, "formats=[svg]"))[0].read_text()


def test_tables_of_sounds_may_be_csv(learnt, folder, config_of):
    rows = [line.replace("\t", ",") for line in (folder / "b.tsv").read_text().splitlines()]
    (folder / "b.csv").write_text("\n".join(rows) + "\n")
    of_csv, of_tsv = (
        evaluate_run(config_of("evaluate", f"run={learnt}", f"file={folder / name}", "bootstrap=0"))["scores"]
        for name in ("b.csv", "b.tsv")
    )
    assert of_csv == of_tsv
