"""Several steppers as one."""

import math
from itertools import product

import pytest
import torch

from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.ensemble import EnsembleStepper
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.decoding.search.sampling import Sampling
from seq2seq.decoding.table import Table
from seq2seq.errors import UserError
from seq2seq.symbols import BOS, EOS, PAD
from seq2seq.translation.recoded import Recoded

AVERAGES = ["log_probabilities", "probabilities"]
LIMITS = LengthLimits(max_ratio=0.0, max_extra=8)
VOCABULARY = 6
FIRST = [0.05, 0.10, 0.05, 0.20, 0.50, 0.10]
SECOND = [0.10, 0.15, 0.05, 0.10, 0.10, 0.50]


def by_hand(average: str) -> list[float]:
    """The normalised mean of FIRST and SECOND."""
    if average == "probabilities":
        return [(one + other) / 2 for one, other in zip(FIRST, SECOND, strict=True)]
    means = [math.sqrt(one * other) for one, other in zip(FIRST, SECOND, strict=True)]
    return [mean / sum(means) for mean in means]


def searched(search, stepper, sources):
    return search(stepper, *sources, Request(n_best=search.width, attention=True))


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(
    "search", [GreedySearch(length=LIMITS), BeamSearch(beam_size=4, length=LIMITS), Sampling(samples=3, length=LIMITS)]
)
def test_a_model_with_itself_is_itself(model, sentences, padded, assert_same, search, average):
    for own, wanted in zip(
        searched(search, EnsembleStepper([model, model, model], average=average), padded(sentences)),
        searched(search, model, padded(sentences)),
        strict=True,
    ):
        assert_same(own, wanted)


@pytest.mark.parametrize("average", AVERAGES)
def test_two_tables_are_averaged_as_by_hand(stepper_of, sources, average):
    steppers = [stepper_of(torch.tensor([[row] * 4])) for row in (FIRST, SECOND)]
    steppers[1].table = steppers[1].table + 5.0  # logits count up to a constant
    ensemble = EnsembleStepper(steppers, average=average)
    memory, states = ensemble.start(*sources([0, 0]))
    wanted = torch.tensor(by_hand(average)).log().expand(2, 3, VOCABULARY)
    for _ in range(3):
        states = torch.utils._pytree.tree_map(lambda state: state[:, :1].expand(2, 3), states)
        logits, _, states = ensemble.step(torch.full((2, 3), BOS), memory, states)
        torch.testing.assert_close(logits.log_softmax(-1), wanted)


def test_probabilities_and_log_probabilities_choose_differently(stepper_of, sources):
    """One model is sure of 4 and the other rules it out; both find 5 passable."""
    first, second = [0.001, 0.001, 0.001, 0.001, 0.946, 0.05], [0.001, 0.001, 0.001, 0.876, 0.001, 0.12]
    steppers = [stepper_of(torch.tensor([[row] * 2])) for row in (first, second)]
    search = GreedySearch(length=LengthLimits(max_ratio=0.0, max_extra=1))
    found = {average: search(EnsembleStepper(steppers, average=average), *sources([0]))[0][0] for average in AVERAGES}
    assert found["probabilities"].ids == [4]
    assert found["log_probabilities"].ids == [5]


@pytest.mark.parametrize("average", AVERAGES)
def test_a_beam_over_an_ensemble_finds_the_best_of_the_whole_space(random_stepper, sources, average):
    steppers = [random_stepper(seed, VOCABULARY) for seed in (1, 2, 3)]
    search = BeamSearch(beam_size=128, length=LengthLimits(max_ratio=0.0, max_extra=4))
    found = search(EnsembleStepper(steppers, average=average), *sources([2]), Request(n_best=40))[0]

    def mean(prefix: list[int]) -> list[float]:
        rows = [stepper.log_probabilities(2, prefix) for stepper in steppers]
        if average == "probabilities":
            return [math.log(sum(map(math.exp, column)) / len(rows)) for column in zip(*rows, strict=True)]
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        return [score - math.log(sum(map(math.exp, means))) for score in means]

    def score(tokens: list[int]) -> float:
        return sum(mean(tokens[:place])[token] for place, token in enumerate(tokens))

    tokens = [token for token in range(VOCABULARY) if token not in (PAD, BOS, EOS)]
    space = [[*ids, EOS] for length in range(4) for ids in product(tokens, repeat=length)]
    ranked = sorted(((score([*ids]), ids[:-1]) for ids in space), reverse=True)
    assert len(ranked) == 40
    assert [own.ids for own in found] == [ids for _, ids in ranked]
    assert [own.score for own in found] == pytest.approx([score for score, _ in ranked], abs=1e-4)


