"""The guardrail's checks of shares: sizes, finite numbers, simplex, floors, rates, oscillation, scope, limits, PRB grid. Pure.

Shares are computed again from the packed columns of the proposal; nothing it says about them is believed.

Shape suffixes: H slow steps, C cells, L links, S slices, T remembered steps, N flat shares (cells x slices, then links x
slices).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import SHARE_SUM_TOLERANCE
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.gateway.accepted import AcceptedShares
from twm.gateway.oscillation import turns
from twm.gateway.prb import quantisation_error_steps
from twm.gateway.rules import GuardrailRules
from twm.gateway.share_limits import LimitTable
from twm.gateway.sheet import Sheet

RUNNING_CHECK = "running_shares"
SHARE_CHECKS = (
    "simplex",
    "floors",
    "rate_from_running",
    "rate_from_accepted",
    "rate_within_policy",
    "oscillation",
    "action_scope",
    "conflict",
    "intent_limits",
    "prb_quantisation",
)
"""Those that need usable shares."""
RATE_TOLERANCE = 1e-4
"""float32 rounding of a difference of two shares."""

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Shares:
    """A policy's shares, flat."""

    flat_HN: Float
    cells: int
    slices: int

    def rows(self) -> Float:
        """[H, cells + links, S]."""
        return self.flat_HN.reshape(len(self.flat_HN), -1, self.slices)

    @property
    def finite(self) -> bool:
        """Whether every share is a number."""
        return bool(np.isfinite(self.flat_HN).all())


