"""What the planner remembers between frames: the recent frames, the steps it has answered, and its last plan.

The last two stand in Redis keys that are written in the same atomic effect as the proposal, so a restart knows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import PolicyArrays, decode_policies
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.planner.corner.expectation import Expectation

GUARD_WINDOW = 512
"""Slow steps behind the newest answered one for which a late frame still gets its proposal."""
MAX_ALTERNATIVES = 8
"""Good policies besides the proposed one that are remembered for the next decision."""
_GUARD_BYTES = 8 + GUARD_WINDOW // 8


@dataclass(frozen=True)
class AnsweredSteps:
    """Which slow steps have a proposal: the newest, and a bit for each of the `GUARD_WINDOW` before it (bit 0: the newest)."""

    newest: int = -1
    bits: int = 0

    def holds(self, step: int) -> bool:
        """Whether `step` is answered, or so old that it counts as answered."""
        behind = self.newest - step
        return self.newest >= 0 and (behind >= GUARD_WINDOW or (behind >= 0 and bool(self.bits >> behind & 1)))

    def too_old(self, step: int) -> bool:
        """Whether `step` lies before the window."""
        return self.newest - step >= GUARD_WINDOW

    def with_step(self, step: int) -> AnsweredSteps:
        """The same with `step` answered."""
        ahead = step - self.newest
        if self.newest < 0 or ahead >= GUARD_WINDOW:
            return AnsweredSteps(step, 1)
        if ahead > 0:
            return AnsweredSteps(step, (self.bits << ahead | 1) & ((1 << GUARD_WINDOW) - 1))
        return AnsweredSteps(self.newest, self.bits | 1 << -ahead)

    def to_bytes(self) -> bytes:
        """Value of the guard key: newest step, 8 bytes big-endian, then the bits."""
        return self.newest.to_bytes(8, "big") + self.bits.to_bytes(GUARD_WINDOW // 8, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> AnsweredSteps:
        """Read the guard key; b"" is nothing answered yet. Raises InvalidInputError where it is something else."""
        if not data:
            return cls()
        if len(data) != _GUARD_BYTES:
            raise InvalidInputError(f"guard key: {len(data)} bytes, expected {_GUARD_BYTES}")
        return cls(int.from_bytes(data[:8], "big"), int.from_bytes(data[8:], "big"))


class History:
    """The newest frames of an area by slow step, bounded."""

    def __init__(self, spec: NetworkSpec, window_steps: int, keep_steps: int | None = None) -> None:
        """`window_steps`: frames the world model sees; `keep_steps`: how far back late frames may still ask."""
        self._spec, self._codec = spec, FrameCodec(spec)
        self._window, self._keep = window_steps, max(keep_steps or 4 * window_steps, window_steps)
        self._frames: dict[int, telemetry_pb2.KpiFrame] = {}

    def add(self, frames: Iterable[telemetry_pb2.KpiFrame]) -> None:
        """Take frames in; the first of a step stays. Only the newest are kept."""
        for frame in frames:
            self._frames.setdefault(frame.step, frame)
        if len(self._frames) > self._keep:
            for step in sorted(self._frames)[: -self._keep]:
                del self._frames[step]

    def knows(self, step: int) -> bool:
        """Whether the frame of `step` is here."""
        return step in self._frames

    def window(self, step: int) -> list[telemetry_pb2.KpiFrame]:
        """Consecutive frames up to `step`, oldest first; gaps are frames in which nothing was measured. At least one."""
        first = step - self._window + 1
        known = [s for s in self._frames if first <= s <= step]
        return [self._frames.get(s) or self._gap(s) for s in range(min(known, default=step), step + 1)]

    def _gap(self, step: int) -> telemetry_pb2.KpiFrame:
        return self._codec.encode(FrameArrays.missing(self._spec, step))


def keep_plan(proposal: planning_pb2.Proposal) -> bytes:
    """Value of the last-plan key: the proposal's policy and its alternatives, without the trace. Its size is bounded."""
    kept = planning_pb2.Proposal(
        proposal_id=proposal.proposal_id, area_id=proposal.area_id, step=proposal.step, spec_digest=proposal.spec_digest
    )
    kept.policy.CopyFrom(proposal.policy)
    if proposal.HasField("alternatives") and proposal.alternatives.policy_count <= MAX_ALTERNATIVES:
        kept.alternatives.CopyFrom(proposal.alternatives)
    if proposal.corner.expected_mbps:
        kept.corner.expected_mbps.extend(proposal.corner.expected_mbps)
        kept.corner.expected_std_mbps.extend(proposal.corner.expected_std_mbps)
    return kept.SerializeToString()


