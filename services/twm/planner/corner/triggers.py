"""Signs of a corner case: pure functions of the forecast, the last forecast, the SLA account and the plan of the search.

Shape suffixes: R rows (cells, then links), S slices, G zones and then cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.core.account import SlaAccount
from twm.core.network import NetworkSpec, Topology
from twm.core.scm import sla_margins
from twm.core.templates import ScopeKind
from twm.planner.corner.expectation import Expectation
from twm.planner.corner.outlook import Outlook
from twm.planner.corner.settings import CornerSettings

TriggerKind = Literal["field_risk", "disagreement", "surprise", "link_outage", "account"]
TRIGGER_KINDS: tuple[TriggerKind, ...] = get_args(TriggerKind)
MAX_TRIGGERS = 64


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """One sign, beyond its threshold."""

    kind: TriggerKind
    scope_kind: ScopeKind | Literal["slice"] = "area"
    scope: str = ""
    value: float
    threshold: float

    @property
    def severity(self) -> float:
        """How far beyond, as a ratio: what the worst is told by."""
        if self.kind == "account":
            return 1.0 + self.threshold - self.value
        return abs(self.value) / max(self.threshold, 1e-9)

    def to_message(self) -> planning_pb2.CornerTrigger:
        """As protobuf."""
        return planning_pb2.CornerTrigger(kind=self.kind, scope=self.scope, value=self.value, threshold=self.threshold)


def field_risk(outlook: Outlook, spec: NetworkSpec, topology: Topology, settings: CornerSettings) -> list[Trigger]:
    """Zones whose worst cell, cells of no zone, and links that the forecast asks too much of."""
    stress_R = outlook.stress_R
    c = len(spec.cells)
    found: list[tuple[ScopeKind, str, float]] = []
    for zone, members in zip(spec.zones, topology.zone_member, strict=True):
        found.append(("zone", zone.id, float(stress_R[:c][members].max())))
    lone = ~topology.zone_member.any(0) if len(spec.zones) else np.ones(c, bool)
    found += [("cell", spec.cells[i].id, float(stress_R[i])) for i in np.flatnonzero(lone)]
    found += [("link", link.id, float(stress_R[c + i])) for i, link in enumerate(spec.transport.links)]
    return [
        Trigger(kind="field_risk", scope_kind=kind, scope=scope, value=value, threshold=settings.field_risk)
        for kind, scope, value in found
        if value >= settings.field_risk
    ]


def disagreement(value: float, settings: CornerSettings) -> list[Trigger]:
    """Members of the ensemble that do not agree on the plan of the search."""
    return (
        [Trigger(kind="disagreement", value=value, threshold=settings.disagreement)] if value >= settings.disagreement else []
    )


def surprise_sigma(observed_G: NDArray[np.float64], expected: Expectation, settings: CornerSettings) -> NDArray[np.float64]:
    """How far what was observed lies above the forecast [G], in its standard deviations; 0 where it was not measured."""
    spread = np.maximum(expected.std_G, settings.surprise_floor_ratio * expected.mean_G)
    sigma = np.where(spread > 0, (observed_G - expected.mean_G) / np.maximum(spread, 1e-9), 0.0)
    return np.nan_to_num(sigma)


def surprise(sigma_G: NDArray[np.float64], spec: NetworkSpec, topology: Topology, settings: CornerSettings) -> list[Trigger]:
    """Zones and cells outside of what was predicted for them; a cell only where its zones are not."""
    zones = len(spec.zones)
    told_C = np.zeros(len(spec.cells), bool)
    found = []
    for i in np.flatnonzero(np.abs(sigma_G) >= settings.surprise_sigma):
        kind: ScopeKind = "zone" if i < zones else "cell"
        if kind == "cell" and told_C[i - zones]:
            continue
        if kind == "zone":
            told_C |= topology.zone_member[i]
        scope = spec.zones[i].id if kind == "zone" else spec.cells[i - zones].id
        found.append(
            Trigger(kind="surprise", scope_kind=kind, scope=scope, value=float(sigma_G[i]), threshold=settings.surprise_sigma)
        )
    return found


def link_outage(outlook: Outlook, spec: NetworkSpec) -> list[Trigger]:
    """Links seen down."""
    return [
        Trigger(kind="link_outage", scope_kind="link", scope=spec.transport.links[i].id, value=1.0, threshold=0.5)
        for i in outlook.down_links
    ]


def account_lost(
    account: SlaAccount, offered_HS: NDArray[np.float64], spec: NetworkSpec, settings: CornerSettings
) -> list[Trigger]:
    """The slice whose SLA binds, where little of its margin can still be reached in the window."""
    if not account.begun:
        return []
    steps = min(account.remaining_steps, len(offered_HS))
    zero = np.zeros(len(spec.slices))
    loss_S, delay_S = account.pooled(zero, zero, offered_HS[:steps].sum(0))
    margin_S = np.fmin(*np.moveaxis(sla_margins(loss_S, delay_S, spec.topology()), -1, 0))
    if np.isnan(margin_S).all():
        return []
    binding = int(np.nanargmin(margin_S))
    reachable = float(margin_S[binding])
    if not settings.lost_margin < reachable <= settings.account_margin:
        return []
    return [
        Trigger(
            kind="account",
            scope_kind="slice",
            scope=spec.slices[binding].id,
            value=reachable,
            threshold=settings.account_margin,
        )
    ]


def worst_first(triggers: list[Trigger]) -> list[Trigger]:
    """By severity, at most MAX_TRIGGERS."""
    return sorted(triggers, key=lambda t: -t.severity)[:MAX_TRIGGERS]
