"""The Gymnasium environment passes Gymnasium's checker and is reproducible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from twm.core.errors import InvalidInputError
from twm.core.network import load_network
from twm.core.paths import find_network
from twm_twin.gym_env import SliceEnv
from twm_twin.seeds import purpose_of

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"


@pytest.mark.parametrize(
    "path", [find_network("poc-city"), find_network("explora-cell"), COAST], ids=["poc", "explora", "coast"]
)
def test_the_checker_is_content_and_an_episode_is_a_horizon(path: Path) -> None:
    spec = load_network(path)
    env = SliceEnv(spec)
    check_env(env, skip_render_check=True)
    env.reset(seed=4, options={"scenario": "wave-ood"})
    env.action_space.seed(1)
    for step in range(spec.timing.horizon_steps):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert np.isfinite(reward)
        assert not terminated
        assert truncated == (step == spec.timing.horizon_steps - 1)
    assert 0.0 <= info["horizon_scm"] <= 1.0


def test_resets_draw_training_seeds_and_options_are_checked() -> None:
    env = SliceEnv(load_network(COAST))
    env.reset(seed=4)
    drawn = {env.reset()[1]["network_seed"] for _ in range(5)}
    assert len(drawn) == 5
    assert {purpose_of(seed) for seed in drawn} == {"training"}
    with pytest.raises(InvalidInputError, match="options: 'speed' are not known"):
        env.reset(options={"speed": 1})
