"""Template parameters that the gateway's language layer left in a key: read once, believed in nothing but their numbers."""

from __future__ import annotations

import logging

from twm.core.errors import DecodeError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.templates import MAX_OFFER_AGE_STEPS, MAX_OFFER_BYTES, TemplateCall, read_offer

log = logging.getLogger(__name__)


class Offer:
    """What was in the key when the decision began, and what became of it."""

    def __init__(self, calls: tuple[TemplateCall, ...] = (), outcome: str = "") -> None:
        self._calls, self.outcome = calls, outcome

    @classmethod
    def read(cls, data: bytes, spec: NetworkSpec, *, step: int, now_s: float) -> Offer:
        """Check it for the decision on frame `step` at wall time `now_s` [s]; b"" is no offer. Never raises."""
        if not data:
            return cls()
        if len(data) > MAX_OFFER_BYTES:
            return cls(outcome="too_large")
        try:
            offer = read_offer(data, spec)
        except DecodeError as error:
            log.info("offer of templates ignored: %s", error)
            return cls(outcome="malformed")
        except InvalidInputError as error:
            log.info("offer of templates ignored: %s", error)
            return cls(outcome="invalid")
        if not 0 <= step - offer.step <= MAX_OFFER_AGE_STEPS:
            return cls(outcome="other_step")
        if now_s > offer.deadline_s:
            return cls(outcome="late")
        return cls(offer.calls, "not_needed")

    def take(self) -> tuple[TemplateCall, ...]:
        """The templates, for use."""
        if self._calls:
            self.outcome = "used"
        return self._calls