class ShareChecker:
    """The checks of one network and one set of rules; what does not depend on the proposal is computed once."""

    def __init__(self, spec: NetworkSpec, rules: GuardrailRules) -> None:
        self._spec, self._rules = spec, rules
        topology = spec.topology()
        self._c, self._s, self._l = spec.sizes
        self._horizon = spec.timing.horizon_steps
        self._prb_floor_S = topology.prb_floor
        self._floor_N = np.concatenate([np.tile(topology.prb_floor, self._c), np.tile(topology.bandwidth_floor, self._l)])
        self._still_N = ~_allowed(spec, rules)
        self.rate = spec.control.max_share_change
        self.size = len(self._floor_N)

    def check(
        self,
        sheet: Sheet,
        proposal: planning_pb2.Proposal,
        memories: Sequence[AcceptedShares],
        others: LimitTable | str | None,
        intents: LimitTable | str | None,
        now_s: float,
        hold_s: float,
    ) -> None:
        """Fill in every check of shares. `memories`: accepted and enforced policies; limits as words: they cannot be told."""
        rules, rate = self._rules, self.rate
        policy, problems = self.unpack(proposal.policy, self._horizon, "policy")
        running: Shares | None = None
        if proposal.HasField("running"):
            running, running_problems = self.unpack(proposal.running, 1, "running")
            problems += running_problems
        sheet.fact("sizes", not problems, "; ".join(problems) or "policy and running: sizes fit the network spec")
        unusable = [n for n, found in (("policy", policy), ("running", running)) if found is not None and not found.finite]
        known = policy is not None
        text = f"{', '.join(unusable)}: a share is not finite" if unusable else "shares: every one is finite"
        sheet.fact("finite", known and not unusable, text if known else "finite: the policy has no usable shares")
        if policy is None or "policy" in unusable:
            for name in SHARE_CHECKS:
                sheet.fact(name, False, f"{name}: the policy has no usable shares")
            return
        shares_HN = policy.flat_HN
        running_N = None if running is None or unusable else running.flat_HN[0]
        self._check_range(sheet, policy)
        change = None if running_N is None else _largest(running_N - shares_HN[0])
        bound = _either(rules.shares.max_change_from_running, rate) + RATE_TOLERANCE
        sheet.at_most("rate_from_running", change, bound, "shares: largest change from the running ones")
        self._check_memories(sheet, proposal.step, shares_HN[0], memories)
        within = _largest(np.diff(shares_HN, axis=0))
        bound = _either(rules.shares.max_change_within_policy, rate) + RATE_TOLERANCE
        sheet.at_most("rate_within_policy", within, bound, "shares: largest change between two steps of the policy")
        if self._still_N.any():
            moved = None if running_N is None else _largest((running_N - shares_HN)[:, self._still_N])
            bound = rules.timing.change_epsilon + RATE_TOLERANCE
            sheet.at_most("action_scope", moved, bound, "shares outside the allow-list: largest move")
        else:
            sheet.fact("action_scope", True, "shares: every one is on the allow-list")
        self._check_limits(sheet, "conflict", others, shares_HN, running_N, now_s, hold_s)
        self._check_limits(sheet, "intent_limits", intents, shares_HN, running_N, now_s, hold_s)
        self._check_quantisation(sheet, shares_HN[0, : self._c * self._s].reshape(self._c, self._s))

    def check_running(self, sheet: Sheet, proposal: planning_pb2.Proposal, measured: worldmodel_pb2.PolicyBatch | None) -> None:
        """Fill in `running_shares`: the running shares the proposal states against those its frame reports.

        Rows that the frame reports only in part cannot be compared; rows that sum to over 1 (rounded read-backs) are scaled
        down as the planner does.
        """
        bound = self._rules.shares.running_error_max
        what = "running: distance to the shares that the frame reports"
        if bound is None or measured is None:
            sheet.fact(RUNNING_CHECK, True, f"{what}: {'not asked for' if bound is None else 'the frame is not at hand'}")
            return
        running, _ = self.unpack(proposal.running, 1, "running")
        reported, problems = self.unpack(measured, 1, "frame")
        if running is None or reported is None or not running.finite:
            sheet.fact(RUNNING_CHECK, False, f"{what}: {'; '.join(problems) or 'no usable running shares'}")
            return
        row_RS = np.clip(reported.rows()[0], 0.0, 1.0)
        known_R = np.isfinite(row_RS).all(-1)
        row_RS = row_RS[known_R] / np.maximum(row_RS[known_R].sum(-1, keepdims=True), 1.0)
        sheet.at_most(RUNNING_CHECK, _largest(running.rows()[0][known_R] - row_RS), bound + RATE_TOLERANCE, what)

    def unpack(self, message: worldmodel_pb2.PolicyBatch, step_count: int, name: str) -> tuple[Shares | None, list[str]]:
        """Shares of the one policy and what is wrong with the sizes; None where they do not fit."""
        problems = []
        if message.policy_count != 1:
            problems.append(f"{name}.policy_count: {message.policy_count}, expected 1")
        if message.step_count != step_count:
            problems.append(f"{name}.step_count: {message.step_count}, expected {step_count}")
        for field, count, rows in (
            ("prb_share", len(message.prb_share), self._c),
            ("bandwidth_share", len(message.bandwidth_share), self._l),
        ):
            expected = step_count * rows * self._s
            if count != expected:
                problems.append(f"{name}.{field}: {count} values, expected {step_count} x {rows} x {self._s} = {expected}")
        if problems:
            return None, problems
        prb = np.array(message.prb_share, np.float64).reshape(step_count, -1)
        bandwidth = np.array(message.bandwidth_share, np.float64).reshape(step_count, -1 if self._l else 0)
        return Shares(np.concatenate([prb, bandwidth], 1), self._c, self._s), []

    def _check_range(self, sheet: Sheet, policy: Shares) -> None:
        shares_HN = policy.flat_HN
        low, total = float(shares_HN.min()), float(policy.rows().sum(-1).max())
        if low >= -SHARE_SUM_TOLERANCE:
            sheet.at_most("simplex", total, 1.0 + SHARE_SUM_TOLERANCE, "shares: largest sum of a row")
        else:
            sheet.at_least("simplex", low, 0.0, "shares: least share")
        margin = float((shares_HN - self._floor_N).min())
        sheet.at_least("floors", margin, -SHARE_SUM_TOLERANCE, "shares: least share above the slice's floor")

    def _check_memories(self, sheet: Sheet, step: int, first_N: Float, memories: Sequence[AcceptedShares]) -> None:
        """Against what was accepted, and what was put in force: the tightest of the two counts."""
        rules = self._rules
        swing = rules.oscillation
        fitting = [m for m in memories if len(m.prb_share) + len(m.bandwidth_share) == len(first_N)]
        if not fitting:
            sheet.fact("rate_from_accepted", True, "shares: no policy accepted before")
        excess = []
        for memory in fitting:
            steps = max(step - memory.step, 1)
            bound = min(_either(rules.shares.max_change_from_accepted, self.rate) * steps, 1.0) + RATE_TOLERANCE
            change = _largest(memory.flat() - first_N)
            excess.append((change - bound, change, bound, steps))
        if excess:
            _, change, bound, steps = max(excess, key=lambda e: e[0])
            what = f"shares: largest change from those accepted {steps} slow steps before"
            sheet.at_most("rate_from_accepted", change, bound, what)
        since = step - swing.window_steps
        trails = list({m.history: m.trail(since) for m in fitting}.values())
        length = max((len(t) for t in trails), default=0)
        # Both memories in one pass; the shorter one is drawn out by its first row, which is no move.
        padded = [np.concatenate([np.broadcast_to(t[:1], (length - len(t), t.shape[1])), t]) for t in trails if len(t)]
        path = np.concatenate(padded, 1) if padded else np.zeros((0, len(first_N)))
        now = np.tile(first_N, max(len(padded), 1))
        found = turns(np.concatenate([path, now[None]]), swing.swing_min_share)
        sheet.at_most(
            "oscillation",
            float(found),
            None if swing.max_returns is None else float(swing.max_returns),
            f"shares: times one turned back by {swing.swing_min_share:g} or more within {swing.window_steps} slow steps",
        )

    def _check_limits(
        self,
        sheet: Sheet,
        name: str,
        limits: LimitTable | str | None,
        shares_HN: Float,
        running_N: Float | None,
        now_s: float,
        hold_s: float,
    ) -> None:
        if isinstance(limits, str):
            sheet.fact(name, False, limits)
        elif limits is None or limits.count == 0:
            sheet.fact(name, True, f"{name}: there are none")
        else:
            worst, words = limits.problems(shares_HN, running_N, now_s, hold_s, self.rate)
            if words:
                sheet.fact(name, False, "; ".join(words))
            else:
                sheet.at_most(name, worst, 0.0, f"shares: beyond {limits.count} limits by")

    def _check_quantisation(self, sheet: Sheet, share_CS: Float) -> None:
        try:
            error = quantisation_error_steps(share_CS, self._prb_floor_S, self._spec.prb_grid)
        except InvalidInputError as problem:
            sheet.fact("prb_quantisation", False, f"prb_quantisation: {problem}")
            return
        bound = self._rules.shares.quantisation_error_max_steps + RATE_TOLERANCE
        sheet.at_most("prb_quantisation", error, bound, "shares: off whole PRB steps by")


def _allowed(spec: NetworkSpec, rules: GuardrailRules) -> NDArray[np.bool_]:
    """Flat shares on the allow-list [N]."""
    actions, topology = rules.actions, spec.topology()
    c, _, n_links = spec.sizes
    slices = np.array([actions.slices is None or entry.id in actions.slices for entry in spec.slices])
    cells = np.full(c, "prb" in actions.resources)
    if actions.zones is not None:
        named = np.array([zone.id in actions.zones for zone in spec.zones], bool)
        cells &= topology.zone_member[named].any(0) if named.any() else False
    links = np.full(n_links, "bandwidth" in actions.resources)
    return np.asarray((np.concatenate([cells, links])[:, None] & slices[None]).ravel())


def _largest(change: Float) -> float:
    return float(np.abs(change).max()) if change.size else 0.0


def _either(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound
