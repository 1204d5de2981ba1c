"""Steps of an LSTM that are recorded by one who takes their gradients by hand: no graph, one product at the end."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.layers.recurrent.state import LSTMState

_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


class LSTMTape(NamedTuple):
    """Record of what an LSTM layer did at every step, which its gradients are made of.

    A step is one product of [hidden; input] with both matrices side by side. Products may be in a narrower type than
    gates and memory.
    """

    weight: Float[Tensor, "gates read"]
    read: Float[Tensor, "time batch read"]  # what the weight multiplies
    gates: Float[Tensor, "time batch gates"]  # activations of input, forget, candidate and output
    memory: Float[Tensor, "memories batch hidden"]  # before the first step, and after each
    bounded: Float[Tensor, "time batch hidden"]  # tanh of the memory after each

    @classmethod
    def blank(cls, weight: Tensor, memory: Float[Tensor, "batch hidden"], steps: int) -> "LSTMTape":
        """A tape of so many steps, still to be taken, that begin with a memory."""
        batch, size = memory.shape
        memories = memory.new_empty(steps + 1, batch, size)
        memories[0] = memory
        read, gates = weight.new_empty(steps, batch, weight.shape[1]), memory.new_empty(steps, batch, 4 * size)
        return cls(weight, read, gates, memories, memory.new_empty(steps, batch, size))

    @property
    def size(self) -> int:
        """Width of the hidden state."""
        return self.memory.shape[-1]

    @property
    def inputs(self) -> Float[Tensor, "time batch input"]:
        """The part of what was read that came from below."""
        return self.read[:, :, self.size :]


class LSTMRecorder:
    """The steps of a layer, which write to its tape; `mask` is of what recurrent weights read.

    A step reads what has been put into `inputs[time]`, and gives the hidden state in `hidden[time]`.
    """

    def __init__(self, tape: LSTMTape, offset: Tensor, start: LSTMState, mask: Tensor | None) -> None:
        size, steps = tape.size, len(tape.read)
        self.hidden = start.hidden.new_empty(steps, *start.hidden.shape)
        self._hidden = self.hidden.unbind(0)
        self.inputs = tape.inputs.unbind(0)
        self._weight, self._mask = tape.weight.t(), mask
        self._offsets = offset.unbind(0) if offset.dim() == 3 else [offset] * steps
        self._read, self._own = tape.read.unbind(0), tape.read[:, :, :size].unbind(0)
        self._gates, self._memory, self._bounded = tape.gates.unbind(0), tape.memory.unbind(0), tape.bounded.unbind(0)
        self._parts = [part.unbind(0) for part in tape.gates.split([2 * size, size, size], -1)]
        self._first = [part.unbind(0) for part in tape.gates[:, :, : 2 * size].chunk(2, -1)]
        self._read_next(start.hidden, 0)

    def step(self, time: int) -> Float[Tensor, "batch hidden"]:
        """The hidden state after a step."""
        gates, after, hidden = self._gates[time], self._memory[time + 1], self._hidden[time]
        if gates.dtype == self._weight.dtype:
            torch.addmm(self._offsets[time], self._read[time], self._weight, out=gates)
        else:
            gates.copy_(torch.addmm(self._offsets[time], self._read[time], self._weight))
        both, candidate, out = (part[time] for part in self._parts)
        both.sigmoid_(), candidate.tanh_(), out.sigmoid_()
        torch.mul(self._first[1][time], self._memory[time], out=after).addcmul_(self._first[0][time], candidate)
        torch.mul(out, torch.tanh(after, out=self._bounded[time]), out=hidden)
        if time + 1 < len(self._own):
            self._read_next(hidden, time + 1)
        return hidden

    def _read_next(self, hidden: Tensor, time: int) -> None:
        if self._mask is None:
            self._own[time].copy_(hidden)
        else:
            torch.mul(hidden, self._mask, out=self._own[time])


class LSTMGradients:
    """Gradients of a recorded LSTM layer, gathered from its last step to its first.

    `of_hidden` and `of_memory` are those of the state before the step that was seen last: what else reads it is added.
    """

    def __init__(self, tape: LSTMTape, of_memory: Tensor | None, mask: Tensor | None) -> None:
        size = tape.size
        self.tape, self.mask = tape, mask
        self.of_sums = torch.empty_like(tape.gates, dtype=tape.weight.dtype)
        self.of_hidden = torch.zeros_like(tape.memory[0])
        self.of_memory = torch.zeros_like(tape.memory[0]) if of_memory is None else of_memory.clone()
        self._through, self._of_gates = torch.empty_like(tape.memory[0]), torch.empty_like(tape.gates[0])
        self._of_parts = self._of_gates.chunk(4, -1)
        self._of_both, self._both = self._of_gates[:, : 2 * size], tape.gates[:, :, : 2 * size].unbind(0)
        self._parts = [part.unbind(0) for part in tape.gates.chunk(4, -1)]
        self._sums, self._bounded, self._memory = self.of_sums.unbind(0), tape.bounded.unbind(0), tape.memory.unbind(0)

    def step(self, time: int) -> Float[Tensor, "batch input"]:
        """The gradient of a step's input, from that of its hidden state, in `of_hidden`, and of its memory."""
        self._step_gates(time)
        of_own, of_input = (self._sums[time].copy_(self._of_gates) @ self.tape.weight).tensor_split([self.tape.size], 1)
        if self.mask is None:
            self.of_hidden.copy_(of_own)
        else:
            torch.mul(of_own, self.mask, out=self.of_hidden)
        return of_input

    def _step_gates(self, time: int) -> None:
        through, bounded = self._through, self._bounded[time]
        i, f, g, o = (part[time] for part in self._parts)
        of_i, of_f, of_g, of_o = self._of_parts
        torch.mul(self.of_hidden, bounded, out=of_o)
        torch.mul(self.of_hidden, o, out=through)
        self.of_memory.add_(_tanh_backward(through, bounded, grad_input=through))
        torch.mul(self.of_memory, g, out=of_i)
        torch.mul(self.of_memory, self._memory[time], out=of_f)
        torch.mul(self.of_memory, i, out=of_g)
        self.of_memory.mul_(f)
        _sigmoid_backward(self._of_both, self._both[time], grad_input=self._of_both)
        _tanh_backward(of_g, g, grad_input=of_g)
        _sigmoid_backward(of_o, o, grad_input=of_o)

    def of_weight(self) -> Float[Tensor, "gates read"]:
        """The gradient of the weight: one product over all steps of all sentences."""
        return self.of_sums.flatten(0, 1).t() @ self.tape.read.flatten(0, 1)
