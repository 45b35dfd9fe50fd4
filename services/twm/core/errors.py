"""The one exception tree.

TwmError
├── InvalidInputError        a value from outside breaks its bound        -> INVALID_ARGUMENT
│   ├── DecodeError          bytes that are not what they claim to be
│   ├── FrameError           a KpiFrame that does not fit the network spec
│   └── NetworkSpecError     a network.yaml that contradicts itself
├── ModelMismatchError       a model that differs from its card           -> FAILED_PRECONDITION
├── UnavailableError         a peer does not answer                       -> UNAVAILABLE
│   └── DeadlineError        ... in time                                  -> DEADLINE_EXCEEDED
├── AuthenticationError      nobody knows who is asking                   -> UNAUTHENTICATED
├── ForbiddenError           who is asking may not                        -> PERMISSION_DENIED
├── RateLimitError           who is asking asks too often                 -> RESOURCE_EXHAUSTED
├── ConflictError            the state of things does not allow it        -> FAILED_PRECONDITION
└── AuditError               the audit chain does not hold                -> DATA_LOSS

Messages say the field, the value and the bound. `reason` is a short constant, fit for a metric label.
"""

from __future__ import annotations


class TwmError(Exception):
    """Base of every error this project raises on purpose."""

    reason = "internal"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class InvalidInputError(TwmError):
    """A value from outside breaks its bound."""

    reason = "invalid_input"


class DecodeError(InvalidInputError):
    """Bytes that are not what they claim to be."""

    reason = "malformed"


class FrameError(InvalidInputError):
    """A KpiFrame that does not fit the network spec."""

    reason = "bad_frame"


class NetworkSpecError(InvalidInputError):
    """A network.yaml that contradicts itself."""

    reason = "bad_network_spec"


class ModelMismatchError(TwmError):
    """A model that differs from its card, or does not fit the network."""

    reason = "model_mismatch"


class UnavailableError(TwmError):
    """A peer does not answer."""

    reason = "unavailable"


class DeadlineError(UnavailableError):
    """A peer does not answer in time."""

    reason = "deadline"


class AuditError(TwmError):
    """The audit chain does not hold."""

    reason = "audit_chain_broken"


class AuthenticationError(TwmError):
    """Nobody knows who is asking. Messages say what is wrong with the token, never what is in it."""

    reason = "unauthenticated"


class ForbiddenError(TwmError):
    """Who is asking may not do this."""

    reason = "forbidden"


class RateLimitError(TwmError):
    """Who is asking asks too often."""

    reason = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ConflictError(TwmError):
    """The state of things does not allow it (changed meanwhile, expired, not good enough)."""

    reason = "conflict"
