import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KpmIndication(_message.Message):
    __slots__ = ("header", "message")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    header: bytes
    message: bytes
    def __init__(self, header: _Optional[bytes] = ..., message: _Optional[bytes] = ...) -> None: ...

class LinkReport(_message.Message):
    __slots__ = ("link_id", "capacity_mbps", "up", "offered_mbps", "served_mbps", "loss_ratio", "bandwidth_share")
    LINK_ID_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_MBPS_FIELD_NUMBER: _ClassVar[int]
    UP_FIELD_NUMBER: _ClassVar[int]
    OFFERED_MBPS_FIELD_NUMBER: _ClassVar[int]
    SERVED_MBPS_FIELD_NUMBER: _ClassVar[int]
    LOSS_RATIO_FIELD_NUMBER: _ClassVar[int]
    BANDWIDTH_SHARE_FIELD_NUMBER: _ClassVar[int]
    link_id: str
    capacity_mbps: float
    up: bool
    offered_mbps: _containers.RepeatedScalarFieldContainer[float]
    served_mbps: _containers.RepeatedScalarFieldContainer[float]
    loss_ratio: _containers.RepeatedScalarFieldContainer[float]
    bandwidth_share: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, link_id: _Optional[str] = ..., capacity_mbps: _Optional[float] = ..., up: _Optional[bool] = ..., offered_mbps: _Optional[_Iterable[float]] = ..., served_mbps: _Optional[_Iterable[float]] = ..., loss_ratio: _Optional[_Iterable[float]] = ..., bandwidth_share: _Optional[_Iterable[float]] = ...) -> None: ...

class CellReport(_message.Message):
    __slots__ = ("cell_id", "prb_share", "e2e_delay_ms", "e2e_loss_ratio", "queue_mbit")
    CELL_ID_FIELD_NUMBER: _ClassVar[int]
    PRB_SHARE_FIELD_NUMBER: _ClassVar[int]
    E2E_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    E2E_LOSS_RATIO_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MBIT_FIELD_NUMBER: _ClassVar[int]
    cell_id: str
    prb_share: _containers.RepeatedScalarFieldContainer[float]
    e2e_delay_ms: _containers.RepeatedScalarFieldContainer[float]
    e2e_loss_ratio: _containers.RepeatedScalarFieldContainer[float]
    queue_mbit: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, cell_id: _Optional[str] = ..., prb_share: _Optional[_Iterable[float]] = ..., e2e_delay_ms: _Optional[_Iterable[float]] = ..., e2e_loss_ratio: _Optional[_Iterable[float]] = ..., queue_mbit: _Optional[_Iterable[float]] = ...) -> None: ...

class MeasurementReport(_message.Message):
    __slots__ = ("names", "slice_ids", "ue_keys", "values")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    SLICE_IDS_FIELD_NUMBER: _ClassVar[int]
    UE_KEYS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    slice_ids: _containers.RepeatedScalarFieldContainer[str]
    ue_keys: _containers.RepeatedScalarFieldContainer[str]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, names: _Optional[_Iterable[str]] = ..., slice_ids: _Optional[_Iterable[str]] = ..., ue_keys: _Optional[_Iterable[str]] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class UeSlice(_message.Message):
    __slots__ = ("ue_key", "slice_id")
    UE_KEY_FIELD_NUMBER: _ClassVar[int]
    SLICE_ID_FIELD_NUMBER: _ClassVar[int]
    ue_key: str
    slice_id: str
    def __init__(self, ue_key: _Optional[str] = ..., slice_id: _Optional[str] = ...) -> None: ...

