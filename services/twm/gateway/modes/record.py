"""The measured shadow record, and whether it is good enough to let anything go out without an approval. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twm.api.policy.v1 import policy_pb2
from twm.core.paired import block_interval
from twm.gateway.rules import ShadowRecordRules


@dataclass(frozen=True, kw_only=True)
class ShadowRecord:
    """Figures over the newest scores; None: nothing to tell them from."""

    scored: int
    newest_step: int | None
    """Slow step of the newest scored proposal."""
    gain_scm: float | None
    """Mean predicted gain over the running shares."""
    gain_lower_scm: float | None
    """Lower bound of its 95 % interval (block bootstrap: neighbouring horizons overlap)."""
    coverage: float | None
    """Mean share of observed KPIs inside the 5-95 % interval."""
    scm_error: float | None
    """Mean absolute error of the SCM predicted for the running shares."""
    unreadable: int = 0
    """Entries of the stream that are no scores: somebody else has written there."""

    @classmethod
    def of(cls, scores: Sequence[policy_pb2.ShadowScore], horizon_steps: int, *, unreadable: int = 0) -> ShadowRecord:
        """From scores, oldest first. Of several for one step the newest counts; values that are not finite are left out."""
        ordered = [entry for _, entry in sorted({s.step: s for s in scores}.items())]
        gains = _finite(
            s.recommended_predicted_scm - s.running_predicted_scm
            for s in ordered
            if s.HasField("recommended_predicted_scm") and s.HasField("running_predicted_scm")
        )
        coverage = _finite(s.coverage_ratio for s in ordered if s.HasField("coverage_ratio"))
        errors = _finite(
            abs(s.observed_scm - s.running_predicted_scm)
            for s in ordered
            if s.HasField("observed_scm") and s.HasField("running_predicted_scm")
        )
        low = block_interval(np.array(gains), 2 * horizon_steps, 0)[0] if gains else None
        return cls(
            scored=len(errors),
            newest_step=ordered[-1].step if ordered else None,
            gain_scm=float(np.mean(gains)) if gains else None,
            gain_lower_scm=low if low is not None and math.isfinite(low) else None,
            coverage=float(np.mean(coverage)) if coverage else None,
            scm_error=float(np.mean(errors)) if errors else None,
            unreadable=unreadable,
        )

    def missing(self, rules: ShadowRecordRules, drift_state: str, newest_step: int | None) -> list[str]:
        """What is not good enough, in words; empty: nothing."""
        words = [f"scores: {self.unreadable} entries are unreadable"] if self.unreadable else []
        if self.scored < rules.scored_min:
            words.append(f"scored horizons: {self.scored}, at least {rules.scored_min}")
        age = None if newest_step is None or self.newest_step is None else newest_step - self.newest_step
        if age is None or age > rules.max_age_steps:
            words.append(f"newest score: {'none' if age is None else f'{age} slow steps old'}, at most {rules.max_age_steps}")
        for name, value, sign, bound in (
            ("mean gain, lower bound [SCM]", self.gain_lower_scm, 1, rules.gain_lower_min_scm),
            ("coverage", self.coverage, 1, rules.coverage_min),
            ("coverage", self.coverage, -1, rules.coverage_max),
            ("error of the predicted SCM", self.scm_error, -1, rules.scm_error_max),
        ):
            if value is None or not sign * value >= sign * bound:
                shown = "not known" if value is None else f"{value:.4g}"
                words.append(f"{name}: {shown}, at {'least' if sign > 0 else 'most'} {bound:g}")
        if drift_state not in rules.drift_states:
            words.append(f"drift: {drift_state}, expected {' or '.join(rules.drift_states) or 'nothing'}")
        return words


def _finite(values: object) -> list[float]:
    return [float(v) for v in values if math.isfinite(v)]  # type: ignore[attr-defined]
