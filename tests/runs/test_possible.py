"""Mistakes that no data make right are told before there are any."""

import pytest
import torch

from seq2seq.commands.building.trainer import build_trainer
from seq2seq.commands.train import train
from seq2seq.data.corpora import cmudict, synthetic
from seq2seq.data.corpora.split_options import SplitOptions
from seq2seq.errors import UserError
from seq2seq.runs.possible import checked

SIZES = ["model.encoder.hidden_size=8", "model.decoder.hidden_size=8"]


@pytest.fixture
def refusal(plain_config_of):
    """What is said of overrides of scripts/train.py."""

    def told(*overrides: str) -> str:
        with pytest.raises(UserError) as error:
            checked(plain_config_of("train", *overrides))
        return str(error.value)

    return told


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model/attention=dot", *SIZES],
            "Dot attention needs queries as wide as the memory, but the decoder's hidden_size is 8 and the encoder's "
            "output 16: make them equal or use general attention.",
        ),
        (
            ["model.share_embeddings=true", "tokenizer.joint=false"],
            "model.share_embeddings needs one vocabulary for both sides, but tokenizer.joint is false: make it true.",
        ),
        (["model.encoder.connection=sideways"], "model.encoder.connection must be one of "),
        (
            ["model.encoder.chunk_size=0"],
            "model.encoder.chunk_size must be at least 1 step, or null for all, but is 0.",
        ),
        (["model=gnmt", "model.decoder.num_layers=1"], "model.decoder.num_layers of a gnmt decoder must be at least 2"),
        (["model.dropout=1.5"], "model.dropout must be at least 0 and below 1, but is 1.5."),
        (["model/ngrams=bigrams", "model.ngrams.buckets=0"], "model.ngrams.buckets must be at least 1, but is 0."),
        (["model/ngrams=bigrams", "model.ngrams.windows=[[0,0]]"], "A window of ngrams must be [before, after] and "),
        (
            ["model/attention=multi_head", "model.attention.heads=0"],
            "model.attention.heads must be at least 1, but is 0.",
        ),
        (["model/attention=multi_head", "model.attention.heads=7"], "model.attention."),
        (["model/attention=location", "model.attention.window=2"], "model.attention.window must be odd and at least 1"),
        (["model/attention=location", "model.attention.filters=0"], "model.attention.filters must be at least 1"),
        (["model/attention=monotonic", "model.attention.noise=-1.0"], "model.attention.noise must be at least 0"),
        (["model/attention=local", "model.attention.window=0"], "model.attention.window must be at least 1, but is 0."),
        (["model/front_end=convolution", "model.front_end.widths=[]"], "model.front_end.widths must be one or more"),
        (["model/cell=mogrifier", "model.cell.rounds=-1"], "model.cell.rounds must be at least 0, but is -1."),
        (["model/cell=lstm_multi_timescale", "model.cell.timescales=0"], "model.cell.timescales must be at least 1"),
        (["model/cell=lstm_low_rank", "model.cell.rank=0"], "model.cell.rank must be "),
        (["model/cell=lstm_projected", "model.cell.expansion=0.0"], "model.cell.expansion must make at least one cell"),
        (["model.cell.activation=step"], "model.cell.activation must be one of "),
        (["model.cell.regularization.zoneout_hidden=1.0"], "model.cell.regularization.zoneout_hidden must be "),
        (
            ["model/cell/initialization=chrono", "model.cell.initialization.longest=1"],
            "model.cell.initialization.longest",
        ),
    ],
)
def test_what_a_model_s_constructors_refuse_is_refused_without_data(refusal, overrides, message):
    said = refusal(*overrides)
    assert said.startswith(message)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=1.5", "seed must be a whole number from 0 to 4294967295, but is 1.5."),
        ("seed=-1", "seed must be a whole number from 0 to 4294967295, but is -1."),
        ("batches.max_tokens=0", "batches.max_tokens must be a whole number of at least 1, but is 0."),
        ("batches.max_tokens=many", "batches.max_tokens must be int, but is 'many'."),
        ("batches.max_sentences=0", "batches.max_sentences must be a whole number of at least 1, but is 0."),
        ("batches.max_length=0", "batches.max_length must be a whole number of at least 1, but is 0."),
        ("batches.pool_batches=-2", "batches.pool_batches must be a whole number of at least 1, but is -2."),
        ("budget.max_steps=-1", "budget.max_steps must be above 0, but is -1."),
        ("monitor.mode=up", "monitor.mode must be auto, max or min, but is 'up'."),
        *(
            (
                f"trainer.val_check_interval={typed}",
                f"trainer.val_check_interval must be a whole number of steps, such as 500, {but}.",
            )
            for typed, but in (("often", "but is 'often'"), ("0.25", "but is 0.25"))
        ),
    ],
)
def test_a_value_is_told_by_the_key_that_was_typed(refusal, override, message):
    assert refusal(override) == message


