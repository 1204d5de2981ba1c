"""Models trained on streams: segments are those of the joined source, and what is carried is no more than that."""

import csv
import os
import random
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest
import torch
from kept_runs import last, same
from line_streams import build_stream
from torch.testing import assert_close

from seq2seq.commands.evaluate import evaluate_run
from seq2seq.commands.train import train
from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.commands.translate import build_live_stream
from seq2seq.data.batch import PairSequences
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.streams import Streams
from seq2seq.errors import UserError
from seq2seq.layers.embedding import NGramEmbedding
from seq2seq.models.decoder import States
from seq2seq.runs.checkpoint import save_checkpoint
from seq2seq.symbols import EOS
from seq2seq.training.carried import CarriedStates

ROOT = Path(__file__).parents[2]
RUN = [
    "data=tsv",
    "data.in_order=true",
    "carry=streams",
    "sizing=none",
    "tokenizer=word",
    "metrics=exact_match",
    "model/ngrams=none",
    "model.embedding_size=8",
    "model.encoder.hidden_size=8",
    "model.encoder.direction=forward",
    "model.decoder.hidden_size=8",
    "model.decoder.feature_size=8",
    "batches.max_tokens=60",
    "optimizer.lr=0.01",
    "schedule=constant",
    "schedule.warmup_steps=2",
    "averaging.decay=0.9",
    "budget.max_steps=9",
    "trainer.val_check_interval=3",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "precision=32-true",
    "logger=csv",
    "threads=1",
    "decoding.length.max_ratio=1.0",
    "decoding.length.max_extra=3",
    "callbacks.samples=null",
]
LENGTHS = [[3, 1, 4], [2, 5, 1]]  # of the segments of two rows


def lines(path: Path, count: int, *, seed: int) -> None:
    """Write lines whose answers begin with the last word of the line before; each twentieth is empty."""
    draw, before, written = random.Random(seed), "z", []
    for number in range(count):
        words = draw.choices("abcdef", k=draw.randint(1, 3))
        empty = number % 20 == 19
        written.append("\t\n" if empty else f"{' '.join(words)}\t{' '.join([before, *words])}\n")
        before = "z" if empty else words[-1]
    path.write_text("".join(written))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> list[str]:
    """Two files whose answers begin with the last word of the line before, and overrides that name them."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, count in (("train", 60), ("dev", 9)):
        lines(folder / f"{name}.tsv", count, seed=count)
    return [f"data.train={folder}/train.tsv", f"data.dev={folder}/dev.tsv"]


@pytest.fixture(scope="module")
def config_of_run(plain_config_of, data):
    return lambda *overrides: plain_config_of("train", *RUN, *data, *overrides)


@pytest.fixture(scope="module")
def folder(config_of_run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("streams") / "run"
    folder.mkdir()
    train(config_of_run(), folder, resume=False)
    return folder


@pytest.fixture(scope="module")
def stopped(config_of_run, tmp_path_factory) -> Path:
    """A run that ended between two validations. Copy it to go on from it."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    folder.mkdir()
    train(config_of_run("budget.max_steps=2"), folder, resume=False)
    return folder


@pytest.fixture
def segments():
    """Random segments of two rows, batch by batch; the first row comes first in each."""
    draw = random.Random(2)
    source, target = ([[draw.choices(range(4, 12), k=size) for size in row] for row in LENGTHS] for _ in range(2))
    sides = [TokenSequences.from_ids([segment for row in side for segment in row]) for side in (source, target)]
    found, batches = Streams(PairSequences(*sides), 2).in_order()
    return source, [found.batch(rows, step_tokens=1.0) for rows in batches]


def model_of(build_model, **options):
    return build_model(**{"direction": "forward", **options}).double()


@pytest.mark.parametrize(
    "options", [{}, {"encoder_layers": 3, "connection": "dense"}, {"decoder": "bahdanau"}], ids=str
)
def test_segments_are_those_of_the_joined_source(build_model, segments, padded, options):
    model, (source, batches) = model_of(build_model, **options), segments
    joined, lengths = padded([[index for segment in row for index in [*segment, EOS]] for row in source])
    values = model.encoder(joined, lengths).values
    carried, starts = CarriedStates(), [0, 0]
    for batch in batches:
        outputs = carried.forward(model, batch, batch.target_inputs)
        for row, size in enumerate(batch.source_lengths.tolist()):
            own = values[row : row + 1, starts[row] : starts[row] + size]
            assert_close(outputs.encoder_outputs[row, :size], own[0], rtol=0, atol=1e-12)
            memory = model.decoder.remember(own, torch.ones(1, size, dtype=torch.bool))
            read = joined[row : row + 1, : starts[row] + size]
            last_output = model.encoder(read, torch.tensor([read.shape[1]])).last
            states = States(model.bridge(last_output), model.decoder.attention.start(memory))
            wanted = model.unroll(batch.target_inputs[row : row + 1], memory, states).features
            assert_close(outputs.features[row], wanted[0], rtol=0, atol=1e-12)
            starts[row] += size


