// Weights as they are stored, and the arithmetic that all layers share. A vector is a Float32Array; what runs for
// several hypotheses takes a list of vectors and reads each weight once for all of them.

function bytesOf(base64) {
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place += 1) bytes[place] = text.charCodeAt(place);
  return bytes;
}

// What each pattern of 16 bits stands for.
function halves() {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits += 1) {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[bits] = bits & 0x8000 ? -size : size;
  }
  return table;
}

class Weights {
  constructor(index, bytes) {
    this.index = index;
    this.bytes = bytes;
    this.halves = halves();
    this.read = new Map();
  }

  // The tensor of a name: its rows, its columns (1 of a vector) and its numbers, widened to 32 bits.
  matrix(name) {
    if (!this.read.has(name)) {
      const [rows, columns = 1] = this.index[name].shape;
      this.read.set(name, { rows, columns, values: this.widened(this.index[name], rows, columns) });
    }
    return this.read.get(name);
  }

  vector(name) {
    return this.matrix(name).values;
  }

  widened({ kind, offset }, rows, columns) {
    const size = rows * columns;
    const at = (start, width, count) => this.bytes.slice(start, start + width * count).buffer;
    if (kind === "float32") return new Float32Array(at(offset, 4, size));
    const values = new Float32Array(size);
    if (kind === "float16") {
      const bits = new Uint16Array(at(offset, 2, size));
      for (let place = 0; place < size; place += 1) values[place] = this.halves[bits[place]];
      return values;
    }
    const [limits, numbers] = [new Float32Array(at(offset, 4, rows)), new Int8Array(at(offset + 4 * rows, 1, size))];
    for (let row = 0, place = 0; row < rows; row += 1) {
      for (const end = place + columns; place < end; place += 1) values[place] = (numbers[place] * limits[row]) / 127;
    }
    return values;
  }
}

// The inner loops are written out plainly: a pattern of variables in them would cost ten times as much.
function fourRows(values, start, columns, input, output, row) {
  const second = start + columns;
  const third = second + columns;
  const fourth = third + columns;
  let a = 0, b = 0, c = 0, d = 0;
  for (let column = 0; column < columns; column += 1) {
    const number = input[column];
    a += values[start + column] * number;
    b += values[second + column] * number;
    c += values[third + column] * number;
    d += values[fourth + column] * number;
  }
  output[row] = a;
  output[row + 1] = b;
  output[row + 2] = c;
  output[row + 3] = d;
}

// The same of two inputs, so that each weight is read once for both, in two thirds of the time.
function fourRowsOfTwo(values, start, columns, inputs, outputs, row) {
  const second = start + columns;
  const third = second + columns;
  const fourth = third + columns;
  const one = inputs[0];
  const other = inputs[1];
  let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
  for (let column = 0; column < columns; column += 1) {
    const left = one[column];
    const right = other[column];
    const w = values[start + column];
    const x = values[second + column];
    const y = values[third + column];
    const z = values[fourth + column];
    a += w * left;
    b += x * left;
    c += y * left;
    d += z * left;
    e += w * right;
    f += x * right;
    g += y * right;
    h += z * right;
  }
  const ones = outputs[0];
  const others = outputs[1];
  ones[row] = a;
  ones[row + 1] = b;
  ones[row + 2] = c;
  ones[row + 3] = d;
  others[row] = e;
  others[row + 1] = f;
  others[row + 2] = g;
  others[row + 3] = h;
}

function oneRow(values, start, columns, input) {
  let sum = 0;
  for (let column = 0; column < columns; column += 1) sum += values[start + column] * input[column];
  return sum;
}

// Pairs of a list, and what is left over.
function paired(list) {
  const pairs = [];
  for (let place = 0; place + 1 < list.length; place += 2) pairs.push([list[place], list[place + 1]]);
  return [pairs, list.length % 2 ? list.at(-1) : null];
}

// W x + b of each of the inputs; b may be null.
function linear({ rows, columns, values }, bias, inputs) {
  const outputs = inputs.map(() => new Float32Array(rows));
  const [[pairs, single], [found, alone]] = [paired(inputs), paired(outputs)];
  const whole = rows - (rows % 4);
  for (let row = 0; row < whole; row += 4) {
    for (let own = 0; own < pairs.length; own += 1) fourRowsOfTwo(values, row * columns, columns, pairs[own], found[own], row);
    if (single) fourRows(values, row * columns, columns, single, alone, row);
  }
  for (let own = 0; own < inputs.length; own += 1) {
    for (let row = whole; row < rows; row += 1) outputs[own][row] = oneRow(values, row * columns, columns, inputs[own]);
    if (bias) for (let row = 0; row < rows; row += 1) outputs[own][row] += bias[row];
  }
  return outputs;
}

function rowOf({ columns, values }, row) {
  return values.subarray(row * columns, (row + 1) * columns);
}

function sum(one, other) {
  return one.map((value, place) => value + other[place]);
}

function joined(...parts) {
  const whole = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

function sigmoid(value) {
  return 1 / (1 + Math.exp(-value));
}

// The logarithm of the sum of exponentials.
function logSum(scores) {
  let most = -Infinity;
  for (const score of scores) most = Math.max(most, score);
  let total = 0;
  for (const score of scores) total += Math.exp(score - most);
  return most + Math.log(total);
}

function softmax(scores) {
  const normalizer = logSum(scores);
  return scores.map((score) => Math.exp(score - normalizer));
}
