"""Protobuf messages and frames as answers of the REST API. Pure."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.drift import DriftStatus
from twm.core.frames import CELL_FEATURES, CELL_SLICE_FEATURES, LINK_FEATURES, LINK_SLICE_FEATURES, FrameArrays
from twm.core.kpis import KPI_NAMES, slice_kpis
from twm.core.network import NetworkSpec
from twm.core.text import clean
from twm.gateway.audit import written_text
from twm.gateway.rest_models import (
    AuditView,
    CandidateView,
    CheckView,
    DriftChange,
    DriftCoverage,
    DriftView,
    FanView,
    FrameDetail,
    FrameSummary,
    PolicyInstance,
    PolicyView,
    ProposalDetail,
    ProposalSummary,
    Row,
    ScoreSummary,
    ScoreView,
    VerdictView,
)


def plain(text: str, limit: int) -> str:
    """Text from outside as it may be shown."""
    return clean(text, limit).text


def utc(time: Timestamp) -> str:
    """RFC 3339; the raw seconds where they are no time."""
    try:
        return (dt.datetime.fromtimestamp(time.seconds, dt.UTC) + dt.timedelta(microseconds=time.nanos // 1000)).isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{time.seconds} s"


def number(value: float) -> float | None:
    """The value; None where it is not finite."""
    return float(value) if math.isfinite(value) else None


def optional(message: Any, field: str) -> float | None:
    """The field's value; None where it is absent or not finite."""
    return number(getattr(message, field)) if message.HasField(field) else None


def _row(values: Any) -> Row:
    return [number(float(v)) for v in values]


def frame_summary(frame: FrameArrays, spec: NetworkSpec) -> FrameSummary:
    """A frame in short."""
    return FrameSummary(**_frame_fields(frame, spec))


def _frame_fields(frame: FrameArrays, spec: NetworkSpec) -> dict[str, Any]:
    kpis = slice_kpis(frame.blocks())
    return {
        "step": frame.step,
        "start": dt.datetime.fromtimestamp(frame.start_s, dt.UTC).isoformat(),
        "kpis": {entry.id: dict(zip(KPI_NAMES, _row(kpis[s]), strict=True)) for s, entry in enumerate(spec.slices)},
        "report_count": frame.report_count,
        "missing_report_count": frame.missing_report_count,
    }


def frame_detail(frame: FrameArrays, spec: NetworkSpec) -> FrameDetail:
    """A whole frame, but for the fast block."""
    slices = [entry.id for entry in spec.slices]

    def by_slice(block: Any) -> dict[str, Row]:
        return {name: _row(block[s]) for s, name in enumerate(slices)}

    return FrameDetail(
        **_frame_fields(frame, spec),
        cell_slice_features=CELL_SLICE_FEATURES,
        cell_slice={cell.id: by_slice(frame.cell_slice[c]) for c, cell in enumerate(spec.cells)},
        cell_features=CELL_FEATURES,
        cell={cell.id: _row(frame.cell[c]) for c, cell in enumerate(spec.cells)},
        link_slice_features=LINK_SLICE_FEATURES,
        link_slice={link.id: by_slice(frame.link_slice[i]) for i, link in enumerate(spec.transport.links)},
        link_features=LINK_FEATURES,
        link={link.id: _row(frame.link[i]) for i, link in enumerate(spec.transport.links)},
    )


def proposal_summary(proposal: planning_pb2.Proposal) -> ProposalSummary:
    """A proposal in short."""
    return ProposalSummary(**_proposal_fields(proposal))


def _proposal_fields(proposal: planning_pb2.Proposal) -> dict[str, Any]:
    chosen = proposal.chosen_index
    return {
        "proposal_id": proposal.proposal_id,
        "step": proposal.step,
        "created": utc(proposal.created),
        "source": _enum(planning_pb2.ProposalSource, proposal.source, "PROPOSAL_SOURCE_"),
        "fallback_reason": plain(proposal.fallback_reason, 1024),
        "chosen": plain(proposal.candidates[chosen].origin, 128) if chosen < len(proposal.candidates) else "",
        "predicted_scm": optional(proposal, "predicted_scm"),
        "running_predicted_scm": optional(proposal, "running_predicted_scm"),
        "any_violation_probability": optional(proposal, "any_violation_probability"),
        "disagreement": optional(proposal, "disagreement"),
        "ood_score": optional(proposal, "ood_score"),
        "saving_ratio": number(proposal.saving_ratio),
        "evaluation_count": proposal.evaluation_count,
        "twin_call_count": proposal.twin_call_count,
    }


