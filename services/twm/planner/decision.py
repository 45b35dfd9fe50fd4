"""What one decision asks of its peers after the candidates are known: rollouts, a closer look at the best, the twin's verdict.

Shape suffixes: K candidates, N all candidates of the search, P finalists, M policies of the actor, H slow steps, R rows (cells,
then links), S slices, J scenarios.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.core.account import SlaAccount
from twm.core.actions import PolicyArrays
from twm.core.clock import Clock
from twm.core.errors import DeadlineError, InvalidInputError, ModelMismatchError
from twm.core.network import NetworkSpec
from twm.planner.answers import Rollout, Scenarios
from twm.planner.contingency import Contingency, contingencies
from twm.planner.cycle_settings import CycleSettings
from twm.planner.draft import MAX_CANDIDATES, REACTIVE, RUNNING, Draft, front_of, looks_of
from twm.planner.finalists import choose_finalists
from twm.planner.goals import Goals
from twm.planner.objective import PlanLimits, Predictions, score, verified_score, within_limits
from twm.planner.outcomes import best_reach, predicted_standing, verified_standing
from twm.planner.pace import Pace
from twm.planner.peers import Peers
from twm.planner.search import Search
from twm.planner.space import Rows, ShareSpace

if TYPE_CHECKING:
    from twm.planner.corner.watch import CornerWatch


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One frame's decision; what it finds goes into the draft."""

    spec: NetworkSpec
    settings: CycleSettings
    peers: Peers
    clock: Clock
    pace: Pace
    draft: Draft
    space: ShareSpace
    begin: float
    """Steady time at which the cycle began [s]."""
    outage_groups: tuple[tuple[int, ...], ...] = ()
    """Links whose failures are judged together (twm.planner.contingency)."""
    goals: Goals = field(default_factory=Goals)
    """What active intents ask."""
    intents_read: bool = False
    """Whether the set of active intents was there to be read, empty or not."""
    corner: CornerWatch | None = None
    """Watch for corner cases; None: they are not watched for."""

    @property
    def last_call(self) -> float:
        """Steady time by which everything is answered [s]."""
        return self.begin + self.settings.budget_s + self.settings.grace_s

    @property
    def account(self) -> SlaAccount | None:
        """Past of the SLA window and how far ahead of it a plan counts; None where it does not count."""
        if not self.settings.account:
            return None
        account = self.draft.situation.account
        return replace(account, remaining_steps=min(account.remaining_steps, self.settings.look_steps))

    @property
    def ahead(self) -> int:
        """Slow steps that a search looks ahead: to the end of the SLA window; where intents bound KPIs or name what is coming,
        as far as it would look without one."""
        horizon, account = self.spec.timing.horizon_steps, self.account
        steps = horizon if account is None else account.remaining_steps
        return max(steps, min(self.settings.look_steps, horizon)) if self.goals.closer else steps

    @property
    def contingencies(self) -> tuple[Contingency, ...]:
        """Link states that a plan's first step is judged in, besides all links up."""
        return contingencies(self.outage_groups, self.draft.situation.frame, self.settings.outage)

    def check_time(self, part: float) -> None:
        """Raise DeadlineError where less than this part of the budget is left."""
        left = self.begin + self.settings.budget_s - self.clock.monotonic_s()
        if left < part * self.settings.budget_s:
            raise DeadlineError(f"cycle: {left:.3f} s are left of the budget, less than {part:.0%}")

    def hold_beyond(self, rows_KHRS: Rows) -> None:
        """In place: after the steps that a search looks ahead, the last shares are held."""
        rows_KHRS[:, self.ahead :] = rows_KHRS[:, self.ahead - 1 : self.ahead]

    async def forecast(self) -> Scenarios:
        """Ask the world model what it expects, whatever is done."""
        settings, draft = self.settings, self.draft
        with draft.timed("forecast"):
            found = await self.peers.expect(
                draft.situation.history,
                seed=draft.situation.seed,
                sample_count=self.goals.sample_count(settings.final_samples),
                deadline=self.begin + settings.budget_s,
                **({"states": self.goals.states} if self.goals.states else {}),
            )
        self._note_models(found.models)
        return found.scenarios

    def _note_models(self, models: tuple[tuple[str, str, str], ...]) -> None:
        if self.draft.models and self.draft.models != models:
            raise ModelMismatchError(f"world model: {models} answered after {self.draft.models} within one cycle")
        self.draft.models = models

    async def rollout(self, rows_KHRS: Rows, samples: int, *, part: str) -> Rollout:
        """Ask the world model. "trajectories" and "corner" bring fans; "rerank" and "trajectories" may use the grace."""
        settings, draft = self.settings, self.draft
        account = self.account
        trajectories = part in ("trajectories", "corner")
        deadline = self.last_call if part in ("rerank", "trajectories") else self.begin + settings.budget_s
        count, asked = len(rows_KHRS), self.clock.monotonic_s()
        goals = self.goals
        wanted: dict[str, Any] = {"states": goals.states} if goals.states else {}
        if goals.targets:
            wanted["targets"] = goals.messages
        try:
            with draft.timed(part + "_reduced" if draft.reduced and not trajectories else part):
                answer = await self.peers.rollout(
                    draft.situation.history,
                    self.space.policies(rows_KHRS if trajectories or account is None else rows_KHRS[:, : self.ahead]),
                    seed=draft.situation.seed,
                    # Scored again, the states share the samples there are: what follows the search must not take its time.
                    sample_count=samples if part == "rerank" else goals.sample_count(samples),
                    with_trajectories=trajectories,
                    deadline=deadline,
                    account=account,
                    contingencies=self.contingencies,
                    **wanted,
                )
        except DeadlineError:
            if part == "rollout":
                self.pace.note_round(self.clock.monotonic_s() - asked, count, missed=True)
            raise
        if part == "rollout":
            self.pace.note_round(self.clock.monotonic_s() - asked, count)
            draft.evaluation_count += count
        self._note_models(answer.models)
        return replace(answer, predictions=self._with_goals(answer, rows_KHRS)) if goals.on else answer

    def _with_goals(self, answer: Rollout, rows_KHRS: Rows) -> Predictions:
        """The predictions with what the intents take off."""
        found, goals = answer.predictions, self.goals
        penalty = goals.sla_penalty(found.violation_KS, found.any_violation_K)
        penalty += self._saving_penalty(self.space.saving(rows_KHRS), self.space.move(rows_KHRS))
        if answer.targets is not None:
            penalty += goals.target_penalty(answer.targets.violation_KM, answer.targets.excess_KM)
            penalty += goals.settings.harm * goals.harm_of(found, self.draft.running, 0.0)
        return replace(found, goal_K=penalty)

    def _saving_penalty(self, saving_K: NDArray[np.float64], move_K: NDArray[np.float64]) -> NDArray[np.float64]:
        weight, steps = self.spec.control.change_cost_weight, self.spec.timing.horizon_steps
        return self.goals.saving_penalty(saving_K, move_K, weight, steps)

    def _harm(self, found: Predictions) -> NDArray[np.float64]:
        return self.goals.harm_of(found, self.draft.running, self.settings.limits.harm_tolerance_scm)

    async def look_at_running(self) -> None:
        """What doing nothing leads to, where intents bound KPIs: it is what a plan may not be worse than."""
        if self.goals.targets:
            found = await self.rollout(self.space.held_running(), self.settings.final_samples, part="running")
            self.draft.running = found.predictions

    async def look_closer(self, search: Search) -> None:
        """Choose finalists and roll them out with trajectories; fills `draft.looks`, `final`, `front` and `alternatives`."""
        settings, draft = self.settings, self.draft
        all_rows, value, known = search.rows_NHRS, search.score_N.copy(), search.origins
        found, saving = Predictions.concatenate(draft.predictions), np.concatenate(draft.saving_parts)
        pool = np.argsort(-value, kind="stable")[: settings.rerank_count]
        if not draft.reduced and pool.size:
            blends = [all_rows[pool[:count]].mean(0) for count in settings.blend_counts if count <= len(pool)]
            if blends:
                first = len(all_rows)
                all_rows = np.concatenate([all_rows, np.stack(blends)])
                known = [*known, *(f"blend:{count}" for count in settings.blend_counts if count <= len(pool))]
                value = np.concatenate([value, np.full(len(blends), value[pool[0]])])
                saving = np.concatenate([saving, self.space.saving(all_rows[first:])])
                found = Predictions.concatenate([found, found.take(pool[:1].repeat(len(blends)))])
                pool = np.concatenate([pool, np.arange(first, len(all_rows))])
            again = await self.rollout(all_rows[pool], settings.final_samples, part="rerank")
            closer = score(again.predictions, saving[pool], settings.weights, self.space.move(all_rows[pool]))
            if blends:
                closer[-len(blends) :] += settings.blend_bonus
            self._note_reach(again, saving[pool])
            value -= max(float((value[pool] - closer).mean()), 0.0)  # what was luck in the pool was luck in the rest
            value[pool] = closer
            found = found.corrected(pool, again.predictions)
        with draft.timed("finalists"):
            now = known.index(RUNNING) if RUNNING in known else None
            if now is not None and not self.space.allowed(all_rows[now : now + 1])[0]:
                value[now] = -np.inf  # doing nothing breaks a limit of an intent
            finalists = choose_finalists(all_rows, value, settings.finalists)
            extra = [i for i, origin in enumerate(known) if origin in (REACTIVE, RUNNING) and i not in finalists]
            shown = [*finalists.tolist(), *extra]
        draft.final = final = await self.rollout(all_rows[shown], settings.final_samples, part="trajectories")
        with draft.timed("finalists"):
            found = found.replaced(shown, final.predictions)
            others = [int(i) for i in np.argsort(-value, kind="stable")[:MAX_CANDIDATES] if i not in shown]
            indices = [*shown, *others][:MAX_CANDIDATES]
            self._show([known[i] for i in indices], all_rows[indices], found.take(indices), saving[indices])
            draft.front = front_of(found, saving, known, {index: i for i, index in enumerate(indices)})
            keep = choose_finalists(all_rows, value, settings.finalists.of_count(settings.remembered))
            draft.alternatives = self.space.policies(all_rows[keep])

    async def look_at(self, rows_KHRS: Rows, origins: list[str]) -> None:
        """Roll out a few policies with trajectories, without a search; fills `draft.looks`, `final` and `front`."""
        self.draft.final = final = await self.rollout(rows_KHRS, self.settings.final_samples, part="trajectories")
        saving = self.space.saving(rows_KHRS)
        self._show(origins, rows_KHRS, final.predictions, saving)
        self.draft.front = front_of(final.predictions, saving, origins, {i: i for i in range(len(origins))})

    def _show(self, origins: list[str], rows_KHRS: Rows, found: Predictions, saving: NDArray[np.float64]) -> None:
        draft, policies = self.draft, self.space.policies(rows_KHRS)
        draft.looks = looks_of(origins, policies, found, saving, self.space.move(rows_KHRS), self.settings.weights)
        fans = draft.final.fans_KHQSP if draft.final else None
        for look, fan in zip(draft.looks, fans if fans is not None else (), strict=False):
            look.fan_HQSP = fan
        if draft.final is None or (columns := draft.final.targets) is None:
            return
        shown = len(columns.violation_KM)
        self._note_reach(draft.final, saving[:shown])
        for i, look in enumerate(draft.looks[:shown]):
            look.standing = predicted_standing(self.goals.targets, columns.take([i]))

    def _note_reach(self, answer: Rollout, saving_K: NDArray[np.float64]) -> None:
        if answer.targets is not None:
            found, harm_K = answer.predictions, self._harm(answer.predictions)
            self.draft.reached = best_reach(self.goals, self.draft.reached, answer.targets, found, saving_K, harm_K)

    async def _play(self, played: list[int], scenarios: Scenarios) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(SCM [P, J], share of futures with a violation [P]) of looks in the twin; fills how they stand to intents."""
        settings, draft, goals = self.settings, self.draft, self.goals
        state_J = np.zeros(0, np.intp)
        if goals.closer:
            states = max(len(goals.states), 1)
            futures, state_J = scenarios.spread_over(goals.settings.scenario_count * states, states)
        else:
            futures = scenarios.spread(min(settings.scenario_count, scenarios.count))
        running = draft.find(RUNNING)
        besides = [running] if goals.targets and running is not None and running not in played else []
        with draft.timed("verify"):
            verdict = await self.peers.verify(
                draft.situation.history[-1],
                PolicyArrays.concatenate([draft.looks[i].policy for i in (*played, *besides)]),
                futures,
                seed=draft.situation.seed,
                deadline=self.last_call,
                account=self.account,
                **({"targets": goals.messages} if goals.targets else {}),
            )
        draft.twin_call_count += verdict.call_count
        for p, index in enumerate((*played, *besides)):
            look = draft.looks[index]
            if goals.targets and look.standing is not None:
                look.standing = verified_standing(
                    goals.targets,
                    look.standing,
                    verdict.target_measured_M,
                    verdict.target_PJM[p],
                    state_J,
                    futures.demand_mbps_JHCS,
                )
        count = len(played)
        return verdict.scm_PJ[:count], verdict.violated_PJ[:count].mean(1)

    def _verified_goal(
        self, played: list[int], predictions: Predictions, violation_P: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What the intents take off finalists, with the twin's word."""
        goals = self.goals
        penalty = goals.sla_penalty(predictions.violation_KS, 0.5 * (predictions.any_violation_K + violation_P))
        looks = [self.draft.looks[i] for i in played]
        penalty += self._saving_penalty(np.array([look.saving for look in looks]), np.array([look.move for look in looks]))
        standings = [look.standing for look in looks]
        for p, standing in enumerate(standings):
            if standing is not None:
                penalty[p] += goals.target_penalty(standing.violation_M[None], standing.excess_M[None])[0]
        return penalty + goals.settings.harm * goals.harm_of(predictions, self.draft.running, 0.0)

    def better_held(self, fallback: int) -> int | None:
        """The running shares' look where they keep the intents better than that of the fallback, and may be held; else None."""
        running, looks = self.draft.find(RUNNING), self.draft.looks
        if not self.goals.targets or running is None or running == fallback:
            return None
        if not self.space.allowed(self.space.stack(looks[running].policy))[0]:
            return None
        costs = []
        for look in (looks[running], looks[fallback]):
            if look.standing is None or look.predictions is None:
                return None
            cost = self.goals.target_penalty(look.standing.violation_M[None], look.standing.excess_M[None])
            costs.append(float(cost[0] + self.goals.settings.harm * self._harm(look.predictions)[0]))
        return running if costs[0] < costs[1] else None

    def _limits(self, reactive: int | None) -> PlanLimits:
        """The limits, without those on violations where the SLA window is lost whatever is done: where the rule that would be
        proposed instead exceeds them too, refusing a plan protects nothing."""
        limits = self.settings.limits
        found = self.draft.looks[reactive].predictions if reactive is not None else None
        if self.account is None or found is None or found.any_violation_K[0] <= limits.violation_probability_max:
            return limits
        return replace(limits, violation_probability_max=1.0, twin_violation_ratio_max=1.0)

    async def verify(self, count: int) -> list[int]:
        """Have the first `count` looks played in the twin; indices of those within all limits, best first."""
        settings, draft, final = self.settings, self.draft, self.draft.final
        if final is None or final.scenarios is None:
            raise InvalidInputError("verification: no trajectories to verify against")
        # Where fewer finalists differ, the reactive rule and the running shares, which stand behind them, take their places.
        count = min(count, len(draft.looks))
        asked = settings.scenario_count > 0 and draft.situation.frame.step % settings.verify_every == 0
        reactive = draft.find(REACTIVE)
        harm = asked and settings.verify_harm and reactive not in (None, 0)
        played = [0, reactive] if harm and reactive is not None else list(range(count))
        predictions = final.predictions.take(played)
        saving, move = (np.array([getattr(draft.looks[i], name) for i in played]) for name in ("saving", "move"))
        scm_PJ, violation_P = predictions.scm_mean_K[:, None], predictions.any_violation_K
        limits = self._limits(reactive)
        passed = within_limits(predictions, np.zeros(len(played)), limits)
        if asked:
            scm_PJ, violation_P = await self._play(played, final.scenarios)
            if self.goals.on:
                predictions = replace(predictions, goal_K=self._verified_goal(played, predictions, violation_P))
        value = verified_score(scm_PJ, violation_P, predictions, saving, settings.weights, move)
        if harm:
            passed &= value >= value[1] - settings.limits.harm_tolerance_scm
            passed[1] = False  # it is what the other one is measured by; as a proposal it is the fallback
        elif asked:
            passed = within_limits(predictions, violation_P, limits)
        running = draft.find(RUNNING)
        if running is not None and (found := draft.looks[running].predictions) is not None:
            passed &= predictions.scm_mean_K >= found.scm_mean_K[0] - settings.limits.harm_tolerance_scm
        draft.verifications = [
            planning_pb2.Verification(
                candidate_index=index,
                scm_mean=float(scm_PJ[p].mean()),
                violation_ratio=float(violation_P[p]),
                saving_ratio=float(saving[p]),
                passed=bool(passed[p]),
                score=float(value[p]),
            )
            for p, index in enumerate(played if asked else ())
        ]
        return [played[int(p)] for p in np.argsort(-value, kind="stable") if passed[p]]
