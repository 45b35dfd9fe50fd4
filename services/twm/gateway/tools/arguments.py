"""Arguments of the tools: bounded, typed, nothing unknown. Their JSON schemas are what a model or an MCP client sees."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
MAX_STEP = 2**63 - 1


class Arguments(BaseModel):
    """Base: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Move(Arguments):
    """Give one slice more or less of something, somewhere."""

    slice: Name = Field(description="Slice id.")
    change: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = Field(
        description="Share added (negative: taken away): 0.1 is ten percentage points."
    )
    resource: Literal["prb", "bandwidth"] = Field(
        default="prb", description="PRB shares in cells, or bandwidth shares on links."
    )
    zone: Name | None = Field(default=None, description="Only in the cells of this zone.")
    cells: tuple[Name, ...] = Field(
        default=(), max_length=256, description="Only in these cells; empty: all of the zone or area."
    )
    links: tuple[Name, ...] = Field(default=(), max_length=256, description="Only on these links; empty: all.")


class Plan(Arguments):
    """Shares held over the horizon: a base, and what is changed in it. Floors and the sum of a row are kept."""

    base: Literal["running", "proposed", "uniform"] = Field(
        default="running", description="Shares in force, the newest proposal's first step, or the same share for every slice."
    )
    moves: tuple[Move, ...] = Field(default=(), max_length=16)


class QueryState(Arguments):
    """What was measured in the newest slow step."""

    cells: tuple[Name, ...] = Field(default=(), max_length=64, description="Cells to tell in detail; empty: slices only.")


class ForecastField(Arguments):
    """What the field model expects per cell."""

    features: tuple[Name, ...] = Field(
        default=("offered_mbps",), max_length=12, description="Field features; see the answer for names."
    )
    cells: tuple[Name, ...] = Field(default=(), max_length=64, description="Cells; empty: the zones' means.")


class ProposeCandidates(Arguments):
    """Plans worth a look: those of the newest decision, and the actor's."""

    count: Annotated[int, Field(ge=1, le=8)] = 5


class RollOut(Arguments):
    """What the world model predicts of plans, on common random numbers."""

    plans: tuple[Plan, ...] = Field(min_length=1, max_length=8)
    samples: Annotated[int, Field(ge=1, le=16)] = Field(default=8, description="Exogenous futures.")


class VerifyInTwin(Arguments):
    """What the digital twin says of plans."""

    plans: tuple[Plan, ...] = Field(min_length=1, max_length=3)
    scenarios: Annotated[int, Field(ge=1, le=4)] = 4


class Explain(Arguments):
    """Why the verdict on a decision is what it is."""

    step: Annotated[int, Field(ge=0, le=MAX_STEP)] | None = Field(
        default=None, description="Slow step; null: the newest verdict."
    )
