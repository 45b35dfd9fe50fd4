"""Decisions as an approver reads them: the list, and all about one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.explain.v1 import explain_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.kpis import KPI_NAMES
from twm.core.network import NetworkSpec
from twm.core.streams import Entry
from twm.gateway.console.models import (
    ApprovalRow,
    CandidateRow,
    DecisionDetail,
    DecisionRow,
    FrontPointView,
    IntentOutcomeView,
)
from twm.gateway.console.series import fan_blocks
from twm.gateway.explain.routes import parse as parse_explanation
from twm.gateway.explain.views import explanation_view
from twm.gateway.modes.approvals import Book, Waiting
from twm.gateway.modes.router import utc_text
from twm.gateway.rest_views import number, optional, plain, proposal_detail, verdict_view

MAX_ROWS = 200
MAX_OUTCOMES = 256


def verdict_of(entry: Entry) -> tuple[int, policy_pb2.Verdict] | None:
    """(step, verdict without its checks)."""
    try:
        found = policy_pb2.Verdict.FromString(entry.payload)
    except (ProtobufDecodeError, UnicodeDecodeError):
        return None
    found.ClearField("checks")
    return found.step, found


def outlook_of(entry: Entry) -> tuple[int, explain_pb2.Explanation] | None:
    """(step, explanation: source and outlooks alone)."""
    found = parse_explanation(entry.payload)
    if found is None:
        return None
    kept = explain_pb2.Explanation(source=found.source, outlooks=found.outlooks)
    return found.step, kept


def row(
    verdict: policy_pb2.Verdict | None,
    outlook: explain_pb2.Explanation | None,
    waiting: Waiting | None,
    step: int,
    spec: NetworkSpec,
) -> DecisionRow:
    """One line of the list."""
    by_policy = {} if outlook is None else {o.policy: o for o in outlook.outlooks}
    proposed, running = by_policy.get("proposed"), by_policy.get("running")
    view = None if verdict is None else verdict_view(verdict)
    return DecisionRow(
        step=step,
        start=_time((step + 1) * spec.timing.slow_step_s),
        decided="" if view is None else view.decided,
        decision="undecided" if view is None else view.decision,
        handling="" if view is None else view.handling,
        state="" if waiting is None else waiting.state,
        source="" if outlook is None else plain(outlook.source, 32),
        headline="" if view is None else plain(view.headline, 512),
        scm=None if proposed is None else optional(proposed, "scm_mean"),
        running_scm=None if running is None else optional(running, "scm_mean"),
        violation_probability=None if proposed is None else optional(proposed, "violation_probability"),
        saving_ratio=None if proposed is None else optional(proposed, "saving_ratio"),
    )


def approvals_by_step(book: Book) -> Mapping[int, Waiting]:
    """The newest word on each step's approval."""
    return {w.step: w for w in (*book.decided, *book.pending)}


def detail(
    proposal: planning_pb2.Proposal,
    verdict: policy_pb2.Verdict | None,
    explanation: explain_pb2.Explanation | None,
    waiting: Waiting | None,
    spec: NetworkSpec,
) -> DecisionDetail:
    """All about one decision."""
    told = proposal_detail(proposal, spec)
    candidates = [
        CandidateRow(
            **view.model_dump(),
            scm_cvar=optional(entry, "scm_cvar"),
            ood_score=optional(entry, "ood_score"),
            move=number(entry.move),
        )
        for view, entry in zip(told.candidates, proposal.candidates, strict=True)
    ]
    line = row(verdict, explanation, waiting, proposal.step, spec)
    line = line.model_copy(
        update={
            "source": told.source,
            "scm": told.predicted_scm,
            "running_scm": told.running_predicted_scm,
            "violation_probability": told.any_violation_probability,
            "saving_ratio": told.saving_ratio,
        }
    )
    slices = [entry.id for entry in spec.slices]
    judged = None if verdict is None else verdict_view(verdict)
    known = len(proposal.violation_probability) == len(slices)
    return DecisionDetail(
        row=line,
        created=told.created,
        effective=told.effective,
        fallback_reason=told.fallback_reason,
        chosen_index=proposal.chosen_index if proposal.chosen_index < len(candidates) else None,
        runner_up_index=proposal.runner_up_index if proposal.HasField("runner_up_index") else None,
        evaluation_count=told.evaluation_count,
        twin_call_count=told.twin_call_count,
        disagreement=told.disagreement,
        ood_score=told.ood_score,
        slice_violation_probability=dict(zip(slices, told.violation_probability, strict=True)) if known else {},
        candidates=candidates,
        front=[
            FrontPointView(
                origin=plain(point.origin, 128),
                saving_ratio=number(point.saving_ratio),
                scm_mean=number(point.scm_mean),
                violation_probability=number(point.violation_probability),
                candidate_index=point.candidate_index if point.HasField("candidate_index") else None,
            )
            for point in proposal.front
        ],
        fans=fan_blocks(proposal, spec),
        kpis=list(KPI_NAMES),
        models=told.models,
        timings=told.timings,
        intents=[
            IntentOutcomeView(
                intent_id=plain(outcome.intent_id, 64),
                constraint_index=outcome.constraint_index,
                violation_probability=number(outcome.violation_probability),
                running_violation_probability=optional(outcome, "running_violation_probability"),
            )
            for outcome in proposal.intent_outcomes[:MAX_OUTCOMES]
        ],
        guardrail_version="" if judged is None else judged.guardrail_version,
        handling_reason="" if judged is None else plain(judged.handling_reason, 1024),
        checks=[] if judged is None else judged.checks,
        explanation=None if explanation is None else explanation_view(explanation).model_dump(mode="json"),
        approval=None if waiting is None else approval_row(waiting),
    )


def approval_row(waiting: Waiting) -> ApprovalRow:
    """The approval of a decision."""
    return ApprovalRow(
        state=waiting.state,
        proposal_sha256=waiting.proposal_sha256,
        created=utc_text(waiting.created_s) or "",
        expires=utc_text(waiting.expires_s) or "",
        waits_for=plain(waiting.waits_for, 1024),
        decided_by=plain(waiting.decided_by, 128),
        decided=utc_text(waiting.decided_s),
        reason=plain(waiting.reason, 500),
    )


def _time(seconds: float) -> str:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return ""
