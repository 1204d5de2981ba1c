"""A model of ours under Hugging Face's Trainer.    python examples/transformers_trainer.py

It needs pip install transformers accelerate. `ForTrainer` is all that is between the two: it takes a batch by name and
gives the loss, as Trainer wants it.
"""

from itertools import product

import torch
from torch import nn
from transformers import Trainer, TrainingArguments

import seq2seq
from seq2seq.symbols import BOS, EOS, PAD


class ForTrainer(nn.Module):
    """A model with the loss that Trainer asks for."""

    def __init__(self, model: seq2seq.nn.Seq2Seq) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: torch.Tensor, lengths: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The mean loss of the target tokens."""
        inputs = nn.functional.pad(labels[:, :-1], (1, 0), value=BOS)
        features = self.model(source, lengths, inputs).features
        there = labels != PAD
        return {"loss": self.model.output.loss(features[there], labels[there]).mean()}


def collate(rows: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """A padded batch of token ids, EOS behind each."""
    sources, targets = ([torch.tensor([*row[side], EOS]) for row in rows] for side in (0, 1))
    pad = nn.utils.rnn.pad_sequence
    lengths = torch.tensor([len(source) for source in sources])
    return {"source": pad(sources, True, PAD), "lengths": lengths, "labels": pad(targets, True, PAD)}


if __name__ == "__main__":
    pairs = [("".join(word), " ".join(reversed(word))) for word in product("abcd", repeat=4)]
    run = seq2seq.train(pairs, model={"encoder.hidden_size": 32}, budget={"max_steps": 20}, verbose=False)
    tokenizers = run.members[0].tokenizers
    sources = tokenizers.source.encode([source for source, _ in pairs])
    targets = tokenizers.target.encode([target for _, target in pairs])
    options = {
        "max_steps": 100,
        "per_device_train_batch_size": 64,
        "learning_rate": 5e-3,
        "report_to": "none",
        "save_strategy": "no",
        "dataloader_pin_memory": False,
    }
    rows = list(zip(sources, targets, strict=True))
    trainer = Trainer(ForTrainer(run.model.train()), TrainingArguments("trainer", **options), collate, rows)
    print(f"mean loss {trainer.train().metrics['train_loss']:.2f}")
