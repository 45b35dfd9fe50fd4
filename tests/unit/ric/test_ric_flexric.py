"""FlexRIC: a stand-in module with the SDK's calls; nodes, pooling, octets, and what is said where it is missing."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import UnavailableError
from twm.core.network import load_network
from twm.core.paths import find_network
from twm.ric.flexric.adapter import FlexRicAdapter
from twm.ric.flexric.indications import Pool
from twm.ric.flexric.sdk import FlexRicSdk
from twm.ric.nodes import FlexRicLink, NodeLink, Nodes, NodesFile
from twm.ric.settings import RicSettings


def record(kind: int, value: float) -> Any:
    return SimpleNamespace(type=kind, int_val=int(value) if kind == 1 else 0, real_val=0.0 if kind == 1 else value)


def indication(*rows: list[Any], names: tuple[str, ...]) -> Any:
    info = [SimpleNamespace(meas_type=0, measName=f"{name}\0", measID=0) for name in names]
    data = [SimpleNamespace(measRecord=row, measRecord_len=len(row)) for row in rows]
    return SimpleNamespace(MeasInfo=info, MeasInfo_len=len(info), MeasData=data, MeasData_len=len(data), granulPeriod=[])


def module(*, arguments: bool = True, raw_nb_id: bool = False) -> Any:
    """What SWIG makes of swig_wrapper.h."""
    ric: Any = types.ModuleType("xapp_sdk_stand_in")
    ric.calls = []
    ric.callbacks = []

    class kpm_cb:
        def __init__(self) -> None:
            self.alive = True

    def node(nb_id: int) -> Any:
        plmn = SimpleNamespace(mcc=1, mnc=1, mnc_digit_len=2)
        return SimpleNamespace(
            id=SimpleNamespace(type=2, plmn=plmn, nb_id=nb_id if raw_nb_id else SimpleNamespace(nb_id=nb_id))
        )

    def with_arguments(argv: list[str]) -> None:
        ric.calls.append(("init", argv))

    def without_arguments() -> None:
        ric.calls.append(("init", None))

    def report(id: Any, interval: Any, callback: Any) -> int:
        assert isinstance(callback, kpm_cb) and callback.alive, "a director object whose base was initialised"
        ric.callbacks.append(callback)
        ric.calls.append(("report", interval))
        return 40 + len(ric.callbacks)

    ric.kpm_cb = kpm_cb
    ric.init = with_arguments if arguments else without_arguments
    ric.conn_e2_nodes = lambda: [node(3584), node(9)]
    ric.Interval_ms_5, ric.Interval_ms_10 = 2, 3
    ric.report_kpm_sm = report
    ric.rm_report_kpm_sm = lambda handle: ric.calls.append(("remove", handle))
    ric.try_stop = lambda: True
    return ric


class Kept:
    def __init__(self) -> None:
        self.reports: list[telemetry_pb2.Report] = []

    def put(self, report: telemetry_pb2.Report) -> None:
        self.reports.append(report)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., RicSettings]:
    def make(ric: Any) -> RicSettings:
        monkeypatch.setitem(sys.modules, "xapp_sdk", ric)
        for name, value in (
            ("RIC_ADAPTER", "flexric"),
            ("FLEXRIC_WAIT_S", "0.02"),
            ("FLEXRIC_ARGS", "-c '/etc/flex ric.conf'"),
        ):
            monkeypatch.setenv(f"TWM_{name}", value)
        return RicSettings.load()

    return make


@pytest.mark.parametrize(("arguments", "raw_nb_id"), [(True, False), (False, True)])
async def test_nodes_are_subscribed_and_indications_forwarded(
    settings: Callable[..., RicSettings], arguments: bool, raw_nb_id: bool
) -> None:
    """Both generations of the SDK; a stranger is left out; octets go as octets, decoded values pooled; the end unsubscribes."""
    ric, kept = module(arguments=arguments, raw_nb_id=raw_nb_id), Kept()
    spec = load_network(find_network("explora-cell"))
    link = NodeLink(flexric=FlexRicLink(nb_id=3584, mcc=1, mnc=1, type="ngran_gNB"))
    adapter = FlexRicAdapter(Nodes(spec, NodesFile(nodes={"scope-bs": link})), kept, settings(ric))  # type: ignore[arg-type]
    stop, ready = asyncio.Event(), []
    task = asyncio.create_task(adapter.run(ready.append, stop))
    for _ in range(200):
        if ric.callbacks:
            break
        await asyncio.sleep(0.02)
    (callback,) = ric.callbacks
    callback.handle(SimpleNamespace(ind_hdr=b"\0\1", ind_msg=b"\2\3"))
    callback.handle(object())
    stop.set()
    await task
    adapter.close()
    (report,) = kept.reports
    assert (report.node_id, report.cell_id) == ("scope-bs", "cell-0")
    assert (report.kpm.header, report.kpm.message) == (b"\0\1", b"\2\3")
    assert ready == [True]
    expected = ["twm", "-c", "/etc/flex ric.conf"] if arguments else None
    assert ric.calls == [("init", expected), ("report", 3), ("remove", 41)], "the longest interval this SDK has"


def test_decoded_values_are_pooled_over_the_report_period() -> None:
    """Volumes add up, rates are averaged, UEs are columns, periods are aligned; noValue is nothing."""
    kept, clock = Kept(), {"now": 100.2}
    pool = Pool("gnb", "cell-0", 4.0, kept.put, lambda: clock["now"])
    names = ("timestamp", "rnti", "DRB.PdcpSduVolumeDL", "DRB.UEThpDl", "RRU.PrbUsedDl")
    for volume, throughput in ((10, 1000.0), (30, 3000.0)):
        rows = [[record(0, 1e15), record(1, ue), record(1, volume), record(0, throughput), record(3, 0)] for ue in (7, 8)]
        pool.add(indication(*rows, names=names))
    clock["now"] = 104.1
    pool.flush()
    (report,) = kept.reports
    content = report.measurements
    assert (report.period_start.seconds, report.period_s) == (100, 4.0)
    assert list(content.ue_keys) == ["rnti:7", "rnti:8"] and list(content.slice_ids) == ["", ""]
    assert list(content.names) == ["DRB.PdcpSduVolumeDL", "DRB.UEThpDl"]
    assert list(content.values) == [40, 40, 2000, 2000]
    pool.add(indication([record(2, 5.5)], names=("RRU.PrbTotDl",)))
    clock["now"] = 120.0
    pool.flush()
    assert list(kept.reports[1].measurements.values) == [5.5] and not kept.reports[1].measurements.ue_keys
    assert len(kept.reports) == 2


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UnavailableError, match="XAPP_MULTILANGUAGE"):
        FlexRicSdk("no_such_sdk_anywhere")
    with pytest.raises(UnavailableError, match="has no init, conn_e2_nodes, kpm_cb"):
        FlexRicSdk("json")
