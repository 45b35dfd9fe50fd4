"""What the benchmark writes: one unit of work, and the report `report.json` that all of them make.

The report in short (all SCM, savings and probabilities are ratios; seconds are wall time on one core)::

    spec_hash, network, created, command, seeds, scenarios, versions, models
    variants     {history | calendar: {method: MethodResult}}
    MethodResult .scores {scenario | "mean": Score}, .calls_per_horizon, .prepare_calls, .decision_s_p50, ...
    Score        .scm .scm_low .scm_high .saving .p_violation .p_violation_by_slice .regret .gap_recovered .horizons {...}
    comparisons  {history | calendar: {rival: {scenario | "mean": Difference}}}         twm - rival, paired over the seeds
    ablations    {history | calendar: {name: Ablation}}                                 with and without one part of twm
    absent       {method: why there is no result}
    calls        {method: twin calls for one horizon, and once before}
    targets, axes                                                 filled by twm_bench.targets and twm_bench.axes
    axes         .trajectory .ranking .field .speed .unseen .field_ceiling .traces .ceilings
    robustness   .rare: variants {variant: {event: {horizons, methods}}}, from the horizons above
    adaptation   demand rises in the middle of a run (twm_train.adapt.experiment)

"mean" is over all horizons of the four scenarios (the same number of seeds in each).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from twm.core.errors import InvalidInputError

MEAN = "mean"
REPORT_NAME = "report.json"


class Model(BaseModel):
    """Base: no unknown keys."""

    model_config = ConfigDict(extra="forbid")


class UnitResult(Model):
    """One unit of work: a method on a few seeds of a scenario. Lists run over the seeds, then slices or decisions."""

    key: str
    """Hash of all that the result depends on."""
    variant: str
    method: str
    scenario: str
    seeds: list[int]
    scm: list[float]
    saving: list[float]
    violated: list[list[bool]]
    loss: list[list[float]]
    delay_ms: list[list[float | None]]
    seconds: list[list[float]]
    """Wall time of each decision."""
    predicted_scm: list[list[float | None]]
    verified_scm: list[list[float | None]]
    twin_calls: list[int]
    """Twin calls of each decision of a horizon."""
    evaluations: list[int]
    """Candidates scored without the twin, for each decision of a horizon."""
    prepare_calls: int = 0
    """Twin calls once before, for this scenario."""
    notes: dict[str, int] = Field(default_factory=dict)
    """Where decisions came from, counted."""
    wall_s: float = 0.0


class Horizons(Model):
    """Values of each seed, in the order of `Report.seeds`; of "mean": scenario by scenario."""

    scm: list[float]
    saving: list[float]
    violated: list[bool]


class Score(Model):
    """One method on one scenario, or on all ("mean")."""

    count: int
    """Horizons."""
    scm: float
    """Mean of the per-horizon SCM: the headline."""
    scm_low: float
    scm_high: float
    """Bootstrap 95 % interval of the mean over the seeds."""
    scm_worst_5_percent: float
    """Mean SCM of the worst twentieth of the horizons."""
    scm_of_mean_losses: float
    """SCM of losses and delays averaged over the horizons first: one lost horizon with a delay of seconds makes it 0."""
    scm_of_median_kpis: float | None = None
    """SCM of the medians of losses and delays over the horizons: what the typical horizon keeps."""
    saving: float
    """Control saving relative to uniform."""
    p_violation: float
    """Share of horizons in which any SLA is broken."""
    p_violation_by_slice: dict[str, float]
    loss_by_slice: dict[str, float]
    delay_p99_ms_by_slice: dict[str, float | None]
    regret: float | None = None
    """SCM of the oracle less this."""
    gap_recovered: float | None = None
    """(method - uniform) / (oracle - uniform), of means."""
    horizons: Horizons


class MethodResult(Model):
    """One method in one variant."""

    scores: dict[str, Score]
    """By scenario, and "mean"."""
    calls_per_horizon: float
    """Twin calls in a horizon of decisions."""
    prepare_calls: int = 0
    """Twin calls once before, for each scenario."""
    evaluations_per_decision: float
    """Candidates scored without the twin."""
    decision_s_p50: float
    decision_s_p99: float
    predicted_scm: float | None = None
    """Mean SCM that was predicted for what was decided."""
    verified_scm: float | None = None
    """Mean SCM that the twin found for it."""
    notes: dict[str, int] = Field(default_factory=dict)


class Difference(Model):
    """Mean difference of SCM over paired horizons with its bootstrap 95 % interval."""

    mean: float
    low: float
    high: float
    better: float
    """Share of horizons in which the first is better."""


class Ablation(Model):
    """`twm` without one of its parts, on fewer seeds where that was asked for."""

    result: MethodResult
    difference: dict[str, Difference]
    """twm - ablation on the same seeds, by scenario and "mean": what the part is worth."""


class SeedsUsed(Model):
    """Seeds of every scenario."""

    purpose: str
    """Range of twm_twin.seeds: "evaluation", or "validation" of a quick or tuning run."""
    seeds: list[int]
    ablation_seeds: list[int]


class Report(Model):
    """report.json."""

    spec_hash: str
    """Digest of the frozen network spec."""
    network: str
    created: str
    """UTC, ISO 8601."""
    command: str
    seeds: SeedsUsed
    scenarios: list[str]
    versions: dict[str, str]
    models: dict[str, dict[str, str]]
    """Model folder's role ("cdwm", "fwm", "actor", "analytic", ...) to version and digest."""
    variants: dict[str, dict[str, MethodResult]]
    comparisons: dict[str, dict[str, dict[str, Difference]]]
    ablations: dict[str, dict[str, Ablation]]
    absent: dict[str, str]
    calls: dict[str, dict[str, float]]
    """Method to {"horizon": ..., "before": ...}."""
    wall_s: float
    """Sum of the units' wall time: CPU time where a unit has a core."""
    targets: dict[str, Any] = Field(default_factory=dict)
    axes: dict[str, Any] = Field(default_factory=dict)
    robustness: dict[str, Any] = Field(default_factory=dict)
    adaptation: dict[str, Any] = Field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write `report.json` into the folder; returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / REPORT_NAME
        partial = path.with_suffix(".partial")
        partial.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
        return path

    @classmethod
    def read(cls, folder: Path) -> Report:
        """Read a folder's report. Raises InvalidInputError where there is none, or it is not one."""
        path = folder / REPORT_NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
        except ValidationError as error:
            raise InvalidInputError(f"{path}: not a report: {str(error)[:500]}") from error
