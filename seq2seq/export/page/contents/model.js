// The model: what it is made of, and a translation, step by step.

class Model {
  constructor(about, base64) {
    const weights = new Weights(about.tensors, bytesOf(base64));
    const form = new TextForm(about.form);
    this.about = about;
    this.source = new SourceTokenizer(about.source, form);
    this.target = new TargetTokenizer(about.target, form);
    this.encoder = new Encoder(weights, about.encoder);
    this.decoder = new DECODERS[about.decoder.kind](weights, about.decoder);
    this.output = new Output(weights, about.output);
    this.bridge = newBridge(weights, about.bridge, this.decoder.cells);
  }

  // Where a source's search begins, and a step of its hypotheses.
  stepper(encoded) {
    const memory = this.decoder.attention.remember(encoded.values);
    const step = (hypotheses) => {
      const last = hypotheses.map((own) => own.ids.at(-1) ?? BOS);
      const found = this.decoder.step(last, memory, hypotheses.map((own) => own.state));
      const scores = this.output.scores(found.map((own) => own.features));
      return found.map((own, number) => ({ ...own, scores: scores[number] }));
    };
    return { first: this.bridge(encoded), step };
  }

  // Weights of source tokens, from those of values that stand for several.
  ofTokens(weights, tokens) {
    const { reduction } = this.encoder;
    const share = (value) => Math.min(reduction, tokens - value * reduction);
    const of = (token) => Math.floor(token / reduction);
    return Array.from({ length: tokens }, (_, token) => weights[of(token)] / share(of(token)));
  }

  // Yields once the source is read, and after each step; returns translations, best first. A width of 0 is greedy search.
  *translate(text, { width = 0, best = Math.max(width, 1) } = {}) {
    const { ids, pieces, cut } = this.source.encode(text, this.about.limits.max_source_tokens);
    if (ids.length === 0) {
      return { source: [], cut, encoded: null, steps: 0, found: [{ text: "", ids: [], score: 0, scores: [], finished: true }] };
    }
    const read = [...ids, EOS];
    const encoded = this.encoder.read(read);
    yield 0;
    const limit = Math.floor(read.length * this.about.limits.max_ratio) + this.about.limits.max_extra;
    const stepper = this.stepper(encoded);
    let steps = 0;
    const counting = { ...stepper, step: (own) => { steps += 1; return stepper.step(own); } };
    const hypotheses = yield* (width ? beam(counting, limit, width, best) : greedy(counting, limit));
    const found = hypotheses.map((own) => ({
      text: this.target.decode(own.ids),
      ids: own.ids,
      pieces: [...own.ids.map((id) => this.target.pieces[id]), ...(own.finished ? ["</s>"] : [])],
      score: own.total,
      scores: own.scores,
      finished: own.finished,
      weights: own.rows.map((row) => this.ofTokens(row, read.length)),
      gates: own.gates,
    }));
    return { source: [...pieces, "</s>"], cut, encoded, steps, found };
  }
}

// All steps of a translation at once.
function finish(steps) {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
