"""Episodes to train forecast rivals on: as twm_bench.axes.episodes records them, but on training seeds, which that one refuses.

Shape suffixes: N episodes, T slow steps, C cells, S slices, L links.
"""

from __future__ import annotations

import numpy as np

from twm.core.frames import BLOCKS, FrameArrays
from twm.core.network import NetworkSpec
from twm_bench.axes.episodes import HORIZONS, Recording
from twm_train.logging_policies import POLICY_SHARES, LoggingPolicies
from twm_twin.calendar import noisy_calendar
from twm_twin.recording import frame_blocks
from twm_twin.scenarios import SCENARIOS
from twm_twin.seeds import seeds
from twm_twin.simulator import Twin

FIRST_SEED = 0x3000
"""Within the training range."""
SEEDS_A_BATCH = 16
_STREAM = 0xB5


def training_recording(spec: NetworkSpec, count: int) -> tuple[Recording, int, int]:
    """(one episode for each of `count` seeds and each scenario under the mixed logging policies, first seed, last seed)."""
    chosen = seeds("training", count, FIRST_SEED)
    parts = [_record(spec, chosen[at : at + SEEDS_A_BATCH]) for at in range(0, count, SEEDS_A_BATCH)]
    recording = Recording(
        spec=spec,
        blocks={name: np.concatenate([part.blocks[name] for part in parts]) for name in BLOCKS},
        calendars=tuple(calendar for part in parts for calendar in part.calendars),
        prb_NTCS=np.concatenate([part.prb_NTCS for part in parts]),
        bandwidth_NTLS=np.concatenate([part.bandwidth_NTLS for part in parts]),
        seed_N=np.concatenate([part.seed_N for part in parts]),
        scenarios=tuple(name for part in parts for name in part.scenarios),
    )
    return recording, chosen[0], chosen[-1]


def _record(spec: NetworkSpec, chosen: list[int]) -> Recording:
    pairs = [(seed, name) for seed in chosen for name in SCENARIOS]
    horizon, size = spec.timing.horizon_steps, len(pairs)
    generator = np.random.default_rng([_STREAM, *chosen])
    kinds = list(POLICY_SHARES)
    kind = [kinds[i] for i in generator.choice(len(kinds), size, p=list(POLICY_SHARES.values()))]
    policies = LoggingPolicies(spec, kind, generator)
    twin = Twin(spec, size)
    twin.reset([seed for seed, _ in pairs], [name for _, name in pairs], quiet_steps=horizon)
    newest: list[FrameArrays | None] = [None] * size
    seen, taken = [], []
    for step in range(HORIZONS * horizon):
        prb, bandwidth, _ = policies.act(step, newest)
        batch = twin.frames(twin.step(prb, bandwidth))
        seen.append(frame_blocks(batch))
        newest = [batch.frame(i) if kind[i] == "reactive" else None for i in range(size)]
        taken.append((prb, bandwidth))
    return Recording(
        spec=spec,
        blocks={name: np.stack([blocks[name] for blocks in seen], 1) for name in BLOCKS},
        calendars=tuple(
            tuple(noisy_calendar(twin.layout, seed, name, horizons=HORIZONS + 1, quiet_steps=horizon)) for seed, name in pairs
        ),
        prb_NTCS=np.stack([prb for prb, _ in taken], 1).astype(np.float32),
        bandwidth_NTLS=np.stack([bandwidth for _, bandwidth in taken], 1).astype(np.float32),
        seed_N=np.array([seed for seed, _ in pairs], np.int64),
        scenarios=tuple(name for _, name in pairs),
    )
