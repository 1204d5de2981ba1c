"""Forecasts of series: the mean of each frame is what the next one is told from."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.counts import count_of
from seq2seq.data.examples import Example
from seq2seq.data.frame_reader import FrameWriter, source_sequences
from seq2seq.data.series import ForecastSeries, Series
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.stepper import reorder
from seq2seq.errors import UserError
from seq2seq.layers.output.frames import FrameOutput
from seq2seq.layers.output.huber import HuberOutput
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.shapes import BeamFrames, Lengths, Source
from seq2seq.translation.length_batches import length_batches
from seq2seq.translation.translator import Translator

Ahead = Float[Tensor, "batch target value"]


class Forecaster:
    """A model that writes frames, without a search: it reads its own means, frame by frame.

    With `samples` it reads draws of its own distributions instead, on so many paths, and a frame's mean and deviation
    are those of the mixture over all of them: so the forecast knows how far the frames before it may stray. Noise is a
    function of `seed`, step and path alone. A forecast has as many frames as it is asked for, else as all targets to
    train on had; that of a tagger has one for each frame of its source. Batches hold series of like length: at most
    `batch_size`, and at most `max_tokens` frames with their padding, paths counted. Series are read whole. Raises
    UserError where a size is below 1, at a number of samples that is 1 or below 0, and at samples of a model without
    deviations, or that reads nothing that it wrote.
    """

    def __init__(
        self,
        model: Seq2Seq,
        tokenizers: Tokenizers,
        *,
        batch_size: int = 256,
        max_tokens: int = 32768,
        samples: int = 0,
        seed: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        if samples < 0 or samples == 1:
            raise UserError(f"samples must be 0, for means that are fed back, or at least 2, but is {samples}.")
        if samples and isinstance(model.output, HuberOutput):
            raise UserError(f"samples must be 0 with an output that has no deviations to draw by, but is {samples}.")
        if samples and model.tags:
            raise UserError(f"samples must be 0 with a tagger, which reads nothing that it wrote, but is {samples}.")
        self.samples, self.seed = samples, seed
        for name, size in (("batch_size", batch_size), ("max_tokens", max_tokens)):
            if size < 1:
                raise UserError(f"{name} must be at least 1, but is {size}.")
        self.stepper, self.tokenizers = model, tokenizers
        self.batch_size, self.max_tokens = batch_size, max_tokens
        self.device = device
        self.before_batch: Callable[[], None] | None = None  # of series, where somebody may want it to go no further

    def answers(self, examples: Sequence[Example]) -> list[ForecastSeries]:
        """Forecasts of the sources of examples, each as long as its first target."""
        return self.forecasts([one.source for one in examples], [frames_of(one.targets[0]) for one in examples])

    def share(self, count: int, rank: int, processes: int) -> slice:
        """The places of those of so many series that one of several processes is to forecast."""
        return slice(rank, count, processes)

    def forecasts(self, sources: Sequence[str], lengths: Any = None) -> list[ForecastSeries]:
        """Forecasts of series, of so many frames each, or one number for all.

        Raises UserError below 1 frame, at numbers that are not one for each, without a number where targets to train on
        were of unlike lengths, and at another than its source's where a tagger writes.
        """
        read = source_sequences(self.tokenizers.source, sources)
        lengths = self._lengths(lengths, read.lengths.tolist())
        wanted = torch.tensor(lengths, dtype=torch.long)
        found: list[ForecastSeries | None] = [None] * len(sources)
        sizes = read.lengths.maximum(wanted)
        paths = max(1, self.samples)
        most = max(1, self.batch_size // paths)
        for rows in length_batches(torch.arange(len(sources)), sizes * paths, most=most, tokens=self.max_tokens):
            if self.before_batch is not None:
                self.before_batch()
            source, own = (part.to(self.device) for part in read.padded(rows, end=True))
            ahead = self._ahead(source, own, int(wanted[rows].max()))
            for place, row in enumerate(rows.tolist()):
                found[row] = _series([part[place, : lengths[row]] for part in ahead])
        return [one for one in found if one is not None]

    @torch.no_grad()
    def _ahead(self, source: Source, lengths: Lengths, count: int) -> list[Ahead]:
        """Means of so many frames, and their deviations if there are any."""
        model, steps = self.stepper, []
        assert isinstance(model.output, FrameOutput)
        paths, random = max(1, self.samples), torch.Generator().manual_seed(self.seed)
        memory, states = model.start(source, lengths)
        if paths > 1:
            states = reorder(states, torch.zeros(len(source), paths, dtype=torch.long, device=source.device))
        frames = source.new_full((len(source), paths, model.decoder.embedding.vocabulary_size), float("nan"))
        for _ in range(count):
            found, _, states = model.features(frames, memory, states)
            step = model.output.forecasts(found.flatten(0, 1))
            parts = [part.unflatten(0, frames.shape[:2]) for part in step if part is not None]
            frames = _drawn(parts, random) if self.samples else parts[0]
            steps.append(_mixture(*parts) if self.samples else [part.squeeze(1) for part in parts])
        return [torch.stack(own, 1) for own in zip(*steps, strict=True)]

    def _lengths(self, given: Any, own: Sequence[int]) -> Sequence[int]:
        """The number of frames that each forecast has, of sources of so many."""
        if given is None:
            return own if self.stepper.tags else [self._usual_length()] * len(own)
        asked = list(given) if isinstance(given, list | tuple) or np.ndim(given) else [given] * len(own)
        if len(asked) != len(own):
            raise UserError(
                f"length must be a number, or one for each of {len(own)} series, but there are {len(asked)}."
            )
        lengths = [count_of(one, "length") for one in asked]
        for wanted, count in zip(lengths, own, strict=True):
            if self.stepper.tags:
                _check_own(wanted, count)
        return lengths

    def _usual_length(self) -> int:
        """The number of frames that all targets to train on had. Raises UserError where they were of unlike lengths."""
        writer = self.tokenizers.target
        assert isinstance(writer, FrameWriter)
        if writer.horizon is None:
            raise UserError("length must be given, as targets to train on were of unlike lengths: say how many frames.")
        return writer.horizon


def _check_own(wanted: int, count: int) -> None:
    """Raise UserError at a number of frames that is not a tagger's, which has so many to write."""
    if wanted != count:
        raise UserError(
            f"length must be null with a tagger, which writes a frame for each of the {count} of a series, but is "
            f"{wanted}."
        )


