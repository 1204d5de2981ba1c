"""A language model beside a model: sums of scores, everywhere."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import torch
from line_streams import build_stream
from torch.testing import assert_close

from seq2seq.commands.score import score_lines
from seq2seq.commands.train import train
from seq2seq.decoding.fusion import FusedStepper
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.ranking import SumRanking
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.decoding.table import Table
from seq2seq.errors import UserError
from seq2seq.runs.fusion import LanguageModelFusion, LanguageModelRescoring
from seq2seq.symbols import BOS, EOS, PAD, UNK

MODEL = Table({BOS: {4: 0.6, 5: 0.4}, 4: {EOS: 0.5, 5: 0.5}, 5: {EOS: 0.7, 4: 0.3}})
LANGUAGE = Table({BOS: {4: 0.1, 5: 0.9}, 4: {EOS: 0.9, 5: 0.1}, 5: {EOS: 0.8, 4: 0.2}})
SOURCE, LENGTHS = torch.tensor([[6, EOS]]), torch.tensor([2])
WEIGHT = 0.5


@pytest.fixture
def fused() -> FusedStepper:
    return FusedStepper(MODEL, LANGUAGE, WEIGHT)


def forced(stepper, ids: list[int]) -> float:
    target = torch.tensor([[*ids, EOS]])
    return score_targets(stepper, SOURCE, LENGTHS, target, torch.tensor([len(ids) + 1]))[0].score


@pytest.mark.parametrize("ids", [[4], [5], [4, 5], [5, 4], [4, 5, 4]])
def test_a_fused_score_is_the_sum_of_both(fused, ids):
    assert forced(fused, ids) == pytest.approx(forced(MODEL, ids) + WEIGHT * forced(LANGUAGE, ids), abs=1e-5)


def test_by_hand(fused):
    (best,) = BeamSearch(beam_size=4, ranking=SumRanking())(fused, SOURCE, LENGTHS)[0]
    assert best.ids == [5]  # .4 * .9^.5 * .7 * .8^.5, while without, 4 is as likely in its first token
    assert best.score == pytest.approx(torch.tensor(0.4 * 0.9**0.5 * 0.7 * 0.8**0.5).log().item(), abs=1e-5)
    assert GreedySearch()(MODEL, SOURCE, LENGTHS)[0][0].ids[0] == 4
    assert GreedySearch()(fused, SOURCE, LENGTHS)[0][0].ids[0] == 5


def test_what_the_models_give_to_padding_takes_nothing_from_the_sum():
    even = Table({BOS: dict.fromkeys(range(6), 1 / 6)})
    stepper = FusedStepper(even, even, WEIGHT)
    memory, states = stepper.start(SOURCE, LENGTHS)
    logits, *_ = stepper.step(torch.tensor([[BOS]]), memory, states)
    scores = logits.log_softmax(-1)[0, 0].exp().tolist()
    assert scores[1:6] == pytest.approx([(1 / 6) ** 1.5] * 5)  # log: -2.6876
    assert scores[PAD] == pytest.approx(1 - 5 * (1 / 6) ** 1.5)


def test_a_wide_beam_finds_the_best_of_all(build_model, fused):
    models = [build_model(source_vocabulary_size=7, target_vocabulary_size=7).eval() for _ in range(2)]
    both = FusedStepper(*models, 0.7)
    search = BeamSearch(beam_size=200, ranking=SumRanking(), length=LengthLimits(max_ratio=0.0, max_extra=4))
    (best,) = search(both, SOURCE, LENGTHS)[0]
    texts = [list(text) for length in range(4) for text in product([UNK, 4, 5, 6], repeat=length)]
    scores = [forced(both, text) for text in texts]
    assert best.ids == texts[scores.index(max(scores))]
    assert best.score == pytest.approx(max(scores), abs=1e-5)
    none, one = torch.tensor([[EOS]]), torch.tensor([1])
    target, count = torch.tensor([[*best.ids, EOS]]), torch.tensor([len(best.ids) + 1])
    (own,) = score_targets(models[1], none, one, target, count)  # which sees no source
    assert best.score == pytest.approx(forced(models[0], best.ids) + 0.7 * own.score, abs=1e-5)


def test_what_is_left_over_goes_where_no_search_goes(fused):
    memory, states = fused.start(SOURCE, LENGTHS)
    logits, *_ = fused.step(torch.tensor([[BOS]]), memory, states)
    assert_close(logits.logsumexp(-1), torch.zeros(1, 1), atol=1e-6, rtol=0)
    (found,) = Sampling(samples=50)(fused, SOURCE, LENGTHS)
    assert {index for own in found for index in own.ids} <= {4, 5}


def test_sentences_do_not_see_each_other(build_model):
    models = [build_model().eval() for _ in range(2)]
    both = FusedStepper(*models, 0.3)
    source, lengths = torch.tensor([[4, 5, EOS], [7, EOS, 0]]), torch.tensor([3, 2])
    together = BeamSearch(beam_size=3)(both, source, lengths)
    parts = zip(source.split(1), lengths.split(1), strict=True)
    alone = [BeamSearch(beam_size=3)(both, own[:, : int(length)], length) for own, length in parts]
    assert [own[0].ids for own in together] == [own[0][0].ids for own in alone]


@pytest.mark.parametrize("weight", [0.0, -0.1, float("nan")])
def test_a_weight_that_adds_nothing_is_refused(weight):
    with pytest.raises(UserError, match=f"^weight must be above 0, but is {weight}: without fusion, leave it out."):
        FusedStepper(MODEL, LANGUAGE, weight)


@pytest.mark.parametrize("kind", [LanguageModelFusion, LanguageModelRescoring])
def test_a_weight_below_0_is_refused(kind):
    with pytest.raises(UserError, match="^weight must be at least 0, but is -1.0.$"):
        kind(run="x", weight=-1.0)


# ---- Runs


@pytest.fixture(scope="module")
def pair(tiny_config: Callable, plain_config_of: Callable, tmp_path_factory) -> tuple[Path, Path]:
    """A tiny translator, and a language model of its target side with its tokenizer."""
    folder = tmp_path_factory.mktemp("fusion")
    for name in ("translator", "language_model"):
        (folder / name).mkdir()
    train(tiny_config("budget.max_steps=10"), folder / "translator", resume=False)
    (folder / "text.txt").write_text("".join(f"{'abcdef'[n % 6]} {'abcdef'[n % 5]}\n" for n in range(40)))
    own = ["tokenizer=run", f"tokenizer.run={folder}/translator", f"data.train={folder}/text.txt", "truncation=none"]
    small = ["model.embedding_size=4", "model.hidden_size=6", "model.num_layers=1", "model.top_size=4"]
    tiny = ["budget.max_steps=5", "trainer.val_check_interval=5", "trainer.accelerator=cpu", "logger=none", "threads=1"]
    config = plain_config_of("train", "experiment=language_model", *own, *small, *tiny, "precision=32-true")
    train(config, folder / "language_model", resume=False)
    return folder / "translator", folder / "language_model"


def lines(config_of: Callable, run: Path, *overrides: str) -> list[str]:
    given = (f"run={run}", "device=cpu", "decoding=beam", "format=tsv", "n_best=3", *overrides)
    return list(build_stream(config_of("translate", *given))([b"a b c\n", b"c\n"]))


def test_a_weight_of_0_is_none_bit_for_bit(pair, config_of):
    plain = lines(config_of, pair[0])
    fusion = ["fusion=language_model", f"fusion.run={pair[1]}"]
    assert lines(config_of, pair[0], *fusion, "fusion.weight=0.0") == plain
    assert lines(config_of, pair[0], *fusion, "fusion.weight=2.0") != plain
    rerank = ["rerank=language_model", f"rerank.run={pair[1]}"]
    assert lines(config_of, pair[0], *rerank, "rerank.weight=0.0") == plain


def test_forced_scores_of_the_commands_are_sums(pair, config_of):
    def scored(run: Path, source: str, *overrides: str) -> float:
        config = config_of("score", f"run={run}", "device=cpu", *overrides)
        return float(next(iter(score_lines(config, [f"{source}\tb a\n".encode()]))).split("\t")[0])

    both = scored(pair[0], "a b", "fusion=language_model", f"fusion.run={pair[1]}", "fusion.weight=0.3")
    assert both == pytest.approx(scored(pair[0], "a b") + 0.3 * scored(pair[1], "x"), abs=1e-4)


def test_rescoring_ranks_by_the_sum(pair):
    rescoring = LanguageModelRescoring(run=str(pair[1]), weight=100.0, ranking=SumRanking())
    found = [Hypothesis([4], -1.0, True, 0.0, [0.0]), Hypothesis([5], -1.2, True, 0.0, [0.0])]
    texts = ["a b c d e f a b c d e f", "a b"]  # the longer one is by far the less likely
    assert rescoring(texts, found) == [1, 0]
    assert LanguageModelRescoring(run=str(pair[1]), weight=0.0)(texts, found) == [0, 1]


def test_other_tokenizers_and_other_models_are_refused(pair, config_of, finished):
    with pytest.raises(UserError, match="^fusion.run must be a language model, but .* reads a source: train one"):
        lines(config_of, pair[0], "fusion=language_model", f"fusion.run={pair[0]}")
    with pytest.raises(UserError, match="^rerank.run must be a language model, but .* reads a source: train one"):
        lines(config_of, pair[0], "rerank=language_model", f"rerank.run={pair[0]}")


def test_an_ensemble_with_a_language_model_is_refused(pair, config_of):
    with pytest.raises(UserError, match="^run must be one language model alone: fusion=language_model joins it"):
        lines(config_of, f"[{pair[0]},{pair[1]}]")


def test_a_model_that_copies_is_refused(pair, tiny_config, tmp_path, config_of):
    train(tiny_config("budget.max_steps=2", "model/copying=pointer"), tmp_path, resume=False)
    with pytest.raises(UserError, match="^fusion must be none with a model that copies"):
        lines(config_of, tmp_path, "fusion=language_model", f"fusion.run={pair[1]}")


def test_another_vocabulary_is_refused(pair, letters):
    with pytest.raises(UserError, match="^run must be a language model with the target's tokenizer, but that of"):
        LanguageModelFusion(run=str(pair[1])).around(MODEL, letters.target, "float32", torch.device("cpu"))
