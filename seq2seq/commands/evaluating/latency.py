"""Score translations that are written while their sources are read."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from seq2seq.data.examples import Example
from seq2seq.errors import UserError
from seq2seq.metrics.latency import Latency, mean_latency
from seq2seq.metrics.scores import Scores
from seq2seq.metrics.significance import Draws
from seq2seq.runs.evaluation import evaluate
from seq2seq.runs.named_files import picture_file
from seq2seq.runs.simultaneous import simultaneous_translator
from seq2seq.translation.simultaneous import Answer, SimultaneousTranslator
from seq2seq.translation.threads import set_threads
from seq2seq.translation.translator import Translator

Policies = tuple[dict[str, Any], dict[str, Any]]


def score_while_reading(
    options: Mapping[str, Any],
    translator: Translator,
    examples: Sequence[Example],
    metrics: Mapping[str, Scores],
    draws: Draws,
) -> dict[str, Any]:
    """Scores and lags for every policy that the options list, beside those of whole sources.

    Where they name a `picture`, it shows both. Lags are means over the examples that were answered at all; the others
    are counted as silent. Raises UserError at a picture of an unknown kind, and where no policy can be followed.
    """
    if (path := options["picture"]) is not None:
        picture_file("picture", path)
    policies = [
        (named, simultaneous_translator({**options, "simultaneous": node}, translator))
        for named, node in options["policies"]
    ]
    offline = evaluate(translator, examples, metrics, draws)
    set_threads(options["threads"], translator, lines=1)  # from here on it is one token at a time
    rows = [{**named, **_row(policy, examples, metrics, draws)} for named, policy in policies]
    if path is not None:
        _draw(Path(path), rows, offline.scores)
    return {"simultaneous": rows, "offline": offline.report()}


def _row(
    translator: SimultaneousTranslator, examples: Sequence[Example], metrics: Mapping[str, Scores], draws: Draws
) -> dict[str, Any]:
    answers: list[Answer] = []

    def translate(sources: Sequence[str]) -> list[str]:
        found = translator.answers(sources)
        answers.extend(found)
        return [answer.text for answer in found]

    report = evaluate(translate, examples, metrics, draws).report()
    return {**report, **_lags(answers, [translator.length(example.targets[0]) for example in examples])}


def with_policies(config: DictConfig) -> tuple[DictConfig, list[Policies]]:
    """The config with the first of its policies alone, and all of them, each with what tells it apart.

    One option of a policy may have a list of values. Raises UserError if two do, or a list is empty.
    """
    if (node := config.get("simultaneous")) is None:
        return config, []
    policies = list(_policies(OmegaConf.to_container(node)))
    plain = OmegaConf.merge(config, {"simultaneous": None}, {"simultaneous": policies[0][1]})
    assert isinstance(plain, DictConfig)
    return plain, policies


def _policies(node: Any) -> Iterator[Policies]:
    lists = [name for name, value in node.items() if isinstance(value, list)]
    if len(lists) > 1:
        raise UserError(f"simultaneous must have one option with a list, but has {' and '.join(lists)}.")
    for name in lists or ["k" if "k" in node else "margin"]:
        values = node[name] if isinstance(node[name], list) else [node[name]]
        if not values:
            raise UserError(f"simultaneous.{name} must hold a value, but is empty.")
        yield from (({name: value}, {**node, name: value}) for value in values)


def _lags(answers: Sequence[Answer], lengths: Sequence[int]) -> dict[str, Any]:
    each = [
        Latency.of(answer.delays, answer.units, length)
        for answer, length in zip(answers, lengths, strict=True)
        if answer.delays and length
    ]
    lags = {name: round(value, 4) for name, value in vars(mean_latency(each)).items()} if each else {}
    return {"latency": lags, "silent": len(answers) - len(each)}


def _draw(path: Path, rows: Sequence[Mapping[str, Any]], offline: Mapping[str, float]) -> None:
    from seq2seq.interpretation.latency_plot import latency_figure  # matplotlib takes a second to import
    from seq2seq.interpretation.plots import write_picture

    shown = [row for row in rows if row["latency"]]
    names = [", ".join(f"{key} = {value}" for key, value in list(row.items())[:1]) for row in shown]
    scores = {name: [row["scores"][name] for row in shown] for name in offline}
    figure = latency_figure([row["latency"]["al"] for row in shown], scores, names, offline=offline)
    write_picture(figure, path, dpi=150)
