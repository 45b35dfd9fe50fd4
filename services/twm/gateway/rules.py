"""Guardrail rules: versioned data, `deploy/guardrail/*.yaml`. Every bound is checked here before the gateway starts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twm.core.errors import InvalidInputError
from twm.core.paths import guardrail_folder

MAX_RULES_BYTES = 64 * 1024

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]


class RulesModel(BaseModel):
    """Base: frozen, no unknown keys, keys may not be left out (a forgotten bound must not become "no bound")."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ShareRules(RulesModel):
    """How far shares may move. None: `control.max_share_change` of the network spec."""

    max_change_from_running: Share | None
    """Largest change of one share from the running shares to the policy's first step."""
    max_change_from_accepted: Share | None
    """Largest change of one share from the last accepted policy, per slow step gone by since."""
    max_change_within_policy: Share | None
    """Largest change of one share between two steps of the policy."""
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


class GuardrailRules(RulesModel):
    """All rules. `search` fails a check whose number is missing; `reactive_fallback` skips it, its source has no model."""

    version: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")
    """Name of this set of rules; change it with every change of a bound."""
    shares: ShareRules
    timing: TimingRules
    search: SourceRules
    reactive_fallback: SourceRules

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
            f"{'.'.join(str(part) for part in e['loc']) or 'rules'}: {e['msg']} (got {repr(e['input'])[:80]})"
            for e in error.errors()
        )
        raise InvalidInputError(f"guardrail {path}: " + "; ".join(lines)) from error
