"""What people do with modes and policies: change the mode, approve, stop, roll back, register other policies.

Each operation is one atomic write: state, policy stream and audit record together, guarded by what was read. Two approvers at
once, an expiry in between, a restart: one of them takes effect, the others are told why not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from twm.api.planning.v1 import planning_pb2
from twm.core import metrics
from twm.core.actions import encode_policies
from twm.core.errors import ConflictError, DecodeError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.streams import KeyWrite, StreamNames, Streams
from twm.core.text import clean, shown
from twm.gateway.a1 import A1Options, slice_policy
from twm.gateway.access import Principal
from twm.gateway.audit import Event
from twm.gateway.drift_watch import DriftWatch
from twm.gateway.guardrail import Guardrail, Situation
from twm.gateway.judgement import newest_step, parse_proposal
from twm.gateway.modes.approvals import APPROVED, REJECTED, Book, Waiting
from twm.gateway.modes.enforced import arrays_of
from twm.gateway.modes.handling import Handler, Known, approval_event, check_types, joined, written
from twm.gateway.modes.state import MODES, ModeState
from twm.gateway.other_policies import OTHERS_KEY, OtherPolicy, decode_others, encode_others, with_policy
from twm.gateway.recorder import Composition, Recorder
from twm.gateway.reported import ReportedShares
from twm.gateway.rules import GuardrailRules
from twm.gateway.share_limits import policy_limits
from twm.gateway.step_search import id_key

MAX_REASON = 500
ROLLBACK_CHECKS = ("sizes", "finite", "simplex", "floors", "rate_from_running", "conflict", "intent_limits", "prb_quantisation")
"""What must hold of a policy that comes back."""


@dataclass(frozen=True)
class Seen:
    """Mode of the area, and what is missing to autonomous mode."""

    state: ModeState
    missing: list[str]


class Desk:
    """Operations of one area."""

    def __init__(
        self,
        streams: Streams,
        names: StreamNames,
        recorder: Recorder,
        spec: NetworkSpec,
        rules: GuardrailRules,
        options: A1Options,
        clock: Callable[[], float],
    ) -> None:
        """`clock`: Unix [s]."""
        self._streams, self._names, self._recorder = streams, names, recorder
        self._spec, self._rules, self._options, self._clock = spec, rules, options, clock
        self._guardrail = Guardrail(spec, rules)
        self._frames = ReportedShares(streams, names, spec, rules.timing.max_lag_steps)
        self._handler = Handler(streams, names, spec, rules, self._guardrail, DriftWatch(streams, names, spec))

    @property
    def area_id(self) -> str:
        """The area."""
        return self._spec.area_id

    @property
    def critical(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Zones and slices the rules class as critical in this network."""
        return self._handler.risk.critical_zones, self._handler.risk.critical_slices

    async def seen(self) -> Seen:
        """Mode now."""
        known = await Known.read(self._streams, self._names)
        return Seen(known.mode, await self._handler.watch.missing(await newest_step(self._streams, self._names)))

    async def set_mode(self, by: Principal, mode: str, expected_version: int, reason: str) -> Seen:
        """Change the mode. Raises ConflictError where it was changed meanwhile, the kill switch is on, or the shadow record is
        not good enough for autonomous mode."""
        if mode not in MODES:
            raise InvalidInputError(f"mode: {shown(mode)} is none of {', '.join(MODES)}")
        reason = _reason(reason)
        missing = await self._handler.watch.missing(await newest_step(self._streams, self._names))

        async def compose() -> Composition:
            known = await Known.read(self._streams, self._names)
            known.mode.check_change(mode, expected_version, missing)
            now_s = self._clock()
            state = known.mode.changed(by=by.subject, now_s=now_s, reason=reason, mode=mode)
            keys, events = [known.mode_write(state)], [_mode_event(known.mode, state)]
            if mode == "shadow":
                keys, events = _emptied(known, keys, events, by.subject, now_s)
            return Composition(keys=keys, events=events)

        await self._recorder.perform(compose)
        return await self._told(missing)

    async def stop(self, by: Principal, stopped: bool, withdraw: bool, reason: str) -> tuple[Seen, int]:
        """Kill switch. On: nothing leaves any more, nothing waits any more, and with `withdraw` what is in force is taken away.
        Off: the area is in shadow mode. (mode, instances withdrawn)."""
        reason = _reason(reason)
        count = 0

        async def compose() -> Composition:
            nonlocal count
            known = await Known.read(self._streams, self._names)
            if stopped == known.mode.stopped and not (stopped and withdraw and known.enforced.instances):
                raise ConflictError(f"kill switch: {'on' if stopped else 'off'} already")
            now_s = self._clock()
            state = known.mode.changed(
                by=by.subject, now_s=now_s, reason=reason, stopped=stopped, mode=None if stopped else "shadow"
            )
            keys, events = _emptied(known, [known.mode_write(state)], [_mode_event(known.mode, state)], by.subject, now_s)
            base = Composition(keys=keys, events=events)
            count = len(known.enforced.instances) if stopped and withdraw else 0
            return joined(base, self._withdrawal(known, state, by.subject, now_s)) if count else base

        await self._recorder.perform(compose)
        return await self._told(None), count

    async def rollback(self, by: Principal, last_good: bool, reason: str) -> tuple[str, int]:
        """Back to the policy before the present one, or to none. An autonomous area is in advisory mode afterwards, since
        somebody has overruled it. (id of the policy in force, instances withdrawn). Raises ConflictError where there is nothing
        to go back to, or the way back is too far for one step."""
        reason = _reason(reason)
        result = ("", 0)

        async def compose() -> Composition:
            nonlocal result
            known = await Known.read(self._streams, self._names)
            if not known.enforced.instances:
                raise ConflictError("rollback: no policy is in force")
            now_s = self._clock()
            mode = "advisory" if known.mode.mode == "autonomous" else None
            state = known.mode.changed(by=by.subject, now_s=now_s, reason=reason, mode=mode)
            event = Event("rollback", {"by": by.subject, "to": "last_good" if last_good else "policy_free", "reason": reason})
            base = Composition(keys=[known.mode_write(state)], events=[event, _mode_event(known.mode, state)])
            if last_good:
                if known.mode.stopped:
                    raise ConflictError("rollback: the kill switch is on; only a rollback to no policy is possible")
                known = replace(known, mode=state)
                part = await self._restored(known, by.subject, now_s)
                result = (f"{self._spec.area_id}/rollback-{state.version}", 0)
            else:
                part = self._withdrawal(known, state, by.subject, now_s)
                result = ("", len(known.enforced.instances))
            return joined(base, part)

        await self._recorder.perform(compose)
        return result

    async def approvals(self) -> Book:
        """What waits, and what was decided last; what waited too long is shown as it is: over."""
        known = await Known.read(self._streams, self._names)
        return known.book.swept(self._clock())[0]

    async def decide(self, by: Principal, proposal_id: str, sha256: str, approve: bool, reason: str) -> Waiting:
        """Approve or reject. The proposal is judged again as things are now. Raises ConflictError where it does not wait (any
        more), has expired, is another proposal, or does not pass any more."""
        reason = _reason(reason)
        decided: list[Waiting] = []

        async def compose() -> Composition:
            known = await Known.read(self._streams, self._names)
            now_s = self._clock()
            waiting = known.book.find(proposal_id, sha256, now_s)
            found = replace(
                waiting,
                state=APPROVED if approve else REJECTED,
                decided_by=by.subject,
                decided_s=now_s,
                reason=reason,
            )
            decided[:] = [found]
            base = Composition(
                keys=[known.book_write(known.book.closed([found])), known.mode_guard], events=[approval_event(found)]
            )
            return joined(base, await self._approved(known, waiting, by.subject, now_s)) if approve else base

        await self._recorder.perform(compose)
        return decided[0]

    async def others(self) -> tuple[OtherPolicy, ...]:
        """Other policies in force."""
        now_s = self._clock()
        stored = await self._streams.get(self._names.key(OTHERS_KEY)) or b""
        return tuple(p for p in decode_others(stored) if p.expires_s > now_s)

    async def register(self, by: Principal, policy: OtherPolicy) -> None:
        """Note another policy. Raises ConflictError where there are too many, InvalidInputError where it does not fit."""
        await self._change_others(by, "registered", policy.policy_id, policy)

    async def forget(self, by: Principal, policy_id: str) -> None:
        """Another policy has ended. Raises ConflictError where it is not known."""
        await self._change_others(by, "forgotten", policy_id, None)

    async def _change_others(self, by: Principal, what: str, policy_id: str, new: OtherPolicy | None) -> None:
        if new is not None:
            policy_limits_fit(new, self._guardrail)

        async def compose() -> Composition:
            stored = await self._streams.get(self._names.key(OTHERS_KEY)) or b""
            now_s = self._clock()
            held = decode_others(stored)
            if new is None and all(p.policy_id != policy_id for p in held):
                raise ConflictError(f"other policies: {shown(policy_id)} is not registered")
            after = with_policy(held, new, now_s) if new else tuple(p for p in held if p.policy_id != policy_id)
            event = {"policy_id": policy_id, "what": what, "by": by.subject}
            if new is not None:
                event["owner"] = new.owner
            key = KeyWrite(self._names.key(OTHERS_KEY), encode_others(after), stored)
            return Composition(keys=[key], events=[Event("other_policy", event)])

        await self._recorder.perform(compose)

    async def _told(self, missing: list[str] | None) -> Seen:
        seen = await self.seen()
        publish(seen.state)
        return seen if missing is None else Seen(seen.state, missing)

    def _withdrawal(self, known: Known, state: ModeState, by: str, now_s: float) -> Composition:
        policy = known.enforced.withdrawal(self._spec.area_id, state.version, by, now_s)
        keys = [known.enforced_write(known.enforced.withdrawn())]
        return joined(written(self._names, policy, ""), Composition(keys=keys))

    async def _approved(self, known: Known, waiting: Waiting, by: str, now_s: float) -> Composition:
        if known.mode.stopped:
            raise ConflictError("approval: the kill switch is on")
        if known.mode.mode == "shadow":
            raise ConflictError("approval: the area is in shadow mode")
        payload = await self._payload(waiting)
        proposal = parse_proposal(payload)
        newest = await newest_step(self._streams, self._names)
        situation = await self._situation(known, now_s, newest, proposal.step)
        verdict = self._guardrail.judge(proposal, situation)
        failed = [check for check in verdict.checks if not check.passed]
        if failed:
            raise ConflictError(f"approval: does not pass any more: {failed[0].message}"[:900])
        if newest is None or proposal.step + 1 + self._options.ttl_steps <= newest:
            raise ConflictError(f"approval: the policy of step {proposal.step} is over, the newest frame is of {newest}")
        policy = slice_policy(proposal, self._spec, self._options, known.mode.value)
        check_types(policy, self._rules)
        return self._handler.enforce(proposal, policy, known, by, waiting.trace_id)

    async def _payload(self, waiting: Waiting) -> bytes:
        """The very bytes that were judged."""
        milliseconds, sequence = id_key(waiting.entry_id)
        after = f"{milliseconds}-{sequence - 1}" if sequence else f"{milliseconds - 1}-{2**64 - 1}"
        found = await self._streams.range(self._names.proposals, after=after, count=1)
        if not found or found[0].id != waiting.entry_id:
            raise ConflictError("approval: its proposal is no longer in the stream")
        if hashlib.sha256(found[0].payload).hexdigest() != waiting.proposal_sha256:
            raise DecodeError("approval: its proposal is not what was judged")
        return found[0].payload

    async def _situation(self, known: Known, now_s: float, newest: int | None, step: int | None = None) -> Situation:
        return Situation(
            now_s=now_s,
            measured=None if step is None else await self._frames.shares(step, newest),
            newest_step=newest,
            accepted=None,
            enforced=known.enforced.memory(self._spec),
            others=known.others,
            intents=known.intents,
            ttl_steps=self._options.ttl_steps,
            mode=known.mode.value,
        )

    async def _restored(self, known: Known, by: str, now_s: float) -> Composition:
        """The policy before the present one, written anew for the next step, once its shares have been checked again."""
        before, present = known.enforced.previous, known.enforced.memory(self._spec)
        newest = await newest_step(self._streams, self._names)
        shares = None if before is None else arrays_of(before, self._spec, self._spec.timing.horizon_steps)
        running = None if present is None else arrays_of(present, self._spec, 1)
        if shares is None or running is None or newest is None:
            raise ConflictError("rollback: no earlier policy is known; roll back to no policy")
        step_s = self._spec.timing.slow_step_s
        proposal = planning_pb2.Proposal(
            proposal_id=f"{self._spec.area_id}/rollback-{known.mode.version}",
            area_id=self._spec.area_id,
            step=newest,
            policy=encode_policies(shares),
            running=encode_policies(running),
        )
        proposal.effective.FromNanoseconds(round((newest + 1) * step_s * 1e9))
        verdict = self._guardrail.judge(proposal, await self._situation(known, now_s, newest))
        failed = [check for check in verdict.checks if not check.passed and check.name in ROLLBACK_CHECKS]
        if failed:
            raise ConflictError(f"rollback: {failed[0].message}"[:900])
        policy = slice_policy(proposal, self._spec, self._options, known.mode.value)
        check_types(policy, self._rules)
        return self._handler.enforce(proposal, policy, known, by, "")


