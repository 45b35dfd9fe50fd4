"""The protobuf contracts: every field that carries a number or text from outside has a rule, and the rules bite."""

import importlib
import math
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from buf.validate import validate_pb2
from twm.api.planning.v1 import planning_pb2, trace_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.errors import InvalidInputError
from twm.core.validation import validate

PACKAGES = ("telemetry", "worldmodel", "twin", "planning", "policy", "explain", "operations")


def messages() -> Iterator[Descriptor]:
    for package in PACKAGES:
        module = importlib.import_module(f"twm.api.{package}.v1.{package}_pb2")
        yield from module.DESCRIPTOR.message_types_by_name.values()
    yield from trace_pb2.DESCRIPTOR.message_types_by_name.values()


@pytest.mark.parametrize("descriptor", list(messages()), ids=lambda d: d.full_name)
def test_text_and_bytes_that_come_in_are_bounded(descriptor: Descriptor) -> None:
    """Answers are made by ourselves; everything else that is text, bytes or repeated needs an upper bound."""
    if descriptor.name.endswith("Response") or descriptor.name == "ModelIdentity":
        return
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        rules = field.GetOptions().Extensions[validate_pb2.field]
        if field.is_repeated:
            assert rules.repeated.max_items > 0, f"{field.full_name} has no max_items"
        elif field.type == FieldDescriptor.TYPE_STRING:
            assert rules.string.max_len > 0 or rules.string.pattern, f"{field.full_name} is unbounded text"
        elif field.type == FieldDescriptor.TYPE_BYTES:
            assert rules.bytes.max_len > 0, f"{field.full_name} is unbounded"


def report(**changes: object) -> telemetry_pb2.Report:
    message = telemetry_pb2.Report(
        node_id="gnb-1", cell_id="cell-0", kpm=telemetry_pb2.KpmIndication(header=b"\x00", message=b"\x00")
    )
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_a_good_report_passes() -> None:
    validate(report())


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (report(node_id=""), "node_id"),
        (report(node_id="x" * 65), "node_id"),
        (report(period_s=-1.0), "period_s"),
        (report(period_s=math.nan), "period_s"),
        (telemetry_pb2.Report(node_id="gnb-1"), "content"),
        (
            telemetry_pb2.Report(
                node_id="gnb-1", kpm=telemetry_pb2.KpmIndication(header=b"\x00", message=b"\x00" * (1048576 + 1))
            ),
            "kpm.message",
        ),
        (telemetry_pb2.Report(node_id="t", link=telemetry_pb2.LinkReport(link_id="a", offered_mbps=[-1.0])), "offered_mbps"),
        (
            telemetry_pb2.Report(node_id="t", link=telemetry_pb2.LinkReport(link_id="a", capacity_mbps=math.inf)),
            "capacity_mbps",
        ),
        (telemetry_pb2.Report(node_id="t", cell=telemetry_pb2.CellReport(cell_id="a", prb_share=[1.5])), "prb_share"),
        (telemetry_pb2.ReportBatch(area_id="a"), "reports"),
        (worldmodel_pb2.RolloutRequest(area_id="a"), "history"),
        (worldmodel_pb2.PolicyBatch(policy_count=5000, step_count=1, prb_share=[0.1]), "policy_count"),
        (planning_pb2.Candidate(origin="x", violation_probability=1.5), "violation_probability"),
        (policy_pb2.AuditRecord(sequence=0), "sequence"),
        (policy_pb2.Verdict(proposal_id="a/1", area_id="a", decision=policy_pb2.DECISION_UNSPECIFIED), "decision"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_bad_values_are_refused_by_name(message, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        validate(message)
    assert field in str(caught.value)


def test_hostile_text_does_not_flood_the_error() -> None:
    with pytest.raises(InvalidInputError) as caught:
        validate(report(node_id="\x1b[31m\n" * 100_000))
    text = str(caught.value)
    assert len(text) < 2000
    assert "\x1b" not in text
    assert "\n" not in text
