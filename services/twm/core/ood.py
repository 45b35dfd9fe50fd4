"""How far a history and a policy lie from the training data.

Root mean square z-score of a short summary, relative to the radius that holds 99 % of the training data.

Shape suffixes: W history frames, D_h columns, K policies, H steps, A action columns, C cells, S slices, L links.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from twm.core.features import HistoryLayout
from twm.core.frames import CELL_SLICE_FEATURES, Float
from twm.core.network import NetworkSpec
from twm.core.zoo import OodStatistics

KNOWN_SHARE_STD_MIN = 0.15
"""Least standard deviation taken for the share of known values.

Training frames come from one twin, so it hardly varies there, while the models are trained on histories that begin with missing
frames: a network that reports less is further away, not infinitely far.
"""


def history_summary(history: Float, spec: NetworkSpec) -> NDArray[np.float64]:
    """Summary [..., C*S + C + S + L + 1] of histories [..., W, D_h].

    Mean log load per cell and slice, SE per cell, loss per slice, link capacity, share of values known.
    """
    layout = HistoryLayout.of(spec)

    def mean(name: str, feature: int) -> NDArray[np.float64]:
        columns, shape = layout.blocks[name]
        value = history[..., columns].reshape(*history.shape[:-1], *shape)[..., feature].astype(np.float64)
        known = history[..., layout.known(name)].reshape(*history.shape[:-1], *shape)[..., feature].astype(np.float64)
        axis = value.ndim - len(shape)
        return np.asarray((value * known).sum(axis) / np.maximum(known.sum(axis), 1.0))

    offered = mean("cell_slice", CELL_SLICE_FEATURES.index("offered_mbps"))
    loss = mean("cell_slice", CELL_SLICE_FEATURES.index("e2e_loss_ratio"))
    known_share = history[..., layout.value_count :].mean((-1, -2), keepdims=False)[..., None]
    return np.concatenate(
        [
            np.log1p(np.maximum(offered, 0)).reshape(*offered.shape[:-2], -1),
            mean("cell", 0),
            loss.mean(-2),
            mean("link", 0),
            known_share,
        ],
        -1,
    )


def action_summary(action_KHA: Float, spec: NetworkSpec) -> NDArray[np.float64]:
    """Summary [..., 3*S*2 + 3] of policies [..., H, A]: mean, least and spread of each slice's shares, row sums, change."""
    c, s, n_links = spec.sizes
    leading, (h, a) = action_KHA.shape[:-2], action_KHA.shape[-2:]
    # policies innermost: sums over short axes of the other order take five times as long
    action_HAK = np.ascontiguousarray(action_KHA.reshape(math.prod(leading), h, a).transpose(1, 2, 0), np.float64)
    count = action_HAK.shape[-1]
    prb_HCSK = action_HAK[:, : c * s].reshape(h, c, s, count)
    parts = []
    for shares_HRSK in (prb_HCSK, action_HAK[:, c * s :].reshape(h, n_links, s, count)):
        if shares_HRSK.shape[1] == 0:
            parts.append(np.zeros((3 * s, count)))
            continue
        parts += [shares_HRSK.mean((0, 1)), shares_HRSK.min((0, 1)), shares_HRSK.std((0, 1))]
    rows_sum_HCK = prb_HCSK.sum(2)
    change_K = np.abs(np.diff(action_HAK, axis=0)).mean((0, 1)) if h > 1 else np.zeros(count)
    summary = np.concatenate([*parts, np.stack([rows_sum_HCK.mean((0, 1)), rows_sum_HCK.min((0, 1)), change_K])])
    return np.ascontiguousarray(summary.T).reshape(*leading, len(summary))


def fit(history: Float, action: Float, spec: NetworkSpec) -> OodStatistics:
    """Statistics of training histories [N, W, D_h] and policies [M, H, A]."""
    h, a = history_summary(history, spec), action_summary(action, spec)
    stats = OodStatistics(
        history_mean=_rounded(h.mean(0)),
        history_std=_rounded(_floored(h.std(0) + 1e-3 * (1 + np.abs(h.mean(0))))),
        history_radius=1.0,
        action_mean=_rounded(a.mean(0)),
        action_std=_rounded(a.std(0) + 1e-3),
        action_radius=1.0,
    )
    return stats.model_copy(
        update={
            "history_radius": round(float(np.quantile(_distance(h, stats.history_mean, stats.history_std), 0.99)), 6),
            "action_radius": round(float(np.quantile(_distance(a, stats.action_mean, stats.action_std), 0.99)), 6),
        }
    )


def widened(stats: OodStatistics, history: Float, spec: NetworkSpec) -> OodStatistics:
    """The same statistics with a radius that holds 99 % of other histories [N, W, D_h] too: what a model was tuned on since."""
    found = _distance(history_summary(history, spec), stats.history_mean, _floored(np.array(stats.history_std)))
    radius = max(stats.history_radius, round(float(np.quantile(found, 0.99)), 6))
    return stats.model_copy(update={"history_radius": radius})


def ood_score(history_WD: Float, action_KHA: Float, stats: OodStatistics, spec: NetworkSpec) -> NDArray[np.float64]:
    """Score [K], 0 = inside the training data: excess over the radius, history and action averaged."""
    scale = OodScale(stats, spec)
    return scale.score(scale.history_excess(history_WD), action_KHA)


class OodScale:
    """`ood_score` in two parts: of the many scores of a decision, the history's part is the same in all."""

    def __init__(self, stats: OodStatistics, spec: NetworkSpec) -> None:
        self._spec = spec
        self._history = np.array(stats.history_mean), _floored(np.array(stats.history_std)), stats.history_radius
        self._action = np.array(stats.action_mean), np.array(stats.action_std), stats.action_radius

    def history_excess(self, history_WD: Float) -> float:
        """How far a history lies beyond the radius, 0 = inside."""
        mean, std, radius = self._history
        return max(float(_distance(history_summary(history_WD, self._spec), mean, std)) / radius - 1.0, 0.0)

    def score(self, history_excess: float, action_KHA: Float) -> NDArray[np.float64]:
        """Score [K] of policies after a history."""
        mean, std, radius = self._action
        excess_K = np.maximum(_distance(action_summary(action_KHA, self._spec), mean, std) / radius - 1.0, 0.0)
        return np.asarray(0.5 * (history_excess + excess_K))


def _floored(history_std: NDArray[np.float64]) -> NDArray[np.float64]:
    out = history_std.copy()
    out[-1] = max(out[-1], KNOWN_SHARE_STD_MIN)
    return out


def _distance(
    x: NDArray[np.float64],
    mean: tuple[float, ...] | NDArray[np.float64],
    std: tuple[float, ...] | NDArray[np.float64],
) -> NDArray[np.float64]:
    return np.asarray(np.sqrt((((x - np.asarray(mean)) / np.asarray(std)) ** 2).mean(-1)))


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{v:.6g}") for v in values)