def proposal_detail(proposal: planning_pb2.Proposal, spec: NetworkSpec) -> ProposalDetail:
    """A whole proposal; shares of its first step."""
    slices = [entry.id for entry in spec.slices]
    found = {v.candidate_index: v for v in proposal.verifications}

    def shares(values: Sequence[float], names: list[str]) -> dict[str, dict[str, float | None]]:
        width = len(slices)
        if len(values) < len(names) * width:
            return {}
        rows = (_row(values[i * width : (i + 1) * width]) for i in range(len(names)))
        return {name: dict(zip(slices, row, strict=True)) for name, row in zip(names, rows, strict=True)}

    def candidate(index: int, entry: planning_pb2.Candidate) -> CandidateView:
        twin = found.get(index)
        return CandidateView(
            origin=plain(entry.origin, 128),
            scm_mean=number(entry.scm_mean),
            violation_probability=number(entry.violation_probability),
            disagreement=number(entry.disagreement),
            saving_ratio=number(entry.saving_ratio),
            score=number(entry.score),
            twin_scm_mean=None if twin is None else number(twin.scm_mean),
            twin_violation_ratio=None if twin is None else number(twin.violation_ratio),
            twin_passed=None if twin is None else twin.passed,
        )

    return ProposalDetail(
        **_proposal_fields(proposal),
        effective=utc(proposal.effective),
        spec_digest=proposal.spec_digest,
        violation_probability=_row(proposal.violation_probability),
        prb_share=shares(proposal.policy.prb_share, [cell.id for cell in spec.cells]),
        bandwidth_share=shares(proposal.policy.bandwidth_share, [link.id for link in spec.transport.links]),
        candidates=[candidate(i, entry) for i, entry in enumerate(proposal.candidates)],
        fans=[view for fan in proposal.fans if (view := _fan_view(fan, len(slices))) is not None],
        models=[{k: plain(getattr(m, k), 128) for k in ("name", "version", "digest")} for m in proposal.models],
        timings={timing.part: number(timing.seconds) for timing in proposal.timings},
        trace_id=proposal.trace_id,
    )


def _fan_view(fan: planning_pb2.KpiFan, slice_count: int) -> FanView | None:
    levels, width = len(fan.quantile_levels), len(fan.kpi_names)
    per_step = levels * slice_count * width
    if per_step == 0 or len(fan.values) % per_step:
        return None
    rows = [_row(fan.values[i : i + width]) for i in range(0, len(fan.values), width)]
    quantiles = [rows[i : i + slice_count] for i in range(0, len(rows), slice_count)]
    return FanView(
        policy=fan.policy,
        kpi_names=list(fan.kpi_names),
        quantile_levels=_row(fan.quantile_levels),
        values=[quantiles[i : i + levels] for i in range(0, len(quantiles), levels)],
    )


def verdict_view(verdict: policy_pb2.Verdict) -> VerdictView:
    """A verdict."""
    return VerdictView(
        proposal_id=verdict.proposal_id,
        step=verdict.step,
        decision=_enum(policy_pb2.Decision, verdict.decision, "DECISION_"),  # type: ignore[arg-type]
        mode=_enum(policy_pb2.Mode, verdict.mode, "MODE_"),
        guardrail_version=verdict.guardrail_version,
        decided=utc(verdict.decided),
        handling=_enum(policy_pb2.Handling, verdict.handling, "HANDLING_"),
        handling_reason=verdict.handling_reason,
        headline=verdict.headline,
        checks=[
            CheckView(
                name=check.name,
                passed=check.passed,
                value=optional(check, "value"),
                bound=optional(check, "bound"),
                message=plain(check.message, 1024),
            )
            for check in verdict.checks
        ],
        trace_id=verdict.trace_id,
    )


