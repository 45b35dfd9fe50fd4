"""Actions and policies: PRB shares [C, S] and bandwidth shares [L, S]; a policy is H of them.

Shape suffixes: B batch, H slow steps of the horizon, C cells, S slices, L links. Each row over S sums to at most 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.packed import extend_packed

SHARE_SUM_TOLERANCE = 1e-4
Float = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PolicyArrays:
    """K policies over H slow steps."""

    prb_share_KHCS: Float
    """PRB shares."""
    bandwidth_share_KHLS: Float
    """Bandwidth shares."""

    @property
    def count(self) -> int:
        """Number of policies, K."""
        return int(self.prb_share_KHCS.shape[0])

    @property
    def step_count(self) -> int:
        """Slow steps, H."""
        return int(self.prb_share_KHCS.shape[1])

    def take(self, indices: NDArray[np.intp] | list[int]) -> PolicyArrays:
        """The policies at `indices`."""
        return PolicyArrays(
            prb_share_KHCS=self.prb_share_KHCS[indices], bandwidth_share_KHLS=self.bandwidth_share_KHLS[indices]
        )

    def first(self, steps: int) -> PolicyArrays:
        """The first slow steps of each."""
        return PolicyArrays(
            prb_share_KHCS=self.prb_share_KHCS[:, :steps], bandwidth_share_KHLS=self.bandwidth_share_KHLS[:, :steps]
        )

    @staticmethod
    def concatenate(parts: list[PolicyArrays]) -> PolicyArrays:
        """All policies of `parts`, in order."""
        return PolicyArrays(
            prb_share_KHCS=np.concatenate([p.prb_share_KHCS for p in parts]),
            bandwidth_share_KHLS=np.concatenate([p.bandwidth_share_KHLS for p in parts]),
        )


def uniform_policy(spec: NetworkSpec, step_count: int | None = None) -> PolicyArrays:
    """One policy that gives every slice 1/S everywhere."""
    c, s, n_links = spec.sizes
    h = step_count or spec.timing.horizon_steps
    return PolicyArrays(
        prb_share_KHCS=np.full((1, h, c, s), 1.0 / s, np.float32),
        bandwidth_share_KHLS=np.full((1, h, n_links, s), 1.0 / s, np.float32),
    )


def encode_policies(policies: PolicyArrays) -> worldmodel_pb2.PolicyBatch:
    """Pack into the protobuf form."""
    message = worldmodel_pb2.PolicyBatch(policy_count=policies.count, step_count=policies.step_count)
    extend_packed(message, "prb_share", policies.prb_share_KHCS)
    extend_packed(message, "bandwidth_share", policies.bandwidth_share_KHLS)
    return message


def decode_policies(message: worldmodel_pb2.PolicyBatch, spec: NetworkSpec) -> PolicyArrays:
    """Unpack and check.

    Raises InvalidInputError where sizes differ from the spec, a share is not finite or outside 0..1, or a row sums to over 1.
    """
    c, s, n_links = spec.sizes
    k, h = message.policy_count, message.step_count
    for name, count, rows in (
        ("prb_share", len(message.prb_share), c),
        ("bandwidth_share", len(message.bandwidth_share), n_links),
    ):
        if count != k * h * rows * s:
            raise InvalidInputError(f"policies.{name}: {count} values, expected {k} x {h} x {rows} x {s} = {k * h * rows * s}")
    policies = PolicyArrays(
        prb_share_KHCS=np.array(message.prb_share, np.float32).reshape(k, h, c, s),
        bandwidth_share_KHLS=np.array(message.bandwidth_share, np.float32).reshape(k, h, n_links, s),
    )
    check_shares("policies.prb_share", policies.prb_share_KHCS)
    check_shares("policies.bandwidth_share", policies.bandwidth_share_KHLS)
    return policies


def check_shares(name: str, shares: NDArray[np.floating]) -> None:
    """Raise InvalidInputError unless every share [..., S] is finite and 0..1 and every row sums to at most 1."""
    if shares.size == 0:
        return
    low, high = float(shares.min()), float(shares.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InvalidInputError(f"{name}: not finite at flat index {int(np.argmin(np.isfinite(shares)))}")
    row = shares[..., 0].copy()  # a sum over so short an axis is five times slower
    for i in range(1, shares.shape[-1]):
        row += shares[..., i]
    total = float(row.max())
    if low < -SHARE_SUM_TOLERANCE or high > 1 + SHARE_SUM_TOLERANCE:
        raise InvalidInputError(f"{name}: {low if low < 0 else high:.6g} is outside 0..1")
    if total > 1 + SHARE_SUM_TOLERANCE:
        raise InvalidInputError(f"{name}: a row sums to {total:.6g}, more than 1")


def project_shares(shares: NDArray[np.floating], floor_S: NDArray[np.floating]) -> Float:
    """Feasible shares [..., S]: floors held; rows that sum to more than 1 are scaled down above the floors."""
    floor = np.asarray(floor_S, np.float64)
    lifted = np.maximum(np.nan_to_num(shares.astype(np.float64), nan=0.0, posinf=1.0, neginf=0.0), floor)
    excess = lifted - floor
    room = max(1.0 - float(floor.sum()), 0.0)
    total = excess.sum(-1, keepdims=True)
    scale = np.where(total > room, room / np.maximum(total, 1e-12), 1.0)
    return np.asarray(floor + excess * scale, np.float32)


def control_cost(policies: PolicyArrays, spec: NetworkSpec, running: PolicyArrays | None = None) -> NDArray[np.float64]:
    """Control cost per policy [K]: mean share used (uniform 1/S = 1) + weight x mean |change| (benchmark definition).

    Changes count between steps, and from `running` (one step) to the first where it is given.
    """
    parts = [a.reshape(*a.shape[:2], -1) for a in (policies.prb_share_KHCS, policies.bandwidth_share_KHLS)]
    flat = np.concatenate(parts, -1).astype(np.float64)
    used = flat.mean((1, 2)) * len(spec.slices)
    if running is not None:
        first = np.concatenate(
            [a[:1, -1:].reshape(1, 1, -1) for a in (running.prb_share_KHCS, running.bandwidth_share_KHLS)], -1
        )
        flat = np.concatenate([np.broadcast_to(first, (flat.shape[0], 1, flat.shape[2])), flat], 1)
    change = np.abs(np.diff(flat, axis=1)).mean((1, 2)) if flat.shape[1] > 1 else np.zeros(flat.shape[0])
    return np.asarray(used + spec.control.change_cost_weight * change)


def saving_ratio(policies: PolicyArrays, spec: NetworkSpec, running: PolicyArrays | None = None) -> NDArray[np.float64]:
    """1 - control cost / control cost of uniform (= 1), per policy [K]."""
    return 1.0 - control_cost(policies, spec, running)
