"use strict";
const root = document.documentElement;
root.dataset.errors = "0";
window.addEventListener("error", () => { root.dataset.errors = String(Number(root.dataset.errors) + 1); });

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

// Elements and text: what comes from the data only ever becomes text, never markup.

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function offer(select, values) {
  const before = select.value;
  select.replaceChildren(...values.map((value) => make("option", { value }, value)));
  select.value = values.includes(before) ? before : values[0];
  select.disabled = values.length < 2;
}

const stacked = data.source.length > 28; // too wide for two pictures side by side
const shown = (piece) => (piece === " " || piece === "▁" ? "␣" : piece);
const percent = (share) => `${(100 * share).toFixed(0)} %`;
const signed = (value, digits = 2) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

// Colours are those of the style sheet, so that they follow light and dark mode.

function colour(name) {
  const text = getComputedStyle(root).getPropertyValue("--" + name).trim();
  return [1, 3, 5].map((place) => parseInt(text.slice(place, place + 2), 16));
}

function between(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const first = Math.min(Math.floor(place), stops.length - 2);
  return stops[first].map((low, part) => Math.round(low + (stops[first + 1][part] - low) * (place - first)));
}

function scales() {
  const [low, middle, high] = ["low", "middle", "high"].map(colour);
  const [negative, neutral, positive] = ["negative", "neutral", "positive"].map(colour);
  return {
    share: (value) => between([low, middle, high], value),
    signed: (value) => between([negative, neutral, positive], (value + 1) / 2),
  };
}

const css = (rgb) => `rgb(${rgb.join(",")})`;

function legend(from, to, ramp) {
  const stops = [0, 0.25, 0.5, 0.75, 1].map((share) => css(ramp(share)));
  const bar = make("span", { class: "ramp", style: `background:linear-gradient(to right,${stops.join(",")})` });
  return make("div", { class: "legend" }, from, bar, to);
}

// The tip beside the pointer.

function tips(element, find) {
  const tip = $("tip");
  const show = (event) => {
    const text = find(event);
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8)) + "px";
    tip.style.top = (event.clientY + height + 26 > innerHeight ? event.clientY - height - 12 : event.clientY + 16) + "px";
  };
  element.addEventListener("pointermove", show);
  element.addEventListener("pointerdown", show);
  element.addEventListener("pointerleave", () => { tip.hidden = true; });
}

// A matrix of target by source tokens, with bars for sums beside and below it if there are any.

function matrix(values, { label, fill, tell, beside, below }) {
  const [rows, columns] = [data.target.length, data.source.length];
  const size = Math.max(13, Math.min(34, Math.floor((stacked ? 1000 : 400) / columns)));
  const longest = (pieces) => Math.max(...pieces.map((piece) => shown(piece).length));
  const turned = 7.4 * longest(data.source) > size;
  const left = Math.max(14 + 8.2 * Math.min(longest(data.target), 24), below ? 66 : 0);
  const top = turned ? 14 + 7.6 * Math.min(longest(data.source), 24) * 0.87 : 22;
  const [width, height] = [left + columns * size, top + rows * size];
  const full = [width + (beside ? 86 : turned ? 40 : 4), height + (below ? 52 : 4)];
  const svg = draw("svg", { width: full[0], height: full[1], role: "img", "aria-label": label });
  data.source.forEach((piece, column) => {
    const [x, y] = [left + (column + 0.5) * size, top - 7];
    const place = turned ? { transform: `translate(${x + 4},${y}) rotate(-60)` } : { x, y, "text-anchor": "middle" };
    svg.append(draw("text", place, shown(piece)));
  });
  data.target.forEach((piece, row) => {
    const y = top + (row + 0.5) * size + 4;
    svg.append(draw("text", { x: left - 8, y, "text-anchor": "end" }, shown(piece)));
    values[row].forEach((value, column) => {
      const place = { x: left + column * size + 1, y: top + row * size + 1, width: size - 2, height: size - 2, rx: 3 };
      svg.append(draw("rect", { ...place, fill: css(fill(value)), "data-tip": tell(row, column, value) }));
    });
  });
  const accent = css(colour("accent"));
  if (beside) {
    svg.append(draw("text", { class: "soft", x: width + 10, y: top - 7 }, "entropy"));
    const most = Math.max(Math.log(columns), 1e-6);
    beside.forEach((value, row) => {
      const place = { x: width + 10, y: top + (row + 0.5) * size - 4, height: 8, width: 1 + (66 * value) / most, rx: 2 };
      const tip = `${shown(data.target[row])}\nentropy ${value.toFixed(2)} nats, as if over ${Math.exp(value).toFixed(1)} tokens`;
      svg.append(draw("rect", { ...place, fill: accent, opacity: 0.75, "data-tip": tip }));
    });
  }
  if (below) {
    svg.append(draw("text", { class: "soft", x: left - 8, y: height + 18, "text-anchor": "end" }, "coverage"));
    const most = Math.max(...below, 1);
    below.forEach((value, column) => {
      const place = { x: left + column * size + size / 2 - 4, y: height + 6, width: 8, height: 1 + (38 * value) / most, rx: 2 };
      const tip = `${shown(data.source[column])}\ncoverage ${value.toFixed(2)}`;
      svg.append(draw("rect", { ...place, fill: accent, opacity: 0.75, "data-tip": tip }));
    });
  }
  tips(svg, (event) => event.target.dataset.tip);
  return svg;
}