@pytest.mark.parametrize(
    "options", [{}, {"direction": "both", "block_size": 2, "lookahead": 1}, {"halvings": 1}], ids=str
)
def test_a_fresh_row_is_as_by_itself_and_another_is_not(build_model, segments, options):
    model, (_, batches) = model_of(build_model, **options), segments
    carried = CarriedStates()
    for number, batch in enumerate(batches):
        batch.fresh = torch.tensor([False, True])
        found = carried.forward(model, batch, batch.target_inputs).features
        alone = model(batch.source, batch.source_lengths, batch.target_inputs).features
        assert_close(found[1], alone[1], rtol=0, atol=1e-12)
        assert torch.allclose(found[0], alone[0]) is (number == 0)


def test_a_fresh_row_is_bit_for_bit_the_first_of_a_stream(build_model, segments):
    model, (_, batches) = model_of(build_model).float(), segments
    carried = CarriedStates()
    carried.forward(model, batches[0], batches[0].target_inputs)
    batches[1].fresh = torch.tensor([True, True])
    found = carried.forward(model, batches[1], batches[1].target_inputs).features
    assert torch.equal(found, CarriedStates().forward(model, batches[1], batches[1].target_inputs).features)


def test_a_row_whose_state_is_not_finite_begins_anew_and_leaves_the_others_alone(build_model, segments):
    model, (_, batches) = model_of(build_model), segments
    carried, broken = CarriedStates(), CarriedStates()
    for states in (carried, broken):
        states.forward(model, batches[0], batches[0].target_inputs)
    broken.states.stack.layers[0].cell[1, 0] = float("nan")
    batches[1].fresh = torch.tensor([False, True])
    wanted = carried.forward(model, batches[1], batches[1].target_inputs).features
    batches[1].fresh = torch.tensor([False, False])
    assert torch.equal(broken.forward(model, batches[1], batches[1].target_inputs).features, wanted)


def test_gradients_end_where_a_batch_does(build_model, segments):
    model, (_, batches) = model_of(build_model), segments
    carried = CarriedStates()
    carried.forward(model, batches[0], batches[0].target_inputs).features.sum().backward()
    assert not any(part.requires_grad for part in [carried.states.input.mask, *carried.states.stack.layers[0]])
    carried.forward(
        model, batches[1], batches[1].target_inputs
    ).features.sum().backward()  # the graph of the first is gone


def test_dropout_has_a_mask_for_each_segment(build_model, segments):
    model, (_, batches) = model_of(build_model, dropout=0.5, encoder_dropout=0.5), segments
    carried, seen = CarriedStates(), []
    for batch in batches:
        carried.forward(model, batch, batch.target_inputs)
        seen.append([carried.states.input.mask, *carried.states.stack.masks])
    for one, two in zip(seen, seen[1:], strict=False):
        assert not any(torch.equal(*masks) for masks in zip(one, two, strict=True))
    assert {0.0, 2.0} == set(seen[0][0].flatten().tolist())


def test_what_ngrams_look_back_at_is_carried(build_model, segments):
    ngrams = lambda count, size: NGramEmbedding(count, size, windows=[[1, 0]], buckets=50)  # noqa: E731
    model, (_, batches) = model_of(build_model, ngrams=ngrams), segments
    carried = CarriedStates()
    carried.forward(model, batches[0], batches[0].target_inputs)
    assert carried.states.input.kept[0].flatten().tolist() == [EOS, EOS]


# Runs


@pytest.mark.parametrize("steps", [2, 3])
def test_resumed_is_uninterrupted(folder, stopped, config_of_run, tmp_path, steps):
    if steps == 2:
        copytree(stopped, tmp_path, dirs_exist_ok=True)
    else:
        train(config_of_run(f"budget.max_steps={steps}"), tmp_path, resume=False)
    train(config_of_run(), tmp_path, resume=True)
    assert same(last(tmp_path), last(folder))
    flat = torch.utils._pytree.tree_leaves
    pairs = zip(flat(last(tmp_path)["carried_states"]), flat(last(folder)["carried_states"]), strict=True)
    assert all(torch.equal(*parts) for parts in pairs)


