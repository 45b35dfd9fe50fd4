"""Thresholds and sizes of corner cases: data, tuned on validation seeds only."""

from __future__ import annotations

from dataclasses import dataclass

from twm.core.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class CornerSettings:
    """When templates are tried, how far they may go, and what is turned away unscored."""

    templates: bool = False
    """Whether corner cases are watched for and templates tried."""
    prescreen: bool = False
    """Whether structurally unsafe candidates are turned away before they are scored."""
    offers: bool = True
    """Whether template parameters from the gateway are read (where templates are tried)."""

    field_risk: float = 1.25
    """Stress of a zone's worst cell, or of a link, from where it is a corner case: upper forecast demand over capacity, largest
    over the steps looked at."""
    field_level: float = 0.8
    """Quantile of the demand over the futures that the stress is taken at."""
    disagreement: float = 0.12
    """Disagreement of the ensemble on the plan of the search [SCM]."""
    surprise_sigma: float = 3.0
    """How far the demand of a zone or cell lay above its forecast for that step, in standard deviations of that forecast."""
    surprise_floor_ratio: float = 0.05
    """Least standard deviation that a forecast is credited with, as a share of its mean."""
    account_margin: float = 0.3
    """SLA margin that is still reachable in the window if nothing more goes wrong, below which it counts as nearly lost."""
    lost_margin: float = 0.0
    """Where less than this is reachable the window is lost, and nothing is tried for its sake."""

    look_steps: int = 3
    """Slow steps ahead that stress is looked for in."""
    amount: float = 1.0
    """Factor on the strength that the rules fill templates with."""
    per_trigger: int = 2
    """Kinds of trigger scopes (zones, cells, links) that templates are filled for, the worst first."""
    templates_max: int = 8
    """Templates tried in one decision."""
    prefer: float = 0.01
    """Predicted score of a template may be lower than that of the plan of the search by this [SCM]: what the world model likes
    best the search has found already."""
    harm_tolerance_scm: float = 0.0
    """Predicted SCM of a template may be lower than that of the running shares by this [SCM]."""
    harm_tolerance_violation: float = 0.02
    """Predicted violation probability of a template may be higher than that of the running shares by this."""
    twin_count: int = 4
    """Templates that the twin plays in one decision, the best by the world model."""
    twin_scenarios: int = 8
    """Futures that the twin plays a template, the plan of the search and the running shares in, at most those of the
    finalists. No template passes in fewer than 2, which say nothing of the error; 0: the twin is not asked."""
    twin_sigma: float = 2.0
    """Standard errors by which the gain over the plan of the search, in the same futures, must exceed what a template costs."""
    stress_demand: float = 0.0
    """Part of a surprise by which the twin's demand in the surprising zone is raised: 0 the futures as forecast, 1 as far above
    them as the last step was above its forecast."""

    starve_ratio: float = 0.3
    """A slice with less than this part of its expected need, where its cell or link has room, is starved."""
    hoard_ratio: float = 2.5
    """A slice with more than this many times its upper need, while another lacks, hoards."""
    oscillation_share: float = 0.08
    """Mean share that goes back and forth: moved by the last step and moved back by a candidate."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("field_risk", 0.1, 100.0),
            ("field_level", 0.0, 1.0),
            ("disagreement", 0.0, 10.0),
            ("surprise_sigma", 0.1, 100.0),
            ("surprise_floor_ratio", 0.001, 1.0),
            ("account_margin", -10.0, 1.0),
            ("lost_margin", -10.0, 1.0),
            ("look_steps", 1, 256),
            ("amount", 0.0, 4.0),
            ("per_trigger", 1, 16),
            ("templates_max", 1, 16),
            ("prefer", -1.0, 1.0),
            ("harm_tolerance_scm", 0.0, 1.0),
            ("harm_tolerance_violation", 0.0, 1.0),
            ("twin_count", 1, 16),
            ("twin_scenarios", 0, 256),
            ("twin_sigma", 0.0, 100.0),
            ("stress_demand", 0.0, 4.0),
            ("starve_ratio", 0.0, 1.0),
            ("hoard_ratio", 1.0, 100.0),
            ("oscillation_share", 0.0, 1.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise InvalidInputError(f"corner.{name}: {getattr(self, name)} is outside {low}..{high}")

    @property
    def on(self) -> bool:
        """Whether anything of it is in use."""
        return self.templates or self.prescreen
