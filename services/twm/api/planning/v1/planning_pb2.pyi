import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from twm.api.intent.v1 import intent_pb2 as _intent_pb2
from twm.api.planning.v1 import trace_pb2 as _trace_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2 as _worldmodel_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProposalSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROPOSAL_SOURCE_UNSPECIFIED: _ClassVar[ProposalSource]
    PROPOSAL_SOURCE_SEARCH: _ClassVar[ProposalSource]
    PROPOSAL_SOURCE_REACTIVE_FALLBACK: _ClassVar[ProposalSource]
    PROPOSAL_SOURCE_ACTOR: _ClassVar[ProposalSource]
PROPOSAL_SOURCE_UNSPECIFIED: ProposalSource
PROPOSAL_SOURCE_SEARCH: ProposalSource
PROPOSAL_SOURCE_REACTIVE_FALLBACK: ProposalSource
PROPOSAL_SOURCE_ACTOR: ProposalSource

class Candidate(_message.Message):
    __slots__ = ("origin", "scm_mean", "violation_probability", "disagreement", "saving_ratio", "score", "scm_cvar", "slice_violation_probability", "ood_score", "move", "shortfall")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SCM_MEAN_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    DISAGREEMENT_FIELD_NUMBER: _ClassVar[int]
    SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SCM_CVAR_FIELD_NUMBER: _ClassVar[int]
    SLICE_VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    OOD_SCORE_FIELD_NUMBER: _ClassVar[int]
    MOVE_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    origin: str
    scm_mean: float
    violation_probability: float
    disagreement: float
    saving_ratio: float
    score: float
    scm_cvar: float
    slice_violation_probability: _containers.RepeatedScalarFieldContainer[float]
    ood_score: float
    move: float
    shortfall: float
    def __init__(self, origin: _Optional[str] = ..., scm_mean: _Optional[float] = ..., violation_probability: _Optional[float] = ..., disagreement: _Optional[float] = ..., saving_ratio: _Optional[float] = ..., score: _Optional[float] = ..., scm_cvar: _Optional[float] = ..., slice_violation_probability: _Optional[_Iterable[float]] = ..., ood_score: _Optional[float] = ..., move: _Optional[float] = ..., shortfall: _Optional[float] = ...) -> None: ...

class Objective(_message.Message):
    __slots__ = ("risk", "soft", "cvar", "shortfall", "disagreement", "ood", "ood_free", "saving_wanted_ratio", "saving_shortfall", "saving_extra", "churn")
    RISK_FIELD_NUMBER: _ClassVar[int]
    SOFT_FIELD_NUMBER: _ClassVar[int]
    CVAR_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    DISAGREEMENT_FIELD_NUMBER: _ClassVar[int]
    OOD_FIELD_NUMBER: _ClassVar[int]
    OOD_FREE_FIELD_NUMBER: _ClassVar[int]
    SAVING_WANTED_RATIO_FIELD_NUMBER: _ClassVar[int]
    SAVING_SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    SAVING_EXTRA_FIELD_NUMBER: _ClassVar[int]
    CHURN_FIELD_NUMBER: _ClassVar[int]
    risk: float
    soft: float
    cvar: float
    shortfall: float
    disagreement: float
    ood: float
    ood_free: float
    saving_wanted_ratio: float
    saving_shortfall: float
    saving_extra: float
    churn: float
    def __init__(self, risk: _Optional[float] = ..., soft: _Optional[float] = ..., cvar: _Optional[float] = ..., shortfall: _Optional[float] = ..., disagreement: _Optional[float] = ..., ood: _Optional[float] = ..., ood_free: _Optional[float] = ..., saving_wanted_ratio: _Optional[float] = ..., saving_shortfall: _Optional[float] = ..., saving_extra: _Optional[float] = ..., churn: _Optional[float] = ...) -> None: ...

class FrontPoint(_message.Message):
    __slots__ = ("saving_ratio", "scm_mean", "violation_probability", "origin", "candidate_index")
    SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    SCM_MEAN_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_INDEX_FIELD_NUMBER: _ClassVar[int]
    saving_ratio: float
    scm_mean: float
    violation_probability: float
    origin: str
    candidate_index: int
    def __init__(self, saving_ratio: _Optional[float] = ..., scm_mean: _Optional[float] = ..., violation_probability: _Optional[float] = ..., origin: _Optional[str] = ..., candidate_index: _Optional[int] = ...) -> None: ...

