"""Offers of template parameters: where the newest proposal tells of a corner case, the model is asked to fill templates.

The planner never waits for this. It reads what stands in the key when a decision begins, checks every field again and puts each
template through its gate; an offer that is late, wrong or missing changes nothing (twm.core.templates, twm.planner.corner).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import InvalidInputError, TwmError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.stream_worker import pause
from twm.core.streams import KeyWrite, StreamNames, Streams
from twm.core.template_prompt import template_messages
from twm.core.templates import MAX_OFFERED, OFFER_KEY, TemplateCall, TemplateOffer, parameters_schema, read_parameters
from twm.gateway.language.client import ModelClient
from twm.gateway.language.extract import one_object

log = logging.getLogger(__name__)
POLL_S = 0.5
MAX_TOKENS = 256
MAX_SIGNS = 6
VALID_STEPS = 2
"""Slow steps of wall time that an offer is good for."""


class TemplateOffers:
    """Watches the newest proposal, asks, writes the key."""

    def __init__(
        self,
        client: ModelClient,
        streams: Streams,
        names: StreamNames,
        spec: NetworkSpec,
        now_s: Callable[[], float],
        *,
        timeout_s: float,
    ) -> None:
        self._client, self._streams, self._names, self._spec = client, streams, names, spec
        self._now_s, self._timeout_s = now_s, timeout_s
        self._codec, self._schema = FrameCodec(spec), parameters_schema(spec)
        self._seen = -1

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped. Whatever fails costs one offer."""
        while not stop.is_set():
            try:
                await self.look()
            except (TwmError, ProtobufDecodeError) as error:
                log.info("no templates offered: %s", getattr(error, "reason", type(error).__name__))
            await pause(stop, POLL_S)

    async def look(self) -> TemplateOffer | None:
        """Answer the newest proposal, where it has signs of a corner case and was not answered; the offer written.

        Raises a TwmError where Redis or the model does not answer.
        """
        newest = await self._streams.last(self._names.proposals, 1)
        if not newest:
            return None
        proposal = planning_pb2.Proposal.FromString(newest[-1].payload)
        if proposal.step == self._seen:
            return None
        self._seen = proposal.step
        if not proposal.corner.triggers:
            return None
        frame = await self._frame(proposal.step)
        if frame is None:
            return None
        signs = [f"{one.kind} {one.scope or 'area'} {one.value:.2f}" for one in proposal.corner.triggers[:MAX_SIGNS]]
        messages = template_messages(frame, self._spec, signs)
        text = await self._client.structured(
            messages, self._schema, timeout_s=self._timeout_s, max_tokens=MAX_TOKENS, tell_schema=False
        )
        calls = calls_of(text, self._spec)
        if not calls:
            log.info("step %d: no usable templates in the model's answer", proposal.step)
            return None
        deadline_s = self._now_s() + VALID_STEPS * self._spec.timing.slow_step_s
        offer = TemplateOffer(step=proposal.step, deadline_s=deadline_s, calls=calls)
        await self._streams.write([], [KeyWrite(self._names.key(OFFER_KEY), offer.to_bytes(self._spec.area_id))])
        return offer

    async def _frame(self, step: int) -> FrameArrays | None:
        for entry in reversed(await self._streams.last(self._names.frames, 8)):
            frame = telemetry_pb2.KpiFrame.FromString(entry.payload)
            if frame.step == step:
                return self._codec.decode(frame)
        return None


def calls_of(text: str, spec: NetworkSpec) -> tuple[TemplateCall, ...]:
    """Templates of a model's answer that pass every check; the others are dropped."""
    found = one_object(text)
    said = found.get("templates") if found else None
    calls = []
    for one in said[:MAX_OFFERED] if isinstance(said, list) else ():
        try:
            calls.append(read_parameters(one if isinstance(one, dict) else {}, spec))
        except InvalidInputError:
            continue
    return tuple(calls)