def policy_limits_fit(policy: OtherPolicy, guardrail: Guardrail) -> None:
    """Raises InvalidInputError where another policy names what the network does not have."""
    policy_limits([policy], guardrail.scopes, 0.0)


def publish(state: ModeState) -> None:
    """Set the metric."""
    for mode in (*MODES, "stopped"):
        metrics.MODE.labels(mode).set(mode == ("stopped" if state.stopped else state.mode))


def _mode_event(before: ModeState, after: ModeState) -> Event:
    return Event(
        "mode",
        {
            "by": after.changed_by,
            "reason": after.reason,
            "version": after.version,
            "before": {"mode": before.mode, "stopped": before.stopped},
            "after": {"mode": after.mode, "stopped": after.stopped},
        },
    )


def _emptied(
    known: Known, keys: Sequence[KeyWrite], events: Sequence[Event], by: str, now_s: float
) -> tuple[list[KeyWrite], list[Event]]:
    """With nothing left waiting."""
    book, gone = known.book.emptied(by, now_s, "nothing waits in this mode")
    if not gone:
        return list(keys), list(events)
    return [*keys, known.book_write(book)], [*events, *(approval_event(w) for w in gone)]


def _reason(text: str) -> str:
    """A reason fit for records. Raises InvalidInputError where it is empty or holds hidden characters."""
    found = clean(text, MAX_REASON)
    if not found.text or found.suspicious:
        raise InvalidInputError(f"reason: {', '.join(found.suspicious) or 'empty'}; a plain sentence is needed")
    return found.text
