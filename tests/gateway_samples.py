"""Proposals and frames for the gateway's tests: a proposal that passes every check, and frames with known KPIs."""

from __future__ import annotations

import time

import numpy as np

from twm.api.planning.v1 import planning_pb2
from twm.core.actions import PolicyArrays, encode_policies
from twm.core.frames import CELL_SLICE_FEATURES, FAST_FEATURES, LINK_SLICE_FEATURES, FrameArrays
from twm.core.kpis import KPI_NAMES
from twm.core.network import NetworkSpec

LEVELS = (0.05, 0.5, 0.95)


def shares(spec: NetworkSpec, steps: int, row: tuple[float, ...] = (0.4, 0.3, 0.2)) -> PolicyArrays:
    """One policy with the same row everywhere."""
    c, s, n_links = spec.sizes
    assert len(row) == s
    return PolicyArrays(
        prb_share_KHCS=np.broadcast_to(np.array(row, np.float32), (1, steps, c, s)).copy(),
        bandwidth_share_KHLS=np.broadcast_to(np.array(row, np.float32), (1, steps, n_links, s)).copy(),
    )


def good_proposal(spec: NetworkSpec, step: int = 100, *, created_s: float | None = None) -> planning_pb2.Proposal:
    """A search proposal that holds every default rule."""
    h, s = spec.timing.horizon_steps, len(spec.slices)
    proposal = planning_pb2.Proposal(
        proposal_id=f"{spec.area_id}/{step}",
        area_id=spec.area_id,
        step=step,
        spec_digest=spec.digest(),
        source=planning_pb2.PROPOSAL_SOURCE_SEARCH,
        policy=encode_policies(shares(spec, h)),
        running=encode_policies(shares(spec, 1, (1 / 3,) * s)),
        chosen_index=0,
        evaluation_count=640,
        twin_call_count=12,
        predicted_scm=0.4,
        running_predicted_scm=0.2,
        violation_probability=[0.1] * s,
        any_violation_probability=0.2,
        disagreement=0.05,
        ood_score=0.8,
        saving_ratio=0.1,
    )
    proposal.candidates.add(
        origin="cem:5",
        scm_mean=0.4,
        violation_probability=0.2,
        disagreement=0.05,
        score=0.4,
        scm_cvar=0.2,
        slice_violation_probability=[0.1] * s,
    )
    proposal.candidates.add(
        origin="running", scm_mean=0.2, violation_probability=0.5, scm_cvar=0.1, slice_violation_probability=[0.3] * s
    )
    proposal.verifications.add(candidate_index=0, scm_mean=0.38, violation_ratio=0.25, passed=True)
    proposal.models.add(name="cdwm", version="poc-city-1", digest="ab" * 32)
    proposal.models.add(name="fwm", version="poc-city-1", digest="cd" * 32)
    for policy in ("proposed", "running"):
        proposal.fans.append(fan(spec, policy))
    proposal.timings.add(part="rollout", seconds=0.3)
    proposal.effective.FromNanoseconds(round((step + 1) * spec.timing.slow_step_s * 1e9))
    proposal.created.FromNanoseconds(round((time.time() if created_s is None else created_s) * 1e6) * 1000)
    return proposal


def fallback_proposal(spec: NetworkSpec, step: int = 100, *, created_s: float | None = None) -> planning_pb2.Proposal:
    """A reactive fallback: shares and a reason, no model numbers."""
    proposal = good_proposal(spec, step, created_s=created_s)
    proposal.source = planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK
    proposal.fallback_reason = "unavailable: inference does not answer"
    for field in ("running_predicted_scm", "any_violation_probability", "disagreement", "ood_score", "predicted_scm"):
        proposal.ClearField(field)
    for field in ("violation_probability", "models", "verifications", "fans", "candidates"):
        proposal.ClearField(field)
    return proposal


def fan(spec: NetworkSpec, policy: str) -> planning_pb2.KpiFan:
    """Loss .05/.10/.15, delay 10/15/20 ms, use .4/.5/.6, served 90/100/110 Mbps at levels .05/.5/.95, everywhere."""
    h, s = spec.timing.horizon_steps, len(spec.slices)
    values_QP = np.array([[0.05, 10, 0.4, 90], [0.10, 15, 0.5, 100], [0.15, 20, 0.6, 110]])
    values = np.broadcast_to(values_QP[None, :, None, :], (h, len(LEVELS), s, len(KPI_NAMES)))
    return planning_pb2.KpiFan(policy=policy, kpi_names=KPI_NAMES, quantile_levels=LEVELS, values=values.ravel().tolist())


def frame(
    spec: NetworkSpec,
    step: int,
    *,
    loss: float = 0.10,
    delay_ms: float = 15.0,
    offered_mbps: float = 10.0,
    share: float = 1 / 3,
) -> FrameArrays:
    """Every cell and slice measured alike; NaN arguments: not measured."""
    out = FrameArrays.missing(spec, step)
    for name, value in (
        ("offered_mbps", offered_mbps),
        ("served_mbps", offered_mbps * (1 - loss)),
        ("e2e_loss_ratio", loss),
        ("prb_share", share),
        ("prb_used_ratio", share / 2),
    ):
        out.cell_slice[..., CELL_SLICE_FEATURES.index(name)] = value
    out.fast[..., FAST_FEATURES.index("offered_mbps")] = offered_mbps
    out.fast[..., FAST_FEATURES.index("e2e_delay_ms")] = delay_ms
    out.link_slice[..., LINK_SLICE_FEATURES.index("bandwidth_share")] = share
    return out
