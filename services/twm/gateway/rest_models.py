"""What the REST API answers with. Absent numbers, and such as are not finite, are null; names and units as in the protobuf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Row = list[float | None]


class Answer(BaseModel):
    """Base."""

    model_config = ConfigDict(frozen=True)


class Problem(Answer):
    """Error, RFC 9457 (application/problem+json)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Page(Answer):
    """Base of lists: oldest first."""

    next: str | None = Field(
        description="Cursor for `after`: entries written later than this page; null where the page is empty."
    )


class FrameSummary(Answer):
    """One KPI frame in short."""

    step: int
    start: str
    kpis: dict[str, dict[str, float | None]] = Field(description="Slice id to KPI name (unit in the name) to value.")
    report_count: int
    missing_report_count: int


class FrameDetail(FrameSummary):
    """One KPI frame."""

    cell_slice_features: Sequence[str]
    cell_slice: dict[str, dict[str, Row]] = Field(description="Cell id to slice id to values in the order of the features.")
    cell_features: Sequence[str]
    cell: dict[str, Row]
    link_slice_features: Sequence[str]
    link_slice: dict[str, dict[str, Row]]
    link_features: Sequence[str]
    link: dict[str, Row]


class FramePage(Page):
    """Frames."""

    items: list[FrameSummary]


class ProposalSummary(Answer):
    """One proposal in short."""

    proposal_id: str
    step: int
    created: str
    source: str
    fallback_reason: str
    chosen: str
    predicted_scm: float | None
    running_predicted_scm: float | None
    any_violation_probability: float | None
    disagreement: float | None
    ood_score: float | None
    saving_ratio: float | None
    evaluation_count: int
    twin_call_count: int


class CandidateView(Answer):
    """One candidate that was looked at, with the twin's word on it where there is one."""

    origin: str
    scm_mean: float | None
    violation_probability: float | None
    disagreement: float | None
    saving_ratio: float | None
    score: float | None
    twin_scm_mean: float | None
    twin_violation_ratio: float | None
    twin_passed: bool | None


class FanView(Answer):
    """Predicted KPI quantiles: values[step][level][slice][kpi]."""

    policy: str
    kpi_names: list[str]
    quantile_levels: Row
    values: list[list[list[Row]]]


class ProposalDetail(ProposalSummary):
    """One proposal with its trace."""

    effective: str
    spec_digest: str
    violation_probability: Row = Field(description="Per slice.")
    prb_share: dict[str, dict[str, float | None]] = Field(description="First step: cell id to slice id to share.")
    bandwidth_share: dict[str, dict[str, float | None]] = Field(description="First step: link id to slice id to share.")
    candidates: list[CandidateView]
    fans: list[FanView]
    models: list[dict[str, str]]
    timings: dict[str, float | None]
    trace_id: str


class ProposalPage(Page):
    """Proposals."""

    items: list[ProposalSummary]


class CheckView(Answer):
    """One guardrail check."""

    name: str
    passed: bool
    value: float | None
    bound: float | None
    message: str


class VerdictView(Answer):
    """A verdict."""

    proposal_id: str
    step: int
    decision: Literal["accepted", "rejected", "unspecified"]
    mode: str
    guardrail_version: str
    decided: str
    handling: str = Field(description="What became of it: shadow, pending, enforced, stopped.")
    handling_reason: str
    headline: str = Field(description="Why, in one sentence; /v1/explanations/{step} says more.")
    checks: list[CheckView]
    trace_id: str


class VerdictPage(Page):
    """Verdicts."""

    items: list[VerdictView]


class PolicyInstance(Answer):
    """One A1 policy instance."""

    policy_type_id: str
    policy_id: str
    policy: Any = Field(description="Valid against the schema of the type.")


class PolicyView(Answer):
    """The A1 policies of one accepted proposal."""

    policy_set_id: str
    step: int
    mode: str
    enforcement: str = Field(description="What a delivery does with it: shadow, advised, enforce, withdraw.")
    authorised_by: str = Field(description="Who approved or withdrew it; empty: nobody, it went by the rules.")
    effective: str
    ttl_s: float
    predicted_scm: float | None
    saving_ratio: float | None
    policies: list[PolicyInstance]
    trace_id: str


