"""A run of the twin whose demand shifts on the way: what adaptation is tested with."""

from __future__ import annotations

import numpy as np

from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm.planner.library import library_policies
from twm_twin.simulator import Twin

FIRST_STEP = 1_000


def shifted_run(
    spec: NetworkSpec, *, seed: int, scenario: str, horizons_before: int, horizons_after: int, factor: float
) -> list[FrameArrays]:
    """Frames of consecutive steps: `horizons_before` horizons as the spec says, then all demand times `factor`.

    Shares are those of a library policy, another one each horizon, held for its length.
    """
    if not 0.1 <= factor <= 10:
        raise InvalidInputError(f"factor: {factor:g} is outside 0.1..10")
    horizon = spec.timing.horizon_steps
    library, _ = library_policies(spec)
    generator = np.random.default_rng([seed, 7])
    twin = Twin(spec, 1)
    twin.reset([seed], [scenario], quiet_steps=horizon)
    frames = []
    for block in range(horizons_before + horizons_after):
        if block == horizons_before:
            for path in twin.paths:
                path.scale *= factor
        pick = library.take([int(generator.integers(library.count))])
        for _ in range(horizon):
            result = twin.step(pick.prb_share_KHCS[:, 0], pick.bandwidth_share_KHLS[:, 0])
            frame = twin.frames(result).frame(0)
            frame.step = FIRST_STEP + result.step
            frame.start_s = frame.step * spec.timing.slow_step_s
            frames.append(frame)
    return frames
