"""Starts: moments of the twin with candidate policies, and what truly came of each of them.

A start is a seed, a scenario and a moment: at the end of the quiet horizon, or half a horizon later. From there every candidate
runs the same horizon (common random numbers). Candidates: library policies, the same with noise, random shares held, and, since
hardly any of these keeps all SLAs, shares that follow demand with random margins and headrooms: the true demand of the horizon,
or that of its first step. These are where an optimiser goes. No candidate is chosen by a model: all models meet the same ones.

Shape suffixes: K candidates, H horizon steps, C cells, L links, S slices, R rows (cells, then links), D template factors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, project_shares
from twm.core.errors import InvalidInputError
from twm.core.frames import Float, FrameArrays
from twm.core.network import NetworkSpec
from twm.planner.library import library_policies
from twm_twin.calendar import known_at, noisy_calendar
from twm_twin.exogenous import ExogenousPath
from twm_twin.layout import TwinLayout
from twm_twin.oracle import needs, pack, template
from twm_twin.outcomes import Futures, Outcome, horizon_outcome
from twm_twin.redraw import Moment
from twm_twin.scenarios import SCENARIOS
from twm_twin.seeds import Purpose, require
from twm_twin.simulator import StepResult, Twin

Progress = Callable[[int], None]

KINDS = {"library": 0.25, "perturbed": 0.125, "random": 0.125, "foreseeing": 0.25, "following": 0.25}
"""Kind of candidate to its share."""
PERTURBATION, ROW_PERTURBATION = 0.35, 0.12
_STREAM = 0xB4


@dataclass(frozen=True)
class Start:
    """Candidates from one state, with what truly came of them."""

    seed: int
    scenario: str
    frames: list[FrameArrays]
    """Frames before the decision, without known events."""
    calendar: tuple[Any, ...]
    policies: PolicyArrays
    library_K: NDArray[np.bool_]
    truth: Outcome
    moment: Moment
    """Where the candidates begin, for studies that look inside the twin; no model sees it."""
    load_HCS: NDArray[np.float64]
    """Load that was offered [Mbps], retries of what was lost included, mean over the candidates; no model sees it."""

    def seen(self, variant: str, horizon: int) -> list[FrameArrays]:
        """The frames as a consumer of the variant sees them."""
        told = self.calendar if variant == "calendar" else ()
        return [replace(frame, events=list(known_at(told, frame.step, horizon))) for frame in self.frames]


def starts_of(
    spec: NetworkSpec,
    purpose: Purpose,
    chosen: Sequence[int],
    scenarios: Sequence[str] = SCENARIOS,
    *,
    candidates: int = 64,
    progress: Progress | None = None,
) -> list[Start]:
    """Play the candidates of one start for each seed and scenario. Same arguments, same starts.

    Raises InvalidInputError where a seed lies outside the range of `purpose`, or that is neither evaluation nor validation.
    """
    if purpose not in ("evaluation", "validation"):
        raise InvalidInputError(f"purpose: {purpose!r} is neither evaluation nor validation: nothing is measured there")
    require(purpose, list(chosen))
    horizon = spec.timing.horizon_steps
    found = []
    for i, seed in enumerate(chosen):
        for j, scenario in enumerate(scenarios):
            delay = (horizon // 2) * ((i + j) % 2)
            found.append(_play(spec, int(seed), scenario, horizon + delay, candidates))
            if progress:
                progress(1)
    return found


def _play(spec: NetworkSpec, seed: int, scenario: str, warm_up: int, candidates: int) -> Start:
    horizon = spec.timing.horizon_steps
    generator = np.random.default_rng([_STREAM, seed, SCENARIOS.index(scenario) if scenario in SCENARIOS else 0])
    policies, library_K = _candidates(spec, _future(spec, seed, scenario, warm_up), generator, candidates)
    k = policies.count
    before, _ = library_policies(spec)
    before = before.take([int(generator.integers(before.count))])
    twin = Twin(spec, k)
    twin.reset([seed] * k, [scenario] * k, quiet_steps=horizon)
    frames: list[FrameArrays] = []
    results: list[StepResult] = []
    queues: list[NDArray[np.float64]] = []
    for step in range(warm_up + horizon):
        if step == warm_up:
            queues = [q[0].copy() for q in (twin.queue_mbit_BCS, twin.link_queue_mbit_BLS, twin.retry_mbit_BCS)]
        source, at = (before, step % horizon) if step < warm_up else (policies, step - warm_up)
        prb, bandwidth = (
            np.ascontiguousarray(np.broadcast_to(a[:, at], (k, *a.shape[2:])))
            for a in (source.prb_share_KHCS, source.bandwidth_share_KHLS)
        )
        result = twin.step(prb, bandwidth)
        if step < warm_up:
            frames.append(twin.frames(result).frame(0))
        else:
            results.append(result)
    told = noisy_calendar(twin.layout, seed, scenario, horizons=3, quiet_steps=horizon)
    moment = Moment(seed, scenario, horizon, warm_up, *queues)
    load = np.stack([result.offered_mbit_BTCS.mean((0, 1)) / result.fast_step_s for result in results])
    return Start(seed, scenario, frames, tuple(told), policies, library_K, horizon_outcome(spec, results), moment, load)


def _future(spec: NetworkSpec, seed: int, scenario: str, first: int) -> Futures:
    """The exogenous horizon from slow step `first` on, queues empty: what `needs` looks at."""
    layout, horizon = TwinLayout.of(spec), spec.timing.horizon_steps
    path = ExogenousPath(layout, seed, scenario, horizon)
    blocks = [path.next_block() for _ in range(-(-(first + horizon) // horizon))]
    ahead = slice(first, first + horizon)
    up = np.concatenate([block.link_up_HL for block in blocks])[None, ahead]
    c, s, n_links = spec.sizes
    return Futures(
        demand_mbps_JHTCS=np.concatenate([block.demand_mbps_HTCS for block in blocks])[None, ahead],
        fading_JHTC=np.concatenate([block.fading_HTC for block in blocks])[None, ahead],
        noise_JCQ=path.geometry.noise_CQ[None],
        interference_JCQJ=path.geometry.interference_CQJ[None],
        efficiency_scale_JHC=np.ones((1, horizon, c)),
        link_capacity_mbps_JHL=up * layout.topology.link_capacity_mbps,
        route_JHC=layout.route_choice(up),
        queue_mbit_JCS=np.zeros((1, c, s)),
        link_queue_mbit_JLS=np.zeros((1, n_links, s)),
        retry_mbit_JCS=np.zeros((1, c, s)),
    )


def _templates(layout: TwinLayout, need_HRS: NDArray[np.float64], generator: np.random.Generator, count: int) -> PolicyArrays:
    """Demand-aware shares with random margins, headrooms and priorities, and a little noise in every row."""
    s = need_HRS.shape[2]
    mean = np.concatenate([np.full(2 * s, 0.2), np.full(2, 0.18), [0.3]])
    std = np.concatenate([np.full(2 * s, 0.2), np.full(2, 0.08), [0.3]])
    drawn_KD = mean + std * generator.standard_normal((count, len(mean)))
    shares = np.stack([template(layout, need_HRS, factors) for factors in drawn_KD])
    return pack(layout, shares * np.exp(ROW_PERTURBATION * generator.standard_normal((count, 1, *need_HRS.shape[1:]))))


def _candidates(
    spec: NetworkSpec, future: Futures, generator: np.random.Generator, count: int
) -> tuple[PolicyArrays, NDArray[np.bool_]]:
    library, _ = library_policies(spec)
    topology, horizon = spec.topology(), spec.timing.horizon_steps
    sizes = [max(1, round(count * share)) for share in KINDS.values()]
    plain_ones = library.take(generator.choice(library.count, min(sizes[0], library.count), replace=False))
    noisy = library.take(generator.choice(library.count, sizes[1]))

    def shaken(shares: Float, floor: NDArray[np.float64]) -> Float:
        noise = generator.standard_normal((shares.shape[0], 1, *shares.shape[2:]))
        return project_shares(np.maximum(shares, 1e-3) * np.exp(PERTURBATION * noise), floor)

    def random(rows: int, floor: NDArray[np.float64]) -> Float:
        drawn = generator.dirichlet(np.full(len(spec.slices), 2.0), (sizes[2], 1, rows)) * generator.uniform(0.7, 1.0)
        return np.repeat(project_shares(drawn, floor), horizon, 1)

    c, _, n_links = spec.sizes
    layout = TwinLayout.of(spec)
    need_HRS = needs(layout, future)
    parts = [
        plain_ones,
        PolicyArrays(
            prb_share_KHCS=shaken(noisy.prb_share_KHCS, topology.prb_floor),
            bandwidth_share_KHLS=shaken(noisy.bandwidth_share_KHLS, topology.bandwidth_floor),
        ),
        PolicyArrays(
            prb_share_KHCS=random(c, topology.prb_floor), bandwidth_share_KHLS=random(n_links, topology.bandwidth_floor)
        ),
        _templates(layout, need_HRS, generator, sizes[3]),
        _templates(layout, np.repeat(need_HRS[:1], horizon, 0), generator, sizes[4]),
    ]
    joined = PolicyArrays.concatenate(parts)
    return joined, np.arange(joined.count) < plain_ones.count
