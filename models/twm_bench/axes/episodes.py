"""Windows the models are measured on: twin episodes under the mixed logging policies, recorded once, read as served frames.

An episode is a quiet horizon and two more. A window ends with a step from the end of the quiet horizon on and is followed by a
whole horizon. In variant `calendar` frames carry the noisy calendar, in `history` they don't; all else is the same.

Shape suffixes: N episodes, T slow steps, B windows, H horizon steps, C cells, S slices, L links, P KPIs, X exogenous columns,
F field features, A action columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import PolicyArrays
from twm.core.errors import InvalidInputError
from twm.core.features import exogenous_of, field_features, slice_kpis
from twm.core.frames import BLOCKS, Float, FrameArrays, block_shapes
from twm.core.network import NetworkSpec
from twm_train.logging_policies import POLICY_SHARES, LoggingPolicies
from twm_twin.calendar import known_at, noisy_calendar
from twm_twin.recording import frame_blocks
from twm_twin.scenarios import SCENARIOS
from twm_twin.seeds import Purpose, require, seeds
from twm_twin.simulator import Twin

VARIANTS = ("history", "calendar")
HORIZONS = 3
STRIDE = 3
BATCH = 64
_STREAM = 0xB3
TUNING_OFFSET = 0x6000
"""Part of the validation range that baselines are fitted on; models are never fitted or chosen there."""


@dataclass(frozen=True)
class Recording:
    """Recorded episodes."""

    spec: NetworkSpec
    blocks: dict[str, Float]
    """Frame blocks, each [N, T, ...]."""
    calendars: tuple[tuple[telemetry_pb2.KnownEvent, ...], ...]
    """Noisy calendar of each episode."""
    prb_NTCS: Float
    bandwidth_NTLS: Float
    seed_N: NDArray[np.int64]
    scenarios: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Slow steps, T."""
        return int(self.prb_NTCS.shape[1])

    @cached_property
    def kpis_NTSP(self) -> Float:
        """Slice KPIs as seen."""
        return slice_kpis(self.blocks)

    @cached_property
    def exogenous_NTX(self) -> Float:
        """Exogenous columns as seen."""
        return exogenous_of(self.blocks, self.spec)

    @cached_property
    def field_NTCF(self) -> Float:
        """Field features."""
        before = {k: np.concatenate([np.full_like(v[:, :1], np.nan), v[:, :-1]], 1) for k, v in self.blocks.items()}
        return field_features(self.blocks, before, self.spec)

    def frames(self, episode: int, newest: int, count: int, variant: str) -> list[FrameArrays]:
        """The `count` frames that end with step `newest`, as a consumer of the variant sees them."""
        if variant not in VARIANTS:
            raise InvalidInputError(f"variant: {variant[:64]!r} is not one of {', '.join(VARIANTS)}")
        seconds, horizon = self.spec.timing.slow_step_s, self.spec.timing.horizon_steps
        told = self.calendars[episode] if variant == "calendar" else ()
        return [
            FrameArrays(
                step=step,
                start_s=step * seconds,
                events=list(known_at(told, step, horizon)),
                **{name: block[episode, step] for name, block in self.blocks.items()},
            )
            for step in range(max(newest - count + 1, 0), newest + 1)
        ]

    def policy(self, episode: int, newest: int) -> PolicyArrays:
        """Shares in force in the horizon after step `newest`, as one policy."""
        ahead = slice(newest + 1, newest + 1 + self.spec.timing.horizon_steps)
        return PolicyArrays(
            prb_share_KHCS=self.prb_NTCS[episode, ahead][None], bandwidth_share_KHLS=self.bandwidth_NTLS[episode, ahead][None]
        )


@dataclass(frozen=True)
class Windows:
    """Which (episode, newest step) are measured."""

    recording: Recording
    episode_B: NDArray[np.intp]
    newest_B: NDArray[np.intp]

    @property
    def count(self) -> int:
        """Windows, B."""
        return len(self.episode_B)

    @cached_property
    def shifted_B(self) -> NDArray[np.bool_]:
        """Whether the window is out of distribution."""
        return np.array([self.recording.scenarios[i].endswith("-ood") for i in self.episode_B], bool)

    def ahead(self, values_NT: Float) -> Float:
        """The horizon after each window [B, H, ...] of recorded values [N, T, ...]."""
        steps = self.newest_B[:, None] + 1 + np.arange(self.recording.spec.timing.horizon_steps)
        return np.asarray(values_NT[self.episode_B[:, None], steps])

    def past(self, values_NT: Float, count: int) -> Float:
        """The `count` steps that end with each window [B, count, ...]; NaN before the episode."""
        steps = self.newest_B[:, None] - count + 1 + np.arange(count)
        found = values_NT[self.episode_B[:, None], np.maximum(steps, 0)]
        return np.where((steps >= 0).reshape(*steps.shape, *([1] * (found.ndim - 2))), found, np.float32(np.nan))

    def thinned(self, limit: int) -> Windows:
        """At most `limit` of them, evenly."""
        if self.count <= limit:
            return self
        keep = np.linspace(0, self.count - 1, limit).astype(np.intp)
        return Windows(self.recording, self.episode_B[keep], self.newest_B[keep])


