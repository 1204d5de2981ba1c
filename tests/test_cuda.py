"""Laws of a device that is not there: nothing is on another one, and nothing waits for it but where it has to.

Every model reads a batch, finds its loss and takes a decoding step on a `cuda` of shapes without values, and every
search runs to its end. Two things do not run there: fused kernels, so that every cell takes its visible path, and the
backward pass. Whether values are right is not asked here: other laws ask it on the processor.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import pytest
import torch
from fake_cuda import CUDA, fake_cuda, on_cuda
from omegaconf import OmegaConf

from seq2seq.compression.packing import pack
from seq2seq.config.builder import build
from seq2seq.config.places import CONF
from seq2seq.data.batch import PairSequences
from seq2seq.data.examples import Example
from seq2seq.data.sequences import TokenSequences
from seq2seq.data.tokenizers import Tokenizers, TokenizerTrainer
from seq2seq.decoding.filters import ForcedPrefix, Permitted
from seq2seq.decoding.length import LengthLimits
from seq2seq.decoding.request import Request
from seq2seq.decoding.scoring import score_targets
from seq2seq.decoding.search.beam import BeamSearch
from seq2seq.models.language_model import LanguageModel
from seq2seq.runs.automatic import nominal
from seq2seq.runs.run import build_model
from seq2seq.training.likelihood import likelihood
from seq2seq.training.objectives.cross_entropy import CrossEntropy

PAIRS = [[[4, 5], [5]], [[6], [7, 4]], [[5], [4]], [[4, 5], [4]]]
KINDS = [
    path
    for path in (CONF / "model", *sorted(CONF.glob("model/*")))
    if path.is_dir() and path.name not in ("waiting", "input")
]
OPTIONS = {str(kind.relative_to(CONF)): sorted(path.stem for path in kind.glob("*.yaml")) for kind in KINDS}
OPTIONS["model/attention"].remove("none")  # these two go together, and have a round of their own
OPTIONS["model/bridge"].remove("state")
OPTIONS["model/output"] = [name for name in OPTIONS["model/output"] if name not in ("gaussian", "huber")]  # of frames
del OPTIONS["model/gap_cell"]  # of frames, too
SOURCELESS = "language_model"


def chosen(model: str) -> list[str]:
    """The overrides that choose a model: one without a source needs more than its own options."""
    return [f"experiment={model}", "data.train=text.txt"] if model == SOURCELESS else [f"model={model}"]


def a_round(turn: int) -> list[str]:
    """Of every kind one option, but for parts that the model of this turn lacks."""
    options = {kind: names[turn % len(names)] for kind, names in OPTIONS.items()}
    model = options.pop("model")
    defaults = OmegaConf.load(CONF / "model" / f"{model}.yaml").defaults
    parts = {part for default in defaults if default != "_self_" for part in default}
    if model == SOURCELESS:
        options["model/cell"] = "lstm"  # as its recipe drops recurrent weights
    if model == "tagger":
        options["model/output"] = "full"  # as labels have no vectors
    if options["model/output"] in ("adaptive", "mixture"):
        parts -= {"copying"}
    if model in ("transducer", "tagger"):
        parts -= {"front_end"}  # one that strides leaves no place for its pointer, or its labels
    return [*chosen(model), *(f"{kind}={name}" for kind, name in options.items() if kind.split("/")[1] in parts)]


# The first option of every kind together, then the second, until each has had its turn.
ROUNDS = [a_round(turn) for turn in range(max(map(len, OPTIONS.values())))]
ROUNDS.append(["model.encoder.direction=forward", "model/waiting=wait_k", "model/ngrams=preceding"])
ROUNDS.append(["experiment=stack"])
FEW_STEPS = ["decoding.length.max_ratio=1.0", "decoding.length.max_extra=3"]  # of which the fourth and the eighth look
SEARCHES = sorted(path.stem for path in CONF.glob("decoding/*.yaml"))

# Where a search waits: for how many steps it may take, at every fourth step for which sentences are done, and for
# what it has found. Whoever adds a place says why no number that the host knows would do.
LIMITS_AND_LOOKS = {
    "decoding/search/search.py:Search.__call__",
    "decoding/stepper.py:select",
}
RESULTS = {"decoding/search/search.py:Search._hypotheses"}


@lru_cache
def tokenizers() -> Tokenizers:
    return TokenizerTrainer(source="char", target="char", joint=True).train([Example("abcd", ("efgh",))])


def batch() -> Any:
    sides = (TokenSequences.from_ids([pair[side] for pair in PAIRS]) for side in (0, 1))
    return PairSequences(*sides).batch(torch.arange(len(PAIRS)), step_tokens=9.0)


def new_model(plain_config_of, *options: str) -> Any:
    """The model of a config at its full size, without memory."""
    config = nominal(plain_config_of("train", *options))
    with torch.device("meta"):
        return build_model(config, tokenizers())


@pytest.mark.parametrize("options", ROUNDS, ids=" ".join)
def test_no_model_waits_in_training_or_in_a_step(plain_config_of, options):
    model, given = new_model(plain_config_of, *options).train(), batch()
    attends = not isinstance(model, LanguageModel) and model.decoder.attention.attends
    looks = {} if not attends else {"coverage_loss": 1.0, "entropy_floor": 0.5}
    objective = CrossEntropy(label_smoothing=0.1, **looks)
    with fake_cuda() as waits:
        on_cuda(model)
        given = given.to(CUDA)
        loss = objective(model, given, given.target_inputs)
        memory, states = model.eval().start(given.source, given.source_lengths)
        logits, weights, _ = model.step(given.target_inputs[:, :1], memory, states)
    assert loss.device == logits.device == weights.device == CUDA
    assert waits.places == set()


def test_no_copy_of_a_batch_waits():
    given = batch()
    with fake_cuda() as waits:
        there = given.to(CUDA)
        again = there.to(CUDA)
    for name in ("source", "source_lengths", "target_inputs", "target_outputs", "target_places"):
        assert getattr(there, name).device == getattr(again, name).device == CUDA
    assert waits.places == set()


def test_no_measure_waits(plain_config_of):
    model, given = new_model(plain_config_of), batch()
    with fake_cuda() as waits:
        on_cuda(model)
        given = given.to(CUDA)
        found = likelihood(model, given)
        memory, states = model.start(given.source, given.source_lengths)
        scores = model.token_scores(given.target_outputs, memory, states)
        assert found.total.device == found.entropy.device == found.sharpness.device == scores.device == CUDA
        assert waits.places == set()
        score_targets(model, given.source, given.source_lengths, given.target_outputs, given.source_lengths)
    assert waits.places == {"decoding/scoring.py:score_targets"}


def few_layers(model: str) -> list[str]:
    """Overrides that choose a model with an encoder of one layer, where it has any."""
    return chosen(model) if model == SOURCELESS else [*chosen(model), "model.encoder.num_layers=1"]


@pytest.mark.parametrize("model", OPTIONS["model"])
def test_bfloat16_decodes_under_autocast(plain_config_of, monkeypatch, model):
    """Products give bfloat16; attention, sums of probabilities, states and parameters stay in float32."""
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **options: True)
    monkeypatch.setattr("torch.cuda.amp.common.amp_definitely_not_available", bool)
    plain, given = new_model(plain_config_of, *few_layers(model)).eval(), batch()
    with fake_cuda() as waits:
        on_cuda(plain)
        given = given.to(CUDA)
        packed = pack(plain, "bfloat16")
        for stepper, dtype in ((plain, torch.float32), (packed, torch.bfloat16)):
            memory, states = stepper.start(given.source, given.source_lengths)
            logits, weights, states = stepper.step(given.target_inputs[:, :1], memory, states)
            assert logits.dtype == dtype
            assert {weights.dtype, *(state.cell.dtype for state in states.layers)} == {torch.float32}
            start = stepper.start(given.source, given.source_lengths)
            assert stepper.token_scores(given.target_outputs, *start).dtype == torch.float32
        assert all(weight.dtype == torch.float32 for weight in packed.parameters())
        assert waits.places == set()
        BeamSearch(beam_size=2, length=LengthLimits(max_ratio=1.0, max_extra=3))(
            packed, given.source, given.source_lengths, Request(attention=True)
        )
    assert waits.places == LIMITS_AND_LOOKS | RESULTS


def searched(plain_config_of, option: str, ask: Callable[[], Request], *overrides: str) -> set[str]:
    """Where a search waits, the whole way to its result, on the model with the fewest parts: others are tried above."""
    model, given = new_model(plain_config_of, "model=luong", "model.encoder.num_layers=1").eval(), batch()
    search = build(plain_config_of("train", f"decoding={option}", *FEW_STEPS, *overrides)["decoding"], "decoding")
    with fake_cuda() as waits:
        on_cuda(model)
        given = given.to(CUDA)
        search(model, given.source, given.source_lengths, ask())
    return waits.places


@pytest.mark.parametrize("option", SEARCHES)
def test_searches_wait_for_their_limits_looks_and_results_alone(plain_config_of, option):
    assert searched(plain_config_of, option, lambda: Request(attention=True)) == LIMITS_AND_LOOKS | RESULTS


FILTERED = [f"decoding.filters.{option}" for option in ("no_repeat_ngram=2", "repetition_penalty=1.2", "end_bias=0.5")]


@pytest.mark.parametrize(
    ("option", "overrides"),
    [
        ("beam", [*FILTERED, "decoding.coverage_penalty.beta=0.3"]),
        ("diverse_beam", FILTERED),
        ("sampling", [*FILTERED, "decoding.top_p=0.9", "decoding.samples=3"]),
        ("sampling", ["decoding.top_k=3", "decoding.top_p=0.9"]),
    ],
)
def test_options_of_searches_add_no_wait(plain_config_of, option, overrides):
    assert searched(plain_config_of, option, Request, *overrides) == LIMITS_AND_LOOKS | RESULTS


def test_what_a_line_may_say_comes_with_the_line(plain_config_of):
    """It is copied to the device once, before the first step."""

    def ask() -> Request:
        return Request(filters=[ForcedPrefix([[4], [], [5, 6], []], CUDA), Permitted([4, 5], tokenizers().target.size)])

    copied = {"decoding/filters.py:ForcedPrefix.__init__", "decoding/filters.py:Permitted.__call__"}
    assert searched(plain_config_of, "greedy", ask) == LIMITS_AND_LOOKS | RESULTS | copied
    phrases = partial(Request, phrases=[[[4, 5]], [], [[6], [7]], []])
    copied = {"decoding/constraints.py:Phrases.__init__"}
    assert searched(plain_config_of, "beam", phrases) == LIMITS_AND_LOOKS | RESULTS | copied


def waits_of(run: Any) -> set[str]:
    with fake_cuda() as waits:
        run(torch.zeros(2, 3, device=CUDA))
    return waits.places


@pytest.mark.parametrize(
    "run",
    [
        lambda there: there.sum().item(),
        lambda there: bool((there > 0).any()),
        lambda there: int(there[0, 0]),
        lambda there: there.tolist(),
        lambda there: there[there > 0],
        lambda there: (there > 0).nonzero(),
        lambda there: there[:, : there[0, 0].long()],
        lambda there: torch.equal(there, there),
        lambda there: there.cpu(),
        lambda there: there.to("cpu"),
        lambda there: torch.zeros(3).to(there.device),
        lambda there: torch.tensor([1, 2], device=there.device),
    ],
)
def test_every_kind_of_wait_is_noticed(run):
    assert waits_of(run) == {"a test"}


@pytest.mark.parametrize(
    "run",
    [
        lambda there: (there[:, 0] + there[0, 1:2]).exp(),
        lambda there: there[torch.zeros(2, dtype=torch.long, device=there.device)],
        lambda there: torch.zeros(3).to(there.device, non_blocking=True),
        lambda there: there.masked_fill(there > 0, 1.0),
        lambda there: torch.full((2,), 3, device=there.device),
    ],
)
def test_what_the_device_does_alone_is_no_wait(run):
    assert waits_of(run) == set()


@pytest.mark.parametrize("wrong", [lambda there: there + torch.zeros(3), lambda there: there[torch.tensor([0])]])
def test_a_tensor_elsewhere_is_noticed(wrong):
    with pytest.raises((RuntimeError, AssertionError), match="device|elsewhere"):
        waits_of(wrong)
