"""A cell of one's own, trained from Python without a fork of the package.    python own_cell.py, in this folder

The class stands in a module that is trusted by name, here this file: whoever loads the run says so again.
"""

from itertools import product

import torch

import seq2seq
from seq2seq.layers.recurrent.cells.cell import Projected
from seq2seq.layers.recurrent.cells.lstm import LSTMGates
from seq2seq.layers.recurrent.cells.lstm_variant import LSTMVariant
from seq2seq.layers.recurrent.state import LSTMState


class BoundedLSTMCell(LSTMVariant):
    """Long short-term memory that cannot count without end: c' = tanh(f c + i g),  h' = o c'."""

    def advance(self, projected: Projected, state: LSTMState) -> tuple[LSTMState, LSTMGates]:
        """The next state and its gates; `sums` are W x + U h + b of each gate."""
        i, f, g, o = self.sums(projected, state)
        gates = LSTMGates(i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid())
        cell = torch.tanh(gates.forget * state.cell + gates.input * gates.candidate)
        return LSTMState(gates.output * cell, cell), gates


if __name__ == "__main__":
    pairs = [("".join(word), " ".join(reversed(word))) for word in product("abcd", repeat=4)]
    run = seq2seq.train(
        pairs,
        model={"embedding_size": 32, "encoder.hidden_size": 32, "cell._target_": "own_cell.BoundedLSTMCell"},
        trust=["own_cell"],
        budget={"max_steps": 200},
    )
    print(run.translate(["abcd", "ddca"]), run.scores)
    print(seq2seq.load(run.path, trust=["own_cell"]).translate("abcd"))