def windows_of(recording: Recording, stride: int = STRIDE) -> Windows:
    """Every `stride`-th window of every episode, from the end of the quiet horizon on."""
    horizon = recording.spec.timing.horizon_steps
    newest = np.arange(horizon - 1, recording.steps - horizon, stride)
    episode, at = (grid.reshape(-1) for grid in np.meshgrid(np.arange(len(recording.seed_N)), newest, indexing="ij"))
    return Windows(recording, episode.astype(np.intp), at.astype(np.intp))


def record(spec: NetworkSpec, purpose: Purpose, chosen: Sequence[int], scenarios: Sequence[str] = SCENARIOS) -> Recording:
    """Record one episode for each seed and scenario. Same arguments, same data.

    Evaluation seeds are for the benchmark's full run; training's own recorder refuses them. Raises InvalidInputError where a
    seed lies outside the range of `purpose`, or the purpose is neither evaluation nor validation.
    """
    if purpose not in ("evaluation", "validation"):
        raise InvalidInputError(f"purpose: {purpose!r} is neither evaluation nor validation: nothing is measured there")
    require(purpose, list(chosen))
    pairs = [(int(seed), name) for seed in chosen for name in scenarios]
    if not pairs:
        raise InvalidInputError("seeds, scenarios: none, at least one of each")
    parts = [_record_batch(spec, pairs[i : i + BATCH]) for i in range(0, len(pairs), BATCH)]
    return Recording(
        spec=spec,
        blocks={name: np.concatenate([part.blocks[name] for part in parts]) for name in BLOCKS},
        calendars=tuple(calendar for part in parts for calendar in part.calendars),
        prb_NTCS=np.concatenate([part.prb_NTCS for part in parts]),
        bandwidth_NTLS=np.concatenate([part.bandwidth_NTLS for part in parts]),
        seed_N=np.concatenate([part.seed_N for part in parts]),
        scenarios=tuple(name for _, name in pairs),
    )


def tuning_recording(spec: NetworkSpec, count: int = 16) -> Recording:
    """What baselines are fitted on: validation seeds of their own, `count` a scenario."""
    return record(spec, "validation", seeds("validation", count, TUNING_OFFSET))


def _record_batch(spec: NetworkSpec, pairs: Sequence[tuple[int, str]]) -> Recording:
    horizon, size = spec.timing.horizon_steps, len(pairs)
    steps = HORIZONS * horizon
    chosen, names = [seed for seed, _ in pairs], [name for _, name in pairs]
    generator = np.random.default_rng([_STREAM, *chosen])
    kinds = list(POLICY_SHARES)
    kind = [kinds[i] for i in generator.choice(len(kinds), size, p=list(POLICY_SHARES.values()))]
    policies = LoggingPolicies(spec, kind, generator)
    twin = Twin(spec, size)
    twin.reset(chosen, names, quiet_steps=horizon)
    newest: list[FrameArrays | None] = [None] * size
    blocks = {name: np.empty((size, steps, *shape), np.float32) for name, shape in block_shapes(spec).items()}
    taken: list[tuple[Float, Float]] = []
    for step in range(steps):
        prb, bandwidth, _ = policies.act(step, newest)
        batch = twin.frames(twin.step(prb, bandwidth))
        for name, block in frame_blocks(batch).items():
            blocks[name][:, step] = block
        newest = [batch.frame(i) if kind[i] == "reactive" else None for i in range(size)]
        taken.append((prb, bandwidth))
    layout = twin.layout
    return Recording(
        spec=spec,
        blocks=blocks,
        calendars=tuple(
            tuple(noisy_calendar(layout, seed, name, horizons=HORIZONS + 1, quiet_steps=horizon)) for seed, name in pairs
        ),
        prb_NTCS=np.stack([prb for prb, _ in taken], 1).astype(np.float32),
        bandwidth_NTLS=np.stack([bandwidth for _, bandwidth in taken], 1).astype(np.float32),
        seed_N=np.array(chosen, np.int64),
        scenarios=tuple(names),
    )
