"""Delivery to A1 terminations of each kind, on a real Redis: what is wanted is there, once, and nothing else is touched."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from a1_area import IDS, PEERS, Area, simulator, until

from twm.api.policy.v1 import policy_pb2
from twm.core.network import NetworkSpec
from twm.core.streams import Entry, Streams
from twm.gateway.delivery.answers import EnforceStatus
from twm.gateway.delivery.callbacks import STATUS
from twm_bench.ric.a1_faults import Faults

pytestmark = pytest.mark.redis
LONG = os.environ.get("TWM_LONG") == "1"
RESTARTS = [(k, keep) for k in PEERS for keep in (True, False)] if LONG else [("a1p", True), ("oransc", False), ("pms3", False)]
"""Terminations that restart, and whether they keep what they held."""


@pytest.fixture
async def area(redis_url: str, spec: NetworkSpec) -> AsyncIterator[Area]:
    streams = await Streams.connect(redis_url)
    yield Area(streams, spec)
    await streams.close()


@pytest.mark.parametrize("kind", list(PEERS))
async def test_policies_are_there_once_updated_in_place_and_gone_when_withdrawn(kind: str, area: Area) -> None:
    foreign = {"somebody-else": {"a": 1}, "twm~poc-city-2~sla3~embb": {"b": 2}}
    async with simulator(kind) as ric:
        if kind == "a1p":
            ric.api.policies["ORAN_SliceSLATarget_3.0.0"].update(foreign)
        elif kind.startswith("pms"):
            for name, body in foreign.items():
                ric.api.policies[name] = {"ric_id": "ric1", "service_id": "other", "policytype_id": "x", "policy_data": body}
        await area.mode("autonomous")
        async with area.delivering(area.settings(kind, ric.url)) as delivery:
            first = area.policy(100)
            await area.write(first)
            await until(lambda: ric.held.keys() >= IDS, "delivered")
            assert ric.counts["created"] == 4 and ric.counts["updated"] == 0
            bodies = {json.dumps(json.loads(p.policy_json), sort_keys=True) for p in first.policies}
            assert {json.dumps(ric.held[i], sort_keys=True) for i in IDS} == bodies

            second = area.policy(101)
            for p in second.policies:
                if p.policy_id.endswith("embb"):
                    p.policy_json = p.policy_json.replace('"guaDlThptPerSlice":', '"maxDlThptPerSlice":')
            await area.write(second)
            await until(lambda: "maxDlThptPerSlice" in json.dumps(ric.held["twm~poc-city~sla3~embb"]), "updated")
            await until(lambda: delivery.engine.settled, "settled")
            # Only what differs is written: the slice that changed, and the RRM object with its new time.
            assert (ric.counts["created"], ric.counts["updated"]) == (4, 2)

            third = area.policy(102)
            del third.policies[1:3]
            await area.write(third)
            await until(lambda: ric.counts["deleted"] == 2, "what is not part of the policy any more is deleted")

            await area.write(area.policy(103, policy_pb2.ENFORCEMENT_WITHDRAW))
            await until(lambda: not (IDS & ric.held.keys()), "withdrawn")
            await asyncio.sleep(1.5)
            if kind != "oransc":
                assert ric.held == foreign
            before = ric.writes
            state, held = await delivery.seen()
            assert state.leader and not held
        assert ric.writes == before
    told = await area.audit()
    assert {i for what, i in told if what == "put"} == IDS == {i for what, i in told if what == "deleted"}


async def test_in_shadow_mode_and_for_advised_policies_nothing_is_sent_at_all(area: Area) -> None:
    async with simulator("a1p") as trap, simulator("pms3") as pms:
        for kind, ric in (("a1p", trap), ("pms3", pms)):
            async with area.delivering(area.settings(kind, ric.url)):
                await area.write(area.policy(100, policy_pb2.ENFORCEMENT_SHADOW))
                await area.write(area.policy(101, policy_pb2.ENFORCEMENT_ADVISED))
                await area.write(area.policy(102))  # an old entry of another mode: void in shadow mode
                await asyncio.sleep(1.2)
            assert not ric.counts, ric.counts


@pytest.mark.parametrize("kind", ["a1p", "pms2"])
async def test_the_kill_switch_deletes_and_nothing_comes_back_by_itself(kind: str, area: Area) -> None:
    async with simulator(kind) as ric:
        await area.mode("autonomous")
        async with area.delivering(area.settings(kind, ric.url)):
            await area.write(area.policy(100))
            await until(lambda: len(ric.held) == 4, "delivered")
            await area.mode("autonomous", stopped=True)
            await until(lambda: not ric.held, "deleted")
            await area.mode("shadow")
            await area.mode("autonomous")
            await asyncio.sleep(1.0)
            assert not ric.held
        # Neither for a process that was away meanwhile.
        async with area.delivering(area.settings(kind, ric.url), "h"):
            await asyncio.sleep(1.0)
            assert not ric.held
            await area.write(area.policy(101))
            await until(lambda: len(ric.held) == 4, "the next policy is delivered")


async def test_a_mode_changed_while_nobody_looked_voids_what_was_in_force(area: Area) -> None:
    async with simulator("a1p") as ric:
        await area.mode("autonomous")
        async with area.delivering(area.settings("a1p", ric.url)):
            await area.write(area.policy(100))
            await until(lambda: len(ric.held) == 4, "delivered")
        await area.mode("autonomous", stopped=True)
        await area.mode("shadow")
        await area.mode("autonomous")
        async with area.delivering(area.settings("a1p", ric.url)):
            await until(lambda: not ric.held, "deleted")


async def test_a_policy_ends_with_its_time_to_live(area: Area) -> None:
    async with simulator("a1p") as ric:
        await area.mode("autonomous")
        async with area.delivering(area.settings("a1p", ric.url)):
            policy = area.policy(100)
            policy.effective.FromMilliseconds(int(time.time() * 1000))
            policy.ttl_s = 1.5
            await area.write(policy)
            await until(lambda: len(ric.held) == 4, "delivered")
            await until(lambda: not ric.held, "expired")
            assert ric.counts["created"] == 4 == ric.counts["deleted"]


async def test_after_a_restart_of_ours_what_stands_is_adopted_without_a_write(area: Area) -> None:
    async with simulator("a1p") as ric:
        await area.mode("autonomous")
        async with area.delivering(area.settings("a1p", ric.url)):
            await area.write(area.policy(100))
            await until(lambda: len(ric.held) == 4, "delivered")
        ric.api.policies["ORAN_SliceSLATarget_3.0.0"]["twm~poc-city~sla3~old"] = {"left": "behind"}
        ric.api.policies["ORAN_SliceSLATarget_3.0.0"]["twm~poc-city~sla3~fwa"] = {"changed": "by somebody"}
        before = ric.writes
        async with area.delivering(area.settings("a1p", ric.url)) as delivery:
            await until(lambda: ric.writes >= before + 2, "what differs is put right")
            await until(lambda: delivery.engine.settled, "settled")
        assert ric.writes == before + 2
        assert ric.held.keys() == IDS and "changed" not in ric.held["twm~poc-city~sla3~fwa"]


async def test_nothing_is_taken_for_left_over_while_redis_is_slow(area: Area, monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulator("a1p") as ric:
        await area.mode("autonomous")
        async with area.delivering(area.settings("a1p", ric.url)):
            await area.write(area.policy(100))
            await until(lambda: len(ric.held) == 4, "delivered")
        before, read = ric.writes, Streams.range

        async def slowly(self: Streams, stream: str, *, after: str = "-", count: int) -> list[Entry]:
            await asyncio.sleep(0.5)
            return await read(self, stream, after=after, count=count)

        monkeypatch.setattr(Streams, "range", slowly)
        async with area.delivering(area.settings("a1p", ric.url)) as delivery:
            await until(lambda: delivery.engine is not None and delivery.engine.settled and delivery._compared, "compared")
            await asyncio.sleep(0.2)
        assert ric.writes == before and ric.held.keys() == IDS


@pytest.mark.parametrize(("kind", "keep"), RESTARTS)
async def test_after_a_restart_of_the_ric_everything_is_there_once(kind: str, keep: bool, area: Area) -> None:
    async with simulator(kind) as ric:
        await area.mode("autonomous")
        async with area.delivering(area.settings(kind, ric.url)) as delivery:
            await area.write(area.policy(100))
            await until(lambda: len(ric.held) == 4, "delivered")
            await ric.restart(keep=keep, seconds=0.3)
            await area.write(area.policy(101))
            await until(lambda: ric.held.keys() == IDS and delivery.engine.settled, "there again")
            assert sum(ric.counts[x] for x in ("created",)) == (4 if keep else 8)


@pytest.mark.parametrize("kind", list(PEERS) if LONG else ["oransc", "pms3"])
async def test_failures_of_every_kind_leave_neither_orphans_nor_duplicates(kind: str, area: Area) -> None:
    async with simulator(kind) as ric:
        ric.faults = Faults(error_ratio=0.2, timeout_ratio=0.1, reset_ratio=0.2, seed=3)
        await area.mode("autonomous")
        async with area.delivering(area.settings(kind, ric.url, a1_timeout_s=0.2)) as delivery:
            for step in range(100, 104):
                await area.write(area.policy(step))
                await asyncio.sleep(0.3)
            await until(lambda: ric.held.keys() == IDS and delivery.engine.settled, "settled under failures", 20)
            ric.faults = Faults()
            last = {p.policy_json for p in area.policy(103).policies if "Ratio" not in p.policy_type_id}
            assert last <= {json.dumps(b, sort_keys=True, separators=(",", ":")) for b in ric.held.values()}
            await area.write(area.policy(104, policy_pb2.ENFORCEMENT_WITHDRAW))
            await until(lambda: not ric.held, "withdrawn")


async def test_ids_that_the_service_makes_up_are_kept_and_lost_answers_leave_no_second_one(area: Area) -> None:
    async with simulator("pms3", own_ids=True) as ric:
        await area.mode("autonomous")
        ric.forced.lose = 0
        async with area.delivering(area.settings("pms3", ric.url)) as delivery:
            await until(lambda: delivery.engine is not None, "leading")
            ric.faults = Faults(timeout_ratio=0.3, seed=1)
            await area.write(area.policy(100))
            await until(lambda: len(ric.held) >= 4, "delivered", 15)
            ric.faults = Faults()
            await until(lambda: len(ric.held) == 4 and delivery.engine.settled, "second ones are removed", 15)
            await area.write(area.policy(101))
            await until(lambda: ric.counts["updated"] >= 1, "updated under its own id")
            assert len(ric.held) == 4 and not IDS & ric.held.keys()


async def test_keep_alive_is_the_dead_mans_switch(area: Area) -> None:
    async with simulator("pms2") as ric:
        await area.mode("autonomous")
        settings = area.settings("pms2", ric.url)
        settings = replace(settings, service=replace(settings.service, keep_alive_s=1.0), reconcile_s=60.0)
        async with area.delivering(settings) as delivery:
            await area.write(area.policy(100))
            await until(lambda: len(ric.held) == 4, "delivered")
            await asyncio.sleep(1.5)
            ric.api.supervise(time.monotonic())
            assert len(ric.held) == 4, "signs of life are sent"
            area.healthy = False
            await until(lambda: (ric.api.supervise(time.monotonic()), not ric.held)[1], "removed once they are withheld")
            area.healthy = True
            await until(lambda: len(ric.held) == 4 and delivery.engine.settled, "registered and delivered again")


async def test_statuses_are_asked_for_and_taken_from_callbacks(area: Area) -> None:
    async with simulator("a1p") as ric:
        await area.mode("autonomous")
        settings = area.settings("a1p", ric.url, a1_callback_url="http://127.0.0.1:9")
        async with area.delivering(settings) as delivery:
            await area.write(area.policy(100))
            await until(lambda: len(ric.held) == 4, "delivered")
            ric.api.set_status("twm~poc-city~sla3~embb", "NOT_ENFORCED", "SCOPE_NOT_APPLICABLE")
            ric.api.set_status("twm~poc-city~sla3~urllc", "ENFORCED", None)
            await until(lambda: delivery.engine.records["twm~poc-city~sla3~urllc"].enforced is True, "asked for")
            embb = delivery.engine.records["twm~poc-city~sla3~embb"]
            assert (embb.enforced, embb.enforce_reason) == (False, "SCOPE_NOT_APPLICABLE")

            url = ric.api.callbacks["twm~poc-city~rrm1~0"]
            assert url.startswith("http://127.0.0.1:9/a1/status/twm~poc-city~rrm1~0/")
            code = url.rpartition("/")[2]
            assert delivery.take_status("twm~poc-city~rrm1~0", code, EnforceStatus(True)) is True
            assert delivery.take_status("twm~poc-city~sla3~embb", code, EnforceStatus(True)) is False
            assert code == delivery._urls.code(STATUS, "twm~poc-city~rrm1~0")
    assert ("status", "twm~poc-city~sla3~embb") in await area.audit()


async def test_a_type_that_is_missing_and_a_policy_that_is_refused_are_told_and_tried_again_when_things_change(
    area: Area,
) -> None:
    async with simulator("a1p") as ric:
        schema = ric.api.types["twm_RRMPolicyRatio_1.0.0"]["policySchema"]
        ric.api.drop_type("twm_RRMPolicyRatio_1.0.0")
        await area.mode("autonomous")
        async with area.delivering(area.settings("a1p", ric.url)) as delivery:
            policy = area.policy(100)
            policy.policies[0].policy_json = '{"scope":"nonsense"}'
            await area.write(policy)
            await until(lambda: len(ric.held) == 2, "the others are delivered")
            states = {i: r.state for i, r in delivery.engine.records.items()}
            assert states["twm~poc-city~rrm1~0"] == "type_missing"
            refused = delivery.engine.records[delivery.engine._naming.remote_id(
                policy.policies[0].policy_type_id, policy.policies[0].policy_id, "poc-city")]  # fmt: skip
            await until(lambda: refused.state == "rejected", "refused")
            assert refused.code == 400
            asked = ric.counts["refused 400"]
            ric.api.offer("twm_RRMPolicyRatio_1.0.0", schema)
            await until(lambda: len(ric.held) == 3, "the type is there now")
            assert ric.counts["refused 400"] == asked, "what is refused is not sent again and again"
            await area.write(area.policy(101))
            await until(lambda: len(ric.held) == 4, "corrected")


async def test_one_of_two_processes_delivers_and_the_other_takes_over(area: Area, monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulator("a1p") as ric:
        await area.mode("autonomous")
        settings = area.settings("a1p", ric.url)
        async with area.delivering(settings, "b-waits") as second:
            await until(lambda: second.engine is not None, "leading")
            async with area.delivering(settings, "a-first") as first:
                await area.write(area.policy(100))
                await until(lambda: len(ric.held) == 4, "delivered")
                await asyncio.sleep(1.0)
                assert first.engine is None and ric.counts["created"] == 4 and ric.counts["updated"] == 0
        async with area.delivering(settings, "c") as third:
            await until(lambda: third.engine is not None and third.engine.settled, "took over at once")
            assert ric.counts["updated"] == 0


async def test_unknown_mediator_base_is_found_and_types_are_made(area: Area, tmp_path: Path) -> None:
    async with simulator("oransc", base="/A1-P/v2") as ric:
        await area.mode("autonomous")
        async with area.delivering(area.settings("oransc", ric.url)):
            await area.write(area.policy(100))
            await until(lambda: len(ric.held) == 4, "delivered")
            assert ric.counts["types created"] == 3
    async with (
        simulator("a1p", base="/ric/9/A1-P/v2") as ric,
        area.delivering(area.settings("a1p", ric.url + "/ric/9/A1-P/v2", a1_id_prefix="other")),
    ):
        await area.write(area.policy(101))
        await until(lambda: len(ric.held) == 4, "delivered under a base of its own")
