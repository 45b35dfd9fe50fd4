"""Guardrail rules: versioned data, `deploy/guardrail/*.yaml`. Every bound is checked here before the gateway starts.

`python -m twm.gateway.rules` prints their JSON schema, deploy/guardrail/guardrail.schema.json.
"""

from __future__ import annotations

import hashlib
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.paths import guardrail_folder
from twm.core.text import shown

MAX_RULES_BYTES = 64 * 1024

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=100_000)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*-]{1,64}$")]
"""A name of the network spec, or with "*" for any characters."""
Source = Literal["search", "actor", "reactive_fallback"]
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


class RulesModel(BaseModel):
    """Base: frozen, no unknown keys, keys may not be left out (a forgotten bound must not become "no bound")."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ActionRules(RulesModel):
    """What a policy may touch at all. None: everything."""

    resources: tuple[Literal["prb", "bandwidth"], ...]
    """Kinds of shares that may move."""
    slices: tuple[Name, ...] | None
    """Slices whose shares may move."""
    zones: tuple[Name, ...] | None
    """Zones in whose cells PRB shares may move; bandwidth shares on links are `resources`' business."""
    policy_types: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,128}$")], ...]
    """A1 policy types that may be written."""


class OscillationRules(RulesModel):
    """A share that goes up and down again, and so on (A-B-A)."""

    window_steps: Annotated[int, Field(ge=2, le=64)]
    """Slow steps looked at."""
    swing_min_share: Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)]
    """Smallest move that counts as one: less is noise."""
    max_returns: Annotated[int, Field(ge=0)] | None
    """Largest number of times one share may turn back within the window; None: not checked."""


class ConflictRules(RulesModel):
    """Policies of others (A1, xApps) on the same scope."""

    share_tolerance: Share
    """How far outside another policy's bounds a share may lie."""


class IntentRules(RulesModel):
    """Hard limits and KPI constraints of active intents."""

    share_tolerance: Share
    """How far outside an intent's limit a share may lie."""
    violation_probability_max: Share
    """Largest probability that a constraint is violated, where the intent names none."""
    harm_tolerance: Share
    """Where the running shares already break that: how much more probable than under them."""
    outcomes_required: bool
    """Whether a proposal must say how it stands to every constraint; else those it is silent about are let pass."""


class LowRiskRules(RulesModel):
    """What may go out without an approval in autonomous mode: all of it must hold. None: not checked."""

    sources: tuple[Source, ...]
    """Where the plan may come from."""
    max_share_change: Share
    """Largest change of one share, from the running ones and from those in force."""
    critical_zones: tuple[Pattern, ...]
    """Zones in whose cells no share may move (more than `timing.change_epsilon`), nor on links that carry them."""
    critical_slices: tuple[Pattern, ...]
    """Slices whose shares may not shrink."""
    any_violation_probability_max: Share | None
    """Largest predicted probability that any SLA is violated."""
    disagreement_max_scm: NonNegative | None
    """Largest ensemble disagreement [SCM]."""
    ood_score_max: NonNegative | None
    """Largest out-of-distribution score."""
    gain_min_scm: float | None = Field(allow_inf_nan=False)
    """Least predicted gain over the running shares [SCM]."""
    twin_required: bool
    """Whether the twin must have passed it."""


class ShadowRecordRules(RulesModel):
    """What the measured shadow record must show before anything goes out without an approval."""

    window_scores: Annotated[int, Field(ge=1, le=4000)]
    """Newest scores looked at."""
    scored_min: Count
    """Least number of scored horizons."""
    max_age_steps: Count
    """How old the newest score may be [slow steps behind the newest frame]."""
    gain_lower_min_scm: float = Field(allow_inf_nan=False)
    """Least lower bound (95 %, block bootstrap) of the mean predicted gain over the running shares [SCM]."""
    coverage_min: Share
    """Least share of observed KPIs inside the predicted 5-95 % interval."""
    coverage_max: Share
    """Largest such share: intervals that hold everything say nothing."""
    scm_error_max: NonNegative
    """Largest mean absolute error of the SCM predicted for the running shares [SCM]."""
    drift_states: tuple[Literal["learning", "ok", "warn", "drift"], ...]
    """States of the drift monitor that are good enough."""


class ModeRules(RulesModel):
    """Approvals, and what may go out without one."""

    approval_expiry_s: Annotated[float, Field(gt=0.0, le=86400.0, allow_inf_nan=False)]
    """How long a policy waits for an approval [s]; never longer than `timing.max_age_s` after its proposal was made."""
    max_pending: Annotated[int, Field(ge=1, le=64)]
    """Most policies waiting; the oldest give way."""
    low_risk: LowRiskRules
    shadow_record: ShadowRecordRules


class ShareRules(RulesModel):
    """How far shares may move. None: `control.max_share_change` of the network spec."""

    max_change_from_running: Share | None
    """Largest change of one share from the running shares to the policy's first step."""
    max_change_from_accepted: Share | None
    """Largest change of one share from the last accepted policy, per slow step gone by since."""
    max_change_within_policy: Share | None
    """Largest change of one share between two steps of the policy."""
    running_error_max: Share | None
    """How far the running shares of a proposal may be from those its frame reports, where it is at hand and reports them: what
    a change is measured from is not the planner's to say. None: not checked."""
    quantisation_error_max_steps: NonNegative
    """How far whole PRBs may be from the share, in steps of the PRB grid (`prb_grid.share_step_prb`)."""


