"""The RIC's shared data layer: written by PyPI ricsdl and by protobuf messages of the inventory, read by us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from twm.core.errors import DecodeError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.ric.nodes import NodeLink, Nodes, NodesFile
from twm.ric.oransc.discovery import functions_of, record_of
from twm.ric.oransc.plan import subscriptions
from twm.ric.sdl.rnib import RanFunction, nb_identity, nodeb_info
from twm.ric.sdl.store import SdlStore, sdl_url, slice_of

pytestmark = pytest.mark.redis

KPM_OID = "1.3.6.1.4.1.53148.1.2.2.2"


def inventory_messages() -> Callable[[str], Any]:
    """Classes of ric-plt-nodeb-rnib's messages, by the field numbers of its .proto files."""
    kinds = {"string": 9, "uint32": 13, "enum": 5, "message": 11}
    file = descriptor_pb2.FileDescriptorProto(name="rnib_test.proto", package="entities", syntax="proto3")

    def message(name: str, *fields: tuple[str, int, str, bool]) -> None:
        found = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            entry = found.field.add(name=field, number=number, label=3 if repeated else 1)  # type: ignore[arg-type]
            entry.type = kinds.get(kind, kinds["message"])  # type: ignore[assignment]
            if kind not in kinds:
                entry.type_name = f".entities.{kind}"

    message("GlobalNbId", ("plmn_id", 1, "string", False), ("nb_id", 2, "string", False))
    message(
        "NbIdentity",
        ("inventory_name", 1, "string", False),
        ("global_nb_id", 2, "GlobalNbId", False),
        ("status", 3, "enum", False),
    )
    message(
        "RanFunction",
        ("id", 1, "uint32", False),
        ("definition", 2, "string", False),
        ("revision", 3, "uint32", False),
        ("oid", 4, "string", False),
    )
    message("CellInformation", ("nr_pci", 1, "uint32", False), ("cell_id", 2, "string", False))
    message("ServedNRCell", ("information", 1, "CellInformation", False))
    message("Gnb", ("cells", 1, "ServedNRCell", True), ("functions", 2, "RanFunction", True))
    message(
        "NodebInfo",
        ("ran_name", 1, "string", False),
        ("ip", 2, "string", False),
        ("port", 3, "uint32", False),
        ("status", 5, "enum", False),
        ("global_nb_id", 6, "GlobalNbId", False),
        ("gnb", 9, "Gnb", False),
        ("e2t", 12, "string", False),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"entities.{name}"))


class RawSdl:
    """Keys as every SDL client lays them out."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url)

    def add_member(self, namespace: str, group: str, members: set[bytes]) -> None:
        self._redis.sadd(f"{{{namespace}}},{group}", *members)

    def set(self, namespace: str, values: dict[str, bytes]) -> None:
        for key, value in values.items():
            self._redis.set(f"{{{namespace}}},{key}", value)

    def close(self) -> None:
        self._redis.close()


@pytest.fixture(params=["layout", "ricsdl"])
def sdl(request: pytest.FixtureRequest, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The key layout itself, and PyPI ricsdl where it can be loaded (3.1 and newer, with this redis client)."""
    found: Any = RawSdl(redis_url)
    if request.param == "ricsdl":
        found.close()
        pytest.importorskip("ricsdl.backend.redis", reason="PyPI ricsdl >= 3.1 is not installed", exc_type=ImportError)
        from ricsdl.syncstorage import SyncStorage

        parts = urlsplit(redis_url)
        monkeypatch.setenv("DBAAS_SERVICE_HOST", parts.hostname or "")
        monkeypatch.setenv("DBAAS_SERVICE_PORT", str(parts.port))
        for name in ("DBAAS_SERVICE_SENTINEL_PORT", "DBAAS_MASTER_NAME", "DBAAS_CLUSTER_ADDR_LIST"):
            monkeypatch.delenv(name, raising=False)
        found = SyncStorage()
    yield found
    found.close()


