"""Trains the policy on training seeds; picks among its states by mean SCM on validation seeds, as the reactive rule is tuned.

Half of the horizons hide the calendar. What saves too little in a variant is penalised as in twm_twin.tune_reactive. The best
state is written whenever it changes; SIGTERM ends training early with what there is.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from twm.core.frames import Float
from twm.core.network import NetworkSpec
from twm.planner.reactive import ReactiveParameters
from twm_bench.rivals.ppo.environment import HorizonEnv, training_pairs
from twm_bench.rivals.ppo.method import PpoPolicy, forward
from twm_bench.rivals.ppo.network import RowPolicy
from twm_twin.scenarios import SCENARIOS
from twm_twin.scored import ScoredHorizons
from twm_twin.seeds import seeds
from twm_twin.tune_reactive import CHECK_SEED, PENALTY, TUNING_SEED

VARIANTS = ("history", "calendar")
LOOKS = 16
"""Evaluations over the training."""


@dataclass(frozen=True, kw_only=True)
class PpoOptions:
    """What training can be asked for."""

    steps: int = 600_000
    """Slow steps of all environments together."""
    cpu_seconds: float = 420.0
    """Training stops after this much processor time, the making of the horizons included."""
    training_seeds: int = 640
    validation_seeds: int = 32
    check_seeds: int = 64
    batch: int = 256
    """Horizons side by side."""
    learning_rate: float = 1e-3
    noise: float = 0.15
    """First standard deviation of an action."""
    epochs: int = 3
    minibatch: int = 768
    saving_min_ratio: float = 0.08
    saving_slack: float = 0.004
    """Added in training, so that the check on other seeds holds too."""
    seed: int = 0


def prepare(spec: NetworkSpec, chosen: list[int]) -> ScoredHorizons:
    """All scenarios of these seeds, with calendars."""
    return ScoredHorizons.prepare(spec, *training_pairs(chosen, SCENARIOS), calendar=True)


def evaluate(env: HorizonEnv, weights: Mapping[str, Float] | None) -> dict[str, Any]:
    """Mean SCM and saving by variant, of the mean action; None: of the rule that it corrects. One batch is all horizons."""
    out: dict[str, Any] = {}
    for variant in VARIANTS:
        which = np.arange(env.horizons.count)
        observation = env.begin(which, np.full(len(which), float(variant == "calendar")))
        over = False
        while not over:
            if weights is None:
                action = np.zeros(env.action_space.shape or ())[None].repeat(len(which), 0)
            else:
                action = forward(weights, env.layout, observation)
            observation, _, over = env.play(action)
        scm = np.maximum(env.margin_B, 0.0)
        out[variant] = {
            "scm": round(float(scm.mean()), 4),
            "saving": round(float(env.saving_B.mean()), 4),
            "violated": round(float((env.margin_B < 0).mean()), 4),
            "scm_by_scenario": {name: round(float(scm[env.horizons.scenario_N == name].mean()), 4) for name in SCENARIOS},
        }
    return out


def weights_of(policy: RowPolicy) -> dict[str, Float]:
    """The actor's arrays by the names that `method.forward` knows."""
    extractor: Any = policy.mlp_extractor
    return {name: value.detach().numpy().copy() for name, value in extractor.actor.state_dict().items()}


