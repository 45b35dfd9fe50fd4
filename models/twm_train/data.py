"""Training data from the twin: what an operator could record (frames, actions, logging policy), never the simulator's inside.

Shape suffixes: N episodes, T slow steps, V history values, X exogenous columns, S slices, P KPIs, C cells, A action columns.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.features import (
    HistoryLayout,
    exogenous_of,
    field_features,
    history_columns,
    known_events,
    offered_by_slice,
    slice_kpis,
)
from twm.core.frames import BLOCKS, Float, FrameArrays, block_shapes
from twm.core.kpis import kpi_to_z
from twm.core.network import NetworkSpec
from twm_train.logging_policies import POLICY_SHARES, LoggingPolicies
from twm_twin.calendar import noisy_calendar
from twm_twin.layout import TwinLayout
from twm_twin.recording import frame_blocks
from twm_twin.simulator import Twin

SCENARIOS = ("hotspot-id", "wave-id", "hotspot-ood", "wave-ood")
TRAINING_SEED, VALIDATION_SEED = 0xA0000, 0xB0000
RANGE_LENGTH = 0x10000
BATCH = 64


@dataclass(frozen=True)
class Episodes:
    """Recorded episodes; NaN where nothing was measured."""

    values_NTV: Float
    """History values (twm.core.features.HistoryLayout), without the flags."""
    exogenous_NTX: Float
    kpi_z_NTSP: Float
    """KPIs in the space of twm.core.kpis.kpi_to_z."""
    offered_NTS: Float
    field_NTCF: Float
    action_NTA: Float
    """Shares in force in the step."""
    calendar_NTC: Float
    """What a noisy calendar says of the relative demand increase, in the steps of the episode and the H after it."""
    log_propensity_NT: NDArray[np.float64]
    kind_N: NDArray[np.int64]
    """Index into POLICY_SHARES."""
    scenario_N: NDArray[np.int64]
    """Index into SCENARIOS."""
    seed_N: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Episodes."""
        return len(self.seed_N)

    @property
    def steps(self) -> int:
        """Slow steps in each."""
        return int(self.values_NTV.shape[1])

    def digest(self) -> str:
        """SHA-256 over all arrays, hex."""
        digest = hashlib.sha256()
        for field in fields(self):
            array = np.ascontiguousarray(getattr(self, field.name))
            digest.update(f"{field.name}{array.shape}{array.dtype}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def take(self, which: NDArray[np.intp] | slice, steps: int | None = None) -> Episodes:
        """Some of the episodes; of each the first `steps` slow steps."""
        chosen = {field.name: getattr(self, field.name)[which] for field in fields(self)}
        if steps is not None:
            horizon = self.calendar_NTC.shape[1] - self.steps
            for name in chosen:
                if name.split("_")[-1].startswith("NT"):
                    chosen[name] = chosen[name][:, : steps + (horizon if name == "calendar_NTC" else 0)]
        return Episodes(**chosen)

    @staticmethod
    def concatenate(parts: Sequence[Episodes]) -> Episodes:
        """All episodes of `parts`."""
        return Episodes(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Episodes)})

    def save(self, path: Path) -> None:
        """Write as .npz."""
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **{field.name: getattr(self, field.name) for field in fields(self)})
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Episodes:
        """Read what `save` wrote."""
        with np.load(path) as data:
            return cls(**{field.name: data[field.name] for field in fields(cls)})


