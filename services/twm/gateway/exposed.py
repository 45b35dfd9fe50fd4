"""What dashboards show of the network and of the plans: gauges of the newest frame and the newest proposal.

Series are bounded by the network spec; areas of more than MAX_SERIES cells or links show none of them one by one.
"""

from __future__ import annotations

import math

import numpy as np

from twm.api.planning.v1 import planning_pb2
from twm.core import metrics
from twm.core.frames import FrameArrays
from twm.core.kpis import KPI_NAMES, slice_kpis
from twm.core.network import NetworkSpec
from twm.gateway.scoring import forecast_of

MAX_SERIES = 1000
BOUNDS = {0.05: "low", 0.5: "median", 0.95: "high"}


def expose_network(spec: NetworkSpec) -> None:
    """The bounds of the SLAs."""
    for entry in spec.slices:
        for kpi, bound in (("loss_ratio", entry.sla.loss_max_ratio), ("delay_p99_ms", entry.sla.delay_p99_max_ms)):
            if bound is not None:
                metrics.SLICE_SLA.labels(entry.id, kpi).set(bound)


def expose_frame(frame: FrameArrays, spec: NetworkSpec) -> None:
    """What was measured in the newest frame. What was not has no value (NaN)."""
    kpi_SP = slice_kpis(frame.blocks())
    for s, entry in enumerate(spec.slices):
        for p, kpi in enumerate(KPI_NAMES):
            metrics.SLICE_KPI.labels(entry.id, kpi).set(float(kpi_SP[s, p]))
    if len(spec.cells) <= MAX_SERIES:
        for cell, used in zip(spec.cells, frame.cell_feature("prb_used_ratio"), strict=True):
            metrics.CELL_USED.labels(cell.id).set(float(used))
    links = spec.transport.links
    if len(links) <= MAX_SERIES:
        served_LS, capacity_L = frame.link_slice_feature("served_mbps"), frame.link_feature("capacity_mbps")
        up_L = frame.link_feature("up_ratio")
        measured_L = np.asarray(~np.isnan(served_LS).all(-1))
        for i, link in enumerate(links):
            down = capacity_L[i] <= 0 or up_L[i] == 0
            used = 1.0 if down else float(np.nansum(served_LS[i]) / capacity_L[i]) if measured_L[i] else math.nan
            metrics.LINK_USED.labels(link.id).set(used)


def expose_proposal(proposal: planning_pb2.Proposal, spec: NetworkSpec) -> None:
    """What the newest proposal promises, and what it expects of the next step if nothing is changed."""
    for policy, value in (
        ("recommended", proposal.predicted_scm if proposal.HasField("predicted_scm") else math.nan),
        ("running", proposal.running_predicted_scm if proposal.HasField("running_predicted_scm") else math.nan),
    ):
        metrics.PLAN_SCM.labels(policy).set(value)
    metrics.PLAN_SAVING.set(proposal.saving_ratio)
    for gauge, field in (
        (metrics.PLAN_VIOLATION, "any_violation_probability"),
        (metrics.PLAN_DISAGREEMENT, "disagreement"),
        (metrics.PLAN_OOD, "ood_score"),
    ):
        gauge.set(getattr(proposal, field) if proposal.HasField(field) else math.nan)
    forecast = forecast_of(proposal, spec)
    if forecast.fan_HQSP is None:
        return
    for level, bound in BOUNDS.items():
        q = int(np.argmin(np.abs(np.array(forecast.quantile_levels) - level)))
        if abs(forecast.quantile_levels[q] - level) > 0.01:
            continue
        for s, entry in enumerate(spec.slices):
            for p, kpi in enumerate(KPI_NAMES):
                metrics.SLICE_KPI_PREDICTED.labels(entry.id, kpi, bound).set(float(forecast.fan_HQSP[0, q, s, p]))
