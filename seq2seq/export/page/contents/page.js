// The page: what is typed is translated in small portions of time, so that keys are never kept waiting.

const PORTION = 12; // milliseconds of work between two looks at what else there is to do
const PAUSE = 60; // milliseconds without a key before a translation begins

const root = document.documentElement;
root.dataset.errors = 0;
addEventListener("error", () => { root.dataset.errors = Number(root.dataset.errors) + 1; });

const about = JSON.parse($("about").textContent);
const model = new Model(about, $("weights").textContent);
const told = { newest: 0, timer: null, found: null };

function wanted() {
  const width = Math.min(10, Math.max(1, Math.round(Number($("width").value)) || 1));
  return $("search").value === "beam" ? { width } : { width: 0 };
}

// Runs a translation, all at once or in portions; one that a newer has overtaken is dropped.
function translate(whole = false) {
  const number = (told.newest += 1);
  const steps = model.translate($("text").value, wanted());
  const times = []; // of parts, the first of which reads the source
  const portion = () => {
    if (number !== told.newest) return;
    const end = performance.now() + PORTION;
    for (let now = performance.now(); whole || now < end; ) {
      const { done, value } = steps.next();
      const after = performance.now();
      times.push(after - now);
      now = after;
      if (done) {
        show(value, median(times.slice(1)));
        return;
      }
    }
    setTimeout(portion, 0);
  };
  portion();
}

function median(numbers) {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0;
}

function show(result, time) {
  told.found = result;
  const [best] = result.found;
  $("answer").textContent = best.text;
  $("told").textContent = summary(result, best, time);
  $("tokens").replaceChildren(...tokens(best));
  const filled = result.source.length > 0;
  for (const id of ["others-section", "attention-section", "gates-section"]) $(id).hidden = !filled;
  $("others-section").hidden = result.found.length < 2;
  $("attention-section").hidden = !filled || about.decoder.attention.kind === "none";
  root.dataset.steps = result.steps;
  root.dataset.time = time.toFixed(3);
  if (!filled) return;
  showOthers(result);
  showAttention(result, best);
  showLayers();
}

function summary(result, best, time) {
  if (result.source.length === 0) return "Type something to see what the model makes of it.";
  const parts = [
    `Score ${best.score.toFixed(3)} nats.`,
    `${result.steps} steps of ${time.toFixed(1)} ms.`,
    best.finished ? "" : "It came to no end within its limit.",
    result.cut ? `Only the first ${about.limits.max_source_tokens} tokens were read.` : "",
  ];
  return parts.filter(Boolean).join(" ");
}

function tokens(best) {
  return (best.pieces ?? []).map((piece, place) => {
    const share = Math.exp(best.scores[place]);
    const bar = draw("svg", { width: "100%", height: 5, "aria-hidden": "true" });
    bar.append(draw("rect", { class: "track", width: "100%", height: 4, rx: 2 }));
    bar.append(draw("rect", { class: "bar", width: `${(100 * share).toFixed(1)}%`, height: 4, rx: 2 }));
    return make("li", {}, make("b", {}, shown(piece)), make("small", {}, percent(share)), bar);
  });
}

function showOthers({ found }) {
  const each = (own) => (own.score / own.scores.length).toFixed(3);
  const rows = found.map((own, place) => [String(place + 1), own.text || "(nothing)", own.score.toFixed(3), each(own)]);
  fillTable($("others"), "Hypotheses, best first", ["", "Text", "Score", "Score per token"], rows);
}

function showAttention({ source }, { pieces, weights }) {
  $("attention").replaceChildren(heatMap(source, pieces, weights, $("attention").clientWidth));
  const rows = pieces.map((piece, row) => [shown(piece), ...weights[row].map((weight) => weight.toFixed(2))]);
  fillTable($("attention-table"), "Weight of each source token", ["", ...source.map(shown)], rows);
}

// Layers by name, each with the pieces of its steps and the gates at each.
function layers() {
  const { source, encoded, found: [best] } = told.found;
  const { reduction } = model.encoder;
  const ofSource = encoded.gates.map(({ name, steps }) => {
    const pieces = steps.length === source.length ? source : steps.map((_, place) => String(place + 1));
    return { name, pieces, steps };
  });
  const ofTarget = model.decoder.names.map((name, depth) => ({ name, pieces: best.pieces, steps: best.gates.map((own) => own[depth]) }));
  return [...ofTarget, ...ofSource];
}

function showLayers() {
  const [found, before] = [layers(), $("layer").value];
  if ($("layer").options.length !== found.length) {
    $("layer").replaceChildren(...found.map(({ name }) => make("option", { value: name }, name)));
    if (found.some(({ name }) => name === before)) $("layer").value = before;
  }
  showGates();
}

function showGates() {
  const layer = layers().find(({ name }) => name === $("layer").value);
  const names = Object.keys(layer.steps[0]);
  const size = layer.steps[0][names[0]].length;
  $("unit").max = size;
  const unit = Number($("unit").value);
  const name = unit ? `${unit} of ${size}` : `mean of ${size}`;
  $("unit-name").textContent = name;
  $("unit").setAttribute("aria-valuetext", name);
  const value = (vector) => (unit ? vector[unit - 1] : vector.reduce((total, own) => total + own, 0) / size);
  const gates = Object.fromEntries(names.map((gate) => [gate, layer.steps.map((step) => value(step[gate]))]));
  $("gates").replaceChildren(legend(names), lineChart(layer.pieces, gates, $("gates").clientWidth));
  $("gates-note").textContent = EXPLAINED[names.length === 4 ? "lstm" : "gru"];
  const rows = layer.pieces.map((piece, step) => [shown(piece), ...names.map((gate) => gates[gate][step].toFixed(2))]);
  fillTable($("gates-table"), `${layer.name}, unit: ${name}`, ["", ...names], rows);
}

const EXPLAINED = {
  lstm: "At each token: a forget gate near 1 keeps the memory, an input gate near 1 lets the candidate in, an output gate near 1 shows the memory to the rest of the network.",
  gru: "At each token: an update gate near 1 keeps the memory, near 0 it takes the candidate; a reset gate near 0 makes the candidate forget what was.",
};

function later() {
  clearTimeout(told.timer);
  told.timer = setTimeout(translate, PAUSE);
}

// The text behind # in the address; as it stands where its per cent signs are of no code.
function textOf(hash) {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return hash.slice(1);
  }
}

function start() {
  $("text").value = textOf(location.hash) || about.example;
  $("facts").textContent = about.facts;
  $("form").addEventListener("submit", (event) => { event.preventDefault(); translate(); });
  $("text").addEventListener("input", later);
  for (const id of ["search", "width"]) {
    $(id).addEventListener("input", () => {
      $("width").disabled = $("search").value === "greedy";
      later();
    });
  }
  $("layer").addEventListener("change", () => { $("unit").value = 0; showGates(); });
  $("unit").addEventListener("input", showGates);
  addEventListener("resize", () => { if (told.found?.source.length) [showAttention(told.found, told.found.found[0]), showGates()]; });
  translate(true);
  root.dataset.ready = "true";
}

start();
