"""Every option of a script is read by the call of its name, or refused there."""

from collections.abc import Callable
from typing import Any

import pytest

import seq2seq
from seq2seq.config.invocation import invoked
from seq2seq.config.options import defaults
from seq2seq.library import call_options

PAIRS = [("bcd", "dcb"), ("a", "a")]
CALLS: dict[str, Callable[..., Any]] = {
    "translate": lambda run, /, **keywords: run.translate(["bcd", "a"], **keywords),
    "evaluate": lambda run, /, **keywords: run.evaluate(PAIRS, **keywords),
    "score": lambda run, /, **keywords: run.score(PAIRS, **keywords),
    "interpret": lambda run, /, **keywords: run.interpret("bcd", **keywords),
    "forecast": lambda run, /, **keywords: call_options.read_keywords("forecast", run.paths, run.device, keywords),
}
PARAMETERS = {  # of the calls' own
    "translate": {"n_best"},
    "evaluate": {"split"},
    "score": set(),
    "interpret": set(),
}
UNREAD = [
    *(("translate", name) for name in ("watch", "simultaneous", "format", "input", "buffer", "runtime", "file")),
    *(("evaluate", name) for name in ("simultaneous", "picture", "compare", "randomization", "file", "data")),
    *(("score", name) for name in ("file", "format", "matmul_precision")),
    *(("interpret", name) for name in ("stream", "renew", "alarms", "frames", "out", "formats")),
    *(("forecast", name) for name in ("file", "out")),
]


@pytest.fixture(scope="module")
def run(finished) -> seq2seq.Run:
    return seq2seq.load(finished)


def options_of(script: str) -> set[str]:
    with invoked(script, ()):
        return {key for key in defaults() if "." not in key}


class Seen(dict[str, Any]):
    """Options that know which of them were asked for."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


@pytest.mark.parametrize("script", CALLS)
def test_every_option_that_is_not_read_is_refused_by_name(run, script):
    refused = options_of(script) - {*call_options.READ[script]}
    assert {"device", "trust"} <= refused
    for name in refused:
        with pytest.raises(seq2seq.UserError, match=f"^{name} is (an option of the command line alone|chosen when)"):
            CALLS[script](run, **{name: "x"})


@pytest.mark.parametrize("script", ["translate", "evaluate", "score", "interpret"])
def test_every_option_that_can_be_given_is_read(run, finished, monkeypatch, script):
    seen: list[Seen] = []

    def read(config: Any) -> Seen:
        seen.append(Seen(call_options_read(config)))
        return seen[-1]

    call_options_read = call_options.read_options
    monkeypatch.setattr(call_options, "read_options", read)
    asked = run if script == "interpret" else seq2seq.ensemble([run, finished])
    CALLS[script](asked)
    assert len(seen) == 1
    assert {*call_options.READ[script]} - PARAMETERS[script] <= seen[0].asked
    assert {*call_options.READ[script]} <= options_of(script)


@pytest.mark.parametrize(("script", "name"), UNREAD)
def test_an_option_of_the_command_line_is_refused(run, script, name):
    with pytest.raises(seq2seq.UserError, match=f"^{name} is an option of the command line alone: leave it out.$"):
        CALLS[script](run, **{name: "none"})


@pytest.mark.parametrize("name", ["watch__limit", "simultaneous.k", "hydra.job.name", "hydra/launcher"])
def test_a_part_of_an_option_that_is_not_read_is_refused_too(run, name):
    with pytest.raises(seq2seq.UserError, match="(watch|simultaneous|hydra)"):
        run.translate("a", **{name: 1})


def test_names_that_are_offered_can_be_given(run):
    with pytest.raises(seq2seq.UserError) as error:
        run.evaluate(PAIRS, zzzzz=1)
    offered = str(error.value).partition(" takes ")[2].rstrip(".").split(", ")
    assert {*offered} <= {*call_options.READ["evaluate"]}
