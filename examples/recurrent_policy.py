"""A policy that remembers: actor and critic on a one-way LSTM whose state goes on from step to step.

    python examples/recurrent_policy.py                     T-maze: a sign at the start says where to turn at the end
    python examples/recurrent_policy.py --no-memory         the same policy, its state renewed at every step
    python examples/recurrent_policy.py --task cartpole     CartPole that shows positions and no velocities

Needs gymnasium: pip install -c constraints.txt -e '.[policy]'
"""

import argparse
from dataclasses import dataclass
from functools import partial

import gymnasium
import numpy as np
import torch
from torch.nn import functional

from seq2seq import nn


class TMaze(gymnasium.Env):
    """A corridor whose first place alone shows which way to turn at its end (Bakker 2002).

    It shows three numbers: sign (1 or -1 at the start, else 0), whether the end is reached, and 1. Forward is action 0;
    left and right, 1 and 2, end the episode at the junction, with a reward of 1 or -1, and hit a wall before it: -0.1.
    """

    def __init__(self, length: int = 10) -> None:
        self.length = length
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        """Stand at the start of a maze whose goal is drawn."""
        super().reset(seed=seed)
        self.place, self.goal = 0, int(self.np_random.integers(1, 3))
        return self._view(), {}

    def step(self, action):
        """Go on, turn, or hit a wall."""
        if self.place == self.length and action != 0:
            right = action == self.goal
            return self._view(), 1.0 if right else -1.0, True, False, {"success": right}
        hit = action != 0 or self.place == self.length
        self.place += not hit
        return self._view(), -0.1 if hit else 0.0, False, False, {}

    def _view(self) -> np.ndarray:
        sign = (self.goal * 2 - 3) * (self.place == 0)
        return np.array([sign, self.place == self.length, 1.0], np.float32)


