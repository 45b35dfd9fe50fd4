"""Seed ranges, disjoint: what was trained, validated or calibrated on is never evaluated on."""

from __future__ import annotations

from typing import Literal, get_args

from twm.core.errors import InvalidInputError

Purpose = Literal["evaluation", "calibration", "training", "validation"]

RANGES: dict[str, range] = {
    "evaluation": range(0, 32),
    "calibration": range(10000, 10064),
    "training": range(0xA0000, 0xB0000),
    "validation": range(0xB0000, 0xC0000),
}
"""Purpose to seeds; evaluation is per scenario, validation also serves conformal corrections."""


def seeds(purpose: Purpose, count: int, first: int = 0) -> list[int]:
    """`count` seeds of a range from its `first`-th on. Raises InvalidInputError where the range does not hold them."""
    if purpose not in get_args(Purpose):
        raise InvalidInputError(f"purpose: {purpose!r} is not one of {', '.join(RANGES)}")
    allowed = RANGES[purpose]
    if first < 0 or count < 0 or first + count > len(allowed):
        raise InvalidInputError(f"seeds: {first} .. {first + count} is outside the {len(allowed)} seeds of {purpose}")
    return list(allowed[first : first + count])


def purpose_of(seed: int) -> Purpose | None:
    """Range a seed lies in; None where it lies in none (free for demonstrations)."""
    return next((purpose for purpose in get_args(Purpose) if seed in RANGES[purpose]), None)


def require(purpose: Purpose, chosen: list[int]) -> None:
    """Raise InvalidInputError unless every seed lies in the range of `purpose`."""
    for seed in chosen:
        if seed not in RANGES[purpose]:
            held = RANGES[purpose]
            raise InvalidInputError(f"seed: {seed} is outside {held.start}..{held.stop - 1}, the range for {purpose}")
