"""The set of policies that may be proposed: floors held, rows summing to at most 1, changes within the rate.

Cells and links are stacked as rows. Shape suffixes: K policies, H slow steps, R rows (C cells, then L links), S slices. The set
is convex, so means of feasible policies are feasible. Everything here runs on every candidate: float32, few passes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays, uniform_policy
from twm.core.network import NetworkSpec

Rows = NDArray[np.float32]
_Bounds = NDArray[np.floating]
_SLACK = 1e-6
_LARGEST = np.float32(1e6)


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
        self._floor_RS: Rows = np.concatenate(
            [np.tile(topology.prb_floor, (self.cell_count, 1)), np.tile(topology.bandwidth_floor, (self.link_count, 1))]
        ).astype(np.float32)
        self._room_R: Rows = np.maximum(1.0 - self._floor_RS.sum(-1), 0.0).astype(np.float32)
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
        return self.within_rate(self.project(rows_KHRS))

    def project(self, rows_KHRS: Rows) -> Rows:
        """The rows moved onto floors and simplex: rows that sum to more than 1 are scaled down above the floors."""
        excess = np.fmax(rows_KHRS, self._floor_RS)  # NaN: the floor
        np.minimum(excess, _LARGEST, out=excess)
        excess -= self._floor_RS
        total = excess[..., 0].copy()  # a sum over so short an axis is ten times slower
        for i in range(1, self.slice_count):
            total += excess[..., i]
        np.maximum(total, np.maximum(self._room_R, np.float32(1e-12)), out=total)
        np.divide(self._room_R, total, out=total)
        for i in range(self.slice_count):
            excess[..., i] *= total
        excess += self._floor_RS
        return np.asarray(excess, np.float32)

    def within_rate(self, rows_KHRS: Rows) -> Rows:
        """Rows on floors and simplex, changed where they move faster than the rate allows."""
        if not self._limited:
            return rows_KHRS
        rate = self._rate
        low: _Bounds = np.maximum(self._running_RS, self._proposed_RS) - rate
        high: _Bounds = np.minimum(self._running_RS, self._proposed_RS) + rate
        count, first = len(rows_KHRS), rows_KHRS[:, 0]
        fast_KH = np.zeros(rows_KHRS.shape[:2], bool)
        fast_KH[:, 0] = ((first < low) | (first > high)).reshape(count, -1).any(1)
        if rows_KHRS.shape[1] > 1:
            change = rows_KHRS[:, 1:] - rows_KHRS[:, :-1]
            np.abs(change, out=change)
            fast_KH[:, 1:] = change.reshape(count, change.shape[1], -1).max(2) > rate
        if not fast_KH.any():
            return rows_KHRS
        # a point of the line from what was proposed to what runs that is within the rate of both
        start = _toward(self._proposed_RS, self._running_RS, self._proposed_RS - rate, self._proposed_RS + rate)
        start = self.project(start[None, None])[0, 0]
        rows = rows_KHRS.copy()
        moved_K = np.zeros(count, bool)
        for step in range(rows.shape[1]):
            todo = np.flatnonzero(fast_KH[:, step] | moved_K)  # too fast itself, or the step before it is elsewhere now
            moved_K[:] = False
            if not todo.size:
                continue
            target = rows[todo, step]
            before = np.broadcast_to(start, target.shape) if step == 0 else rows[todo, step - 1]
            reached = _toward(before, target, low, high) if step == 0 else _toward(before, target, before - rate, before + rate)
            rows[todo, step] = reached
            moved_K[todo] = (reached != target).reshape(len(todo), -1).any(1)
        return rows

    def saving(self, rows_KHRS: Rows) -> NDArray[np.float64]:
        """Control saving of each policy relative to uniform [K]; the step from the shares in force to the first counts.

        As twm.core.actions.saving_ratio, which takes float64 and ten times as long.
        """
        count, steps = rows_KHRS.shape[:2]
        used = rows_KHRS.reshape(count, -1).mean(1, dtype=np.float32).astype(np.float64) * self.slice_count
        change = np.abs(rows_KHRS[:, 0] - self._running_RS).reshape(count, -1).sum(1, dtype=np.float32)
        if steps > 1:
            move = rows_KHRS[:, 1:] - rows_KHRS[:, :-1]
            np.abs(move, out=move)
            change += move.reshape(count, -1).sum(1, dtype=np.float32)
        mean_change = change.astype(np.float64) / max(rows_KHRS[0].size if count else 1, 1)
        return np.asarray(1.0 - used - self.spec.control.change_cost_weight * mean_change)

    def move(self, rows_KHRS: Rows) -> NDArray[np.float64]:
        """Mean change from the shares in force to the first step [K]."""
        change = np.abs(rows_KHRS[:, 0] - self._running_RS)
        return np.asarray(change.reshape(len(rows_KHRS), -1).mean(1), np.float64)

    def hold(self, row_RS: Rows) -> Rows:
        """One set of shares for the whole horizon, feasible [1, H, R, S]."""
        return self.feasible(np.broadcast_to(row_RS, (1, self.step_count, *row_RS.shape)).astype(np.float32))

    def held_running(self) -> Rows:
        """The shares in force for the whole horizon, feasible: what doing nothing means [1, H, R, S]."""
        return self.hold(self._running_RS)

    def allowed(self, rows_KHRS: Rows) -> NDArray[np.bool_]:
        """Which policies [K] may be proposed: all, where nothing but floors and rates bounds them, which they hold already."""
        return np.ones(len(rows_KHRS), bool)

    @property
    def running_RS(self) -> Rows:
        """Shares in force, as they are [R, S]."""
        return self._running_RS


def _toward(start: Rows, target: Rows, low: _Bounds, high: _Bounds) -> Rows:
    """The point nearest to the target on the line from `start` to it, both [..., R, S], that keeps `low` <= share <= `high`.

    Each row moves along its own line, which stays inside the convex set. Where `start` itself is outside (the shares in force
    break a floor by more than the rate), it is kept: floors come first.
    """
    move = target - start
    room = np.maximum(np.where(move > 0, high - start, start - low), 0.0)
    size = np.abs(move)
    reach = np.where(size > _SLACK, room / np.maximum(size, _SLACK), 1.0)
    fraction = np.minimum(reach.min(-1, keepdims=True), 1.0)
    return np.asarray(start + fraction * move, np.float32)