function header() {
  document.querySelector(".pair").classList.toggle("stacked", stacked);
  document.querySelector("h1").classList.toggle("long", document.querySelector("h1").textContent.length > 120);
  const none = data.scores.filter((score) => score === null).length; // tokens that could not be written here
  const total = data.scores.reduce((sum, score) => sum + score, 0);
  const who = data.forced ? "The output was given" : "The model's own output";
  $("summary").textContent =
    `${who}. ` +
    (none
      ? `Score: none, as ${none} of ${data.scores.length} tokens ${none > 1 ? "have" : "has"} no probability. `
      : `Score: log-probability ${total.toFixed(3)} over ${data.scores.length} tokens, ` +
        `${(total / data.scores.length).toFixed(3)} a token, so a probability of ${(100 * Math.exp(total)).toPrecision(3)} %. `) +
    (data.copied ? `Copied: ${percent(data.copied.reduce((sum, share) => sum + share, 0) / data.copied.length)} of it, in the mean over tokens. ` : "") +
    `Run: ${data.run}`;
  $("tokens").replaceChildren(
    ...data.target.map((piece, row) => {
      const score = data.scores[row];
      const chance = score === null ? 0 : Math.exp(score);
      const told = score === null ? "no probability" : `${(100 * chance).toFixed(1)} %`;
      const bar = make("i", {}, make("span", { style: `width:${100 * chance}%` }));
      const chip = make("li", {}, make("b", {}, shown(piece)), make("small", {}, told), bar);
      chip.style.opacity = 0.6 + 0.4 * chance;
      if (data.copied) {
        chip.append(make("small", {}, `${percent(data.copied[row])} copied`));
        chip.title = `the switch gave copying ${percent(data.copying[row])}`;
      }
      return chip;
    }),
  );
}

function attention(scale) {
  const label = "Attention weights: " + data.target.map((piece, row) => {
    const best = data.attention[row].indexOf(Math.max(...data.attention[row]));
    return `${piece} looks most at ${data.source[best]}`;
  }).join(", ");
  const tell = (row, column, value) => `${shown(data.target[row])} ← ${shown(data.source[column])}\nweight ${value.toFixed(3)}`;
  const options = { label, fill: scale.share, tell, beside: data.entropy, below: data.coverage };
  $("attention").replaceChildren(matrix(data.attention, options), legend("0", "1", scale.share));
}

const METHODS = {
  "integrated gradients": (own) =>
    `Gradients of the token's ${own.score}, summed on the way from an empty source (zero vectors) to this one. A row sums to what this source changes in the score` +
    (own.delta === null ? "." : `; the largest error of a sum is ${own.delta.toExponential(1)}.`),
  "gradient x input": (own) => `The slope of the token's ${own.score} times the source's vectors: a quick look that is blind to saturation.`,
  occlusion: (own) => `What the token's ${own.score} loses when one source token is replaced by <unk>.`,
};