class Verification(_message.Message):
    __slots__ = ("candidate_index", "scm_mean", "violation_ratio", "saving_ratio", "passed", "score")
    CANDIDATE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SCM_MEAN_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_RATIO_FIELD_NUMBER: _ClassVar[int]
    SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    candidate_index: int
    scm_mean: float
    violation_ratio: float
    saving_ratio: float
    passed: bool
    score: float
    def __init__(self, candidate_index: _Optional[int] = ..., scm_mean: _Optional[float] = ..., violation_ratio: _Optional[float] = ..., saving_ratio: _Optional[float] = ..., passed: _Optional[bool] = ..., score: _Optional[float] = ...) -> None: ...

class KpiFan(_message.Message):
    __slots__ = ("policy", "kpi_names", "quantile_levels", "values")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    KPI_NAMES_FIELD_NUMBER: _ClassVar[int]
    QUANTILE_LEVELS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    policy: str
    kpi_names: _containers.RepeatedScalarFieldContainer[str]
    quantile_levels: _containers.RepeatedScalarFieldContainer[float]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, policy: _Optional[str] = ..., kpi_names: _Optional[_Iterable[str]] = ..., quantile_levels: _Optional[_Iterable[float]] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("part", "seconds")
    PART_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    part: str
    seconds: float
    def __init__(self, part: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class IntentOutcome(_message.Message):
    __slots__ = ("intent_id", "constraint_index", "violation_probability", "running_violation_probability", "kpi", "comparator", "bound", "predicted", "predicted_low", "predicted_high", "accepted_probability", "met", "reason", "basis", "held_bound", "reachable_bound", "reachable_saving_ratio", "reachable_any_violation", "running_predicted")
    INTENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINT_INDEX_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    RUNNING_VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    KPI_FIELD_NUMBER: _ClassVar[int]
    COMPARATOR_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_LOW_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_HIGH_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    HELD_BOUND_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_BOUND_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_ANY_VIOLATION_FIELD_NUMBER: _ClassVar[int]
    RUNNING_PREDICTED_FIELD_NUMBER: _ClassVar[int]
    intent_id: str
    constraint_index: int
    violation_probability: float
    running_violation_probability: float
    kpi: _intent_pb2.Kpi
    comparator: _intent_pb2.Comparator
    bound: float
    predicted: float
    predicted_low: float
    predicted_high: float
    accepted_probability: float
    met: bool
    reason: str
    basis: str
    held_bound: float
    reachable_bound: float
    reachable_saving_ratio: float
    reachable_any_violation: float
    running_predicted: float
    def __init__(self, intent_id: _Optional[str] = ..., constraint_index: _Optional[int] = ..., violation_probability: _Optional[float] = ..., running_violation_probability: _Optional[float] = ..., kpi: _Optional[_Union[_intent_pb2.Kpi, str]] = ..., comparator: _Optional[_Union[_intent_pb2.Comparator, str]] = ..., bound: _Optional[float] = ..., predicted: _Optional[float] = ..., predicted_low: _Optional[float] = ..., predicted_high: _Optional[float] = ..., accepted_probability: _Optional[float] = ..., met: _Optional[bool] = ..., reason: _Optional[str] = ..., basis: _Optional[str] = ..., held_bound: _Optional[float] = ..., reachable_bound: _Optional[float] = ..., reachable_saving_ratio: _Optional[float] = ..., reachable_any_violation: _Optional[float] = ..., running_predicted: _Optional[float] = ...) -> None: ...

class ObjectiveOutcome(_message.Message):
    __slots__ = ("intent_id", "wanted_ratio", "saving_ratio", "met", "reason", "hold_slas", "any_violation_probability", "accepted_probability", "reachable_saving_ratio", "reachable_any_violation")
    INTENT_ID_FIELD_NUMBER: _ClassVar[int]
    WANTED_RATIO_FIELD_NUMBER: _ClassVar[int]
    SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    MET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    HOLD_SLAS_FIELD_NUMBER: _ClassVar[int]
    ANY_VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    REACHABLE_ANY_VIOLATION_FIELD_NUMBER: _ClassVar[int]
    intent_id: str
    wanted_ratio: float
    saving_ratio: float
    met: bool
    reason: str
    hold_slas: bool
    any_violation_probability: float
    accepted_probability: float
    reachable_saving_ratio: float
    reachable_any_violation: float
    def __init__(self, intent_id: _Optional[str] = ..., wanted_ratio: _Optional[float] = ..., saving_ratio: _Optional[float] = ..., met: _Optional[bool] = ..., reason: _Optional[str] = ..., hold_slas: _Optional[bool] = ..., any_violation_probability: _Optional[float] = ..., accepted_probability: _Optional[float] = ..., reachable_saving_ratio: _Optional[float] = ..., reachable_any_violation: _Optional[float] = ...) -> None: ...

class CornerTrigger(_message.Message):
    __slots__ = ("kind", "scope", "value", "threshold")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    kind: str
    scope: str
    value: float
    threshold: float
    def __init__(self, kind: _Optional[str] = ..., scope: _Optional[str] = ..., value: _Optional[float] = ..., threshold: _Optional[float] = ...) -> None: ...

class CornerTemplate(_message.Message):
    __slots__ = ("name", "scope", "amount", "steps", "filled_by", "outcome", "scm_mean", "score", "twin_scm_mean")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    FILLED_BY_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SCM_MEAN_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TWIN_SCM_MEAN_FIELD_NUMBER: _ClassVar[int]
    name: str
    scope: str
    amount: float
    steps: int
    filled_by: str
    outcome: str
    scm_mean: float
    score: float
    twin_scm_mean: float
    def __init__(self, name: _Optional[str] = ..., scope: _Optional[str] = ..., amount: _Optional[float] = ..., steps: _Optional[int] = ..., filled_by: _Optional[str] = ..., outcome: _Optional[str] = ..., scm_mean: _Optional[float] = ..., score: _Optional[float] = ..., twin_scm_mean: _Optional[float] = ...) -> None: ...

class ScreenCount(_message.Message):
    __slots__ = ("reason", "count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    count: int
    def __init__(self, reason: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class CornerReport(_message.Message):
    __slots__ = ("triggers", "templates", "screened", "reason", "offer", "expected_mbps", "expected_std_mbps")
    TRIGGERS_FIELD_NUMBER: _ClassVar[int]
    TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    SCREENED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_MBPS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_STD_MBPS_FIELD_NUMBER: _ClassVar[int]
    triggers: _containers.RepeatedCompositeFieldContainer[CornerTrigger]
    templates: _containers.RepeatedCompositeFieldContainer[CornerTemplate]
    screened: _containers.RepeatedCompositeFieldContainer[ScreenCount]
    reason: str
    offer: str
    expected_mbps: _containers.RepeatedScalarFieldContainer[float]
    expected_std_mbps: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, triggers: _Optional[_Iterable[_Union[CornerTrigger, _Mapping]]] = ..., templates: _Optional[_Iterable[_Union[CornerTemplate, _Mapping]]] = ..., screened: _Optional[_Iterable[_Union[ScreenCount, _Mapping]]] = ..., reason: _Optional[str] = ..., offer: _Optional[str] = ..., expected_mbps: _Optional[_Iterable[float]] = ..., expected_std_mbps: _Optional[_Iterable[float]] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("proposal_id", "area_id", "step", "effective", "created", "spec_digest", "source", "fallback_reason", "policy", "running", "chosen_index", "candidates", "evaluation_count", "twin_call_count", "verifications", "fans", "predicted_scm", "running_predicted_scm", "violation_probability", "any_violation_probability", "disagreement", "ood_score", "saving_ratio", "models", "timings", "trace_id", "front", "alternatives", "runner_up_index", "objective", "trace", "tape", "intent_outcomes", "intent_set_version", "objective_outcomes", "intent_problem", "corner")
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_REASON_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_INDEX_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    TWIN_CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    VERIFICATIONS_FIELD_NUMBER: _ClassVar[int]
    FANS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_SCM_FIELD_NUMBER: _ClassVar[int]
    RUNNING_PREDICTED_SCM_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    ANY_VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    DISAGREEMENT_FIELD_NUMBER: _ClassVar[int]
    OOD_SCORE_FIELD_NUMBER: _ClassVar[int]
    SAVING_RATIO_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    FRONT_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    RUNNER_UP_INDEX_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    TAPE_FIELD_NUMBER: _ClassVar[int]
    INTENT_OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    INTENT_SET_VERSION_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    INTENT_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    CORNER_FIELD_NUMBER: _ClassVar[int]
    proposal_id: str
    area_id: str
    step: int
    effective: _timestamp_pb2.Timestamp
    created: _timestamp_pb2.Timestamp
    spec_digest: str
    source: ProposalSource
    fallback_reason: str
    policy: _worldmodel_pb2.PolicyBatch
    running: _worldmodel_pb2.PolicyBatch
    chosen_index: int
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    evaluation_count: int
    twin_call_count: int
    verifications: _containers.RepeatedCompositeFieldContainer[Verification]
    fans: _containers.RepeatedCompositeFieldContainer[KpiFan]
    predicted_scm: float
    running_predicted_scm: float
    violation_probability: _containers.RepeatedScalarFieldContainer[float]
    any_violation_probability: float
    disagreement: float
    ood_score: float
    saving_ratio: float
    models: _containers.RepeatedCompositeFieldContainer[_worldmodel_pb2.ModelIdentity]
    timings: _containers.RepeatedCompositeFieldContainer[Timing]
    trace_id: str
    front: _containers.RepeatedCompositeFieldContainer[FrontPoint]
    alternatives: _worldmodel_pb2.PolicyBatch
    runner_up_index: int
    objective: Objective
    trace: _containers.RepeatedCompositeFieldContainer[_trace_pb2.TraceStep]
    tape: _trace_pb2.DecisionTape
    intent_outcomes: _containers.RepeatedCompositeFieldContainer[IntentOutcome]
    intent_set_version: int
    objective_outcomes: _containers.RepeatedCompositeFieldContainer[ObjectiveOutcome]
    intent_problem: str
    corner: CornerReport
    def __init__(self, proposal_id: _Optional[str] = ..., area_id: _Optional[str] = ..., step: _Optional[int] = ..., effective: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., spec_digest: _Optional[str] = ..., source: _Optional[_Union[ProposalSource, str]] = ..., fallback_reason: _Optional[str] = ..., policy: _Optional[_Union[_worldmodel_pb2.PolicyBatch, _Mapping]] = ..., running: _Optional[_Union[_worldmodel_pb2.PolicyBatch, _Mapping]] = ..., chosen_index: _Optional[int] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., evaluation_count: _Optional[int] = ..., twin_call_count: _Optional[int] = ..., verifications: _Optional[_Iterable[_Union[Verification, _Mapping]]] = ..., fans: _Optional[_Iterable[_Union[KpiFan, _Mapping]]] = ..., predicted_scm: _Optional[float] = ..., running_predicted_scm: _Optional[float] = ..., violation_probability: _Optional[_Iterable[float]] = ..., any_violation_probability: _Optional[float] = ..., disagreement: _Optional[float] = ..., ood_score: _Optional[float] = ..., saving_ratio: _Optional[float] = ..., models: _Optional[_Iterable[_Union[_worldmodel_pb2.ModelIdentity, _Mapping]]] = ..., timings: _Optional[_Iterable[_Union[Timing, _Mapping]]] = ..., trace_id: _Optional[str] = ..., front: _Optional[_Iterable[_Union[FrontPoint, _Mapping]]] = ..., alternatives: _Optional[_Union[_worldmodel_pb2.PolicyBatch, _Mapping]] = ..., runner_up_index: _Optional[int] = ..., objective: _Optional[_Union[Objective, _Mapping]] = ..., trace: _Optional[_Iterable[_Union[_trace_pb2.TraceStep, _Mapping]]] = ..., tape: _Optional[_Union[_trace_pb2.DecisionTape, _Mapping]] = ..., intent_outcomes: _Optional[_Iterable[_Union[IntentOutcome, _Mapping]]] = ..., intent_set_version: _Optional[int] = ..., objective_outcomes: _Optional[_Iterable[_Union[ObjectiveOutcome, _Mapping]]] = ..., intent_problem: _Optional[str] = ..., corner: _Optional[_Union[CornerReport, _Mapping]] = ...) -> None: ...