async def test_inventory_and_ue_slices(sdl: Any, redis_url: str, spec: NetworkSpec) -> None:
    of = inventory_messages()
    name = "gnbd_001_001_00019b_0"
    node = of("NodebInfo")(ran_name=name, ip="10.0.2.1", port=36421, status=1, e2t="10.0.2.10:38000")
    node.gnb.functions.add(id=2, oid=KPM_OID, definition="not hex", revision=1)
    node.gnb.functions.add(id=3, definition=(b"\x20" + b"ORAN-E2SM-RC").hex())
    node.gnb.cells.add().information.cell_id = "19b0"
    members = [
        of("NbIdentity")(inventory_name=name, status=1).SerializeToString(),
        of("NbIdentity")(inventory_name="gnb-away", status=2).SerializeToString(),
        b"\xff\xff",
    ]
    sdl.add_member("e2Manager", "GNB", set(members))
    sdl.set("e2Manager", {f"RAN:{name}": node.SerializeToString()})
    sdl.set(
        "twm-ue",
        {
            f"{name}/du:17": b"urllc",
            f"{name}/du:18": b"\xa41-000001"[:1] + b"embb",
            f"{name}/du:19": b'{"sst": 1, "sd": "000003"}',
            f"{name}/du:20": b"nonsense",
            "mars/du:1": b"embb",
        },
    )
    nodes = Nodes(spec, NodesFile(nodes={"gnb-1": NodeLink(ran_name=name)}))
    store = SdlStore.connect(redis_url)
    try:
        records = {record.ran_name: record for record in await store.inventory()}
        assert set(records) == {name, "gnb-away"} and not records["gnb-away"].connected
        assert records[name].connected and records[name].cells == ("19b0",)
        found = functions_of(records[name].functions)
        assert (found.kpm, found.rc, found.ccc, found.kpm_oid) == (2, 3, None, KPM_OID)
        slices, left_out = await store.ue_slices("twm-ue", nodes)
        assert slices == {"gnb-1": {"du:17": "urllc", "du:18": "embb", "du:19": "fwa"}} and left_out == 2
        assert await store.ue_slices("nobody", nodes) == ({}, 0)
    finally:
        await store.close()


def test_records_that_are_none_are_refused() -> None:
    whole = inventory_messages()("NodebInfo")(ran_name="g", status=1).SerializeToString()
    assert nodeb_info(whole).connected
    for data in (b"\x0a\xff\x01", b"\x0a\x05ab", b"\xff" * 12, b"\x00", b"\x0b"):
        with pytest.raises(DecodeError):
            nodeb_info(data)
        with pytest.raises(DecodeError):
            nb_identity(data)


def test_slices_by_every_spelling(spec: NetworkSpec) -> None:
    for value in (b"urllc", b"2-000002", b'"URLLC"', b'{"slice":"urllc"}', b'{"sst":2,"sd":"000002"}', b"\xd9\x05urllc"):
        assert slice_of(value, spec) == "urllc", value
    for value in (b"", b"{", b"9", b'{"sst":2}', b"\xff\xfe"):
        assert slice_of(value, spec) is None


def test_addresses() -> None:
    assert sdl_url("redis://x:1/0", {}) == "redis://x:1/0"
    assert sdl_url("", {"DBAAS_SERVICE_HOST": "dbaas", "DBAAS_SERVICE_PORT": "6379"}) == "redis://dbaas:6379/0"
    assert sdl_url("", {}) == ""


def test_e2_manager_records() -> None:
    body = {
        "ranName": "gnb_1",
        "connectionStatus": "CONNECTED",
        "gnb": {
            "ranFunctions": [
                {"ranFunctionId": 2, "ranFunctionDefinition": "00", "ranFunctionRevision": 1, "ranFunctionOid": KPM_OID}
            ]
        },
    }
    record = record_of(body)
    assert record.connected and functions_of(record.functions).kpm == 2
    assert record_of({"ranName": "x", "gnb": {"ranFunctions": [1, {"ranFunctionId": "2"}]}}).functions == ()
    with pytest.raises(InvalidInputError):
        record_of([])


def test_versions_that_contradict_are_left_out_by_name(spec: NetworkSpec) -> None:
    old = functions_of([RanFunction(1, b"", 1, "1.3.6.1.4.1.53148.1.1.2.2")])
    good = functions_of([RanFunction(7, b"", 1, KPM_OID)])
    wanted, problems = subscriptions(Nodes(spec), {"gnb-1": old, "gnb-2": good})
    assert set(problems) == {"gnb-1"} and "version 1" in problems["gnb-1"]
    assert {entry.function_id for entry in wanted if entry.node_id == "gnb-2"} == {7}
    assert {entry.function_id for entry in wanted if entry.node_id == "gnb-3"} == {2}