function attribution(scale) {
  const own = data.attributions.find((one) => one.method === $("method").value);
  $("method-note").textContent = METHODS[own.method](own) + " Blue: the source token helped; red: it hurt.";
  const most = Math.max(...own.shares.flat().map(Math.abs), 1e-6);
  const tell = (row, column, value) => `${shown(data.target[row])} ← ${shown(data.source[column])}\n${value === null ? "no share, as a probability is 0" : `share ${signed(value, 3)}`}`;
  const fill = (value) => scale.signed(value / most);
  const label = `Attribution by ${own.method} of every target token to every source token`;
  const ramp = (share) => scale.signed(2 * share - 1);
  $("attribution").replaceChildren(matrix(own.shares, { label, fill, tell }), legend(signed(-most), signed(most), ramp));
}

// Gates: one byte for each unit and step, value = byte / 127 x scale.

function unpack(map) {
  const bytes = Int8Array.from(atob(map.bytes), (letter) => letter.charCodeAt(0));
  return { units: map.units, steps: bytes.length / map.units, at: (step, unit) => (bytes[step * map.units + unit] / 127) * map.scale };
}

function ordered(map, order) {
  const steps = [...Array(map.steps).keys()];
  const mean = (unit) => steps.reduce((sum, step) => sum + map.at(step, unit), 0) / map.steps;
  const peak = (unit) => steps.reduce((best, step) => (map.at(step, unit) > map.at(best, unit) ? step : best), 0);
  const rank = { number: (unit) => unit, mean: (unit) => -mean(unit), peak: (unit) => peak(unit) - mean(unit) / 1e3 }[order];
  const ranks = [...Array(map.units).keys()].map(rank);
  return [...ranks.keys()].sort((one, other) => ranks[one] - ranks[other]);
}

function labels(pieces, wide) {
  const fitting = (wide ? 1000 : 240) / pieces.length / 7.4;
  const row = make("div", { style: `display:grid;grid-template-columns:repeat(${pieces.length},1fr);font-size:${pieces.length > 40 ? 9 : 12}px;margin-top:3px` });
  for (const piece of pieces) {
    const turned = shown(piece).length <= Math.max(fitting, 1) ? "" : "writing-mode:vertical-rl;max-height:7em;";
    row.append(make("span", { style: `${turned}justify-self:center;overflow:hidden;text-align:start;white-space:nowrap` }, shown(piece)));
  }
  return row;
}

function panel(cell, name, order, scale, wide) {
  const map = unpack(cell.maps[name]);
  const gate = cell.gates.includes(name) && name !== "candidate";
  const most = gate ? 1 : name === "cell state" ? cell.maps[name].scale : 1;
  const fill = gate ? scale.share : (value) => scale.signed(value / most);
  const rows = order.length === map.units ? order : ordered(map, $("order").value);
  const canvas = make("canvas", { width: map.steps, height: map.units, role: "img", "aria-label": `${name} of ${cell.name}, units by tokens` });
  canvas.style.cssText = `height:${map.units * Math.max(1, Math.ceil(300 / map.units))}px;image-rendering:pixelated;border-radius:4px`;
  const context = canvas.getContext("2d");
  const image = context.createImageData(map.steps, map.units);
  rows.forEach((unit, row) => {
    for (let step = 0; step < map.steps; step++) image.data.set([...fill(map.at(step, unit)), 255], 4 * (row * map.steps + step));
  });
  context.putImageData(image, 0, 0);
  tips(canvas, (event) => {
    const box = canvas.getBoundingClientRect();
    const place = (offset, length, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / length) * count)));
    const step = place(event.clientX - box.left, box.width, map.steps);
    const unit = rows[place(event.clientY - box.top, box.height, map.units)];
    return `${shown(cell.pieces[step])} (step ${step + 1})\nunit ${unit}\n${name} ${gate ? map.at(step, unit).toFixed(2) : signed(map.at(step, unit))}`;
  });
  const ramp = gate ? scale.share : (share) => scale.signed(2 * share - 1);
  const ends = gate ? ["0", "1"] : [signed(-most, 1), signed(most, 1)];
  return make("figure", {}, make("h3", {}, name), canvas, labels(cell.pieces, wide), legend(...ends, ramp));
}

