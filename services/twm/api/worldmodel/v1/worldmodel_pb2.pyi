from buf.validate import validate_pb2 as _validate_pb2
from twm.api.intent.v1 import intent_pb2 as _intent_pb2
from twm.api.telemetry.v1 import telemetry_pb2 as _telemetry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PolicyBatch(_message.Message):
    __slots__ = ("policy_count", "step_count", "prb_share", "bandwidth_share")
    POLICY_COUNT_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    PRB_SHARE_FIELD_NUMBER: _ClassVar[int]
    BANDWIDTH_SHARE_FIELD_NUMBER: _ClassVar[int]
    policy_count: int
    step_count: int
    prb_share: _containers.RepeatedScalarFieldContainer[float]
    bandwidth_share: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, policy_count: _Optional[int] = ..., step_count: _Optional[int] = ..., prb_share: _Optional[_Iterable[float]] = ..., bandwidth_share: _Optional[_Iterable[float]] = ...) -> None: ...

class ModelIdentity(_message.Message):
    __slots__ = ("name", "version", "digest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    digest: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class PredictFieldRequest(_message.Message):
    __slots__ = ("area_id", "history")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    history: _containers.RepeatedCompositeFieldContainer[_telemetry_pb2.KpiFrame]
    def __init__(self, area_id: _Optional[str] = ..., history: _Optional[_Iterable[_Union[_telemetry_pb2.KpiFrame, _Mapping]]] = ...) -> None: ...

class PredictFieldResponse(_message.Message):
    __slots__ = ("feature_names", "quantile_levels", "step_offsets", "values", "model", "demand_levels", "demand_mbps")
    FEATURE_NAMES_FIELD_NUMBER: _ClassVar[int]
    QUANTILE_LEVELS_FIELD_NUMBER: _ClassVar[int]
    STEP_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DEMAND_LEVELS_FIELD_NUMBER: _ClassVar[int]
    DEMAND_MBPS_FIELD_NUMBER: _ClassVar[int]
    feature_names: _containers.RepeatedScalarFieldContainer[str]
    quantile_levels: _containers.RepeatedScalarFieldContainer[float]
    step_offsets: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    model: ModelIdentity
    demand_levels: _containers.RepeatedScalarFieldContainer[float]
    demand_mbps: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, feature_names: _Optional[_Iterable[str]] = ..., quantile_levels: _Optional[_Iterable[float]] = ..., step_offsets: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., model: _Optional[_Union[ModelIdentity, _Mapping]] = ..., demand_levels: _Optional[_Iterable[float]] = ..., demand_mbps: _Optional[_Iterable[float]] = ...) -> None: ...

class SlaAccount(_message.Message):
    __slots__ = ("remaining_steps", "offered_mbps_steps", "loss_ratio", "delay_p99_ms")
    REMAINING_STEPS_FIELD_NUMBER: _ClassVar[int]
    OFFERED_MBPS_STEPS_FIELD_NUMBER: _ClassVar[int]
    LOSS_RATIO_FIELD_NUMBER: _ClassVar[int]
    DELAY_P99_MS_FIELD_NUMBER: _ClassVar[int]
    remaining_steps: int
    offered_mbps_steps: _containers.RepeatedScalarFieldContainer[float]
    loss_ratio: _containers.RepeatedScalarFieldContainer[float]
    delay_p99_ms: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, remaining_steps: _Optional[int] = ..., offered_mbps_steps: _Optional[_Iterable[float]] = ..., loss_ratio: _Optional[_Iterable[float]] = ..., delay_p99_ms: _Optional[_Iterable[float]] = ...) -> None: ...

class Contingency(_message.Message):
    __slots__ = ("down_links", "probability")
    DOWN_LINKS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    down_links: _containers.RepeatedScalarFieldContainer[int]
    probability: float
    def __init__(self, down_links: _Optional[_Iterable[int]] = ..., probability: _Optional[float] = ...) -> None: ...

