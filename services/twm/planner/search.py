"""Search for good policies: seeds first, then a cross-entropy search around the best.

After iCEM (Pinneri et al., "Sample-efficient Cross-Entropy Method for Real-time Planning", CoRL 2020): noise that is correlated
over the horizon, elites kept from round to round, warm start, shrinking populations. Two things are ours: noise is drawn on
groups of rows (all cells, a zone, one cell, all links, one link) over few knots in time, since a few hundred evaluations cannot
explore hundreds of free numbers; and offspring mix two elites row by row, since cells are nearly independent.

Shape suffixes: N all candidates so far, K one round, H slow steps, R rows (cells, then links), S slices, G groups, T knots,
E elites. Pure: it asks for scores and never waits for anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.planner.space import Rows, ShareSpace


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """Size and shape of the search."""

    populations: tuple[int, ...] = (64, *(60,) * 11)
    """Candidates of each round after the seeds; shrinking."""
    elite_count: int = 8
    """Elites a round starts from."""
    knot_count: int = 4
    """Points in time between which noise is interpolated linearly."""
    noise_share: float = 0.09
    """Standard deviation of the noise of one group in the first round [share]."""
    noise_decay: float = 0.78
    """Factor on the noise from round to round."""
    noise_persistence: float = 0.7
    """Share of the noise variance that is constant over the horizon."""
    group_probability: float = 0.35
    """Probability that a group of rows is moved in one candidate."""
    mean_fraction: float = 0.2
    """Share of a round that is drawn around the elites' mean; the rest around mixed pairs of elites."""

    def __post_init__(self) -> None:
        if not all(1 <= k <= 4096 for k in self.populations):
            raise InvalidInputError(f"search.populations: {self.populations} has a value outside 1..4096")
        for name, low, high in (
            ("elite_count", 1, 256),
            ("knot_count", 1, 256),
            ("noise_share", 0.0, 1.0),
            ("noise_decay", 0.0, 1.0),
            ("noise_persistence", 0.0, 1.0),
            ("group_probability", 0.0, 1.0),
            ("mean_fraction", 0.0, 1.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise InvalidInputError(f"search.{name}: {getattr(self, name)} is outside {low}..{high}")


class Search:
    """One decision's search, by `ask` and `tell`.

    >>> while (rows := search.ask()) is not None: search.tell(score(rows))
    """

    def __init__(
        self,
        space: ShareSpace,
        seeds: Rows,
        origins: list[str],
        settings: SearchSettings,
        seed: int,
        *,
        groups_GR: NDArray[np.float32] | None = None,
        keep: Callable[[Rows], NDArray[np.bool_]] | None = None,
    ) -> None:
        """`seeds` [K, H, R, S] feasible, named by `origins`; `seed` fixes every draw. `groups_GR`: default `row_groups`.

        `keep` says which candidates of a round are worth scoring; a round is the smaller for those that are not.
        """
        if len(origins) != len(seeds) or len(seeds) == 0:
            raise InvalidInputError(f"search seeds: {len(seeds)} policies with {len(origins)} origins")
        self._space, self._settings, self._keep = space, settings, keep
        self._random = np.random.default_rng(seed)
        self._groups_GR = row_groups(space.spec) if groups_GR is None else groups_GR
        self._time_HT = knot_weights(space.step_count, settings.knot_count)
        total = len(seeds) + sum(settings.populations)
        self._rows: Rows = np.empty((total, *seeds.shape[1:]), np.float32)
        self._rows[: len(seeds)] = seeds
        self._score = np.empty(total)
        self._asked, self._told, self._round = len(seeds), 0, 0
        self._origins: list[str] = list(origins)
        self._rounds_left = list(settings.populations)

    def ask(self) -> Rows | None:
        """Next candidates [K, H, R, S] to score; None when the search is over."""
        if self._asked == self._told:
            if not self._rounds_left:
                return None
            self._round += 1
            count = self._rounds_left.pop(0)
            rows = self._offspring(count, self._settings.noise_decay ** (self._round - 1))
            if self._keep is not None and (kept := self._keep(rows)).any():
                rows = rows[kept]
                count = len(rows)
            self._rows[self._asked : self._asked + count] = rows
            self._asked += count
            self._origins += [f"cem:{self._round}"] * count
        return self._rows[self._told : self._asked]

    def tell(self, score_K: NDArray[np.float64]) -> None:
        """Scores of what was asked last; -inf for what may not be chosen. Raises InvalidInputError on sizes and NaN."""
        count = self._asked - self._told
        if not count or score_K.shape != (count,) or np.isnan(score_K).any():
            raise InvalidInputError(f"search scores: shape {score_K.shape}, NaN {int(np.isnan(score_K).sum())}, not as asked")
        self._score[self._told : self._asked] = score_K
        self._told = self._asked

    @property
    def rounds_left(self) -> int:
        """Rounds not asked for yet."""
        return len(self._rounds_left)

    @property
    def next_size(self) -> int:
        """Candidates of the next round, 0 where there is none."""
        return self._rounds_left[0] if self._rounds_left else 0

    @property
    def score_N(self) -> NDArray[np.float64]:
        """Scores told so far."""
        return self._score[: self._told]

    @property
    def rows_NHRS(self) -> Rows:
        """Candidates scored so far, in the order of `score_N`."""
        return self._rows[: self._told]

    @property
    def origins(self) -> list[str]:
        """Where each came from."""
        return self._origins[: self._told]

    def _offspring(self, count: int, noise_scale: float) -> Rows:
        elites_EHRS = self.rows_NHRS[np.argsort(-self.score_N, kind="stable")[: self._settings.elite_count]]
        mean_count = round(count * self._settings.mean_fraction)
        rank_weight = np.arange(len(elites_EHRS), 0, -1, dtype=np.float64)
        rank_weight /= rank_weight.sum()
        mean_HRS = np.tensordot(rank_weight.astype(np.float32), elites_EHRS, 1)
        pair = self._random.choice(len(elites_EHRS), (2, count - mean_count), p=rank_weight)
        shares = np.array([0.0, 0.0, 0.5, 1.0], np.float32)
        mix = shares[self._random.integers(4, size=(count - mean_count, 1, elites_EHRS.shape[2], 1))]
        mix *= self._random.random((count - mean_count, 1, 1, 1)) < 0.5  # half the candidates keep one parent whole
        mix = np.repeat(mix, elites_EHRS.shape[3], axis=3)  # broadcast over so short an axis it takes five times as long
        first, second = elites_EHRS[pair[0]], elites_EHRS[pair[1]]
        rows = np.empty((count, *mean_HRS.shape), np.float32)
        rows[:mean_count] = mean_HRS
        mixed = np.subtract(second, first, out=rows[mean_count:])
        mixed *= mix
        mixed += first
        rows += self._noise(count, noise_scale)
        return self._space.feasible(rows)

    def _noise(self, count: int, scale: float) -> Rows:
        """Noise [K, H, R, S]: per group and slice, and per group a common part that moves the rows' sums (the saving)."""
        settings = self._settings
        g, t, s = len(self._groups_GR), self._time_HT.shape[1], self._space.slice_count
        moved = self._random.random((count, g)) < settings.group_probability
        # Only what moves is drawn: a third, and drawing takes the time.
        which_K, which_G = np.nonzero(moved)
        draw = self._random.standard_normal((len(which_K), t + 1, s + 1), dtype=np.float32)
        keep = np.float32(settings.noise_persistence)
        knots = np.sqrt(1 - keep) * draw[:, 1:] + np.sqrt(keep) * draw[:, :1]
        by_group = np.zeros((count, t, s, g), np.float32)
        by_group[which_K, :, :, which_G] = knots[..., :s] + np.float32(0.5) * knots[..., s:]
        sized = self._random.choice(np.array([0.3, 1.0, 2.0], np.float32), (count, 1, 1))
        # Two matrix products, groups first: few of them are wide.
        by_row = (by_group.reshape(-1, g) @ self._groups_GR).reshape(count, t, -1)
        by_row *= sized * np.float32(scale * settings.noise_share)
        by_step = self._time_HT @ by_row
        return np.asarray(by_step.reshape(count, len(self._time_HT), s, -1).swapaxes(2, 3), np.float32)


def row_groups(spec: NetworkSpec) -> NDArray[np.float32]:
    """Groups of rows that move together [G, R]: all cells, each zone, each cell; all links, each link."""
    c, _, n_links = spec.sizes
    zones = spec.topology().zone_member
    cell_parts = [np.ones((1, c)), zones, np.eye(c) if c > 1 else np.zeros((0, c))]
    cells = np.concatenate([part.astype(np.float32) for part in cell_parts])
    links = np.zeros((0, n_links), np.float32)
    if n_links:
        links = np.concatenate([np.ones((1, n_links)), np.eye(n_links) if n_links > 1 else np.zeros((0, n_links))])
    groups = np.zeros((len(cells) + len(links), c + n_links), np.float32)
    groups[: len(cells), :c] = cells
    groups[len(cells) :, c:] = links
    return groups


def knot_weights(step_count: int, knot_count: int) -> NDArray[np.float32]:
    """Linear interpolation from knots to slow steps [H, T]."""
    knots = min(knot_count, step_count)
    if knots == 1:
        return np.ones((step_count, 1), np.float32)
    position = np.linspace(0, knots - 1, step_count)
    return np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(knots))).astype(np.float32)
