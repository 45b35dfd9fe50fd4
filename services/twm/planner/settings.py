"""Settings of the planner: the common ones, and the sizes and times of a planning cycle."""

from __future__ import annotations

from pydantic import Field, model_validator

from twm.core.settings import ServiceSettings
from twm.planner.corner.settings import CornerSettings
from twm.planner.cycle_settings import CycleSettings
from twm.planner.goals import GoalSettings
from twm.planner.objective import ObjectiveWeights
from twm.planner.service import BacklogRules


class PlannerSettings(ServiceSettings):
    """Environment of `python -m twm.planner`."""

    plan_budget_s: float = Field(default=1.0, gt=0.01, le=600)
    """Wall time of a planning cycle [s]."""
    plan_grace_s: float = Field(default=0.5, ge=0, le=600)
    """Time beyond it that the last calls get before the reactive rule is proposed [s]."""
    plan_history_steps: int = Field(default=16, ge=1, le=256)
    """Frames the world model is shown; at least the window on its card."""
    plan_library_count: int = Field(default=64, ge=1, le=4096)
    """Library policies in the first round of the search."""
    plan_search_samples: int = Field(default=2, ge=1, le=256)
    """Exogenous samples while searching."""
    plan_final_samples: int = Field(default=8, ge=1, le=256)
    """Exogenous samples for finalists and fans."""
    plan_scenario_count: int = Field(default=4, ge=1, le=256)
    """Scenarios the twin plays for each finalist."""
    plan_verify_every: int = Field(default=1, ge=1, le=10_000)
    """The twin is asked in every so manieth slow step."""
    plan_saving_wanted_ratio: float = Field(default=ObjectiveWeights().saving_wanted_ratio, ge=0, le=1)
    """Control saving relative to uniform that is wanted: picks the point of the cost-compliance front."""
    plan_use_actor: bool = True
    """Whether the actor is asked, where there is one."""
    plan_corner_templates: bool = CornerSettings().templates
    """Whether corner cases are watched for and templates tried (`twm.planner.corner`)."""
    plan_corner_offers: bool = CornerSettings().offers
    """Whether template parameters from the gateway are read, where templates are tried."""
    plan_prescreen: bool = True
    """Whether structurally unsafe candidates are turned away before they are scored; not while an intent bounds the plan."""
    plan_accepted_violation: float = Field(default=GoalSettings().accepted_probability, ge=0, le=1)
    """Violation probability that counts as held where an intent names none; as the guardrail's rules have it."""
    plan_limit_lead_steps: int = Field(default=GoalSettings().lead_steps, ge=0, le=256)
    """Slow steps that an intent's limit is held before its window begins: as long as a policy holds (TWM_POLICY_TTL_STEPS)."""
    plan_reduced_above: int = Field(default=4, ge=0)
    """Frames waiting above which the search is one small round."""
    plan_reactive_above: int = Field(default=24, ge=0)
    """Frames waiting above which the reactive rule answers."""

    @model_validator(mode="after")
    def _consistent(self) -> PlannerSettings:
        if self.plan_scenario_count > self.plan_final_samples:
            raise ValueError(
                f"plan_scenario_count {self.plan_scenario_count} is over plan_final_samples {self.plan_final_samples}"
            )
        return self

    def cycle(self) -> CycleSettings:
        """Settings of the planning cycle."""
        return CycleSettings(
            budget_s=self.plan_budget_s,
            grace_s=self.plan_grace_s,
            library_count=self.plan_library_count,
            search_samples=self.plan_search_samples,
            final_samples=self.plan_final_samples,
            scenario_count=self.plan_scenario_count,
            verify_every=self.plan_verify_every,
            use_actor=self.plan_use_actor,
            corner=CornerSettings(
                templates=self.plan_corner_templates, offers=self.plan_corner_offers, prescreen=self.plan_prescreen
            ),
            weights=ObjectiveWeights(saving_wanted_ratio=self.plan_saving_wanted_ratio),
            goals=GoalSettings(accepted_probability=self.plan_accepted_violation, lead_steps=self.plan_limit_lead_steps),
        )

    def backlog(self) -> BacklogRules:
        """What happens when frames come faster than they are planned."""
        return BacklogRules(reduced_above=self.plan_reduced_above, reactive_above=self.plan_reactive_above)
