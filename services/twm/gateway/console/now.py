"""The status line: mode, age of the newest frame, what waits, what is in force."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Sequence

from twm.api.policy.v1 import policy_pb2
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams
from twm.gateway.console.history import Seen
from twm.gateway.console.models import NowView
from twm.gateway.console.tail import Tail
from twm.gateway.drift_watch import DriftWatch
from twm.gateway.modes.handling import Known
from twm.gateway.rest import Gateway
from twm.gateway.rest_views import verdict_view

STALE_LEAST_S = 15.0
STALE_STEPS = 3.0
_LOOK_BACK = 8


class Overview:
    """Reads the status line of one gateway."""

    def __init__(
        self,
        spec: NetworkSpec,
        streams: Streams,
        names: StreamNames,
        gateway: Gateway,
        clock: Callable[[], float],
        frames: Tail[Seen],
        verdicts: Tail[policy_pb2.Verdict],
    ) -> None:
        self._spec, self._streams, self._names = spec, streams, names
        self._gateway, self._clock = gateway, clock
        self._frames, self._verdicts = frames, verdicts
        self._drift = DriftWatch(streams, names, spec)

    async def now(self) -> NowView:
        """Raises UnavailableError, AuditError where a record is damaged."""
        status, known = await self._gateway.status(), await Known.read(self._streams, self._names)
        rows, verdicts = await self._frames.rows(), await self._verdicts.rows()
        now_s = self._clock()
        newest = rows[-1][1] if rows else None
        every_s = expected_every_s([row.written_s for _, row in rows], self._spec.timing.slow_step_s)
        age_s = None if newest is None else max(0.0, now_s - newest.written_s)
        waiting = [w for w in known.book.pending if now_s < w.expires_s]
        drift = await self._drift.status()
        return NowView(
            area_id=status.area_id,
            mode=known.mode.mode,
            stopped=known.mode.stopped,
            mode_version=known.mode.version,
            ready=status.ready,
            newest_step=rows[-1][0] if rows else None,
            newest_start=None if newest is None else dt.datetime.fromtimestamp(newest.start_s, dt.UTC).isoformat(),
            frame_age_s=None if age_s is None else round(age_s, 1),
            expected_every_s=None if every_s is None else round(every_s, 1),
            stale=age_s is not None and every_s is not None and age_s > max(STALE_LEAST_S, STALE_STEPS * every_s),
            missing_report_count=None if newest is None else newest.missing_report_count,
            report_count=None if newest is None else newest.report_count,
            waiting_count=len(waiting),
            in_force=known.enforced.policy_set_id if known.enforced.instances else "",
            intents_active=0
            if known.intents is None
            else sum(
                not entry.spec.HasField("expires") or entry.spec.expires.seconds > now_s for entry in known.intents.intents
            ),
            drift_state=drift.state,
            last_decision=verdict_view(verdicts[-1][1]).decision if verdicts else "",
            audit_sequence=status.audit_sequence,
            audit_problem=status.audit_problem,
            guardrail_version=status.guardrail_version,
        )


def expected_every_s(written_s: Sequence[float], slow_step_s: float) -> float | None:
    """How often frames come [s]: median of the last gaps, at most a slow step (accelerated runs are faster); None: no frame."""
    if not written_s:
        return None
    last = written_s[-_LOOK_BACK - 1 :]
    gaps = sorted(b - a for a, b in itertools.pairwise(last) if b >= a)
    return min(slow_step_s, gaps[len(gaps) // 2]) if gaps else slow_step_s