const layerOf = (cell) => cell.name.replace(/ (forward|backward)$/, "");
const directionOf = (cell) => cell.name.match(/ (forward|backward)$/)?.[1] ?? "forward";

function gates(scale) {
  const cells = data.cells.filter((cell) => layerOf(cell) === $("layer").value);
  offer($("direction"), cells.map(directionOf));
  const cell = cells.find((one) => directionOf(one) === $("direction").value);
  offer($("gate"), ["all gates", ...Object.keys(cell.maps)]);
  const names = $("gate").value === "all gates" ? cell.gates : [$("gate").value];
  const guide = names.includes("forget") ? "forget" : names.includes("update") ? "update" : names[0];
  const order = ordered(unpack(cell.maps[guide]), $("order").value);
  $("gates").className = names.length > 1 ? "panels" : "panels wide";
  $("gates").replaceChildren(...names.map((name) => panel(cell, name, order, scale, names.length === 1)));
}

function chart(unit) {
  const [width, height, left, bottom] = [260, 120, 8, 22];
  const steps = unit.values.length;
  const x = (step) => left + ((step + 0.5) * (width - 2 * left)) / steps;
  const line = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return values.map((value, step) => [x(step), 8 + (height - bottom - 16) * (high > low ? (high - value) / (high - low) : 0.5)]);
  };
  const path = (points) => "M" + points.map((point) => point.map((part) => part.toFixed(1)).join(",")).join("L");
  const sign = unit.correlation < 0 ? -1 : 1;
  const title = `${unit.cell}, unit ${unit.number}`;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", role: "img", "aria-label": `${title}, correlation ${signed(unit.correlation, 3)}` });
  const widest = Math.min(5, Math.max(...unit.pieces.map((piece) => shown(piece).length)));
  const every = Math.ceil((widest * 7 * steps) / (width - 2 * left)); // labels that leave room for each other
  const soft = css(colour("soft"));
  const accent = css(colour("accent"));
  svg.append(draw("path", { d: path(line(unit.signal.map((value) => sign * value))), fill: "none", stroke: soft, "stroke-dasharray": "4 4", opacity: 0.8 }));
  svg.append(draw("path", { d: path(line(unit.values)), fill: "none", stroke: accent, "stroke-width": 2, "stroke-linejoin": "round" }));
  line(unit.values).forEach(([cx, cy], step) => {
    const tip = `${shown(unit.pieces[step])} (step ${step + 1})\n${title}\nmemory ${signed(unit.values[step])}\nsignal ${unit.signal[step]}`;
    svg.append(draw("circle", { cx, cy, r: steps > 40 ? 2 : 3.2, fill: accent }));
    if (step % every === 0) svg.append(draw("text", { class: "soft", x: cx, y: height - 6, "text-anchor": "middle" }, shown(unit.pieces[step]).slice(0, 5)));
    svg.append(draw("rect", { x: cx - (width - 2 * left) / steps / 2, y: 0, width: (width - 2 * left) / steps, height, fill: "transparent", "data-tip": tip }));
  });
  tips(svg, (event) => event.target.dataset.tip);
  return make("figure", {}, make("h3", {}, `${title}  ·  r = ${signed(unit.correlation, 3)}`), svg);
}

const SIGNALS = {
  position: "Units whose memory rises with the number of steps so far: they count.",
  "remaining length": "Units whose memory falls as the end comes nearer: they count down.",
  probe: "Units that follow your own signal most closely, up or down.",
};

function units() {
  const signal = data.signals.find((one) => one.name === $("signal").value);
  $("signal-note").textContent =
    `${SIGNALS[signal.name]} Solid: the unit's memory; dashed: the signal, both scaled to the picture; r: Pearson's correlation. ` +
    "One sentence has few steps and a model many units, so some follow by chance: see whether a unit does so in other sentences.";
  $("units").replaceChildren(...signal.units.map(chart));
}

