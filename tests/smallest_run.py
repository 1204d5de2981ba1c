"""The overrides of the smallest runs, about a second each, that differ in little from folder to folder."""

SMALLEST = [
    "experiment=reverse",
    "data.dev_size=6",
    "data.test_size=6",
    "data.alphabet_size=6",
    "data.max_length=5",
    "model.embedding_size=8",
    "model.encoder.hidden_size=4",
    "model.decoder.hidden_size=8",
    "model.decoder.feature_size=8",
    "batches.max_tokens=64",
    "decoding.length.max_ratio=1.0",
    "decoding.length.max_extra=3",
    "schedule.warmup_steps=2",
    "trainer.accelerator=cpu",
    "trainer.log_every_n_steps=1",
    "precision=32-true",
]
