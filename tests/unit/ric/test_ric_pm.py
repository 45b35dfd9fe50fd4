"""Measurement files: both XML forms, what hostile files try, slices and cells by name, notifications, folders."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import pytest

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.network import NetworkSpec
from twm.ric.nodes import NodeLink, Nodes, NodesFile
from twm.ric.pm.adapter import PmAdapter
from twm.ric.pm.fetch import Fetcher
from twm.ric.pm.file_ready import ready_files
from twm.ric.pm.reports import PmReports
from twm.ric.pm.xml_file import Measured, parse_measurements
from twm.ric.settings import RicSettings

COLLEC = b"""<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="MeasDataCollection.xsl"?>
<measCollecFile xmlns="http://www.3gpp.org/ftp/specs/archive/32_series/32.435#measCollec">
 <fileHeader fileFormatVersion="32.435 V10.0" vendorName="v" dnPrefix="DC=a"><fileSender localDn="SubNetwork=1"/>
  <measCollec beginTime="2026-11-22T13:00:00+01:00"/></fileHeader>
 <measData><managedElement localDn="ManagedElement=gnb-1" swVersion="r30"/>
  <measInfo measInfoId="DRB"><job jobId="1"/><granPeriod duration="PT900S" endTime="2026-11-22T13:15:00+01:00"/>
   <repPeriod duration="PT900S"/>
   <measTypes>DRB.PdcpSduVolumeDL.1-000001 DRB.PdcpSduVolumeDL_SNSSAI.02000002 RRU.PrbTotDl DRB.Vendor.Odd</measTypes>
   <measValue measObjLdn="GNBDUFunction=1,NRCellDU=cell-0"><measResults>900 45.5 37 1</measResults></measValue>
   <measValue measObjLdn="GNBDUFunction=1,NRCellDU=17"><measResults>90 NIL 20 2</measResults></measValue>
   <measValue measObjLdn="GNBDUFunction=1,NRCellDU=cell-1"><measResults>1 1 1 1</measResults><suspect>true</suspect></measValue>
  </measInfo></measData>
 <fileFooter><measCollec endTime="2026-11-22T13:15:00+01:00"/></fileFooter>
