// Searches, as steps that whoever runs them can pause between. A hypothesis holds its ids, the log-probability of each
// token, the state behind the last one, and a row of weights over the source and the gates of every step.

const UNFINISHED = 1e9; // taken from the rank of what never came to its end, so that it stands behind all that did

function blank(state) {
  return { ids: [], scores: [], total: 0, state, rows: [], gates: [] };
}

function longer(hypothesis, id, score, found) {
  return {
    ids: [...hypothesis.ids, id],
    scores: [...hypothesis.scores, score],
    total: hypothesis.total + score,
    state: found.layers,
    rows: [...hypothesis.rows, found.weights],
    gates: [...hypothesis.gates, found.gates],
  };
}

// One that came to its end: its last token is EOS, which is none of its ids.
function ended(hypothesis, rank) {
  return { ...hypothesis, ids: hypothesis.ids.slice(0, -1), finished: true, rank };
}

// The likeliest token at every step.
function* greedy(stepper, limit) {
  let hypothesis = blank(stepper.first);
  for (let position = 0; position < limit; position += 1) {
    const [found] = stepper.step([hypothesis]);
    let best = UNK;
    found.scores.forEach((score, id) => { if (score > found.scores[best]) best = id; });
    hypothesis = longer(hypothesis, best, found.scores[best], found);
    yield position + 1;
    if (best === EOS) return [ended(hypothesis, hypothesis.total)];
  }
  return [{ ...hypothesis, finished: false, rank: hypothesis.total }];
}

// Ids of the highest scores, best first.
function highest(scores, count) {
  const best = [];
  scores.forEach((score, id) => {
    if (score === -Infinity || (best.length === count && score <= scores[best.at(-1)])) return;
    let place = best.length;
    while (place > 0 && scores[best[place - 1]] < score) place -= 1;
    best.splice(place, 0, id);
    if (best.length > count) best.pop();
  });
  return best;
}

// The best continuations of a beam, each as a new hypothesis, best first: of one, at most `width` and EOS can be among
// the first `width` that go on and the first `width` that end.
function continuations(beam, found, width) {
  const every = beam.flatMap((hypothesis, slot) =>
    highest(found[slot].scores, width + 1).map((id) => ({ slot, id, total: hypothesis.total + found[slot].scores[id] })));
  every.sort((one, other) => other.total - one.total);
  return every.slice(0, 2 * width).map(({ slot, id }) => longer(beam[slot], id, found[slot].scores[id], found[slot]));
}

// The best few hypotheses at every step, ranked by log-probability per token, EOS counted.
function* beam(stepper, limit, width, best = width) {
  let [hypotheses, finished, count] = [[blank(stepper.first)], [], 0];
  const keep = (own) => { finished = [...finished, ...own].sort((one, other) => other.rank - one.rank).slice(0, width); };
  for (let position = 0; position < limit; position += 1) {
    const length = position + 1;
    const every = continuations(hypotheses, stepper.step(hypotheses), width);
    const ends = every.slice(0, width).filter((own) => own.ids.at(-1) === EOS);
    hypotheses = every.filter((own) => own.ids.at(-1) !== EOS).slice(0, width);
    count += ends.length;
    keep(ends.map((own) => ended(own, own.total / length)));
    if (length === limit) {
      keep(hypotheses.map((own) => ({ ...own, finished: false, rank: own.total / length - UNFINISHED })));
      break;
    }
    yield length;
    if (finished.length === 0) continue;
    const most = hypotheses.length ? hypotheses[0].total : -Infinity;
    const reach = most / limit; // a longer one has the higher score per token, and no further token can raise a score
    if (count >= width || most === -Infinity || (finished[best - 1]?.rank ?? -Infinity) >= reach) break;
  }
  return finished.slice(0, best);
}
