"""What RICs say and send: every known spelling is understood, everything else is refused with a reason, nothing crashes."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import resource
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from gateway_samples import good_proposal

from twm.api.policy.v1 import policy_pb2
from twm.core.errors import InvalidInputError, TwmError
from twm.core.network import NetworkSpec
from twm.gateway.a1 import A1Options, slice_policy
from twm.gateway.a1_inbound import NotApplicable, intent_of, parse_payload
from twm.gateway.delivery.answers import EnforceStatus, problem_text, read_content, read_ids, read_json, read_status
from twm.gateway.delivery.client import retry_after_s
from twm.gateway.delivery.desired import Naming, desired_of
from twm.gateway.delivery.peer import Answer, Outcome
from twm.gateway.delivery.retry import CIRCUIT_FAILURES, Circuit, Pace, RetryPolicy
from twm.gateway.delivery.urls import checked_url

SCOPE = "SCOPE_NOT_APPLICABLE"
LONG = os.environ.get("TWM_LONG") == "1"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"enforceStatus": "ENFORCED"}, EnforceStatus(True)),
        ({"enforceStatus": "NOT_ENFORCED", "enforceReason": SCOPE}, EnforceStatus(False, SCOPE)),
        ({"enforceStatus": "NOT ENFORCED", "enforceReason": "OTHER_REASON"}, EnforceStatus(False, "OTHER_REASON")),
        (json.dumps({"enforceStatus": "ENFORCED"}), EnforceStatus(True)),
        (json.dumps(json.dumps({"enforceStatus": "not enforced"})), EnforceStatus(False)),
        ({"instance_status": "IN EFFECT", "has_been_deleted": False}, EnforceStatus(True)),
        ({"instance_status": "NOT IN EFFECT"}, EnforceStatus(False)),
        ({"last_modified": "x", "status": {"enforceStatus": "ENFORCED"}}, EnforceStatus(True)),
        ({"last_modified": "x", "status": '{"enforceStatus":"ENFORCED"}'}, EnforceStatus(True)),
        ({"last_modified": "x", "status": {}}, EnforceStatus(None)),
        ([{"enforceStatus": "ENFORCED"}], EnforceStatus(True)),
        ({"enforceStatus": "", "enforceReason": ""}, EnforceStatus(None)),
        ({"enforceStatus": "NOT_ENFORCED", "enforceReason": "<script>"}, EnforceStatus(False)),
        ({"status": "ENFORCED"}, EnforceStatus(True)),
        ({}, EnforceStatus(None)),
    ],
)  # fmt: skip
def test_statuses_in_every_known_spelling(body: Any, expected: EnforceStatus) -> None:
    assert read_status(json.dumps(body).encode()) == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b"3", b'{"enforceStatus":5}', b'{"enforceStatus":"MAYBE"}', b"[" * 40 + b"]" * 40, b"x" * 20_000,
     b'{"other":1}', b"\xff\xfe", b'{"status":{"status":{"status":{"status":{}}}}}'],
)  # fmt: skip
def test_what_is_no_status_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read_status(body)


def test_ids_and_contents_of_every_peer() -> None:
    assert read_ids([20101, 20103]) == ["20101", "20103"]
    assert read_ids(None) == [] == read_ids({"other": 1}, "policy_ids")
    assert read_ids({"policy_ids": ["a"]}, "policy_ids", "policy_id") == ["a"]
    assert read_ids([{"policyId": "b", "nearRtRicId": "r"}], "policyIds", "policyId") == ["b"]
    for wrong in ("text", [None], [True], [{}], ["x" * 513], [""], [1.5]):
        with pytest.raises(InvalidInputError):
            read_ids(wrong, "policyId")
    assert read_content('{"a": 1}') == {"a": 1} == read_content({"policy_data": {"a": 1}}, "policy_data")
    assert problem_text(b'{"title":"Not found","detail":"No \\u202e such"}') == "Not found: No such"
    assert len(problem_text(b"<html>" + b"x" * 5000)) <= 200


def test_retry_after_in_both_forms() -> None:
    assert retry_after_s("7", 0.0) == 7 and retry_after_s("99999", 0.0) == 120
    assert retry_after_s("Sun, 06 Nov 1994 08:49:37 GMT", 784111770.0) == 7
    assert retry_after_s("soon", 0.0) is None and retry_after_s("-5", 0.0) is None and retry_after_s("", 0.0) is None


def test_waits_grow_with_jitter_and_follow_the_peer() -> None:
    retry = RetryPolicy(first_s=0.5, most_s=30.0)
    busy = Answer(Outcome.BUSY, 503)
    waits = [retry.delay_s(busy, n, lambda a, b: b) for n in range(1, 9)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert retry.delay_s(Answer(Outcome.BUSY, 503, retry_after_s=45.0), 1) == 45
    assert retry.delay_s(Answer(Outcome.REJECTED, 400), 1) > 40


def test_the_circuit_opens_once_for_an_outage_and_lets_single_requests_through() -> None:
    now = [0.0]
    circuit = Circuit(lambda: now[0], lambda a, b: 1.0)
    lost = Answer(Outcome.BUSY, reason="unreachable")
    for _ in range(CIRCUIT_FAILURES + 30):  # what was under way when it opened does not prolong it
        circuit.end(lost)
    assert circuit.open and circuit.wait_s() == 0.5
    now[0] = 0.6
    circuit.begin()
    assert circuit.wait_s() > 0
    circuit.end(lost)
    assert circuit.wait_s() == pytest.approx(1.0)
    now[0] = 2.0
    circuit.begin()
    circuit.end(Answer(Outcome.REJECTED, 400))
    assert not circuit.open and circuit.wait_s() == 0


def test_the_pace_slows_down_only_while_most_answers_come_too_late() -> None:
    pace = Pace(16)
    late, good = Answer(Outcome.UNKNOWN, reason="timeout"), Answer(Outcome.DONE, 200)
    for n in range(200):
        pace.heard(late if n % 10 == 0 else good)
    assert pace.limit == 16
    for _ in range(40):
        pace.heard(late)
    assert pace.limit == 1
    for _ in range(20):
        pace.heard(good)
    assert pace.limit == 16


@pytest.mark.parametrize(
    "url",
    ["ftp://ric", "http://", "http://user:pw@ric", "http://ric/a?b=c", "http://ric/#x", "http://ric/../etc", "http://ric/a b",
     "http://ric:99999", "ric:8085", "http://rïc/", "http://ric\n/"],
)  # fmt: skip
def test_urls_that_are_none_or_too_much_are_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="TWM_A1_URL"):
        checked_url("TWM_A1_URL", url)


def test_a_secret_goes_over_https_or_stays_on_this_machine() -> None:
    assert checked_url("x", "http://127.0.0.1:8085/", secret=True) == "http://127.0.0.1:8085"
    with pytest.raises(InvalidInputError, match="https"):
        checked_url("x", "http://ric:8085", secret=True)


def test_ids_at_the_ric_stay_and_tell_whose_they_are(spec: NetworkSpec) -> None:
    naming = Naming("twm", "poc-city")
    entries = []
    for step in (100, 200):
        policy = slice_policy(good_proposal(spec, step), spec, A1Options(), policy_pb2.MODE_AUTONOMOUS)
        policy.enforcement = policy_pb2.ENFORCEMENT_ENFORCE
        entries.append(desired_of(f"{1_700_000_000_000 + step}-0", policy.SerializeToString(), naming))
    first, second = entries
    assert first is not None and second is not None
    assert first.instances.keys() == second.instances.keys() and len(first.instances) == 4
    assert all(naming.owns(i) for i in first.instances)
    assert not naming.owns("twm~poc-city-2~sla3~embb") and not naming.owns("twm~poc~sla3~embb")
    assert not Naming("other", "poc-city").owns("twm~poc-city~sla3~embb")
    odd = naming.remote_id("type/..", "poc-city.\u202e", "poc-city")
    assert odd.isascii() and naming.owns(odd)
    # Event time of a replay: the time to live counts from when the entry was written.
    assert first.expires_s == pytest.approx(1_700_000_000.1 + 120)


def _mutants(seeds: list[bytes], count: int) -> Any:
    rng = random.Random(7)
    pieces = [b"null", b"-1", b"1e309", b"NaN", b'"\\ud800"', b"{}", b"[]", b"{", b"}", b'"', b"\x00", b"\xff", b",,,",
              b"[" * 50, b"9" * 400, b'{"a":' * 20, "\u202e".encode(), b'{"scope":{}}', b"true"]  # fmt: skip
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            kind, at = rng.randrange(6), rng.randrange(len(data) + 1)
            if kind == 0:
                data[at:at] = rng.choice(pieces)
            elif kind == 1:
                del data[at : at + rng.randint(1, 20)]
            elif kind == 2 and data:
                data[at % len(data)] = rng.randrange(256)
            elif kind == 3:
                data[at : at + rng.randint(1, 8)] = rng.choice(pieces)
            elif kind == 4:
                data = data[:at]
            else:
                other = rng.choice(seeds)
                cut = rng.randrange(len(other) + 1)
                data[at:] = other[cut:]
        yield bytes(data)


@pytest.mark.timeout(1800 if LONG else 120)
def test_mutated_bodies_are_taken_or_refused_with_a_reason(spec: NetworkSpec) -> None:
    count = 200_000 if LONG else 800
    policy = slice_policy(good_proposal(spec), spec, A1Options(), policy_pb2.MODE_SHADOW)
    now = dt.datetime.fromtimestamp(policy.effective.seconds, dt.UTC)
    by_type = {p.policy_type_id: p.policy_json.encode() for p in policy.policies}
    seeds = [*by_type.values(), b'{"enforceStatus":"NOT_ENFORCED","enforceReason":"OTHER_REASON"}', b'["a","b"]',
             json.dumps(json.dumps({"enforceStatus": "ENFORCED"})).encode(), b'[{"policyId":"x","nearRtRicId":"r"}]',
             b'{"policy_ids":["a"]}', b'{"title":"t","status":503,"detail":"d"}', b"[20101,20103]"]  # fmt: skip
    types = list(by_type)
    outcomes: Counter[str] = Counter()
    begun = 0
    for number, data in enumerate(_mutants(seeds, count)):
        if number == min(1000, count // 2):
            begun = _rss_mb()
        for where, read in (
            ("payload", lambda d=data, n=number: _inbound(types[n % len(types)], d, spec, now)),
            ("status", lambda d=data: read_status(d)),
            ("ids", lambda d=data: read_ids(read_json(d, 65536), "policyIds", "policyId")),
        ):
            try:
                read()
                outcomes[f"{where} taken"] += 1
            except NotApplicable as refusal:
                outcomes[f"{where} {refusal.reason}"] += 1
            except TwmError as error:
                outcomes[f"{where} {error.reason or 1 / 0}"] += 1
        problem_text(data)
    assert sum(outcomes.values()) == 3 * count
    assert outcomes["payload schema"] and outcomes["payload json"] and outcomes["status no_json"]
    assert _rss_mb() - begun <= 64


def _inbound(policy_type_id: str, data: bytes, spec: NetworkSpec, now: dt.datetime) -> None:
    content = parse_payload(policy_type_id, data.decode("utf-8", "replace"))
    intent_of(policy_type_id, "p", content, "smo", spec, now)


def _rss_mb() -> float:
    path = Path("/proc/self/statm")
    if path.exists():
        return int(path.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