</measCollecFile>"""

DATA = b"""<measDataFile xmlns="http://www.3gpp.org/ftp/specs/archive/28_series/28.532#measData">
 <fileHeader fileFormatVersion="28.532 V16" vendorName="v"/>
 <measData><measEntity localDn="ManagedElement=1"/>
  <measInfo measInfoId="RRU"><granPeriod duration="PT1M" endTime="2026-11-22T12:01:00Z"/>
   <measType p="1">DRB.UEThpDl</measType><measType p="7">RRU.PrbUsedDl</measType>
   <measValue measObjLdn="ManagedElement=1,NRCellDU=16,SNSSAI=2-000002"><r p="7">31</r><r p="1">1200.5</r></measValue>
  </measInfo></measData></measDataFile>"""


def parse(data: bytes) -> list[Measured]:
    return parse_measurements(io.BytesIO(data))


def column(report: telemetry_pb2.Report, name: str, slice_id: str) -> float:
    m = report.measurements
    return m.values[list(m.names).index(name) * len(m.slice_ids) + list(m.slice_ids).index(slice_id)]


def test_32_435_to_reports(spec: NetworkSpec) -> None:
    """15 minutes become 15 slow steps: a volume is divided, a ratio holds; suspect objects and NIL are nothing."""
    measured = parse(COLLEC)
    assert [m.object_dn.rpartition("=")[2] for m in measured] == ["cell-0", "17"]
    assert (measured[0].begin_s, measured[0].period_s, measured[0].entity) == (1795348800.0, 900.0, "ManagedElement=gnb-1")
    reports, left_out = PmReports(Nodes(spec), "mbit").reports(measured)
    assert len(reports) == 30 and left_out == {"unknown_object": 0, "unknown_measurement": 2, "unknown_label": 0}
    first = [r for r in reports if r.period_start.seconds == 1795348800]
    assert sorted((r.node_id, r.cell_id) for r in first) == [("gnb-1", "cell-0"), ("gnb-1", "cell-1")]
    report = next(r for r in first if r.cell_id == "cell-0")
    assert report.period_s == 60.0
    assert column(report, "DRB.PdcpSduVolumeDL", "embb") == pytest.approx(900_000 / 15), "kbit"
    assert column(report, "DRB.PdcpSduVolumeDL", "urllc") == pytest.approx(45_500 / 15)
    assert math.isnan(column(report, "DRB.PdcpSduVolumeDL", "fwa"))
    assert column(report, "RRU.PrbTotDl", "") == 37
    assert reports[-1].period_start.seconds == 1795348800 + 14 * 60


def test_28_532_numbered_values_and_slice_in_the_object(spec: NetworkSpec) -> None:
    (report,), left_out = PmReports(Nodes(spec), "mbit").reports(parse(gzip.compress(DATA)))
    assert (report.cell_id, report.period_s, sum(left_out.values())) == ("cell-0", 60.0, 0)
    assert column(report, "DRB.UEThpDl", "urllc") == 1200.5 and column(report, "RRU.PrbUsedDl", "urllc") == 31


def test_objects_by_configuration(spec: NetworkSpec) -> None:
    nodes = Nodes(spec, NodesFile(nodes={"gnb-2": NodeLink(pm_objects={"Cell=42": "cell-3"})}))
    found = PmReports(nodes, "mbit")
    assert found.cell_of("ManagedElement=9,Cell=42") == "cell-3"
    assert found.cell_of("ManagedElement=9,Cell=43") is None
    assert found.cell_of("NRCellDU=cell-9") == "cell-9" and found.cell_of("NRCellDU=cell-99") is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (b"<measCollecFile>", "malformed"),
        (b"<html/>", "not_a_measurement_file"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><measCollecFile/>', "doctype"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><measCollecFile/>', "doctype"),
        (b"<measCollecFile>" + b"<a>" * 100, "too_deep"),
        (COLLEC.replace(b"PT900S", b"PT0S"), "bad_period"),
        (COLLEC.replace(b"PT900S", b"P9999D"), "bad_period"),
        (COLLEC.replace(b"T13:15:00+01:00", b"tomorrow"), "bad_period"),
        (gzip.compress(COLLEC)[:-20], "malformed"),
        (b"\x1f\x8bnonsense", "malformed"),
        (b"<measCollecFile><r p='1'>" + b"9" * (1 << 21) + b"</r></measCollecFile>", "too_large"),
    ],
)
def test_hostile_files_are_refused_by_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse(data)
    assert refused.value.reason == reason


def test_a_bomb_is_refused_before_it_unpacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twm.ric.pm.xml_file.MAX_XML_BYTES", 1 << 20)
    bomb = gzip.compress(b"<measCollecFile>" + b" " * (8 << 20) + b"</measCollecFile>")
    assert len(bomb) < 20_000
    with pytest.raises(InvalidInputError, match="when unpacked"):
        parse(bomb)


VES = {
    "event": {
        "commonEventHeader": {"domain": "notification", "eventName": "Notification_gnb_FileReady"},
        "notificationFields": {
            "changeIdentifier": "PM_MEAS_FILES",
            "changeType": "FileReady",
            "arrayOfNamedHashMap": [
                {
                    "name": "A.xml.gz",
                    "hashMap": {"location": "A.xml.gz", "compression": "gzip", "fileFormatType": "org.3GPP.32.435#measCollec"},
                }
            ],
        },
    }
}
STANDARD = {
    "event": {
        "commonEventHeader": {"domain": "stndDefined", "stndDefinedNamespace": "3GPP-FileDataReporting"},
        "stndDefinedFields": {
            "data": {
                "notificationType": "notifyFileReady",
                "fileInfoList": [
                    {
                        "fileLocation": "https://files.example.org:8443/B.xml",
                        "fileDataType": "Performance",
                        "fileFormat": "XML-schema",
                    },
                    {"fileLocation": "sftp://x/trace", "fileDataType": "Trace"},
                ],
            }
        },
    }
}


def test_notifications_of_each_form() -> None:
    assert [f.location for f in ready_files(json.dumps(VES).encode())] == ["A.xml.gz"]
    assert [f.location for f in ready_files(json.dumps(STANDARD).encode())] == ["https://files.example.org:8443/B.xml"]
    both = {"eventList": [VES["event"], STANDARD["event"]]}
    assert [f.name for f in ready_files(json.dumps(both).encode())] == ["A.xml.gz", "B.xml"]
    assert [f.location for f in ready_files(b'[{"filename": "dir/C.xml"}]')] == ["dir/C.xml"]
    assert ready_files(b'{"event": {"faultFields": {}}}') == []
    for payload in (b"", b"{", b"[" * 100_000, json.dumps([{"filename": "x"}] * 257).encode()[:-1]):
        with pytest.raises(InvalidInputError):
            ready_files(payload)


def test_only_files_below_the_folder_and_hosts_in_the_list(tmp_path: Path) -> None:
    (tmp_path / "pm").mkdir()
    (tmp_path / "pm" / "a.xml").write_bytes(DATA)
    (tmp_path / "secret").write_text("x")
    fetcher = Fetcher(tmp_path / "pm", "files.example.org:8443")
    with fetcher.open("file://" + str(tmp_path / "pm" / "a.xml")) as file:
        assert file.read() == DATA
    for location, reason in (
        ("../secret", "forbidden_location"),
        (str(tmp_path / "secret"), "forbidden_location"),
        ("%2e%2e/secret", "forbidden_location"),
        ("http://169.254.169.254/latest", "forbidden_location"),
        ("https://files.example.org/x", "forbidden_location"),
        ("sftp://files.example.org/x", "unsupported_location"),
    ):
        with pytest.raises(InvalidInputError) as refused:
            fetcher.open(location)
        assert refused.value.reason == reason, location
    with pytest.raises(UnavailableError):
        fetcher.open("absent.xml")


class Kept:
    """A forwarder that keeps what it is given."""

    def __init__(self) -> None:
        self.reports: list[telemetry_pb2.Report] = []

    def put(self, report: telemetry_pb2.Report) -> None:
        self.reports.append(report)


async def test_folder_and_events_feed_the_forwarder_once(
    spec: NetworkSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Growing files wait, each file is taken once, also over a restart; a bad one does not stop the others."""
    folder, state = tmp_path / "pm", tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("TWM_RIC_ADAPTER", "pm")
    monkeypatch.setenv("TWM_PM_FOLDER", str(folder))
    monkeypatch.setenv("TWM_STATE_DIR", str(state))
    settings = RicSettings.load()
    kept = Kept()
    adapter = PmAdapter(Nodes(spec), kept, settings)  # type: ignore[arg-type]
    for name, data in (("A.xml.gz", gzip.compress(COLLEC)), ("bad.xml", b"<html/>"), ("B.xml", DATA), ("readme.txt", b"x")):
        (folder / name).write_bytes(data)
        old = time.time() - 60
        os.utime(folder / name, (old, old))
    (folder / "growing.xml").write_bytes(DATA[:50])
    assert await adapter.look(folder) == 2
    assert len(kept.reports) == 31
    assert await adapter.look(folder) == 0
    again = PmAdapter(Nodes(spec), kept, settings)  # type: ignore[arg-type]
    stop = asyncio.Event()
    task = asyncio.create_task(again.run(lambda _: None, stop))
    await asyncio.sleep(0.1)
    stop.set()
    await task
    assert len(kept.reports) == 31, "known from the earlier run"
    assert await again.on_event(b'{"filename": "B.xml"}') == 1
    assert await again.on_event(b'{"filename": "B.xml"}') == 0
    assert await again.on_event(b"garbage") == 0


