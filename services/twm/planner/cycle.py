"""The planning cycle: one frame in, one proposal out, whatever the peers do.

search in the world model -> diverse finalists -> their trajectories and the exogenous scenarios -> the twin's verdict on
them -> the best that holds every limit, else the tuned reactive rule. A late, failing or absurd peer costs the search, never
the proposal.

Shape suffixes: K candidates, P finalists, H slow steps, R rows (cells, then links), S slices, J scenarios.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import PolicyArrays, saving_ratio, uniform_policy
from twm.core.clock import Clock
from twm.core.errors import DeadlineError, InvalidInputError, ModelMismatchError, TwmError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.planner.draft import MAX_CANDIDATES, REACTIVE, RUNNING, Draft, looks_of
from twm.planner.finalists import FinalistSettings, choose_finalists
from twm.planner.forecast import forecast_rows
from twm.planner.library import library_policies
from twm.planner.memory import LastPlan
from twm.planner.objective import ObjectiveWeights, PlanLimits, Predictions, score, verified_score, within_limits
from twm.planner.peers import Peers, Rollout
from twm.planner.reactive import ReactiveParameters, reactive_shares
from twm.planner.search import Search, SearchSettings
from twm.planner.situation import Situation
from twm.planner.space import Rows, ShareSpace

log = logging.getLogger(__name__)
_REDUCED_LIBRARY = 24
_LIBRARY_MIN = 24
_SLOWNESS_MEMORY = 0.7
_MAX_REASON = 600


@dataclass(frozen=True, kw_only=True)
class CycleSettings:
    """Sizes, times and taste of one planning cycle."""

    budget_s: float = 1.0
    """Wall time a cycle may take [s]; the search stops so that the rest fits in."""
    grace_s: float = 0.5
    """Time beyond the budget that the last calls get before the reactive rule is proposed [s]."""
    search_fraction: float = 0.7
    """Share of the budget in which a search round may still begin to end."""
    library_count: int = 256
    """Library policies in the first round (fewer where the world model is slow)."""
    search_samples: int = 2
    """Exogenous samples while searching."""
    final_samples: int = 8
    """Exogenous samples for finalists and fans."""
    rerank_count: int = 32
    """Best candidates of the search that are scored again on `final_samples`: the best of many on few was also lucky."""
    scenario_count: int = 4
    """Scenarios the twin plays for each finalist; 0: it is not asked, and the world model's word stands."""
    search: SearchSettings = field(default_factory=SearchSettings)
    finalists: FinalistSettings = field(default_factory=FinalistSettings)
    weights: ObjectiveWeights = field(default_factory=ObjectiveWeights)
    limits: PlanLimits = field(default_factory=PlanLimits)
    reactive: ReactiveParameters = field(default_factory=ReactiveParameters)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("budget_s", 0.01, 3600.0),
            ("grace_s", 0.0, 3600.0),
            ("search_fraction", 0.05, 1.0),
            ("library_count", 1, 4096),
            ("search_samples", 1, 256),
            ("final_samples", 1, 256),
            ("scenario_count", 0, self.final_samples),
            ("rerank_count", 0, 4096),
        ):
            if not low <= getattr(self, name) <= high:
                raise InvalidInputError(f"cycle.{name}: {getattr(self, name)} is outside {low}..{high}")


