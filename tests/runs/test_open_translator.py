"""Runs, ensembles of them, and a function of the user's own."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from seq2seq.compression.prepared import OneDNNLinear, PlainLinear
from seq2seq.compression.product_library import Products
from seq2seq.config.contract import read_options
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.table import Table
from seq2seq.errors import UserError
from seq2seq.runs.checkpoint import sealed
from seq2seq.runs.exported_run import ExportedRun
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.simultaneous import simultaneous_translator
from seq2seq.runs.translator import open_translator
from seq2seq.translation.line import Line

TEXTS = ["a b c", "f e", "d d a"]


@pytest.fixture
def options_of(config_of):
    """Options of `translate` on the CPU: options_of("run=DIR")."""
    return lambda *overrides: read_options(config_of("translate", "device=cpu", *overrides))


@pytest.fixture
def translator_of(options_of):
    def build(*overrides: str):
        return open_translator(options_of(*overrides), lines=1)

    return build


@pytest.fixture
def scored(translator_of):
    """Texts and scores of the two best, with overrides."""

    def found(*overrides: str) -> list[tuple[str, float]]:
        translator = translator_of("decoding=beam", "decoding.beam_size=3", *overrides)
        lists = translator.translations([Line(text) for text in TEXTS], n_best=2)
        return [(one.text, one.hypothesis.score) for own in lists for one in own]

    return found


def checkpoint_with(finished: Path, path: Path, *, noise: float = 0.0, **tokenizers: bytes) -> Path:
    """A copy of the best checkpoint with other weights or tokenizers."""
    contents = torch.load(finished / "checkpoints" / "best.ckpt", weights_only=True)
    for weight in contents["weights"].values():
        weight += noise * torch.randn_like(weight)
    for side, serialized in tokenizers.items():
        contents["tokenizers"][side] = torch.frombuffer(bytearray(serialized), dtype=torch.uint8)
    torch.save(sealed(contents), path)
    return path


def words(text: str) -> Tokenizers:
    return TokenizerTrainer(source="word", target="word").train([Example(text, (text,))])


@pytest.fixture
def other(finished, tmp_path) -> Path:
    """Another model of the same vocabulary."""
    return checkpoint_with(finished, tmp_path / "other.ckpt", noise=0.3)


@pytest.mark.parametrize("average", ["log_probabilities", "probabilities"])
def test_a_run_with_itself_is_the_run(scored, finished, average):
    wanted = scored(f"run={finished}")
    found = scored(f"run=[{finished},{finished}]", f"ensemble={average}")
    assert [text for text, _ in found] == [text for text, _ in wanted]
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted], abs=1e-5)
    assert scored(f"run=[{finished}]", f"ensemble={average}") == wanted


def test_an_ensemble_is_its_average_whatever_the_order(scored, finished, other):
    both = f"run=[{finished},{other}]", f"run=[{other},{finished}]"
    for average in ("log_probabilities", "probabilities"):
        one, turned = (dict(scored(runs, f"ensemble={average}")) for runs in both)
        assert one == pytest.approx(turned, abs=1e-5)
    averages = [scored(both[0], f"ensemble={average}") for average in ("log_probabilities", "probabilities")]
    alone = [scored(f"run={path}") for path in (finished, other)]
    rounded = {tuple(round(score, 4) for _, score in found) for found in (*averages, *alone)}
    assert len(rounded) == 4


def test_members_of_other_target_vocabularies_are_refused(options_of, finished, tmp_path):
    target = words("u v w x y z").target.serialized
    stranger = checkpoint_with(finished, tmp_path / "stranger.ckpt", target=target)
    with pytest.raises(UserError) as error:
        load_runs(options_of(f"run=[{finished},{finished},{stranger}]"))
    assert str(error.value) == (
        f"run must name runs of one target vocabulary, but that of {stranger} is not that of {finished}: "
        "train both from the same data with the same tokenizer options."
    )


def test_a_member_of_another_source_vocabulary_reads_the_same_text(scored, finished, tmp_path):
    """The same model with the places of its source tokens changed has the same to say."""
    contents = torch.load(finished / "checkpoints" / "best.ckpt", weights_only=True)
    own = Tokenizers.from_bytes(*(bytes(contents["tokenizers"][side].numpy()) for side in ("source", "target"))).source
    # Vocabularies are ordered by frequency: this one turns the order round.
    pieces = [piece.strip("\u2581") for piece in own.pieces(range(4, own.size))]
    text = " ".join(" ".join([piece] * (place + 1)) for place, piece in enumerate(pieces))
    turned = words(text).source
    assert turned.serialized != own.serialized
    places = torch.tensor([0, 1, 2, 3, *(own.ids(piece)[0] for piece in turned.pieces(range(4, turned.size)))])
    assert not torch.equal(places, torch.arange(own.size))
    name = "encoder.input.embedding.table.weight"
    contents["weights"][name] = contents["weights"][name][places]
    contents["tokenizers"]["source"] = torch.frombuffer(bytearray(turned.serialized), dtype=torch.uint8)
    torch.save(sealed(contents), tmp_path / "turned.ckpt")
    wanted = scored(f"run={finished}")
    for runs in (f"{finished},{tmp_path}/turned.ckpt", f"{tmp_path}/turned.ckpt,{finished}"):
        found = scored(f"run=[{runs}]")
        assert [text for text, _ in found] == [text for text, _ in wanted]
        assert [score for _, score in found] == pytest.approx([score for _, score in wanted], abs=1e-5)


def test_no_run_at_all(options_of):
    with pytest.raises(UserError) as error:
        load_runs(options_of("run=[]"))
    assert str(error.value) == "run must name at least one run folder or checkpoint, but is empty."


def test_a_folder_can_have_a_number_for_a_name(options_of, finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "7")
    monkeypatch.chdir(tmp_path)
    assert len(load_runs(options_of("run=7"))) == 1
    with pytest.raises(UserError, match=r"^run=8 does not exist: give a run folder or a checkpoint file\.$"):
        load_runs(options_of("run=8"))


def test_a_gpu_that_is_not_there(options_of, finished):
    with pytest.raises(UserError, match=r"^device=cuda:99 is none of the \d+ GPUs here: use device=cpu or auto\.$"):
        load_runs(options_of(f"run={finished}", "device=cuda:99"))


# A function of the user's own


@pytest.fixture
def working_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_function_comes_from_the_working_folder(translator_of, finished, working_folder):
    (working_folder / "rules_of_mine.py").write_text(
        "def backwards(source, prefix):\n    return source[::-1][len(prefix):][:1] or ['</s>']\n", encoding="utf-8"
    )
    translator = translator_of(f"run={finished}", "pieces.function=rules_of_mine.backwards")
    assert translator(TEXTS) == [" ".join(reversed(text.split())) for text in TEXTS]


@pytest.mark.parametrize("path", ["no_such_module.f", "json.no_such_function", "plain", "json.decoder"])
def test_a_function_that_is_not_there(translator_of, finished, working_folder, path):
    with pytest.raises(UserError) as error:
        translator_of(f"run={finished}", f"pieces.function={path}")
    assert str(error.value).startswith(f"pieces.function must be module.function, but {path!r} is none: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("option", ["reset", "simultaneous"])
def test_what_a_model_cannot_do_is_told_of_the_option_that_asks_for_it(options_of, finished, option):
    options = options_of(f"run={finished}", f"{option}={'never' if option == 'reset' else 'wait_k'}")
    with pytest.raises(
        UserError, match=f"^{option} cannot be had with this model: direction must be forward, or block_"
    ):
        simultaneous_translator(options, open_translator(options, lines=1))


@pytest.mark.parametrize("library", ["onednn", "blas"])
def test_a_translator_uses_the_library_that_is_asked_for(finished, translator_of, monkeypatch, library):
    monkeypatch.setattr("seq2seq.compression.prepared._SMALL", 0)
    found = translator_of(f"run={finished}", f"product_library={library}")
    kind = OneDNNLinear if library == "onednn" else PlainLinear
    assert type(found.stepper.decoder.readout.projection.product) is kind
    assert found(TEXTS) == translator_of(f"run={finished}")(TEXTS)


def test_a_library_is_asked_for_by_the_rows_that_are_searched_at_once(finished, options_of, monkeypatch):
    rows = []
    monkeypatch.setattr("seq2seq.compression.prepared._SMALL", 0)
    monkeypatch.setattr(
        "seq2seq.compression.product_library.faster_library", lambda *_, rows: asked.add(rows) or "onednn"
    )
    beam = ("decoding=beam", "decoding.beam_size=3")
    for lines, overrides in ((None, ()), (1, ()), (1, beam), (999, ("batch_size=7", *beam))):
        asked = set()
        open_translator(options_of(f"run={finished}", *overrides), lines=lines)
        rows.append(asked)
    assert rows == [{256}, {1}, {3}, {21}]


def test_a_library_that_is_none_is_refused(finished, translator_of):
    with pytest.raises(UserError, match="^product_library must be one of auto, onednn, blas, but is 'mkl'"):
        translator_of(f"run={finished}", "product_library=mkl")


def test_an_export_takes_no_library():
    run = SimpleNamespace(graphs={"float32": Table({})})
    assert ExportedRun.stepper(run, Products(library="auto")) is run.graphs["float32"]
    message = r"^product_library must be auto with an export, whose products are its own, but is blas\.$"
    with pytest.raises(UserError, match=message):
        ExportedRun.stepper(run, Products(library="blas"))