async def test_kafka_loop_commits_what_was_taken(spec: NetworkSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in consumer with aiokafka's calls: events become reports, then offsets are committed; errors are survived."""
    calls: list[str] = []
    stop = asyncio.Event()

    class Record:
        value = json.dumps({"filename": "B.xml"}).encode()

    class Consumer:
        def __init__(self, topic: str, **options: Any) -> None:
            assert topic == "file-ready" and options["enable_auto_commit"] is False
            calls.append("made")

        async def start(self) -> None:
            if calls.count("made") == 1:
                raise ConnectionError("no brokers")

        async def getmany(self, **_: Any) -> dict[str, list[Any]]:
            if "commit" in calls:
                stop.set()
                return {}
            return {"p0": [Record()]}

        async def commit(self) -> None:
            calls.append("commit")

        async def stop(self) -> None:
            calls.append("stopped")

    (tmp_path / "B.xml").write_bytes(DATA)
    monkeypatch.setattr("twm.ric.pm.adapter._kafka", lambda: Consumer)
    for name, value in (
        ("RIC_ADAPTER", "pm"),
        ("PM_KAFKA", "b:9092"),
        ("PM_KAFKA_TOPIC", "file-ready"),
        ("STATE_DIR", str(tmp_path / "s")),
    ):
        monkeypatch.setenv(f"TWM_{name}", value)
    kept = Kept()
    settings = RicSettings.load().model_copy(update={"pm_folder": tmp_path})
    adapter = PmAdapter(Nodes(spec), kept, settings)  # type: ignore[arg-type]
    await asyncio.wait_for(adapter._listen(stop), 10)
    assert len(kept.reports) == 1
    assert calls == ["made", "stopped", "made", "commit", "stopped"]
