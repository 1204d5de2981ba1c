"""A transducer through every command: trained, resumed, read back, searched, scored, checked, drawn and averaged."""

import json
import random
from pathlib import Path

import pytest
import torch
from kept_runs import last, same
from omegaconf import OmegaConf

import seq2seq
from seq2seq.commands.building.module import build_module
from seq2seq.commands.interpret import read
from seq2seq.commands.prune import prune
from seq2seq.commands.selfcheck import selfcheck
from seq2seq.commands.train import train
from seq2seq.config.builder import build
from seq2seq.config.contract import read_options
from seq2seq.data.edits.edit_tokenizers import EditTokenizers
from seq2seq.errors import UserError
from seq2seq.interpretation.report import report
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.models.transducer import Transducer
from seq2seq.runs.automatic import nominal
from seq2seq.runs.checkpoint import read_checkpoint
from seq2seq.runs.evaluation import load_splits
from seq2seq.runs.run import load_run, train_tokenizers
from seq2seq.symbols import EOS

PHONES = {"a": "x", "b": "y y", "c": "", "d": "d"}
TINY = [
    "model=transducer",
    "sizing=none",
    "model.embedding_size=16",
    "model.encoder.hidden_size=16",
    "model.encoder.num_layers=1",
    "model.decoder.hidden_size=32",
    "model.decoder.feature_size=16",
    "model.dropout=0.0",
    "optimizer.lr=0.03",
    "schedule=constant",
    "schedule.warmup_steps=2",
    "averaging.decay=0.9",
    "batches.max_tokens=512",
    "budget.max_steps=60",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "trainer.val_check_interval=20",
    "precision=32-true",
    "logger=none",
]


def words(count: int, seed: int) -> list[str]:
    draw = torch.Generator().manual_seed(seed)
    rows = [torch.randint(4, (int(torch.randint(2, 6, (), generator=draw)),), generator=draw) for _ in range(count)]
    return ["d" + "".join("abcd"[letter] for letter in row) for row in rows]


def said(word: str) -> str:
    return " ".join(PHONES[letter] for letter in word if PHONES[letter])


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("data")
    for name, (count, seed) in {"train": (80, 1), "dev": (10, 2)}.items():
        lines = [f"{word}\t{said(word)}" for word in dict.fromkeys(words(count, seed))]
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ["data=tsv", f"data.train={folder}/train.tsv", f"data.dev={folder}/dev.tsv"]


@pytest.fixture(scope="module")
def configured(files, plain_config_of):
    return lambda *overrides: plain_config_of("train", *files, *TINY, *overrides)


