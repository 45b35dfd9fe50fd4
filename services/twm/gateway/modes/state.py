"""The mode record of an area, as Redis keeps it. Pure.

Whoever writes something that may leave the gateway compares this record in the same atomic write, so that after the answer to
"stop" nothing leaves any more.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from twm.api.policy.v1 import policy_pb2
from twm.core.errors import AuditError, ConflictError
from twm.gateway.canonical import canonical_json

MODE_KEY = "gateway-mode"
MODES = {"shadow": policy_pb2.MODE_SHADOW, "advisory": policy_pb2.MODE_ADVISORY, "autonomous": policy_pb2.MODE_AUTONOMOUS}


@dataclass(frozen=True, kw_only=True)
class ModeState:
    """Mode in force."""

    mode: str = "shadow"
    """One of MODES."""
    stopped: bool = False
    """Kill switch: no policy leaves."""
    version: int = 0
    """Counts up with every change."""
    changed_by: str = ""
    changed_s: float = 0.0
    """Unix [s]; 0: never."""
    reason: str = ""

    @property
    def value(self) -> policy_pb2.Mode:
        """As protobuf."""
        return MODES[self.mode]

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> ModeState:
        """Back from `encode`; b"" is an area whose mode was never changed. Raises AuditError where it is something else."""
        if not data:
            return cls()
        try:
            found = cls(**json.loads(data))
            if found.mode not in MODES or not isinstance(found.stopped, bool) or not isinstance(found.version, int):
                raise ValueError("fields")
            return found
        except (ValueError, TypeError) as error:
            raise AuditError(f"{MODE_KEY}: stored mode is damaged: {type(error).__name__}") from error

    def changed(self, *, by: str, now_s: float, reason: str, mode: str | None = None, stopped: bool | None = None) -> ModeState:
        """The next record."""
        return replace(
            self,
            mode=self.mode if mode is None else mode,
            stopped=self.stopped if stopped is None else stopped,
            version=self.version + 1,
            changed_by=by,
            changed_s=now_s,
            reason=reason,
        )

    def check_change(self, mode: str, expected_version: int, missing_for_autonomous: list[str]) -> None:
        """Raises ConflictError where the mode may not become `mode` now."""
        if expected_version != self.version:
            raise ConflictError(f"expected_version: {expected_version}, the mode record has {self.version}; read it again")
        if self.stopped:
            raise ConflictError("mode: the kill switch is on; release it first")
        if mode == "autonomous" and missing_for_autonomous:
            raise ConflictError("mode: not good enough for autonomous: " + "; ".join(missing_for_autonomous))
