"""Has the network left the world the models know? An online monitor over (predicted quantiles, observed KPI) pairs.

Forecasts of neighbouring steps share what happens to them, so single pairs are far from independent. Pairs are pooled into
blocks of one horizon, and a block counts as one observation of each slice's KPI (batch means). Three things are watched:

coverage   share of observations inside the 90 % interval over the last blocks, with Wilson (binomial) bounds
residual   two-sided CUSUM (Page 1954) of the block's mean residual, per slice and KPI
surprise   Page's test, upwards, of the block's mean excess negative log score, per KPI

Residuals lie in z (twm.core.kpis), scaled so that the interval's ends are at +-1.645; the score is that of the two-piece
normal through median and ends. CUSUM and surprise are held against the first blocks after a model came into use (its baseline),
so that a lasting bias of a model is no drift; coverage is held against its nominal value. Memory is bounded, the state is one
JSON document.

Shape suffixes: O observed steps, Q quantile levels, S slices, P KPIs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError
from twm.core.kpis import KPI_NAMES, kpi_to_z

State = Literal["learning", "ok", "warn", "drift"]
STATES: tuple[State, ...] = ("learning", "ok", "warn", "drift")
FORMAT = 1
LOW, MEDIAN, HIGH = 0.05, 0.5, 0.95
NOMINAL = HIGH - LOW
END_SIGMA = 1.6449
"""Where the interval's ends lie in standard deviations of a normal."""
RESIDUAL_MAX, WIDTH_MIN = 6.0, 1e-3
SPREAD_MIN = {"residual": 0.15, "surprise": 0.15}
"""Least standard deviation taken for a block's residual and log surprise: a quiet baseline does not make everything loud."""
SQUARE_MIN = 0.05
"""Half mean squares of residuals below this are alike."""
LAG_MAX = 0.8
"""Largest correlation of neighbouring blocks that is allowed for."""
MAX_CHANGES = 16
MAX_STATE_BYTES = 1024 * 1024
_LEVEL_TOLERANCE = 1e-3

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DriftOptions:
    """How much is a drift."""

    block: int = 12
    """Forecasts in a block; a horizon of slow steps where there is one each step."""
    baseline_blocks: int = 16
    """Blocks that say what is usual."""
    coverage_blocks: int = 8
    """Newest blocks that coverage is taken over."""
    least_blocks: int = 4
    """Blocks before coverage is judged."""
    coverage_slack: float = 0.05
    """Coverage warns when its upper bound lies below the nominal one, and is a drift when it lies this far below."""
    confidence_sigma: float = 2.576
    """Width of the bounds [standard deviations]."""
    slack_sigma: float = 1.0
    """What a block may be off without counting [standard deviations of the baseline]."""
    warn_sigma: float = 6.0
    drift_sigma: float = 10.0
    """Sums of what counts that warn and that are a drift."""
    step_max_sigma: float = 4.0
    """A single block counts no more."""


@dataclass(frozen=True, kw_only=True)
class DriftStatus:
    """The monitor's word."""

    state: State
    reasons: tuple[str, ...]
    """What is off, worst first; empty where nothing is."""
    since_step: int
    """Slow step at which the state was entered; -1: none yet."""
    last_step: int
    """Slow step of the newest forecast that was looked at; -1: none yet."""
    model: str
    blocks: int
    coverage: dict[str, tuple[float, float, float]]
    """KPI to (share, lower, upper bound) over the last blocks."""
    residual: dict[str, float]
    """KPI to the largest CUSUM over slices [standard deviations]; empty while the baseline is learnt."""
    surprise: dict[str, float]
    """KPI to Page's statistic [standard deviations]; empty while the baseline is learnt."""
    surprise_nats: dict[str, float]
    """KPI to the newest block's mean excess negative log score [nats]; about 0 for a model that is right."""
    changes: tuple[tuple[int, State, str], ...]
    """Newest changes: (step, state, reason), oldest first."""


