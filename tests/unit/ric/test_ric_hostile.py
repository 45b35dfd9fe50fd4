"""What anybody on the platform's network may send us: cut, flipped and repeated. Refused by name, never more than that.

TWM_LONG=1 runs 200,000 of each.
"""

from __future__ import annotations

import gzip
import http.client
import io
import json
import os
import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from twm.core.errors import InvalidInputError
from twm.core.probes import Health
from twm.ric.control.e2ap import decode_control_outcome
from twm.ric.oransc.a1 import parse_request
from twm.ric.oransc.http_server import MAX_BODY_BYTES, XappHttp
from twm.ric.oransc.submgr import parse_response
from twm.ric.pm.file_ready import ready_files
from twm.ric.pm.xml_file import parse_measurements
from twm.ric.sdl.rnib import nb_identity, nodeb_info

COUNT = 200_000 if os.environ.get("TWM_LONG") else 1_500
RSS_GROWTH = 64 << 20

A1 = json.dumps(
    {
        "operation": "CREATE",
        "policy_type_id": "20103",
        "policy_instance_id": "sla",
        "payload": json.dumps({"scope": {"sliceId": {"sst": 1}}, "sliceSlaObjectives": {"maxDlPacketDelayPerUe": 5}}),
    }
).encode()
CALLBACK = json.dumps(
    {"SubscriptionId": "2Ks", "SubscriptionInstances": [{"XappEventInstanceId": 1, "E2EventInstanceId": 2, "ErrorCause": ""}]}
).encode()
VES = json.dumps(
    {"event": {"notificationFields": {"changeType": "FileReady", "arrayOfNamedHashMap": [{"hashMap": {"location": "a"}}]}}}
).encode()
XML = (
    b"<measCollecFile><measData><measInfo><granPeriod duration='PT900S' endTime='2026-01-01T00:00:00Z'/>"
    b"<measTypes>a b</measTypes>"
    b"<measValue measObjLdn='NRCellDU=1'><measResults>1 2</measResults></measValue></measInfo></measData></measCollecFile>"
)
NODE = b"\x0a\x03gnb\x28\x01\x4a\x12\x12\x10\x08\x02\x12\x04abcd\x18\x01\x22\x041.32"
OUTCOME = bytes.fromhex("40040018000003001d00050000010009000500020003000100020580")


def mutants(seed: bytes, count: int) -> Iterator[bytes]:
    rng = random.Random(7)
    for _ in range(count):
        data = bytearray(seed)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data)) if data else 0
            match rng.randrange(5):
                case 0:
                    data[at : at + 1] = bytes([rng.randrange(256)])
                case 1:
                    del data[at : at + rng.randint(1, 20)]
                case 2:
                    data[at:at] = data[at : at + rng.randint(1, 40)]
                case 3:
                    data[at:at] = rng.choice((b"{", b"[", b'"', b"-1e999", b"null", b"\xff\xfe", b"<a>", b"9" * 30, b"\0"))
                case _:
                    del data[at:]
        yield bytes(data)


@pytest.mark.parametrize(
    ("name", "seed", "parse"),
    [
        ("a1", A1, parse_request),
        ("callback", CALLBACK, lambda data: parse_response(json.loads(data))),
        ("event", VES, ready_files),
        ("file", XML, lambda data: parse_measurements(io.BytesIO(data))),
        ("packed file", gzip.compress(XML), lambda data: parse_measurements(io.BytesIO(data))),
        ("inventory", NODE, nodeb_info),
        ("identity", NODE, nb_identity),
        ("control outcome", OUTCOME, decode_control_outcome),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_mutants_are_refused_by_name(name: str, seed: bytes, parse: Callable[[bytes], object]) -> None:
    """Every refusal is an InvalidInputError with a short reason; some mutants still make sense; memory stays."""
    parse(seed)
    count = COUNT if name != "control outcome" else COUNT // 5
    good = outside = longest = 0
    reasons: set[str] = set()
    rss = psutil.Process().memory_info().rss
    for data in mutants(seed, count):
        try:
            parse(data)
            good += 1
        except InvalidInputError as error:
            reasons.add(error.reason)
            longest = max(longest, len(str(error)))
        except ValueError:
            outside += 1
    assert 0 < good < count
    assert outside == 0 or name == "callback", "only the callback's JSON is parsed by the caller"
    assert longest < 1200 and len(reasons) < 12 and max(map(len, reasons)) <= 40
    assert psutil.Process().memory_info().rss - rss < RSS_GROWTH


def test_a1_requests_with_a_terminator_or_encoded_twice() -> None:
    assert parse_request(A1 + b"\0") == parse_request(A1) == parse_request(json.dumps(A1.decode()).encode())
    assert parse_request(A1.replace(b'"20103"', b"20103")).policy_type_id == 20103


@pytest.fixture
def xapp() -> Iterator[tuple[XappHttp, list[Any]]]:
    bodies: list[Any] = []
    health = Health()
    health.beat()
    server = XappHttp("127.0.0.1", 0, health, lambda: [], bodies.append)
    yield server, bodies
    server.close()


def test_http_side_takes_only_what_it_serves(xapp: tuple[XappHttp, list[Any]]) -> None:
    server, bodies = xapp

    def call(method: str, path: str, body: bytes | None = None, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        try:
            connection.request(method, path, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    assert call("POST", "/ric/v1/subscriptions/response", CALLBACK) == 200 and len(bodies) == 1
    assert call("POST", "/ric/v1/subscriptions/response", b"{") == 400
    assert call("POST", "/ric/v1/subscriptions/response", b"[" * 100_000) == 400
    assert call("POST", "/ric/v1/other", CALLBACK) == 404
    assert call("POST", "/ric/v1/subscriptions/response", None, **{"Content-Length": str(MAX_BODY_BYTES + 1)}) == 413
    assert call("POST", "/ric/v1/subscriptions/response", None, **{"Content-Length": "-5"}) == 411
    assert call("GET", "/ric/v1/health/ready") == 503
    assert call("GET", "/ric/v1/health/alive?x=1") == 200
    assert call("DELETE", "/ric/v1/health/alive") == 501
    with socket.create_connection(("127.0.0.1", server.port), 5) as raw:
        raw.sendall(b"\x16\x03\x01" + b"\0" * 200 + b"\r\n\r\n")
        raw.recv(100)
    lingering = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(40)]
    for connection in lingering:
        connection.close()
    assert call("GET", "/ric/v1/health/alive") == 200
    assert len(bodies) == 1
