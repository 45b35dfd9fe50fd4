"""The clairvoyant oracle: cross-entropy search in the twin on the true future. The yardstick of the benchmark, not a contender.

The search runs over a few factors of a demand-aware template first (margins, headrooms, how losses are split), then over
row-wise corrections of the best. Policies that save less than asked are scored by how far they miss it.

Shape suffixes: K candidates, H slow steps, C cells, L links, S slices, R rows (cells, then links), D search dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, project_shares, saving_ratio
from twm.core.scm import sla_margins
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures, Outcome, simulate
from twm_twin.radio import efficiency

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class OracleOptions:
    """Effort of the search."""

    candidates: int = 192
    """Candidates of a round."""
    elites: int = 20
    template_rounds: int = 8
    row_rounds: int = 16
    saving_min_ratio: float = 0.08
    """Control saving that the policy must reach."""

    @property
    def calls(self) -> int:
        """Twin calls of one search."""
        return self.candidates * (self.template_rounds + self.row_rounds)


@dataclass(frozen=True)
class OracleResult:
    """The best policy found."""

    policy: PolicyArrays
    scm: float
    saving_ratio: float


def objective(layout: TwinLayout, outcome: Outcome, saving_K: Doubles, saving_min_ratio: float) -> Doubles:
    """Score [K, J]: least SLA margin, unfloored (but at most 1 below zero), less what the saving misses, tenfold."""
    margins = sla_margins(outcome.loss_ratio_S, outcome.delay_p99_ms_S, layout.topology)
    least = np.where(np.isnan(margins), np.inf, np.maximum(margins, -5.0)).min((-2, -1))
    soft = np.where(least < 0.0, least / 5.0, least)
    return np.asarray(soft - 10.0 * np.maximum(saving_min_ratio - saving_K, 0.0)[:, None])


def search(
    layout: TwinLayout,
    future: Futures,
    options: OracleOptions,
    generator: np.random.Generator,
    *,
    running: PolicyArrays | None = None,
) -> OracleResult:
    """Best policy for one future. `running`: shares in force, from which changes count; without them the first is free."""
    need_HRS = needs(layout, future)
    best_score, best_policy, best_scm, best_saving = -np.inf, None, 0.0, 0.0

    def judge(policies: PolicyArrays) -> Doubles:
        nonlocal best_score, best_policy, best_scm, best_saving
        outcome = simulate(layout, policies, future)
        saving = saving_ratio(policies, layout.spec, running)
        score = objective(layout, outcome, saving, options.saving_min_ratio)[:, 0]
        top = int(np.argmax(score))
        if score[top] > best_score:
            best_score, best_policy = float(score[top]), policies.take([top])
            best_scm, best_saving = float(outcome.scm[top, 0]), float(saving[top])
        return score

    s, rows = len(layout.spec.slices), need_HRS.shape[1]
    mean = np.concatenate([np.full(s, 0.2), np.full(s, 0.2), np.full(2, 0.15), [0.3]])
    std = np.concatenate([np.full(s, 0.25), np.full(s, 0.25), np.full(2, 0.08), [0.3]])
    for _ in range(options.template_rounds):
        draws = mean + std * generator.standard_normal((options.candidates, len(mean)))
        score = judge(pack(layout, np.stack([template(layout, need_HRS, d) for d in draws])))
        elite = draws[np.argsort(-score)[: options.elites]]
        mean, std = elite.mean(0), np.maximum(elite.std(0), 0.02)
    assert best_policy is not None
    base = np.concatenate([best_policy.prb_share_KHCS[0], best_policy.bandwidth_share_KHLS[0]], 1).astype(np.float64)
    knots = min(4, base.shape[0])
    at, grid = np.linspace(0, knots - 1, base.shape[0]), np.arange(knots)
    spline_HN = np.stack([np.maximum(1.0 - np.abs(at - g), 0.0) for g in grid], 1)
    mean, std = np.zeros((knots, rows, s)), np.full((knots, rows, s), 0.12)
    for _ in range(options.row_rounds):
        draws = mean + std * generator.standard_normal((options.candidates, *mean.shape))
        draws[0] = mean
        score = judge(pack(layout, base * np.exp(np.einsum("hn,knrs->khrs", spline_HN, draws))))
        elite = draws[np.argsort(-score)[: options.elites]]
        mean, std = 0.3 * mean + 0.7 * elite.mean(0), 0.3 * std + 0.7 * np.maximum(elite.std(0), 0.02)
    return OracleResult(best_policy, best_scm, best_saving)


def needs(layout: TwinLayout, future: Futures) -> Doubles:
    """Share [H, R, S] that the mean demand of each slow step needs, in cells and on links, of a single future."""
    demand_HCS = future.demand_mbps_JHTCS[0].mean(1)
    radio, activity_J = layout.parameters.radio, np.ones(demand_HCS.shape[1])
    capacity_C = efficiency(future.noise_JCQ[0], future.interference_JCQJ[0], activity_J, radio) * layout.bandwidth_mhz
    cells = demand_HCS / (capacity_C * future.efficiency_scale_JHC[0])[..., None]
    h, n_links = demand_HCS.shape[0], layout.topology.route.shape[1]
    link_load = np.zeros((h, n_links, demand_HCS.shape[2]))
    for step in range(h):
        for c, kind in enumerate(future.route_JHC[0, step]):
            for r, n in enumerate(layout.route_link_2CR[kind, c]):
                if n >= 0:
                    factor = layout.uplink_ratio_S if layout.route_uplink_2CR[kind, c, r] else 1.0
                    link_load[step, n] += demand_HCS[step, c] * factor
    capacity_HL = future.link_capacity_mbps_JHL[0]
    links = np.divide(link_load, capacity_HL[..., None], out=np.zeros_like(link_load), where=capacity_HL[..., None] > 0)
    return np.concatenate([cells, links], 1)


def template(layout: TwinLayout, need_HRS: Doubles, factors_D: Doubles) -> Doubles:
    """Shares [H, R, S]: need x (1 + margin) by slice, headroom for bounded slices, overload by priority."""
    s, c = need_HRS.shape[2], len(layout.spec.cells)
    bounded = layout.delay_bounded_S
    margin_RS = np.where(np.arange(need_HRS.shape[1])[:, None] < c, factors_D[:s], factors_D[s : 2 * s])
    headroom_R = np.where(np.arange(need_HRS.shape[1]) < c, factors_D[2 * s], factors_D[2 * s + 1])
    wanted = need_HRS * np.maximum(1.0 + margin_RS, 0.1) + np.where(bounded, np.maximum(headroom_R, 0.0)[:, None], 0.0)
    first = np.where(bounded, wanted, 0.0)
    first *= np.minimum(1.0, 0.7 / np.maximum(first.sum(-1, keepdims=True), 1e-9))
    room = 1.0 - first.sum(-1, keepdims=True)
    rest = np.where(bounded, 0.0, wanted)
    total = rest.sum(-1, keepdims=True)
    # Overload: between an even cut (0) and a cut by what the SLAs allow (1).
    allowed = np.nan_to_num(layout.topology.loss_max_ratio, nan=1.0)
    ratio = (total - room) / np.maximum((rest * allowed).sum(-1, keepdims=True), 1e-9)
    by_sla = rest * np.maximum(1.0 - ratio * allowed, 0.0)
    even = rest * room / np.maximum(total, 1e-9)
    mix = float(np.clip(factors_D[2 * s + 2], 0.0, 1.0))
    return first + np.where(total > room, (1.0 - mix) * even + mix * by_sla, rest)


def pack(layout: TwinLayout, shares_KHRS: Doubles) -> PolicyArrays:
    """Shares as feasible policies."""
    c = len(layout.spec.cells)
    return PolicyArrays(
        prb_share_KHCS=project_shares(shares_KHRS[:, :, :c], layout.topology.prb_floor),
        bandwidth_share_KHLS=project_shares(shares_KHRS[:, :, c:], layout.topology.bandwidth_floor),
    )
