"""Reads the active intents for one decision: what they ask, on the steps of the horizon.

Words have become an IntentSpec in the gateway; here it becomes numbers. Step h is taken to begin h slow steps after the
decision, by wall clock, as the guardrail reads windows. ADR 11 says how each part enters the plan.

Shape suffixes: H slow steps, C cells, S slices, L links, R rows (cells, then links), W frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from twm.api.intent.v1 import intent_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays
from twm.core.intents import in_force, parse_active, window_of
from twm.core.network import NetworkSpec
from twm.core.share_scopes import ShareScopes
from twm.core.text import shown
from twm.planner.bounded import ShareBounds
from twm.planner.goals import Goals, GoalSettings, Objective, Target
from twm.planner.objective import ObjectiveWeights

Float = NDArray[np.float64]
MAX_TARGETS = 64
"""KPI constraints of one decision: the rest, lowest priority first, is left out and said to be."""
_PRIORITY_FACTOR = {1: 2.0, 2: 1.4, 3: 1.0, 4: 0.7, 5: 0.5}
_USUAL_FRAMES = 3
"""Frames it takes to say what demand is usual."""


def goals_of(
    content: bytes,
    spec: NetworkSpec,
    frames: Sequence[FrameArrays],
    now_s: float,
    settings: GoalSettings,
    weights: ObjectiveWeights,
    *,
    problem: str = "",
) -> Goals:
    """Read `content` (ActiveIntents as twm.core.intents.readable_intents leaves them; b"": none) for a decision at `now_s`.

    `frames`: the history, oldest first; `problem`: why intents were left out before. What cannot be read is left out and said.
    """
    if not content:
        return Goals(settings=settings, weights=weights, problem=problem)
    try:
        active = parse_active(content)
    except InvalidInputError as error:
        return Goals(settings=settings, weights=weights, problem=str(error)[:400])
    reader = _Reader(spec, frames, now_s, settings)
    for entry in sorted(in_force(active, now_s), key=lambda e: e.spec.priority):
        reader.read(entry)
    targets = tuple(reader.targets())
    problems = [problem, *reader.problems]
    return Goals(
        settings=settings,
        set_version=active.version,
        problem="; ".join(p for p in problems if p)[:400],
        weights=reader.weighted(weights),
        hold_slas=reader.hold_slas,
        saving_wanted=reader.saving_wanted,
        slice_weight_S=reader.slice_weight_S if (reader.slice_weight_S != 1.0).any() else None,
        targets=targets,
        objectives=tuple(reader.objectives),
        bounds=reader.bounds,
        states=reader.states(),
    )


class _Reader:
    """Collects what intents ask, the most important first."""

    def __init__(self, spec: NetworkSpec, frames: Sequence[FrameArrays], now_s: float, settings: GoalSettings) -> None:
        c, s, n_links = spec.sizes
        self._spec, self._frames, self._now_s, self._settings = spec, frames, now_s, settings
        self._h, self._step_s = spec.timing.horizon_steps, spec.timing.slow_step_s
        self._topology, self._scopes = spec.topology(), ShareScopes(spec)
        self._zones = {zone.id: i for i, zone in enumerate(spec.zones)}
        self._demand_HCS = np.ones((self._h, c, s))
        self._link_HL = np.ones((self._h, n_links))
        self._saving_weight: float | None = None
        self._found: list[tuple[intent_pb2.IntentSpec, int, intent_pb2.KpiConstraint, list[int]]] = []
        self.problems: list[str] = []
        self.objectives: list[Objective] = []
        self.hold_slas = False
        self.slice_weight_S = np.ones(s)
        self.bounds: ShareBounds | None = None

    def read(self, entry: intent_pb2.ActiveIntent) -> None:
        """Take in one intent; one that does not fit is left out as a whole."""
        intent = entry.spec
        try:
            limited = [self._rows(limit) for limit in intent.limits]
            surges = [self._surge(surge, intent) for surge in intent.context.surges]
            for constraint in intent.constraints:
                self._cells(constraint.scope)
            for work in intent.context.maintenance:
                if work.link_index >= self._link_HL.shape[1]:
                    raise InvalidInputError(f"maintenance: link {work.link_index}, the network has {self._link_HL.shape[1]}")
        except InvalidInputError as error:
            self.problems.append(f"{shown(intent.intent_id)}: {error}")
            return
        for limit, where in zip(intent.limits, limited, strict=True):
            self._narrow(limit, self._steps(limit, intent, self._settings.lead_steps), where)
        for factor_CS, steps in surges:
            for h in steps:
                self._demand_HCS[h] = np.where(factor_CS != 1.0, factor_CS, self._demand_HCS[h])
        for work in intent.context.maintenance:
            steps = self._steps(work, intent)
            self._link_HL[steps, work.link_index] = np.minimum(self._link_HL[steps, work.link_index], work.capacity_factor)
        if intent.HasField("objective"):
            self._objective(intent)
        for index, constraint in enumerate(intent.constraints):
            if steps := self._steps(constraint, intent):
                self._found.append((intent, index, constraint, steps))

    def _objective(self, intent: intent_pb2.IntentSpec) -> None:
        goal = intent.objective
        if 0 not in self._steps(goal, intent):
            return
        self.hold_slas = self.hold_slas or goal.hold_slas
        if goal.HasField("saving_target_ratio") or goal.hold_slas:
            self.objectives.append(
                Objective(intent_id=intent.intent_id, wanted_ratio=goal.saving_target_ratio, hold_slas=goal.hold_slas)
            )
        if goal.HasField("saving_weight") and self._saving_weight is None:
            self._saving_weight = goal.saving_weight
        for weight in goal.slice_weights:
            index = self._topology.slice_index.get(weight.slice)
            if index is None:
                self.problems.append(f"{shown(intent.intent_id)}: slice {shown(weight.slice)} is not in the network")
            elif self.slice_weight_S[index] == 1.0:
                self.slice_weight_S[index] = weight.weight

    def weighted(self, weights: ObjectiveWeights) -> ObjectiveWeights:
        """The standing weights as the intents move them: of several savings wanted, the most important intent's counts."""
        if self._saving_weight is not None:
            weights = replace(
                weights,
                saving_wanted_ratio=min(weights.saving_wanted_ratio * self._saving_weight, 1.0),
                saving_extra=min(weights.saving_extra * self._saving_weight, 100.0),
            )
        wanted = self.saving_wanted
        return weights if wanted is None else replace(weights, saving_wanted_ratio=wanted)

    @property
    def saving_wanted(self) -> float | None:
        """The saving that counts; None: none is named."""
        return next((one.wanted_ratio for one in self.objectives if one.wanted_ratio > 0.0), None)

    def targets(self) -> list[Target]:
        """The KPI constraints that hold within the horizon."""
        found: list[Target] = []
        surged = bool((self._demand_HCS != 1.0).any())
        for intent, index, constraint, steps in self._found:
            if len(found) >= MAX_TARGETS:
                self.problems.append(f"{shown(intent.intent_id)}: constraint {index} is one too many to plan for at once")
                continue
            scope = constraint.scope
            during = constraint.window.occasion or intent.window.occasion
            only_surged = surged and during in (intent_pb2.OCCASION_SURGE, intent_pb2.OCCASION_EVENT)
            accepted = self._settings.accepted_probability
            if constraint.HasField("max_violation_probability"):
                accepted = constraint.max_violation_probability
            found.append(
                Target(
                    intent_id=intent.intent_id,
                    index=index,
                    factor=_PRIORITY_FACTOR.get(intent.priority, 1.0),
                    message=worldmodel_pb2.KpiTarget(
                        kpi=constraint.kpi,
                        comparator=constraint.comparator,
                        bound=constraint.bound,
                        slices=[self._topology.slice_index[name] for name in scope.slices],
                        cells=np.flatnonzero(self._cells(scope)).tolist() if scope.zone or scope.cells else [],
                        links=scope.links,
                        steps=[] if len(steps) == self._h else steps,
                        states=[1] if only_surged else [],
                        accepted_probability=accepted,
                    ),
                )
            )
        return found

    def states(self) -> tuple[worldmodel_pb2.AssumedState, ...]:
        """What is certain (maintenance) holds in each state; a surge may come or not, so there is one with and one without."""
        links = self._link_HL.ravel().tolist() if (self._link_HL < 1.0).any() else []
        expected = worldmodel_pb2.AssumedState(link_factor=links)
        if (self._demand_HCS != 1.0).any():
            surged = worldmodel_pb2.AssumedState(demand_factor=self._demand_HCS.ravel().tolist(), link_factor=links)
            return expected, surged
        return (expected,) if links else ()

    def _steps(self, holder: object, intent: intent_pb2.IntentSpec, lead: int = 0) -> list[int]:
        """Steps of the horizon that a part of an intent holds in, `lead` of them before its window begins."""
        window = holder.window if holder.HasField("window") else None  # type: ignore[attr-defined]
        start, end = window_of(window, intent)
        first = self._now_s + self._step_s * np.arange(self._h)
        inside = (first < end) & (first + self._step_s * (1 + lead) > start)
        return [int(h) for h in np.flatnonzero(inside)]

    def _cells(self, scope: intent_pb2.Scope) -> NDArray[np.bool_]:
        """Cells of a scope [C]; all where it names no place."""
        for name in scope.slices:
            if name not in self._topology.slice_index:
                raise InvalidInputError(f"scope: slice {shown(name)} is not in the network")
        inside = np.zeros(len(self._spec.cells), bool)
        if scope.zone:
            if scope.zone not in self._zones:
                raise InvalidInputError(f"scope: zone {shown(scope.zone)} is not in the network")
            inside |= self._topology.zone_member[self._zones[scope.zone]]
        for kind, indices, count in (("cell", scope.cells, len(inside)), ("link", scope.links, self._link_HL.shape[1])):
            for index in indices:
                if index >= count:
                    raise InvalidInputError(f"scope: {kind} {index}, the network has {count}")
        inside[list(scope.cells)] = True
        if scope.links and not inside.any():
            inside |= self._topology.route[:, list(scope.links)].any(1)
        return inside if inside.any() else np.ones_like(inside)

    def _rows(self, limit: intent_pb2.ActionLimit) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(rows, slices) of the shares that a limit is about."""
        scope = limit.scope
        flat = self._scopes.index(scope.slices, scope.zone, scope.cells, scope.links, limit.resource)
        rows, slices = np.divmod(flat, len(self._spec.slices))
        return rows, slices

    def _narrow(
        self, limit: intent_pb2.ActionLimit, steps: list[int], where: tuple[NDArray[np.intp], NDArray[np.intp]]
    ) -> None:
        if not steps:
            return
        if self.bounds is None:
            self.bounds = ShareBounds.free(self._spec)
        at = (np.array(steps)[:, None], where[0][None], where[1][None])
        for name, asked, tighter in (
            ("min_share", self.bounds.least_HRS, np.maximum),
            ("max_share", self.bounds.most_HRS, np.minimum),
            ("max_change", self.bounds.change_HRS, np.minimum),
        ):
            if limit.HasField(name):
                asked[at] = tighter(asked[at], getattr(limit, name))

    def _surge(self, surge: intent_pb2.Surge, intent: intent_pb2.IntentSpec) -> tuple[Float, list[int]]:
        """(factor on the expected demand [C, S], steps)."""
        steps = self._steps(surge, intent)
        cells = self._cells(surge.scope)
        slices = [self._topology.slice_index[name] for name in surge.scope.slices] or list(range(len(self._spec.slices)))
        factor = np.ones((len(cells), len(self._spec.slices)))
        start = window_of(surge.window if surge.HasField("window") else None, intent)[0]
        part = np.ix_(np.flatnonzero(cells), np.array(slices, np.intp))
        factor[part] = self._still_to_come(surge.factor, start)[part]
        return factor, steps

    def _still_to_come(self, said: float, start_s: float) -> Float:
        """The part of a surge that the loads seen last do not show yet [C, S]: forecasts go on from those."""
        offered_WCS = np.stack([f.cell_slice_feature("offered_mbps").astype(np.float64) for f in self._frames])
        out = np.full(offered_WCS.shape[1:], said)
        if start_s > self._now_s:
            return out
        before = len(offered_WCS)
        if np.isfinite(start_s):
            before -= int(np.ceil((self._now_s - start_s) / self._step_s))
        if before < _USUAL_FRAMES:
            # It has gone on for longer than the history: what is seen is the surge.
            return np.ones_like(out) if np.isfinite(start_s) else out
        usual, seen = _median(offered_WCS[:before]), offered_WCS[-1]
        with np.errstate(invalid="ignore", divide="ignore"):
            left = said * usual / seen
        left = np.where(np.isfinite(left), left, said)
        return np.asarray(np.clip(left, min(1.0, said), max(1.0, said)))


def _median(values_WCS: Float) -> Float:
    """Median over frames; NaN where nothing was measured."""
    known = np.isfinite(values_WCS)
    filled = np.sort(np.where(known, values_WCS, np.inf), 0)
    middle = (known.sum(0) - 1).clip(0) // 2
    found = np.take_along_axis(filled, middle[None], 0)[0]
    return np.asarray(np.where(np.isfinite(found), found, np.nan))
