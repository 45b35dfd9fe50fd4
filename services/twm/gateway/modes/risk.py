"""Whether a policy that passed every check is of low risk by the declared rules. Pure.

Shape suffixes: C cells, L links, S slices, N flat shares (cells x slices, then links x slices).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.core.network import NetworkSpec
from twm.gateway.accepted import AcceptedShares
from twm.gateway.rules import GuardrailRules, matching
from twm.gateway.share_checks import RATE_TOLERANCE, ShareChecker

_SOURCES = {
    planning_pb2.PROPOSAL_SOURCE_SEARCH: "search",
    planning_pb2.PROPOSAL_SOURCE_ACTOR: "actor",
    planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK: "reactive_fallback",
}


class RiskClass:
    """The classification of one network under one set of rules."""

    def __init__(self, spec: NetworkSpec, rules: GuardrailRules, checker: ShareChecker) -> None:
        self._rules, self._checker, self._spec = rules, checker, spec
        low, topology = rules.modes.low_risk, spec.topology()
        zones = matching(tuple(z.id for z in spec.zones), low.critical_zones)
        named = np.array([z.id in zones for z in spec.zones], bool)
        cells_C = topology.zone_member[named].any(0) if named.any() else np.zeros(len(spec.cells), bool)
        links_L = topology.route[cells_C].any(0) if cells_C.any() else np.zeros(len(spec.transport.links), bool)
        slices = matching(tuple(s.id for s in spec.slices), low.critical_slices)
        self.critical_zones, self.critical_slices = zones, slices
        shape = (len(spec.cells) + len(spec.transport.links), len(spec.slices))
        self._place_N = np.broadcast_to(np.concatenate([cells_C, links_L])[:, None], shape).ravel()
        slice_S = np.array([s.id in slices for s in spec.slices])
        self._slice_N = np.broadcast_to(slice_S[None], shape).ravel()

    def reasons(self, proposal: planning_pb2.Proposal, enforced: AcceptedShares | None) -> list[str]:
        """Why it is not of low risk; empty: it is."""
        low, words = self._rules.modes.low_risk, []
        source = _SOURCES.get(proposal.source, "unknown")
        if source not in low.sources:
            words.append(f"source {source} is not {' or '.join(low.sources) or 'allowed'}")
        words += self._moves(proposal, enforced)
        for name, bound in (
            ("any_violation_probability", low.any_violation_probability_max),
            ("disagreement", low.disagreement_max_scm),
            ("ood_score", low.ood_score_max),
        ):
            value = float(getattr(proposal, name)) if proposal.HasField(name) else math.nan
            if bound is not None and not value <= bound:
                words.append(f"{name} {value:.4g} is not at most {bound:g}")
        gain = math.nan
        if proposal.HasField("predicted_scm") and proposal.HasField("running_predicted_scm"):
            gain = proposal.predicted_scm - proposal.running_predicted_scm
        if low.gain_min_scm is not None and not gain >= low.gain_min_scm:
            words.append(f"predicted gain {gain:.4g} SCM is not at least {low.gain_min_scm:g}")
        found = [v for v in proposal.verifications if v.candidate_index == proposal.chosen_index]
        if low.twin_required and (not found or not all(v.passed for v in found)):
            words.append("the twin has not passed it")
        return words

    def _moves(self, proposal: planning_pb2.Proposal, enforced: AcceptedShares | None) -> list[str]:
        low, epsilon = self._rules.modes.low_risk, self._rules.timing.change_epsilon
        policy, _ = self._checker.unpack(proposal.policy, self._spec.timing.horizon_steps, "policy")
        running, _ = self._checker.unpack(proposal.running, 1, "running")
        if policy is None or running is None or not policy.finite or not running.finite:
            return ["its shares, or the running ones, are not known"]
        first, before = policy.flat_HN[0], running.flat_HN[0]
        words = []
        references: list[tuple[str, NDArray[np.float64]]] = [("running", before)]
        if enforced is not None and len(enforced.flat()) == len(first):
            references.append(("enforced", enforced.flat()))
        for name, reference in references:
            change = np.abs(first - reference)
            if not change.max() <= low.max_share_change + RATE_TOLERANCE:
                words.append(f"a share moves by {change.max():.3g} from the {name} ones, at most {low.max_share_change:g}")
        moved = np.abs(first - before) > epsilon
        if (moved & self._place_N).any():
            words.append(f"it moves shares in {', '.join(self.critical_zones)}")
        if ((first - before < -epsilon) & self._slice_N).any():
            words.append(f"it shrinks {', '.join(self.critical_slices)}")
        return words
