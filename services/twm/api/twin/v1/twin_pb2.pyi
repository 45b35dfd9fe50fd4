from buf.validate import validate_pb2 as _validate_pb2
from twm.api.telemetry.v1 import telemetry_pb2 as _telemetry_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2 as _worldmodel_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VerifyRequest(_message.Message):
    __slots__ = ("area_id", "start", "policies", "scenario_count", "exogenous_scenarios", "seed", "played_steps", "targets")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXOGENOUS_SCENARIOS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PLAYED_STEPS_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    start: _telemetry_pb2.KpiFrame
    policies: _worldmodel_pb2.PolicyBatch
    scenario_count: int
    exogenous_scenarios: _containers.RepeatedScalarFieldContainer[float]
    seed: int
    played_steps: int
    targets: _containers.RepeatedCompositeFieldContainer[_worldmodel_pb2.KpiTarget]
    def __init__(self, area_id: _Optional[str] = ..., start: _Optional[_Union[_telemetry_pb2.KpiFrame, _Mapping]] = ..., policies: _Optional[_Union[_worldmodel_pb2.PolicyBatch, _Mapping]] = ..., scenario_count: _Optional[int] = ..., exogenous_scenarios: _Optional[_Iterable[float]] = ..., seed: _Optional[int] = ..., played_steps: _Optional[int] = ..., targets: _Optional[_Iterable[_Union[_worldmodel_pb2.KpiTarget, _Mapping]]] = ...) -> None: ...

class VerifyResponse(_message.Message):
    __slots__ = ("scm", "saving_ratio", "loss_ratio", "delay_p99_ms", "violated", "twin_call_count", "spec_digest", "target_measured", "target_value")
    SCM_FIELD_NUMBER: _ClassVar[int]
    SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    LOSS_RATIO_FIELD_NUMBER: _ClassVar[int]
    DELAY_P99_MS_FIELD_NUMBER: _ClassVar[int]
    VIOLATED_FIELD_NUMBER: _ClassVar[int]
    TWIN_CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TARGET_MEASURED_FIELD_NUMBER: _ClassVar[int]
    TARGET_VALUE_FIELD_NUMBER: _ClassVar[int]
    scm: _containers.RepeatedScalarFieldContainer[float]
    saving_ratio: _containers.RepeatedScalarFieldContainer[float]
    loss_ratio: _containers.RepeatedScalarFieldContainer[float]
    delay_p99_ms: _containers.RepeatedScalarFieldContainer[float]
    violated: _containers.RepeatedScalarFieldContainer[bool]
    twin_call_count: int
    spec_digest: str
    target_measured: _containers.RepeatedScalarFieldContainer[bool]
    target_value: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, scm: _Optional[_Iterable[float]] = ..., saving_ratio: _Optional[_Iterable[float]] = ..., loss_ratio: _Optional[_Iterable[float]] = ..., delay_p99_ms: _Optional[_Iterable[float]] = ..., violated: _Optional[_Iterable[bool]] = ..., twin_call_count: _Optional[int] = ..., spec_digest: _Optional[str] = ..., target_measured: _Optional[_Iterable[bool]] = ..., target_value: _Optional[_Iterable[float]] = ...) -> None: ...
