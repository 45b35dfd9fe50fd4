"""Shares that frames report: what a change is measured from."""

from __future__ import annotations

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import PolicyArrays, encode_policies
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams

_DISORDER = 4
MAX_LOOKED_AT = 64


class ReportedShares:
    """Looks up the shares of one area's frames."""

    def __init__(self, streams: Streams, names: StreamNames, spec: NetworkSpec, max_lag_steps: int | None) -> None:
        """`max_lag_steps`: how far back a proposal's frame may lie; None: MAX_LOOKED_AT."""
        self._streams, self._names = streams, names
        self._codec = FrameCodec(spec)
        self._reach = MAX_LOOKED_AT if max_lag_steps is None else min(max_lag_steps + _DISORDER, MAX_LOOKED_AT)

    async def shares(self, step: int, newest: int | None) -> worldmodel_pb2.PolicyBatch | None:
        """Shares of the frame of `step`, one step, NaN where it reports none; None where the frame is not at hand."""
        if newest is None or not 0 <= newest - step <= self._reach:
            return None
        for entry in reversed(await self._streams.last(self._names.frames, newest - step + _DISORDER)):
            try:
                message = telemetry_pb2.KpiFrame.FromString(entry.payload)
                if message.step == step:
                    frame = self._codec.decode(message)
                    return encode_policies(
                        PolicyArrays(
                            prb_share_KHCS=frame.cell_slice_feature("prb_share")[None, None],
                            bandwidth_share_KHLS=frame.link_slice_feature("bandwidth_share")[None, None],
                        )
                    )
            except (ProtobufDecodeError, InvalidInputError):
                continue
        return None
