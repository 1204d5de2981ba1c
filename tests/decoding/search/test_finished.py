"""A pool keeps the best in order; a history finds the way back."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.decoding.search.back_pointers import BackPointers
from seq2seq.decoding.search.finished import Finished
from seq2seq.symbols import PAD

LAW = settings(deadline=None, max_examples=40)
BATCH, GROUPS, PLACES = 2, 2, 3


@LAW
@given(st.integers(0, 10**6), st.integers(0, 4))
def test_a_pool_holds_the_best_of_all_that_came_and_unfinished_ones_behind(seed, rounds):
    draw = torch.Generator().manual_seed(seed)
    pool = Finished.empty(BATCH, GROUPS, PLACES, torch.zeros(1))
    came = [[[] for _ in range(GROUPS)] for _ in range(BATCH)]
    ended = torch.zeros(BATCH, GROUPS, dtype=torch.long)
    for steps in range(rounds):
        ranks = -3 * torch.rand(BATCH, GROUPS, PLACES, generator=draw)
        ranks = ranks.masked_fill(torch.rand(ranks.shape, generator=draw) < 0.4, float("-inf"))
        lacking = torch.randint(3, (BATCH, GROUPS * PLACES), generator=draw)
        flat, unfinished = ranks.flatten(1), steps % 2 == 1
        slots = torch.arange(GROUPS * PLACES).expand(BATCH, -1) if unfinished else flat.argsort(1)
        if unfinished:
            pool = pool.add_unfinished(flat, steps, lacking)
        else:
            pool = pool.add_ended(flat, slots, flat - 1, steps)
            ended += (ranks > float("-inf")).sum(-1)
        for row in range(BATCH):
            for place, rank in enumerate(flat[row].tolist()):
                if rank > float("-inf"):
                    behind = 1 + int(lacking[row, place]) if unfinished else 0
                    came[row][place // PLACES].append((behind, -rank, steps, int(slots[row, place])))
    assert torch.equal(pool.ended, ended)
    best = pool.sorted(GROUPS * PLACES)
    for row in range(BATCH):
        wanted = sorted(one for own in came[row] for one in sorted(own)[:PLACES])
        count = int((best.ranks[row] > float("-inf")).sum())
        assert count == len(wanted)
        for place, (behind, rank, steps, slot) in enumerate(wanted):
            assert abs(best.rank_scores[row, place].item() + rank) < 1e-5
            assert best.complete[row, place] == (behind == 0)
            assert (best.steps[row, place], best.slots[row, place]) == (steps, slot)
            end = best.end_scores[row, place].item()
            assert abs(end - (0.0 if behind else -rank - 1)) < 1e-5


@LAW
@given(st.integers(0, 10**6), st.integers(1, 6), st.booleans())
def test_the_way_back_is_that_of_plain_python_when_sentences_have_left_too(seed, time, attention):
    draw = torch.Generator().manual_seed(seed)
    batch, beam, source = 3, 4, 2
    history = BackPointers(batch, attention=attention)
    beams = {row: [([], [], [])] for row in range(batch)}  # ids, scores and weights of every hypothesis
    ends = []
    left = torch.arange(batch)
    for step in range(time):
        if step > 1:
            left = left[torch.rand(len(left), generator=draw) < 0.7]
        before = 1 if step == 0 else beam
        tokens = torch.randint(4, 9, (len(left), beam), generator=draw)
        parents = torch.randint(before, (len(left), beam), generator=draw)
        scores = -torch.rand(len(left), beam, generator=draw)
        weights = torch.rand(len(left), before, source, generator=draw)
        history.append(left, tokens, parents, scores, weights)
        for place, row in enumerate(left.tolist()):
            beams[row] = [
                (
                    [*beams[row][parent][0], tokens[place, slot].item()],
                    [*beams[row][parent][1], scores[place, slot].item()],
                    [*beams[row][parent][2], weights[place, parent].tolist()],
                )
                for slot, parent in enumerate(parents[place].tolist())
            ]
            ends += [(row, step + 1, slot, *beams[row][slot]) for slot in range(beam)]
    for row, steps, slot, ids, gained, looked in ends:
        places = torch.zeros(batch, 1, dtype=torch.long)
        walked = history.walk(places.index_fill(0, torch.tensor(row), steps), places + slot)
        assert walked[0][row, 0].tolist() == [*ids, *[PAD] * (time - steps)]
        assert walked[1][row, 0].tolist() == [*gained, *[0.0] * (time - steps)]
        assert (walked[2] is not None) == attention
        if attention:
            assert walked[2][row, 0, :steps].tolist() == looked