@pytest.fixture(scope="module")
def run(configured, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "one"
    folder.mkdir()
    train(configured(), folder, resume=False)
    return folder


def test_it_learns_what_edits_say_at_once(run):
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    assert scores["wer"] <= 30


def test_a_checkpoint_has_all_that_it_needs_and_loads_safely(run):
    kept = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert kept["tokenizers"].keys() == {"source", "target", "edits"}
    loaded = load_run(run)
    assert isinstance(loaded.model, Transducer)
    assert isinstance(loaded.tokenizers, EditTokenizers)
    assert not any("moves" in name or "impossible" in name for name in kept["weights"])


def test_imitation_changes_what_is_learnt(configured, tmp_path):
    found = []
    for number, options in enumerate((["objective.own=0.0"], ["objective.own=1.0", "objective.start=0.0"])):
        (folder := tmp_path / str(number)).mkdir()
        train(configured("objective=imitation", *options, "budget.max_steps=4"), folder, resume=False)
        found.append(last(folder))
    assert not same(*found)


def test_python_translates_scores_and_evaluates(run):
    model = seq2seq.load(str(run))
    dev = words(10, 2)
    answers = model.translate(dev)
    assert len(answers) == 10
    assert model.evaluate([(word, said(word)) for word in dev]).scores["wer"] <= 30
    (scored,) = model.score([(dev[0], said(dev[0]))])
    assert scored.score == pytest.approx(sum(scored.token_scores))
    best = model.translate(dev[0], decoding="beam", n_best=3)
    assert len({own.text for own in best}) == len(best) > 1
    assert len(best[0].hypothesis.attention) == len(best[0].hypothesis.ids)
    assert all(own.alignment == sorted(own.alignment) for own in best)  # at the end, too


def test_an_ensemble_of_transducers_searches(run, configured, tmp_path):
    train(configured("seed=2", "budget.max_steps=20"), tmp_path, resume=False)
    both = seq2seq.ensemble([str(run), str(tmp_path)])
    assert len(both.translate(["dab", "dd"])) == 2


def test_every_promise_is_kept(run, config_of):
    assert selfcheck(config_of("selfcheck", f"run={run}", "sentences=6", "decoding=beam"))


def test_half_of_its_units_can_go(run, config_of, tmp_path):
    before, record = load_run(run), prune(config_of("prune", f"run={run}", f"out={tmp_path / 'half'}"))
    after = load_run(tmp_path / "half")
    assert record["parameters"]["after"] < record["parameters"]["before"] / 2
    sizes = [each.config["model"]["decoder"]["hidden_size"] for each in (before, after)]
    assert sizes[1] == sizes[0] // 2
    assert isinstance(seq2seq.load(str(tmp_path / "half")).translate("abba"), str)


@pytest.mark.parametrize("given", [[], ["target='d x'"]])
def test_the_path_of_the_pointer_is_what_attention_shows(run, config_of, given):
    options = read_options(config_of("interpret", f"run={run}", "text=dab", "steps=2", *given))
    reading = read(load_run(run), options)
    assert reading.target[-1] == "</s>"
    places = reading.trace.weights[0].argmax(-1).tolist()
    assert places[0] == 0
    assert places == sorted(places)
    assert places[-1] == 3
    assert "SUBSTITUTE" in report(reading, units=2)


@pytest.mark.needs_int8
def test_beams_in_int8_find_nearly_the_same(run):
    exact, rounded = (seq2seq.load(str(run)) for _ in range(2))
    dev = words(10, 2)
    pairs = zip(exact.translate(dev), rounded.translate(dev, precision="int8"), strict=True)
    assert sum(a == b for a, b in pairs) >= 8


REFUSED = {
    "objective=r_drop": "objective must be cross_entropy or imitation with model=transducer, but is RDrop.",
    "objective=guided_attention": "objective needs alignments",
    "scheduled_sampling=linear": "scheduled_sampling must be none with model=transducer",
    "segmentation=sampled": "",
    "model.share_embeddings=true": "model.share_embeddings",
    "model.target_word_dropout=0.1": "model.target_word_dropout must be 0 for a transducer",
    "model.encoder.halvings=1": "",
    "model.output.normalizer=entmax": "objective.label_smoothing must be 0 for a transducer or tagger",
}


@pytest.mark.parametrize("override", REFUSED)
def test_what_does_not_go_together_is_refused_before_anything_is_read(override, configured, tmp_path):
    with pytest.raises(UserError) as caught:
        train(configured("data.train=nowhere.tsv", override), tmp_path / "run", resume=False)
    assert REFUSED[override] in str(caught.value)
    assert "nowhere" not in str(caught.value)


def test_it_is_not_compared_with_models_of_other_target_ids(configured):
    config = nominal(configured())
    splits = load_splits(config)
    texts = train_tokenizers({**config, "model": nominal(configured("model=luong"))["model"]}, splits)
    data = build(config["batches"], "batches")(splits=splits, tokenizers=texts)
    with pytest.raises(UserError, match="model=transducer cannot share its target ids, which are edits, with models"):
        build_module(config, data)


def test_imitation_is_refused_for_other_models(configured, tmp_path):
    with pytest.raises(UserError, match="Imitation needs a transducer"):
        train(configured("model=luong", "objective=imitation"), tmp_path / "run", resume=False)


def test_pairs_that_an_augmentation_makes_have_actions_too(plain_config_of, tmp_path):
    data = ["data=copy", "data.train_size=40", "data.min_length=4", "tokenizer=char", "metrics=exact_match"]
    config = plain_config_of("train", *TINY, *data, "augmentation=hallucination", "budget.max_steps=3")
    train(config, tmp_path, resume=False)
    assert (tmp_path / "metrics.json").exists()


def test_the_end_of_the_source_comes_last(run):
    found = seq2seq.load(str(run)).translate("dab", n_best=1)[0]
    vocabulary = load_run(run).tokenizers.target.vocabulary
    assert sum(map(vocabulary.reads, found.hypothesis.ids)) == 3
    assert EOS not in found.hypothesis.ids


LARGER = ["budget.max_steps=150", "model.encoder.hidden_size=32", "optimizer.lr=0.01", "trainer.val_check_interval=75"]
ENDINGS = {"<PST>": "ed", "<GER>": "ing"}


def inflected(count: int, seed: int) -> str:
    """Lines of features and lemmas, and the inflected forms."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        lemma, feature = "".join(draw.choices("abdegins", k=draw.randint(2, 6))), draw.choice(list(ENDINGS))
        found.append(f"{feature}{lemma}\t{lemma}{ENDINGS[feature]}\n")
    return "".join(found)


def test_features_before_a_lemma_inflect_lemmas_that_were_never_seen(plain_config_of, tmp_path):
    for name, count, seed in (("train", 300, 1), ("dev", 40, 2)):
        (tmp_path / f"{name}.tsv").write_text(inflected(count, seed), encoding="utf-8")
    data = ["data=tsv", f"data.train={tmp_path}/train.tsv", f"data.dev={tmp_path}/dev.tsv", "metrics=exact_match"]
    symbols = ["tokenizer=char", "tokenizer.symbols=['<PST>','<GER>']"]
    config = plain_config_of("train", *TINY, *data, *symbols, *LARGER)
    assert train(config, tmp_path / "run", resume=False).scores["exact_match"] >= 80
    model = seq2seq.load(str(tmp_path / "run"))
    assert model.translate("<GER>qui").startswith("qui")  # q and u are no letters of train
    copy = load_run(tmp_path / "run").tokenizers.target.vocabulary.copy
    assert model.translate("<PST>dig", n_best=1)[0].hypothesis.ids.count(copy) >= 3


def test_a_model_left_to_the_data_is_recorded_as_the_one_that_was_chosen(run, files, plain_config_of, tmp_path):
    options = ["model=auto", *(own for own in TINY if own != "model=transducer" and not own.startswith("budget"))]
    open_config = plain_config_of("train", *files, *options, "budget.max_steps=60")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    train(open_config, tmp_path / "one", resume=False)
    assert OmegaConf.load(tmp_path / "one" / "config.yaml") == OmegaConf.load(run / "config.yaml")
    assert same(last(tmp_path / "one"), last(run))
    stored = read_checkpoint(tmp_path / "one" / "checkpoints" / "last.ckpt")["config"]
    assert "auto" not in str(stored["model"])
    train(plain_config_of("train", *files, *options, "budget.max_steps=30"), tmp_path / "two", resume=False)
    train(stored, tmp_path / "two", resume=True)
    assert same(last(tmp_path / "two"), last(run))


def test_python_leaves_the_model_to_the_data(tmp_path):
    pairs = [(word, said(word)) for word in words(80, 1)]
    sizes = {"model.embedding_size": 8, "model.encoder.hidden_size": 8, "model.decoder.hidden_size": 8}
    limits = {"budget.max_steps": 2, "logger": "none", "trainer.accelerator": "cpu", "verbose": False}
    for attention, kind in (({}, Transducer), ({"model/attention": "general"}, Seq2Seq)):
        folder = str(tmp_path / kind.__name__)
        seq2seq.train(pairs, model="auto", run_dir=folder, **sizes, **limits, **attention)
        assert type(load_run(folder).model) is kind
