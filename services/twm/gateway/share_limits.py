"""Limits on shares that others have set: active intents' action limits, and policies of others (A1, xApps) on the same scope.

Shares are looked at flat: N = cells x slices, then links x slices. Shape suffixes: H slow steps, C cells, L links, S slices,
Z zones, N flat shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.intents import seconds, window_of
from twm.core.share_scopes import ShareScopes
from twm.core.text import shown
from twm.gateway.other_policies import OtherPolicy

Float = NDArray[np.float64]
Index = NDArray[np.intp]
_SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class ShareLimit:
    """Bounds on some shares."""

    name: str
    """Who set it, in words: "intent night-cap, limit 0"."""
    index_N: Index
    """Flat shares it is about."""
    least: float | None = None
    most: float | None = None
    change: float | None = None
    """Largest distance from the running share, for each slow step gone by."""
    start_s: float = float("-inf")
    """Wall clock from which it holds, Unix [s]."""
    end_s: float = float("inf")
    """Wall clock at which it ends, Unix [s]."""

    @property
    def windowed(self) -> bool:
        """Whether it does not hold at all times."""
        return bool(np.isfinite(self.start_s) or np.isfinite(self.end_s))


class LimitTable:
    """Limits, ready to be held against shares."""

    def __init__(
        self, scopes: ShareScopes, limits: Sequence[ShareLimit], size: int, *, tolerance: float, reachable: bool
    ) -> None:
        """`size`: N; `reachable`: a bound that the rate of change does not allow to reach yet asks only to come as near as it
        allows, so that a new limit does not refuse every way to itself."""
        self._scopes = scopes
        self._tolerance = tolerance
        self._reachable = reachable
        self._always = [limit for limit in limits if not limit.windowed]
        self._windowed = [limit for limit in limits if limit.windowed]
        self._bounds = _Bounds.of(self._always, size) if self._always else None
        self._size = size
        self.count = len(limits)

    def problems(
        self, shares_HN: Float, running_N: Float | None, now_s: float, hold_s: float, rate: float
    ) -> tuple[float, list[str]]:
        """(largest excess beyond the tolerance, what is broken in words); 0.0 and nothing where all holds.

        Limits without a window bind every step of the policy, those with one bind the first step, which is what comes into
        force, where it may hold (`now_s` .. + `hold_s`) within the window.
        """
        worst = 0.0
        words: list[str] = []
        now = [limit for limit in self._windowed if limit.start_s < now_s + hold_s and limit.end_s > now_s]
        for bounds, limits, shares in (
            (self._bounds, self._always, shares_HN),
            (_Bounds.of(now, self._size) if now else None, now, shares_HN[:1]),
        ):
            if bounds is None:
                continue
            excess_HN = bounds.excess(shares, running_N, rate if self._reachable else None) - self._tolerance
            if excess_HN.size and not excess_HN.max() <= 0.0:
                worst = max(worst, float(np.nan_to_num(excess_HN, nan=1.0).max()))
                words += self._words(limits, shares, running_N, rate)
        return worst, words

    def _words(self, limits: Sequence[ShareLimit], shares_HN: Float, running_N: Float | None, rate: float) -> list[str]:
        words: list[str] = []
        for limit in limits:
            excess_HN = _Bounds.of([limit], self._size).excess(shares_HN, running_N, rate if self._reachable else None)
            broken = np.argwhere(~(excess_HN <= self._tolerance))
            if len(broken) and len(words) < _SHOWN:
                step, flat = (int(v) for v in broken[0])
                bounds = [f"at least {limit.least:g}"] if limit.least is not None else []
                bounds += [f"at most {limit.most:g}"] if limit.most is not None else []
                bounds += [f"moved by at most {limit.change:g} a step"] if limit.change is not None else []
                words.append(
                    f"{limit.name}: {self._scopes.where(flat)} is {shares_HN[step, flat]:.4g} in step {step}, "
                    f"bound {' and '.join(bounds)}"
                )
        return words


@dataclass(frozen=True, kw_only=True)
class _Bounds:
    """The tightest of several limits for each flat share."""

    least_N: Float
    most_N: Float
    change_N: Float

    @classmethod
    def of(cls, limits: Iterable[ShareLimit], size: int) -> _Bounds:
        least, most, change = np.full(size, -np.inf), np.full(size, np.inf), np.full(size, np.inf)
        for limit in limits:
            where = limit.index_N
            if limit.least is not None:
                least[where] = np.maximum(least[where], limit.least)
            if limit.most is not None:
                most[where] = np.minimum(most[where], limit.most)
            if limit.change is not None:
                change[where] = np.minimum(change[where], limit.change)
        return cls(least_N=least, most_N=most, change_N=change)

    def excess(self, shares_HN: Float, running_N: Float | None, rate: float | None) -> Float:
        """How far each share lies outside [H, N]; NaN where it cannot be told."""
        least, most = self.least_N, self.most_N
        steps_H1 = np.arange(1, len(shares_HN) + 1)[:, None]
        if rate is not None and running_N is not None:
            least = np.minimum(least, running_N + rate * steps_H1)
            most = np.maximum(most, running_N - rate * steps_H1)
        excess = np.maximum(least - shares_HN, shares_HN - most)
        if np.isfinite(self.change_N).any():
            if running_N is None:  # nobody knows what it would be a change from
                return np.where(np.isfinite(self.change_N), np.nan, excess)
            before = np.concatenate([running_N[None], shares_HN[:-1]])
            excess = np.maximum(excess, np.abs(shares_HN - before) - self.change_N)
        return np.asarray(excess)


def intent_limits(active: intent_pb2.ActiveIntents, scopes: ShareScopes, now_s: float) -> list[ShareLimit]:
    """Limits of the intents that have not expired. Raises InvalidInputError naming an intent that does not fit the network."""
    found = []
    for entry in active.intents:
        spec = entry.spec
        expires_s = seconds(spec, "expires")
        if expires_s is not None and expires_s <= now_s:
            continue
        if spec.area_id != scopes.area_id or (spec.spec_digest and spec.spec_digest != scopes.spec_digest):
            raise InvalidInputError(f"intent {shown(spec.intent_id)}: made for another network or another version of it")
        for number, limit in enumerate(spec.limits):
            scope = limit.scope
            try:
                index = scopes.index(scope.slices, scope.zone, scope.cells, scope.links, limit.resource)
            except InvalidInputError as error:
                raise InvalidInputError(f"intent {spec.intent_id}, limit {number}: {error}") from error
            start, end = window_of(limit.window if limit.HasField("window") else None, spec)
            found.append(
                ShareLimit(
                    name=f"intent {spec.intent_id}, limit {number}",
                    index_N=index,
                    least=limit.min_share if limit.HasField("min_share") else None,
                    most=limit.max_share if limit.HasField("max_share") else None,
                    change=limit.max_change if limit.HasField("max_change") else None,
                    start_s=start,
                    end_s=end,
                )
            )
    return found


def policy_limits(others: Iterable[OtherPolicy], scopes: ShareScopes, now_s: float) -> list[ShareLimit]:
    """Bounds of other policies in force. Raises InvalidInputError naming one that does not fit the network."""
    found = []
    for other in others:
        if other.expires_s <= now_s:
            continue
        resource = {
            "prb": intent_pb2.RESOURCE_PRB,
            "bandwidth": intent_pb2.RESOURCE_BANDWIDTH,
            "both": intent_pb2.RESOURCE_UNSPECIFIED,
        }[other.resource]
        try:
            index = scopes.index(other.slices, other.zone, other.cells, other.links, resource)
        except InvalidInputError as error:
            raise InvalidInputError(f"policy {other.policy_id} of {shown(other.owner)}: {error}") from error
        found.append(
            ShareLimit(
                name=f"policy {other.policy_id} of {other.owner}",
                index_N=index,
                least=other.min_share,
                most=other.max_share,
                change=0.0 if other.exclusive else None,
            )
        )
    return found