class PolicyPage(Page):
    """Policies."""

    items: list[PolicyView]


class ScoreView(Answer):
    """A shadow score."""

    policy_set_id: str
    step: int
    decision: str
    observed_step_count: int
    observed_scm: float | None
    running_predicted_scm: float | None
    recommended_predicted_scm: float | None
    coverage_ratio: float | None
    mean_absolute_error: dict[str, float | None]
    action_distance: float | None


class ScorePage(Page):
    """Shadow scores."""

    items: list[ScoreView]


class ScoreSummary(Answer):
    """Means over the newest scores; each over those scores that have the number."""

    count: int
    accepted_count: int
    observed_scm: float | None
    running_predicted_scm: float | None
    running_scm_error: float | None = Field(description="Mean absolute error of the SCM predicted for the running shares.")
    recommended_predicted_scm: float | None = Field(description="Over scores whose running shares were predicted too.")
    predicted_gain_scm: float | None = Field(description="recommended - running, both predicted: not an observation.")
    coverage_ratio: float | None = Field(description="Nominal: 0.9.")
    mean_absolute_error: dict[str, float | None]
    action_distance: float | None


class DriftCoverage(Answer):
    """Share of observations inside the 90 % interval over the last blocks, with Wilson bounds."""

    share: float
    lower: float
    upper: float


class DriftChange(Answer):
    """A change of the monitor's state."""

    step: int
    state: str
    reason: str


class DriftView(Answer):
    """Whether the network still is what the model knows; forecasts for the running shares against what was seen."""

    state: str = Field(description="learning (no baseline yet), ok, warn or drift.")
    reasons: list[str] = Field(description="What is off, worst first.")
    since_step: int | None
    last_step: int | None
    model: str
    blocks: int = Field(description="Blocks of one horizon seen since the model came into use.")
    coverage: dict[str, DriftCoverage] = Field(description="By KPI. Nominal: 0.9.")
    residual_sigma: dict[str, float] = Field(description="By KPI: CUSUM of normalised residuals, largest over slices.")
    surprise_sigma: dict[str, float] = Field(description="By KPI: Page's statistic of the negative log score.")
    surprise_nats: dict[str, float] = Field(
        description="By KPI: excess negative log score of the newest block; right model: about 0."
    )
    changes: list[DriftChange] = Field(description="Newest changes, oldest first.")


class AuditView(Answer):
    """One audit record."""

    sequence: int
    written: str
    kind: str
    payload: Any
    previous_hash: str
    hash: str


class AuditPage(Page):
    """Audit records."""

    items: list[AuditView]


class AuditCheck(Answer):
    """Whether the chain in the stream holds."""

    ok: bool
    first_sequence: int
    last_sequence: int
    head_hash: str
    problem: str = Field(description="The first bad record; empty where the chain holds.")


class StreamState(Answer):
    """Length of a stream and what waits in it."""

    length: int
    waiting: int | None = Field(description="Not yet delivered to its reader in the gateway; null: it reads none.")
    pending: int | None = Field(description="Delivered, not yet acknowledged.")


class Status(Answer):
    """The gateway at a glance."""

    area_id: str
    network: str
    mode: str
    stopped: bool = Field(description="Kill switch: no policy leaves.")
    ready: bool
    guardrail_version: str
    newest_step: int | None
    last_accepted_step: int | None
    audit_sequence: int
    audit_hash: str
    audit_log_sequence: int | None = Field(description="Last record in the audit file; null: another process writes it.")
    audit_problem: str = Field(description="Why the audit file cannot follow the stream; empty: it does.")
    streams: dict[str, StreamState]


class NetworkView(Answer):
    """The network spec."""

    name: str
    area_id: str
    spec_digest: str
    topology_digest: str
    spec: dict[str, Any]
