"""Models that copy in whole runs: what was never seen is said, runs go on to the bit, what does not suit is refused."""

import random

import pytest
import torch

from seq2seq.commands.training.mistakes import refuse_mistakes
from seq2seq.data.copied_pieces import for_copying, target_ids
from seq2seq.data.datamodule import Seq2SeqDataModule
from seq2seq.data.examples import Example, Splits
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.errors import UserError
from seq2seq.layers.copying import Pointer
from seq2seq.runs.run import load_run
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.training.objectives.distillation import Distillation
from seq2seq.translation.line import Line
from seq2seq.translation.translator import Translator

RUN = ["model/copying=pointer", "averaging.decay=0.5", "trainer.val_check_interval=2", "budget.max_steps=6"]


def last(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_a_run_goes_on_to_the_bit_and_translates(train_tiny, tmp_path, interrupt_at):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train_tiny(whole, *RUN)
    interrupt_at(3)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(parted, *RUN)
    train_tiny(parted, *RUN, resume=True)
    assert all(torch.equal(weight, last(parted)[name]) for name, weight in last(whole).items())
    run = load_run(whole)
    assert "model.copying.switch.weight" in last(whole)
    assert torch.equal(run.model.copying.target_ids, target_ids(run.tokenizers))
    size = run.tokenizers.source.size
    assert run.tokenizers.source.encode(["\u03a9"]) == [[size]]


def names(draw: random.Random, letters: str, count: int) -> list[str]:
    return ["".join(draw.choices(letters, k=4)) for _ in range(count)]


@pytest.mark.parametrize("joint", [True, False])
def test_words_that_only_the_source_has_are_said(build_model, joint):
    """A toy task of names: `call X now` becomes `X ruf jetzt`. Names of train are not in the vocabularies."""
    draw = random.Random(1)
    known = [Example("call now", ("ruf jetzt",)), Example("see now", ("sieh jetzt",)), Example("call", ("ruf",))]
    tokenizers = for_copying(TokenizerTrainer(source="word", target="word", joint=joint).train(known))
    verbs = {"call": "ruf", "see": "sieh"}

    def examples(letters: str, count: int) -> list[Example]:
        pairs = ((verb, name) for name in names(draw, letters, count) for verb in [draw.choice(list(verbs))])
        return [Example(f"{verb} {name} now", (f"{name} {verbs[verb]} jetzt",)) for verb, name in pairs]

    train, unseen = examples("abcdef", 40), examples("uvwxyz", 10)
    data = Seq2SeqDataModule(splits=Splits(train, unseen), tokenizers=tokenizers, max_tokens=1000)
    sizes = {f"{side}_vocabulary_size": getattr(tokenizers, side).size for side in ("source", "target")}
    model = build_model(**sizes, copying=Pointer, embedding_size=16, encoder_size=16, decoder_size=32, feature_size=16)
    model.copying.spell(target_ids(tokenizers))
    optimizer, objective = torch.optim.Adam(model.parameters(), lr=0.02), CrossEntropy()
    batch = data.train_pairs.batch(torch.arange(len(data.train_pairs)), step_tokens=1.0)
    for _ in range(60):
        optimizer.zero_grad()
        (objective(model, batch, batch.target_inputs) / len(batch.target_places)).backward()
        optimizer.step()
    translator = Translator(model.eval(), tokenizers, GreedySearch())
    sources, targets = [one.source for one in unseen], [one.targets[0] for one in unseen]
    assert translator(sources) == targets
    found = translator.translations([Line(sources[0])], attention=True)[0][0]
    assert found.pieces == ["\u2581" + word for word in targets[0].split()]
    scored = translator.score(sources[:1], [found.hypothesis.ids])[0]
    assert scored.score == pytest.approx(found.hypothesis.score, abs=1e-4)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model.output.normalizer=entmax"],
            "normalizer must be softmax with copying, .* but is entmax: choose ",
        ),
        (["objective=minimum_risk"], "MinimumRisk needs outputs whose texts are known .* but copying is on: choose "),
        (["objective=self_critical"], "SelfCritical needs outputs whose texts are known .* but copying is on: choose "),
        (["segmentation=sampled"], "segmentation must be none with model/copying, which finds "),
    ],
)
def test_what_does_not_suit_is_refused_before_data_are_read(plain_config_of, tmp_path, overrides, message):
    config = plain_config_of("train", "data=tsv", "data.train=none.tsv", "model/copying=pointer", *overrides)
    with pytest.raises(UserError, match=message):
        refuse_mistakes(config, tmp_path)


def test_distillation_is_refused(build_model):
    with pytest.raises(UserError, match="^Distillation needs models of the target vocabulary alone, but copying"):
        Distillation(teachers="none").check(build_model(copying=Pointer))
