"""What was put in force last, and what before it, as Redis keeps it. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from twm.api.policy.v1 import policy_pb2
from twm.core.actions import PolicyArrays
from twm.core.errors import AuditError
from twm.core.network import NetworkSpec
from twm.gateway.accepted import AcceptedShares
from twm.gateway.canonical import canonical_json
from twm.gateway.rules import TimingRules

ENFORCED_KEY = "gateway-enforced"


@dataclass(frozen=True, kw_only=True)
class Enforced:
    """The state of enforcement."""

    policy_set_id: str = ""
    """The policy in force; empty: none was ever."""
    shares: AcceptedShares | None = None
    """Its shares, and what led to them; kept when it is withdrawn, since steps and turns still count."""
    instances: tuple[tuple[str, str], ...] = ()
    """(policy type, policy id) of what a delivery holds; empty: withdrawn."""
    previous_id: str = ""
    previous: AcceptedShares | None = None
    """The policy that was in force before; None: none was."""

    def memory(self, spec: NetworkSpec) -> AcceptedShares | None:
        """The shares in force to hold a new policy against; None: none, or of a network of other sizes."""
        return self.shares if self.shares is not None and self.shares.arrays(spec) is not None else None

    def followed_by(self, policy: policy_pb2.SlicePolicy, shares: PolicyArrays, timing: TimingRules) -> Enforced:
        """Once `policy` is in force."""
        new = (
            AcceptedShares.of(policy.step, shares)
            if self.shares is None
            else self.shares.followed_by(
                policy.step, shares, epsilon=timing.change_epsilon, window_steps=timing.change_window_steps
            )
        )
        return Enforced(
            policy_set_id=policy.policy_set_id,
            shares=new,
            instances=tuple((p.policy_type_id, p.policy_id) for p in policy.policies),
            previous_id=self.policy_set_id if self.instances else "",
            previous=self.shares if self.instances else None,
        )

    def withdrawn(self) -> Enforced:
        """Once nothing is in force any more."""
        return replace(self, instances=(), previous_id="", previous=None)

    def withdrawal(self, area_id: str, state_version: int, by: str, now_s: float) -> policy_pb2.SlicePolicy:
        """The stream entry that takes every instance away."""
        assert self.shares is not None and self.instances
        found = policy_pb2.SlicePolicy(
            policy_set_id=f"{area_id}/withdraw-{state_version}",
            area_id=area_id,
            step=self.shares.step,
            mode=policy_pb2.MODE_SHADOW,
            ttl_s=1.0,
            enforcement=policy_pb2.ENFORCEMENT_WITHDRAW,
            authorised_by=by,
            mode_version=state_version,
        )
        found.effective.FromNanoseconds(round(now_s * 1e6) * 1000)
        for policy_type_id, policy_id in self.instances:
            found.policies.add(policy_type_id=policy_type_id, policy_id=policy_id, policy_json="{}")
        return found

    def encode(self) -> bytes:
        """Canonical JSON."""

        def packed(shares: AcceptedShares | None) -> str | None:
            return None if shares is None else base64.b64encode(shares.encode()).decode()

        return canonical_json(
            {
                "policy_set_id": self.policy_set_id,
                "shares": packed(self.shares),
                "instances": [list(pair) for pair in self.instances],
                "previous_id": self.previous_id,
                "previous": packed(self.previous),
            }
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> Enforced:
        """Back from `encode`; b"" is a state in which nothing was ever in force. Raises AuditError."""
        if not data:
            return cls()

        def unpacked(text: str | None) -> AcceptedShares | None:
            return None if text is None else AcceptedShares.decode(base64.b64decode(text, validate=True))

        try:
            fields: dict[str, Any] = json.loads(data)
            return cls(
                policy_set_id=str(fields["policy_set_id"]),
                shares=unpacked(fields["shares"]),
                instances=tuple((str(a), str(b)) for a, b in fields["instances"]),
                previous_id=str(fields["previous_id"]),
                previous=unpacked(fields["previous"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise AuditError(f"{ENFORCED_KEY}: stored state is damaged: {type(error).__name__}") from error


def arrays_of(shares: AcceptedShares, spec: NetworkSpec, steps: int) -> PolicyArrays | None:
    """The remembered shares as a policy that holds them; None where the network has other sizes now."""
    found = shares.arrays(spec)
    if found is None:
        return None
    prb, bandwidth = (np.repeat(part[None, None].astype(np.float32), steps, 1) for part in found)
    return PolicyArrays(prb_share_KHCS=prb, bandwidth_share_KHLS=bandwidth)
