"""Weights that another model starts from."""

from dataclasses import replace

import pytest
import torch

from seq2seq.data.examples import Example
from seq2seq.data.tokenizers import TokenizerTrainer
from seq2seq.errors import UserError
from seq2seq.runs.initial_weights import initial_weights, shared_pieces
from seq2seq.runs.run import LoadedRun, build_model, load_run
from seq2seq.symbols import EOS

KINDS = {"source": "char", "target": "char", "exact_size": False}


def learnt(*words: str, **kinds):
    return TokenizerTrainer(**KINDS | kinds).train([Example(word, (word,)) for word in words])


def fresh_of(run, tokenizers) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in build_model(run.config, tokenizers).state_dict().items()}


@pytest.fixture(params=[1, 16])
def run(request, finished) -> LoadedRun:
    """A run whose tokenizers cut into characters; its tables may have more rows than those."""
    trained, tokenizers = load_run(finished), learnt("abcdef", "fedcba")
    config = {**trained.config, "model": {**trained.config["model"], "vocabulary_multiple": request.param}}
    return replace(trained, config=config, tokenizers=tokenizers, model=build_model(config, tokenizers))


def test_the_same_tokenizers_give_the_run_s_weights(run):
    found = initial_weights(run, fresh_of(run, run.tokenizers), run.tokenizers)
    own = run.model.state_dict()
    assert found.keys() == own.keys()
    assert all(torch.equal(found[name], own[name]) for name in own)


def test_rows_go_with_their_pieces_and_new_ones_are_fresh(run):
    before, now = run.tokenizers, learnt("ebжщ")
    fresh = fresh_of(run, now)
    found = initial_weights(run, fresh, now)
    own = run.model.state_dict()
    for name, side in (("encoder.input.embedding.table.weight", "source"), ("output.bias", "target")):
        old, new = getattr(before, side), getattr(now, side)
        assert found[name].shape == fresh[name].shape
        assert torch.equal(found[name][: EOS + 1], own[name][: EOS + 1])
        for piece in "eb":
            assert torch.equal(found[name][new.ids(piece)[0]], own[name][old.ids(piece)[0]])
        for piece in "жщ":
            assert torch.equal(found[name][new.ids(piece)[0]], fresh[name][new.ids(piece)[0]])
    others = [name for name in own if not name.endswith(("embedding.table.weight", "output.weight", "output.bias"))]
    assert len(others) > 10
    assert all(torch.equal(found[name], own[name]) for name in others)
    assert shared_pieces(before.source, now.source) == (2, 4)


@pytest.mark.parametrize("words", [["ebжщ", "жa"], ["fedcbaж"], ["b"]])
def test_rows_of_a_table_that_both_sides_share_go_with_their_pieces(run, words):
    before, now = learnt("abcdef", joint=True), learnt(*words, joint=True)
    config = {**run.config, "model": {**run.config["model"], "share_embeddings": True}}
    shared = replace(run, config=config, tokenizers=before, model=build_model(config, before))
    found, own = initial_weights(shared, fresh_of(shared, now), now), shared.model.state_dict()
    common = [piece for piece in set("".join(words)) if piece in "abcdef"]
    for name in ("encoder.input.embedding.table.weight", "decoder.embedding.table.weight", "output.bias"):
        for piece in common:
            assert torch.equal(found[name][now.source.ids(piece)[0]], own[name][before.source.ids(piece)[0]])


def test_clusters_of_tokens_are_carried_over_to_the_same_tokens_alone(run):
    output = {"_target_": "seq2seq.layers.output.adaptive.AdaptiveOutput", "_partial_": True}
    config = {**run.config, "model": {**run.config["model"], "output": output}}
    adaptive = replace(run, config=config, model=build_model(config, run.tokenizers))
    assert initial_weights(adaptive, {}, run.tokenizers).keys() == adaptive.model.state_dict().keys()
    other = learnt("ebжщ")
    with pytest.raises(UserError, match="^init cannot carry AdaptiveOutput over to other target tokens, as its "):
        initial_weights(adaptive, fresh_of(adaptive, other), other)


def test_a_piece_of_known_ones_starts_as_their_mean(run):
    now = learnt("bad", source="word", target="word")
    rows = run.model.state_dict()["encoder.input.embedding.table.weight"]
    found = initial_weights(run, fresh_of(run, now), now)["encoder.input.embedding.table.weight"]
    cut = [run.tokenizers.source.ids(piece)[0] for piece in "bad"]
    assert torch.allclose(found[now.source.ids("bad")[0]], rows[cut].mean(0))
