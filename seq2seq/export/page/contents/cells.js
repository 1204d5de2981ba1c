// Cells: from the input's part of their gates and a state to the next state and the gates that made it, of many at once.

class Cell {
  constructor(weights, { at, hidden, names }) {
    this.hidden = hidden;
    this.names = names;
    [this.input, this.recurrent] = ["weight_ih_l0", "weight_hh_l0"].map((own) => weights.matrix(`${at}.kernel.${own}`));
    [this.inputBias, this.recurrentBias] = ["bias_ih_l0", "bias_hh_l0"].map((own) => weights.vector(`${at}.kernel.${own}`));
  }

  project(inputs) {
    return linear(this.input, this.inputBias, inputs);
  }

  step(projected, states) {
    const recurrent = linear(this.recurrent, this.recurrentBias, states.map((state) => state.hidden));
    return states.map((state, own) => this.advance(projected[own], recurrent[own], state));
  }

  // The gates of one step by name, each a vector, empty so far.
  blank() {
    return Object.fromEntries(this.names.map((name) => [name, new Float32Array(this.hidden)]));
  }
}

// c' = f c + i g,  h' = o tanh(c').
class LSTMCell extends Cell {
  start() {
    return { hidden: new Float32Array(this.hidden), cell: new Float32Array(this.hidden) };
  }

  advance(projected, recurrent, state) {
    const [size, gates, next] = [this.hidden, this.blank(), this.start()];
    for (let unit = 0; unit < size; unit += 1) {
      const at = (gate) => projected[gate * size + unit] + recurrent[gate * size + unit];
      const [input, forget, candidate, output] = [sigmoid(at(0)), sigmoid(at(1)), Math.tanh(at(2)), sigmoid(at(3))];
      next.cell[unit] = forget * state.cell[unit] + input * candidate;
      next.hidden[unit] = output * Math.tanh(next.cell[unit]);
      gates.input[unit] = input;
      gates.forget[unit] = forget;
      gates.candidate[unit] = candidate;
      gates.output[unit] = output;
    }
    return { state: next, gates };
  }
}

// h' = z h + (1 - z) g, with the reset gate behind the product.
class GRUCell extends Cell {
  start() {
    return { hidden: new Float32Array(this.hidden) };
  }

  advance(projected, recurrent, state) {
    const [size, gates, next] = [this.hidden, this.blank(), this.start()];
    for (let unit = 0; unit < size; unit += 1) {
      const reset = sigmoid(projected[unit] + recurrent[unit]);
      const update = sigmoid(projected[size + unit] + recurrent[size + unit]);
      const candidate = Math.tanh(projected[2 * size + unit] + reset * recurrent[2 * size + unit]);
      next.hidden[unit] = update * state.hidden[unit] + (1 - update) * candidate;
      gates.reset[unit] = reset;
      gates.update[unit] = update;
      gates.candidate[unit] = candidate;
    }
    return { state: next, gates };
  }
}

const CELLS = { lstm: LSTMCell, gru: GRUCell };

function newCell(weights, about) {
  return new CELLS[about.kind](weights, about);
}

// What a layer hands up beside its outputs, by the name of the connection.
function newConnection(weights, { kind, at }) {
  if (kind === "residual") return (input, output) => (input.length === output.length ? sum(input, output) : output);
  if (kind === "dense") return (input, output) => joined(input, output);
  if (kind !== "highway") return (input, output) => output;
  const [gate, bias] = [weights.matrix(`${at}.gate.gate.weight`), weights.vector(`${at}.gate.gate.bias`)];
  const bypass = `${at}.gate.bypass.weight` in weights.index ? weights.matrix(`${at}.gate.bypass.weight`) : null;
  return (input, output) => {
    const [passed] = bypass ? linear(bypass, null, [input]) : [input];
    const open = linear(gate, bias, [input])[0].map(sigmoid);
    return output.map((value, unit) => open[unit] * value + (1 - open[unit]) * passed[unit]);
  };
}
