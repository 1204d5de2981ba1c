"""A transducer: its pointer, what can be done where, one call for a whole target, and the sum over ways to a text."""

import math
from functools import partial
from itertools import product

import pytest
import torch
from tiny_transducers import build

from seq2seq.compression.packing import pack
from seq2seq.data.batch import Batch
from seq2seq.data.edits.edit_tokenizers import EditTokenizers
from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.decoding.ensemble import EnsembleStepper
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.decoding.search.greedy import GreedySearch
from seq2seq.edit_actions import DELETE, EditActions
from seq2seq.errors import UserError
from seq2seq.layers.attention.hard_monotonic import HardMonotonicAttention
from seq2seq.layers.embedding import NGramEmbedding
from seq2seq.layers.inputs.tokens import TokenInput
from seq2seq.layers.output.full import FullOutput
from seq2seq.layers.output.tied import TiedOutput
from seq2seq.models.transducer import Transducer
from seq2seq.symbols import BOS, EOS, PAD, UNK
from seq2seq.training.objectives.cross_entropy import CrossEntropy
from seq2seq.translation.line import Line
from seq2seq.translation.translator import Translator

ACTIONS = EditActions.of(14)  # with COPY, and 4 pieces
COPY, A, B = ACTIONS.copy, 4, 5


def ids_of(*sentences: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, sentences)) + 1
    rows = [[*ids, EOS, *[PAD] * (width - len(ids) - 1)] for ids in sentences]
    return torch.tensor(rows), torch.tensor([len(ids) + 1 for ids in sentences])


SOURCE, LENGTHS = ids_of([4, 5, 6], [7], [8, 9])
TARGET = torch.tensor(
    [
        [COPY, ACTIONS.insert(A), DELETE, ACTIONS.substitute(B), EOS],
        [ACTIONS.insert(B), DELETE, ACTIONS.insert(A), EOS, PAD],
        [COPY, COPY, EOS, PAD, PAD],
    ]
)


# ---- The pointer


@pytest.mark.parametrize("size", [9, 10, 23, 24])
def test_actions_together_are_actions_one_by_one(size):
    actions = EditActions.of(size)
    assert actions.size == size
    assert actions.moves.tolist() == [int(actions.reads(action)) for action in range(size)]


def test_the_pointer_moves_with_every_action_that_reads():
    model = build()
    inputs = torch.cat([torch.full((3, 1), BOS), TARGET[:, :-1]], 1)
    weights = model(SOURCE, LENGTHS, inputs).weights
    assert weights[0].argmax(-1).tolist() == [0, 1, 1, 2, 3]
    assert weights[1, :4].argmax(-1).tolist() == [0, 0, 1, 1]
    assert weights[2, :3].argmax(-1).tolist() == [0, 1, 2]
    assert torch.equal(weights.sum(-1), torch.ones(3, 5))


def test_the_pointer_stays_at_the_end():
    pointer, model = HardMonotonicAttention(query_size=1, memory_size=8), build()
    memory, _ = model.encode(SOURCE, LENGTHS)
    _, weights = pointer.unroll(torch.ones(3, 6, 1), memory, pointer.start(memory))
    assert weights.argmax(-1).tolist() == [[1, 2, 3, 3, 3, 3], [1, 1, 1, 1, 1, 1], [1, 2, 2, 2, 2, 2]]


def test_what_is_read_is_the_value_under_the_pointer():
    pointer, model = HardMonotonicAttention(query_size=1, memory_size=8), build()
    memory, _ = model.encode(SOURCE, LENGTHS)
    context, _ = pointer.unroll(torch.tensor([[[0.0], [1.0]]] * 3), memory, pointer.start(memory))
    assert torch.equal(context, memory.values[:, :2])


# ---- What can be done


def test_probabilities_sum_to_one_and_what_is_impossible_has_none():
    model = build()
    inputs = torch.cat([torch.full((3, 1), BOS), TARGET[:, :-1]], 1)
    outputs = model(SOURCE, LENGTHS, inputs)
    shares = model.output.log_probabilities(outputs.features.flatten(0, 1)).exp().unflatten(0, (3, 5))
    torch.testing.assert_close(shares.sum(-1), torch.ones(3, 5))
    impossible = ACTIONS.barred
    for row, column in product(range(3), range(5)):
        ended = int(outputs.weights[row, column].argmax()) == int(LENGTHS[row]) - 1
        assert torch.equal(shares[row, column] == 0, impossible[int(ended)])


@pytest.mark.parametrize("output", [FullOutput, TiedOutput, partial(FullOutput, normalizer="entmax")])
def test_every_target_that_edits_reach_has_a_finite_loss(output):
    model = build(output=output)
    inputs = torch.cat([torch.full((3, 1), BOS), TARGET[:, :-1]], 1)
    features = model(SOURCE, LENGTHS, inputs).features
    losses = model.output.loss(features.flatten(0, 1), TARGET.flatten())
    assert losses[TARGET.flatten() != PAD].isfinite().all()
    losses[TARGET.flatten() != PAD].sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)


