"""Drafts to an IntentSpec: ids become indices, window parts become moments, what is common is hoisted."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec
from twm.gateway.intents.drafts import (
    ConstraintDraft,
    Draft,
    EventDraft,
    Item,
    LimitDraft,
    MaintenanceDraft,
    ObjectiveDraft,
    SurgeDraft,
    Where,
)
from twm.gateway.intents.names import CELL, LINK, SLICE, NameIndex
from twm.gateway.intents.questions import question
from twm.gateway.intents.statements_objective import SAVE_WEIGHT
from twm.gateway.intents.times import combine, resolve

KPIS = {
    "delay_p99_ms": intent_pb2.KPI_DELAY_P99_MS,
    "delay_mean_ms": intent_pb2.KPI_DELAY_MEAN_MS,
    "loss_ratio": intent_pb2.KPI_LOSS_RATIO,
    "throughput_mbps": intent_pb2.KPI_THROUGHPUT_MBPS,
    "utilisation_ratio": intent_pb2.KPI_UTILISATION_RATIO,
}
SIDES = {"at_most": intent_pb2.COMPARATOR_AT_MOST, "at_least": intent_pb2.COMPARATOR_AT_LEAST}
RESOURCES = {"": intent_pb2.RESOURCE_UNSPECIFIED, "prb": intent_pb2.RESOURCE_PRB, "bandwidth": intent_pb2.RESOURCE_BANDWIDTH}
DEFAULT_PRIORITY = 3
MAX_WEIGHT = 10.0
_SIDES = ("min_share", "max_share", "max_change")


class Assembler:
    """Builds one IntentSpec."""

    def __init__(self, spec: NetworkSpec, names: NameIndex, now: dt.datetime) -> None:
        self._spec = spec
        self._names = names
        self._now = now
        self.questions: list[intent_pb2.Question] = []

    def build(self, items: Sequence[Item], priority: int, text: str, source: intent_pb2.IntentSource) -> intent_pb2.IntentSpec:
        """The intent; ids and digests are those of the spec. `questions` holds what went wrong with windows."""
        intent = intent_pb2.IntentSpec(
            area_id=self._spec.area_id,
            spec_digest=self._spec.digest(),
            text=text,
            source=source,
            priority=priority or DEFAULT_PRIORITY,
        )
        weights: dict[str, float] = {}
        ranks = [item for item in items if isinstance(item, ObjectiveDraft) and item.ranks]
        self._ranks(ranks, weights)
        for item in items:
            if isinstance(item, ConstraintDraft):
                self._constraint(intent, item)
            elif isinstance(item, LimitDraft):
                self._limit(intent, item)
            elif isinstance(item, SurgeDraft):
                surge = intent.context.surges.add(scope=self.scope(item.where), factor=item.factor)
                self._window(surge, item, "context.surges.window")
            elif isinstance(item, MaintenanceDraft):
                for link in item.links:
                    work = intent.context.maintenance.add(
                        link_index=self._names.rank[LINK, link], capacity_factor=item.capacity
                    )
                    self._window(work, item, "context.maintenance.window")
            elif isinstance(item, EventDraft):
                intent.context.event = item.name[:128]
            else:
                self._objective(intent.objective, item, weights)
        for entry in self._spec.slices:
            if weights.get(entry.id, 1.0) != 1.0:
                intent.objective.slice_weights.add(slice=entry.id, weight=weights[entry.id])
        if _asked_twice(intent.objective):
            intent.objective.ClearField("saving_weight")
        _join_limits(intent)
        hoist(intent)
        intent.intent_id = content_id(intent)
        return intent

    def scope(self, where: Where) -> intent_pb2.Scope:
        """The scope with indices, in the order of the network spec."""
        slices = sorted(where.slices, key=lambda s: self._names.rank[SLICE, s])
        if where.all_slices and not slices:
            slices = []
        return intent_pb2.Scope(
            slices=slices,
            zone=where.zone,
            cells=sorted(self._names.rank[CELL, c] for c in where.cells),
            links=sorted(self._names.rank[LINK, link] for link in where.links),
        )

    def _window(self, message: object, draft: Draft, field: str) -> None:
        total = combine(draft.parts)
        if total is None:
            return
        span = resolve(total, self._now)
        if span.problem:
            self.questions.append(_window_question(span.problem, field, span.choices))
            return
        window = span.message()
        if window is not None:
            message.window.CopyFrom(window)  # type: ignore[attr-defined]

    def _constraint(self, intent: intent_pb2.IntentSpec, draft: ConstraintDraft) -> None:
        made = intent.constraints.add(
            kpi=KPIS[draft.kpi], scope=self.scope(draft.where), comparator=SIDES[draft.side], bound=round(draft.bound, 9)
        )
        if draft.probability is not None:
            made.max_violation_probability = draft.probability
        self._window(made, draft, f"constraints[{len(intent.constraints) - 1}].window")
        if any(made == other for other in intent.constraints[:-1]):
            del intent.constraints[-1]  # said twice

    def _limit(self, intent: intent_pb2.IntentSpec, draft: LimitDraft) -> None:
        made = intent.limits.add(scope=self.scope(draft.where), resource=RESOURCES[draft.resource])
        for name, value in (("min_share", draft.low), ("max_share", draft.high), ("max_change", draft.change)):
            if value is not None:
                setattr(made, name, round(value, 9))
        self._window(made, draft, f"limits[{len(intent.limits) - 1}].window")

    def _ranks(self, drafts: Sequence[ObjectiveDraft], weights: dict[str, float]) -> None:
        """Weights of "A over B", "B over C": they double with each slice that comes after; a ring of them is a question."""
        after: dict[str, set[str]] = {}
        for draft in drafts:
            for first, *rest in (draft.ranks[i:] for i in range(len(draft.ranks))):
                for slice_id in first:
                    after.setdefault(slice_id, set()).update(x for group in rest[:1] for x in group)
        alone = {x for draft in drafts if len(draft.ranks) == 1 for x in draft.ranks[0] if not after[x]}
        for slice_id, depth in _depths(after).items():
            if depth < 0:
                self.questions.append(
                    question(
                        "clashing_ranks",
                        "objective.slice_weights",
                        f"{slice_id} stands both before and after another slice. Which holds?",
                    )
                )
            steps = max(depth, 1 if slice_id in alone else 0)
            weights[slice_id] = min(2.0**steps, MAX_WEIGHT)

    def _objective(self, objective: intent_pb2.Objective, draft: ObjectiveDraft, weights: dict[str, float]) -> None:
        objective.SetInParent()
        if draft.saving is not None:
            if objective.HasField("saving_target_ratio") and abs(objective.saving_target_ratio - draft.saving) > 1e-9:
                self.questions.append(
                    question("clashing_bounds", "objective.saving_target_ratio", "Two saving targets were named. Which one?")
                )
            objective.saving_target_ratio = draft.saving
        if draft.saving_weight is not None and not objective.HasField("saving_weight"):
            objective.saving_weight = draft.saving_weight
        objective.hold_slas = objective.hold_slas or draft.hold_slas
        weights.update(draft.weights)
        if not draft.parts:
            return
        if objective.HasField("window"):
            other, said = intent_pb2.Objective(), combine(draft.parts)
            if said is not None and not said.problem:
                self._window(other, draft, "objective.window")
                if other.window != objective.window:
                    self.questions.append(_one_time())
            return
        self._window(objective, draft, "objective.window")


def _one_time() -> intent_pb2.Question:
    text = "Savings, priorities and SLAs hold in one window; two were named. Which one?"
    return question("ambiguous_window", "objective.window", text)


def _asked_twice(objective: intent_pb2.Objective) -> bool:
    """Whether saving was asked for with and without a figure: the figure says it all."""
    return objective.HasField("saving_target_ratio") and objective.saving_weight == SAVE_WEIGHT


def _join_limits(intent: intent_pb2.IntentSpec) -> None:
    """ "min 10 % max 25 %": two limits of the same shares at the same time that say different things are one."""
    kept: list[intent_pb2.ActionLimit] = []
    for limit in intent.limits:
        if limit in kept:
            continue  # "stay off A, I repeat, leave A as it is"
        same = next((k for k in kept if _joinable(k, limit)), None)
        if same is None:
            kept.append(limit)
        else:
            same.MergeFrom(intent_pb2.ActionLimit(**{n: getattr(limit, n) for n in _SIDES if limit.HasField(n)}))
    if len(kept) < len(intent.limits):
        copies = [intent_pb2.ActionLimit.FromString(k.SerializeToString()) for k in kept]
        del intent.limits[:]
        intent.limits.extend(copies)


def _joinable(a: intent_pb2.ActionLimit, b: intent_pb2.ActionLimit) -> bool:
    shares = not any(x.HasField("max_change") and x.max_change == 0 for x in (a, b))
    apart = not any(a.HasField(n) and b.HasField(n) for n in _SIDES)
    alike = a.scope == b.scope and a.resource == b.resource and a.HasField("window") == b.HasField("window")
    low, high = (a, b) if a.HasField("min_share") else (b, a)
    ordered = not (low.HasField("min_share") and high.HasField("max_share")) or low.min_share <= high.max_share
    return bool(shares and apart and alike and ordered and a.window == b.window)


def _depths(after: dict[str, set[str]]) -> dict[str, int]:
    """How many slices come after one another below each; -1 where one comes after itself. Bounded by slices times orders."""
    depths = dict.fromkeys({*after, *(x for rest in after.values() for x in rest)}, 0)
    for _ in range(len(depths) + 1):
        deeper = {a: max(depths[a], *(1 + depths[b] for b in rest)) for a, rest in after.items() if rest}
        if all(depths[a] == depth for a, depth in deeper.items()):
            return depths
        depths |= deeper
    return {a: depth if depth <= len(depths) else -1 for a, depth in depths.items()}


def _window_question(problem: str, field: str, choices: Sequence[str]) -> intent_pb2.Question:
    texts = {
        "window_past": "The window is over. Is the next day meant?",
        "window_empty": "The window ends before it begins. From when to when?",
        "ambiguous_time": "By day or by night?",
        "ambiguous_window": "Those words fix no moment. From when to when, as HH:MM?",
        "unsupported_recurrence": "A window that comes again cannot be planned for; one window can. From when to when?",
    }
    return question(problem, field, texts[problem], choices)


def hoist(intent: intent_pb2.IntentSpec) -> None:
    """Move the window that everything shares to the intent, and let the intent expire with it."""
    holders: list[object] = [*intent.constraints, *intent.limits, *intent.context.surges, *intent.context.maintenance]
    if intent.HasField("objective"):
        holders.append(intent.objective)
    if holders and not intent.HasField("window"):
        first = holders[0]
        if all(h.HasField("window") and h.window == first.window for h in holders):  # type: ignore[attr-defined]
            intent.window.CopyFrom(first.window)  # type: ignore[attr-defined]
            for holder in holders:
                holder.ClearField("window")  # type: ignore[attr-defined]
    if intent.HasField("expires"):
        return
    if intent.window.HasField("end"):
        intent.expires.CopyFrom(intent.window.end)
    elif holders and all(h.HasField("window") and h.window.HasField("end") for h in holders):  # type: ignore[attr-defined]
        last = max(holders, key=lambda h: h.window.end.ToNanoseconds())  # type: ignore[attr-defined]
        intent.expires.CopyFrom(last.window.end)  # type: ignore[attr-defined]


def content_id(intent: intent_pb2.IntentSpec) -> str:
    """Id derived from the content, so that the same intent twice has one id."""
    copy = intent_pb2.IntentSpec()
    copy.CopyFrom(intent)
    copy.ClearField("intent_id")
    copy.ClearField("text")
    return "i-" + hashlib.sha256(copy.SerializeToString(deterministic=True)).hexdigest()[:16]