@dataclass(frozen=True)
class LastPlan:
    """The last proposal's policy; its first step is `step` + 1."""

    step: int
    policy: PolicyArrays
    alternatives: PolicyArrays | None = None
    """Other good policies that the search had found, at most MAX_ALTERNATIVES."""
    expectation: Expectation | None = None
    """What it expected of its first step; None: corner cases were not watched for."""

    @classmethod
    def from_bytes(cls, data: bytes, spec: NetworkSpec, spec_digest: str) -> LastPlan | None:
        """Read the last-plan key; None where it is empty or belongs to another spec. Raises InvalidInputError on garbage."""
        if not data:
            return None
        try:
            kept = planning_pb2.Proposal.FromString(data)
        except ProtobufDecodeError as error:
            raise InvalidInputError(f"last-plan key: not a Proposal: {error}") from error
        if kept.spec_digest != spec_digest or kept.policy.step_count != spec.timing.horizon_steps:
            return None
        others, alternatives = kept.alternatives, None
        if kept.HasField("alternatives") and others.step_count == kept.policy.step_count and others.policy_count:
            if others.policy_count > MAX_ALTERNATIVES:
                raise InvalidInputError(f"last-plan key: {others.policy_count} alternatives, at most {MAX_ALTERNATIVES}")
            alternatives = decode_policies(others, spec)
        return cls(kept.step, decode_policies(kept.policy, spec), alternatives, _expectation(kept.corner, spec))

    def expected(self, step: int) -> Expectation | None:
        """What it expected of slow step `step`; None where it is another one than its first."""
        return self.expectation if step == self.step + 1 else None

    def shifted(self, step: int) -> PolicyArrays | None:
        """What it says for the horizon after frame `step`, its last step repeated; None where it does not reach there."""
        return self._shifted(self.policy, step)

    def alternatives_shifted(self, step: int) -> PolicyArrays | None:
        """The same for its alternatives."""
        return None if self.alternatives is None else self._shifted(self.alternatives, step)

    def _shifted(self, policies: PolicyArrays, step: int) -> PolicyArrays | None:
        shift, horizon = step - self.step, policies.step_count
        if not 1 <= shift < horizon:
            return None
        index = [min(h + shift, horizon - 1) for h in range(horizon)]
        return PolicyArrays(
            prb_share_KHCS=policies.prb_share_KHCS[:, index], bandwidth_share_KHLS=policies.bandwidth_share_KHLS[:, index]
        )

    def at(self, step: int) -> PolicyArrays | None:
        """What it recommended for slow step `step` itself, one step; None where it does not reach there."""
        index = step - self.step - 1
        if not 0 <= index < self.policy.step_count:
            return None
        return PolicyArrays(
            prb_share_KHCS=self.policy.prb_share_KHCS[:, index : index + 1],
            bandwidth_share_KHLS=self.policy.bandwidth_share_KHLS[:, index : index + 1],
        )


def _expectation(kept: planning_pb2.CornerReport, spec: NetworkSpec) -> Expectation | None:
    mean, std = np.array(kept.expected_mbps, np.float64), np.array(kept.expected_std_mbps, np.float64)
    if mean.shape != (len(spec.zones) + len(spec.cells),) or std.shape != mean.shape:
        return None
    return Expectation(mean_G=mean, std_G=std) if np.isfinite([mean, std]).all() else None


@dataclass(frozen=True, kw_only=True)
class CycleMemory:
    """What a planning cycle remembers from decision to decision."""

    candidate_s: float = 0.0
    """Time of one candidate of a search round [s]; 0: not known yet."""
    tail_s: float = 0.0
    """Time of what comes after the search [s]."""
    actor_present: bool = False
    """Whether the actor answered when it was last asked."""
    actor_silent: int = 0
    """Decisions since an absent actor was asked for."""
    actor_absent_with: tuple[tuple[str, str, str], ...] | None = None
    """World models in use when the actor turned out to be absent; None: it did not."""
