"""Whether two models are alike by the quality their cards hold, within the tolerances of one file (tolerances.yaml)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from twm.core.errors import InvalidInputError
from twm.core.zoo import ModelCard

TOLERANCES = Path(__file__).with_name("tolerances.yaml")

FigurePath = tuple[str, ...]


class Tolerance(BaseModel):
    """How far figures of a card may lie from those of another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    figure: str = Field(min_length=1)
    """Path in the quality, parts joined by `/`; `*` within a part matches anything."""
    over: str | None = None
    """Path of what the figure is divided by; its `*` stand for the same parts."""
    within: float = Field(gt=0)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One figure of two cards; None where a card does not have it."""

    model: str
    figure: str
    shipped: float | None
    found: float | None
    within: float

    @property
    def alike(self) -> bool:
        """Whether both are there and differ by no more than the tolerance."""
        if self.shipped is None or self.found is None:
            return False
        return abs(self.found - self.shipped) <= self.within + 1e-12


def load_tolerances(path: Path = TOLERANCES) -> dict[str, list[Tolerance]]:
    """Tolerances by model name. Raises InvalidInputError."""
    try:
        return TypeAdapter(dict[str, list[Tolerance]]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise InvalidInputError(f"{path}: {str(error)[:300]}") from error


def compare(shipped: ModelCard, found: ModelCard, tolerances: Sequence[Tolerance]) -> list[Compared]:
    """Every figure that a tolerance names. Raises InvalidInputError for a tolerance that names nothing in the shipped card."""
    theirs, ours = _figures(shipped.quality), _figures(found.quality)
    out: list[Compared] = []
    for tolerance in tolerances:
        parts = tuple(tolerance.figure.split("/"))
        paths = sorted({path for path in (*theirs, *ours) if _matches(path, parts)})
        if not any(path in theirs for path in paths):
            raise InvalidInputError(f"tolerances: {shipped.name}: {tolerance.figure}: no such figure in the shipped card")
        for path in paths:
            out.append(
                Compared(
                    model=shipped.name,
                    figure="/".join(path) + (" / " + tolerance.over.split("/")[-1] if tolerance.over else ""),
                    shipped=_figure(theirs, path, tolerance),
                    found=_figure(ours, path, tolerance),
                    within=tolerance.within,
                )
            )
    return out


def _matches(path: FigurePath, parts: Sequence[str]) -> bool:
    return len(path) == len(parts) and all(fnmatchcase(name, part) for name, part in zip(path, parts, strict=True))


def _figure(figures: Mapping[FigurePath, float], path: FigurePath, tolerance: Tolerance) -> float | None:
    value = figures.get(path)
    if value is None or tolerance.over is None:
        return value
    over = tolerance.over.split("/")
    base = figures.get(tuple(own if part == "*" else part for own, part in zip(path, over, strict=True)))
    return value / base if base else None


def _figures(quality: Mapping[str, Any]) -> dict[FigurePath, float]:
    return {path: value for path, value in _walk(quality, ()) if math.isfinite(value)}


def _walk(value: object, path: FigurePath) -> Iterator[tuple[FigurePath, float]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _walk(inner, (*path, str(key)))
    elif isinstance(value, int | float):
        yield path, float(value)
    elif isinstance(value, list | tuple):
        known = [float(v) for v in value if isinstance(v, int | float)]
        if known:
            yield path, sum(known) / len(known)
