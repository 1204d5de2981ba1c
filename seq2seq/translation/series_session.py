"""Frames in and text out while they come."""

import torch

from seq2seq.data.frame_reader import FrameReader
from seq2seq.data.series import Series, Values
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.decoding.frame_session import FrameSession
from seq2seq.errors import UserError
from seq2seq.translation.said import SayingSession


class SeriesSession(SayingSession):
    """A session of one series. `delays[i]` is how many frames had come when unit i of the target was said."""

    def __init__(self, session: FrameSession, tokenizers: Tokenizers) -> None:
        if not isinstance(tokenizers.source, FrameReader):
            raise UserError("model must read frames to answer while they come, but reads text.")
        if tokenizers.source.timed:
            raise UserError("model must read frames without times to answer while they come, but reads gaps in time.")
        super().__init__(tokenizers)
        self.session, self.reader = session, tokenizers.source

    @property
    def units(self) -> int:
        """The number of frames that have come."""
        return self.session.read

    def feed(self, frames: Values) -> str:
        """Text that is said now that some more frames have come. Raises UserError at frames of other features."""
        said = ""
        if len(frames):
            values = self.reader.checked(Series(frames, "the frames")).values
            for frame in torch.from_numpy(values):
                said += self._said.say(self.session.feed_frames(frame.unsqueeze(0)), self.units, ended=False)
        return said

    def end(self) -> str:
        """Text that is left to say once all frames have come; of none, nothing."""
        return self._said.say(self.session.end(), self.units, ended=True) if self.units else ""