class _Watch(BaseCallback):
    """Evaluates now and then, keeps and writes the best, stops when the time is up."""

    def __init__(
        self, env: HorizonEnv, training: HorizonEnv, base: ReactiveParameters, options: PpoOptions, path: Path, began: float
    ) -> None:
        super().__init__()
        self._env, self._training, self._base, self._options, self._path = env, training, base, options, path
        self._began, self._rollouts = began, 0
        self._every = max(options.steps // (env.spec.timing.horizon_steps * options.batch * LOOKS), 1)
        self.stopped = False
        self.best_score = -np.inf
        self.history: list[dict[str, Any]] = []

    def _on_step(self) -> bool:
        return not self.stopped and time.process_time() - self._began < self._options.cpu_seconds

    def _on_rollout_start(self) -> None:
        if self._rollouts % self._every == 0:
            self.look()
        self._rollouts += 1

    def look(self) -> None:
        """Evaluate what there is."""
        policy: Any = self.model.policy
        weights = weights_of(policy)
        found = evaluate(self._env, weights)
        scm, saving = (float(np.mean([found[v][key] for v in VARIANTS])) for key in ("scm", "saving"))
        missing = sum(max(self._options.saving_min_ratio - found[v]["saving"], 0.0) for v in VARIANTS)
        if self._training.savings:
            self._training.noise_cost = float(np.clip(saving - np.mean(self._training.savings[-4:]), 0.0, 0.05))
        line = {
            "steps": self.num_timesteps,
            "cpu_s": round(time.process_time() - self._began),
            **{v: (found[v]["scm"], found[v]["saving"]) for v in VARIANTS},
            "price": round(self._training.price, 3),
            "noise": round(float(policy.log_std.detach().exp().mean()), 3),
            "noise_cost": round(self._training.noise_cost, 4),
        }
        self.history.append(line)
        print(json.dumps(line), flush=True)
        score = scm - PENALTY * missing / len(VARIANTS)
        if score > self.best_score:
            self.best_score = score
            PpoPolicy(self._env.spec, weights, self._base).save(self._path)


def train(spec: NetworkSpec, base: ReactiveParameters, options: PpoOptions, out: Path, command: str) -> dict[str, Any]:
    """Train, write `policy.npz` and `card.yaml` into `out`. Returns what the card says."""
    began = time.process_time()
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    chosen = seeds("training", options.training_seeds)
    env = HorizonEnv(
        prepare(spec, chosen),
        options.batch,
        base,
        seed=options.seed,
        price=0.6,
        saving_min_ratio=options.saving_min_ratio + options.saving_slack,
    )
    validation = seeds("validation", options.validation_seeds, TUNING_SEED)
    horizons = prepare(spec, validation)
    watched = HorizonEnv(horizons, horizons.count, base)
    out.mkdir(parents=True, exist_ok=True)
    model = PPO(
        RowPolicy,
        env,
        n_steps=spec.timing.horizon_steps,
        batch_size=options.minibatch,
        n_epochs=options.epochs,
        learning_rate=lambda left: options.learning_rate * max(left, 0.05),
        gamma=1.0,
        gae_lambda=0.9,
        clip_range=0.2,
        normalize_advantage=True,
        policy_kwargs={"layout": env.layout, "log_std_init": float(np.log(options.noise))},
        seed=options.seed,
        device="cpu",
    )
    watch = _Watch(watched, env, base, options, out / "policy.npz", began)
    before = signal.signal(signal.SIGTERM, lambda *_: setattr(watch, "stopped", True))
    try:
        model.learn(options.steps, callback=watch)
    finally:
        signal.signal(signal.SIGTERM, before)
    watch.look()
    stored = PpoPolicy.load(spec, out / "policy.npz")
    check = prepare(spec, seeds("validation", options.check_seeds, CHECK_SEED))
    checked = HorizonEnv(check, check.count, base)
    card: dict[str, Any] = {
        "name": "ppo",
        "network": spec.name,
        "spec_digest": spec.digest(),
        "command": command,
        "steps": int(model.num_timesteps),
        "cpu_seconds": round(time.process_time() - began),
        "options": vars(options),
        "rule": vars(base),
        "seeds": {
            "training": [hex(chosen[0]), hex(chosen[-1])],
            "validation": [hex(validation[0]), hex(validation[-1])],
            "check": [hex(int(check.seed_N.min())), hex(int(check.seed_N.max()))],
        },
        "quality": {"validation": evaluate(watched, stored.weights), "check": evaluate(checked, stored.weights)},
        "quality_of_rule": {"validation": evaluate(watched, None)["history"], "check": evaluate(checked, None)["history"]},
        "progress": [json.dumps(line) for line in watch.history],
    }
    (out / "card.yaml").write_text(yaml.safe_dump(card, sort_keys=False, width=140))
    return card