class CartPoleWithoutVelocities(gymnasium.Wrapper):
    """CartPole where the speeds of cart and pole have to be found out, for 0.02 a step: 10 if the pole stays up."""

    def __init__(self) -> None:
        super().__init__(gymnasium.make("CartPole-v1"))
        self.observation_space = gymnasium.spaces.Box(-5.0, 5.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        """Begin with the pole nearly upright."""
        seen, told = self.env.reset(seed=seed, options=options)
        return self._view(seen), told

    def step(self, action):
        """Push the cart to the left or to the right."""
        seen, reward, ended, cut, told = self.env.step(action)
        return self._view(seen), 0.02 * reward, ended, cut, told

    def _view(self, seen) -> np.ndarray:
        return np.array([seen[0] / 2.4, seen[2] / 0.2], np.float32)  # about -1 to 1


class Policy(torch.nn.Module):
    """Logits of actions and a value, from what was seen so far."""

    def __init__(self, env: gymnasium.Env, hidden_size: int, *, memory: bool = True) -> None:
        super().__init__()
        options = nn.StackOptions(
            hidden_size=hidden_size, num_layers=1, cell=nn.LSTMCell, connection="none", dropout=0.0, direction="forward"
        )
        self.stack = nn.RecurrentStack(env.observation_space.shape[0], options)
        self.actor = torch.nn.Linear(hidden_size, int(env.action_space.n))
        self.critic = torch.nn.Linear(hidden_size, 1)
        self.memory = memory

    def forward(self, seen, state):
        """Logits, `batch action`, values, `batch`, and the next state, from `batch size` and a state."""
        one, none_ends = torch.ones(len(seen), dtype=torch.long), torch.zeros(len(seen), dtype=torch.bool)
        if not self.memory:
            state = self.stack.start(seen)
        found, state = self.stack.advance(seen.unsqueeze(1), one, state, none_ends)
        return self.actor(found.last), self.critic(found.last).squeeze(-1), state


@dataclass
class Training:
    """Advantage actor-critic (Mnih et al. 2016) through rollouts of `steps`, behind which gradients are cut."""

    steps: int = 32
    lr: float = 5e-3
    discount: float = 0.98
    decay: float = 0.95  # of advantages over steps (Schulman et al. 2016)
    entropy: float = 0.01
    value: float = 0.5


class Worlds:
    """Several environments side by side, each begun anew where it ends, with what their last episodes came to."""

    def __init__(self, make, count: int, seed: int) -> None:
        self.envs = [make() for _ in range(count)]
        self.seen = [env.reset(seed=seed + number)[0] for number, env in enumerate(self.envs)]
        self.returns, self.ended = np.zeros(count), []

    def view(self) -> torch.Tensor:
        """What is seen in each, `batch size`."""
        return torch.from_numpy(np.stack(self.seen))

    def step(self, actions):
        """Rewards and whether the episode has ended, `batch` each."""
        rewards, done = np.zeros(len(actions)), np.zeros(len(actions), bool)
        for number, (env, action) in enumerate(zip(self.envs, actions.tolist(), strict=True)):
            self.seen[number], rewards[number], ended, cut, told = env.step(action)
            self.returns[number] += rewards[number]
            done[number] = ended or cut
            if done[number]:
                self.ended.append((self.returns[number], bool(told.get("success", cut))))
                self.returns[number], self.seen[number] = 0.0, env.reset()[0]
        return torch.from_numpy(rewards).float(), torch.from_numpy(done)

    def last(self, count: int) -> tuple[float, float]:
        """The mean return of the last episodes and the share of them that were successes."""
        return tuple(np.mean(self.ended[-count:], 0).tolist()) if self.ended else (0.0, 0.0)


def rollout(policy, worlds, state, options):
    """The loss of so many steps, and the state behind them, which the next rollout goes on from without gradients."""
    kept = []
    for _ in range(options.steps):
        logits, values, state = policy(worlds.view(), state)
        choice = torch.distributions.Categorical(logits=logits)
        actions = choice.sample()
        rewards, done = worlds.step(actions)
        kept.append((choice.log_prob(actions), choice.entropy(), values, rewards, done))
        state = policy.stack.renew(state, done)
    with torch.no_grad():
        following = policy(worlds.view(), state)[1]
    return loss(kept, following, options), detached(state)


def loss(kept, following, options):
    """Policy gradient with a baseline, squared error of the baseline, and a price of certainty."""
    chosen, entropies, values, rewards, done = (torch.stack(part) for part in zip(*kept, strict=True))  # steps batch
    advantages, running = torch.zeros_like(rewards), torch.zeros_like(following)
    for step in reversed(range(len(rewards))):
        goes_on = (~done[step]).float()
        error = rewards[step] + options.discount * goes_on * following - values[step].detach()
        running = error + options.discount * options.decay * goes_on * running
        advantages[step], following = running, values[step].detach()
    wanted = advantages + values.detach()
    scaled = (advantages - advantages.mean()) / (advantages.std() + 1e-6)
    surprise = functional.smooth_l1_loss(values, wanted)
    return -(chosen * scaled).mean() + options.value * surprise - options.entropy * entropies.mean()


def detached(state):
    """A state, a nest of tensors, that gradients do not go through."""
    if isinstance(state, torch.Tensor):
        return state.detach()
    parts = [detached(part) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


def train(policy, worlds, updates, options, tell=None):
    """The policy's last return and share of successes, after so many rollouts."""
    optimizer = torch.optim.Adam(policy.parameters(), lr=options.lr)
    state = policy.stack.start(worlds.view())
    for update in range(1, updates + 1):
        for group in optimizer.param_groups:
            group["lr"] = options.lr * (1 - (update - 1) / updates)
        found, state = rollout(policy, worlds, state, options)
        optimizer.zero_grad()
        found.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
        optimizer.step()
        if tell is not None and update % 50 == 0:
            tell(update, *worlds.last(200))
    return worlds.last(200)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=["tmaze", "cartpole"], default="tmaze")
    parser.add_argument("--length", type=int, default=10, help="of the T-maze's corridor")
    parser.add_argument("--no-memory", action="store_true", help="renew the state at every step")
    parser.add_argument("--updates", type=int, help="rollouts of 32 steps in 32 environments")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()

    torch.manual_seed(given.seed)
    if given.task == "tmaze":
        make, hidden_size, updates, options = partial(TMaze, given.length), 32, 400, Training()
    else:
        make, hidden_size, updates, options = CartPoleWithoutVelocities, 64, 1000, Training(lr=2e-3, discount=0.99)
    worlds = Worlds(make, 32, given.seed)
    policy = Policy(worlds.envs[0], hidden_size, memory=not given.no_memory)
    tell = lambda *row: print(*(round(value, 3) for value in row), flush=True)  # noqa: E731
    print("rollouts, return, successes")
    score, success = train(policy, worlds, given.updates or updates, options, tell)
    print(f"return {score:.2f}, successes: {success:.1%}")
