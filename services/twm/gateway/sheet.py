"""The guardrail's score sheet: checks by name, with value and bound. Comparisons are written so that NaN fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from twm.api.policy.v1 import policy_pb2

MESSAGE_LENGTH = 1000


class Sheet:
    """Checks by name; one that nobody filled in has failed."""

    def __init__(self) -> None:
        self._checks: dict[str, policy_pb2.Check] = {}

    def fact(self, name: str, passed: bool, message: str) -> None:
        """A check without a number."""
        self._put(name, passed, message)

    def at_most(self, name: str, value: float | None, bound: float | None, what: str, *, required: bool = True) -> None:
        """`value` <= `bound`."""
        self._number(name, value, bound, what, required, "<=", lambda v, b: v <= b)

    def at_least(self, name: str, value: float | None, bound: float | None, what: str, *, required: bool = True) -> None:
        """`value` >= `bound`."""
        self._number(name, value, bound, what, required, ">=", lambda v, b: v >= b)

    def in_order(self, names: Sequence[str]) -> list[policy_pb2.Check]:
        """All checks in the order of `names`."""
        return [self._checks[name] if name in self._checks else _not_checked(name) for name in names]

    def _number(
        self,
        name: str,
        value: float | None,
        bound: float | None,
        what: str,
        required: bool,
        sign: str,
        holds: Callable[[float, float], bool],
    ) -> None:
        if bound is None:
            self._put(name, True, f"{what}: {_text(value)}, the rules set no bound", value)
        elif value is None:
            self._put(name, not required, f"{what}: missing" + ("" if required else ", not asked of this source"), None, bound)
        else:
            passed = math.isfinite(value) and holds(value, bound)
            self._put(name, passed, f"{what}: {_text(value)}, bound {sign} {bound:.6g}", value, bound)

    def _put(self, name: str, passed: bool, message: str, value: float | None = None, bound: float | None = None) -> None:
        self._checks[name] = policy_pb2.Check(
            name=name,
            passed=passed,
            message=message[:MESSAGE_LENGTH],
            value=value if value is not None and math.isfinite(value) else None,
            bound=bound if bound is not None and math.isfinite(bound) else None,
        )


def _not_checked(name: str) -> policy_pb2.Check:
    return policy_pb2.Check(name=name, passed=False, message=f"{name}: not checked")


def _text(value: float | None) -> str:
    return "missing" if value is None else f"{value:.6g}"
