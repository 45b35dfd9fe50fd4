"""The set of policies that may be proposed: floors held, rows summing to at most 1, changes within the rate.

Cells and links are stacked as rows. Shape suffixes: K policies, H slow steps, R rows (C cells, then L links), S slices. The set
is convex, so means of feasible policies are feasible.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, project_shares, uniform_policy
from twm.core.network import NetworkSpec

Rows = NDArray[np.float32]
_Bounds = NDArray[np.floating]
_SLACK = 1e-6


class ShareSpace:
    """Feasible policies of one spec from the shares in force."""

    def __init__(self, spec: NetworkSpec, running: PolicyArrays | None = None, proposed: PolicyArrays | None = None) -> None:
        """`running`: the shares in force, its last step counts; None: uniform. `proposed`: what was recommended for that step.

        In shadow mode the two differ, and the guardrail bounds the change from both.
        """
        topology = spec.topology()
        self.spec = spec
        self.cell_count, self.slice_count, self.link_count = spec.sizes
        self.step_count = spec.timing.horizon_steps
        self._floors = (topology.prb_floor, topology.bandwidth_floor)
        # One grid step is kept back: shares become whole PRBs before the guardrail looks at the change.
        quantum = spec.prb_grid.share_step_prb / spec.prb_grid.prb_count
        self._rate = max(spec.control.max_share_change - quantum, 0.5 * spec.control.max_share_change)
        self._limited = spec.control.max_share_change < 1.0
        self.running = running or uniform_policy(spec, 1)
        self._running_RS: Rows = self.stack(self.running)[0, -1]
        self._proposed_RS: Rows = self._running_RS if proposed is None else self.stack(proposed)[0, -1]

    def stack(self, policies: PolicyArrays) -> Rows:
        """Policies as rows [K, H, R, S]."""
        return np.concatenate([policies.prb_share_KHCS, policies.bandwidth_share_KHLS], 2)

    def policies(self, rows_KHRS: Rows) -> PolicyArrays:
        """Rows as policies."""
        return PolicyArrays(
            prb_share_KHCS=np.ascontiguousarray(rows_KHRS[:, :, : self.cell_count]),
            bandwidth_share_KHLS=np.ascontiguousarray(rows_KHRS[:, :, self.cell_count :]),
        )

    def feasible(self, rows_KHRS: Rows) -> Rows:
        """The rows moved into the set: onto floors and simplex, then step by step towards it as fast as the rate allows."""
        rows = self._project(rows_KHRS)
        if not self._limited:
            return rows
        rate = self._rate
        low: _Bounds = np.maximum(self._running_RS, self._proposed_RS) - rate
        high: _Bounds = np.minimum(self._running_RS, self._proposed_RS) + rate
        first = rows[:, 0]
        fast = (np.abs(np.diff(rows, axis=1)) > rate).any((1, 2, 3)) | ((first < low) | (first > high)).any((1, 2))
        if not fast.any():
            return rows
        some = rows[fast]
        # a point of the line from what was proposed to what runs that is within the rate of both
        start = _toward(self._proposed_RS, self._running_RS, self._proposed_RS - rate, self._proposed_RS + rate)
        start = self._project(start[None, None])[0, 0]
        for step in range(some.shape[1]):
            start = some[:, step] = _toward(start, some[:, step], low, high)
            low, high = start - rate, start + rate
        rows[fast] = some
        return rows

    def hold(self, row_RS: Rows) -> Rows:
        """One set of shares for the whole horizon, feasible [1, H, R, S]."""
        return self.feasible(np.broadcast_to(row_RS, (1, self.step_count, *row_RS.shape)).astype(np.float32))

    @property
    def running_RS(self) -> Rows:
        """Shares in force, as they are [R, S]."""
        return self._running_RS

    def _project(self, rows_KHRS: Rows) -> Rows:
        cells, links = rows_KHRS[:, :, : self.cell_count], rows_KHRS[:, :, self.cell_count :]
        parts = [project_shares(cells, self._floors[0])]
        if self.link_count:
            parts.append(project_shares(links, self._floors[1]))
        return np.concatenate(parts, 2)


def _toward(start: Rows, target: Rows, low: _Bounds, high: _Bounds) -> Rows:
    """The point nearest to the target on the line from `start` to it, both [..., R, S], that keeps `low` <= share <= `high`.

    Each row moves along its own line, which stays inside the convex set. Where `start` itself is outside (the shares in force
    break a floor by more than the rate), it is kept: floors come first.
    """
    move = target - start
    room = np.where(move > 0, high - start, start - low)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(np.abs(move) > _SLACK, np.maximum(room, 0.0) / np.abs(move), np.inf)
    fraction = np.minimum(reach.min(-1, keepdims=True), 1.0)
    return np.asarray(start + fraction * move, np.float32)