def policy_view(policy: policy_pb2.SlicePolicy) -> PolicyView:
    """The A1 policies."""
    return PolicyView(
        policy_set_id=policy.policy_set_id,
        step=policy.step,
        mode=_enum(policy_pb2.Mode, policy.mode, "MODE_"),
        enforcement=_enum(policy_pb2.Enforcement, policy.enforcement, "ENFORCEMENT_"),
        authorised_by=policy.authorised_by,
        effective=utc(policy.effective),
        ttl_s=policy.ttl_s,
        predicted_scm=optional(policy, "predicted_scm"),
        saving_ratio=number(policy.saving_ratio),
        policies=[
            PolicyInstance(policy_type_id=p.policy_type_id, policy_id=p.policy_id, policy=json.loads(p.policy_json))
            for p in policy.policies
        ],
        trace_id=policy.trace_id,
    )


def score_view(found: policy_pb2.ShadowScore) -> ScoreView:
    """A shadow score."""
    return ScoreView(
        policy_set_id=found.policy_set_id,
        step=found.step,
        decision=_enum(policy_pb2.Decision, found.decision, "DECISION_"),
        observed_step_count=found.observed_step_count,
        observed_scm=optional(found, "observed_scm"),
        running_predicted_scm=optional(found, "running_predicted_scm"),
        recommended_predicted_scm=optional(found, "recommended_predicted_scm"),
        coverage_ratio=optional(found, "coverage_ratio"),
        mean_absolute_error={name: number(value) for name, value in found.mean_absolute_error.items()},
        action_distance=optional(found, "action_distance"),
    )


def score_summary(scores: Sequence[policy_pb2.ShadowScore]) -> ScoreSummary:
    """Means over `scores`."""
    views = [score_view(found) for found in scores]
    predicted = [v for v in views if v.running_predicted_scm is not None and v.recommended_predicted_scm is not None]
    compared = [v for v in predicted if v.observed_scm is not None]
    names = sorted({name for v in views for name in v.mean_absolute_error})
    return ScoreSummary(
        count=len(views),
        accepted_count=sum(v.decision == "accepted" for v in views),
        observed_scm=_mean([v.observed_scm for v in views]),
        running_predicted_scm=_mean([v.running_predicted_scm for v in views]),
        running_scm_error=_mean([abs((v.observed_scm or 0.0) - (v.running_predicted_scm or 0.0)) for v in compared]),
        recommended_predicted_scm=_mean([v.recommended_predicted_scm for v in predicted]),
        predicted_gain_scm=_mean([(v.recommended_predicted_scm or 0.0) - (v.running_predicted_scm or 0.0) for v in predicted]),
        coverage_ratio=_mean([v.coverage_ratio for v in views]),
        mean_absolute_error={name: _mean([v.mean_absolute_error.get(name) for v in views]) for name in names},
        action_distance=_mean([v.action_distance for v in views]),
    )


def drift_view(status: DriftStatus) -> DriftView:
    """The drift monitor's word."""
    return DriftView(
        state=status.state,
        reasons=list(status.reasons),
        since_step=status.since_step if status.since_step >= 0 else None,
        last_step=status.last_step if status.last_step >= 0 else None,
        model=status.model,
        blocks=status.blocks,
        coverage={k: DriftCoverage(share=s, lower=low, upper=high) for k, (s, low, high) in status.coverage.items()},
        residual_sigma=status.residual,
        surprise_sigma=status.surprise,
        surprise_nats=status.surprise_nats,
        changes=[DriftChange(step=step, state=state, reason=reason) for step, state, reason in status.changes],
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def _enum(kind: Any, value: int, prefix: str) -> str:
    """Lower-case name without its prefix; "unspecified" for numbers of later versions."""
    return str(kind.Name(value)).removeprefix(prefix).lower() if value in kind.values() else "unspecified"


def audit_view(record: policy_pb2.AuditRecord) -> AuditView:
    """An audit record."""
    return AuditView(
        sequence=record.sequence,
        written=written_text(record),
        kind=record.kind,
        payload=json.loads(record.payload_json),
        previous_hash=record.previous_hash,
        hash=record.hash,
    )