@pytest.mark.parametrize(("tokens", "rows"), [(30, 3), (90, 10)])
def test_states_of_streams_cut_into_other_rows_are_left_by_name(config_of_run, tmp_path, caplog, tokens, rows):
    """Batches of another size have rows that go on from elsewhere, more of them or fewer."""
    train(config_of_run("budget.max_steps=2"), tmp_path, resume=False)
    assert last(tmp_path)["carried_rows"] == 6
    train(config_of_run("budget.max_steps=4", f"batches.max_tokens={tokens}"), tmp_path, resume=True)
    left = f"the text is read in {rows} rows, of which the run has carried states of 6: all begin without a state"
    assert caplog.text.count(left) == 1
    assert last(tmp_path)["carried_rows"] == rows


def test_a_last_batch_of_fewer_rows_leaves_no_states(config_of_run, tmp_path, caplog):
    """57 lines in 6 rows are nine batches of all, and one of three rows."""
    train(config_of_run("budget.max_steps=10"), tmp_path, resume=False)
    flat = torch.utils._pytree.tree_leaves
    assert {len(part) for part in flat(last(tmp_path)["carried_states"])} == {3}
    train(config_of_run("budget.max_steps=11"), tmp_path, resume=True)
    assert "carried states of" not in caplog.text


def test_states_that_are_carried_matter_to_what_goes_on(folder, stopped, config_of_run, tmp_path):
    copytree(stopped, tmp_path, dirs_exist_ok=True)
    checkpoint = last(tmp_path)
    checkpoint["carried_states"] = torch.utils._pytree.tree_map(torch.zeros_like, checkpoint["carried_states"])
    save_checkpoint(tmp_path / "checkpoints" / "last.ckpt", checkpoint)
    train(config_of_run(), tmp_path, resume=True)
    assert not same(last(tmp_path), last(folder))


@pytest.mark.parametrize("change", ["carry.fresh_rate=0.0", "carry.fresh_rate=1.0", "carry=none", "seed=2"])
def test_every_option_changes_the_weights(folder, config_of_run, tmp_path, change):
    train(config_of_run(change), tmp_path, resume=False)
    assert not same(last(tmp_path), last(folder))


def test_validations_leave_training_alone_and_training_them(folder, config_of_run, tmp_path):
    train(config_of_run("trainer.val_check_interval=1"), tmp_path, resume=False)
    assert same(last(tmp_path), last(folder))
    still = tmp_path / "still"
    still.mkdir()
    stays = ["optimizer.lr=1e-30", "model.dropout=0.3", "budget.max_steps=4"]
    train(config_of_run("trainer.val_check_interval=1", *stays), still, resume=False)
    (path,) = still.rglob("metrics.csv")
    rows = csv.DictReader(path.read_text().splitlines())
    losses = {row["dev/loss"] for row in rows if row.get("dev/loss")}
    assert len(losses) == 1  # of the same weights, whatever was carried meanwhile


def test_the_report_is_what_evaluation_finds_when_it_reads_on(folder, config_of):
    options = ["device=cpu", "threads=1"]
    report = evaluate_run(config_of("evaluate", f"run={folder}", "reset=silence", *options))
    assert report["scores"] == evaluate_run(config_of("evaluate", f"run={folder}", "reset=silence", *options))["scores"]
    stream = build_stream(config_of("translate", f"run={folder}", "reset=silence", "buffer=2", *options))
    whole = build_stream(config_of("translate", f"run={folder}", "reset=silence", *options))
    given = [b"a b\n", b"c\n", b"\n", b"d\n", b"e f a\n"]
    assert list(stream(given)) == list(whole(given))


def test_a_run_that_read_on_is_told_from_one_that_does_not(folder, config_of, caplog):
    build_stream(config_of("translate", f"run={folder}", "reset=never", "device=cpu", "threads=1"))
    assert "carry=streams" not in caplog.text
    build_stream(config_of("translate", f"run={folder}", "device=cpu", "threads=1"))
    assert "this run was trained with carry=streams, but each line is read by itself: add reset=silence" in caplog.text


def test_words_that_are_said_while_a_line_is_read_are_told_of_no_reset(folder, config_of, caplog):
    given = f"run={folder}", "simultaneous=wait_k", "device=cpu", "threads=1"
    build_live_stream(config_of("translate", *given))
    assert evaluate_run(config_of("evaluate", *given))["simultaneous"]
    assert "reset" not in caplog.text


