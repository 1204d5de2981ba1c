// From ids of a source to one vector for each of its tokens, or for so many of them, and to the decoder's first state.

const SIXTY_FOUR = 64;

// The finaliser of SplitMix64, of unsigned numbers of 64 bits.
function mixed(number) {
  const whole = (value) => BigInt.asUintN(SIXTY_FOUR, value);
  number = whole(number + 0x9e3779b97f4a7c15n);
  number = whole((number ^ (number >> 30n)) * 0xbf58476d1ce4e5b9n);
  number = whole((number ^ (number >> 27n)) * 0x94d049bb133111ebn);
  return number ^ (number >> 31n);
}

// The row of an n-gram in its table: a number in base `vocabulary`, or a hash of it where there are fewer rows.
function ngramRow(ids, vocabulary, rows, hashes) {
  if (!hashes || rows >= vocabulary ** ids.length) {
    return ids.reduce((number, id) => (number * vocabulary + id) % rows, 0);
  }
  const hash = BigInt.asIntN(SIXTY_FOUR, ids.reduce((number, id) => mixed(number + BigInt(id)), 0n));
  const [rest, size] = [hash % BigInt(rows), BigInt(rows)];
  return Number((rest + size) % size);
}

class SourceInput {
  constructor(weights, { embedding, ngrams }) {
    this.table = weights.matrix(embedding);
    this.ngrams = ngrams;
    this.tables = ngrams ? ngrams.tables.map((name) => weights.matrix(name)) : [];
  }

  read(ids) {
    return ids.map((id, place) => {
      const vector = Float32Array.from(rowOf(this.table, id));
      this.tables.forEach((table, number) => {
        const [before, after] = this.ngrams.windows[number];
        const around = [];
        for (let at = place - before; at <= place + after; at += 1) around.push(ids[at] ?? PAD);
        rowOf(table, ngramRow(around, this.ngrams.vocabulary, table.rows, this.ngrams.mixed))
          .forEach((value, unit) => { vector[unit] += value; });
      });
      return vector;
    });
  }
}

// Steps of a cell over vectors in their order: its outputs, its last state, and the gates of each step.
function run(cell, vectors) {
  const projected = cell.project(vectors);
  let state = cell.start();
  const [outputs, gates] = [[], []];
  for (const one of projected) {
    const [found] = cell.step([one], [state]);
    state = found.state;
    outputs.push(state.hidden);
    gates.push(found.gates);
  }
  return { outputs, state, gates };
}

// The same from the end, or from `lookahead` steps behind the end of each block.
function runBackwards(cell, vectors, block, lookahead) {
  const found = { outputs: [], gates: [] };
  const size = block ?? vectors.length;
  for (let start = 0; start < vectors.length; start += size) {
    const own = run(cell, vectors.slice(start, start + size + lookahead).reverse());
    found.outputs.push(...own.outputs.reverse().slice(0, size));
    found.gates.push(...own.gates.reverse().slice(0, size));
  }
  found.last = found.outputs[Math.floor((vectors.length - 1) / size) * size];
  return found;
}

class EncoderLayer {
  constructor(weights, about) {
    this.about = about;
    this.forward = newCell(weights, about.forward);
    this.backward = about.backward ? newCell(weights, about.backward) : null;
    this.connection = newConnection(weights, about.connection);
  }

  // Vectors of `steps` neighbours side by side, zeros behind the last.
  together(vectors) {
    const { steps } = this.about;
    if (steps === 1) return vectors;
    const zeros = new Float32Array(vectors[0].length);
    const starts = vectors.map((_, place) => place).filter((place) => place % steps === 0);
    return starts.map((start) => joined(...Array.from({ length: steps }, (_, next) => vectors[start + next] ?? zeros)));
  }

  read(vectors) {
    const inputs = this.together(vectors);
    const ahead = run(this.forward, inputs);
    const gates = [{ name: `${this.about.name}, forward`, steps: ahead.gates }];
    let [outputs, last] = [ahead.outputs, ahead.state.hidden];
    if (this.backward) {
      const back = runBackwards(this.backward, inputs, this.about.block, this.about.lookahead);
      gates.push({ name: `${this.about.name}, backward`, steps: back.gates });
      outputs = outputs.map((output, place) => joined(output, back.outputs[place]));
      last = joined(last, back.last);
    }
    return { vectors: inputs.map((input, place) => this.connection(input, outputs[place])), last, gates, state: ahead.state };
  }
}

class Encoder {
  constructor(weights, about) {
    this.input = new SourceInput(weights, about.input);
    this.layers = about.layers.map((layer) => new EncoderLayer(weights, layer));
    this.reduction = about.layers.reduce((product, layer) => product * layer.steps, 1);
  }

  read(ids) {
    let vectors = this.input.read(ids);
    const [gates, states] = [[], []];
    let last = null;
    for (const layer of this.layers) {
      const found = layer.read(vectors);
      ({ vectors, last } = found);
      gates.push(...found.gates);
      states.push(found.state);
    }
    return { values: vectors, last, states, gates };
  }
}
