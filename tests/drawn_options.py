"""Options drawn at random from all that conf/ has, in sizes that take a second."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy

from seq2seq.config.places import CONF

# Groups of conf/ that say how a run learns: what is added to one is drawn, too. Those that need a run to start from, or
# a file, are left out with what is in them, as they would be refused each time.
GROUPS = [
    *(f"model/{name}" for name in ("attention", "bridge", "cell", "copying", "front_end", "gap_cell", "input")),
    *(f"model/{name}" for name in ("ngrams", "output", "waiting")),
    *("augmentation", "batch_growth", "carry", "curriculum", "gradient_noise", "gradients", "objective", "optimizer"),
    *("pruning", "schedule", "scheduled_sampling", "segmentation", "tokenizer", "truncation", "metrics", "decoding"),
]
LEFT_OUT = {"objective=distillation", "objective=guided_attention", "pruning=zeros", "tokenizer=run"}
VALUES = {
    "references": ["mean", "best", "log_sum"],
    "precision": ["bf16-mixed", "64-true", "bf16-true"],
    "averaging.kind": ["swa", "triggered"],
    "freeze": ["[encoder]", "[output]", "[decoder.cell]"],
    "rates": ["{decoder:0.3}"],
    "model.encoder.connection": ["none", "highway", "dense"],
    "model.encoder.direction": ["forward"],
    "model.encoder.block_size": ["2"],
    "model.encoder.lookahead": ["1"],
    "model.encoder.halvings": ["1"],
    "model.encoder.chunk_size": ["3"],
    "model.decoder.num_layers": ["1", "2"],
    "model.decoder.connection": ["residual", "dense"],
    "model.decoder.attention_normalizer": ["entmax"],
    "model.decoder.attention_dropout": ["0.2"],
    "model.output.normalizer": ["entmax"],
    "model.output.chunk": ["7"],
    "model.checkpointing": ["true"],
    "model.share_embeddings": ["true"],
    "model.vocabulary_multiple": ["8"],
    "model.type_dropout": ["0.2"],
    "model.source_word_dropout": ["0.2"],
    "model.target_word_dropout": ["0.2"],
    "model.cell.activation": ["relu", "identity"],
    **{
        f"model.cell.regularization.{name}": ["0.3"]
        for name in ("zoneout_hidden", "zoneout_cell", "weight_drop", "recurrent_dropout")
    },
    "objective.label_smoothing": ["0.0"],
    "objective.coverage_loss": ["0.5"],
    "objective.entropy_floor": ["0.5"],
    "objective.temporal_loss": ["1.0"],
    "trainer.accumulate_grad_batches": ["2"],
    "batches.max_length": ["5"],
    "text.form": ["nfkc"],
}
# What makes an option small, or short enough for four steps.
SMALL = {
    **{f"model/attention={name}": ["model.attention.size=4"] for name in ("additive", "coverage", "monotonic")},
    "model/attention=normalized_additive": ["model.attention.size=4"],
    "model/attention=location": ["model.attention.size=4", "model.attention.filters=2"],
    "model/attention=multi_head": ["model.attention.heads=2"],
    **{f"model/cell={name}": ["model.cell.width=2", "model.cell.depth=6"] for name in ("stack", "queue")},
    "model/cell=superposition": ["model.cell.width=2", "model.cell.depth=6"],
    "model/cell=lstm_low_rank": ["model.cell.rank=2"],
    "model/cell=lstm_factorized": ["model.cell.rank=2"],
    "model/cell=lstm_grouped": ["model.cell.groups=2"],
    "model/cell=lstm_multi_timescale": ["model.cell.timescales=2"],
    "model/front_end=convolution": ["model.front_end.channels=4"],
    "model/front_end=strided": ["model.front_end.channels=4"],
    "model/front_end=sweeps": ["model.front_end.hidden_size=2", "model.front_end.patch_height=2"],
    "model/output=adaptive": ["model.output.cutoffs=[5]"],
    "model/output=mixture": ["model.output.components=2"],
    **{f"model/ngrams={name}": ["model.ngrams.buckets=50"] for name in ("bigrams", "trigrams", "preceding")},
    "model/waiting=wait_k": ["model.waiting.highest=3"],
    "augmentation=copying": ["augmentation.tag=null"],
    "augmentation=splicing": ["augmentation.context=1"],
    "batch_growth=doubling": ["batch_growth.every=1"],
    "curriculum=competence": ["curriculum.steps=1"],
    "curriculum=length": ["curriculum.steps=1", "curriculum.start=3"],
    **{
        f"objective={name}": ["objective.start=0.4", "objective.samples=2"]
        for name in ("minimum_risk", "self_critical")
    },
    "pruning=magnitude": ["pruning.every=1"],
    "schedule=plateau": ["schedule.patience=1"],
    "truncation=window": ["truncation.window=3"],
    "truncation=varied": ["truncation.window=6"],
    **{f"tokenizer={name}": ["tokenizer.exact_size=false"] for name in ("bpe", "unigram")},
    "segmentation=sampled": ["segmentation.alpha=0.2"],
    **{f"averaging.kind={name}": ["averaging.decay=null"] for name in ("swa", "triggered")},
}
COMMON = [
    *("trainer.accelerator=cpu", "threads=1", "logger=none", "schedule.warmup_steps=2", "callbacks.progress=null"),
    *("trainer.val_check_interval=2", "precision=32-true", "optimizer.lr=0.01", "averaging.decay=0.5", "sizing=none"),
    *("budget.max_steps=4", "task=drawn", "model.embedding_size=8", "saving.every_minutes=1e-9"),
]
SIZES = [
    *("model.encoder.hidden_size=4", "model.decoder.hidden_size=8", "model.decoder.feature_size=8"),
    *("batches.max_tokens=120", "model/ngrams=none"),
]
SHORT = ["decoding.length.max_ratio=1.0", "decoding.length.max_extra=3"]
WORDS = [
    "data=tsv",
    "data.train={folder}/words.tsv",
    "data.dev={folder}/dev.tsv",
    "metrics=exact_match",
    *SIZES,
    *SHORT,
]
FRAMES = ["data=npz", "model/input=frames", "tokenizer=word", *SIZES[:-1]]
KINDS = {
    **{name: [f"model={name}", "tokenizer=char", *WORDS] for name in ("luong", "gnmt", "bahdanau", "transducer")},
    "symbols": ["model=luong", "tokenizer=word", *WORDS],
    "tagger": ["model=tagger", "tokenizer=word", "metrics=labels", *WORDS],
    "frames": [*FRAMES, "model=luong", "data.train={folder}/labels.npz", "metrics=classes", *SHORT],
    "forecast": [*FRAMES, "experiment=forecast", "data.train={folder}/series.npz", "data.horizon=2"],
    "language_model": [
        *("experiment=language_model", "data.train={folder}/text.txt", "tokenizer=char", "tokenizer.joint=true"),
        *("model.hidden_size=8", "model.num_layers=2", "model.top_size=null", "batches.max_tokens=120"),
        *("averaging.kind=ema", "averaging.patience=null"),
    ],
}


def write_data(folder: Path) -> None:
    """Write the files that kinds of runs read: words to like ones, text, and series of frames."""
    random, noise = Random(1), numpy.random.default_rng(1)
    words = list(dict.fromkeys(" ".join(random.choices("abcdef", k=random.randint(1, 5))) for _ in range(60)))
    lines = [f"{word}\t{word.upper()}\n" for word in words]
    (folder / "words.tsv").write_text("".join(lines[:40]))
    (folder / "dev.tsv").write_text("".join(lines[40:46]))
    (folder / "text.txt").write_text("".join(f"{word} {word[::-1]}\n" for word in words))
    lengths = noise.integers(4, 9, 40)
    frames = noise.normal(size=(int(lengths.sum()), 4))
    numpy.savez(folder / "series.npz", frames=frames, lengths=lengths)
    numpy.savez(folder / "labels.npz", frames=frames, lengths=lengths, targets=numpy.array(["up", "down"] * 20))


def drawn(random: Random, folder: Path) -> list[str]:
    """The overrides of a run of some kind with three to six options, each of another group."""
    kind = random.choice(list(KINDS))
    found = [*COMMON, *(text.format(folder=folder) for text in KINDS[kind])]
    for name in random.sample([*GROUPS, *VALUES], random.randint(3, 6)):
        option = f"{name}={random.choice(VALUES.get(name) or _names(name))}"
        found += [option, *SMALL.get(option, [])]
    return _last_of_each(found)


def _names(group: str) -> Sequence[str]:
    names = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    return [name for name in names if f"{group}={name}" not in LEFT_OUT]


def _last_of_each(overrides: Sequence[str]) -> list[str]:
    found: dict[str, str] = {}
    for text in overrides:
        key = text.partition("=")[0]
        found.pop(key, None)
        found[key] = text
    return list(found.values())
