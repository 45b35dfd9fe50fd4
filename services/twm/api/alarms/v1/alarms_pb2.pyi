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

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_INDETERMINATE: _ClassVar[Severity]
    SEVERITY_WARNING: _ClassVar[Severity]
    SEVERITY_MINOR: _ClassVar[Severity]
    SEVERITY_MAJOR: _ClassVar[Severity]
    SEVERITY_CRITICAL: _ClassVar[Severity]
    SEVERITY_CLEARED: _ClassVar[Severity]
SEVERITY_UNSPECIFIED: Severity
SEVERITY_INDETERMINATE: Severity
SEVERITY_WARNING: Severity
SEVERITY_MINOR: Severity
SEVERITY_MAJOR: Severity
SEVERITY_CRITICAL: Severity
SEVERITY_CLEARED: Severity

class Alarm(_message.Message):
    __slots__ = ("alarm_id", "object", "severity", "event_type", "probable_cause", "text", "text_for_model", "signs", "held_back", "raised", "source")
    ALARM_ID_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PROBABLE_CAUSE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FOR_MODEL_FIELD_NUMBER: _ClassVar[int]
    SIGNS_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    RAISED_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    alarm_id: str
    object: str
    severity: Severity
    event_type: str
    probable_cause: str
    text: str
    text_for_model: str
    signs: _containers.RepeatedScalarFieldContainer[str]
    held_back: bool
    raised: _timestamp_pb2.Timestamp
    source: str
    def __init__(self, alarm_id: _Optional[str] = ..., object: _Optional[str] = ..., severity: _Optional[_Union[Severity, str]] = ..., event_type: _Optional[str] = ..., probable_cause: _Optional[str] = ..., text: _Optional[str] = ..., text_for_model: _Optional[str] = ..., signs: _Optional[_Iterable[str]] = ..., held_back: _Optional[bool] = ..., raised: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ...) -> None: ...