@dataclass
class _Series:
    """Baseline and sums of one kind of statistic. `early` [N, ...] are the baseline's blocks, NaN where not measured."""

    early: Array
    up: Array
    down: Array

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> _Series:
        return cls(np.zeros((0, *shape)), np.zeros(shape), np.zeros(shape))

    def feed(self, value: Array, floor: float, options: DriftOptions) -> None:
        """Take one block's value; NaN: not measured in it."""
        if len(self.early) < options.baseline_blocks:
            self.early = np.concatenate([self.early, value[None]])
            return
        known = np.isfinite(self.early)
        count = known.sum(0)
        mean = np.where(known, self.early, 0.0).sum(0) / np.maximum(count, 1)
        off = np.where(known, self.early - mean, 0.0)
        spread = np.maximum(np.sqrt((off**2).sum(0) / np.maximum(count - 1, 1)), floor) * _long_run(off)
        ready = np.isfinite(value) & (count >= options.baseline_blocks // 2)
        u = np.where(ready, (np.where(ready, value, 0.0) - mean) / spread, 0.0)
        u = np.clip(u, -options.step_max_sigma, options.step_max_sigma)
        cap = 2 * options.drift_sigma
        self.up = np.where(ready, np.clip(self.up + u - options.slack_sigma, 0, cap), self.up)
        self.down = np.where(ready, np.clip(self.down - u - options.slack_sigma, 0, cap), self.down)


def _long_run(off_N: Array) -> float:
    """Factor from the spread of a block to that of a sum of blocks, from the lag-1 correlation pooled over all series.

    Unbiased for short series after Marriott and Pope (1954).
    """
    n = len(off_N)
    total = float((off_N**2).sum())
    if n < 6 or total <= 0:
        return 1.0
    lag = (n * float((off_N[1:] * off_N[:-1]).sum()) / total + 1.0) / (n - 4)
    lag = min(max(lag, 0.0), LAG_MAX)
    return math.sqrt((1 + lag) / (1 - lag))


@dataclass
class _Pool:
    """Sums over the forecasts of the block in the making, each [S, P]."""

    forecasts: int
    count: Array
    inside: Array
    residual: Array
    surprise: Array

    @classmethod
    def zeros(cls, shape: tuple[int, int]) -> _Pool:
        return cls(0, *(np.zeros(shape) for _ in range(4)))


@dataclass
class _Window:
    """Coverage of the newest blocks: (share sum over slices, slices measured), each [P]."""

    blocks: list[tuple[list[float], list[float]]] = field(default_factory=list)


class DriftMonitor:
    """Watches one model on one network. Not thread-safe."""

    def __init__(self, slices: Sequence[str], options: DriftOptions | None = None, *, model: str = "") -> None:
        self._slices = tuple(slices)
        self._options = options or DriftOptions()
        self._changes: list[tuple[int, State, str]] = []
        self._state: State = "learning"
        self._since = self._last = -1
        self._model = model
        self._restart(model)

    def _restart(self, model: str) -> None:
        shape = (len(self._slices), len(KPI_NAMES))
        self._model = model
        self._blocks = 0
        self._pool = _Pool.zeros(shape)
        self._window = _Window()
        self._residual, self._surprise = _Series.zeros(shape), _Series.zeros(shape[1:])
        self._nats = np.full(shape[1], np.nan)

    def update(self, step: int, levels: Sequence[float], fan_OQSP: Array, kpi_OSP: Array, *, model: str = "") -> bool:
        """Take one forecast made at `step` and what was seen of its horizon; NaN where missing. Returns whether it counted.

        A forecast of another `model` starts a new baseline. A fan without the levels 5, 50 and 95 % does not count, nor does
        one of a step before the newest one.
        """
        found = compare(levels, fan_OQSP, kpi_OSP)
        if found is None or step <= self._last:
            return False
        inside, residual, known = found
        if not known.any():
            return False
        self._last = step
        if model != self._model:
            before = self._model
            self._restart(model)
            if before:
                self._enter("learning", f"model {model[:80] or '?'} after {before[:80]}")
        pool = self._pool
        pool.forecasts += 1
        pool.count += known.sum(0)
        pool.inside += (inside & known).sum(0)
        pool.residual += np.where(known, residual, 0.0).sum(0)
        pool.surprise += np.where(known, 0.5 * residual**2 - 0.5, 0.0).sum(0)
        if pool.forecasts >= self._options.block:
            self._close_block()
        return True

    def _close_block(self) -> None:
        pool, options = self._pool, self._options
        with np.errstate(invalid="ignore", divide="ignore"):
            share, residual, surprise = (
                np.where(pool.count > 0, x / pool.count, np.nan) for x in (pool.inside, pool.residual, pool.surprise)
            )
        measured = np.isfinite(share)
        self._window.blocks.append((np.where(measured, share, 0.0).sum(0).tolist(), measured.sum(0).astype(float).tolist()))
        del self._window.blocks[: -options.coverage_blocks]
        count = np.maximum(measured.sum(0), 1)
        self._nats = np.where(measured.any(0), np.where(measured, surprise, 0.0).sum(0) / count, np.nan)
        self._residual.feed(residual, SPREAD_MIN["residual"], options)
        # Mean squares are skewed, their logarithms much less so.
        self._surprise.feed(np.log(self._nats + 0.5 + SQUARE_MIN), SPREAD_MIN["surprise"], options)
        self._blocks += 1
        self._pool = _Pool.zeros(pool.count.shape)
        state, reasons = self._judge()
        if state != self._state:
            self._enter(state, "; ".join(reasons))

    def _enter(self, state: State, reason: str) -> None:
        self._state, self._since = state, self._last
        self._changes = [*self._changes, (self._last, state, reason[:300])][-MAX_CHANGES:]

    def _judge(self) -> tuple[State, list[str]]:
        options = self._options
        found: list[tuple[float, State, str]] = []
        if len(self._window.blocks) >= options.least_blocks:
            for name, (share, _, upper) in self._coverage().items():
                if upper < NOMINAL:
                    bad: State = "drift" if upper < NOMINAL - options.coverage_slack else "warn"
                    found.append(
                        (NOMINAL - upper + 1, bad, f"{name}: coverage {share:.2f}, at most {upper:.2f}, of {NOMINAL:.2f}")
                    )
        for p, name in enumerate(KPI_NAMES):
            for way, sums in (("above", self._residual.up), ("below", self._residual.down)):
                worst = int(np.argmax(sums[:, p]))
                found += self._over(float(sums[worst, p]), f"{name} of {self._slices[worst]}: {way} what was usual")
            found += self._over(float(self._surprise.up[p]), f"{name}: more surprising than usual")
        found.sort(key=lambda item: (-STATES.index(item[1]), -item[0]))
        if found:
            return found[0][1], [reason for _, _, reason in found]
        return ("learning" if self._blocks < options.baseline_blocks else "ok"), []

    def _over(self, value: float, text: str) -> list[tuple[float, State, str]]:
        options = self._options
        if value < options.warn_sigma:
            return []
        return [(value, "drift" if value >= options.drift_sigma else "warn", f"{text} (CUSUM {value:.1f})")]

    def _coverage(self) -> dict[str, tuple[float, float, float]]:
        inside, count = (
            np.array([block[i] for block in self._window.blocks]).reshape(-1, len(KPI_NAMES)).sum(0) for i in (0, 1)
        )
        return {
            name: (float(k / n), *wilson(float(k), float(n), self._options.confidence_sigma))
            for name, k, n in zip(KPI_NAMES, inside, count, strict=True)
            if n > 0
        }

    @property
    def model(self) -> str:
        """Model whose forecasts are watched."""
        return self._model

    def status(self) -> DriftStatus:
        """The monitor's word now."""
        learnt = self._blocks > self._options.baseline_blocks

        def series(values: Array) -> dict[str, float]:
            return {n: round(float(v), 3) for n, v in zip(KPI_NAMES, values, strict=True)} if learnt else {}

        return DriftStatus(
            state=self._state,
            reasons=tuple(self._judge()[1]) if self._blocks else (),
            since_step=self._since,
            last_step=self._last,
            model=self._model,
            blocks=self._blocks,
            coverage=self._coverage(),
            residual=series(np.maximum(self._residual.up, self._residual.down).max(0)),
            surprise=series(self._surprise.up),
            surprise_nats={n: round(float(v), 4) for n, v in zip(KPI_NAMES, self._nats, strict=True) if np.isfinite(v)},
            changes=tuple(self._changes),
        )

    def dump(self) -> bytes:
        """The whole state as JSON."""

        def lists(part: _Pool | _Series) -> dict[str, Any]:
            return {k: _json(v) if isinstance(v, np.ndarray) else v for k, v in vars(part).items()}

        data = {
            "format": FORMAT,
            "slices": self._slices,
            "options": asdict(self._options),
            "model": self._model,
            "state": self._state,
            "since": self._since,
            "last": self._last,
            "blocks": self._blocks,
            "changes": self._changes,
            "nats": _json(self._nats),
            "window": self._window.blocks,
            "pool": lists(self._pool),
            "residual": lists(self._residual),
            "surprise": lists(self._surprise),
        }
        return json.dumps(data, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def load(cls, data: bytes | None, slices: Sequence[str], options: DriftOptions | None = None) -> DriftMonitor:
        """From what `dump` wrote; a fresh monitor where there is nothing, or it was written for other slices or options.

        Raises InvalidInputError where the bytes are not a state at all.
        """
        fresh = cls(slices, options)
        if not data:
            return fresh
        try:
            found = json.loads(data[:MAX_STATE_BYTES])
            same = (found["format"], found["slices"], found["options"]) == (FORMAT, list(slices), asdict(fresh._options))
            return fresh._filled(found) if same else fresh
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise InvalidInputError(f"drift state: {data[:60]!r} is none: {type(error).__name__}") from error

    def _filled(self, found: dict[str, Any]) -> DriftMonitor:
        shape = (len(self._slices), len(KPI_NAMES))

        def arrays(part: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
            out: dict[str, Any] = {}
            for name, value in part.items():
                array = np.array(value, np.float64)
                if name == "early":
                    array = array.reshape(-1, *shape)
                elif not isinstance(value, int) and array.shape != shape:
                    raise ValueError(name)
                out[name] = value if isinstance(value, int) else array
            return out

        if found["state"] not in STATES:
            raise ValueError("state")
        self._model, self._state = str(found["model"]), found["state"]
        self._since, self._last, self._blocks = int(found["since"]), int(found["last"]), int(found["blocks"])
        self._changes = [(int(step), state, str(reason)) for step, state, reason in found["changes"]]
        self._nats = np.array(found["nats"], np.float64)
        self._window = _Window([(list(map(float, a)), list(map(float, b))) for a, b in found["window"]])
        self._pool = _Pool(**arrays(found["pool"], shape))
        self._residual = _Series(**arrays(found["residual"], shape))
        self._surprise = _Series(**arrays(found["surprise"], shape[1:]))
        return self


def compare(
    levels: Sequence[float], fan_OQSP: Array, kpi_OSP: Array
) -> tuple[NDArray[np.bool_], Array, NDArray[np.bool_]] | None:
    """(inside the 90 % interval, normalised residual, comparable), each [O, S, P]; None where the fan lacks a level."""
    at = [i for wanted in (LOW, MEDIAN, HIGH) if (i := _level(levels, wanted)) is not None]
    if len(at) < 3 or len(fan_OQSP) != len(kpi_OSP):
        return None
    fan, seen = np.asarray(fan_OQSP, np.float64), np.asarray(kpi_OSP, np.float64)
    known = np.isfinite(seen) & np.isfinite(fan[:, at]).all(1)
    low, median, high, y = (kpi_to_z(np.where(known, x, 1.0)) for x in (*(fan[:, i] for i in at), seen))
    slack = 1e-6
    inside = (y >= low - slack) & (y <= high + slack)
    side = np.where(y >= median, high - median, median - low)
    residual = np.clip(END_SIGMA * (y - median) / np.maximum(side, WIDTH_MIN), -RESIDUAL_MAX, RESIDUAL_MAX)
    return inside, residual, known


def _json(values: Array) -> Any:
    """Nested lists with None for NaN."""
    return np.where(np.isnan(values), None, values).tolist()  # type: ignore[call-overload]


def wilson(inside: float, count: float, sigma: float) -> tuple[float, float]:
    """Wilson score bounds of a share."""
    if count <= 0:
        return 0.0, 1.0
    p, z2 = inside / count, sigma * sigma
    centre = (p + z2 / (2 * count)) / (1 + z2 / count)
    half = sigma * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _level(levels: Sequence[float], wanted: float) -> int | None:
    distances = [abs(level - wanted) for level in levels]
    best = int(np.argmin(distances)) if distances else None
    return best if best is not None and distances[best] <= _LEVEL_TOLERANCE else None