# ---- One call, many steps


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("packed", [False, True])
def test_a_whole_target_at_once_is_step_by_step(layers, packed):
    model = build(layers=layers).eval()
    model = pack(model) if packed else model
    with torch.inference_mode():
        memory, states = model.start(SOURCE, LENGTHS)
        at_once = model.token_scores(TARGET, memory, states)
        previous = torch.full((3, 1), BOS)
        for place in range(TARGET.shape[1]):
            logits, weights, states = model.step(previous, memory, states)
            own = logits.squeeze(1).log_softmax(-1).gather(1, TARGET[:, place : place + 1]).squeeze(1)
            going = TARGET[:, place] != PAD
            torch.testing.assert_close(own[going], at_once[:, place][going], atol=1e-5, rtol=1e-5)
            previous = TARGET[:, place : place + 1]
        assert weights.shape == (3, 1, SOURCE.shape[1])


@pytest.mark.parametrize("search", [GreedySearch(), BeamSearch(beam_size=4)])
def test_what_is_found_for_a_sentence_depends_on_it_alone(search):
    model = build(seed=3).eval()
    together = search(model, SOURCE, LENGTHS, Request(n_best=search.width, attention=True))
    for row, own in enumerate(together):
        source = SOURCE[row : row + 1, : int(LENGTHS[row])]
        (alone,) = search(model, source, LENGTHS[row : row + 1], Request(n_best=search.width, attention=True))
        assert [found.ids for found in alone] == [found.ids for found in own]
        assert [found.score for found in alone] == pytest.approx([found.score for found in own], abs=1e-5)
        assert all(torch.equal(a.attention, b.attention) for a, b in zip(alone, own, strict=True))


def test_a_found_score_is_the_forced_one_and_its_attention_is_the_pointers_path():
    model = build(seed=3).eval()
    for row, own in enumerate(BeamSearch(beam_size=3)(model, SOURCE, LENGTHS, Request(n_best=3, attention=True))):
        for found in (one for one in own if one.finished):
            target = torch.tensor([[*found.ids, EOS]])
            source = SOURCE[row : row + 1], LENGTHS[row : row + 1]
            (forced,) = score_targets(model, *source, target, torch.tensor([target.shape[1]]))
            assert forced.score == pytest.approx(found.score, abs=1e-5)
            reads = torch.tensor([0, *map(int, map(ACTIONS.reads, found.ids[:-1]))]).cumsum(0)
            assert found.attention.argmax(-1).tolist() == reads.tolist()[: len(found.ids)]


def test_every_finished_hypothesis_has_read_its_source_to_the_end():
    model = build(seed=5).eval()
    search = BeamSearch(beam_size=40, patience=None, length=LengthLimits(max_ratio=0.0, max_extra=6))
    for row, own in enumerate(search(model, SOURCE, LENGTHS, Request(n_best=40))):
        finished = [found for found in own if found.finished]
        assert finished
        assert all(sum(map(ACTIONS.reads, found.ids)) == int(LENGTHS[row]) - 1 for found in finished)


def test_members_of_an_ensemble_keep_their_own_pointers():
    first, second = build(seed=1).eval(), build(seed=2).eval()
    ensemble = EnsembleStepper([first, second])
    memory, states = ensemble.start(SOURCE, LENGTHS)
    logits, *_ = ensemble.step(torch.full((3, 1), BOS), memory, states)
    wanted = []
    for model in (first, second):
        own, start = model.start(SOURCE, LENGTHS)
        wanted.append(model.step(torch.full((3, 1), BOS), own, start)[0].log_softmax(-1))
    torch.testing.assert_close(logits, torch.stack(wanted).mean(0))


# ---- Beam over actions, merged by text


@pytest.fixture(scope="module")
def tokenizers() -> EditTokenizers:
    examples = [Example("ab", ("ba",)), Example("a", ("a",)), Example("bb", ("b",))]
    return EditTokenizers.learn(TokenizerTrainer(source="char", target="char").train(examples), examples)


def model_of(tokenizers: EditTokenizers, seed: int = 4) -> Transducer:
    return build(source_size=tokenizers.source.size, size=tokenizers.target.size, seed=seed).eval()


def by_brute_force(model: Transducer, tokenizers: EditTokenizers, text: str, longest: int) -> dict[str, float]:
    """The probability of every text, summed over all sequences of actions up to a length, END counted."""
    source, lengths = ids_of(tokenizers.source.encode([text])[0])
    shares: dict[str, float] = {}
    for length in range(longest):
        taken = list(product([UNK, *range(EOS + 1, tokenizers.target.size)], repeat=length))
        targets = torch.tensor([[*own, EOS] for own in taken])
        given = source.expand(len(taken), -1), lengths.expand(len(taken))
        scored = score_targets(model, *given, targets, torch.full((len(taken),), length + 1))
        texts = tokenizers.decode([text] * len(taken), list(map(list, taken)))
        for written, own in zip(texts, scored, strict=True):
            if own.score > -math.inf:
                shares[written] = shares.get(written, 0.0) + math.exp(own.score)
    return shares


