import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from twm.api.policy.v1 import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RollbackTarget(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLLBACK_TARGET_UNSPECIFIED: _ClassVar[RollbackTarget]
    ROLLBACK_TARGET_POLICY_FREE: _ClassVar[RollbackTarget]
    ROLLBACK_TARGET_LAST_GOOD: _ClassVar[RollbackTarget]

class SlaEnforceStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SLA_ENFORCE_STATUS_UNSPECIFIED: _ClassVar[SlaEnforceStatus]
    SLA_ENFORCE_STATUS_ENFORCED: _ClassVar[SlaEnforceStatus]
    SLA_ENFORCE_STATUS_NOT_ENFORCED: _ClassVar[SlaEnforceStatus]

class SlaEnforceReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SLA_ENFORCE_REASON_UNSPECIFIED: _ClassVar[SlaEnforceReason]
    SLA_ENFORCE_REASON_SCOPE_NOT_APPLICABLE: _ClassVar[SlaEnforceReason]
    SLA_ENFORCE_REASON_STATEMENT_NOT_APPLICABLE: _ClassVar[SlaEnforceReason]
    SLA_ENFORCE_REASON_OTHER_REASON: _ClassVar[SlaEnforceReason]
ROLLBACK_TARGET_UNSPECIFIED: RollbackTarget
ROLLBACK_TARGET_POLICY_FREE: RollbackTarget
ROLLBACK_TARGET_LAST_GOOD: RollbackTarget
SLA_ENFORCE_STATUS_UNSPECIFIED: SlaEnforceStatus
SLA_ENFORCE_STATUS_ENFORCED: SlaEnforceStatus
SLA_ENFORCE_STATUS_NOT_ENFORCED: SlaEnforceStatus
SLA_ENFORCE_REASON_UNSPECIFIED: SlaEnforceReason
SLA_ENFORCE_REASON_SCOPE_NOT_APPLICABLE: SlaEnforceReason
SLA_ENFORCE_REASON_STATEMENT_NOT_APPLICABLE: SlaEnforceReason
SLA_ENFORCE_REASON_OTHER_REASON: SlaEnforceReason

class ModeState(_message.Message):
    __slots__ = ("area_id", "mode", "stopped", "version", "changed_by", "changed", "reason", "missing_for_autonomous")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGED_BY_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MISSING_FOR_AUTONOMOUS_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    mode: _policy_pb2.Mode
    stopped: bool
    version: int
    changed_by: str
    changed: _timestamp_pb2.Timestamp
    reason: str
    missing_for_autonomous: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, area_id: _Optional[str] = ..., mode: _Optional[_Union[_policy_pb2.Mode, str]] = ..., stopped: _Optional[bool] = ..., version: _Optional[int] = ..., changed_by: _Optional[str] = ..., changed: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., missing_for_autonomous: _Optional[_Iterable[str]] = ...) -> None: ...

class GetModeRequest(_message.Message):
    __slots__ = ("area_id",)
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    def __init__(self, area_id: _Optional[str] = ...) -> None: ...

class GetModeResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: ModeState
    def __init__(self, state: _Optional[_Union[ModeState, _Mapping]] = ...) -> None: ...

