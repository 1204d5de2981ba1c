"""Objectives are given what belongs to the data that are learnt from."""

import pytest

from seq2seq.commands.building.objectives import supply
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.metrics.translation import TranslationScores
from seq2seq.training.objectives.minimum_risk import MinimumRisk
from seq2seq.training.objectives.self_critical import SelfCritical

CHINESE = ["今天天气很好我们去公园散步吧", "他昨天买了一本新书"]
CONFIG = {
    "metrics": {"translation": {"_target_": "seq2seq.metrics.translation.TranslationScores"}},
    "decoding": {"_target_": "seq2seq.decoding.search.greedy.GreedySearch"},
}


@pytest.mark.parametrize("kind", [MinimumRisk, SelfCritical])
def test_risks_are_by_scores_that_are_settled_on_all_references_of_train(kind):
    objective = kind()
    train = [Example("a", ("ein Haus",)), *(Example("ab", (text,)) for text in CHINESE)]
    tokenizers = TokenizerTrainer(source="char", target="char").train(train)
    supply(objective, CONFIG, Seq2SeqDataModule(splits=Splits(train, train), tokenizers=tokenizers))
    said, known = ["ein Baum", "他昨天买了一本旧书"], [["ein Haus"], CHINESE[1:]]
    metric = TranslationScores(tokenize="zh")
    bleu = metric.of_sentences(metric.counts(said, known, ["", ""]))["bleu"]
    assert objective.judge.risk(said, known, ["", ""]) == pytest.approx(1 - bleu / 100)
    assert objective.judge.risk(said, known, ["", ""])[1] < 0.3
