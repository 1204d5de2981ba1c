"""The share of a corpus's targets that sources tell when they are read from left to right."""

import math
from collections import Counter
from collections.abc import Sequence

from seq2seq.data.edits.action_tokenizer import ActionTokenizer
from seq2seq.data.edits.edit_costs import EditCosts
from seq2seq.data.edits.learning import learn_edits, log_likelihood
from seq2seq.data.tokenizers import Tokenizers
from seq2seq.symbols import EOS

Ids = Sequence[Sequence[int]]
_LEAST = 2  # pairs: one to learn from, one to look at


def monotonicity(tokenizers: Tokenizers, sources: Sequence[str], targets: Sequence[str]) -> float:
    """The share of the bits of targets that edits of their sources save, beside single symbols by their frequency.

    Edits go through the source from left to right. Both models are memoryless, learnt from every second pair, and
    looked at on the others: 1 - H(target | source) / H(target). It is 1 where sources tell all in their order, and 0
    or less where their order tells nothing, as of strings and their reversals, or where there are no pairs.
    """
    both = zip(tokenizers.source.encode(sources), tokenizers.written.encode(targets), strict=True)
    pairs = [pair for pair in both if all(pair)]
    if len(pairs) < _LEAST:
        return 0.0
    (own, other), (new, answers) = (zip(*part, strict=True) for part in (pairs[::2], pairs[1::2]))
    actions = ActionTokenizer(tokenizers.source, tokenizers.written)
    sizes = tokenizers.source.size, tokenizers.written.size
    costs = learn_edits(own, other, sizes, actions.same).costs
    told = log_likelihood(costs, new, answers) - log_marginal(costs, new)
    return 1 - told / _by_frequency(other, answers, sizes[1])


def log_marginal(costs: EditCosts, sources: Ids) -> float:
    """The log-probability of sources, whatever the targets: that of reading each symbol, with any insertions about it.

    p(x) = p(end) / (1 - I)^(|x| + 1) * product of the sum over b of p(x_i, b), deletion among them, where I is the
    probability of inserting anything.
    """
    probabilities = costs.table.neg().exp()
    reading = probabilities[:-1].sum(1).log()
    between = -math.log1p(-float(probabilities[-1, :-1].sum()))
    end = -float(costs.table[-1, -1])
    return sum(float(reading[list(ids)].sum()) + (len(ids) + 1) * between + end for ids in sources)


def _by_frequency(known: Ids, texts: Ids, size: int) -> float:
    """The log-probability of texts and their ends by how often symbols come in known ones, each once more than seen."""
    counts = Counter(index for ids in known for index in (*ids, EOS))
    total = counts.total() + size
    return sum(math.log((counts[index] + 1) / total) for ids in texts for index in (*ids, EOS))
