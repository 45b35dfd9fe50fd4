"""Names, consumer groups and bounds of the streams, one set for each planning area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twm.core.errors import InvalidInputError

GROUP_INGESTER = "ingester"
GROUP_PLANNER = "planner"
GROUP_GATEWAY = "gateway"
GROUP_SCORER = "scorer"

# Most entries a stream holds before acknowledged ones are dropped, oldest first (1/8 more is the hard bound).
STREAM_BOUNDS: Mapping[str, int] = {
    "intake": 8192,
    "frames": 4096,
    "proposals": 4096,
    "verdicts": 16384,
    "explanations": 4096,
    "evidence": 4096,
    "policies": 8192,
    "scores": 16384,
    "audit": 65536,
    "intents": 4096,
    "alarms": 4096,
    "dead": 256,
}
DURABLE_STREAMS = frozenset({"policies", "audit", "intents"})


@dataclass(frozen=True)
class StreamNames:
    """Names of one planning area's streams and keys. The hash tag puts them in one cluster slot, so that one script may
    touch several."""

    area_id: str

    @classmethod
    def of(cls, area_id: str) -> StreamNames:
        """Names for `area_id`. Raises InvalidInputError where it would break out of the hash tag."""
        if not area_id or len(area_id) > 64 or set("{}:") & set(area_id):
            raise InvalidInputError(f"area_id: {area_id[:64]!r} is empty, longer than 64 or holds one of {{ }} :")
        return cls(area_id)

    def key(self, name: str) -> str:
        """A plain key (for KeyWrite) in the same slot."""
        return f"twm:{{{self.area_id}}}:key:{name}"

    def _stream(self, name: str) -> str:
        return f"twm:{{{self.area_id}}}:{name}"

    @property
    def intake(self) -> str:
        """telemetry ReportBatch."""
        return self._stream("intake")

    @property
    def frames(self) -> str:
        """KpiFrame."""
        return self._stream("frames")

    @property
    def proposals(self) -> str:
        """Proposal."""
        return self._stream("proposals")

    @property
    def verdicts(self) -> str:
        """Verdict."""
        return self._stream("verdicts")

    @property
    def explanations(self) -> str:
        """Explanation."""
        return self._stream("explanations")

    @property
    def evidence(self) -> str:
        """DecisionEvidence."""
        return self._stream("evidence")

    @property
    def policies(self) -> str:
        """SlicePolicy."""
        return self._stream("policies")

    @property
    def scores(self) -> str:
        """ShadowScore."""
        return self._stream("scores")

    @property
    def audit(self) -> str:
        """AuditRecord."""
        return self._stream("audit")

    @property
    def intents(self) -> str:
        """IntentChange."""
        return self._stream("intents")

    @property
    def alarms(self) -> str:
        """Alarm."""
        return self._stream("alarms")

    @property
    def dead(self) -> str:
        """Entries given up, with the reason."""
        return self._stream("dead")


def stream_kind(stream: str) -> str:
    """ "frames" of "twm:{area}:frames"."""
    return stream.rpartition(":")[2]
