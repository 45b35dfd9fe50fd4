"""Templates: what each does to a plan, and with what the rules fill them where nobody else does.

Every template is a plan put on another plan for some steps: rows of a few cells and links get other shares, and the whole is
moved into the set of feasible policies (floors, simplex, rate of change) afterwards. The rules fill them for the next step
only: it is all that is played of a plan before the next decision. None takes from a delay-bounded slice what the plan gives it:
a percentile of delay is lost in one bad step, which the few futures a template is judged in need not hold.

- `boost_zone`: more of a zone's cells, and of the links that carry them, is given out, in proportion to what is needed.
- `urllc_floor`: delay-bounded slices get their expected load and a headroom before anyone else.
- `shed_embb`: the elastic slice that may lose most gives up a share, a part of its need, to the others.
- `reroute`: routes are fixed, so traffic of a cut link is on the backup route already. What can be moved is bandwidth: on the
  links that carry it now, delay-bounded slices come first, the rest is shared by need, and the cells behind them get no more
  radio for an elastic slice than these links can carry on.
- `freeze`: the shares in force are held.

Shape suffixes: K candidates, H slow steps, C cells, L links, R rows (cells, then links), S slices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.network import NetworkSpec, Topology
from twm.core.templates import AMOUNT_MAX, TemplateCall, TemplateName
from twm.planner.corner.outlook import Outlook
from twm.planner.corner.settings import CornerSettings
from twm.planner.corner.triggers import Trigger
from twm.planner.space import Rows, ShareSpace

_LINK_PART = 0.5
"""Part of a boost that the links of the zone get: a link carries the cells of more than one zone."""
_CARRY_MARGIN = 1.1
_TINY = np.float32(1e-9)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What templates are put on."""

    spec: NetworkSpec
    topology: Topology
    space: ShareSpace
    outlook: Outlook

    @property
    def bounded_S(self) -> NDArray[np.bool_]:
        """Slices with a bound on delay."""
        return np.asarray(np.isfinite(self.topology.delay_p99_max_ms))

    @property
    def elastic(self) -> int | None:
        """The slice without such a bound that may lose most; None where there is none."""
        allowed = np.where(self.bounded_S, -1.0, np.nan_to_num(self.topology.loss_max_ratio, nan=1.0))
        return int(np.argmax(allowed)) if (allowed >= 0).any() else None

    @property
    def floor_RS(self) -> NDArray[np.float32]:
        """Least shares of cells and links."""
        cells, links = len(self.spec.cells), len(self.spec.transport.links)
        floors = (np.tile(self.topology.prb_floor, (cells, 1)), np.tile(self.topology.bandwidth_floor, (links, 1)))
        return np.concatenate(floors).astype(np.float32)

    def cells(self, call: TemplateCall) -> NDArray[np.bool_]:
        """Cells [C] it is about; of a link, those whose traffic it carries, or would carry."""
        if call.scope_kind == "zone":
            zone = next(i for i, z in enumerate(self.spec.zones) if z.id == call.scope)
            return np.asarray(self.topology.zone_member[zone])
        if call.scope_kind == "cell":
            return np.asarray(np.arange(len(self.spec.cells)) == self.topology.cell_index[call.scope])
        if call.scope_kind == "link":
            link = self.topology.link_index[call.scope]
            return np.asarray(self.topology.route[:, link] | self.outlook.now_route_CL[:, link])
        return np.ones(len(self.spec.cells), bool)

    def links(self, cells_C: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Links [L] that carry these cells now."""
        return np.asarray(self.outlook.now_route_CL[cells_C].any(0))

    def rows(self, call: TemplateCall) -> NDArray[np.bool_]:
        """Cells and the links that carry them [R]."""
        cells = self.cells(call)
        return np.concatenate([cells, self.links(cells)])


def filled(call: TemplateCall, base_HRS: Rows, ground: Ground) -> Rows:
    """The feasible policy [1, H, R, S] of a template put on a plan."""
    steps = min(call.steps, len(base_HRS))
    rows = base_HRS.copy()
    rows[:steps] = _ACTIONS[call.name](call, base_HRS[:steps], ground)
    rows = ground.space.feasible(rows[None])[0]
    rows[:steps] = _nothing_taken(rows[:steps], base_HRS[:steps], ground)
    return ground.space.feasible(rows[None])


def _nothing_taken(rows: Rows, base: Rows, ground: Ground) -> Rows:
    """Delay-bounded slices keep what the plan gives them; in a full row the others pay for it, above their floors."""
    bounded, floor = ground.bounded_S, ground.floor_RS
    kept = np.where(bounded, np.maximum(rows, base), rows)
    over = np.maximum(kept.sum(-1, keepdims=True) - 1.0, 0.0)
    above = np.where(bounded, np.float32(0), np.maximum(kept - floor, 0.0))
    return np.asarray(kept - above * np.minimum(over / np.maximum(above.sum(-1, keepdims=True), _TINY), 1.0), np.float32)


def _boost_zone(call: TemplateCall, base: Rows, ground: Ground) -> Rows:
    need = ground.outlook.at(ground.outlook.upper_HRS, len(base)) + _TINY
    cells = ground.cells(call)
    strength_R = np.concatenate([cells * call.amount, ground.links(cells) * call.amount * _LINK_PART])
    more = strength_R[:, None] * need / need.sum(-1, keepdims=True)
    return np.asarray(base + more, np.float32)


def _urllc_floor(call: TemplateCall, base: Rows, ground: Ground) -> Rows:
    return np.where(ground.rows(call)[:, None], _headroom_first(base, call.amount, ground), base)


def _shed_embb(call: TemplateCall, base: Rows, ground: Ground) -> Rows:
    elastic = ground.elastic
    if elastic is None:
        return base
    need = ground.outlook.at(ground.outlook.median_HRS, len(base))
    rows = base.copy()
    rows[..., elastic] = np.maximum(base[..., elastic] - np.float32(call.amount) * need[..., elastic], 0.0)
    others = need + _TINY
    others[..., elastic] = 0.0
    freed = base[..., elastic] - rows[..., elastic]
    rows += freed[..., None] * others / np.maximum(others.sum(-1, keepdims=True), _TINY)
    return np.where(ground.rows(call)[:, None], rows, base)


def _reroute(call: TemplateCall, base: Rows, ground: Ground) -> Rows:
    outlook, c = ground.outlook, len(ground.spec.cells)
    need = outlook.at(outlook.upper_HRS, len(base))
    cells = ground.cells(call)
    carrying = ground.links(cells)
    carrying[list(outlook.down_links)] = False
    shared = _headroom_first(np.maximum(base, need), call.amount, ground)
    rows = base.copy()
    rows[:, c:] = np.where(carrying[:, None], shared[:, c:], base[:, c:])
    behind = np.asarray(outlook.now_route_CL[:, carrying].any(1))
    # What the links pass on of an elastic slice's load bounds what radio is good for.
    ratio_HLS = np.minimum(_CARRY_MARGIN * rows[:, c:] / np.maximum(need[:, c:], _TINY), 1.0)
    passed_HCS = np.stack(
        [ratio_HLS[:, route].min(1) if route.any() else np.ones_like(rows[:, 0]) for route in outlook.now_route_CL], 1
    )
    useful = np.where(ground.bounded_S, np.float32(1), passed_HCS) * np.maximum(need[:, :c], _TINY) * _CARRY_MARGIN
    rows[:, :c] = np.where(behind[:, None] & ~ground.bounded_S, np.minimum(base[:, :c], useful), base[:, :c])
    return rows


def _freeze(call: TemplateCall, base: Rows, ground: Ground) -> Rows:
    del call
    return np.broadcast_to(ground.space.running_RS, base.shape).astype(np.float32)


def _headroom_first(base: Rows, headroom: float, ground: Ground) -> Rows:
    """Delay-bounded slices get load plus headroom, or what they have where that is more; the others share what is left."""
    need = ground.outlook.at(ground.outlook.upper_HRS, len(base))
    bounded = ground.bounded_S
    first = np.where(bounded, np.maximum(base, need + np.float32(headroom)), np.float32(0))
    first /= np.maximum(first.sum(-1, keepdims=True), 1.0)
    others = np.where(bounded, np.float32(0), base)
    room = 1.0 - first.sum(-1, keepdims=True)
    others *= np.minimum(1.0, room / np.maximum(others.sum(-1, keepdims=True), _TINY))
    return np.asarray(first + others, np.float32)


_ACTIONS: Mapping[TemplateName, Callable[[TemplateCall, Rows, Ground], Rows]] = {
    "boost_zone": _boost_zone,
    "urllc_floor": _urllc_floor,
    "shed_embb": _shed_embb,
    "reroute": _reroute,
    "freeze": _freeze,
}


def by_rules(triggers: Sequence[Trigger], base_HRS: Rows, ground: Ground, settings: CornerSettings) -> list[TemplateCall]:
    """What the rules fill for the signs found, the worst first; each strength in a smaller and a larger size.

    Strengths start from what the plan does already: a floor is a little above the headroom it keeps, not an absolute one.
    """
    taken: dict[str, int] = {}
    wanted: list[list[TemplateCall]] = []
    for trigger in triggers:
        taken[trigger.kind] = taken.get(trigger.kind, 0) + 1
        if taken[trigger.kind] <= settings.per_trigger:
            wanted.append(_Filling(trigger, base_HRS, ground, settings).calls())
    calls: list[TemplateCall] = []
    # The first choice for every sign before the second for any.
    for rank in range(max((len(some) for some in wanted), default=0)):
        for some in wanted:
            if rank < len(some) and some[rank] not in calls:
                calls.append(some[rank])
    return calls[: settings.templates_max]


@dataclass(frozen=True)
class _Filling:
    """The rules' answer to one sign."""

    trigger: Trigger
    base_HRS: Rows
    ground: Ground
    settings: CornerSettings

    def calls(self) -> list[TemplateCall]:
        """Templates, the first choice first."""
        trigger, ground = self.trigger, self.ground
        if trigger.scope_kind == "link":  # a link is down, or will be asked too much of
            cells = ground.cells(self._call("reroute", 0.0))
            links = np.concatenate([np.zeros_like(cells), ground.links(cells)])
            return [self._call("reroute", self._headroom(links) + more) for more in (0.03, 0.08)]
        if trigger.kind == "disagreement":
            return [self._call("freeze", 0.0, ""), self._floor(0.05, "")]
        if trigger.kind == "account":
            index = next(i for i, s in enumerate(ground.spec.slices) if s.id == trigger.scope)
            if ground.bounded_S[index]:
                return [self._floor(0.05, ""), self._floor(0.1, ""), self._call("shed_embb", 0.1, "")]
            return [self._call("freeze", 0.0, "")] if index == ground.elastic else [self._call("shed_embb", 0.1, "")]
        if trigger.value < 0:  # less than expected: nothing to give more to
            return [self._call("freeze", 0.0, "")]
        scope = trigger.scope
        return [
            self._call("boost_zone", 0.1),
            self._floor(0.03, scope),
            self._call("boost_zone", 0.2),
            self._call("shed_embb", 0.07),
            self._floor(0.08, scope),
            self._call("boost_zone", 0.05),
        ]

    def _call(self, name: TemplateName, amount: float, scope: str | None = None) -> TemplateCall:
        trigger, scope = self.trigger, self.trigger.scope if scope is None else scope
        kind = trigger.scope_kind if scope and trigger.scope_kind != "slice" else "area"
        most = AMOUNT_MAX[name]
        return TemplateCall(
            name=name,
            scope_kind=kind,
            scope=scope,
            amount=round(min(max(amount * self.settings.amount, 0.0), most), 4),
            steps=1,
        )

    def _floor(self, more: float, scope: str) -> TemplateCall:
        bare = self._call("urllc_floor", 0.0, scope)
        return self._call("urllc_floor", self._headroom(self.ground.rows(bare)) + more, scope)

    def _headroom(self, rows_R: NDArray[np.bool_]) -> float:
        """Least headroom over the upper need that the plan's first step keeps for delay-bounded slices in these rows."""
        bounded = self.ground.bounded_S
        known = rows_R & (self.ground.outlook.capacity_RH[:, 0] > 0)
        if not bounded.any() or not known.any():
            return 0.0
        spare_RS = self.base_HRS[0][known][:, bounded] - self.ground.outlook.upper_HRS[0][known][:, bounded]
        return max(float(spare_RS.min()), 0.0)
