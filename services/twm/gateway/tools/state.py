"""What the tools of one session look at: frames up to the newest, shares in force, the newest proposal.

Read once, so that every call of a session speaks of the same moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.alarms.v1 import alarms_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.account import SlaAccount
from twm.core.actions import uniform_policy
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams
from twm.gateway.alarms.book import AlarmBook
from twm.gateway.tools.plans import Shares

HISTORY_STEPS = 16
MAX_ALARMS = 20


@dataclass(frozen=True, kw_only=True)
class ToolState:
    """One moment."""

    history: tuple[telemetry_pb2.KpiFrame, ...]
    """Consecutive frames, oldest first, at least one."""
    frames: tuple[FrameArrays, ...]
    """The same in arrays."""
    bases: Mapping[str, Shares]
    """Shares by name: "running", "uniform", and "proposed" where there is a proposal."""
    proposal: planning_pb2.Proposal | None
    """The newest one."""
    account: SlaAccount
    alarms: tuple[alarms_pb2.Alarm, ...] = ()
    """Active ones, gravest first."""

    @property
    def step(self) -> int:
        """Slow step of the newest frame."""
        return self.frames[-1].step

    @classmethod
    async def read(cls, streams: Streams, names: StreamNames, spec: NetworkSpec) -> ToolState:
        """From the streams. Raises UnavailableError where no frame is there yet."""
        codec = FrameCodec(spec)
        found: dict[int, tuple[telemetry_pb2.KpiFrame, FrameArrays]] = {}
        for entry in await streams.last(names.frames, 2 * HISTORY_STEPS):
            try:
                message = telemetry_pb2.KpiFrame.FromString(entry.payload)
                found.setdefault(message.step, (message, codec.decode(message)))
            except (ProtobufDecodeError, InvalidInputError):
                continue
        if not found:
            raise UnavailableError("state: no frame has come yet")
        last = max(found)
        first = last
        while first - 1 in found and last - first + 1 < HISTORY_STEPS:
            first -= 1
        kept = [found[step] for step in range(first, last + 1)]
        arrays = tuple(frame for _, frame in kept)
        proposal = None
        for entry in await streams.last(names.proposals, 1):
            try:
                proposal = planning_pb2.Proposal.FromString(entry.payload)
            except ProtobufDecodeError:
                proposal = None
        return cls(
            history=tuple(message for message, _ in kept),
            frames=arrays,
            bases=_bases(arrays[-1], proposal, spec),
            proposal=proposal,
            account=SlaAccount.of(arrays, spec),
            alarms=tuple((await AlarmBook(streams, names, spec).active())[:MAX_ALARMS]),
        )


def _bases(frame: FrameArrays, proposal: planning_pb2.Proposal | None, spec: NetworkSpec) -> dict[str, Shares]:
    c, s, n_links = spec.sizes
    even = uniform_policy(spec, 1)
    uniform = (even.prb_share_KHCS[0, 0].astype(float), even.bandwidth_share_KHLS[0, 0].astype(float))
    reported = (frame.cell_slice_feature("prb_share").astype(float), frame.link_slice_feature("bandwidth_share").astype(float))
    running = tuple(
        np.where(np.isnan(now).any(-1, keepdims=True), even, now) for now, even in zip(reported, uniform, strict=True)
    )
    bases: dict[str, Shares] = {"running": (running[0], running[1]), "uniform": uniform}
    if proposal is not None:
        prb, bandwidth = proposal.policy.prb_share[: c * s], proposal.policy.bandwidth_share[: n_links * s]
        if len(prb) == c * s and len(bandwidth) == n_links * s and np.isfinite([*prb, *bandwidth]).all():
            bases["proposed"] = (np.array(prb, float).reshape(c, s), np.array(bandwidth, float).reshape(n_links, s))
    return bases
