"""Trained models that answer texts: what a run and an ensemble of runs have in common."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch

from seq2seq.config.closed_table import trusting
from seq2seq.config.contract import check_type
from seq2seq.config.mistakes import in_one_line
from seq2seq.data.counts import count_of
from seq2seq.data.encoding import pairs_of as flattened
from seq2seq.decoding.hypothesis import Hypothesis
from seq2seq.errors import UserError, shown
from seq2seq.library.call_options import read_keywords
from seq2seq.library.forecasts import Forecast, NumberTable, series_of
from seq2seq.library.given_examples import examples_for, given_to
from seq2seq.library.lines import lines_of
from seq2seq.library.model_copies import Layouts, copies
from seq2seq.library.pairs import Pairs, documents_of, is_path, pairs_of
from seq2seq.library.threaded_translator import ThreadedTranslator
from seq2seq.library.undisturbed import on_threads
from seq2seq.library.usual_modes import usual_modes
from seq2seq.locks import Lock
from seq2seq.models.language_model import LanguageModel
from seq2seq.runs.forecaster import open_forecaster
from seq2seq.runs.named_runs import load_runs
from seq2seq.runs.run import LoadedRun
from seq2seq.translation.forecaster import Forecaster
from seq2seq.translation.line import Translation
from seq2seq.translation.overlong import warn_of_overlong
from seq2seq.translation.tags import behind_tag, check_tag
from seq2seq.translation.unseen import warn_of_unseen, warn_of_unseen_pairs

if TYPE_CHECKING:
    from seq2seq.runs.evaluation import Evaluation
    from seq2seq.runs.perplexity import TextPerplexity


class Trained:
    """Trained models of one target vocabulary, on a device. Calls may come from several threads at once.

    Runs are read from their paths, unless they are given beside these, as members that are in memory.

    Keywords of a call are the options of the script of its name: `decoding="beam"`, `decoding__beam_size=8`,
    `precision="int8"`. Raises UserError at a mistake in any of them.
    """

    @usual_modes()
    def __init__(
        self,
        paths: Sequence[str],
        *,
        device: str = "auto",
        trust: Sequence[str] = (),
        members: Sequence[LoadedRun] | None = None,
    ) -> None:
        if not isinstance(trust, str | Iterable) or isinstance(trust, bytes):
            raise UserError(f"trust must be names of packages, in a list, but is {shown(trust)}.")
        self.device, self.trust = device, [trust] if isinstance(trust, str) else list(trust)
        with in_one_line(), trusting(self.trust):
            self.members = load_runs({"run": list(paths), "device": device}) if members is None else [*members]
        self.paths = [str(Path(path).absolute()) for path in paths]  # as the working folder may be another one later
        self._decoders = Layouts[tuple[ThreadedTranslator, dict[str, Any]]]()
        self._forecasters = Layouts[tuple[Forecaster, dict[str, Any]]]()
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        """The parts that go to another process: all but the translators, which are made there anew."""
        return {**vars(self), "_decoders": Layouts(), "_forecasters": Layouts()}

    @overload
    def translate(
        self,
        texts: str | np.ndarray,
        *,
        n_best: None = None,
        prefix: str = "",
        constraints: Sequence[str] = (),
        **keywords: Any,
    ) -> str: ...

    @overload
    def translate(
        self,
        texts: str | np.ndarray,
        *,
        n_best: int,
        prefix: str = "",
        constraints: Sequence[str] = (),
        **keywords: Any,
    ) -> list[Translation]: ...

    @overload
    def translate(
        self,
        texts: Iterable[str | np.ndarray],
        *,
        n_best: None = None,
        prefix: Sequence[str] | str = "",
        constraints: Sequence[Sequence[str]] = (),
        **keywords: Any,
    ) -> list[str]: ...

    @overload
    def translate(
        self,
        texts: Iterable[str | np.ndarray],
        *,
        n_best: int,
        prefix: Sequence[str] | str = "",
        constraints: Sequence[Sequence[str]] = (),
        **keywords: Any,
    ) -> list[list[Translation]]: ...

    @usual_modes()
    def translate(
        self, texts: Any, *, n_best: Any = None, prefix: Any = "", constraints: Any = (), **keywords: Any
    ) -> Any:
        """The translation of a text, or of each of several in their order.

        With `n_best`, that many for each, best first, with scores, pieces and alignment. A translation begins with the
        prefix and holds the constraints; for several texts, these are given for each. A `tag` stands before every text.
        """
        n_best = None if n_best is None else count_of(n_best, "n_best")
        lines, alone = lines_of(texts, prefix, constraints)
        decoder, options = self._decoder("translate", keywords)
        translator = decoder.translator.anew()
        check_type("tag", tag := options["tag"], str | None)
        check_tag(tag, translator.tokenizers.source)
        lines = [behind_tag(tag, line) for line in lines]
        for number, line in enumerate(lines, 1):
            translator.check(line, number)
        warn_of_unseen(translator.tokenizers, sources := [line.source for line in lines])
        warn_of_overlong(translator.longest, translator.tokenizers.source.form, sources)
        with decoder.threads_for(len(lines)):
            found = translator.translations(lines, n_best=n_best or 1, attention=n_best is not None)
        answers = found if n_best else [own[0].text for own in found]
        return answers[0] if alone else answers

    @overload
    def forecast(self, series: np.ndarray | NumberTable, *, length: int | None = None, **keywords: Any) -> Forecast: ...

    @overload
    def forecast(
        self, series: Iterable[np.ndarray | NumberTable], *, length: int | Sequence[int] | None = None, **keywords: Any
    ) -> list[Forecast]: ...

    @usual_modes()
    def forecast(self, series: Any, *, length: Any = None, **keywords: Any) -> Any:
        """The forecast of a series, an array `time feature`, or of each of several in their order.

        It has `length` frames, one number or one for each series, else as many as all targets to train on had. Keywords
        are options of `forecast`. Raises UserError where the run writes text.
        """
        given, alone = series_of(series)
        forecaster, _ = self._forecaster("forecast", keywords)
        found = [Forecast(one.values, one.deviations) for one in forecaster.forecasts(given, length)]
        return found[0] if alone else found

    @usual_modes()
    def evaluate(self, pairs: Pairs | None = None, *, split: str | None = None, **keywords: Any) -> "Evaluation":
        """Scores in percent on pairs, or on a split of the run's own data: test if it has one, else dev.

        With intervals of 95 % by bootstrap, signatures, and the translations behind them.
        """
        from seq2seq.commands.evaluate import build_metrics, read_draws  # torchmetrics takes a second to import
        from seq2seq.runs.evaluation import evaluate
        from seq2seq.runs.last_values import warn_of_last_values
        from seq2seq.runs.unknown_examples import warn_of_unknown

        first = self.members[0]
        if first.model.sourceless:
            raise UserError("evaluate needs a model with a source, but this is a language model: call perplexity.")
        answering, options = (self._forecaster if first.model.output.frames else self._decoder)("evaluate", keywords)
        with in_one_line(), trusting(self.trust):
            metrics, draws = build_metrics(first, options), read_draws(options)
            given = None if pairs is None else given_to(first, pairs, in_order=options["reset"] is not None)
            name, examples = examples_for(first, given, split, "pairs")
        if isinstance(answering, Forecaster):
            evaluation = evaluate(answering, examples, metrics, draws)
            warn_of_last_values(examples, evaluation)
            return evaluation
        warn_of_unknown(name, examples, answering.translator)
        with answering.threads_for(len(examples)):
            return evaluate(answering.translator.anew(), examples, metrics, draws)

    @usual_modes()
    def perplexity(self, texts: Iterable[str] | None = None, *, split: str | None = None) -> "TextPerplexity":
        """The likelihood of texts by a language model, or of a split of its own data: test if it has one, else dev.

        Each text is a document, which may have several lines.
        """
        from seq2seq.runs.perplexity import perplexity  # as in evaluate
        from seq2seq.runs.unknown_examples import warn_of_unknown_text

        first = self.members[0]
        if not isinstance(first.model, LanguageModel):
            raise UserError("perplexity needs a language model, but this model has a source: call evaluate or score.")
        with in_one_line(), trusting(self.trust):
            name, examples = examples_for(first, None if texts is None else documents_of(texts), split, "texts")
            warn_of_unknown_text(name, examples, first.tokenizers.target)
            (own,) = copies(self.members)  # as the caller may train that one meanwhile
            assert isinstance(own.model, LanguageModel)
            return perplexity(own.model, own.tokenizers, examples)

    @usual_modes()
    def score(self, pairs: Pairs, **keywords: Any) -> list[Hypothesis]:
        """Log-probabilities, in nats, of every target after its source: `score` in all, `token_scores`, EOS last."""
        decoder, _ = self._decoder("score", keywords)
        with in_one_line(), trusting(self.trust):
            flat = (
                list(flattened(given_to(self.members[0], pairs, in_order=True))) if is_path(pairs) else pairs_of(pairs)
            )
        sources, texts = [source for source, _ in flat], [target for _, target in flat]
        _, targets = decoder.translator.tokenizers.encode_pairs(sources, texts)
        warn_of_unseen_pairs(decoder.translator.tokenizers, sources, texts, targets)
        with decoder.threads_for(len(flat)):
            return decoder.translator.score(sources, targets)

    def _forecaster(self, script: str, keywords: dict[str, Any]) -> tuple[Forecaster, dict[str, Any]]:
        """The forecaster that keywords describe, and their options."""
        with in_one_line(), self._lock, trusting(self.trust), on_threads(torch.get_num_threads()):
            if not self.members[0].model.output.frames:
                raise UserError("forecast needs a run that writes frames, but this one writes text: call translate.")

            def lay_out() -> tuple[Forecaster, dict[str, Any]]:
                options = read_keywords(script, self.paths, self.device, keywords)
                return open_forecaster(options, copies(self.members)), options

            return self._forecasters.of(script, keywords, self.members, lay_out)

    def _decoder(self, script: str, keywords: dict[str, Any]) -> tuple[ThreadedTranslator, dict[str, Any]]:
        """The decoder that keywords describe, and their options; both are kept for the next call."""

        def lay_out() -> tuple[ThreadedTranslator, dict[str, Any]]:
            options = read_keywords(script, self.paths, self.device, keywords)
            return ThreadedTranslator(options, self.members), options

        with in_one_line(), self._lock, trusting(self.trust):
            return self._decoders.of(script, keywords, self.members, lay_out)