def test_words_that_are_said_while_a_line_is_read_take_no_reset(folder, config_of):
    config = config_of("translate", f"run={folder}", "reset=never", "simultaneous=wait_k", "device=cpu", "threads=1")
    refused = "^reset must be none with simultaneous, which has no whole lines, but is NoReset.$"
    with pytest.raises(UserError, match=refused):
        build_live_stream(config)
    with pytest.raises(UserError, match=refused):
        evaluate_run(config_of("evaluate", f"run={folder}", "reset=never", "simultaneous=wait_k", "device=cpu"))


@pytest.mark.parametrize(
    ("overrides", "start"),
    [
        (
            ["model.encoder.direction=both", "model.decoder.hidden_size=16"],
            "carry cannot be had with this model: model.encoder.direction must be forward, or block_size a number of",
        ),
        (
            ["model/ngrams=bigrams"],
            "carry cannot be had with this model: windows of ngrams must be [before, 0] for streams, but one looks",
        ),
        (
            ["model/front_end=convolution"],
            "carry cannot be had with this model: front_end must be none for streams, but looks at what",
        ),
        (
            ["data.dev=null"],
            "data.dev must name a split of its own, as lines held out of train would leave holes in it,",
        ),
        (["data.in_order=false"], "data.in_order must be true, as else rows of one source are taken together,"),
        (["augmentation=noise"], "augmentation must be none"),
        (["curriculum=length"], "curriculum must be none"),
        (["batch_growth=doubling"], "batch_growth must be none"),
        (["scheduled_sampling=linear"], "scheduled_sampling must be none"),
        (["truncation=window"], "truncation must be none"),
        (["references=mean"], "references must be each"),
        (["batches.pool_batches=3"], "batches.pool_batches must be 100, as nothing is sorted,"),
        (["model/waiting=wait_k"], "model.waiting must be none"),
        (["model.checkpointing=true"], "model.checkpointing must be false, as segments are short,"),
        (["model.encoder.chunk_size=4"], "model.encoder.chunk_size must be null, as segments are short,"),
        (["model.cell.regularization.weight_drop=0.1"], "model.cell.regularization.weight_drop must be 0, as it would"),
        (["objective=r_drop"], "objective must judge what a model makes of a batch, which RDrop does not"),
        (["objective=minimum_risk", "objective.start=0.5"], "objective must judge what a model makes of a batch"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_go_together_is_refused_at_the_start(plain_config_of, data, tmp_path, overrides, start):
    config = plain_config_of("train", *RUN, *data, "budget.max_steps=5000", *overrides)
    with pytest.raises(UserError) as error:
        refuse_mistakes(config, tmp_path)
    assert str(error.value).startswith(start)


def test_language_models_are_refused(plain_config_of, data, tmp_path):
    config = plain_config_of("train", "experiment=language_model", "data.train=x", "carry=streams")
    with pytest.raises(
        UserError, match="^carry cannot be had with this model: model must be a translator with attention"
    ):
        refuse_mistakes(config, tmp_path)


@pytest.mark.slow  # starts processes that start processes
def test_two_processes_train_as_one_does(data, config_of_run, tmp_path):
    still = ["model.dropout=0.0"]
    train(config_of_run(*still), tmp_path, resume=False)
    both = tmp_path / "both"
    overrides = [*RUN, *data, *still, "trainer=ddp", "trainer.devices=2", f"run_dir={both}", "budget.max_steps=4"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "train.py"), *overrides],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    train(config_of_run(*still), both, resume=True)  # one process takes up the states of two
    one, two = last(tmp_path), last(both)
    for name, value in one["weights"].items():
        assert_close(two["weights"][name], value, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("carry", "least", "most"), [("streams", 80, 100), ("none", 0, 45)])
def test_what_only_the_line_before_tells_is_learnt_by_reading_on(plain_config_of, tmp_path, carry, least, most):
    for name, count in (("train", 3000), ("dev", 100)):
        lines(tmp_path / f"{name}.tsv", count, seed=count)
    sizes = [f"model.{part}=32" for part in ("encoder.hidden_size", "decoder.hidden_size", "decoder.feature_size")]
    files = [f"data.{name}={tmp_path}/{name}.tsv" for name in ("train", "dev")]
    longer = ["budget.max_steps=500", "trainer.val_check_interval=500", "batches.max_tokens=500", "logger=none"]
    config = plain_config_of("train", *RUN, *files, *sizes, *longer, f"carry={carry}", "model.dropout=0.1")
    assert least <= train(config, tmp_path, resume=False).scores["exact_match"] <= most
