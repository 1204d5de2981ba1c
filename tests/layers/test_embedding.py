import itertools
import math

import pytest
import torch

from seq2seq.errors import UserError
from seq2seq.layers.embedding import Embedding, NGramEmbedding
from seq2seq.symbols import PAD

VOCABULARY = 7
TRIGRAMS = [(1, 0), (0, 1), (1, 1)]


def ngrams(windows=TRIGRAMS, buckets=50_000) -> NGramEmbedding:
    return NGramEmbedding(VOCABULARY, 5, windows=windows, buckets=buckets)


def test_padding_is_zero_and_stays_zero_after_an_optimizer_step():
    embedding = Embedding(9, 4)
    before = embedding.table.weight.detach().clone()
    optimizer = torch.optim.AdamW(embedding.parameters(), lr=0.1, weight_decay=0.1)
    embedding(torch.tensor([[3, 4, PAD], [5, PAD, PAD]])).square().sum().backward()
    optimizer.step()
    assert embedding(torch.tensor([[PAD]])).eq(0).all()
    assert not torch.equal(embedding.table.weight[3:6], before[3:6])


def test_embedding_looks_up_rows_of_its_table():
    embedding = Embedding(9, 4)
    ids = torch.tensor([[3, 8], [1, 3]])
    assert torch.equal(embedding(ids), embedding.table.weight[ids])
    assert (embedding.vocabulary_size, embedding.size) == (9, 4)


def test_embedding_drops_whole_features_of_a_sentence():
    dropped = Embedding(9, 32, dropout=0.5)(torch.tensor([[3, 4, 5, 6]]))
    gone = dropped.eq(0)
    assert torch.equal(gone, gone[:, :1].expand_as(gone))
    assert 0 < gone.sum() < gone.numel()


def test_ngrams_do_not_see_padding_nor_other_sentences():
    embedding = ngrams()
    alone = embedding(torch.tensor([[4, 3, 6]]))
    batch = embedding(torch.tensor([[5, 5, 5, 5, 5], [4, 3, 6, PAD, PAD], [3, 6, 4, 3, PAD]]))
    assert torch.equal(batch[1:2, :3], alone)


@pytest.mark.parametrize(
    ("window", "seen"),
    [((1, 0), (-1, 0)), ((0, 1), (0, 1)), ((1, 1), (-1, 0, 1)), ((2, 0), (-2, -1, 0)), ((0, 2), (0, 1, 2))],
)
def test_a_window_sees_exactly_its_neighbours(window, seen):
    embedding, ids, middle = ngrams([window]), torch.tensor([[3, 4, 5, 6, 3, 4, 5]]), 3
    before = embedding(ids)[0, middle]
    for offset in range(-3, 4):
        changed = ids.clone()
        changed[0, middle + offset] = 1
        assert torch.equal(embedding(changed)[0, middle], before) == (offset not in seen), offset


def test_windows_add_up():
    embedding, ids = ngrams(), torch.tensor([[3, 4, 5, 6]])
    parts = []
    for window, table in zip(TRIGRAMS, embedding.tables, strict=True):
        single = ngrams([window])
        single.tables[0].load_state_dict(table.state_dict())
        parts.append(single(ids))
    torch.testing.assert_close(embedding(ids), sum(parts))


def test_without_hashing_distinct_ngrams_have_distinct_rows():
    embedding = ngrams([(1, 1)])
    triples = torch.tensor(list(itertools.product(range(VOCABULARY), repeat=3)))
    middles = embedding(triples)[:, 1]
    assert embedding.tables[0].num_embeddings == VOCABULARY**3
    assert len(middles.unique(dim=0)) == VOCABULARY**3


def test_hashing_stays_within_its_buckets_and_uses_them():
    embedding = ngrams([(1, 1)], buckets=11)
    triples = torch.tensor(list(itertools.product(range(VOCABULARY), repeat=3)))
    rows = embedding.tables[0].weight
    middles = embedding(triples)[:, 1]
    assert len(rows) == 11
    assert torch.equal(middles.unique(dim=0), rows.unique(dim=0))


def test_hashing_long_windows_does_not_overflow():
    embedding = NGramEmbedding(50_000, 2, windows=[(4, 4)], buckets=1000)  # 50,000 ^ 9 is beyond 64 bits
    assert embedding(torch.randint(4, 50_000, (3, 12))).shape == (3, 12, 2)


@pytest.mark.parametrize("vocabulary", [500, 2000, 5000, 8000, 8003, 10_000])
def test_no_token_of_a_hashed_ngram_is_lost(vocabulary):
    """8000^2 and 50,000 share factors; without mixing the row of a trigram forgets its first token."""
    embedding = NGramEmbedding(vocabulary, 1, windows=[(1, 1)], buckets=50_000)
    for place in range(3):
        trigrams = torch.randint(4, vocabulary, (5000, 3))
        others = trigrams.clone()
        others[:, place] = (trigrams[:, place] - 3) % (vocabulary - 4) + 4  # another token
        rows = [embedding._rows(ids, 1, 1, 50_000)[:, 1] for ids in (trigrams, others)]
        assert all((row >= 0).all() and (row < 50_000).all() for row in rows)
        # By chance one of 50,000 stays.
        assert int((rows[0] == rows[1]).sum()) <= 3


@pytest.mark.parametrize("vocabulary", [500, 2000, 5000, 8000, 8003, 10_000])
@pytest.mark.parametrize("place", [0, 1])
def test_ngrams_collide_no_more_than_by_chance(vocabulary, place):
    buckets, tokens = 50_000, torch.arange(4, vocabulary)
    embedding = NGramEmbedding(vocabulary, 1, windows=[(1, 0)], buckets=buckets)
    bigrams = torch.full((len(tokens), 2), 77)
    bigrams[:, place] = tokens
    reached = len(embedding._rows(bigrams, 1, 0, buckets)[:, 1].unique())
    expected = buckets * (1 - (1 - 1 / buckets) ** len(tokens))
    assert reached > expected - 4 * math.sqrt(len(tokens) - expected + 1)


def test_models_of_before_have_the_rows_of_before():
    embedding = NGramEmbedding(8000, 1, windows=[(1, 1)], buckets=50_000, mixed=False)
    rows = embedding._rows(torch.tensor([[7000, 6000, 5001]]), 1, 1, 50_000)
    assert rows.tolist() == [
        [
            (7000 * 8000 + 6000) % 50_000,
            (7000 * 8000**2 + 6000 * 8000 + 5001) % 50_000,
            (6000 * 8000**2 + 5001 * 8000) % 50_000,
        ]
    ]
    assert torch.equal(
        embedding._rows(torch.tensor([[4, 5, 6]]), 1, 1, 8000**3),
        NGramEmbedding(8000, 1, windows=[(1, 1)])._rows(torch.tensor([[4, 5, 6]]), 1, 1, 8000**3),
    )


@pytest.mark.parametrize("window", [[0, 0], [-1, 2], [2, -1], [1], [1, 0, 1]])
def test_bad_window_is_told(window):
    with pytest.raises(UserError) as error:
        ngrams([window])
    assert str(error.value) == (
        f"A window of ngrams must be [before, after] and cover at least one neighbour, but is {window}."
    )


def test_bad_buckets_are_told():
    with pytest.raises(UserError) as error:
        ngrams(buckets=0)
    assert str(error.value) == "buckets must be at least 1, but is 0."
