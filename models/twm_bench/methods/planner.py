"""twm: the planning cycle as it runs in the product, and what is left of it without one of its parts.

The planner's clock stands still, so that every decision gets its whole search and results do not depend on the machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from twm.api.planning.v1 import planning_pb2
from twm.core.actions import decode_policies
from twm.core.clock import ManualClock
from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.inference.loading import LoadedDynamics
from twm.planner.contingency import OutageSettings
from twm.planner.corner.settings import CornerSettings
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.finalists import FinalistSettings
from twm.planner.memory import LastPlan, keep_plan
from twm.planner.objective import ObjectiveWeights, PlanLimits
from twm_bench.methods.members import one_member
from twm_bench.methods.method import AbsentError, ModelFolders, Task
from twm_bench.methods.persistence import persistent
from twm_train.in_process import Decided, LocalModels, LocalPeers, Observed, run_now

WANTED = ObjectiveWeights(saving_wanted_ratio=0.085)
"""What the benchmark asks of every planner: a little more than 8 %, since what is meant is the mean of what was saved."""
BUDGETED = CycleSettings(
    verify_every=4,
    scenario_count=2,
    verify_harm=True,
    finalists=FinalistSettings(count=2),
    weights=WANTED,
    corner=CornerSettings(templates=False, prescreen=False),
)
"""The best finalist and the reactive rule in 2 scenarios at every fourth slow step: 12 twin calls in a horizon of 12."""
NOT_VERIFIED = CycleSettings(scenario_count=0, weights=WANTED)


@dataclass
class Trace:
    """What one horizon carries from decision to decision."""

    last: LastPlan | None = None


class Planner:
    """The planning cycle on local peers."""

    prepare_calls = 0

    def __init__(
        self, task: Task, peers: LocalPeers, settings: CycleSettings, *, turn: Callable[[int], None] = lambda _: None
    ) -> None:
        """`turn` hears which horizon is decided for next."""
        self._spec, self._digest, self._turn = task.spec, task.spec.digest(), turn
        self._cycle = PlanningCycle(task.spec, settings, peers, ManualClock())
        self._traces: list[Trace] = []

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        if observed.step == 0:
            self._traces = [Trace() for _ in range(observed.count)]
        return run_now(self._decide(observed))

    async def _decide(self, observed: Observed) -> Decided:
        prb, bandwidth, seconds, proposals = [], [], [], []
        for index, (trace, messages) in enumerate(zip(self._traces, observed.messages_B, strict=True)):
            self._turn(index)
            begin = time.perf_counter()
            proposal = await self._cycle.plan(messages, trace.last)
            seconds.append(time.perf_counter() - begin)
            trace.last = LastPlan.from_bytes(keep_plan(proposal), self._spec, self._digest)
            policy = decode_policies(proposal.policy, self._spec)
            prb.append(policy.prb_share_KHCS[0, 0])
            bandwidth.append(policy.bandwidth_share_KHLS[0, 0])
            proposals.append(proposal)
        return Decided(
            prb_share_BCS=np.stack(prb),
            bandwidth_share_BLS=np.stack(bandwidth),
            twin_calls=max(p.twin_call_count for p in proposals),
            evaluations=round(float(np.mean([p.evaluation_count for p in proposals]))),
            predicted_scm_B=[p.predicted_scm if p.HasField("predicted_scm") else float("nan") for p in proposals],
            verified_scm_B=[_verified(p) for p in proposals],
            seconds_B=seconds,
            notes_B=[_origin(p) for p in proposals],
        )


def _verified(proposal: planning_pb2.Proposal) -> float:
    found = [v.scm_mean for v in proposal.verifications if v.candidate_index == proposal.chosen_index]
    return found[0] if found else float("nan")


def _origin(proposal: planning_pb2.Proposal) -> str:
    """Kind of candidate that was chosen, with the reason where it did not come out of the search."""
    origin = proposal.candidates[proposal.chosen_index].origin.partition(":")[0]
    reason = proposal.fallback_reason.partition(":")[0]
    return f"{origin} ({reason})" if reason else origin


def with_overrides(settings: CycleSettings, overrides: Sequence[str]) -> CycleSettings:
    """The settings with `name=JSON` of the cycle, or of its parts (`weights.`, `limits.`, `search.`, `finalists.`) changed.

    Raises InvalidInputError.
    """
    for item in overrides:
        name, _, text = item.partition("=")
        part, _, key = name.rpartition(".")
        try:
            value: Any = json.loads(text)
            value = tuple(value) if isinstance(value, list) else value
            changed = replace(getattr(settings, part), **{key: value}) if part else value
            settings = replace(settings, **{part or key: changed})
        except (TypeError, AttributeError, ValueError) as error:
            raise InvalidInputError(f"--set {item[:100]}: {error}") from error
    return settings


Change = Callable[[Task, LoadedDynamics], LoadedDynamics]


@dataclass(frozen=True, kw_only=True)
class PlannerKind:
    """A planner of the catalogue."""

    settings: CycleSettings = BUDGETED
    change: Change | None = None
    """Applied to the world model."""
    folder: Callable[[ModelFolders], Path | None] = lambda folders: folders.zoo
    missing: str = ""
    """What to say where the folder is not given."""

    def __call__(self, task: Task) -> Planner:
        """Make it ready. Raises AbsentError."""
        folder, change = self.folder(task.folders), self.change
        if folder is None:
            raise AbsentError(self.missing)
        try:
            models = LocalModels(task.spec, folder, (lambda loaded: change(task, loaded)) if change else None)
            settings = with_overrides(self.settings, task.overrides)
            return Planner(task, LocalPeers(task.spec, models), settings)
        except ModelMismatchError as error:
            raise AbsentError(f"not trained: {error}") from error


def _persistent(spread: bool) -> Change:
    return lambda task, loaded: persistent(loaded, task.spec, spread=spread)


TWM = PlannerKind()
CDWM_ONLY = PlannerKind(settings=NOT_VERIFIED, change=_persistent(True))
ANALYTIC = PlannerKind(folder=lambda f: f.analytic, missing="not trained: give the analytic model's folder with --analytic")
ABLATIONS: Mapping[str, PlannerKind] = {
    "twm-no-fwm": PlannerKind(change=_persistent(True)),
    "twm-no-forecast": PlannerKind(change=_persistent(False)),
    "twm-teacher-forced": PlannerKind(
        folder=lambda f: f.teacher_forced, missing="not trained: give the model's folder with --teacher-forced"
    ),
    "twm-one-member": PlannerKind(change=lambda _, loaded: one_member(loaded)),
    "twm-no-verification": PlannerKind(settings=NOT_VERIFIED),
    "twm-no-disagreement": PlannerKind(
        settings=replace(BUDGETED, weights=replace(WANTED, disagreement=0.0), limits=PlanLimits(disagreement_max=1.0))
    ),
    "twm-no-outages": PlannerKind(settings=replace(BUDGETED, outage=OutageSettings(begins=0.0))),
    "twm-corner": PlannerKind(settings=replace(BUDGETED, corner=CornerSettings(templates=True))),
    "twm-prescreen": PlannerKind(settings=replace(BUDGETED, corner=CornerSettings(templates=False, prescreen=True))),
    "twm-actor-seeds": PlannerKind(settings=replace(BUDGETED, actor_seeds=True)),
}
