"""Settings of the planning cycle."""

from __future__ import annotations

from dataclasses import dataclass, field

from twm.core.errors import InvalidInputError
from twm.planner.contingency import OutageSettings
from twm.planner.corner.settings import CornerSettings
from twm.planner.finalists import FinalistSettings
from twm.planner.goals import GoalSettings
from twm.planner.memory import MAX_ALTERNATIVES
from twm.planner.objective import ObjectiveWeights, PlanLimits
from twm.planner.reactive import ReactiveParameters
from twm.planner.search import SearchSettings


@dataclass(frozen=True, kw_only=True)
class CycleSettings:
    """Sizes, times and taste of one planning cycle."""

    budget_s: float = 1.0
    """Wall time a cycle may take [s]; the search stops so that the rest fits in."""
    grace_s: float = 0.5
    """Time beyond the budget that the last calls get before the reactive rule is proposed [s]."""
    search_fraction: float = 0.7
    """Share of the budget in which a search round may still begin to end."""
    library_count: int = 64
    """Library policies in the first round (fewer where the world model is slow)."""
    rule_count: int = 0
    """Drawn answers of the reactive rule to the forecast in the first round."""
    search_samples: int = 2
    """Exogenous samples while searching."""
    final_samples: int = 8
    """Exogenous samples for finalists and fans."""
    rerank_count: int = 32
    """Best candidates of the search that are scored again on `final_samples`: the best of many on few was also lucky."""
    blend_counts: tuple[int, ...] = (4, 12, 24)
    """Means of so many of the best candidates are looked at too: what the search left to chance in each of them cancels out."""
    blend_bonus: float = 0.01
    """What a mean is preferred by [SCM]: a single best candidate is also the one whose noise the model likes best."""
    scenario_count: int = 4
    """Scenarios the twin plays for each finalist; 0: it is not asked, and the world model's word stands."""
    verify_every: int = 1
    """The twin is asked in every so manieth slow step; in the others the world model's word stands. The guardrail of the
    gateway wants the twin's word on each proposal, unless its rules say otherwise."""
    verify_harm: bool = False
    """The twin plays the best finalist and the reactive rule in the same futures, and the finalist stands where it is not the
    worse one. For so few twin calls that a share of violated futures says nothing."""
    remembered: int = 4
    """Good policies that differ, the proposed one among them, kept as seeds of the next decision."""
    account: bool = True
    """Whether plans are judged by the whole SLA window, what it has cost so far included; else by their own steps alone."""
    look_steps: int = 4
    """Slow steps ahead that a plan is judged by, at most to the end of the SLA window. Later steps will be decided again, with
    better knowledge; judged open-loop, their uncertainty hides what the next step does."""
    actor_seeds: bool = False
    """Whether the actor's plans are among the first candidates of a search. Trained in the same world model, it knows where it
    errs in its favour: on validation seeds searches without it ended better in the twin."""
    use_actor: bool = True
    """Whether the actor is asked, where there is one."""
    outage: OutageSettings = field(default_factory=OutageSettings)
    corner: CornerSettings = field(default_factory=CornerSettings)
    """Templates for corner cases, and the prescreen of candidates."""
    search: SearchSettings = field(default_factory=SearchSettings)
    finalists: FinalistSettings = field(default_factory=FinalistSettings)
    weights: ObjectiveWeights = field(default_factory=ObjectiveWeights)
    limits: PlanLimits = field(default_factory=PlanLimits)
    reactive: ReactiveParameters = field(default_factory=ReactiveParameters)
    goals: GoalSettings = field(default_factory=GoalSettings)
    """How active intents weigh against the standing objective."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("budget_s", 0.01, 3600.0),
            ("grace_s", 0.0, 3600.0),
            ("search_fraction", 0.05, 1.0),
            ("library_count", 1, 4096),
            ("rule_count", 0, 4096),
            ("search_samples", 1, 256),
            ("final_samples", 1, 256),
            ("scenario_count", 0, self.final_samples),
            ("rerank_count", 0, 4096),
            ("verify_every", 1, 10_000),
            ("look_steps", 1, 10_000),
            ("remembered", 1, MAX_ALTERNATIVES + 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise InvalidInputError(f"cycle.{name}: {getattr(self, name)} is outside {low}..{high}")
