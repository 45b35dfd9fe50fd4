"""Corner cases of one decision: the prescreen before the search, templates after it, and what is told of both.

    futures ─> outlook ─> prescreen of candidates ─> search ─> signs? ─> templates (rules, gateway) ─> prescreen
                                                        └─ none: done      └─> world model ─> twin ─> first finalist

A template becomes the first finalist only if it harms neither in the world model, against the running shares and the limits,
nor in the twin, against the running shares, and if its gain there over the plan of the search is beyond doubt: in the same
futures, by some standard errors more than what it costs. It is judged by the step that will be played of it: what it would do
in steps that are decided again is no gain. A peer that is late or gone costs the templates, never the plan of the search.

Shape suffixes: K templates, H slow steps, R rows (cells, then links), S slices, J futures.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.core.actions import PolicyArrays
from twm.core.errors import TwmError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec, Topology
from twm.core.templates import TemplateCall
from twm.planner.answers import Rollout, Scenarios
from twm.planner.corner.expectation import Expectation
from twm.planner.corner.offers import Offer
from twm.planner.corner.outlook import Outlook, grouped
from twm.planner.corner.prescreen import Prescreen
from twm.planner.corner.settings import CornerSettings
from twm.planner.corner.templates import Ground, by_rules, filled
from twm.planner.corner.triggers import (
    Trigger,
    account_lost,
    disagreement,
    field_risk,
    link_outage,
    surprise,
    surprise_sigma,
    worst_first,
)
from twm.planner.decision import Decision
from twm.planner.draft import RUNNING, looks_of
from twm.planner.objective import Predictions, saving_term, score
from twm.planner.outcomes import predicted_standing
from twm.planner.space import Rows

log = logging.getLogger(__name__)
_SAME_SHARE = 1e-3
_LEAST_GAIN = 1e-5
"""A gain below this is arithmetic [SCM]."""
_PART_LEFT = 0.1
"""Part of the budget that must be left for the templates to be asked about."""


@dataclass(kw_only=True)
class _Try:
    """One template of this decision."""

    call: TemplateCall
    filled_by: str
    rows_1HRS: Rows
    outcome: str = ""
    scm: float | None = None
    score: float | None = None
    twin_scm: float | None = None

    @property
    def amount_in_words(self) -> str:
        """Strength."""
        return f"{self.call.amount:g} for the next step"

    def to_message(self) -> planning_pb2.CornerTemplate:
        """As protobuf."""
        return planning_pb2.CornerTemplate(
            name=self.call.name,
            scope=self.call.scope,
            amount=self.call.amount,
            steps=self.call.steps,
            filled_by=self.filled_by,
            outcome=self.outcome,
            scm_mean=self.scm,
            score=self.score,
            twin_scm_mean=self.twin_scm,
        )


class CornerWatch:
    """Watches one decision."""

    def __init__(
        self,
        spec: NetworkSpec,
        settings: CornerSettings,
        expected: Expectation | None,
        offer: Offer,
    ) -> None:
        """`expected`: what the decision before expected of this frame, None where it was not the step before."""
        self._spec, self._settings, self._expected, self._offer = spec, settings, expected, offer
        self._topology: Topology = spec.topology()
        self._outlook: Outlook | None = None
        self._screen: Prescreen | None = None
        self._triggers: list[Trigger] = []
        self._tries: list[_Try] = []
        self._surprise_G: NDArray[np.float64] | None = None
        self._reason = ""

    def look_ahead(self, decision: Decision, futures: Scenarios) -> None:
        """The futures of the decision are there: from here on candidates can be screened."""
        situation, settings = decision.draft.situation, self._settings
        with decision.draft.timed("corner"):
            self._outlook = Outlook.of(
                self._spec, self._topology, situation.frame, futures, look=settings.look_steps, level=settings.field_level
            )
            goals = decision.goals
            if settings.prescreen and not goals.on and goals.bounds is None:  # an intent may want what is unsafe else
                self._screen = Prescreen(
                    spec=self._spec,
                    topology=self._topology,
                    outlook=self._outlook,
                    settings=settings,
                    running_RS=decision.space.running_RS,
                    before_RS=_shares_before(decision, self._spec),
                )

    def keep(self, rows_KHRS: Rows, origins: list[str] | None = None) -> NDArray[np.bool_]:
        """Which candidates [K] may be scored."""
        return np.ones(len(rows_KHRS), bool) if self._screen is None else self._screen.keep(rows_KHRS, origins)

    @property
    def screens(self) -> bool:
        """Whether `keep` turns anything away."""
        return self._screen is not None

    async def consider(self, decision: Decision) -> None:
        """The search is over and its finalists are looked at: put a template before them where one is better and harmless."""
        draft = decision.draft
        if not self._settings.templates or self._outlook is None or draft.reduced or not draft.looks:
            return
        try:
            await self._consider(decision, self._outlook)
        except Exception:  # a defect in here must not cost the search its plan
            log.exception("step %d: corner cases are left out", draft.situation.frame.step)

    async def _consider(self, decision: Decision, outlook: Outlook) -> None:
        draft = decision.draft
        with draft.timed("corner"):
            self._triggers = self._signs(decision, outlook)
            if not self._triggers:
                return
            ground = Ground(spec=self._spec, topology=self._topology, space=decision.space, outlook=outlook)
            self._tries = self._fill(decision, ground)
            open_tries = [one for one in self._tries if not one.outcome]
        if open_tries:
            try:
                await self._gate(decision, open_tries)
            except TwmError as error:
                log.info("step %d: templates not tried: %s", draft.situation.frame.step, error.reason)
                for one in open_tries:
                    one.outcome = one.outcome or "not_verified"
        self._reason = self._reason or f"{self._signs_in_words()}; no template is better than the plan of the search"

    def report(self) -> planning_pb2.CornerReport:
        """What is told of it in the proposal."""
        told = planning_pb2.CornerReport(
            triggers=[one.to_message() for one in self._triggers],
            templates=[one.to_message() for one in self._tries],
            reason=self._reason[:400],
            offer=self._offer.outcome,
        )
        if self._screen is not None:
            told.screened.extend(planning_pb2.ScreenCount(reason=r, count=n) for r, n in sorted(self._screen.counts.items()))
        if self._settings.templates and self._outlook is not None:
            told.expected_mbps.extend(self._outlook.expected_G.tolist())
            told.expected_std_mbps.extend(self._outlook.spread_G.tolist())
        return told

    def _signs(self, decision: Decision, outlook: Outlook) -> list[Trigger]:
        settings, spec, draft = self._settings, self._spec, decision.draft
        found = field_risk(outlook, spec, self._topology, settings) + link_outage(outlook, spec)
        best = draft.looks[0].predictions
        if best is not None:
            found += disagreement(float(best.disagreement_K[0]), settings)
        if self._expected is not None:
            observed_C = draft.situation.frame.cell_slice_feature("offered_mbps").sum(-1)
            observed_G = grouped(observed_C, self._topology)
            if observed_G.shape == self._expected.mean_G.shape:
                sigma_G = surprise_sigma(observed_G, self._expected, settings)
                found += surprise(sigma_G, spec, self._topology, settings)
                ratio_G = observed_G / np.maximum(self._expected.mean_G, 1e-9) - 1.0
                self._surprise_G = np.where(sigma_G >= settings.surprise_sigma, np.nan_to_num(ratio_G), 0.0)
        if decision.settings.account:
            found += account_lost(draft.situation.account, outlook.offered_HS, spec, settings)
        return worst_first(found)

    def _fill(self, decision: Decision, ground: Ground) -> list[_Try]:
        """Templates on the plan of the search: those offered, then those of the rules; the prescreen has its say."""
        base_HRS = decision.space.stack(decision.draft.looks[0].policy)[0]
        offered = [replace(call, steps=1) for call in self._offer.take()]  # later steps are decided when they come
        calls = [(call, "model") for call in offered]
        calls += [(call, "rules") for call in by_rules(self._triggers, base_HRS, ground, self._settings) if call not in offered]
        tries: list[_Try] = []
        for call, who in calls[: self._settings.templates_max]:
            one = _Try(call=call, filled_by=who, rows_1HRS=filled(call, base_HRS, ground))
            decision.hold_beyond(one.rows_1HRS)
            if float(np.abs(one.rows_1HRS[0] - base_HRS).max()) < _SAME_SHARE:
                one.outcome = "worse"  # it changes nothing
            elif self._screen is not None and not self._screen.keep(one.rows_1HRS)[0]:
                one.outcome = "unsafe"
            tries.append(one)
        return tries

    async def _gate(self, decision: Decision, tries: list[_Try]) -> None:
        """World model, then twin. Raises a TwmError where one of them gives no word in time."""
        draft, settings = decision.draft, self._settings
        rows = np.concatenate([one.rows_1HRS for one in tries])
        decision.check_time(_PART_LEFT)
        answer = await decision.rollout(rows, decision.settings.final_samples, part="corner")
        better = self._harmless_in_model(decision, tries, rows, answer)[: settings.twin_count]
        running = draft.find(RUNNING)
        final = draft.final
        if not better or not settings.twin_scenarios or running is None or final is None or final.scenarios is None:
            return
        best = draft.looks[0]
        futures = self._stressed(final.scenarios.spread(min(settings.twin_scenarios, final.scenarios.count)))
        played = [decision.space.policies(rows[better]), best.policy, draft.looks[running].policy]
        with draft.timed("verify"):
            verdict = await decision.peers.verify(
                draft.situation.history[-1],
                PolicyArrays.concatenate(played),
                futures,
                seed=draft.situation.seed,
                deadline=decision.begin + decision.settings.budget_s,
                account=decision.account,
            )
        draft.twin_call_count += verdict.call_count
        weights = decision.settings.weights
        saved = saving_term(decision.space.saving(rows[better]), weights) - saving_term(np.array([best.saving]), weights)
        goal = answer.predictions.goal_K[better] - (best.predictions.goal_K if best.predictions is not None else 0.0)
        moved = decision.space.move(rows[better]) - best.move
        cost = np.maximum(weights.churn * moved + goal - saved, 0.0)
        gain = sure_gain(verdict.scm_PJ[: len(better)] - verdict.scm_PJ[len(better)], settings.twin_sigma) - cost
        running_scm = float(verdict.scm_PJ[-1].mean())
        chosen = -1
        for i in np.argsort(-gain, kind="stable").tolist():
            one = tries[better[i]]
            one.twin_scm = float(verdict.scm_PJ[i].mean())
            if one.twin_scm < running_scm or not gain[i] > _LEAST_GAIN:
                one.outcome = "harm_twin"
            else:
                one.outcome = "passed" if chosen >= 0 else "chosen"
                chosen = better[i] if chosen < 0 else chosen
        if chosen >= 0:
            one = tries[chosen]
            self._put_first(decision, one, chosen, answer)
            self._reason = (
                f"{self._signs_in_words()}; template {one.call.name}"
                f"{' of ' + one.call.scope if one.call.scope else ''} by {one.amount_in_words} "
                f"({one.filled_by}): SCM {one.twin_scm:.3f} against "
                f"{float(verdict.scm_PJ[len(better)].mean()):.3f} in the twin"
            )

    def _harmless_in_model(self, decision: Decision, tries: list[_Try], rows: Rows, answer: Rollout) -> list[int]:
        """Templates within the limits that harm neither against the running shares nor the plan of the search; best first."""
        draft, settings, found = decision.draft, self._settings, answer.predictions
        saving = decision.space.saving(rows)
        value = score(found, saving, decision.settings.weights, decision.space.move(rows))
        best, running = draft.looks[0], draft.find(RUNNING)
        now = draft.looks[running].predictions if running is not None else None
        limits = decision.settings.limits
        most_violation = limits.violation_probability_max
        if best.predictions is not None:
            most_violation = max(most_violation, float(best.predictions.any_violation_K[0]))
        good = []
        for i, one in enumerate(tries):
            one.scm, one.score = float(found.scm_mean_K[i]), float(value[i])
            violation = float(found.any_violation_K[i])
            if violation > most_violation or found.disagreement_K[i] > limits.disagreement_max:
                one.outcome = "limits"
            elif now is None or self._harms(one.scm, violation, now):
                one.outcome = "harm_world_model"
            elif one.score < best.score - settings.prefer:
                one.outcome = "worse"
            else:
                one.outcome = "not_verified"  # until the twin has its say
                good.append(i)
        return sorted(good, key=lambda i: -float(value[i]))

    def _harms(self, scm: float, violation: float, now: Predictions) -> bool:
        """Whether the world model says that the running shares would do better."""
        settings = self._settings
        return bool(
            scm < now.scm_mean_K[0] - settings.harm_tolerance_scm
            or violation > now.any_violation_K[0] + settings.harm_tolerance_violation
        )

    def _stressed(self, futures: Scenarios) -> Scenarios:
        """The futures with more demand where the last step surprised."""
        settings = self._settings
        if settings.stress_demand <= 0 or self._surprise_G is None or not self._surprise_G.any():
            return futures
        zones = len(self._spec.zones)
        more_C = self._surprise_G[zones:].copy()
        for zone, members in enumerate(self._topology.zone_member):
            more_C[members] = np.maximum(more_C[members], self._surprise_G[zone])
        factor_C = (1.0 + settings.stress_demand * more_C).astype(np.float32)
        return replace(futures, demand_mbps_JHCS=futures.demand_mbps_JHCS * factor_C[:, None])

    def _put_first(self, decision: Decision, one: _Try, index: int, answer: Rollout) -> None:
        """Make it the first finalist."""
        draft, final = decision.draft, decision.draft.final
        assert final is not None
        found = answer.predictions.take([index])
        look = looks_of(
            [f"template:{one.call.name}"],
            decision.space.policies(one.rows_1HRS),
            found,
            decision.space.saving(one.rows_1HRS),
            decision.space.move(one.rows_1HRS),
            decision.settings.weights,
        )[0]
        if answer.targets is not None:
            look.standing = predicted_standing(decision.goals.targets, answer.targets.take([index]))
        fans = final.fans_KHQSP
        if answer.fans_KHQSP is not None and fans is not None:
            look.fan_HQSP = answer.fans_KHQSP[index]
            fans = np.concatenate([answer.fans_KHQSP[[index]], fans])
        draft.looks.insert(0, look)
        draft.final = replace(final, predictions=type(found).concatenate([found, final.predictions]), fans_KHQSP=fans)
        for point in draft.front:
            if point.HasField("candidate_index"):
                point.candidate_index += 1

    def _signs_in_words(self) -> str:
        return ", ".join(f"{t.kind} {t.scope or 'area'} {t.value:.2f}" for t in self._triggers[:4])


def sure_gain(difference_PJ: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Mean of paired differences in J futures, less `sigma` standard errors of it [P]; minus infinity for J < 2."""
    count = difference_PJ.shape[1]
    if count < 2:
        return np.full(len(difference_PJ), -np.inf)
    return np.asarray(difference_PJ.mean(1) - sigma * difference_PJ.std(1, ddof=1) / np.sqrt(count))


def _shares_before(decision: Decision, spec: NetworkSpec) -> Rows | None:
    """Shares in force one slow step before the newest frame [R, S]; None where they were not reported."""
    history: Sequence[object] = decision.draft.situation.history
    if len(history) < 2:
        return None
    frame = FrameCodec(spec).decode(decision.draft.situation.history[-2])
    rows = np.concatenate([frame.cell_slice_feature("prb_share"), frame.link_slice_feature("bandwidth_share")])
    return None if np.isnan(rows).any() else rows.astype(np.float32)
