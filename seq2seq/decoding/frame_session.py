"""Simultaneous writing while frames come."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.decoding.simultaneous import Memory, Reading, Session, States
from seq2seq.errors import UserError

FrameRows = Float[Tensor, "time feature"]


class FrameSession(Session[Reading, Memory, States]):
    """A session of one series, which has no end of its own: frames in, tokens out as soon as the policy lets them."""

    @torch.inference_mode()
    def feed_frames(self, frames: FrameRows) -> list[int]:
        """Tokens that are written while some more frames come. Raises UserError after the end."""
        if self.ended:
            raise UserError("A series that has ended takes no more frames: open another session.")
        found: list[int] = []
        for frame in frames:
            self._read(frame.view(1, 1, -1), ended=False)
            found += self._written_while_ready()
        return found

    def feed(self, ids: Sequence[int]) -> list[int]:
        """Refuse ids of tokens. Raises UserError."""
        raise UserError(f"A session of frames must be fed by feed_frames, but is given {len(ids)} ids.")

    def _end_source(self) -> None:
        """Leave the reading as it is: an encoder that reads on holds nothing back."""
