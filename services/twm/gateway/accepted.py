"""What the gateway remembers of the last accepted policies: shares, and when they last changed. Stored beside the streams.

Shape suffixes: T remembered steps, C cells, L links, S slices, N flat shares (cells x slices, then links x slices).
"""

from __future__ import annotations

import base64
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
_MAX_HISTORY = 64


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
    history: tuple[tuple[int, bytes], ...] = ()
    """(step, flat shares as little-endian float32 [N]) of recent accepted policies, oldest first, this one last."""

    def arrays(self, spec: NetworkSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """([C, S], [L, S]); None where the network has other sizes now."""
        c, s, n_links = spec.sizes
        if len(self.prb_share) != c * s or len(self.bandwidth_share) != n_links * s:
            return None
        return np.array(self.prb_share).reshape(c, s), np.array(self.bandwidth_share).reshape(n_links, s)

    def flat(self) -> NDArray[np.float64]:
        """Shares [N]."""
        return np.array(self.prb_share + self.bandwidth_share)

    def trail(self, since: int) -> NDArray[np.float64]:
        """Flat shares of the accepted policies after step `since` [T, N], oldest first."""
        size = len(self.prb_share) + len(self.bandwidth_share)
        kept = [data for step, data in self.history if step > since and len(data) == 4 * size]
        return np.frombuffer(b"".join(kept), "<f4").reshape(len(kept), size).astype(np.float64)

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
            history=(*(h for h in self.history if h[0] > step - window_steps), *new.history)[-_MAX_HISTORY:],
        )

    @classmethod
    def of(cls, step: int, policy: PolicyArrays) -> AcceptedShares:
        """The first accepted policy."""
        prb, bandwidth = policy.prb_share_KHCS[0, 0].ravel(), policy.bandwidth_share_KHLS[0, 0].ravel()
        return cls(
            step=step,
            prb_share=tuple(prb.astype(float).tolist()),
            bandwidth_share=tuple(bandwidth.astype(float).tolist()),
            change_steps=(step,),
            history=((step, np.concatenate([prb, bandwidth]).astype("<f4").tobytes()),),
        )

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json(
            {
                "step": self.step,
                "prb_share": list(self.prb_share),
                "bandwidth_share": list(self.bandwidth_share),
                "change_steps": list(self.change_steps),
                "history": [[step, base64.b64encode(data).decode()] for step, data in self.history],
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
                history=tuple((int(step), base64.b64decode(data, validate=True)) for step, data in fields.get("history", ())),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise AuditError(f"accepted shares: stored state is damaged: {error!r}") from error