def test_what_some_data_make_right_passes(plain_config_of):
    checked(plain_config_of("train", "model.share_embeddings=true"))
    checked(
        plain_config_of("train", "model/attention=dot", "model.encoder.hidden_size=8", "model.decoder.hidden_size=16")
    )


def test_a_whole_interval_may_have_a_point(plain_config_of, tmp_path):
    config = plain_config_of("train", "monitor.mode=max", "trainer.val_check_interval=200.0")
    checked(config)
    interval = build_trainer(config, tmp_path).val_check_interval
    assert (interval, type(interval)) == (200, int)


def test_nothing_is_made_and_no_random_number_drawn(plain_config_of):
    before = torch.get_rng_state()
    checked(plain_config_of("train", "model.encoder.hidden_size=100000"))  # 300 GB of weights
    assert torch.equal(torch.get_rng_state(), before)


UNREAD = [
    (["text.form=zzz"], "text.form must be one of "),
    (["tokenizer=char", "tokenizer.source=zzz"], "tokenizer.source must be one of "),
    (["tokenizer=char", "tokenizer.normalization=zzz"], "tokenizer.normalization must be one of "),
    (["tokenizer=char", "tokenizer.normalization=nfd", "text.form=none"], "tokenizer.normalization must not be nfd "),
    (["tokenizer=bpe", "tokenizer.joint=false", "tokenizer.target_size=null"], "tokenizer.target_size must be a numb"),
    (["tokenizer=unigram", "tokenizer.character_coverage=7.0"], "tokenizer.character_coverage must be from 0.98 to 1"),
    (["tokenizer=unigram", "tokenizer.protect='['"], "tokenizer.protect must be a regular expression"),
    (["tokenizer=unigram", "tokenizer.symbols=['']"], "tokenizer.symbols must each have "),
    (["batches.max_tokens=0"], "batches.max_tokens must be "),
    (["batches.max_dev_examples=0"], "batches.max_dev_examples must be "),
    (["metrics=translation", "metrics.translation.tokenize=zzz"], "metrics.translation.tokenize must be "),
    (["decoding=beam", "decoding.beam_size=0"], "decoding.beam_size must be "),
    (["decoding.length.max_ratio=-1.0"], "decoding.length.max_ratio must be "),
    (["schedule.warmup_steps=-1"], "schedule.warmup_steps must be "),
    (
        ["callbacks=early_stopping", "callbacks.early_stopping.patience=-1"],
        "callbacks.early_stopping.patience must be ",
    ),
    (["trainer.accumulate_grad_batches=0"], "trainer.accumulate_grad_batches must be "),
    (["threads=zzz"], "threads must be auto or a whole number"),
    (["matmul_precision=zzz"], "matmul_precision must be "),
    (["optimizer.lr=-1.0"], "optimizer.lr must be "),
    (["averaging.decay=2.0"], "averaging.decay must be "),
    (["saving.keep=[worst]"], "saving.keep must "),
    (["data=tsv", "data.train=x.tsv", "data.dev_size=0"], "data.dev_size must be at least 1, or null for a tenth, but"),
    (["data=tsv", "data.train=x.tsv", "data.delimiter=zz"], "data.delimiter must be "),
    (["data=copy", "data.max_length=0"], "data.min_length must be between 1 and max_length=0"),
]


@pytest.mark.parametrize(("overrides", "message"), UNREAD, ids=lambda value: value[-1] if type(value) is list else "")
def test_nothing_is_read_before_options_are_checked(plain_config_of, tmp_path, monkeypatch, overrides, message):
    def reading(*arguments, **options):
        pytest.fail("data were read before all options were checked")

    for reader in (SplitOptions, cmudict.CMUDictCorpus, synthetic.SyntheticCorpus):
        monkeypatch.setattr(reader, "load", reading)
    with pytest.raises(UserError) as error:
        train(plain_config_of("train", *overrides), tmp_path, resume=False)
    assert str(error.value).startswith(message)
