"""Steps of an LSTM that are recorded by one who takes their gradients by hand: no graph, one product at the end."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.layers.recurrent.state import LSTMState

_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


class LSTMTape(NamedTuple):
    """What an LSTM layer did at every step, which its gradients are made of.

    A step is one product of [hidden; input] with both matrices side by side. Products may be in a narrower type than
    gates and memory.
    """

    weight: Float[Tensor, "gates read"]
    read: Float[Tensor, "time batch read"]  # what the weight multiplies
    gates: Float[Tensor, "time batch gates"]  # activations of input, forget, candidate and output
    memory: Float[Tensor, "memories batch hidden"]  # before the first step, and after each
    bounded: Float[Tensor, "time batch hidden"]  # tanh of the memory after each

    @classmethod
    def blank(cls, weight: Tensor, start: LSTMState, steps: int) -> "LSTMTape":
        """A tape of so many steps, still to be taken, that begin in a state."""
        batch, size = start.cell.shape
        memory = start.cell.new_empty(steps + 1, batch, size)
        memory[0] = start.cell
        read = weight.new_empty(steps, batch, weight.shape[1])
        return cls(weight, read, memory.new_empty(steps, batch, 4 * size), memory, memory.new_empty(steps, batch, size))

    @property
    def size(self) -> int:
        """Width of the hidden state."""
        return self.memory.shape[-1]

    def step(self, time: int, offset: Tensor) -> Float[Tensor, "batch hidden"]:
        """The hidden state after a step whose `read` is filled in, with an offset of all gates."""
        size, gates, after = self.size, self.gates[time], self.memory[time + 1]
        if gates.dtype == self.weight.dtype:
            torch.addmm(offset, self.read[time], self.weight.t(), out=gates)
        else:
            gates.copy_(torch.addmm(offset, self.read[time], self.weight.t()))
        gates[:, : 2 * size].sigmoid_()
        gates[:, 2 * size : 3 * size].tanh_()
        gates[:, 3 * size :].sigmoid_()
        i, f, g, o = gates.chunk(4, -1)
        torch.mul(f, self.memory[time], out=after).addcmul_(i, g)
        return o * torch.tanh(after, out=self.bounded[time])


class LSTMGradients:
    """Gradients of a recorded LSTM layer, gathered from its last step to its first.

    `of_hidden` and `of_memory` are those of the state before the step that was seen last: what else reads it is added.
    """

    def __init__(self, tape: LSTMTape, of_memory: Tensor | None, mask: Tensor | None) -> None:
        self.tape, self.mask = tape, mask
        self.of_sums = torch.empty_like(tape.gates, dtype=tape.weight.dtype)
        self.of_hidden = torch.zeros_like(tape.memory[0])
        self.of_memory = torch.zeros_like(tape.memory[0]) if of_memory is None else of_memory.clone()
        self._of_gates, self._through = torch.empty_like(tape.gates[0]), torch.empty_like(tape.memory[0])

    def step(self, time: int) -> Float[Tensor, "batch input"]:
        """The gradient of a step's input, from that of its hidden state, in `of_hidden`, and of its memory."""
        self._step_gates(time)
        of_read = self.of_sums[time].copy_(self._of_gates) @ self.tape.weight
        self.of_hidden.copy_(of_read[:, : self.tape.size])
        if self.mask is not None:
            self.of_hidden.mul_(self.mask)
        return of_read[:, self.tape.size :]

    def _step_gates(self, time: int) -> None:
        tape, size, found, through = self.tape, self.tape.size, self._of_gates, self._through
        i, f, g, o = tape.gates[time].chunk(4, -1)
        of_i, of_f, of_g, of_o = found.chunk(4, -1)
        torch.mul(self.of_hidden, tape.bounded[time], out=of_o)
        torch.mul(self.of_hidden, o, out=through)
        self.of_memory.add_(_tanh_backward(through, tape.bounded[time], grad_input=through))
        torch.mul(self.of_memory, g, out=of_i)
        torch.mul(self.of_memory, tape.memory[time], out=of_f)
        torch.mul(self.of_memory, i, out=of_g)
        self.of_memory.mul_(f)
        both = found[:, : 2 * size]
        _sigmoid_backward(both, tape.gates[time, :, : 2 * size], grad_input=both)
        _tanh_backward(of_g, g, grad_input=of_g)
        _sigmoid_backward(of_o, o, grad_input=of_o)

    def of_weight(self) -> Float[Tensor, "gates read"]:
        """The gradient of the weight: one product over all steps of all sentences."""
        return self.of_sums.flatten(0, 1).t() @ self.tape.read.flatten(0, 1)
