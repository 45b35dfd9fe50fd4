"""Training windows: W steps of history and the H that follow, drawn per member from its own bootstrap of the episodes.

Shape suffixes: E members, B windows, W history steps, H horizon steps, N episodes, T steps of an episode, V history values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twm.core.features import HistoryLayout
from twm.core.network import NetworkSpec
from twm_train.data import Episodes

SHORT_HISTORY, LOST_FRAME = 0.15, 0.03
"""Probability that a window has a short history, and that a single older frame is lost: what serving meets."""
NEWEST_LEAST = 8
"""Windows may begin before the episode, but hold this many of its frames (or the window, if that is less)."""
VISITED_KIND = -2
"""`Episodes.kind_N` of episodes that the planner itself made (twm_train.visited)."""
CALENDAR = 0.5
"""Probability that a window sees the calendar of known events: one model serves networks with and without one."""
BLIND_WINDOW, BLIND_FEATURE = 0.25, 0.3
"""Probability that a window comes from a network that reports less, and that it then lacks a feature."""


@dataclass(frozen=True)
class Windows:
    """A batch: history [E, B, W, D_h], the rest [E, B, H, ...] with NaN where missing."""

    history: Tensor
    exogenous: Tensor
    kpi_z: Tensor
    offered: Tensor
    action: Tensor
    last_action: Tensor
    """Shares in force in the newest history step [E, B, A]."""
    field_now: Tensor
    """Field features of the newest history step [E, B, C, F]."""
    field: Tensor
    """Field features of the H steps that follow [E, B, H, C, F]."""


class WindowSampler:
    """Draws windows; bootstrap and draws depend on the seed alone."""

    def __init__(
        self, episodes: Episodes, spec: NetworkSpec, members: int, window: int, seed: int, *, visited: float = 0.0
    ) -> None:
        """`visited`: share of the windows that come from the planner's own episodes, where there are some."""
        horizon = spec.timing.horizon_steps
        if episodes.steps < 1 + horizon:
            raise ValueError(f"episodes: {episodes.steps} steps, need at least {1 + horizon}")
        self._data, self._window, self._horizon, self._seed = episodes, window, horizon, seed
        generator = np.random.default_rng([seed, 1])
        n = episodes.count
        # Each member sees a sample of the episodes, drawn with replacement (Breiman 1996).
        self._bootstrap_EN = generator.integers(n, size=(members, n)) if members > 1 else np.arange(n)[None]
        self._visited_N = np.flatnonzero(episodes.kind_N == VISITED_KIND)
        self._visited = visited if len(self._visited_N) else 0.0
        self._feature_V = feature_of_column(spec)

    def draw(self, step: int, batch: int) -> Windows:
        """The batch of training step `step`."""
        generator = np.random.default_rng([self._seed, 2, step])
        members = len(self._bootstrap_EN)
        pick = generator.integers(self._bootstrap_EN.shape[1], size=(members, batch))
        episode = np.take_along_axis(self._bootstrap_EN, pick, 1)
        if self._visited:
            own = self._visited_N[generator.integers(len(self._visited_N), size=(members, batch))]
            episode = np.where(generator.random((members, batch)) < self._visited, own, episode)
        newest = generator.integers(
            min(self._window, NEWEST_LEAST) - 1, self._data.steps - self._horizon, size=(members, batch)
        )
        knows = generator.random((members, batch)) < CALENDAR
        windows = cut(self._data, episode, newest, self._window, self._horizon, knows)
        short = generator.random((members, batch)) < SHORT_HISTORY
        length = np.where(short, generator.integers(1, self._window + 1, size=short.shape), self._window)
        age = self._window - 1 - np.arange(self._window)
        lost = (age >= length[..., None]) | ((age > 0) & (generator.random((members, batch, self._window)) < LOST_FRAME))
        windows.history[torch.from_numpy(lost)] = 0.0
        features = int(self._feature_V.max()) + 1
        blind = generator.random((members, batch, 1)) < BLIND_WINDOW
        kept = ~(blind & (generator.random((members, batch, features)) < BLIND_FEATURE))[..., self._feature_V]
        windows.history.mul_(torch.from_numpy(np.concatenate([kept, kept], -1)[:, :, None].astype(np.float32)))
        return windows


def feature_of_column(spec: NetworkSpec) -> NDArray[np.intp]:
    """Which feature each history value belongs to [V]: the last axis of its block, numbered on over the blocks."""
    parts, first = [], 0
    for name, (_, shape) in HistoryLayout.of(spec).blocks.items():
        width = 1 if name == "events" else shape[-1]
        parts.append(np.broadcast_to(first + np.arange(shape[-1]) % width, shape).reshape(-1))
        first += width
    return np.concatenate(parts).astype(np.intp)


def cut(
    data: Episodes,
    episode: NDArray[np.intp],
    newest: NDArray[np.intp],
    window: int,
    horizon: int,
    knows: NDArray[np.bool_] | None = None,
    *,
    with_future: bool = True,
) -> Windows:
    """Windows of `episode` [E, B] with the newest history step `newest` [E, B]; steps before the episode are missing.

    `knows` [E, B]: whether the window sees the calendar; None: none does. Without the future, H is 0 in what is returned.
    """
    past = newest[..., None] - window + 1 + np.arange(window)
    values = data.values_NTV[episode[..., None], np.maximum(past, 0)]
    values = np.where(past[..., None] >= 0, values, np.float32(np.nan))
    if knows is not None:
        told = _told(data, episode, past, horizon)
        values[..., values.shape[-1] - told.shape[-1] :] = np.where(knows[..., None, None], told, np.float32(np.nan))
    known = np.isfinite(values)
    history = np.concatenate([np.where(known, values, np.float32(0)), known.astype(np.float32)], -1)
    ahead = newest[..., None] + 1 + np.arange(horizon if with_future else 0)
    pick = lambda array: torch.from_numpy(array[episode[..., None], ahead])
    return Windows(
        history=torch.from_numpy(history),
        exogenous=pick(data.exogenous_NTX),
        kpi_z=pick(data.kpi_z_NTSP),
        offered=pick(data.offered_NTS),
        action=pick(data.action_NTA),
        last_action=torch.from_numpy(data.action_NTA[episode, newest]),
        field_now=torch.from_numpy(data.field_NTCF[episode, newest]),
        field=pick(data.field_NTCF),
    )


def _told(data: Episodes, episode: NDArray[np.intp], past: NDArray[np.intp], horizon: int) -> NDArray[np.float32]:
    """Events columns [E, B, W, C * H] as twm.core.features.known_events gives them: all NaN where nothing is known."""
    ahead = np.maximum(past, 0)[..., None] + 1 + np.arange(horizon)
    told = np.swapaxes(data.calendar_NTC[episode[..., None, None], ahead], -1, -2)
    told = told.reshape(*told.shape[:-2], -1)
    nothing = (past < 0) | ~told.any(-1)
    return np.where(nothing[..., None], np.float32(np.nan), told)
