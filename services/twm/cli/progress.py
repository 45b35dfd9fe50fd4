"""What a run shows: one or two lines for each slice policy or refusal as it comes out of the streams, and the counts."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.actions import decode_policies
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.streams import GROUP_GATEWAY, GROUP_INGESTER, GROUP_PLANNER, Entry, StreamNames, Streams

T = TypeVar("T")

KEPT = 64
MAX_IDS_SHOWN = 2
MAX_CHECKS_SHOWN = 3


@dataclass(frozen=True)
class Counts:
    """How far a run is."""

    frames: int
    proposals: int
    verdicts: int
    policies: int
    dead: int
    lag: int
    """Entries that wait in front of ingester, planner and gateway."""

    def line(self) -> str:
        """In words."""
        dead = f" dead letters {self.dead}" if self.dead else ""
        done = f"frames {self.frames} proposals {self.proposals} verdicts {self.verdicts} policies {self.policies}"
        return f"{done} lag {self.lag}{dead}"


class Progress:
    """Follows one area's streams; only reads."""

    def __init__(self, streams: Streams, spec: NetworkSpec) -> None:
        self._streams = streams
        self._spec = spec
        self._names = StreamNames.of(spec.area_id)
        self._after = {self._names.proposals: "-", self._names.verdicts: "-", self._names.policies: "-"}
        self._proposals: OrderedDict[str, planning_pb2.Proposal] = OrderedDict()
        self._verdicts: OrderedDict[str, policy_pb2.Verdict] = OrderedDict()

    async def counts(self) -> Counts:
        """Counts since the streams exist."""
        n = self._names
        frames, proposals, verdicts, policies, dead = [
            await self._streams.added(stream) for stream in (n.frames, n.proposals, n.verdicts, n.policies, n.dead)
        ]
        waits = ((n.intake, GROUP_INGESTER), (n.frames, GROUP_PLANNER), (n.proposals, GROUP_GATEWAY))
        lag = 0
        for stream, group in waits:
            waiting, held = await self._streams.lag(stream, group)
            lag += waiting + held
        return Counts(frames, proposals, verdicts, policies, dead, lag)

    async def skip_history(self) -> None:
        """Show only what comes from now on."""
        for stream in self._after:
            for entry in await self._streams.last(stream, 1):
                self._after[stream] = entry.id

    async def news(self) -> list[str]:
        """Lines about what came since the last call. An entry that is no message of this project is passed over."""
        lines = []
        for entry in await self._next(self._names.proposals):
            proposal = planning_pb2.Proposal()
            if _parse(proposal, entry):
                _keep(self._proposals, proposal.proposal_id, proposal)
        for entry in await self._next(self._names.verdicts):
            verdict = policy_pb2.Verdict()
            if _parse(verdict, entry):
                _keep(self._verdicts, verdict.proposal_id, verdict)
                if verdict.decision == policy_pb2.DECISION_REJECTED:
                    lines.append(self._refusal(verdict))
        for entry in await self._next(self._names.policies):
            policy = policy_pb2.SlicePolicy()
            if _parse(policy, entry):
                lines += self._policy(policy)
        return lines

    async def _next(self, stream: str) -> list[Entry]:
        entries = await self._streams.range(stream, after=self._after[stream], count=KEPT)
        if entries:
            self._after[stream] = entries[-1].id
        return entries

    def _policy(self, policy: policy_pb2.SlicePolicy) -> list[str]:
        mode = policy_pb2.Mode.Name(policy.mode).removeprefix("MODE_").lower()
        verdict = self._verdicts.get(policy.policy_set_id)
        guardrail = "passed" if verdict is None else f"passed {len(verdict.checks)} checks"
        ids = [f"{p.policy_type_id}/{p.policy_id}" for p in policy.policies]
        more = f" +{len(ids) - MAX_IDS_SHOWN}" if len(ids) > MAX_IDS_SHOWN else ""
        predicted = f"{policy.predicted_scm:.3f}" if policy.HasField("predicted_scm") else "-"
        lines = [
            f"policy step {policy.step} [{mode}]: predicted SCM {predicted}, saving {policy.saving_ratio:+.1%}, "
            f"guardrail {guardrail}{self._shares(policy.policy_set_id)}",
            f"  A1 {', '.join(_plain(i) for i in ids[:MAX_IDS_SHOWN])}{more}",
        ]
        return lines

    def _shares(self, proposal_id: str) -> str:
        proposal = self._proposals.get(proposal_id)
        if proposal is None:
            return ""
        try:
            shares_S = decode_policies(proposal.policy, self._spec).prb_share_KHCS[0, 0].mean(0)
        except InvalidInputError:
            return ""
        each = " ".join(f"{s.id} {share:.0%}" for s, share in zip(self._spec.slices, shares_S, strict=True))
        source = planning_pb2.ProposalSource.Name(proposal.source).removeprefix("PROPOSAL_SOURCE_").lower()
        return f", mean PRB {each}, by {source}"

    def _refusal(self, verdict: policy_pb2.Verdict) -> str:
        failed = [f"{_plain(c.name)}: {_plain(c.message)}" for c in verdict.checks if not c.passed]
        more = f"; and {len(failed) - MAX_CHECKS_SHOWN} more" if len(failed) > MAX_CHECKS_SHOWN else ""
        return f"refused step {verdict.step}: {'; '.join(failed[:MAX_CHECKS_SHOWN])}{more}"


def _parse(message: planning_pb2.Proposal | policy_pb2.Verdict | policy_pb2.SlicePolicy, entry: Entry) -> bool:
    try:
        message.ParseFromString(entry.payload)
    except ProtobufDecodeError:
        return False
    return True


def _keep(kept: OrderedDict[str, T], key: str, value: T) -> None:
    kept[key] = value
    while len(kept) > KEPT:
        kept.popitem(last=False)


def _plain(text: str) -> str:
    """Fit for a terminal: no control characters, bounded."""
    return ascii(text[:120])[1:-1]