class AssumedState(_message.Message):
    __slots__ = ("demand_factor", "link_factor")
    DEMAND_FACTOR_FIELD_NUMBER: _ClassVar[int]
    LINK_FACTOR_FIELD_NUMBER: _ClassVar[int]
    demand_factor: _containers.RepeatedScalarFieldContainer[float]
    link_factor: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, demand_factor: _Optional[_Iterable[float]] = ..., link_factor: _Optional[_Iterable[float]] = ...) -> None: ...

class KpiTarget(_message.Message):
    __slots__ = ("kpi", "comparator", "bound", "slices", "cells", "links", "steps", "states", "accepted_probability")
    KPI_FIELD_NUMBER: _ClassVar[int]
    COMPARATOR_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    kpi: _intent_pb2.Kpi
    comparator: _intent_pb2.Comparator
    bound: float
    slices: _containers.RepeatedScalarFieldContainer[int]
    cells: _containers.RepeatedScalarFieldContainer[int]
    links: _containers.RepeatedScalarFieldContainer[int]
    steps: _containers.RepeatedScalarFieldContainer[int]
    states: _containers.RepeatedScalarFieldContainer[int]
    accepted_probability: float
    def __init__(self, kpi: _Optional[_Union[_intent_pb2.Kpi, str]] = ..., comparator: _Optional[_Union[_intent_pb2.Comparator, str]] = ..., bound: _Optional[float] = ..., slices: _Optional[_Iterable[int]] = ..., cells: _Optional[_Iterable[int]] = ..., links: _Optional[_Iterable[int]] = ..., steps: _Optional[_Iterable[int]] = ..., states: _Optional[_Iterable[int]] = ..., accepted_probability: _Optional[float] = ...) -> None: ...

class RolloutRequest(_message.Message):
    __slots__ = ("area_id", "history", "policies", "sample_count", "seed", "with_trajectories", "account", "exogenous_only", "contingencies", "states", "targets")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    WITH_TRAJECTORIES_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    EXOGENOUS_ONLY_FIELD_NUMBER: _ClassVar[int]
    CONTINGENCIES_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    history: _containers.RepeatedCompositeFieldContainer[_telemetry_pb2.KpiFrame]
    policies: PolicyBatch
    sample_count: int
    seed: int
    with_trajectories: bool
    account: SlaAccount
    exogenous_only: bool
    contingencies: _containers.RepeatedCompositeFieldContainer[Contingency]
    states: _containers.RepeatedCompositeFieldContainer[AssumedState]
    targets: _containers.RepeatedCompositeFieldContainer[KpiTarget]
    def __init__(self, area_id: _Optional[str] = ..., history: _Optional[_Iterable[_Union[_telemetry_pb2.KpiFrame, _Mapping]]] = ..., policies: _Optional[_Union[PolicyBatch, _Mapping]] = ..., sample_count: _Optional[int] = ..., seed: _Optional[int] = ..., with_trajectories: _Optional[bool] = ..., account: _Optional[_Union[SlaAccount, _Mapping]] = ..., exogenous_only: _Optional[bool] = ..., contingencies: _Optional[_Iterable[_Union[Contingency, _Mapping]]] = ..., states: _Optional[_Iterable[_Union[AssumedState, _Mapping]]] = ..., targets: _Optional[_Iterable[_Union[KpiTarget, _Mapping]]] = ...) -> None: ...

