"""What no predictor of the field can foretell: the same state of the twin, played on under futures drawn anew.

From the state at the end of a window, noise and fading are drawn anew K times and the logged shares go on. The mean variance of
a feature over the draws is the least mean square error there is for whoever knows that state; over the variance of the truth it
gives a ceiling of R2. Two of them: `shocks_known` draws only noise and fading; `shocks_unknown` also draws the shocks and link
failures that had not begun, which is all that variant `history` can know and more (begun shocks are known to the metre). Both
know the shares that follow, which the Field World Model is not told: where shares act on a feature, its own ceiling lies lower.

R2 is given in physical units and of log(1 + value), the space the model works in: a mean square in milliseconds is ruled by the
few cells whose queue is full.

Shape suffixes: B windows, K draws, N episodes, T step offsets, H horizon steps, C cells, S slices, L links, F field features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.features import FIELD_FEATURES, field_features
from twm.core.frames import FrameArrays
from twm_bench.axes.episodes import Recording, Windows
from twm_bench.axes.field import FRAMES
from twm_bench.axes.scores import nanmean, plain, r2
from twm_bench.axes.served import FieldPredictor
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures
from twm_twin.recording import frame_blocks
from twm_twin.redraw import Moment, MomentPath
from twm_twin.simulator import Twin

Doubles = NDArray[np.float64]
DRAWS = 8
CEILINGS = ("shocks_known", "shocks_unknown")
HIDDEN_CELLS = 3
MAX_WINDOWS = 80
CHUNK = 16
LINEAR = ("offered_change_mbps",)
"""Features of either sign: taken as they are where the others are taken logarithmically."""
SHARES_ACT = (
    "served_mbps", "prb_used_ratio", "spectral_efficiency_bps_hz", "critical_delay_p99_ms", "loss_ratio", "queue_mbit",
    "route_used_ratio",
)  # fmt: skip
_STREAM = 0xCE11


class ForkedTwin(Twin):
    """Plays given futures from where their moments are; environments of one moment lie side by side."""

    def begin(self, paths: Sequence[MomentPath], futures: Sequence[Futures]) -> None:
        """The state to go on from: one path and some futures of it a moment."""
        counts = [len(future.demand_mbps_JHTCS) for future in futures]
        wide = lambda arrays: np.repeat(np.stack(arrays), counts, 0)
        self._demand = np.concatenate([future.demand_mbps_JHTCS for future in futures])
        self._fading = np.concatenate([future.fading_JHTC for future in futures])
        self._up = np.concatenate([future.link_capacity_mbps_JHL > 0 for future in futures])
        self.queue_mbit_BCS = np.concatenate([future.queue_mbit_JCS for future in futures]).copy()
        self.link_queue_mbit_BLS = np.concatenate([future.link_queue_mbit_JLS for future in futures]).copy()
        self.retry_mbit_BCS = np.concatenate([future.retry_mbit_JCS for future in futures]).copy()
        self._noise_BCQ = wide([path.geometry.noise_CQ for path in paths])
        self._interference_BCQJ = wide([path.geometry.interference_CQJ for path in paths])
        fractions = self.layout.demand_fraction_CS
        self._nominal_BCS = wide([path.geometry.capacity_mbps_C[:, None] * fractions for path in paths])

    @property
    def ready(self) -> bool:
        """Whether `begin` was called."""
        return hasattr(self, "_demand")

    def _exogenous(self) -> tuple[Doubles, Doubles, NDArray[np.bool_]]:
        at = self.step_index
        return self._demand[:, at], self._fading[:, at], self._up[:, at]


def spread_of(windows: Windows, *, shocks_known: bool, draws: int = DRAWS) -> tuple[Doubles, Doubles]:
    """Variance over draws of the field after each window [B, H, C, F], in physical units and logarithmic."""
    recording = windows.recording
    spec, horizon = recording.spec, recording.spec.timing.horizon_steps
    layout, queues = TwinLayout.of(spec), _queues(recording)
    found: tuple[list[Doubles], list[Doubles]] = [], []
    for begin in range(0, windows.count, CHUNK):
        picked = range(begin, min(begin + CHUNK, windows.count))
        paths, futures = [], []
        for b in picked:
            n, newest = int(windows.episode_B[b]), int(windows.newest_B[b])
            moment = Moment(
                int(recording.seed_N[n]), recording.scenarios[n], horizon, newest + 1, *(q[n, newest] for q in queues)
            )
            paths.append(MomentPath(layout, moment))
            generator = np.random.default_rng([_STREAM, n, newest, shocks_known])
            draw = paths[-1].other_noise if shocks_known else paths[-1].other_events
            futures.append(draw(draws, generator))
        twin = ForkedTwin(spec, len(picked) * draws)
        twin.begin(paths, futures)
        episode, newest_K = (np.repeat(column[list(picked)], draws) for column in (windows.episode_B, windows.newest_B))
        before = {name: block[episode, newest_K] for name, block in recording.blocks.items()}
        steps = []
        for h in range(horizon):
            shares = recording.prb_NTCS[episode, newest_K + 1 + h], recording.bandwidth_NTLS[episode, newest_K + 1 + h]
            blocks = frame_blocks(twin.frames(twin.step(*shares)))
            steps.append(field_features(blocks, before, spec).astype(np.float64))
            before = blocks
        field_BKHCF = np.stack(steps, 1).reshape(len(picked), draws, horizon, len(spec.cells), -1)
        for out, values in zip(found, (field_BKHCF, logarithmic(field_BKHCF)), strict=True):
            out.append(_variance(values))
    return np.concatenate(found[0]), np.concatenate(found[1])


def _variance(values_BKHCF: Doubles) -> Doubles:
    known = np.isfinite(values_BKHCF)
    count = known.sum(1)
    mean = np.where(known, values_BKHCF, 0.0).sum(1) / np.maximum(count, 1)
    squares = np.where(known, values_BKHCF - mean[:, None], 0.0) ** 2
    return np.asarray(np.where(count > 1, squares.sum(1) / np.maximum(count - 1, 1), np.nan))


def logarithmic(values_F: NDArray[np.floating]) -> Doubles:
    """Features [..., F] as log(1 + value), but those of either sign as they are."""
    linear = np.array([name in LINEAR for name in FIELD_FEATURES])
    values = np.asarray(values_F, np.float64)
    return np.where(linear, values, np.log1p(np.maximum(values, 0.0)))


def _queues(recording: Recording) -> tuple[Doubles, Doubles, Doubles]:
    """Queues after each step of the recorded episodes, [N, T, ...]: the same shares played again."""
    spec, count = recording.spec, len(recording.seed_N)
    twin = Twin(spec, count)
    twin.reset([int(s) for s in recording.seed_N], recording.scenarios, quiet_steps=spec.timing.horizon_steps)
    kept: tuple[list[Doubles], ...] = ([], [], [])
    for step in range(recording.steps):
        twin.step(recording.prb_NTCS[:, step], recording.bandwidth_NTLS[:, step])
        for out, queue in zip(kept, (twin.queue_mbit_BCS, twin.link_queue_mbit_BLS, twin.retry_mbit_BCS), strict=True):
            out.append(queue.copy())
    return np.stack(kept[0], 1), np.stack(kept[1], 1), np.stack(kept[2], 1)


def field_ceiling(windows: Windows, predictor: FieldPredictor, variant: str, *, draws: int = DRAWS) -> dict[str, Any]:
    """R2 of each feature beside its ceilings, in both spaces; and R2 of the present field of cells that report nothing."""
    windows = windows.thinned(MAX_WINDOWS)
    recording = windows.recording
    predicted, hidden, cells = [], [], []
    for b in range(windows.count):
        frames = recording.frames(int(windows.episode_B[b]), int(windows.newest_B[b]), FRAMES, variant)
        forecast = predictor(frames)
        middle = int(np.argmin(np.abs(np.array(forecast.quantile_levels) - 0.5)))
        predicted.append(forecast.quantiles_TQCF[:, middle])
        cells.append([(b + i * max(len(recording.spec.cells) // HIDDEN_CELLS, 1)) % len(recording.spec.cells)
                      for i in range(min(HIDDEN_CELLS, len(recording.spec.cells) - 1))])  # fmt: skip
        unreported = predictor([silenced(frame, cells[-1]) for frame in frames])
        hidden.append(unreported.quantiles_TQCF[0, middle][cells[-1]])
    offsets = np.array(forecast.step_offsets)
    ahead = np.concatenate([windows.past(recording.field_NTCF, 1), windows.ahead(recording.field_NTCF)], 1)
    truth_BTCF = ahead[:, offsets].astype(np.float64)
    median_BTCF = np.stack(predicted).astype(np.float64)
    silent_BCF = np.stack(hidden).astype(np.float64)
    rows = np.arange(windows.count)[:, None]
    silent_truth = truth_BTCF[rows, 0, np.array(cells)]
    spreads = {name: spread_of(windows, shocks_known=name == "shocks_known", draws=draws) for name in CEILINGS}
    features: dict[str, Any] = {}
    for f, name in enumerate(FIELD_FEATURES):
        truth = truth_BTCF[..., f]
        if not np.isfinite(truth).any():
            continue
        entry: dict[str, Any] = {"shares_act": name in SHARES_ACT}
        for space, convert in (("", lambda x: x), ("_log", logarithmic)):
            y, p = convert(truth_BTCF)[..., f], convert(median_BTCF)[..., f]
            entry[f"r2_now{space}"] = r2(p[:, :1], y[:, :1])
            entry[f"r2_ahead{space}"] = r2(p[:, 1:], y[:, 1:])
            entry[f"r2_unreported{space}"] = r2(convert(silent_BCF)[..., f], convert(silent_truth)[..., f])
            for ceiling, pair in spreads.items():
                lost = pair[space == "_log"][..., f][:, offsets[1:] - 1]
                entry[f"ceiling_{ceiling}{space}"] = ceiling_of(lost, y[:, 1:])
                entry[f"ceiling_{ceiling}_by_offset{space}"] = [
                    ceiling_of(lost[:, i : i + 1], y[:, i + 1 : i + 2]) for i in range(lost.shape[1])
                ]
            entry[f"r2_by_offset{space}"] = [r2(p[:, i], y[:, i]) for i in range(1, y.shape[1])]
        features[name] = entry
    keys = [key for key, value in next(iter(features.values())).items() if key != "shares_act" and not isinstance(value, list)]
    mean = {key: plain(float(nanmean(np.array([v[key] for v in features.values()], float)))) for key in keys}
    return {
        "windows": windows.count,
        "draws": draws,
        "hidden_cells": HIDDEN_CELLS,
        "step_offsets": [int(o) for o in offsets],
        "features": features,
        "mean": mean,
    }


def ceiling_of(variance: Doubles, truth: Doubles) -> float | None:
    """1 - mean irreducible variance / variance of the truth, over what was measured."""
    known = np.isfinite(truth)
    y = truth[known]
    spread = float(y.var()) if len(y) else 0.0
    return plain(1.0 - float(nanmean(np.where(known, variance, np.nan))) / spread) if spread > 1e-12 else None


def silenced(frame: FrameArrays, cells: Sequence[int]) -> FrameArrays:
    """The frame without anything these cells report."""
    blocks = {name: getattr(frame, name).copy() for name in ("cell_slice", "cell", "fast")}
    for block in blocks.values():
        block[list(cells)] = np.nan
    return replace(frame, **blocks)
