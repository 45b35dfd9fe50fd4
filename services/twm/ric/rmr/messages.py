"""RMR messages and the interface every transport has. Numbers: O-RAN SC ric-plt-lib-rmr, RIC_message_types.h."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

MAX_PAYLOAD_BYTES = 1 << 20
"""Largest payload taken or sent."""
MAX_MEID_BYTES = 31
"""Longest managed entity id an RMR header holds (32 with its terminating zero)."""
NO_SUBSCRIPTION = -1


class MessageType(IntEnum):
    """The message types this process sends or takes."""

    RIC_HEALTH_CHECK_REQ = 100
    RIC_HEALTH_CHECK_RESP = 101
    RIC_CONTROL_REQ = 12040
    RIC_CONTROL_ACK = 12041
    RIC_CONTROL_FAILURE = 12042
    RIC_INDICATION = 12050
    A1_POLICY_REQ = 20010
    A1_POLICY_RESP = 20011
    A1_POLICY_QUERY = 20012


ANSWERED = frozenset({MessageType.RIC_HEALTH_CHECK_REQ, MessageType.A1_POLICY_REQ})
"""Types that get an answer to their sender: a transport keeps what it needs for that until `reply` or `release`."""
RECEIVED = (
    MessageType.RIC_HEALTH_CHECK_REQ,
    MessageType.RIC_CONTROL_ACK,
    MessageType.RIC_CONTROL_FAILURE,
    MessageType.RIC_INDICATION,
    MessageType.A1_POLICY_REQ,
)
SENT = (
    MessageType.RIC_HEALTH_CHECK_RESP,
    MessageType.RIC_CONTROL_REQ,
    MessageType.A1_POLICY_RESP,
    MessageType.A1_POLICY_QUERY,
)


@dataclass(frozen=True, slots=True)
class RmrMessage:
    """One message."""

    mtype: int
    payload: bytes
    sub_id: int = NO_SUBSCRIPTION
    """Subscription id of the header; of an indication the E2 event instance id."""
    meid: str = ""
    """Managed entity: the RAN name of the E2 node."""
    sender: object = field(default=None, compare=False, repr=False)
    """What the transport needs to answer; None: cannot be answered."""


class RmrTransport(Protocol):
    """A way to send and receive RMR messages. All methods may be called from any thread."""

    def start(self, deliver: Callable[[RmrMessage], None]) -> None:
        """Listen, and call `deliver` for each message, on a thread of the transport. Raises UnavailableError."""
        ...

    def send(self, message: RmrMessage) -> bool:
        """Send by the routing table. False where there is no route or the peer does not take it."""
        ...

    def reply(self, received: RmrMessage, mtype: int, payload: bytes) -> bool:
        """Answer the sender of a message (return to sender), once; frees what was kept for it."""
        ...

    def release(self, received: RmrMessage) -> None:
        """Free what was kept for an answer that will not come."""
        ...

    def routed(self) -> bool:
        """Whether a routing table has been received."""
        ...

    def healthy(self) -> bool:
        """Whether messages are being received."""
        ...

    def close(self) -> None:
        """Stop receiving and free everything."""
        ...
