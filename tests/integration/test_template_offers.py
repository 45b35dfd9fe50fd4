"""From a proposal with signs, over a model's answer and a key in Redis, to templates in the next plan; nobody waits."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from planner_peers import ArithmeticPeers, frame_messages

from twm.api.planning.v1 import planning_pb2
from twm.core.clock import SystemClock
from twm.core.errors import UnavailableError
from twm.core.network import NetworkSpec
from twm.core.rpc import grpc_channel
from twm.core.streams import Entry, KeyWrite, Output, StreamNames, Streams
from twm.core.templates import OFFER_KEY
from twm.gateway.language.template_offers import TemplateOffers
from twm.planner.corner.settings import CornerSettings
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.peers import Peers
from twm.planner.replay import replay
from twm.planner.search import SearchSettings
from twm.planner.service import PlannerService
from twm.planner.tape import DecisionRecorder

pytestmark = pytest.mark.redis
CORNER = CornerSettings(templates=True, field_risk=0.1, disagreement=1.0, templates_max=4)
SETTINGS = CycleSettings(budget_s=20.0, library_count=24, search=SearchSettings(populations=(8,)), corner=CORNER)


class Model:
    """Answers as a test wants."""

    def __init__(self, text: str = "", *, late: bool = False) -> None:
        self.text, self.late, self.asked = text, late, 0
        self.messages: Any = None

    async def structured(self, messages: Any, schema: Any, **_: Any) -> str:
        assert schema["properties"]["templates"]["items"]["anyOf"]
        self.asked, self.messages = self.asked + 1, messages
        if self.late:
            raise UnavailableError("model: no answer", reason="deadline")
        return self.text


async def test_an_offer_reaches_the_next_plan_and_its_replay(spec: NetworkSpec, redis_url: str) -> None:
    streams, names = await Streams.connect(redis_url), StreamNames.of(spec.area_id)
    said = [{"name": "boost_zone", "scope": "corridor", "amount": 0.05, "steps": 2}, {"name": "rm -rf", "scope": "/"}]
    model = Model("Of course: " + json.dumps({"templates": said}))
    offers = TemplateOffers(model, streams, names, spec, time.time, timeout_s=1.0)  # type: ignore[arg-type]
    frames = frame_messages(spec, range(20, 24))
    async with ArithmeticPeers(spec, (0.35, 0.2, 0.25)) as peers, grpc_channel(peers.target) as channel:
        recorder = DecisionRecorder(SystemClock())
        at = Peers.on(spec, channel, channel, recorder.clock, wrap=recorder.recorded)
        planner = PlannerService(
            spec, streams, PlanningCycle(spec, SETTINGS, at, recorder.clock), history_steps=8, recorder=recorder
        )

        async def planned(frame: Any) -> planning_pb2.Proposal:
            """As the worker of the process does it, without its group."""
            await streams.append(Output(names.frames, frame.SerializeToString()))
            await streams.ensure_group(names.frames, "planner")
            effect = await planner.handle(Entry(names.frames, "1-1", frame.SerializeToString(), "", 1))
            await streams.write(list(effect.outputs), list(effect.keys))
            return planning_pb2.Proposal.FromString(effect.outputs[0].payload)

        assert await offers.look() is None  # no proposal yet
        first = await planned(frames[0])
        assert first.corner.triggers
        assert first.corner.offer == ""
        offer = await offers.look()
        assert offer is not None
        assert (offer.step, [call.name for call in offer.calls]) == (20, ["boost_zone"])
        assert "Signs of trouble: field_risk" in model.messages[-1]["content"]
        assert await offers.look() is None  # one question for each proposal
        assert model.asked == 1
        plan = await streams.get(names.key("planner-last-plan")) or b""
        second = await planned(frames[1])
        assert second.corner.offer == "used"
        assert [(t.name, t.scope) for t in second.corner.templates if t.filled_by == "model"] == [("boost_zone", "corridor")]
        assert [one.name for one in second.tape.inputs if one.name == OFFER_KEY]
        assert [step.note for step in second.trace if step.kind == "corner"] == [second.corner.reason]
        again = await replay(second, frames[:2], plan, spec, *_calls(channel), propose=_propose(channel))
        assert again.same, again.differences
        # Late, or garbage in the key: the rules go on alone.
        model.late = True
        with pytest.raises(UnavailableError):
            await offers.look()
        await streams.write([], [KeyWrite(names.key(OFFER_KEY), b"\xff" * 20_000)])
        third = await planned(frames[2])
        assert third.corner.offer == "too_large"
        assert all(t.filled_by == "rules" for t in third.corner.templates)
        quiet = PlanningCycle(spec, replace(SETTINGS, corner=CornerSettings(templates=False)), at, recorder.clock)
        unread = PlannerService(spec, streams, quiet, history_steps=8)
        effect = await unread.handle(Entry(names.frames, "1-2", frames[3].SerializeToString(), "", 1))
        assert not planning_pb2.Proposal.FromString(effect.outputs[0].payload).HasField("corner")
    await streams.close()


def _calls(channel: Any) -> tuple[Any, Any]:
    from twm.api.twin.v1 import twin_pb2_grpc
    from twm.api.worldmodel.v1 import worldmodel_pb2_grpc

    return worldmodel_pb2_grpc.WorldModelServiceStub(channel).Rollout, twin_pb2_grpc.TwinServiceStub(channel).Verify


def _propose(channel: Any) -> Any:
    from twm.api.worldmodel.v1 import worldmodel_pb2_grpc

    return worldmodel_pb2_grpc.WorldModelServiceStub(channel).Propose
