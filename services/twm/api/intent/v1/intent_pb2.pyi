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

class IntentSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INTENT_SOURCE_UNSPECIFIED: _ClassVar[IntentSource]
    INTENT_SOURCE_GRAMMAR: _ClassVar[IntentSource]
    INTENT_SOURCE_MODEL: _ClassVar[IntentSource]
    INTENT_SOURCE_STRUCTURED: _ClassVar[IntentSource]

class Kpi(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KPI_UNSPECIFIED: _ClassVar[Kpi]
    KPI_DELAY_P99_MS: _ClassVar[Kpi]
    KPI_DELAY_MEAN_MS: _ClassVar[Kpi]
    KPI_LOSS_RATIO: _ClassVar[Kpi]
    KPI_THROUGHPUT_MBPS: _ClassVar[Kpi]
    KPI_UTILISATION_RATIO: _ClassVar[Kpi]

class Comparator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPARATOR_UNSPECIFIED: _ClassVar[Comparator]
    COMPARATOR_AT_MOST: _ClassVar[Comparator]
    COMPARATOR_AT_LEAST: _ClassVar[Comparator]

class Resource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOURCE_UNSPECIFIED: _ClassVar[Resource]
    RESOURCE_PRB: _ClassVar[Resource]
    RESOURCE_BANDWIDTH: _ClassVar[Resource]

class Occasion(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OCCASION_UNSPECIFIED: _ClassVar[Occasion]
    OCCASION_SURGE: _ClassVar[Occasion]
    OCCASION_MAINTENANCE: _ClassVar[Occasion]
    OCCASION_EVENT: _ClassVar[Occasion]

class Agreement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGREEMENT_UNSPECIFIED: _ClassVar[Agreement]
    AGREEMENT_FULL: _ClassVar[Agreement]
    AGREEMENT_DISAGREE: _ClassVar[Agreement]
    AGREEMENT_SECOND_ABSENT: _ClassVar[Agreement]

class IntentEvent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INTENT_EVENT_UNSPECIFIED: _ClassVar[IntentEvent]
    INTENT_EVENT_ACTIVATED: _ClassVar[IntentEvent]
    INTENT_EVENT_WITHDRAWN: _ClassVar[IntentEvent]
    INTENT_EVENT_EXPIRED: _ClassVar[IntentEvent]
INTENT_SOURCE_UNSPECIFIED: IntentSource
INTENT_SOURCE_GRAMMAR: IntentSource
INTENT_SOURCE_MODEL: IntentSource
INTENT_SOURCE_STRUCTURED: IntentSource
KPI_UNSPECIFIED: Kpi
KPI_DELAY_P99_MS: Kpi
KPI_DELAY_MEAN_MS: Kpi
KPI_LOSS_RATIO: Kpi
KPI_THROUGHPUT_MBPS: Kpi
KPI_UTILISATION_RATIO: Kpi
COMPARATOR_UNSPECIFIED: Comparator
COMPARATOR_AT_MOST: Comparator
COMPARATOR_AT_LEAST: Comparator
RESOURCE_UNSPECIFIED: Resource
RESOURCE_PRB: Resource
RESOURCE_BANDWIDTH: Resource
OCCASION_UNSPECIFIED: Occasion
OCCASION_SURGE: Occasion
OCCASION_MAINTENANCE: Occasion
OCCASION_EVENT: Occasion
AGREEMENT_UNSPECIFIED: Agreement
AGREEMENT_FULL: Agreement
AGREEMENT_DISAGREE: Agreement
AGREEMENT_SECOND_ABSENT: Agreement
INTENT_EVENT_UNSPECIFIED: IntentEvent
INTENT_EVENT_ACTIVATED: IntentEvent
INTENT_EVENT_WITHDRAWN: IntentEvent
INTENT_EVENT_EXPIRED: IntentEvent

class Scope(_message.Message):
    __slots__ = ("slices", "zone", "cells", "links")
    SLICES_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    slices: _containers.RepeatedScalarFieldContainer[str]
    zone: str
    cells: _containers.RepeatedScalarFieldContainer[int]
    links: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, slices: _Optional[_Iterable[str]] = ..., zone: _Optional[str] = ..., cells: _Optional[_Iterable[int]] = ..., links: _Optional[_Iterable[int]] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("start", "end", "occasion")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    OCCASION_FIELD_NUMBER: _ClassVar[int]
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    occasion: Occasion
    def __init__(self, start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., occasion: _Optional[_Union[Occasion, str]] = ...) -> None: ...

class SliceWeight(_message.Message):
    __slots__ = ("slice", "weight")
    SLICE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    slice: str
    weight: float
    def __init__(self, slice: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class Objective(_message.Message):
    __slots__ = ("saving_target_ratio", "saving_weight", "slice_weights", "hold_slas", "window")
    SAVING_TARGET_RATIO_FIELD_NUMBER: _ClassVar[int]
    SAVING_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SLICE_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    HOLD_SLAS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    saving_target_ratio: float
    saving_weight: float
    slice_weights: _containers.RepeatedCompositeFieldContainer[SliceWeight]
    hold_slas: bool
    window: Window
    def __init__(self, saving_target_ratio: _Optional[float] = ..., saving_weight: _Optional[float] = ..., slice_weights: _Optional[_Iterable[_Union[SliceWeight, _Mapping]]] = ..., hold_slas: _Optional[bool] = ..., window: _Optional[_Union[Window, _Mapping]] = ...) -> None: ...

class KpiConstraint(_message.Message):
    __slots__ = ("kpi", "scope", "comparator", "bound", "window", "max_violation_probability")
    KPI_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    COMPARATOR_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    kpi: Kpi
    scope: Scope
    comparator: Comparator
    bound: float
    window: Window
    max_violation_probability: float
    def __init__(self, kpi: _Optional[_Union[Kpi, str]] = ..., scope: _Optional[_Union[Scope, _Mapping]] = ..., comparator: _Optional[_Union[Comparator, str]] = ..., bound: _Optional[float] = ..., window: _Optional[_Union[Window, _Mapping]] = ..., max_violation_probability: _Optional[float] = ...) -> None: ...

class ActionLimit(_message.Message):
    __slots__ = ("scope", "min_share", "max_share", "max_change", "resource", "window")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    MIN_SHARE_FIELD_NUMBER: _ClassVar[int]
    MAX_SHARE_FIELD_NUMBER: _ClassVar[int]
    MAX_CHANGE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    scope: Scope
    min_share: float
    max_share: float
    max_change: float
    resource: Resource
    window: Window
    def __init__(self, scope: _Optional[_Union[Scope, _Mapping]] = ..., min_share: _Optional[float] = ..., max_share: _Optional[float] = ..., max_change: _Optional[float] = ..., resource: _Optional[_Union[Resource, str]] = ..., window: _Optional[_Union[Window, _Mapping]] = ...) -> None: ...

class Surge(_message.Message):
    __slots__ = ("scope", "factor", "window")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    scope: Scope
    factor: float
    window: Window
    def __init__(self, scope: _Optional[_Union[Scope, _Mapping]] = ..., factor: _Optional[float] = ..., window: _Optional[_Union[Window, _Mapping]] = ...) -> None: ...

class Maintenance(_message.Message):
    __slots__ = ("link_index", "capacity_factor", "window")
    LINK_INDEX_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FACTOR_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    link_index: int
    capacity_factor: float
    window: Window
    def __init__(self, link_index: _Optional[int] = ..., capacity_factor: _Optional[float] = ..., window: _Optional[_Union[Window, _Mapping]] = ...) -> None: ...

class Context(_message.Message):
    __slots__ = ("surges", "maintenance", "event")
    SURGES_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    surges: _containers.RepeatedCompositeFieldContainer[Surge]
    maintenance: _containers.RepeatedCompositeFieldContainer[Maintenance]
    event: str
    def __init__(self, surges: _Optional[_Iterable[_Union[Surge, _Mapping]]] = ..., maintenance: _Optional[_Iterable[_Union[Maintenance, _Mapping]]] = ..., event: _Optional[str] = ...) -> None: ...

class IntentSpec(_message.Message):
    __slots__ = ("intent_id", "area_id", "spec_digest", "text", "source", "objective", "constraints", "limits", "context", "window", "priority", "expires")
    INTENT_ID_FIELD_NUMBER: _ClassVar[int]
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    intent_id: str
    area_id: str
    spec_digest: str
    text: str
    source: IntentSource
    objective: Objective
    constraints: _containers.RepeatedCompositeFieldContainer[KpiConstraint]
    limits: _containers.RepeatedCompositeFieldContainer[ActionLimit]
    context: Context
    window: Window
    priority: int
    expires: _timestamp_pb2.Timestamp
    def __init__(self, intent_id: _Optional[str] = ..., area_id: _Optional[str] = ..., spec_digest: _Optional[str] = ..., text: _Optional[str] = ..., source: _Optional[_Union[IntentSource, str]] = ..., objective: _Optional[_Union[Objective, _Mapping]] = ..., constraints: _Optional[_Iterable[_Union[KpiConstraint, _Mapping]]] = ..., limits: _Optional[_Iterable[_Union[ActionLimit, _Mapping]]] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., window: _Optional[_Union[Window, _Mapping]] = ..., priority: _Optional[int] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("code", "field", "text", "choices")
    CODE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    code: str
    field: str
    text: str
    choices: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, code: _Optional[str] = ..., field: _Optional[str] = ..., text: _Optional[str] = ..., choices: _Optional[_Iterable[str]] = ...) -> None: ...

class Questions(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Question]
    def __init__(self, items: _Optional[_Iterable[_Union[Question, _Mapping]]] = ...) -> None: ...

class CompileResult(_message.Message):
    __slots__ = ("spec", "questions", "compiler", "agreement", "readings")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    COMPILER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    READINGS_FIELD_NUMBER: _ClassVar[int]
    spec: IntentSpec
    questions: Questions
    compiler: str
    agreement: Agreement
    readings: _containers.RepeatedCompositeFieldContainer[IntentSpec]
    def __init__(self, spec: _Optional[_Union[IntentSpec, _Mapping]] = ..., questions: _Optional[_Union[Questions, _Mapping]] = ..., compiler: _Optional[str] = ..., agreement: _Optional[_Union[Agreement, str]] = ..., readings: _Optional[_Iterable[_Union[IntentSpec, _Mapping]]] = ...) -> None: ...

class IntentChange(_message.Message):
    __slots__ = ("event", "spec", "subject", "changed", "set_version", "trace_id")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    SET_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    event: IntentEvent
    spec: IntentSpec
    subject: str
    changed: _timestamp_pb2.Timestamp
    set_version: int
    trace_id: str
    def __init__(self, event: _Optional[_Union[IntentEvent, str]] = ..., spec: _Optional[_Union[IntentSpec, _Mapping]] = ..., subject: _Optional[str] = ..., changed: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., set_version: _Optional[int] = ..., trace_id: _Optional[str] = ...) -> None: ...

class ActiveIntent(_message.Message):
    __slots__ = ("spec", "subject", "activated")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ACTIVATED_FIELD_NUMBER: _ClassVar[int]
    spec: IntentSpec
    subject: str
    activated: _timestamp_pb2.Timestamp
    def __init__(self, spec: _Optional[_Union[IntentSpec, _Mapping]] = ..., subject: _Optional[str] = ..., activated: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ActiveIntents(_message.Message):
    __slots__ = ("version", "intents")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INTENTS_FIELD_NUMBER: _ClassVar[int]
    version: int
    intents: _containers.RepeatedCompositeFieldContainer[ActiveIntent]
    def __init__(self, version: _Optional[int] = ..., intents: _Optional[_Iterable[_Union[ActiveIntent, _Mapping]]] = ...) -> None: ...