def record(
    spec: NetworkSpec,
    first_seed: int,
    count: int,
    steps: int,
    *,
    ray: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Episodes:
    """Record `count` episodes of `steps` slow steps under the mixed logging policies, seeds first_seed onwards.

    Scenarios alternate; kinds of policy are drawn by POLICY_SHARES. Same arguments, same data, on Ray (`ray`: address of a
    cluster, or "local") as in this process. Raises InvalidInputError where the seeds leave the ranges for training and
    validation.
    """
    first = next((seed for seed in (TRAINING_SEED, VALIDATION_SEED) if seed <= first_seed < seed + RANGE_LENGTH), None)
    if first is None or first_seed + count > first + RANGE_LENGTH:
        raise InvalidInputError(f"seeds: {first_seed}..{first_seed + count - 1} are neither for training nor for validation")
    batches = [(first_seed + start, min(BATCH, count - start)) for start in range(0, count, BATCH)]
    if ray is not None:
        return Episodes.concatenate(_on_ray(spec, batches, steps, ray, progress))
    parts = []
    for start, size in batches:
        parts.append(_record_batch(spec, start, size, steps))
        if progress:
            progress(size)
    return Episodes.concatenate(parts)


def _on_ray(
    spec: NetworkSpec,
    batches: Sequence[tuple[int, int]],
    steps: int,
    address: str,
    progress: Callable[[int], None] | None,
) -> list[Episodes]:
    """The batches, in order, recorded on a Ray cluster. Raises UnavailableError where Ray is not installed."""
    try:
        ray: Any = importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise UnavailableError("ray is not installed: install twm[ray]") from error
    where = {"include_dashboard": False} if address == "local" else {"address": address}
    ray.init(log_to_driver=False, logging_level="ERROR", **where)
    try:
        play = ray.remote(num_cpus=1)(_record_batch)
        waiting = {play.remote(spec, start, size, steps): (start, size) for start, size in batches}
        found: dict[int, Episodes] = {}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            for reference in done:
                start, size = waiting.pop(reference)
                found[start] = ray.get(reference)
                if progress:
                    progress(size)
        return [found[start] for start, _ in batches]
    finally:
        ray.shutdown()


def _record_batch(spec: NetworkSpec, first_seed: int, size: int, steps: int) -> Episodes:
    generator = np.random.default_rng([0x7477, first_seed])
    seeds = np.arange(first_seed, first_seed + size, dtype=np.int64)
    scenario = (seeds % len(SCENARIOS)).astype(np.int64)
    # Each second round of scenarios begins with a quiet horizon, as a scored horizon of the benchmark does.
    quiet = spec.timing.horizon_steps * (seeds // len(SCENARIOS) % 2)
    names = list(POLICY_SHARES)
    kind = generator.choice(len(names), size, p=list(POLICY_SHARES.values()))
    twins = [(Twin(spec, int((quiet == q).sum())), np.flatnonzero(quiet == q), int(q)) for q in np.unique(quiet)]
    for twin, which, steps_quiet in twins:
        twin.reset(seeds[which], [SCENARIOS[i] for i in scenario[which]], quiet_steps=steps_quiet)
    policies = LoggingPolicies(spec, [names[i] for i in kind], generator)
    reactive = {b for b in range(size) if names[kind[b]] == "reactive"}
    frames: list[FrameArrays | None] = [None] * size
    seen, actions, propensities = [], [], []
    for step in range(steps):
        prb, bandwidth, log_propensity = policies.act(step, frames)
        merged = {name: np.full((size, *shape), np.nan, np.float32) for name, shape in block_shapes(spec).items()}
        for twin, which, _ in twins:
            batch = twin.frames(twin.step(prb[which], bandwidth[which]))
            for name, block in frame_blocks(batch).items():
                merged[name][which] = block
            for row, b in enumerate(which):
                frames[b] = batch.frame(row) if b in reactive else None
        seen.append(merged)
        actions.append(np.concatenate([prb.reshape(size, -1), bandwidth.reshape(size, -1)], -1))
        propensities.append(log_propensity)
    blocks = {name: np.stack([frame[name] for frame in seen], 1) for name in BLOCKS}
    return derive(
        spec,
        blocks,
        action_NTA=np.stack(actions, 1).astype(np.float32),
        calendar_NTC=np.stack(
            [calendar_of(spec, int(s), SCENARIOS[i], steps, int(q)) for s, i, q in zip(seeds, scenario, quiet, strict=True)]
        ),
        log_propensity_NT=np.stack(propensities, 1),
        kind_N=kind.astype(np.int64),
        scenario_N=scenario,
        seed_N=seeds,
    )


def derive(
    spec: NetworkSpec,
    blocks: dict[str, Float],
    *,
    action_NTA: Float,
    log_propensity_NT: NDArray[np.float64],
    calendar_NTC: Float | None = None,
    kind_N: NDArray[np.int64],
    scenario_N: NDArray[np.int64],
    seed_N: NDArray[np.int64],
) -> Episodes:
    """Features and targets of recorded frame blocks [N, T, ...]."""
    layout = HistoryLayout.of(spec)
    n, t, c = blocks["cell"].shape[:3]
    columns = history_columns(blocks, spec)
    values, known = columns[..., : layout.value_count], columns[..., layout.value_count :]
    padded = {name: np.concatenate([np.full_like(block[:, :1], np.nan), block], 1) for name, block in blocks.items()}
    return Episodes(
        values_NTV=np.where(known > 0, values, np.float32(np.nan)),
        exogenous_NTX=exogenous_of(blocks, spec),
        kpi_z_NTSP=kpi_to_z(slice_kpis(blocks)).astype(np.float32),
        offered_NTS=offered_by_slice(blocks),
        field_NTCF=field_features(blocks, {k: v[:, :-1] for k, v in padded.items()}, spec),
        action_NTA=action_NTA,
        calendar_NTC=np.zeros((n, t + spec.timing.horizon_steps, c), np.float32) if calendar_NTC is None else calendar_NTC,
        log_propensity_NT=log_propensity_NT,
        kind_N=kind_N,
        scenario_N=scenario_N,
        seed_N=seed_N,
    )


def calendar_of(spec: NetworkSpec, seed: int, scenario: str, steps: int, quiet_steps: int) -> Float:
    """Expected relative demand increase [steps + H, C] by the noisy calendar of an episode; 0 where it names nothing."""
    horizon = spec.timing.horizon_steps
    events = noisy_calendar(
        TwinLayout.of(spec), seed, scenario, horizons=-(-(steps + horizon) // horizon), quiet_steps=quiet_steps
    )
    pieces = [known_events(events, spec, first - 1) for first in range(0, steps + horizon, horizon)]
    return np.nan_to_num(np.concatenate(pieces, 1), nan=0.0)[:, : steps + horizon].T


def summed_share(action_NTA: Float, spec: NetworkSpec) -> Float:
    """Summed PRB share of each cell [..., C]."""
    c, s, _ = spec.sizes
    return np.asarray(action_NTA[..., : c * s].reshape(*action_NTA.shape[:-1], c, s).sum(-1))
