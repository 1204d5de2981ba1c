// Elements and pictures. Text comes in as text alone: whatever a user writes is never read as HTML.

const $ = (id) => document.getElementById(id);

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}, text = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  return element;
}

// A piece as it is shown: a space at its beginning is none of its letters, and one alone is a sign.
function shown(piece) {
  if (piece === "</s>") return "end";
  const text = readable(piece);
  return text.trim() || "␣";
}

const percent = (share) => (share > 0.995 ? "100 %" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);

// A table with a heading for each row and column.
function fillTable(table, caption, heads, rows) {
  const cell = (name, scope, text) => make(name, scope ? { scope } : {}, text);
  const head = make("tr", {}, ...heads.map((text) => cell("th", "col", text)));
  const body = rows.map(([first, ...rest]) =>
    make("tr", {}, cell("th", "row", first), ...rest.map((text) => cell("td", "", text))));
  table.replaceChildren(make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body));
}

function widest(pieces) {
  return Math.max(...pieces.map((piece) => Math.min([...shown(piece)].length, 16)));
}

function clipped(piece) {
  const letters = [...shown(piece)];
  return letters.length > 16 ? `${letters.slice(0, 15).join("")}…` : letters.join("");
}

// Attention: a row for each token of the answer, a column for each of the source, in the room that there is.
function heatMap(source, target, weights, room) {
  const left = 14 + 9 * widest(target);
  const size = Math.max(15, Math.min(34, Math.floor((room - left - 24) / source.length)));
  const turned = 8 * widest(source) > size;
  const top = turned ? 16 + 7.6 * widest(source) : 26;
  const [width, height] = [left + source.length * size + (turned ? 24 : 2), top + target.length * size + 2];
  const svg = draw("svg", { class: "picture", width, height, role: "img", "aria-label": lookedAt(source, target, weights) });
  source.forEach((piece, column) => {
    const [x, y] = [left + (column + 0.5) * size, top - 8];
    const place = turned ? { transform: `translate(${x + 4},${y}) rotate(-60)` } : { x, y, "text-anchor": "middle" };
    svg.append(draw("text", place, clipped(piece)));
  });
  target.forEach((piece, row) => {
    svg.append(draw("text", { x: left - 8, y: top + (row + 0.5) * size + 5, "text-anchor": "end" }, clipped(piece)));
    source.forEach((other, column) => {
      const place = { x: left + column * size + 1, y: top + row * size + 1, width: size - 2, height: size - 2, rx: 3 };
      const cell = draw("g");
      cell.append(draw("title", {}, `${shown(piece)} looked at ${shown(other)}: ${percent(weights[row][column])}`));
      cell.append(draw("rect", { ...place, class: "low" }));
      cell.append(draw("rect", { ...place, class: "high", opacity: weights[row][column].toFixed(3) }));
      svg.append(cell);
    });
  });
  return svg;
}

// The picture in words: for each token of the answer the source token that it looked at most.
function lookedAt(source, target, weights) {
  const most = weights.map((row) => row.indexOf(Math.max(...row)));
  return target.map((piece, row) => `${shown(piece)} looked most at ${shown(source[most[row]])}`).join(", ") + ".";
}

// Gates over steps: a line for each, between its least and its greatest value.
function lineChart(pieces, gates, room) {
  const lowest = Math.min(0, ...Object.values(gates).flat()) < 0 ? -1 : 0;
  const step = Math.max(18, Math.min(56, Math.floor((room - 60) / Math.max(pieces.length - 1, 1))));
  const turned = 8 * widest(pieces) > step;
  const [left, top, high] = [34, 12, 180];
  const [right, below] = [left + Math.max(pieces.length - 1, 1) * step, top + high];
  const label = Object.keys(gates).map((name) => `${name} from ${gates[name][0].toFixed(2)} to ${gates[name].at(-1).toFixed(2)}`);
  const size = { width: right + 26, height: below + (turned ? 20 + 7.4 * widest(pieces) : 28) };
  const svg = draw("svg", { class: "picture", ...size, role: "img", "aria-label": `Gates over ${pieces.length} steps: ${label.join(", ")}.` });
  const y = (value) => below - (high * (value - lowest)) / (1 - lowest);
  for (const value of lowest ? [-1, 0, 1] : [0, 0.5, 1]) {
    svg.append(draw("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }));
    svg.append(draw("text", { class: "soft", x: left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value)));
  }
  Object.entries(gates).forEach(([name, values], number) => {
    const points = values.map((value, place) => `${left + place * step},${y(value).toFixed(1)}`);
    svg.append(draw("polyline", { class: `line gate-${number + 1}`, points: points.join(" "), "stroke-dasharray": DASHES[number] }));
    values.forEach((value, place) => {
      const dot = draw("circle", { class: `gate-${number + 1}`, cx: left + place * step, cy: y(value).toFixed(1), r: 3 });
      dot.append(draw("title", {}, `${name} at ${shown(pieces[place])}: ${value.toFixed(2)}`));
      svg.append(dot);
    });
  });
  pieces.forEach((piece, place) => {
    const [x, at] = [left + place * step, below + 18];
    const where = turned ? { transform: `translate(${x + 4},${at - 4}) rotate(-60)`, "text-anchor": "end" } : { x, y: at, "text-anchor": "middle" };
    svg.append(draw("text", where, clipped(piece)));
  });
  return svg;
}

const DASHES = ["none", "7 3", "2 3", "9 3 2 3"]; // so that lines differ by more than their colour

function legend(names) {
  const row = make("p", { class: "controls" });
  names.forEach((name, number) => {
    const svg = draw("svg", { width: 30, height: 10, "aria-hidden": "true" });
    svg.append(draw("line", { class: `line gate-${number + 1}`, x1: 0, x2: 30, y1: 5, y2: 5, "stroke-dasharray": DASHES[number] }));
    row.append(make("span", { class: "label" }, svg, ` ${name}`));
  });
  return row;
}
