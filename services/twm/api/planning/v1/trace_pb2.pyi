from buf.validate import validate_pb2 as _validate_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2 as _worldmodel_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TraceStep(_message.Message):
    __slots__ = ("kind", "inputs", "outputs", "numbers", "seed", "models", "error", "note")
    class InputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class NumbersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    inputs: _containers.ScalarMap[str, str]
    outputs: _containers.ScalarMap[str, str]
    numbers: _containers.ScalarMap[str, float]
    seed: int
    models: _containers.RepeatedCompositeFieldContainer[_worldmodel_pb2.ModelIdentity]
    error: str
    note: str
    def __init__(self, kind: _Optional[str] = ..., inputs: _Optional[_Mapping[str, str]] = ..., outputs: _Optional[_Mapping[str, str]] = ..., numbers: _Optional[_Mapping[str, float]] = ..., seed: _Optional[int] = ..., models: _Optional[_Iterable[_Union[_worldmodel_pb2.ModelIdentity, _Mapping]]] = ..., error: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class FrameReference(_message.Message):
    __slots__ = ("step", "digest")
    STEP_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    step: int
    digest: str
    def __init__(self, step: _Optional[int] = ..., digest: _Optional[str] = ...) -> None: ...

class TapeInput(_message.Message):
    __slots__ = ("name", "digest", "content")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    content: bytes
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class DecisionTape(_message.Message):
    __slots__ = ("frames", "last_plan_step", "last_plan_digest", "reduced", "backlog", "monotonic_s", "now_s", "candidate_s", "tail_s", "actor_present", "actor_silent", "actor_absent_with", "actor_absent", "settings_json", "versions", "inputs", "proposal_digest")
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    LAST_PLAN_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_PLAN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REDUCED_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_FIELD_NUMBER: _ClassVar[int]
    MONOTONIC_S_FIELD_NUMBER: _ClassVar[int]
    NOW_S_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_S_FIELD_NUMBER: _ClassVar[int]
    TAIL_S_FIELD_NUMBER: _ClassVar[int]
    ACTOR_PRESENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_SILENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ABSENT_WITH_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ABSENT_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_JSON_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[FrameReference]
    last_plan_step: int
    last_plan_digest: str
    reduced: bool
    backlog: int
    monotonic_s: _containers.RepeatedScalarFieldContainer[float]
    now_s: _containers.RepeatedScalarFieldContainer[float]
    candidate_s: float
    tail_s: float
    actor_present: bool
    actor_silent: int
    actor_absent_with: _containers.RepeatedCompositeFieldContainer[_worldmodel_pb2.ModelIdentity]
    actor_absent: bool
    settings_json: str
    versions: _containers.RepeatedScalarFieldContainer[str]
    inputs: _containers.RepeatedCompositeFieldContainer[TapeInput]
    proposal_digest: str
    def __init__(self, frames: _Optional[_Iterable[_Union[FrameReference, _Mapping]]] = ..., last_plan_step: _Optional[int] = ..., last_plan_digest: _Optional[str] = ..., reduced: _Optional[bool] = ..., backlog: _Optional[int] = ..., monotonic_s: _Optional[_Iterable[float]] = ..., now_s: _Optional[_Iterable[float]] = ..., candidate_s: _Optional[float] = ..., tail_s: _Optional[float] = ..., actor_present: _Optional[bool] = ..., actor_silent: _Optional[int] = ..., actor_absent_with: _Optional[_Iterable[_Union[_worldmodel_pb2.ModelIdentity, _Mapping]]] = ..., actor_absent: _Optional[bool] = ..., settings_json: _Optional[str] = ..., versions: _Optional[_Iterable[str]] = ..., inputs: _Optional[_Iterable[_Union[TapeInput, _Mapping]]] = ..., proposal_digest: _Optional[str] = ...) -> None: ...

class DecisionEvidence(_message.Message):
    __slots__ = ("step", "inputs")
    STEP_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    step: int
    inputs: _containers.RepeatedCompositeFieldContainer[TapeInput]
    def __init__(self, step: _Optional[int] = ..., inputs: _Optional[_Iterable[_Union[TapeInput, _Mapping]]] = ...) -> None: ...

class DecisionBundle(_message.Message):
    __slots__ = ("trace_record", "proposal", "last_proposal", "frames", "verdict", "evidence")
    TRACE_RECORD_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    LAST_PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    trace_record: bytes
    proposal: bytes
    last_proposal: bytes
    frames: _containers.RepeatedScalarFieldContainer[bytes]
    verdict: bytes
    evidence: bytes
    def __init__(self, trace_record: _Optional[bytes] = ..., proposal: _Optional[bytes] = ..., last_proposal: _Optional[bytes] = ..., frames: _Optional[_Iterable[bytes]] = ..., verdict: _Optional[bytes] = ..., evidence: _Optional[bytes] = ...) -> None: ...