function histogram(constants) {
  const bins = Array(20).fill(0);
  const bin = (steps) => Math.min(19, Math.max(0, Math.floor(2 * (Math.log2(Math.max(steps, 1e-6)) + 2))));
  for (const steps of constants) bins[bin(steps)] += 1;
  const most = Math.max(...bins);
  const svg = draw("svg", { width: 170, height: 40, role: "img", "aria-label": "histogram of time constants" });
  bins.forEach((count, place) => {
    const tall = count ? 2 + (24 * count) / most : 0;
    const tip = `${(2 ** (place / 2 - 2)).toPrecision(2)} to ${(2 ** ((place + 1) / 2 - 2)).toPrecision(2)} steps\n${count} units`;
    svg.append(draw("rect", { x: place * 8.3, y: 28 - tall, width: 7, height: tall, rx: 1, fill: css(colour("accent")) }));
    svg.append(draw("rect", { x: place * 8.3, y: 0, width: 8.3, height: 30, fill: "transparent", "data-tip": tip }));
  });
  for (const [place, text] of [[4, "1"], [10, "8"], [16, "64"]]) svg.append(draw("text", { class: "soft", x: place * 8.3, y: 39 }, text));
  tips(svg, (event) => event.target.dataset.tip);
  return svg;
}

function stuck(share) {
  const bar = make("div", { class: "stuck" });
  bar.append(make("span", { class: "is-low", style: `width:${100 * share[0]}%` }), make("span", { class: "is-high", style: `width:${100 * share[1]}%` }));
  const text = share.map((part) => (100 * part).toFixed(1) + " %");
  return make("td", {}, bar, make("small", {}, `${text[0]} low, ${text[1]} high`));
}

function summary() {
  const names = [...new Set(data.cells.flatMap((cell) => cell.gates))];
  const heads = ["cell", "median", "time constants in steps", ...names.map((name) => name + " stuck")];
  const rows = data.cells.map((cell) => {
    const sorted = cell.constants && [...cell.constants].sort((one, other) => one - other);
    const middle = sorted ? sorted[Math.floor((sorted.length - 1) / 2)].toFixed(1) : "–";
    const row = make("tr", {}, make("th", { scope: "row" }, cell.name), make("td", {}, middle));
    row.append(make("td", {}, ...(sorted ? [histogram(sorted)] : ["–"])));
    row.append(...names.map((name) => (cell.saturation[name] ? stuck(cell.saturation[name]) : make("td", {}, "–"))));
    return row;
  });
  const head = make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text))));
  $("summary-table").replaceChildren($("summary-table").caption, head, make("tbody", {}, ...rows));
}

// What can be scrolled fades at the edge that hides some of it.
function fade(box) {
  box.classList.toggle("more-left", box.scrollLeft > 1);
  box.classList.toggle("more-right", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
}

function everything() {
  const scale = scales();
  header();
  if (data.attention) attention(scale);
  attribution(scale);
  gates(scale);
  units();
  summary();
}

offer($("method"), data.attributions.map((own) => own.method));
offer($("layer"), [...new Set(data.cells.map(layerOf))]);
offer($("signal"), data.signals.map((signal) => signal.name));
for (const id of ["layer", "direction", "gate", "order"]) $(id).addEventListener("change", () => gates(scales()));
$("method").addEventListener("change", () => attribution(scales()));
$("signal").addEventListener("change", units);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", everything);
everything();
const watched = new ResizeObserver((entries) => entries.forEach((entry) => fade(entry.target)));
const redrawn = new MutationObserver((changes) => changes.forEach((change) => fade(change.target)));
for (const box of document.querySelectorAll(".picture, .scroll")) {
  box.addEventListener("scroll", () => fade(box), { passive: true });
  watched.observe(box);
  redrawn.observe(box, { childList: true });
  fade(box);
}
root.dataset.ready = "true";