class UeSliceMap(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[UeSlice]
    def __init__(self, entries: _Optional[_Iterable[_Union[UeSlice, _Mapping]]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("node_id", "cell_id", "period_start", "period_s", "received", "kpm", "e2ap_pdu", "link", "cell", "measurements", "ue_slices")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    CELL_ID_FIELD_NUMBER: _ClassVar[int]
    PERIOD_START_FIELD_NUMBER: _ClassVar[int]
    PERIOD_S_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    KPM_FIELD_NUMBER: _ClassVar[int]
    E2AP_PDU_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    UE_SLICES_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    cell_id: str
    period_start: _timestamp_pb2.Timestamp
    period_s: float
    received: _timestamp_pb2.Timestamp
    kpm: KpmIndication
    e2ap_pdu: bytes
    link: LinkReport
    cell: CellReport
    measurements: MeasurementReport
    ue_slices: UeSliceMap
    def __init__(self, node_id: _Optional[str] = ..., cell_id: _Optional[str] = ..., period_start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., period_s: _Optional[float] = ..., received: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kpm: _Optional[_Union[KpmIndication, _Mapping]] = ..., e2ap_pdu: _Optional[bytes] = ..., link: _Optional[_Union[LinkReport, _Mapping]] = ..., cell: _Optional[_Union[CellReport, _Mapping]] = ..., measurements: _Optional[_Union[MeasurementReport, _Mapping]] = ..., ue_slices: _Optional[_Union[UeSliceMap, _Mapping]] = ...) -> None: ...

class ReportBatch(_message.Message):
    __slots__ = ("area_id", "reports")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    reports: _containers.RepeatedCompositeFieldContainer[Report]
    def __init__(self, area_id: _Optional[str] = ..., reports: _Optional[_Iterable[_Union[Report, _Mapping]]] = ...) -> None: ...

class IngestRequest(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: ReportBatch
    def __init__(self, batch: _Optional[_Union[ReportBatch, _Mapping]] = ...) -> None: ...

class IngestResponse(_message.Message):
    __slots__ = ("accepted", "rejected")
    class RejectedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    rejected: _containers.ScalarMap[str, int]
    def __init__(self, accepted: _Optional[int] = ..., rejected: _Optional[_Mapping[str, int]] = ...) -> None: ...

class KnownEvent(_message.Message):
    __slots__ = ("kind", "onset_step", "duration_steps", "x_km", "y_km", "amplitude")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ONSET_STEP_FIELD_NUMBER: _ClassVar[int]
    DURATION_STEPS_FIELD_NUMBER: _ClassVar[int]
    X_KM_FIELD_NUMBER: _ClassVar[int]
    Y_KM_FIELD_NUMBER: _ClassVar[int]
    AMPLITUDE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    onset_step: int
    duration_steps: int
    x_km: float
    y_km: float
    amplitude: float
    def __init__(self, kind: _Optional[str] = ..., onset_step: _Optional[int] = ..., duration_steps: _Optional[int] = ..., x_km: _Optional[float] = ..., y_km: _Optional[float] = ..., amplitude: _Optional[float] = ...) -> None: ...

class KpiFrame(_message.Message):
    __slots__ = ("area_id", "step", "start", "duration_s", "schema_id", "topology_digest", "values", "mask", "events", "report_count", "missing_report_count", "trace_id")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_ID_FIELD_NUMBER: _ClassVar[int]
    TOPOLOGY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    REPORT_COUNT_FIELD_NUMBER: _ClassVar[int]
    MISSING_REPORT_COUNT_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    step: int
    start: _timestamp_pb2.Timestamp
    duration_s: float
    schema_id: str
    topology_digest: str
    values: _containers.RepeatedScalarFieldContainer[float]
    mask: bytes
    events: _containers.RepeatedCompositeFieldContainer[KnownEvent]
    report_count: int
    missing_report_count: int
    trace_id: str
    def __init__(self, area_id: _Optional[str] = ..., step: _Optional[int] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duration_s: _Optional[float] = ..., schema_id: _Optional[str] = ..., topology_digest: _Optional[str] = ..., values: _Optional[_Iterable[float]] = ..., mask: _Optional[bytes] = ..., events: _Optional[_Iterable[_Union[KnownEvent, _Mapping]]] = ..., report_count: _Optional[int] = ..., missing_report_count: _Optional[int] = ..., trace_id: _Optional[str] = ...) -> None: ...
