"""The planning cycle: one frame in, one proposal out, whatever the peers do.

search in the world model -> diverse finalists -> their trajectories and the exogenous scenarios -> the twin's verdict on
them -> the best that holds every limit, else the tuned reactive rule. Where there is no time to search, the actor's plan takes
the finalists' place. A late, failing or absurd peer costs the search, never the proposal.

Shape suffixes: K candidates, H slow steps, R rows (cells, then links), S slices.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import uniform_policy
from twm.core.clock import Clock
from twm.core.errors import DeadlineError, TwmError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.planner.actor import ActorSeat
from twm.planner.bounded import BoundedSpace
from twm.planner.contingency import outage_groups
from twm.planner.corner.offers import Offer
from twm.planner.corner.watch import CornerWatch
from twm.planner.cycle_settings import CycleSettings
from twm.planner.decision import Decision
from twm.planner.draft import REACTIVE, RUNNING, Draft
from twm.planner.forecast import Forecast
from twm.planner.goal_reading import goals_of
from twm.planner.goals import Goals
from twm.planner.library import library_policies
from twm.planner.memory import CycleMemory, LastPlan
from twm.planner.objective import score
from twm.planner.pace import Pace
from twm.planner.peers import Peers
from twm.planner.reactive import reactive_shares
from twm.planner.search import Search, row_groups
from twm.planner.situation import Situation
from twm.planner.space import Rows, ShareSpace

__all__ = ["CycleSettings", "PlanningCycle"]

log = logging.getLogger(__name__)
_REDUCED_LIBRARY = 24
_LIBRARY_MIN = 24
_LEAST_ROUND = 48
"""Candidates of the smallest first round that is worth its time."""
_MAX_REASON = 600
_NO_TIME = frozenset(("backlog", "budget", "deadline"))
_FROM_SEARCH, _FROM_RULE, _FROM_ACTOR = (
    planning_pb2.PROPOSAL_SOURCE_SEARCH,
    planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK,
    planning_pb2.PROPOSAL_SOURCE_ACTOR,
)
Seeds = tuple[Rows, list[str]]
"""Policies [K, H, R, S] and where each came from."""


class PlanningCycle:
    """Plans one area. Holds nothing between frames but how fast the peers answered lately and whether there is an actor."""

    def __init__(self, spec: NetworkSpec, settings: CycleSettings, peers: Peers, clock: Clock) -> None:
        self._spec, self._settings, self._peers = spec, settings, peers
        self._clock = clock
        self._digest = spec.digest()
        self._codec = FrameCodec(spec)
        library, self._library_names = library_policies(spec)
        anywhere = ShareSpace(spec)
        self._library_KHRS = anywhere.project(anywhere.stack(library))
        self._uniform_KHRS = anywhere.project(anywhere.stack(uniform_policy(spec)))
        self._groups_GR = row_groups(spec)
        self._outage_groups = outage_groups(spec.topology())
        self._actor = ActorSeat(peers)
        self._pace = Pace(clock)

    @property
    def settings(self) -> CycleSettings:
        """Sizes, times and taste."""
        return self._settings

    def memory(self) -> CycleMemory:
        """What is remembered from decision to decision."""
        return CycleMemory(
            candidate_s=self._pace.candidate_s,
            tail_s=self._pace.tail_s,
            actor_present=self._actor.present,
            actor_silent=self._actor.silent,
            actor_absent_with=self._actor.absent_with,
        )

    def recall(self, memory: CycleMemory) -> None:
        """Go on from there: for repeating a decision."""
        self._pace.candidate_s, self._pace.tail_s = memory.candidate_s, memory.tail_s
        self._actor.recall(present=memory.actor_present, silent=memory.actor_silent, absent_with=memory.actor_absent_with)

    async def plan(
        self,
        history: Sequence[telemetry_pb2.KpiFrame],
        last: LastPlan | None,
        *,
        reduced: bool = False,
        backlog: int = 0,
        offer: bytes = b"",
        intents: bytes = b"",
        intent_problem: str = "",
    ) -> planning_pb2.Proposal:
        """The proposal for the last frame of `history` (consecutive, oldest first).

        `last`: what was proposed before; `reduced`: one small round only; `backlog`: frames waiting, where they are so many
        that only the actor or the reactive rule keeps up; `offer`: template parameters from the gateway, unchecked; `intents`,
        `intent_problem`: the active intents as twm.core.intents.readable_intents leaves them. Raises FrameError where that
        frame does not fit the spec; everything else ends in a proposal.
        """
        begin = self._clock.monotonic_s()
        situation = Situation.of(history, self._spec, self._codec)
        draft = Draft(situation=situation, reduced=reduced)
        step = situation.frame.step
        goals = self._goals(history, intents, intent_problem)
        proposed = last.at(step) if last else None
        if goals is None or goals.bounds is None:
            space = ShareSpace(self._spec, situation.running, proposed)
        else:
            space = BoundedSpace(self._spec, goals.bounds, situation.running, proposed)
        decision = Decision(
            spec=self._spec,
            settings=self._settings if goals is None else replace(self._settings, weights=goals.weights),
            peers=self._peers,
            clock=self._clock,
            pace=self._pace,
            draft=draft,
            space=space,
            begin=begin,
            outage_groups=self._outage_groups,
            goals=goals or Goals(),
            intents_read=goals is not None,
            corner=self._watch(situation, last, offer),
        )
        if not situation.measured:
            hold = draft.add_fallback(space.policies(space.held_running()), RUNNING, self._spec)
            reason = "frame: no load was measured, running shares are held"
            return self._finish(decision, hold, None, _FROM_RULE, reason)
        with draft.timed("reactive"):
            prb_CS, bandwidth_LS = reactive_shares(self._spec, situation.frame, situation.running, self._settings.reactive)
            reactive = space.hold(np.concatenate([prb_CS, bandwidth_LS]).astype(np.float32))
        try:
            source, reason = _FROM_SEARCH, ""
            try:
                passed = await self._searched(decision, reactive, last, backlog)
            except TwmError as error:
                if error.reason not in _NO_TIME or draft.final is not None:
                    raise
                source, reason = _FROM_ACTOR, _reason(error)
                passed = await self._acted(decision, reactive)
            if passed:
                second = passed[1] if len(passed) > 1 else draft.find(REACTIVE)
                return self._finish(decision, passed[0], second, source, reason)
            reason = reason or "limits: no verified finalist holds every limit"
        except TwmError as error:
            reason = reason or _reason(error)
        except Exception as error:  # a defect in here must not cost the frame its proposal
            log.exception("planning step %d failed", step)
            reason = f"internal: {type(error).__name__}: {error}"[:_MAX_REASON]
        runner_up = 0 if reason.startswith("limits") and draft.final else None
        chosen = draft.add_fallback(space.policies(reactive), REACTIVE, self._spec)
        if (held := decision.better_held(chosen)) is not None:
            chosen, reason = held, f"{reason[: _MAX_REASON - 80]}; the running shares keep the intents better than the rule"
        return self._finish(decision, chosen, runner_up, _FROM_RULE, reason)

    async def _searched(self, decision: Decision, reactive: Rows, last: LastPlan | None, backlog: int) -> list[int]:
        """Search and verify; looks that hold all limits, best first. Raises a TwmError where there is no time for that."""
        if backlog:
            raise TwmError(f"{backlog} frames are waiting, this one is answered without a search", reason="backlog")
        needed, have = self._pace.candidate_s * _LEAST_ROUND, self._search_s
        if self._actor.present and needed > have:
            self._pace.note_skipped()
            raise TwmError(f"a search round takes {needed:.3f} s, more than the {have:.3f} s there are", reason="budget")
        search = await self._search(decision, reactive, last)
        with self._pace.tail():
            await decision.look_closer(search)
            if decision.corner is not None:
                await decision.corner.consider(decision)
            return await decision.verify(self._settings.finalists.count)

    async def _acted(self, decision: Decision, reactive: Rows) -> list[int]:
        """The actor's plan instead of a search, looked at and verified; looks that hold all limits, best first."""
        actor = await self._asked_actor(decision, decision.last_call)
        if actor is None:
            return []
        rows, origins = actor
        count = min(len(rows), self._settings.finalists.count)
        running = decision.space.held_running()
        await decision.look_at(np.concatenate([rows[:count], reactive, running]), [*origins[:count], REACTIVE, RUNNING])
        return await decision.verify(count)

    async def _asked_actor(self, decision: Decision, deadline: float) -> Seeds | None:
        """The actor's policies, made feasible; None where there are none."""
        if not self._settings.use_actor:
            return None
        draft = decision.draft
        with draft.timed("actor"):
            wanted = decision.settings.weights.saving_wanted_ratio
            found = await self._actor.plans(draft.situation, wanted, deadline, draft.models)
            if found is None:
                return None
            rows = decision.space.feasible(decision.space.stack(found.policies))
        draft.actor_model = found.model
        return rows, [f"actor:{i}" for i in range(len(rows))]

    async def _search(self, decision: Decision, reactive: Rows, last: LastPlan | None) -> Search:
        """Search until it is done or time is up; what the world model said goes into the draft."""
        settings, draft, space = decision.settings, decision.draft, decision.space
        forecast = await self._forecast(decision)
        await decision.look_at_running()
        actor = await self._asked_actor(decision, decision.begin + self._search_s) if self._settings.actor_seeds else None
        with draft.timed("candidates"):
            seeds, origins = self._seeds(decision, reactive, forecast, last, actor)
            watch = decision.corner if decision.corner is not None and decision.corner.screens else None
            if watch is not None:
                kept = watch.keep(seeds, origins)
                seeds, origins = seeds[kept], [origin for origin, keep in zip(origins, kept, strict=True) if keep]
            search = Search(
                space,
                seeds,
                origins,
                settings.search,
                draft.situation.seed,
                groups_GR=self._groups_GR,
                keep=watch.keep if watch is not None else None,
            )
        search_end = decision.begin + self._search_s
        while True:
            with draft.timed("candidates"):
                rows = search.ask()
            if rows is None:
                break
            decision.hold_beyond(rows)
            try:
                answer = await decision.rollout(rows, settings.search_samples, part="rollout")
            except DeadlineError:
                if not draft.predictions:
                    raise
                draft.stopped_early = True
                break
            with draft.timed("score"):
                draft.predictions.append(answer.predictions)
                draft.saving_parts.append(space.saving(rows))
                search.tell(score(answer.predictions, draft.saving_parts[-1], settings.weights, space.move(rows)))
            if draft.reduced or search.rounds_left == 0:
                break
            if self._clock.monotonic_s() + self._pace.candidate_s * search.next_size > search_end:
                draft.stopped_early = True
                break
        return search

    async def _forecast(self, decision: Decision) -> Forecast:
        """What the world model expects, and the reactive rule's answers to it."""
        scenarios = await decision.forecast()
        if decision.corner is not None:
            decision.corner.look_ahead(decision, scenarios)
        with decision.draft.timed("candidates"):
            situation = decision.draft.situation
            shares = situation.running.prb_share_KHCS[0, -1], situation.running.bandwidth_share_KHLS[0, -1]
            return Forecast(self._spec, situation.frame, scenarios, shares, self._settings.reactive)

    def _seeds(
        self, decision: Decision, reactive: Rows, forecast: Forecast, last: LastPlan | None, actor: Seeds | None
    ) -> Seeds:
        """Candidates of the first round: what we know to be sensible, and a library as wide as time allows."""
        settings, space, draft = self._settings, decision.space, decision.draft
        step = draft.situation.frame.step
        parts: list[Seeds] = []
        if last is not None and (previous := last.shifted(step)) is not None:
            parts.append((space.feasible(space.stack(previous)), ["previous"]))
        parts.append((np.concatenate([reactive, space.held_running()]), [REACTIVE, RUNNING]))
        wanted = [forecast.fixed()]
        if settings.rule_count and not draft.reduced:
            random = np.random.default_rng([draft.situation.seed, 1])
            wanted.append(forecast.drawn(settings.rule_count, self._groups_GR, random))
        parts += [(space.feasible(rows), names) for rows, names in wanted]
        if actor is not None:
            parts.append(actor)
        if last is not None and (others := last.alternatives_shifted(step)) is not None:
            parts.append((space.feasible(space.stack(others)), [f"elite:{i}" for i in range(others.count)]))
        parts.append((space.within_rate(self._uniform_KHRS), ["uniform"]))
        picks = self._library_picks(reduced=draft.reduced)
        names = [f"library:{self._library_names[i]}"[:128] for i in picks]
        parts.append((space.within_rate(self._library_KHRS[picks]), names))
        return np.concatenate([rows for rows, _ in parts]), [name for _, names in parts for name in names]

    def _library_picks(self, *, reduced: bool) -> np.ndarray:
        have = len(self._library_KHRS)
        count = min(have, _REDUCED_LIBRARY if reduced else self._settings.library_count)
        if self._pace.candidate_s > 0:
            affordable = 0.5 * self._search_s / self._pace.candidate_s
            count = min(count, max(int(affordable), _LIBRARY_MIN))
        return np.unique(np.linspace(0, have - 1, count).astype(np.intp))

    def _goals(self, history: Sequence[telemetry_pb2.KpiFrame], intents: bytes, problem: str) -> Goals | None:
        """What the active intents ask; None where none was read."""
        if not intents and not problem:
            return None
        frames = [self._codec.decode(message) for message in history]
        settings = self._settings
        return goals_of(intents, self._spec, frames, self._clock.now_s(), settings.goals, settings.weights, problem=problem)

    def _watch(self, situation: Situation, last: LastPlan | None, offer: bytes) -> CornerWatch | None:
        """The watch for corner cases; None where nothing of it is in use."""
        settings, step = self._settings.corner, situation.frame.step
        if not settings.on:
            return None
        found = Offer()
        if offer and settings.templates and settings.offers:
            found = Offer.read(offer, self._spec, step=step, now_s=self._clock.now_s())
        return CornerWatch(self._spec, settings, last.expected(step) if last else None, found)

    @property
    def _search_s(self) -> float:
        """Time from the cycle's begin in which search rounds may end: leaves what came after them lately."""
        settings = self._settings
        left = min(settings.budget_s * settings.search_fraction, settings.budget_s - self._pace.tail_s)
        return max(left, 0.1 * settings.budget_s)

    def _finish(
        self, decision: Decision, chosen: int, runner_up: int | None, source: planning_pb2.ProposalSource, reason: str
    ) -> planning_pb2.Proposal:
        draft = decision.draft
        if decision.corner is not None:
            draft.corner = decision.corner.report()
        if draft.stopped_early:
            draft.timings["stopped_early"] = 0.0
        draft.timings["total"] = self._clock.monotonic_s() - decision.begin
        return draft.finish(
            self._spec,
            self._digest,
            chosen=chosen,
            runner_up=runner_up,
            source=source,
            reason=reason,
            created_s=self._clock.now_s(),
            weights=decision.settings.weights,
            goals=decision.goals if decision.intents_read else None,
        )


def _reason(error: TwmError) -> str:
    return f"{error.reason}: {error}"[:_MAX_REASON]
