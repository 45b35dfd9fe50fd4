"""Two models on the same forecasts: quantile scores, and how much better the one is than the other, with an interval.

Forecasts of neighbouring steps share most of their horizon, so the interval comes from a circular block bootstrap (Politis and
Romano 1992) with blocks of two horizons.

Shape suffixes: N forecasts, O observed steps, Q quantile levels, S slices, P KPIs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.drift import compare
from twm.core.errors import InvalidInputError
from twm.core.kpis import kpi_to_z

MAX_ROWS = 1024
RESAMPLES = 2000
CONFIDENCE = 0.95
SCORE_MIN = 1e-3
"""Least score a KPI's gain is relative to [z]: one that is always predicted right does not count without end."""
FORMAT = 1

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Score:
    """One forecast held against what was seen."""

    quantile_SP: Array
    """Mean quantile (pinball) score in z, twice the mean over levels: about the CRPS; NaN where not measured."""
    inside: int
    """Observations inside the 90 % interval."""
    count: int
    """Observations compared with it."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """How much lower the challenger's scores are, relative to the champion's."""

    champion: str
    challenger: str
    count: int
    """Forecasts compared."""
    mean: float
    low: float
    high: float
    """Bounds of the 95 % interval."""
    champion_score: float
    challenger_score: float
    """Mean quantile scores [z]."""
    champion_coverage: float
    challenger_coverage: float
    first_step: int
    last_step: int

    def summary(self) -> dict[str, object]:
        """Rounded, for logs and cards."""
        return {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in asdict(self).items()}

    @classmethod
    def of(cls, data: object) -> Gain:
        """From `summary`. Raises InvalidInputError."""
        try:
            return cls(**data)  # type: ignore[arg-type]
        except TypeError as error:
            raise InvalidInputError(f"gain: {str(data)[:80]} is none") from error


def quantile_score(levels: Sequence[float], fan_OQSP: Array, seen_OSP: Array) -> Score:
    """Score of one forecast. Raises InvalidInputError where the fan lacks the levels 5, 50 and 95 %."""
    found = compare(levels, fan_OQSP, seen_OSP)
    if found is None:
        raise InvalidInputError(f"quantile levels {tuple(levels)}: need 0.05, 0.5 and 0.95, for {len(seen_OSP)} steps")
    inside, _, known = found
    level = np.asarray(levels, np.float64)[:, None, None]
    y = kpi_to_z(np.where(known, seen_OSP, 1.0))[:, None]
    error = y - kpi_to_z(np.where(known[:, None], fan_OQSP, 1.0))
    pinball_OSP = 2 * np.maximum(level * error, (level - 1) * error).mean(1)
    count_SP = known.sum(0)
    total_SP = np.where(known, pinball_OSP, 0.0).sum(0)
    score = np.where(count_SP > 0, total_SP / np.maximum(count_SP, 1), np.nan)
    return Score(quantile_SP=score, inside=int((inside & known).sum()), count=int(known.sum()))


class PairedScores:
    """The newest MAX_ROWS pairs of scores of one champion and one challenger."""

    def __init__(self, champion: str, challenger: str, block: int) -> None:
        """`block`: forecasts that share a horizon."""
        self.champion, self.challenger = champion, challenger
        self._block = block
        self._rows: list[tuple[int, list[float], list[float], tuple[int, int, int]]] = []

    @property
    def last_step(self) -> int:
        """Newest step compared; -1: none."""
        return self._rows[-1][0] if self._rows else -1

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, step: int, champion: Score, challenger: Score) -> None:
        """Take the scores of both models for the forecast made at `step`; steps must rise."""
        if step <= self.last_step or not champion.count or not challenger.count:
            return
        a, b = (np.round(s.quantile_SP.reshape(-1), 9) for s in (champion, challenger))
        counts = (champion.inside, challenger.inside, champion.count)
        self._rows = [*self._rows[-MAX_ROWS + 1 :], (step, a.tolist(), b.tolist(), counts)]

    def gain(self, seed: int = 0) -> Gain | None:
        """The challenger's gain; None where nothing was compared."""
        if not self._rows:
            return None
        a, b = (np.array([row[i] for row in self._rows]) for i in (1, 2))
        known = np.isfinite(a) & np.isfinite(b)

        def mean(x: Array) -> Array:
            return np.asarray(np.where(known, x, 0.0).sum(0) / np.maximum(known.sum(0), 1))

        scale = np.maximum(mean(a), SCORE_MIN)
        relative_N = np.where(known, (a - b) / scale, 0.0).sum(1) / np.maximum(known.sum(1), 1)
        low, high = block_interval(relative_N, 2 * self._block, seed)
        inside_a, inside_b, count = np.array([row[3] for row in self._rows]).sum(0)
        measured = known.any(0)
        return Gain(
            champion=self.champion,
            challenger=self.challenger,
            count=len(self._rows),
            mean=float(relative_N.mean()),
            low=low,
            high=high,
            champion_score=float(mean(a)[measured].mean()),
            challenger_score=float(mean(b)[measured].mean()),
            champion_coverage=float(inside_a / count),
            challenger_coverage=float(inside_b / count),
            first_step=self._rows[0][0],
            last_step=self._rows[-1][0],
        )

    def dump(self) -> bytes:
        """The state as JSON."""

        def clean(values: list[float]) -> list[float | None]:
            return [None if math.isnan(v) else v for v in values]

        rows = [(step, clean(a), clean(b), counts) for step, a, b, counts in self._rows]
        data = {"format": FORMAT, "champion": self.champion, "challenger": self.challenger, "block": self._block, "rows": rows}
        return json.dumps(data, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> PairedScores:
        """From what `dump` wrote. Raises InvalidInputError."""
        try:
            found: dict[str, Any] = json.loads(data)
            if found["format"] != FORMAT:
                raise ValueError("format")
            out = cls(str(found["champion"]), str(found["challenger"]), int(found["block"]))
            widths = set()
            for step, first_scores, second_scores, counts in found["rows"][-MAX_ROWS:]:
                a, b = (np.array(x, np.float64) for x in (first_scores, second_scores))
                widths |= {a.shape, b.shape}
                first, second, count = (int(v) for v in counts)
                out._rows.append((int(step), a.tolist(), b.tolist(), (first, second, count)))
            if len(widths) > 1 or any(len(shape) != 1 for shape in widths):
                raise ValueError("rows")
            return out
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(f"shadow scores: {data[:60]!r} are none: {type(error).__name__}") from error


def block_interval(values_N: Array, block: int, seed: int) -> tuple[float, float]:
    """95 % interval of the mean of a series; less than two blocks say nothing: (-inf, inf)."""
    n = len(values_N)
    if n < 2 * block:
        return float("-inf"), float("inf")
    generator = np.random.default_rng(seed)
    wrapped = np.concatenate([values_N, values_N[: block - 1]])
    sums = np.convolve(wrapped, np.ones(block), "valid")  # of the n blocks
    count = -(-n // block)
    means = sums[generator.integers(n, size=(RESAMPLES, count))].sum(1) / (count * block)
    low, high = np.quantile(means, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)
