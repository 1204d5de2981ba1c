"""Scores of weights that take the place of a run's."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from torch import Tensor

from seq2seq.commands.evaluate import build_metrics
from seq2seq.compression.packing import pack
from seq2seq.config.builder import build
from seq2seq.config.open_parts import with_own_data
from seq2seq.data.examples import Example
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.evaluation import evaluate, load_dev_examples
from seq2seq.runs.run import LoadedRun
from seq2seq.runs.sourceless import refuse_language_model
from seq2seq.translation.forecaster import Forecaster
from seq2seq.translation.translator import Translator


class WeightScores:
    """Scores, in percent, of weights that take the place of a run's, on its dev or a file.

    Those that are `known` are not read again, as a pipe cannot be. Raises UserError, which names the command, at a
    language model.
    """

    def __init__(
        self, run: LoadedRun, options: Mapping[str, Any], command: str, known: "WeightScores | None" = None
    ) -> None:
        run = replace(run, config=with_own_data(run.config, options["data"], options["file"]))
        refuse_language_model(run, options["run"], command)
        self.run, self.options = run, options
        self.metrics = build_metrics(run, dict(options))
        self.name: str
        self.examples: Sequence[Example]
        self.name, self.examples = (
            load_dev_examples(run, options["file"]) if known is None else (known.name, known.examples)
        )

    def __call__(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """The scores of weights, by products in float32."""
        return self.of(pack(self.with_weights(weights)))

    def with_weights(self, weights: Mapping[str, Tensor]) -> Seq2Seq:
        """The run's model with other weights."""
        model = deepcopy(self.run.model)
        model.load_state_dict(dict(weights))
        return model

    def of(self, packed: Seq2Seq) -> dict[str, float]:
        """The scores of a packed model."""
        return dict(evaluate(self.answering(packed), self.examples, self.metrics).report()["scores"])

    def answering(self, packed: Seq2Seq) -> Translator | Forecaster:
        """The translator, or forecaster, by a packed model."""
        device = next(packed.parameters()).device
        if packed.output.frames:
            return Forecaster(packed, self.run.tokenizers, device=device)
        search = build(self.options["decoding"], "decoding")
        return Translator(packed, self.run.tokenizers, search, device=device)
