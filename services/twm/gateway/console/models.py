"""What the console's read views answer with. Absent numbers, and such as are not finite, are null."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from twm.gateway.rest_models import Answer, AuditView, CandidateView, CheckView

Numbers = list[float | None]


class SessionView(Answer):
    """Who is looking, and what they may do."""

    subject: str
    role: str
    may_operate: bool = Field(description="State and withdraw intents.")
    may_approve: bool = Field(description="Approve, change the mode, kill switch, rollback.")
    development: bool = Field(description="No authentication: everybody on this machine is this principal.")
    area_id: str
    network: str
    slow_step_s: float
    horizon_steps: int


class LayerView(Answer):
    """A map layer."""

    id: str
    label: str
    unit: str
    low: float
    high: float
    bad: str
    bound: float | None
    note: str


class PlaceView(Answer):
    """A cell or a transport node on the map."""

    id: str
    x_km: float
    y_km: float


class ZoneView(Answer):
    """A zone."""

    id: str
    cells: list[int] = Field(description="Indices of its cells.")


class LinkView(Answer):
    """A transport link."""

    id: str
    source: int = Field(description="Index of its node.")
    target: int
    capacity_mbps: float


class SliceView(Answer):
    """A slice and its SLA; null: no such bound."""

    id: str
    loss_max_ratio: float | None
    delay_p99_max_ms: float | None
    throughput_min_mbps: float | None


class MapView(Answer):
    """What does not change while the gateway runs."""

    cells: list[PlaceView]
    nodes: list[PlaceView] = Field(description="Transport nodes, placed amid the cells they serve.")
    cell_node: list[int | None] = Field(description="Node of each cell.")
    zones: list[ZoneView]
    links: list[LinkView]
    slices: list[SliceView]
    layers: list[LayerView]


class NowView(Answer):
    """The status line."""

    area_id: str
    mode: str
    stopped: bool
    mode_version: int
    ready: bool
    newest_step: int | None
    newest_start: str | None = Field(description="Event time at which that step began.")
    frame_age_s: float | None = Field(description="Since the newest frame came, wall time.")
    expected_every_s: float | None = Field(description="How often frames came lately.")
    stale: bool = Field(description="Frames ought to have come and did not.")
    missing_report_count: int | None
    report_count: int | None
    waiting_count: int = Field(description="Policies that wait for an approval.")
    in_force: str = Field(description="Policy set in force; empty: none.")
    intents_active: int
    drift_state: str
    last_decision: str
    audit_sequence: int
    audit_problem: str
    guardrail_version: str


class FanBlock(Answer):
    """Predicted quantiles of one policy: values[step][level][slice][kpi]."""

    policy: str
    levels: list[float]
    values: list[list[list[Numbers]]]


class SeriesView(Answer):
    """Slice KPIs of the last hour and of the horizon ahead."""

    kpis: list[str]
    steps: list[int]
    starts: list[float] = Field(description="Unix event time of each step [s].")
    values: list[list[Numbers]] = Field(description="[step][slice][kpi], as observed.")
    offered_mbps: list[Numbers] = Field(description="[step][slice].")
    scm: Numbers = Field(description="SLA compliance margin of each step alone.")
    link_used: list[Numbers] = Field(description="[step][link], served over capacity.")
    link_up: list[Numbers] = Field(description="[step][link]; below 1: down for a part of the step.")
    forecast_step: int | None = Field(description="Step of the proposal the fans are of; its first step follows it.")
    fans: list[FanBlock]
    forecast_problem: str


class FieldForecastView(Answer):
    """Forecast of a layer."""

    step: int
    offsets: list[int] = Field(description="Slow steps ahead of `step`.")
    low: list[Numbers] = Field(description="5 % quantile [offset][cell].")
    median: list[Numbers]
    high: list[Numbers] = Field(description="95 % quantile.")
    model: str


class FieldView(Answer):
    """One layer over time."""

    layer: str
    steps: list[int]
    values: list[Numbers] = Field(description="[step][cell], as observed.")
    forecast: FieldForecastView | None
    forecast_problem: str


class DecisionRow(Answer):
    """One decision in a list."""

    step: int
    start: str = Field(description="Event time at which the policy begins.")
    decided: str
    decision: str
    handling: str
    state: str = Field(description="What became of an approval: pending, approved, rejected, expired; empty: none was needed.")
    source: str
    headline: str
    scm: float | None
    running_scm: float | None
    violation_probability: float | None
    saving_ratio: float | None


class DecisionList(Answer):
    """Decisions, newest first."""

    items: list[DecisionRow]


class FrontPointView(Answer):
    """A point of the cost-compliance front."""

    origin: str
    saving_ratio: float | None
    scm_mean: float | None
    violation_probability: float | None
    candidate_index: int | None


class CandidateRow(CandidateView):
    """A candidate."""

    scm_cvar: float | None
    ood_score: float | None
    move: float | None


class ApprovalRow(Answer):
    """The approval of a decision."""

    state: str
    proposal_sha256: str
    created: str
    expires: str
    waits_for: str
    decided_by: str
    decided: str | None
    reason: str


class IntentOutcomeView(Answer):
    """How the plan stands to a constraint of an intent."""

    intent_id: str
    constraint_index: int
    violation_probability: float | None
    running_violation_probability: float | None


class DecisionDetail(Answer):
    """Everything an approver looks at."""

    row: DecisionRow
    created: str
    effective: str
    fallback_reason: str
    chosen_index: int | None
    runner_up_index: int | None
    evaluation_count: int
    twin_call_count: int
    disagreement: float | None
    ood_score: float | None
    slice_violation_probability: dict[str, float | None]
    candidates: list[CandidateRow]
    front: list[FrontPointView]
    fans: list[FanBlock]
    kpis: list[str]
    models: list[dict[str, str]]
    timings: dict[str, float | None]
    intents: list[IntentOutcomeView]
    guardrail_version: str
    handling_reason: str
    checks: list[CheckView]
    explanation: dict[str, Any] | None
    approval: ApprovalRow | None


class ModelCardView(Answer):
    """A model card, as far as an operator reads it."""

    name: str
    version: str
    contract: str
    network: str
    fits: bool = Field(description="Made for this network's topology.")
    in_use: bool = Field(description="Named by the newest proposal.")
    digest: str
    created: str
    window: int
    horizon_steps: int
    members: int
    graphs: dict[str, str] = Field(description="File to SHA-256.")
    coverage_level: float | None
    data: dict[str, Any]
    training: dict[str, Any]
    adaptation: dict[str, Any] | None
    quality: dict[str, Any]


class ModelsView(Answer):
    """The zoo."""

    cards: list[ModelCardView]
    problem: str = Field(description="Why there is nothing to show; empty: there is.")


class AuditTail(Answer):
    """Audit records before a sequence number, oldest first."""

    items: list[AuditView]
    first_sequence: int = Field(description="First record that was looked at; 0: none.")
    last_sequence: int
