"""Training batches of the Field World Model.

Shape suffixes: B windows, Cin grid channels, G nodes a side, T step offsets, C cells, F field features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twm.core.features import splat, stack_channels
from twm.core.frames import Float
from twm.core.network import NetworkSpec
from twm.core.zoo import GridGeometry
from twm_train.data import Episodes

SHORT_HISTORY = 0.1


class FieldSampler:
    """Draws (grid, targets) pairs; draws depend on the seed alone."""

    def __init__(self, episodes: Episodes, spec: NetworkSpec, grid: GridGeometry, offsets: Sequence[int], seed: int) -> None:
        self._data, self._spec, self._grid = episodes, spec, grid
        self._offsets = np.array(offsets)
        self._seed = seed

    def draw(self, step: int, batch: int) -> tuple[Tensor, Tensor]:
        """The batch of training step `step`: grid [B, Cin, G, G], features [B, T, C, F] with NaN where missing."""
        generator = np.random.default_rng([self._seed, 3, step])
        episode = generator.integers(self._data.count, size=batch)
        newest = generator.integers(0, self._data.steps - self._offsets[-1], size=batch)
        length = np.where(generator.random(batch) < SHORT_HISTORY, generator.integers(1, self._grid.frames + 1, batch), 1 << 20)
        return self.at(episode, newest, length)

    def at(
        self, episode: NDArray[np.intp], newest: NDArray[np.intp], length: NDArray[np.intp] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Windows of these episodes that end with these steps, with at most `length` frames each."""
        n = self._grid.frames
        age = n - 1 - np.arange(n)
        past = newest[:, None] - age
        channels = self._data.channels_NTCX[episode[:, None], np.maximum(past, 0)].copy()
        channels[past < 0] = 0.0
        if length is not None:
            channels[age >= length[:, None]] = 0.0
        events: Float = np.full((len(episode), len(self._spec.cells), self._spec.timing.horizon_steps), np.nan, np.float32)
        grid = splat(stack_channels(channels, events, self._spec), self._spec, self._grid)
        truth = self._data.field_NTCF[episode[:, None], newest[:, None] + self._offsets]
        return torch.from_numpy(grid), torch.from_numpy(truth)

    def cell_rows(self, count: int) -> Float:
        """Channels of cells of random windows [count * C, Cin], to fit the scaler."""
        generator = np.random.default_rng([self._seed, 4])
        episode = generator.integers(self._data.count, size=count)
        newest = generator.integers(self._grid.frames - 1, self._data.steps, size=count)
        past = newest[:, None] - (self._grid.frames - 1 - np.arange(self._grid.frames))
        events: Float = np.full((count, len(self._spec.cells), self._spec.timing.horizon_steps), np.nan, np.float32)
        channels = stack_channels(self._data.channels_NTCX[episode[:, None], past], events, self._spec)
        return channels.reshape(-1, channels.shape[-1])