def _drawn(parts: list[Tensor], random: torch.Generator) -> BeamFrames:
    """Draws from the distributions of every path, by noise that is the same for all series."""
    means, deviations = parts
    noise = torch.randn(means.shape[1:], generator=random)  # (path, value)
    return means + deviations * noise.to(means)


def _mixture(means: BeamFrames, deviations: BeamFrames) -> list[Tensor]:
    """Mean and deviation of a mixture of the distributions of all paths, `batch value`."""
    variance = deviations.square().mean(1) + means.var(1, correction=0)
    return [means.mean(1), variance.sqrt()]


def frames_of(target: str) -> int:
    """The number of frames of a target. Raises UserError at a text."""
    if not isinstance(target, Series):
        raise UserError(f"targets must be frames, which this model writes, but one is the text {target[:40]!r}.")
    return len(target.values)


def answers(
    translator: Translator | Forecaster | Callable[[list[str]], list[str]], examples: Sequence[Example]
) -> list[str]:
    """Answers to the sources of examples: of a translator its texts, of a forecaster frames as far as targets go."""
    if isinstance(translator, Forecaster):
        return [*translator.answers(examples)]
    return translator([example.source for example in examples])


def _series(parts: list[Tensor]) -> ForecastSeries:
    means, *deviations = (np.ascontiguousarray(part.float().cpu().numpy()) for part in parts)
    return ForecastSeries(means, *deviations)
