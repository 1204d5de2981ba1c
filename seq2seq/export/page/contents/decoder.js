// Attention, the three decoders and the output: one step of all hypotheses of a sentence.

class Attention {
  constructor(weights, about) {
    this.about = about;
    const matrix = (name) => weights.matrix(`${about.at}.${name}`);
    if (about.kind === "general") this.keyMatrix = matrix("projection.weight");
    if (about.kind === "additive") {
      this.keyMatrix = matrix("value_projection.weight");
      this.queryMatrix = matrix("query_projection.weight");
      this.queryBias = weights.vector(`${about.at}.query_projection.bias`);
      this.vector = weights.vector(`${about.at}.vector`);
    }
  }

  remember(values) {
    return { values, keys: this.keyMatrix ? linear(this.keyMatrix, null, values) : values };
  }

  score(query, key) {
    if (this.about.kind !== "additive") return oneRow(key, 0, key.length, query) * this.about.scale;
    let score = 0;
    for (let unit = 0; unit < key.length; unit += 1) score += this.vector[unit] * Math.tanh(query[unit] + key[unit]);
    return score;
  }

  // Contexts and weights of the values, one for each query.
  step(queries, { values, keys }) {
    const width = values[0].length;
    if (this.about.kind === "none") {
      return queries.map(() => ({ context: new Float32Array(width), weights: values.map(() => 1 / values.length) }));
    }
    const asked = this.queryMatrix ? linear(this.queryMatrix, this.queryBias, queries) : queries;
    return asked.map((query) => {
      const [weights, context] = [softmax(keys.map((key) => this.score(query, key))), new Float32Array(width)];
      for (let unit = 0; unit < width; unit += 1) {
        let mean = 0;
        for (let place = 0; place < values.length; place += 1) mean += weights[place] * values[place][unit];
        context[unit] = mean;
      }
      return { context, weights };
    });
  }
}

class Decoder {
  constructor(weights, about) {
    this.table = weights.matrix(about.embedding);
    this.cells = about.cells.map((cell) => newCell(weights, cell));
    this.names = about.cells.map((cell) => cell.name);
    this.connections = about.connections.map((connection) => newConnection(weights, connection));
    this.attention = new Attention(weights, about.attention);
    this.feed = about.feed ? weights.matrix(`${about.feed}.weight`) : null;
    this.readout = weights.matrix(`${about.readout}.projection.weight`);
    this.readoutBias = weights.vector(`${about.readout}.projection.bias`);
    this.projected = new Map(); // what the bottom layer makes of a token is found once
  }

  // Features of the next tokens, weights, the next states and the gates of every layer, for each hypothesis.
  step(ids, memory, states) {
    const found = this.advance(ids, memory, states);
    const read = found.hidden.map((hidden, own) => joined(hidden, found.attended[own].context));
    const features = linear(this.readout, this.readoutBias, read).map((row) => row.map(Math.tanh));
    return ids.map((_, own) => ({
      features: features[own],
      weights: found.attended[own].weights,
      layers: found.stepped.map((layer) => layer[own].state),
      gates: found.stepped.map((layer) => layer[own].gates),
    }));
  }

  embedded(ids) {
    return ids.map((id) => rowOf(this.table, id));
  }

  // Tokens as the bottom layer projects them.
  projectedOf(ids) {
    for (const id of ids) {
      if (!this.projected.has(id)) this.projected.set(id, this.cells[0].project(this.embedded([id]))[0]);
    }
    return ids.map((id) => this.projected.get(id));
  }

  run(depth, projected, states) {
    return this.cells[depth].step(projected, states.map((layers) => layers[depth]));
  }

  connect(depth, inputs, stepped) {
    return inputs.map((input, own) => this.connections[depth](input, stepped[own].state.hidden));
  }

  // The layers above the bottom one, each reading what the one below hands up, with `beside` joined to it if given.
  climb(inputs, states, beside = null) {
    const steps = [];
    let hidden = inputs;
    for (let depth = 1; depth < this.cells.length; depth += 1) {
      const read = beside ? hidden.map((own, number) => joined(own, beside[number])) : hidden;
      steps.push(this.run(depth, this.cells[depth].project(read), states));
      hidden = this.connect(depth, hidden, steps.at(-1));
    }
    return { hidden, steps };
  }
}

// All layers, then attention from the top one.
class LuongDecoder extends Decoder {
  advance(ids, memory, states) {
    const bottom = this.run(0, this.projectedOf(ids), states);
    const { hidden, steps } = this.climb(this.connect(0, this.embedded(ids), bottom), states);
    return { hidden, stepped: [bottom, ...steps], attended: this.attention.step(hidden, memory) };
  }
}

// The bottom layer attends, and the upper ones get its context at the same step; residual from the third on.
class GNMTDecoder extends Decoder {
  advance(ids, memory, states) {
    const bottom = this.run(0, this.projectedOf(ids), states);
    const outputs = bottom.map((own) => own.state.hidden);
    const attended = this.attention.step(outputs, memory);
    const { hidden, steps } = this.climb(outputs, states, attended.map((own) => own.context));
    return { hidden, stepped: [bottom, ...steps], attended };
  }
}

// The top state of the step before attends, and its context is fed to the bottom layer.
class BahdanauDecoder extends Decoder {
  advance(ids, memory, states) {
    const attended = this.attention.step(states.map((layers) => layers.at(-1).hidden), memory);
    const contexts = attended.map((own) => own.context);
    const fed = linear(this.feed, null, contexts);
    const bottom = this.run(0, this.projectedOf(ids).map((row, own) => sum(row, fed[own])), states);
    const { hidden, steps } = this.climb(this.connect(0, contexts, bottom), states);
    return { hidden, stepped: [bottom, ...steps], attended };
  }
}

const DECODERS = { luong: LuongDecoder, gnmt: GNMTDecoder, bahdanau: BahdanauDecoder };

class Output {
  constructor(weights, { projection, weight, bias, vocabulary }) {
    this.projection = projection ? weights.matrix(projection) : null;
    const { columns, values } = weights.matrix(weight);
    this.matrix = { rows: vocabulary, columns, values }; // rows past the vocabulary belong to no token
    this.bias = weights.vector(bias);
  }

  // Log-probabilities of all tokens, of which PAD and BOS have no share.
  scores(features) {
    const rows = this.projection ? linear(this.projection, null, features) : features;
    return linear(this.matrix, this.bias, rows).map((scores) => {
      scores[PAD] = scores[BOS] = -Infinity;
      const normalizer = logSum(scores);
      return Float64Array.from(scores, (score) => score - normalizer);
    });
  }
}

// First states of the decoder's layers from what the encoder left.
function newBridge(weights, { kind, at }, cells) {
  if (kind === "state") return ({ states }) => states;
  if (kind === "zero") return () => cells.map((cell) => cell.start());
  const [matrix, bias] = [weights.matrix(`${at}.projection.weight`), weights.vector(`${at}.projection.bias`)];
  return ({ last }) => {
    const [found] = linear(matrix, bias, [last]);
    let place = 0;
    return cells.map((cell) => {
      const parts = Object.keys(cell.start()).map((name) => [name, found.slice(place, (place += cell.hidden))]);
      const state = Object.fromEntries(parts);
      state.hidden = state.hidden.map(Math.tanh);
      return state;
    });
  };
}
