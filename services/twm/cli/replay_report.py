"""What a replay came to: counts, and the shadow scores by experiment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.cli.replay_feed import Plan
from twm.core.network import NetworkSpec
from twm.core.streams import Entry, StreamNames, Streams

_PAGE = 512


@dataclass(kw_only=True)
class Scores:
    """Mean scores of one experiment; None where nothing could be scored."""

    experiment: str
    frames: int = 0
    missing_report_ratio: float | None = None
    policies_scored: int = 0
    observed_scm: float | None = None
    running_predicted_scm: float | None = None
    recommended_predicted_scm: float | None = None
    coverage_ratio: float | None = None
    action_distance: float | None = None
    mean_absolute_error: dict[str, float] = field(default_factory=dict)


@dataclass(kw_only=True)
class Summary:
    """The whole replay."""

    network: str
    expected_frames: int
    frames: int = 0
    proposals: int = 0
    forecasts: int = 0
    """Proposals that a world model answered for."""
    rollouts: int = 0
    """Candidate policies rolled out."""
    twin_calls: int = 0
    verdicts: int = 0
    accepted_verdicts: int = 0
    policies: int = 0
    scores: int = 0
    accepted: int = 0
    """Reports the ingester stored."""
    rejected: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    complete: bool = False
    """Every frame came and was planned and judged."""
    experiments: list[Scores] = field(default_factory=list)


async def collect(streams: Streams, spec: NetworkSpec, plan: Plan) -> Summary:
    """Read the streams for what belongs to the plan's steps."""
    names = StreamNames.of(spec.area_id)
    out = Summary(network=spec.name, expected_frames=plan.frame_count)
    first = min(part.first_step for part in plan.parts)
    frames = [f for f in map(_frame, await _all(streams, names.frames)) if f.step >= first]
    proposals = [p for p in map(_proposal, await _all(streams, names.proposals)) if p.step >= first]
    verdicts = [v for v in map(_verdict, await _all(streams, names.verdicts)) if v.step >= first]
    policies = [p for p in map(_policy, await _all(streams, names.policies)) if p.step >= first]
    scores = [s for s in map(_score, await _all(streams, names.scores)) if s.step >= first]
    out.frames, out.proposals, out.verdicts = len(frames), len(proposals), len(verdicts)
    out.policies, out.scores = len(policies), len(scores)
    out.forecasts = sum(len(p.models) > 0 for p in proposals)
    out.rollouts = sum(p.evaluation_count for p in proposals)
    out.twin_calls = sum(p.twin_call_count for p in proposals)
    out.accepted_verdicts = sum(v.decision == policy_pb2.DECISION_ACCEPTED for v in verdicts)
    out.complete = out.frames >= plan.frame_count and out.proposals >= out.frames and out.verdicts >= out.proposals
    for part in plan.parts:
        steps = range(part.first_step, part.last_step + 1)
        out.experiments.append(
            _scores(part.name, [f for f in frames if f.step in steps], [s for s in scores if s.step in steps])
        )
    return out


def table(summary: Summary) -> list[str]:
    """The report in lines."""
    refused = ", ".join(f"{reason} {count}" for reason, count in sorted(summary.rejected.items()))
    lines = [
        f"replay of {summary.network} took {summary.seconds:.1f} s: {summary.accepted} reports stored"
        + (f", refused: {refused}" if refused else ""),
        f"frames {summary.frames} of {summary.expected_frames}, proposals {summary.proposals} "
        f"({summary.forecasts} with forecasts, {summary.rollouts} rollouts, {summary.twin_calls} twin calls), "
        f"verdicts {summary.verdicts} ({summary.accepted_verdicts} accepted), policies {summary.policies}, "
        f"shadow scores {summary.scores}",
        f"{'experiment':<28}{'frames':>7}{'missing':>9}{'scored':>7}{'SCM seen':>10}{'predicted':>10}{'proposed':>10}"
        f"{'coverage':>9}{'distance':>9}  mean absolute errors",
    ]
    for e in summary.experiments:
        errors = "  ".join(f"{name} {value:.4g}" for name, value in sorted(e.mean_absolute_error.items()))
        lines.append(
            f"{e.experiment[:27]:<28}{e.frames:>7}{_cell(e.missing_report_ratio, '.1%'):>9}{e.policies_scored:>7}"
            f"{_cell(e.observed_scm):>10}{_cell(e.running_predicted_scm):>10}{_cell(e.recommended_predicted_scm):>10}"
            f"{_cell(e.coverage_ratio):>9}{_cell(e.action_distance):>9}  {errors}"
        )
    lines.append(
        "SCM seen: reached by the network under its own shares; predicted: for those shares; proposed: for the recommended "
        "ones (a prediction, not an observation); coverage: seen KPIs inside the predicted 5-95 % interval"
    )
    return lines


def _scores(name: str, frames: Sequence[telemetry_pb2.KpiFrame], scores: Sequence[policy_pb2.ShadowScore]) -> Scores:
    reports = sum(f.report_count for f in frames)
    missing = sum(f.missing_report_count for f in frames)
    kpis = sorted({kpi for s in scores for kpi in s.mean_absolute_error})
    return Scores(
        experiment=name,
        frames=len(frames),
        missing_report_ratio=missing / (reports + missing) if reports + missing else None,
        policies_scored=len(scores),
        observed_scm=_mean(s.observed_scm for s in scores if s.HasField("observed_scm")),
        running_predicted_scm=_mean(s.running_predicted_scm for s in scores if s.HasField("running_predicted_scm")),
        recommended_predicted_scm=_mean(s.recommended_predicted_scm for s in scores if s.HasField("recommended_predicted_scm")),
        coverage_ratio=_mean(s.coverage_ratio for s in scores if s.HasField("coverage_ratio")),
        action_distance=_mean(s.action_distance for s in scores if s.HasField("action_distance")),
        mean_absolute_error={
            kpi: mean
            for kpi in kpis
            if (mean := _mean(s.mean_absolute_error[kpi] for s in scores if kpi in s.mean_absolute_error)) is not None
        },
    )


def _mean(values: Iterable[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None


def _cell(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else format(value, form)


async def _all(streams: Streams, stream: str) -> list[Entry]:
    out: list[Entry] = []
    after = "-"
    while True:
        page = await streams.range(stream, after=after, count=_PAGE)
        out += page
        if len(page) < _PAGE:
            return out
        after = page[-1].id


def _frame(entry: Entry) -> telemetry_pb2.KpiFrame:
    return telemetry_pb2.KpiFrame.FromString(entry.payload)


def _proposal(entry: Entry) -> planning_pb2.Proposal:
    return planning_pb2.Proposal.FromString(entry.payload)


def _verdict(entry: Entry) -> policy_pb2.Verdict:
    return policy_pb2.Verdict.FromString(entry.payload)


def _policy(entry: Entry) -> policy_pb2.SlicePolicy:
    return policy_pb2.SlicePolicy.FromString(entry.payload)


def _score(entry: Entry) -> policy_pb2.ShadowScore:
    return policy_pb2.ShadowScore.FromString(entry.payload)