@pytest.mark.parametrize("text", ["a", "ab"])
def test_a_beam_of_all_ways_is_the_sum_by_brute_force(tokenizers, text):
    model, longest = model_of(tokenizers), 4
    wanted = by_brute_force(model, tokenizers, text, longest)
    search = BeamSearch(beam_size=600, patience=None, length=LengthLimits(max_ratio=0.0, max_extra=longest))
    (found,) = Translator(model, tokenizers, search).translations([Line(text)], n_best=600)
    ended = [own for own in found if own.hypothesis.finished]
    assert {own.text: math.exp(own.hypothesis.score) for own in ended} == pytest.approx(wanted, rel=1e-4)
    scores = [own.hypothesis.score for own in ended]
    assert scores == sorted(scores, reverse=True)


def test_texts_are_told_once(tokenizers):
    search = BeamSearch(beam_size=8, length=LengthLimits(max_ratio=1.0, max_extra=4))
    (found,) = Translator(model_of(tokenizers), tokenizers, search).translations([Line("ab")], n_best=8)
    texts = [own.text for own in found]
    assert len(set(texts)) == len(texts) > 1


def test_fewer_best_are_the_first_of_more(tokenizers):
    search = BeamSearch(beam_size=6)
    translator = Translator(model_of(tokenizers), tokenizers, search)
    (more,), (one,) = (translator.translations([Line("ba")], n_best=count) for count in (4, 1))
    assert one[0].text == more[0].text
    assert one[0].hypothesis.score == more[0].hypothesis.score


# ---- What cannot be


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"embedding": {"share_embeddings": True}}, "share_embeddings must be false for a transducer"),
        ({"embedding": {"target_word_dropout": 0.1}}, "target_word_dropout must be 0 for a transducer.*is 0.1"),
        ({"encoder": {"num_layers": 2, "halvings": 1}}, "halvings and stride must leave a transducer a value for"),
    ],
)
def test_options_by_which_the_pointer_would_lose_its_place_are_refused(parts, message):
    with pytest.raises(UserError, match=message):
        build(**parts)


def test_prefixes_phrases_pieces_and_unknown_pieces_are_refused_by_name(tokenizers):
    translator = Translator(model_of(tokenizers), tokenizers, BeamSearch(beam_size=2))
    for line in (Line("ab", prefix="b"), Line("ab", phrases=("b",))):
        with pytest.raises(UserError, match="line 1: prefix and constraints must be left out with a transducer"):
            translator.translations([line])
    with pytest.raises(UserError, match="replace_unknown must be false for a transducer"):
        Translator(model_of(tokenizers), tokenizers, BeamSearch(beam_size=2), replace_unknown=True)


def test_vectors_of_ngrams_join_those_of_letters():
    ngrams = partial(NGramEmbedding, windows=[[1, 0]])
    model = build(encoder={"input": partial(TokenInput, ngrams=ngrams)})
    assert model.token_scores(TARGET, *model.start(SOURCE, LENGTHS)).isfinite().any()


@pytest.mark.parametrize("prior", ["uniform", "unigram"])
@torch.no_grad()
def test_label_smoothing_is_over_what_can_be_done(prior):
    model = build()
    inputs = torch.cat([torch.full((3, 1), BOS), TARGET[:, :-1]], 1)
    batch = Batch(SOURCE, LENGTHS, inputs, TARGET, 1.0)
    objective, counts = CrossEntropy(label_smoothing=0.2, smoothing_prior=prior), torch.arange(14)
    objective.prepare(counts)
    features = model(SOURCE, LENGTHS, inputs).features.flatten(0, 1)
    shares = model.output.log_probabilities(features).unflatten(0, (3, 5))
    wanted = 0.0
    for row, column in (TARGET != PAD).nonzero().tolist():
        own = shares[row, column]
        possible = own > -math.inf
        weights = counts / counts.sum() if prior == "unigram" else possible / possible.sum()
        wanted -= 0.8 * float(own[TARGET[row, column]]) + 0.2 * float((own * weights)[possible].sum())
    assert float(objective(model, batch, inputs)) == pytest.approx(wanted, rel=1e-5)


def test_entmax_with_label_smoothing_is_refused_by_name():
    model = build(output=partial(FullOutput, normalizer="entmax"))
    with pytest.raises(
        UserError, match="label_smoothing must be 0 for a transducer or tagger whose output is by entmax"
    ):
        CrossEntropy(label_smoothing=0.1).check(model)
    CrossEntropy(label_smoothing=0.0).check(model)
    CrossEntropy(label_smoothing=0.1).check(build())