class SetModeRequest(_message.Message):
    __slots__ = ("area_id", "mode", "expected_version", "reason")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    mode: _policy_pb2.Mode
    expected_version: int
    reason: str
    def __init__(self, area_id: _Optional[str] = ..., mode: _Optional[_Union[_policy_pb2.Mode, str]] = ..., expected_version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class SetModeResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: ModeState
    def __init__(self, state: _Optional[_Union[ModeState, _Mapping]] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("proposal_id", "step", "created", "expires", "waits_for", "proposal_sha256", "state", "decided_by", "decided", "reason")
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_SHA256_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    proposal_id: str
    step: int
    created: _timestamp_pb2.Timestamp
    expires: _timestamp_pb2.Timestamp
    waits_for: str
    proposal_sha256: str
    state: str
    decided_by: str
    decided: _timestamp_pb2.Timestamp
    reason: str
    def __init__(self, proposal_id: _Optional[str] = ..., step: _Optional[int] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., waits_for: _Optional[str] = ..., proposal_sha256: _Optional[str] = ..., state: _Optional[str] = ..., decided_by: _Optional[str] = ..., decided: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class ListApprovalsRequest(_message.Message):
    __slots__ = ("area_id",)
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    def __init__(self, area_id: _Optional[str] = ...) -> None: ...

class ListApprovalsResponse(_message.Message):
    __slots__ = ("approvals",)
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    approvals: _containers.RepeatedCompositeFieldContainer[Approval]
    def __init__(self, approvals: _Optional[_Iterable[_Union[Approval, _Mapping]]] = ...) -> None: ...

class DecideApprovalRequest(_message.Message):
    __slots__ = ("area_id", "proposal_id", "proposal_sha256", "approve", "reason")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_SHA256_FIELD_NUMBER: _ClassVar[int]
    APPROVE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    proposal_id: str
    proposal_sha256: str
    approve: bool
    reason: str
    def __init__(self, area_id: _Optional[str] = ..., proposal_id: _Optional[str] = ..., proposal_sha256: _Optional[str] = ..., approve: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class DecideApprovalResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: Approval
    def __init__(self, approval: _Optional[_Union[Approval, _Mapping]] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("area_id", "stopped", "withdraw", "reason")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    stopped: bool
    withdraw: bool
    reason: str
    def __init__(self, area_id: _Optional[str] = ..., stopped: _Optional[bool] = ..., withdraw: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class StopResponse(_message.Message):
    __slots__ = ("state", "withdrawn_count")
    STATE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_COUNT_FIELD_NUMBER: _ClassVar[int]
    state: ModeState
    withdrawn_count: int
    def __init__(self, state: _Optional[_Union[ModeState, _Mapping]] = ..., withdrawn_count: _Optional[int] = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ("area_id", "target", "reason")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    target: RollbackTarget
    reason: str
    def __init__(self, area_id: _Optional[str] = ..., target: _Optional[_Union[RollbackTarget, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class RollbackResponse(_message.Message):
    __slots__ = ("policy_set_id", "withdrawn_count")
    POLICY_SET_ID_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_COUNT_FIELD_NUMBER: _ClassVar[int]
    policy_set_id: str
    withdrawn_count: int
    def __init__(self, policy_set_id: _Optional[str] = ..., withdrawn_count: _Optional[int] = ...) -> None: ...

class SlaPolicy(_message.Message):
    __slots__ = ("policy_type_id", "policy_id", "payload_json", "source", "status", "reason", "detail", "changed")
    POLICY_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_JSON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    policy_type_id: str
    policy_id: str
    payload_json: str
    source: str
    status: SlaEnforceStatus
    reason: SlaEnforceReason
    detail: str
    changed: _timestamp_pb2.Timestamp
    def __init__(self, policy_type_id: _Optional[str] = ..., policy_id: _Optional[str] = ..., payload_json: _Optional[str] = ..., source: _Optional[str] = ..., status: _Optional[_Union[SlaEnforceStatus, str]] = ..., reason: _Optional[_Union[SlaEnforceReason, str]] = ..., detail: _Optional[str] = ..., changed: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PutSlaPolicyRequest(_message.Message):
    __slots__ = ("area_id", "policy_type_id", "policy_id", "payload_json", "source")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_JSON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    policy_type_id: str
    policy_id: str
    payload_json: str
    source: str
    def __init__(self, area_id: _Optional[str] = ..., policy_type_id: _Optional[str] = ..., policy_id: _Optional[str] = ..., payload_json: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class PutSlaPolicyResponse(_message.Message):
    __slots__ = ("policy", "created")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    policy: SlaPolicy
    created: bool
    def __init__(self, policy: _Optional[_Union[SlaPolicy, _Mapping]] = ..., created: _Optional[bool] = ...) -> None: ...

class DeleteSlaPolicyRequest(_message.Message):
    __slots__ = ("area_id", "policy_type_id", "policy_id")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    policy_type_id: str
    policy_id: str
    def __init__(self, area_id: _Optional[str] = ..., policy_type_id: _Optional[str] = ..., policy_id: _Optional[str] = ...) -> None: ...

class DeleteSlaPolicyResponse(_message.Message):
    __slots__ = ("existed",)
    EXISTED_FIELD_NUMBER: _ClassVar[int]
    existed: bool
    def __init__(self, existed: _Optional[bool] = ...) -> None: ...

class ListSlaPoliciesRequest(_message.Message):
    __slots__ = ("area_id", "policy_type_id")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    policy_type_id: str
    def __init__(self, area_id: _Optional[str] = ..., policy_type_id: _Optional[str] = ...) -> None: ...

class ListSlaPoliciesResponse(_message.Message):
    __slots__ = ("policies",)
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[SlaPolicy]
    def __init__(self, policies: _Optional[_Iterable[_Union[SlaPolicy, _Mapping]]] = ...) -> None: ...
