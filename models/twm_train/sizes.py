"""Sizes of a run of the recipe, and the key that names a run by all it depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

import torch

from twm.core.network import NetworkSpec
from twm_train.imagination import ActorSizes

REVISION = 5
"""Part of the key of the work folder: raise it when checkpoints of older code no longer fit."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Sizes of a run."""

    episodes: int = 2048
    """Training episodes."""
    episode_steps: int = 36
    """Slow steps in an episode (at least horizon + 1)."""
    window: int = 16
    """History frames, W."""
    recent: int = 2
    """Newest of them that the controllable part looks at."""
    members: int = 3
    batch: int = 32
    """Windows of a member in a training step."""
    field_steps: int = 2400
    field_batch: int = 48
    controllable_steps: int = 1800
    """Over all rounds: half of them before the planner's first visits."""
    rounds: int = 2
    """How often the planner plays with the model so far and what it visits is fed back."""
    visited_episodes: int = 48
    """Episodes of each such round."""
    actor: ActorSizes = field(default_factory=ActorSizes)
    """How the actor is trained on the finished world model."""
    validation_episodes: int = 192
    """Episodes of the quality split, and of the conformal split."""
    samples: int = 8
    """Exogenous samples of a member in validation."""
    ranking_starts: int = 32
    ranking_candidates: int = 32

    @classmethod
    def of_minutes(cls, minutes: float) -> Recipe:
        """Sizes for about so many CPU-minutes on the reference machine; step counts, not the clock, end a run."""
        scale = max(minutes, 0.5) / 30.0
        at = lambda full, least: max(least, round(full * scale))
        return cls(
            episodes=min(4096, at(2048, 128)),
            field_steps=at(4000, 100),
            controllable_steps=at(3000, 120),
            visited_episodes=min(256, at(64, 4)),
            actor=ActorSizes.of_minutes(minutes),
            validation_episodes=min(256, at(256, 48)),
            ranking_starts=min(48, at(48, 8)),
        )

    @classmethod
    def quick(cls) -> Recipe:
        """A run of well under a minute, to see that everything works; the models are poor."""
        return cls(
            episodes=48,
            episode_steps=24,
            batch=8,
            field_steps=40,
            field_batch=16,
            controllable_steps=30,
            rounds=1,
            visited_episodes=2,
            actor=ActorSizes.quick(),
            validation_episodes=12,
            samples=2,
            ranking_starts=2,
            ranking_candidates=8,
        )


def run_key(spec: NetworkSpec, recipe: Recipe, seed: int) -> str:
    """Names a run: 12 hex digits over all it depends on."""
    data = [REVISION, spec.digest(), asdict(recipe), seed, torch.__version__]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def split_steps(total: int, rounds: int) -> list[int]:
    """Training steps before the first round of visits, and after each: half, then equal shares of the rest."""
    if rounds == 0:
        return [total]
    return [total - rounds * (total // (2 * rounds)), *[total // (2 * rounds)] * rounds]