class RolloutResponse(_message.Message):
    __slots__ = ("scm_mean", "violation_probability", "any_violation_probability", "disagreement", "ood_score", "quantile_levels", "kpi_names", "kpi_quantiles", "exogenous_scenarios", "sample_count", "models", "scm_cvar", "shortfall", "soft_margin", "target_predicted", "target_violation", "target_excess", "target_quantiles", "target_reach")
    SCM_MEAN_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    ANY_VIOLATION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    DISAGREEMENT_FIELD_NUMBER: _ClassVar[int]
    OOD_SCORE_FIELD_NUMBER: _ClassVar[int]
    QUANTILE_LEVELS_FIELD_NUMBER: _ClassVar[int]
    KPI_NAMES_FIELD_NUMBER: _ClassVar[int]
    KPI_QUANTILES_FIELD_NUMBER: _ClassVar[int]
    EXOGENOUS_SCENARIOS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    SCM_CVAR_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_FIELD_NUMBER: _ClassVar[int]
    SOFT_MARGIN_FIELD_NUMBER: _ClassVar[int]
    TARGET_PREDICTED_FIELD_NUMBER: _ClassVar[int]
    TARGET_VIOLATION_FIELD_NUMBER: _ClassVar[int]
    TARGET_EXCESS_FIELD_NUMBER: _ClassVar[int]
    TARGET_QUANTILES_FIELD_NUMBER: _ClassVar[int]
    TARGET_REACH_FIELD_NUMBER: _ClassVar[int]
    scm_mean: _containers.RepeatedScalarFieldContainer[float]
    violation_probability: _containers.RepeatedScalarFieldContainer[float]
    any_violation_probability: _containers.RepeatedScalarFieldContainer[float]
    disagreement: _containers.RepeatedScalarFieldContainer[float]
    ood_score: _containers.RepeatedScalarFieldContainer[float]
    quantile_levels: _containers.RepeatedScalarFieldContainer[float]
    kpi_names: _containers.RepeatedScalarFieldContainer[str]
    kpi_quantiles: _containers.RepeatedScalarFieldContainer[float]
    exogenous_scenarios: _containers.RepeatedScalarFieldContainer[float]
    sample_count: int
    models: _containers.RepeatedCompositeFieldContainer[ModelIdentity]
    scm_cvar: _containers.RepeatedScalarFieldContainer[float]
    shortfall: _containers.RepeatedScalarFieldContainer[float]
    soft_margin: _containers.RepeatedScalarFieldContainer[float]
    target_predicted: _containers.RepeatedScalarFieldContainer[bool]
    target_violation: _containers.RepeatedScalarFieldContainer[float]
    target_excess: _containers.RepeatedScalarFieldContainer[float]
    target_quantiles: _containers.RepeatedScalarFieldContainer[float]
    target_reach: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, scm_mean: _Optional[_Iterable[float]] = ..., violation_probability: _Optional[_Iterable[float]] = ..., any_violation_probability: _Optional[_Iterable[float]] = ..., disagreement: _Optional[_Iterable[float]] = ..., ood_score: _Optional[_Iterable[float]] = ..., quantile_levels: _Optional[_Iterable[float]] = ..., kpi_names: _Optional[_Iterable[str]] = ..., kpi_quantiles: _Optional[_Iterable[float]] = ..., exogenous_scenarios: _Optional[_Iterable[float]] = ..., sample_count: _Optional[int] = ..., models: _Optional[_Iterable[_Union[ModelIdentity, _Mapping]]] = ..., scm_cvar: _Optional[_Iterable[float]] = ..., shortfall: _Optional[_Iterable[float]] = ..., soft_margin: _Optional[_Iterable[float]] = ..., target_predicted: _Optional[_Iterable[bool]] = ..., target_violation: _Optional[_Iterable[float]] = ..., target_excess: _Optional[_Iterable[float]] = ..., target_quantiles: _Optional[_Iterable[float]] = ..., target_reach: _Optional[_Iterable[float]] = ...) -> None: ...

class ProposeRequest(_message.Message):
    __slots__ = ("area_id", "history", "running", "saving_wanted_ratio")
    AREA_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    SAVING_WANTED_RATIO_FIELD_NUMBER: _ClassVar[int]
    area_id: str
    history: _containers.RepeatedCompositeFieldContainer[_telemetry_pb2.KpiFrame]
    running: PolicyBatch
    saving_wanted_ratio: float
    def __init__(self, area_id: _Optional[str] = ..., history: _Optional[_Iterable[_Union[_telemetry_pb2.KpiFrame, _Mapping]]] = ..., running: _Optional[_Union[PolicyBatch, _Mapping]] = ..., saving_wanted_ratio: _Optional[float] = ...) -> None: ...

class ProposeResponse(_message.Message):
    __slots__ = ("policies", "model")
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    policies: PolicyBatch
    model: ModelIdentity
    def __init__(self, policies: _Optional[_Union[PolicyBatch, _Mapping]] = ..., model: _Optional[_Union[ModelIdentity, _Mapping]] = ...) -> None: ...
