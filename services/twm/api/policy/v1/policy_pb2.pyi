import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_SHADOW: _ClassVar[Mode]
    MODE_ADVISORY: _ClassVar[Mode]
    MODE_AUTONOMOUS: _ClassVar[Mode]

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_ACCEPTED: _ClassVar[Decision]
    DECISION_REJECTED: _ClassVar[Decision]

class Handling(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HANDLING_UNSPECIFIED: _ClassVar[Handling]
    HANDLING_SHADOW: _ClassVar[Handling]
    HANDLING_PENDING: _ClassVar[Handling]
    HANDLING_ENFORCED: _ClassVar[Handling]
    HANDLING_STOPPED: _ClassVar[Handling]

class Enforcement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENFORCEMENT_UNSPECIFIED: _ClassVar[Enforcement]
    ENFORCEMENT_SHADOW: _ClassVar[Enforcement]
    ENFORCEMENT_ADVISED: _ClassVar[Enforcement]
    ENFORCEMENT_ENFORCE: _ClassVar[Enforcement]
    ENFORCEMENT_WITHDRAW: _ClassVar[Enforcement]
MODE_UNSPECIFIED: Mode
MODE_SHADOW: Mode
MODE_ADVISORY: Mode
MODE_AUTONOMOUS: Mode
DECISION_UNSPECIFIED: Decision
DECISION_ACCEPTED: Decision
DECISION_REJECTED: Decision
HANDLING_UNSPECIFIED: Handling
HANDLING_SHADOW: Handling
HANDLING_PENDING: Handling
HANDLING_ENFORCED: Handling
HANDLING_STOPPED: Handling
ENFORCEMENT_UNSPECIFIED: Enforcement
ENFORCEMENT_SHADOW: Enforcement
ENFORCEMENT_ADVISED: Enforcement
ENFORCEMENT_ENFORCE: Enforcement
ENFORCEMENT_WITHDRAW: Enforcement

class Check(_message.Message):
    __slots__ = ("name", "passed", "value", "bound", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    passed: bool
    value: float
    bound: float
    message: str
    def __init__(self, name: _Optional[str] = ..., passed: _Optional[bool] = ..., value: _Optional[float] = ..., bound: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("proposal_id", "area_id", "step", "decision", "mode", "checks", "guardrail_version", "decided", "trace_id", "headline", "handling", "handling_reason")
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    GUARDRAIL_VERSION_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    HEADLINE_FIELD_NUMBER: _ClassVar[int]
    HANDLING_FIELD_NUMBER: _ClassVar[int]
    HANDLING_REASON_FIELD_NUMBER: _ClassVar[int]
    proposal_id: str
    area_id: str
    step: int
    decision: Decision
    mode: Mode
    checks: _containers.RepeatedCompositeFieldContainer[Check]
    guardrail_version: str
    decided: _timestamp_pb2.Timestamp
    trace_id: str
    headline: str
    handling: Handling
    handling_reason: str
    def __init__(self, proposal_id: _Optional[str] = ..., area_id: _Optional[str] = ..., step: _Optional[int] = ..., decision: _Optional[_Union[Decision, str]] = ..., mode: _Optional[_Union[Mode, str]] = ..., checks: _Optional[_Iterable[_Union[Check, _Mapping]]] = ..., guardrail_version: _Optional[str] = ..., decided: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trace_id: _Optional[str] = ..., headline: _Optional[str] = ..., handling: _Optional[_Union[Handling, str]] = ..., handling_reason: _Optional[str] = ...) -> None: ...

class A1Policy(_message.Message):
    __slots__ = ("policy_type_id", "policy_id", "policy_json")
    POLICY_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_JSON_FIELD_NUMBER: _ClassVar[int]
    policy_type_id: str
    policy_id: str
    policy_json: str
    def __init__(self, policy_type_id: _Optional[str] = ..., policy_id: _Optional[str] = ..., policy_json: _Optional[str] = ...) -> None: ...

class SlicePolicy(_message.Message):
    __slots__ = ("policy_set_id", "area_id", "step", "mode", "policies", "effective", "ttl_s", "predicted_scm", "saving_ratio", "trace_id", "enforcement", "authorised_by", "mode_version")
    POLICY_SET_ID_FIELD_NUMBER: _ClassVar[int]
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_FIELD_NUMBER: _ClassVar[int]
    TTL_S_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_SCM_FIELD_NUMBER: _ClassVar[int]
    SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    ENFORCEMENT_FIELD_NUMBER: _ClassVar[int]
    AUTHORISED_BY_FIELD_NUMBER: _ClassVar[int]
    MODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    policy_set_id: str
    area_id: str
    step: int
    mode: Mode
    policies: _containers.RepeatedCompositeFieldContainer[A1Policy]
    effective: _timestamp_pb2.Timestamp
    ttl_s: float
    predicted_scm: float
    saving_ratio: float
    trace_id: str
    enforcement: Enforcement
    authorised_by: str
    mode_version: int
    def __init__(self, policy_set_id: _Optional[str] = ..., area_id: _Optional[str] = ..., step: _Optional[int] = ..., mode: _Optional[_Union[Mode, str]] = ..., policies: _Optional[_Iterable[_Union[A1Policy, _Mapping]]] = ..., effective: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl_s: _Optional[float] = ..., predicted_scm: _Optional[float] = ..., saving_ratio: _Optional[float] = ..., trace_id: _Optional[str] = ..., enforcement: _Optional[_Union[Enforcement, str]] = ..., authorised_by: _Optional[str] = ..., mode_version: _Optional[int] = ...) -> None: ...

class ShadowScore(_message.Message):
    __slots__ = ("policy_set_id", "area_id", "step", "observed_step_count", "observed_scm", "running_predicted_scm", "recommended_predicted_scm", "coverage_ratio", "mean_absolute_error", "action_distance", "decision")
    class MeanAbsoluteErrorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    POLICY_SET_ID_FIELD_NUMBER: _ClassVar[int]
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_SCM_FIELD_NUMBER: _ClassVar[int]
    RUNNING_PREDICTED_SCM_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDED_PREDICTED_SCM_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_RATIO_FIELD_NUMBER: _ClassVar[int]
    MEAN_ABSOLUTE_ERROR_FIELD_NUMBER: _ClassVar[int]
    ACTION_DISTANCE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    policy_set_id: str
    area_id: str
    step: int
    observed_step_count: int
    observed_scm: float
    running_predicted_scm: float
    recommended_predicted_scm: float
    coverage_ratio: float
    mean_absolute_error: _containers.ScalarMap[str, float]
    action_distance: float
    decision: Decision
    def __init__(self, policy_set_id: _Optional[str] = ..., area_id: _Optional[str] = ..., step: _Optional[int] = ..., observed_step_count: _Optional[int] = ..., observed_scm: _Optional[float] = ..., running_predicted_scm: _Optional[float] = ..., recommended_predicted_scm: _Optional[float] = ..., coverage_ratio: _Optional[float] = ..., mean_absolute_error: _Optional[_Mapping[str, float]] = ..., action_distance: _Optional[float] = ..., decision: _Optional[_Union[Decision, str]] = ...) -> None: ...

class AuditRecord(_message.Message):
    __slots__ = ("sequence", "written", "kind", "payload_json", "previous_hash", "hash")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_JSON_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_HASH_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    written: _timestamp_pb2.Timestamp
    kind: str
    payload_json: str
    previous_hash: str
    hash: str
    def __init__(self, sequence: _Optional[int] = ..., written: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[str] = ..., payload_json: _Optional[str] = ..., previous_hash: _Optional[str] = ..., hash: _Optional[str] = ...) -> None: ...
