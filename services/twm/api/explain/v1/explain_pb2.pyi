from buf.validate import validate_pb2 as _validate_pb2
from twm.api.policy.v1 import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Resource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOURCE_UNSPECIFIED: _ClassVar[Resource]
    RESOURCE_PRB: _ClassVar[Resource]
    RESOURCE_BANDWIDTH: _ClassVar[Resource]

class Span(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPAN_UNSPECIFIED: _ClassVar[Span]
    SPAN_AREA: _ClassVar[Span]
    SPAN_ZONE: _ClassVar[Span]
    SPAN_CELL: _ClassVar[Span]
    SPAN_LINK: _ClassVar[Span]

class TextSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXT_SOURCE_UNSPECIFIED: _ClassVar[TextSource]
    TEXT_SOURCE_TEMPLATE: _ClassVar[TextSource]
    TEXT_SOURCE_MODEL: _ClassVar[TextSource]
RESOURCE_UNSPECIFIED: Resource
RESOURCE_PRB: Resource
RESOURCE_BANDWIDTH: Resource
SPAN_UNSPECIFIED: Span
SPAN_AREA: Span
SPAN_ZONE: Span
SPAN_CELL: Span
SPAN_LINK: Span
TEXT_SOURCE_UNSPECIFIED: TextSource
TEXT_SOURCE_TEMPLATE: TextSource
TEXT_SOURCE_MODEL: TextSource

class Interval(_message.Message):
    __slots__ = ("low", "median", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: float
    median: float
    high: float
    def __init__(self, low: _Optional[float] = ..., median: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Move(_message.Message):
    __slots__ = ("resource", "span", "scope", "slice", "before_share", "after_share")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_SHARE_FIELD_NUMBER: _ClassVar[int]
    AFTER_SHARE_FIELD_NUMBER: _ClassVar[int]
    resource: Resource
    span: Span
    scope: str
    slice: str
    before_share: float
    after_share: float
    def __init__(self, resource: _Optional[_Union[Resource, str]] = ..., span: _Optional[_Union[Span, str]] = ..., scope: _Optional[str] = ..., slice: _Optional[str] = ..., before_share: _Optional[float] = ..., after_share: _Optional[float] = ...) -> None: ...

class KpiForecast(_message.Message):
    __slots__ = ("slice", "kpi", "over_steps", "proposed", "running", "runner_up", "change_from_running", "change_from_runner_up", "bound")
    SLICE_FIELD_NUMBER: _ClassVar[int]
    KPI_FIELD_NUMBER: _ClassVar[int]
    OVER_STEPS_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    RUNNER_UP_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FROM_RUNNING_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FROM_RUNNER_UP_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    slice: str
    kpi: str
    over_steps: str
    proposed: Interval
    running: Interval
    runner_up: Interval
    change_from_running: Interval
    change_from_runner_up: Interval
    bound: float
    def __init__(self, slice: _Optional[str] = ..., kpi: _Optional[str] = ..., over_steps: _Optional[str] = ..., proposed: _Optional[_Union[Interval, _Mapping]] = ..., running: _Optional[_Union[Interval, _Mapping]] = ..., runner_up: _Optional[_Union[Interval, _Mapping]] = ..., change_from_running: _Optional[_Union[Interval, _Mapping]] = ..., change_from_runner_up: _Optional[_Union[Interval, _Mapping]] = ..., bound: _Optional[float] = ...) -> None: ...

class PolicyOutlook(_message.Message):
    __slots__ = ("policy", "origin", "scm_mean", "scm_cvar", "violation_probability", "saving_ratio", "twin_scm", "twin_violation_ratio", "score", "slice_violation_probability")
    class SliceViolationProbabilityEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SCM_MEAN_FIELD_NUMBER: _ClassVar[int]
    SCM_CVAR_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    TWIN_SCM_FIELD_NUMBER: _ClassVar[int]
    TWIN_VIOLATION_RATIO_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SLICE_VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    policy: str
    origin: str
    scm_mean: float
    scm_cvar: float
    violation_probability: float
    saving_ratio: float
    twin_scm: float
    twin_violation_ratio: float
    score: float
    slice_violation_probability: _containers.ScalarMap[str, float]
    def __init__(self, policy: _Optional[str] = ..., origin: _Optional[str] = ..., scm_mean: _Optional[float] = ..., scm_cvar: _Optional[float] = ..., violation_probability: _Optional[float] = ..., saving_ratio: _Optional[float] = ..., twin_scm: _Optional[float] = ..., twin_violation_ratio: _Optional[float] = ..., score: _Optional[float] = ..., slice_violation_probability: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Binding(_message.Message):
    __slots__ = ("slice", "kpi", "value", "bound", "margin_ratio", "pessimistic_margin_ratio")
    SLICE_FIELD_NUMBER: _ClassVar[int]
    KPI_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    MARGIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    PESSIMISTIC_MARGIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    slice: str
    kpi: str
    value: Interval
    bound: float
    margin_ratio: float
    pessimistic_margin_ratio: float
    def __init__(self, slice: _Optional[str] = ..., kpi: _Optional[str] = ..., value: _Optional[_Union[Interval, _Mapping]] = ..., bound: _Optional[float] = ..., margin_ratio: _Optional[float] = ..., pessimistic_margin_ratio: _Optional[float] = ...) -> None: ...

class CheckMargin(_message.Message):
    __slots__ = ("name", "passed", "value", "bound", "margin_ratio", "message")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    MARGIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    passed: bool
    value: float
    bound: float
    margin_ratio: float
    message: str
    def __init__(self, name: _Optional[str] = ..., passed: _Optional[bool] = ..., value: _Optional[float] = ..., bound: _Optional[float] = ..., margin_ratio: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class Confidence(_message.Message):
    __slots__ = ("violation_probability", "scm_cvar", "disagreement", "ood_score", "drift_state", "coverage_ratio", "twin_scm_difference", "twin_violation_ratio")
    class CoverageRatioEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    SCM_CVAR_FIELD_NUMBER: _ClassVar[int]
    DISAGREEMENT_FIELD_NUMBER: _ClassVar[int]
    OOD_SCORE_FIELD_NUMBER: _ClassVar[int]
    DRIFT_STATE_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_RATIO_FIELD_NUMBER: _ClassVar[int]
    TWIN_SCM_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    TWIN_VIOLATION_RATIO_FIELD_NUMBER: _ClassVar[int]
    violation_probability: float
    scm_cvar: float
    disagreement: float
    ood_score: float
    drift_state: str
    coverage_ratio: _containers.ScalarMap[str, float]
    twin_scm_difference: float
    twin_violation_ratio: float
    def __init__(self, violation_probability: _Optional[float] = ..., scm_cvar: _Optional[float] = ..., disagreement: _Optional[float] = ..., ood_score: _Optional[float] = ..., drift_state: _Optional[str] = ..., coverage_ratio: _Optional[_Mapping[str, float]] = ..., twin_scm_difference: _Optional[float] = ..., twin_violation_ratio: _Optional[float] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("outcome", "quantity", "unit", "now", "turning_point", "settable", "check")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    TURNING_POINT_FIELD_NUMBER: _ClassVar[int]
    SETTABLE_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    outcome: str
    quantity: str
    unit: str
    now: float
    turning_point: float
    settable: bool
    check: str
    def __init__(self, outcome: _Optional[str] = ..., quantity: _Optional[str] = ..., unit: _Optional[str] = ..., now: _Optional[float] = ..., turning_point: _Optional[float] = ..., settable: _Optional[bool] = ..., check: _Optional[str] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("proposal_id", "area_id", "step", "decision", "source", "fallback_reason", "moves", "forecasts", "outlooks", "binding", "checks", "confidence", "turns", "horizon_steps", "headline", "text", "text_source", "text_findings", "handling", "intents")
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_REASON_FIELD_NUMBER: _ClassVar[int]
    MOVES_FIELD_NUMBER: _ClassVar[int]
    FORECASTS_FIELD_NUMBER: _ClassVar[int]
    OUTLOOKS_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    HORIZON_STEPS_FIELD_NUMBER: _ClassVar[int]
    HEADLINE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TEXT_SOURCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FINDINGS_FIELD_NUMBER: _ClassVar[int]
    HANDLING_FIELD_NUMBER: _ClassVar[int]
    INTENTS_FIELD_NUMBER: _ClassVar[int]
    proposal_id: str
    area_id: str
    step: int
    decision: _policy_pb2.Decision
    source: str
    fallback_reason: str
    moves: _containers.RepeatedCompositeFieldContainer[Move]
    forecasts: _containers.RepeatedCompositeFieldContainer[KpiForecast]
    outlooks: _containers.RepeatedCompositeFieldContainer[PolicyOutlook]
    binding: Binding
    checks: _containers.RepeatedCompositeFieldContainer[CheckMargin]
    confidence: Confidence
    turns: _containers.RepeatedCompositeFieldContainer[Turn]
    horizon_steps: int
    headline: str
    text: str
    text_source: TextSource
    text_findings: _containers.RepeatedScalarFieldContainer[str]
    handling: _policy_pb2.Handling
    intents: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, proposal_id: _Optional[str] = ..., area_id: _Optional[str] = ..., step: _Optional[int] = ..., decision: _Optional[_Union[_policy_pb2.Decision, str]] = ..., source: _Optional[str] = ..., fallback_reason: _Optional[str] = ..., moves: _Optional[_Iterable[_Union[Move, _Mapping]]] = ..., forecasts: _Optional[_Iterable[_Union[KpiForecast, _Mapping]]] = ..., outlooks: _Optional[_Iterable[_Union[PolicyOutlook, _Mapping]]] = ..., binding: _Optional[_Union[Binding, _Mapping]] = ..., checks: _Optional[_Iterable[_Union[CheckMargin, _Mapping]]] = ..., confidence: _Optional[_Union[Confidence, _Mapping]] = ..., turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., horizon_steps: _Optional[int] = ..., headline: _Optional[str] = ..., text: _Optional[str] = ..., text_source: _Optional[_Union[TextSource, str]] = ..., text_findings: _Optional[_Iterable[str]] = ..., handling: _Optional[_Union[_policy_pb2.Handling, str]] = ..., intents: _Optional[_Iterable[str]] = ...) -> None: ...