class TimingRules(RulesModel):
    """What is too old, and how often policies may change."""

    max_age_s: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    """Largest age of a proposal by wall clock [s]."""
    max_future_s: NonNegative
    """How far its creation may lie in the future, clock skew [s]."""
    max_lag_steps: Annotated[int, Field(ge=0)] | None
    """Largest number of slow steps between the proposal's frame and the newest frame; None: not checked."""
    change_epsilon: Share
    """A policy whose shares all lie within this of the last accepted ones is no change."""
    change_window_steps: Annotated[int, Field(ge=1, le=10000)]
    """Window of the change count [slow steps]."""
    max_changes_in_window: Annotated[int, Field(ge=1)] | None
    """Largest number of changes in the window; None: not checked."""
    max_ttl_steps: Annotated[float, Field(gt=0.0, le=1440.0, allow_inf_nan=False)]
    """Longest time a policy may hold [slow steps]."""


class LostWindowRules(RulesModel):
    """An SLA window that is lost whatever is done: every plan violates it, so the running shares are the measure."""

    running_violation_min: Share
    """It counts as lost (for one slice: for any) where the running shares violate it with at least this probability."""
    harm_tolerance: Share
    """How much more probable a violation may then be under the plan than under the running shares."""


class SourceRules(RulesModel):
    """Bounds on what models and twin said of a proposal of one source. None: not checked."""

    allowed: bool
    """Whether proposals of this source may be accepted at all."""
    required_models: tuple[ModelName, ...]
    """Models that must be named, each with version and digest."""
    predicted_scm_min: float | None = Field(allow_inf_nan=False)
    """Least predicted SCM."""
    harm_tolerance_scm: NonNegative | None
    """Do no harm: how much lower than the running shares' the predicted SCM may be."""
    scm_cvar_min: float | None = Field(allow_inf_nan=False)
    """Least CVaR of the SCM: its mean over the worst quarter of the futures."""
    cvar_harm_tolerance_scm: NonNegative | None
    """How much lower than the running shares' the CVaR may be, where theirs is known."""
    any_violation_probability_max: Share | None
    """Largest predicted probability that any slice's SLA is violated."""
    slice_violation_probability_max: Share | None
    """Largest predicted violation probability of one slice."""
    disagreement_max_scm: NonNegative | None
    """Largest ensemble disagreement [SCM]."""
    ood_score_max: NonNegative | None
    """Largest out-of-distribution score (0 = inside the training data)."""
    twin_required: bool
    """Whether the twin must have verified and passed the chosen candidate."""
    twin_violation_ratio_max: Share | None
    """Largest share of the twin's scenarios with a violated SLA."""
    lost_window: LostWindowRules | None
    """What holds in an SLA window that is lost already; None: the bounds above, whatever runs now."""


class GuardrailRules(RulesModel):
    """All rules. `search` fails a check whose number is missing; `reactive_fallback` skips it, its source has no model."""

    version: Literal[2]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")
    """Name of this set of rules; change it with every change of a bound."""
    actions: ActionRules
    shares: ShareRules
    oscillation: OscillationRules
    timing: TimingRules
    conflicts: ConflictRules
    intents: IntentRules
    search: SourceRules
    reactive_fallback: SourceRules
    modes: ModeRules

    def check_names(self, spec: NetworkSpec) -> None:
        """Raises InvalidInputError where the rules name a slice or zone that the network does not have.

        Patterns with "*" may match nothing: rules are shared by networks.
        """
        slices, zones = {s.id for s in spec.slices}, {z.id for z in spec.zones}
        low = self.modes.low_risk
        for field, names, known in (
            ("actions.slices", self.actions.slices or (), slices),
            ("actions.zones", self.actions.zones or (), zones),
            ("modes.low_risk.critical_slices", low.critical_slices, slices),
            ("modes.low_risk.critical_zones", low.critical_zones, zones),
        ):
            for name in names:
                if "*" not in name and name not in known:
                    there = ", ".join(sorted(known)) or "none"
                    raise InvalidInputError(f"guardrail {self.name}: {field}: {name!r} is not in the network ({there})")

    @property
    def label(self) -> str:
        """Name and the first 12 hex digits of the rules' SHA-256, as verdicts and audit records state it."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return f"{self.name}@{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def load_rules(name_or_path: str) -> GuardrailRules:
    """Rules that ship by name ("default"), or a file. Raises InvalidInputError naming file, field, value and bound."""
    shipped = guardrail_folder() / f"{name_or_path}.yaml"
    path = shipped if shipped.is_file() else Path(name_or_path)
    try:
        if path.stat().st_size > MAX_RULES_BYTES:
            raise InvalidInputError(f"guardrail {path}: {path.stat().st_size} bytes, more than {MAX_RULES_BYTES}")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"guardrail {path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"guardrail {path}: not YAML: {error}") from error
    try:
        return GuardrailRules.model_validate(data)
    except ValidationError as error:
        lines = (
            f"{'.'.join(str(part) for part in e['loc']) or 'rules'}: {e['msg']} (got {shown(str(e['input']))})"
            for e in error.errors()
        )
        raise InvalidInputError(f"guardrail {path}: " + "; ".join(lines)) from error


def matching(names: tuple[str, ...], patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Those names that one of the patterns matches, in their order."""
    return tuple(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))


if __name__ == "__main__":
    print(json.dumps(GuardrailRules.model_json_schema(), indent=2, sort_keys=True))
