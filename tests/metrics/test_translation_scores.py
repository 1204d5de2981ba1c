import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.metrics.translation import TranslationScores

LAW = settings(deadline=None, max_examples=25)
# sacreBLEU computes in double; the scores come back as float32.
TOLERANCE = {"rel": 1e-6, "abs": 1e-6}
HYPOTHESES = [
    "A man sleeps in a green room on a sofa.",
    "The train for Cologne leaves from platform 12 at 7:45 am.",
    "Children are playing in the snow; one of them throws a ball!",
    'The girl asked: "Why not?"',
    "",
    "Two dogs run across the meadow, the third one (brown) is watching.",
    "An older man with a red hat plays guitar",
    "Please restart the computer to complete the installation of %s.",
]
REFERENCES = [
    ["A man sleeping in a green room on a couch."],
    ["The train to Cologne departs at 7:45 a.m. from platform 12.", "The Cologne train leaves platform 12 at 7:45."],
    ["Children are playing in the snow; one throws a ball!"],
    ['"Why not?", asked the girl.', 'The girl asked, "Why not?"', "Why not, asked the girl?"],
    ["Nothing was said."],
    ["Two dogs are running across the meadow; the third, a brown one, is watching."],
    ["An older man wearing a red hat is playing the guitar.", "An elderly man in a red hat plays the guitar"],
    ["Please restart your computer to finish installing %s."],
]
FIRST_ONLY = [known[:1] for known in REFERENCES]
TWO_EACH = [[known[0], known[-1].upper()] for known in REFERENCES]
# All that BLEU, chrF and TER look at: punctuation, numbers, case, other scripts, repeated words, nothing at all.
word = st.sampled_from(["the", "The", "cat", "cat's", "sat", "3.5", "%d", "(on)", "mat,", ".", "жить", "猫が", "don't"])
text = st.lists(word, max_size=9).map(" ".join)
corpora = st.lists(st.tuples(text, st.lists(text.filter(bool), min_size=1, max_size=3)), min_size=1, max_size=5)


def ours(*updates: tuple[list[str], list[list[str]]]) -> dict[str, float]:
    metric = TranslationScores()
    for hypotheses, references in updates:
        metric.update(hypotheses, references)
    return {name: float(value) for name, value in metric.compute().items()}


def sacrebleus(hypotheses: list[str], references: list[list[str]]) -> dict[str, float]:
    most = max(map(len, references))
    streams = [[known[i] if i < len(known) else None for known in references] for i in range(most)]
    return {
        "bleu": sacrebleu.corpus_bleu(hypotheses, streams).score,
        "chrf": sacrebleu.corpus_chrf(hypotheses, streams).score,
        "ter": sacrebleu.corpus_ter(hypotheses, streams).score,
    }


@pytest.mark.parametrize("references", [FIRST_ONLY, TWO_EACH, REFERENCES], ids=["one", "two", "one to three"])
def test_scores_of_sentences_are_sacrebleus(references):
    scores = ours((HYPOTHESES, references))
    assert scores == pytest.approx(sacrebleus(HYPOTHESES, references), **TOLERANCE)
    assert 20 < scores["bleu"] < 80  # sentences of a real corpus, not a corner


@LAW
@given(corpora)
def test_scores_of_any_corpus_are_sacrebleus(corpus):
    hypotheses, references = map(list, zip(*corpus, strict=True))
    assert ours((hypotheses, references)) == pytest.approx(sacrebleus(hypotheses, references), **TOLERANCE)


@pytest.mark.parametrize("hypothesis", ["xyz qqq", "", "Ξ"])
def test_hypotheses_without_any_overlap_are_scored_as_sacrebleu_does(hypothesis):
    hypotheses = [hypothesis] * len(FIRST_ONLY)
    scores = ours((hypotheses, FIRST_ONLY))
    assert scores == pytest.approx(sacrebleus(hypotheses, FIRST_ONLY), **TOLERANCE)
    assert scores["bleu"] < 2
    assert scores["ter"] > 99


def test_perfect_hypotheses_have_perfect_scores():
    hypotheses = [known[-1] for known in REFERENCES]
    assert ours((hypotheses, REFERENCES)) == pytest.approx({"bleu": 100, "chrf": 100, "ter": 0}, **TOLERANCE)


@pytest.mark.parametrize("cut", range(len(HYPOTHESES) + 1))
def test_halves_added_up_are_the_whole(cut):
    halves = [(HYPOTHESES[part], REFERENCES[part]) for part in (slice(cut), slice(cut, None))]
    assert ours(*halves) == pytest.approx(ours((HYPOTHESES, REFERENCES)), **TOLERANCE)


def test_states_of_several_processes_add_up():
    first, second = TranslationScores(), TranslationScores()
    first.update(HYPOTHESES[::2], REFERENCES[::2])
    second.update(HYPOTHESES[1::2], REFERENCES[1::2])
    first.merge_state(second)
    merged = {name: float(value) for name, value in first.compute().items()}
    assert merged == pytest.approx(sacrebleus(HYPOTHESES, REFERENCES), **TOLERANCE)


def test_a_reset_forgets():
    metric = TranslationScores()
    metric.update(["something else"], [["entirely"]])
    metric.reset()
    metric.update(HYPOTHESES, REFERENCES)
    scores = {name: float(value) for name, value in metric.compute().items()}
    assert scores == ours((HYPOTHESES, REFERENCES))


def test_the_signature_is_sacrebleus():
    metric = TranslationScores()
    metric.update(HYPOTHESES, FIRST_ONLY)
    version = f"version:{sacrebleu.__version__}"
    assert metric.signature == (
        f"bleu nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|{version}; "
        f"chrf nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|{version}; "
        f"ter nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|{version}"
    )
