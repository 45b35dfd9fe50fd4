"""What the gateway remembers of the last accepted policy: its shares and when shares last changed. Stored beside the streams.

Shape suffixes: C cells, L links, S slices.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.core.actions import PolicyArrays
from twm.core.errors import AuditError
from twm.core.network import NetworkSpec
from twm.gateway.canonical import canonical_json

_MAX_CHANGE_STEPS = 1024


@dataclass(frozen=True, kw_only=True)
class AcceptedShares:
    """First step of the last accepted policy."""

    step: int
    """Slow step of its proposal."""
    prb_share: tuple[float, ...]
    """PRB shares [C, S], row-major."""
    bandwidth_share: tuple[float, ...]
    """Bandwidth shares [L, S], row-major."""
    change_steps: tuple[int, ...] = ()
    """Slow steps of recent proposals that changed the shares, oldest first."""

    def arrays(self, spec: NetworkSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """([C, S], [L, S]); None where the network has other sizes now."""
        c, s, n_links = spec.sizes
        if len(self.prb_share) != c * s or len(self.bandwidth_share) != n_links * s:
            return None
        return np.array(self.prb_share).reshape(c, s), np.array(self.bandwidth_share).reshape(n_links, s)

    def followed_by(self, step: int, policy: PolicyArrays, *, epsilon: float, window_steps: int) -> AcceptedShares:
        """What to remember once `policy` of `step` was accepted; `epsilon`: a smaller move is no change."""
        new = AcceptedShares.of(step, policy)
        old = np.array(self.prb_share + self.bandwidth_share)
        now = np.array(new.prb_share + new.bandwidth_share)
        changed = old.shape != now.shape or bool((np.abs(now - old) > epsilon).any())
        kept = tuple(s for s in self.change_steps if s > step - window_steps)
        steps = (*kept, step) if changed else kept
        return AcceptedShares(
            step=step,
            prb_share=new.prb_share,
            bandwidth_share=new.bandwidth_share,
            change_steps=steps[-_MAX_CHANGE_STEPS:],
        )

    @classmethod
    def of(cls, step: int, policy: PolicyArrays) -> AcceptedShares:
        """The first accepted policy."""
        return cls(
            step=step,
            prb_share=tuple(policy.prb_share_KHCS[0, 0].astype(float).ravel().tolist()),
            bandwidth_share=tuple(policy.bandwidth_share_KHLS[0, 0].astype(float).ravel().tolist()),
            change_steps=(step,),
        )

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json(
            {
                "step": self.step,
                "prb_share": list(self.prb_share),
                "bandwidth_share": list(self.bandwidth_share),
                "change_steps": list(self.change_steps),
            }
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> AcceptedShares:
        """Back from `encode`. Raises AuditError where it is something else."""
        try:
            fields: dict[str, Any] = json.loads(data)
            return cls(
                step=int(fields["step"]),
                prb_share=tuple(float(v) for v in fields["prb_share"]),
                bandwidth_share=tuple(float(v) for v in fields["bandwidth_share"]),
                change_steps=tuple(int(v) for v in fields["change_steps"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise AuditError(f"accepted shares: stored state is damaged: {error!r}") from error