class PlanningCycle:
    """Plans one area. Holds nothing between frames but how fast the peers answered lately."""

    def __init__(self, spec: NetworkSpec, settings: CycleSettings, peers: Peers, clock: Clock) -> None:
        self._spec, self._settings, self._peers = spec, settings, peers
        self._clock = clock
        self._digest = spec.digest()
        self._codec = FrameCodec(spec)
        self._library, self._library_names = library_policies(spec)
        self._seconds_per_candidate = 0.0
        self._tail_s = 0.0

    async def plan(
        self, history: Sequence[telemetry_pb2.KpiFrame], last: LastPlan | None, *, reduced: bool = False, backlog: int = 0
    ) -> planning_pb2.Proposal:
        """The proposal for the last frame of `history` (consecutive, oldest first).

        `last`: what was proposed before; `reduced`: one small round only; `backlog`: frames waiting, where they are so many
        that only the reactive rule keeps up. Raises FrameError where that frame does not fit the spec; everything else ends in
        a proposal.
        """
        begin = self._clock.monotonic_s()
        situation = Situation.of(history, self._spec, self._codec)
        draft = Draft(situation=situation, reduced=reduced)
        step = situation.frame.step
        space = ShareSpace(self._spec, situation.running, last.at(step) if last else None)
        if not situation.measured:
            hold = draft.add_fallback(space.policies(space.hold(space.running_RS)), RUNNING, self._spec)
            return self._finish(draft, begin, hold, None, "frame: no load was measured, running shares are held")
        with draft.timed("reactive"):
            prb_CS, bandwidth_LS = reactive_shares(self._spec, situation.frame, situation.running, self._settings.reactive)
            reactive = space.hold(np.concatenate([prb_CS, bandwidth_LS]).astype(np.float32))
        runner_up: int | None = None
        try:
            if backlog:
                raise TwmError(f"{backlog} frames are waiting, the reactive rule answers this one", reason="backlog")
            await self._search(draft, space, reactive, last.shifted(step) if last else None, begin)
            with self._tail():
                await self._look_closer(draft, space, begin)
                passed = await self._verify(draft, begin)
            if passed:
                return self._finish(draft, begin, passed[0], passed[1] if len(passed) > 1 else draft.find(REACTIVE), "")
            reason, runner_up = "limits: no verified finalist holds every limit", 0
        except TwmError as error:
            reason = f"{error.reason}: {error}"[:_MAX_REASON]
        except Exception as error:  # a defect in here must not cost the frame its proposal
            log.exception("planning step %d failed", step)
            reason = f"internal: {type(error).__name__}: {error}"[:_MAX_REASON]
        chosen = draft.add_fallback(space.policies(reactive), REACTIVE, self._spec)
        return self._finish(draft, begin, chosen, runner_up if draft.final else None, reason)

    async def _search(
        self, draft: Draft, space: ShareSpace, reactive: Rows, previous: PolicyArrays | None, begin: float
    ) -> None:
        """Search until it is done or time is up; fills `draft.search` and `draft.predictions`."""
        settings, situation = self._settings, draft.situation
        forecast = await self._forecast(draft, space, reactive, begin)
        with draft.timed("candidates"):
            seeds, origins = self._seeds(space, reactive, forecast, previous, reduced=draft.reduced)
            search = Search(space, seeds, origins, settings.search, situation.seed)
        draft.search, parts = search, draft.predictions
        search_end = begin + self._search_s
        while True:
            with draft.timed("candidates"):
                rows = search.ask()
            if rows is None:
                break
            policies = space.policies(rows)
            try:
                answer = await self._rollout(draft, policies, settings.search_samples, begin, part="rollout")
            except DeadlineError:
                if not parts:
                    raise
                draft.stopped_early = True
                break
            with draft.timed("score"):
                parts.append(answer.predictions)
                search.tell(score(answer.predictions, saving_ratio(policies, self._spec, situation.running), settings.weights))
            if draft.reduced or search.rounds_left == 0:
                break
            if self._clock.monotonic_s() + self._seconds_per_candidate * search.next_size > search_end:
                draft.stopped_early = True
                break

    async def _look_closer(self, draft: Draft, space: ShareSpace, begin: float) -> None:
        """Choose finalists, roll them out with trajectories; fills `draft.looks` and `draft.final`."""
        settings, situation, search = self._settings, draft.situation, draft.search
        if search is None:
            raise InvalidInputError("finalists: nothing was searched")
        all_rows, value = search.rows_NHRS, search.score_N
        pool = np.argsort(-value, kind="stable")[: settings.rerank_count]
        if not draft.reduced and pool.size:
            policies = space.policies(all_rows[pool])
            again = await self._rollout(draft, policies, settings.final_samples, begin, part="rerank")
            saving = saving_ratio(policies, self._spec, situation.running)
            closer = score(again.predictions, saving, settings.weights)
            value = value - max(float((value[pool] - closer).mean()), 0.0)  # what was luck in the pool was luck in the rest
            value[pool] = closer
        with draft.timed("finalists"):
            finalists = choose_finalists(all_rows, value, settings.finalists)
            known = search.origins
            extra = [i for i, origin in enumerate(known) if origin in (REACTIVE, RUNNING) and i not in finalists]
            shown = [*finalists.tolist(), *extra]
        policies = space.policies(all_rows[shown])
        final = await self._rollout(draft, policies, settings.final_samples, begin, part="trajectories")
        draft.final = final
        draft.looks = looks_of(
            [known[i] for i in shown], policies, final.predictions, settings.weights, self._spec, situation.running
        )
        for look, fan in zip(draft.looks, final.fans_KHQSP if final.fans_KHQSP is not None else (), strict=True):
            look.fan_HQSP = fan
        others = [i for i in np.argsort(-search.score_N, kind="stable") if i not in shown][: MAX_CANDIDATES - len(shown)]
        if others:
            merged = Predictions.concatenate(draft.predictions)
            draft.looks += looks_of(
                [known[i] for i in others],
                space.policies(all_rows[others]),
                Predictions(**{name: column[others] for name, column in vars(merged).items()}),
                settings.weights,
                self._spec,
                situation.running,
            )

    async def _verify(self, draft: Draft, begin: float) -> list[int]:
        """Have the finalists played in the twin; indices of those within all limits, best first."""
        settings, final = self._settings, draft.final
        if final is None or final.scenarios is None:
            raise InvalidInputError("verification: no trajectories to verify against")
        # Where fewer finalists differ, the reactive rule and the running shares, which stand behind them, take their places.
        count = min(settings.finalists.count, len(draft.looks))
        names = [look.origin for look in draft.looks[:count]]
        finalists = PolicyArrays.concatenate([look.policy for look in draft.looks[:count]])
        predictions = Predictions(**{name: column[:count] for name, column in vars(final.predictions).items()})
        saving = np.array([look.saving for look in draft.looks[:count]])
        scm_PJ, violation_P = predictions.scm_mean_K[:, None], predictions.any_violation_K
        passed = within_limits(predictions, np.zeros(count), settings.limits)
        if settings.scenario_count:
            scenarios = final.scenarios.spread(min(settings.scenario_count, final.scenarios.count))
            with draft.timed("verify"):
                verdict = await self._peers.verify(
                    draft.situation.history[-1],
                    finalists,
                    scenarios,
                    seed=draft.situation.seed,
                    deadline=begin + settings.budget_s + settings.grace_s,
                )
            draft.twin_call_count += verdict.call_count
            scm_PJ, violation_P = verdict.scm_PJ, verdict.violated_PJ.mean(1)
            passed = within_limits(predictions, violation_P, settings.limits)
        running = draft.find(RUNNING)
        if running is not None and (found := draft.looks[running].predictions) is not None:
            passed &= predictions.scm_mean_K >= found.scm_mean_K[0] - settings.limits.harm_tolerance_scm
        value = verified_score(scm_PJ, violation_P, predictions, saving, settings.weights)
        draft.verifications = [
            planning_pb2.Verification(
                candidate_index=p,
                scm_mean=float(scm_PJ[p].mean()),
                violation_ratio=float(violation_P[p]),
                saving_ratio=float(saving[p]),
                passed=bool(passed[p]),
            )
            for p in range(len(names) if settings.scenario_count else 0)
        ]
        return [int(p) for p in np.argsort(-value, kind="stable") if passed[p]]

    async def _forecast(self, draft: Draft, space: ShareSpace, reactive: Rows, begin: float) -> tuple[Rows, list[str]]:
        """Candidates that answer the expected demand; costs one small rollout for the exogenous scenarios."""
        settings, running = self._settings, draft.situation.running
        policies = space.policies(np.concatenate([reactive, space.hold(space.running_RS)]))
        answer = await self._rollout(draft, policies, settings.final_samples, begin, part="forecast")
        if answer.scenarios is None:
            raise InvalidInputError("forecast: no exogenous scenarios")
        with draft.timed("candidates"):
            shares = running.prb_share_KHCS[0, -1], running.bandwidth_share_KHLS[0, -1]
            rows, names = forecast_rows(self._spec, draft.situation.frame, answer.scenarios, shares, settings.reactive)
            return space.feasible(rows), names

    def _seeds(
        self,
        space: ShareSpace,
        reactive: Rows,
        forecast: tuple[Rows, list[str]],
        previous: PolicyArrays | None,
        *,
        reduced: bool,
    ) -> tuple[Rows, list[str]]:
        """Candidates of the first round: what we know to be sensible, and a library as wide as time allows."""
        parts, origins = [reactive, space.hold(space.running_RS), forecast[0]], [REACTIVE, RUNNING, *forecast[1]]
        if previous is not None:
            parts.insert(0, space.feasible(space.stack(previous)))
            origins.insert(0, "previous")
        parts.append(space.feasible(space.stack(uniform_policy(self._spec))))
        origins.append("uniform")
        count = min(self._library.count, _REDUCED_LIBRARY if reduced else self._settings.library_count)
        if self._seconds_per_candidate > 0:
            affordable = 0.5 * self._search_s / self._seconds_per_candidate
            count = min(count, max(int(affordable), _LIBRARY_MIN))
        picks = np.unique(np.linspace(0, self._library.count - 1, count).astype(np.intp))
        parts.append(space.feasible(space.stack(self._library.take(picks))))
        origins += [f"library:{self._library_names[i]}"[:128] for i in picks]
        return np.concatenate(parts), origins

    async def _rollout(self, draft: Draft, policies: PolicyArrays, samples: int, begin: float, *, part: str) -> Rollout:
        """Ask the world model. "forecast" and "trajectories" bring fans; "rerank" and "trajectories" may use the grace."""
        settings = self._settings
        trajectories = part in ("forecast", "trajectories")
        deadline = begin + settings.budget_s + (settings.grace_s if part in ("rerank", "trajectories") else 0.0)
        asked = self._clock.monotonic_s()
        try:
            with draft.timed(part + "_reduced" if draft.reduced and not trajectories else part):
                answer = await self._peers.rollout(
                    draft.situation.history,
                    policies,
                    seed=draft.situation.seed,
                    sample_count=samples,
                    with_trajectories=trajectories,
                    deadline=deadline,
                )
        except DeadlineError:
            if part == "rollout":
                self._note_speed((self._clock.monotonic_s() - asked) / policies.count, slower=True)
            raise
        if part == "rollout":
            self._note_speed((self._clock.monotonic_s() - asked) / policies.count, slower=False)
            draft.evaluation_count += policies.count
        if draft.models and draft.models != answer.models:
            raise ModelMismatchError(f"world model: {answer.models} answered after {draft.models} within one cycle")
        draft.models = answer.models
        return answer

    @property
    def _search_s(self) -> float:
        """Time from the cycle's begin in which search rounds may end: leaves what came after them lately."""
        settings = self._settings
        return max(min(settings.budget_s * settings.search_fraction, settings.budget_s - self._tail_s), 0.1 * settings.budget_s)

    @contextmanager
    def _tail(self) -> Iterator[None]:
        """Remember how long the part after the search takes; after a missed deadline at least twice what was thought."""
        begin = self._clock.monotonic_s()
        try:
            yield
        except DeadlineError:
            self._tail_s = max(2.0 * self._tail_s, self._clock.monotonic_s() - begin)
            raise
        took = self._clock.monotonic_s() - begin
        self._tail_s = _SLOWNESS_MEMORY * self._tail_s + (1 - _SLOWNESS_MEMORY) * took if self._tail_s else took

    def _note_speed(self, seconds: float, *, slower: bool) -> None:
        """How long a candidate takes, smoothed; after a missed deadline at least twice what was thought."""
        before = self._seconds_per_candidate
        if slower:
            self._seconds_per_candidate = 2.0 * max(before, seconds)
        else:
            self._seconds_per_candidate = _SLOWNESS_MEMORY * before + (1 - _SLOWNESS_MEMORY) * seconds if before else seconds

    def _finish(self, draft: Draft, begin: float, chosen: int, runner_up: int | None, reason: str) -> planning_pb2.Proposal:
        if draft.stopped_early:
            draft.timings["stopped_early"] = 0.0
        draft.timings["total"] = self._clock.monotonic_s() - begin
        return draft.finish(
            self._spec, self._digest, chosen=chosen, runner_up=runner_up, reason=reason, created_s=self._clock.now_s()
        )