def test_attention_is_the_mean_of_the_members(random_stepper, sources):
    steppers = [random_stepper(seed, VOCABULARY) for seed in (1, 2)]
    steppers[1].attention = steppers[1].attention.flip(2)
    search = GreedySearch(length=LIMITS)
    ((found,),) = searched(search, EnsembleStepper(steppers), sources([3], [5]))
    members = torch.stack([stepper.weights(3, found.ids, 5) for stepper in steppers])
    torch.testing.assert_close(found.attention, members.mean(0)[: len(found.ids)])


def test_an_unknown_average():
    with pytest.raises(UserError) as error:
        EnsembleStepper([], average="mean")
    assert str(error.value) == "average must be one of log_probabilities, probabilities, but is 'mean'."


# Members that cut the source in another way


def tokenizers_of(kind: str, *texts: str) -> Tokenizers:
    return TokenizerTrainer(source=kind, target="char").train([Example(text, ("ab",)) for text in texts])


@pytest.fixture
def recoded(build_model):
    """A model that reads words, and the same in front of ids that are characters."""
    given, own = tokenizers_of("char", "one two three").source, tokenizers_of("word", "one two three").source
    model = build_model(source_vocabulary_size=own.size).eval()
    return given, own, model, Recoded(model, given=given, own=own)


def test_a_recoded_source_is_read_as_its_own_vocabulary_cuts_it(recoded, padded, assert_same):
    given, own, model, stepper = recoded
    texts = ["one two", "three", "two two one three"]
    search = BeamSearch(beam_size=3, length=LIMITS)
    of_own = search(model, *padded([[*ids, EOS] for ids in own.encode(texts)]))
    of_given = search(stepper, *padded([[*ids, EOS] for ids in given.encode(texts)]))
    for one, other in zip(of_given, of_own, strict=True):
        assert_same(one, other)


def test_attention_is_of_those_that_read_the_source_as_it_is_given(recoded, build_model, padded):
    given, _, _, stepper = recoded
    plain = build_model(source_vocabulary_size=given.size).eval()
    batch = padded([[*ids, EOS] for ids in given.encode(["one two", "three"])])
    ensemble = EnsembleStepper([plain, stepper], looking=[True, False])
    memory, states = ensemble.start(*batch)
    _, weights, _ = ensemble.step(torch.full((2, 1), BOS), memory, states)
    _, wanted, _ = plain.step(torch.full((2, 1), BOS), memory[0], states[0])
    torch.testing.assert_close(weights, wanted)


@pytest.mark.parametrize("average", AVERAGES)
def test_members_with_nothing_in_common_share_by_probability(average, stepper_of, sources):
    """One gives all to 3 or 4, the other to 4 or 5; and where one gives all to 4 and the other to 5, both remain."""
    alike = EnsembleStepper([Table({2: {4: 0.5, 6: 0.5}}), Table({2: {4: 0.5, 5: 0.5}, 6: {3: 1.0}})], average=average)
    apart = EnsembleStepper([Table({2: {4: 1.0}, 6: {3: 1.0}}), Table({2: {5: 1.0}, 6: {3: 1.0}})], average=average)
    search = BeamSearch(beam_size=4, length=LIMITS)
    source, lengths = torch.tensor([[3]]), torch.tensor([1])
    (found,) = search(alike, source, lengths, Request(n_best=4))
    assert found[0].ids == [4]
    assert all(math.isfinite(own.score) for own in found)
    (found,) = search(apart, source, lengths, Request(n_best=4))
    assert sorted(own.ids for own in found) == [[4], [5]]
    assert [own.score for own in found] == pytest.approx([math.log(0.5)] * 2)
