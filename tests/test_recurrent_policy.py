"""The example policy remembers what it has to, and cannot where it may not."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("gymnasium", reason="the policy's worlds are of gymnasium, which the extra policy installs")
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import recurrent_policy as example  # noqa: E402
from gymnasium.utils.env_checker import check_env  # noqa: E402

sys.path.pop(0)


def share(*, memory: bool) -> float:
    """Successes among the last 200 episodes in a short corridor."""
    torch.manual_seed(1)
    worlds = example.Worlds(partial(example.TMaze, 3), 16, seed=1)
    policy = example.Policy(worlds.envs[0], hidden_size=16, memory=memory)
    return example.train(policy, worlds, 120, example.Training(steps=12, lr=1e-2))[1]


def test_a_policy_with_memory_turns_where_the_sign_said():
    assert share(memory=True) > 0.95


def test_the_same_policy_without_it_guesses():
    assert 0.35 < share(memory=False) < 0.65


def test_the_maze_keeps_to_the_rules_of_gymnasium():
    check_env(example.TMaze(4), skip_render_check=True)


def test_the_maze_shows_its_sign_once_and_rewards_the_turn_that_it_named():
    env = example.TMaze(2)
    seen = env.reset(seed=3)[0]
    assert abs(seen[0]) == 1
    hit = env.step(1)
    np.testing.assert_array_equal(hit[0], seen)  # still at the start
    assert hit[1] == -0.1
    assert [env.step(0)[0].tolist() for _ in range(2)] == [[0, 0, 1], [0, 1, 1]]
    assert env.step(0)[1:3] == (-0.1, False)
    right = 2 if seen[0] > 0 else 1
    assert env.step(right)[1:3] == (1.0, True)
    env.reset(seed=3)
    for _ in range(2):
        env.step(0)
    assert env.step(3 - right)[1:3] == (-1.0, True)


def test_cartpole_shows_places_alone():
    env = example.CartPoleWithoutVelocities()
    env.reset(seed=1)
    seen, reward, *_ = env.step(1)
    np.testing.assert_allclose(seen, np.array(env.unwrapped.state)[[0, 2]] / [2.4, 0.2], rtol=1e-6)
    assert reward == pytest.approx(0.02)


def test_what_was_before_an_end_is_forgotten_and_gradients_are_cut_behind_a_rollout():
    torch.manual_seed(1)
    policy = example.Policy(example.TMaze(3), hidden_size=4)
    first, second = torch.randn(2, 3), torch.randn(2, 3)
    state = policy(first, policy.stack.start(first))[2]
    ended = policy.stack.renew(state, torch.tensor([True, False]))
    fresh, carried = policy(second, policy.stack.start(second)), policy(second, state)
    found = policy(second, ended)
    torch.testing.assert_close(found[0][0], fresh[0][0], rtol=0, atol=0)
    torch.testing.assert_close(found[0][1], carried[0][1], rtol=0, atol=0)
    assert (fresh[0][1] - carried[0][1]).abs().max() > 0
    kept = [state.layers[0].cell, *example.detached(state).layers[0]]
    assert [part.requires_grad for part in kept] == [True, False, False]


def test_advantages_are_those_of_the_formula():
    """Two steps, then an end: errors and their discounted sum by hand, in the loss of a policy that is even."""
    options = example.Training(discount=0.5, decay=0.5, entropy=0.0, value=1.0)
    values, rewards = [torch.tensor([0.5]), torch.tensor([0.25])], [torch.tensor([1.0]), torch.tensor([2.0])]
    done = [torch.tensor([False]), torch.tensor([True])]
    chosen = torch.zeros(1)
    kept = [(chosen, chosen, *step) for step in zip(values, rewards, done, strict=True)]
    second = 2.0 - 0.25  # nothing follows an end
    first = 1.0 + 0.5 * 0.25 - 0.5 + 0.25 * second
    errors = torch.tensor([first, second])  # of the baseline, whose targets are advantages on top of it
    expected = torch.nn.functional.smooth_l1_loss(torch.zeros(2), errors)
    torch.testing.assert_close(example.loss(kept, torch.tensor([9.0]), options), expected)
