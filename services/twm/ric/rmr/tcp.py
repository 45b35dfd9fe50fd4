"""The same messages over plain TCP: for a laboratory without librmr, and for the tests.

A frame: "RMRT", message type, subscription id, lengths of managed entity and payload (big-endian), then both. Peers connect to
us; `send` goes to every peer, an answer to the one that asked. Nothing here is RMR's own wire format.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Callable

from twm.core.errors import UnavailableError
from twm.ric.rmr.messages import ANSWERED, MAX_MEID_BYTES, MAX_PAYLOAD_BYTES, RmrMessage

log = logging.getLogger(__name__)

HEAD = struct.Struct(">4sIiBI")
MAGIC = b"RMRT"
MAX_PEERS = 16
SEND_TIMEOUT_S = 5.0


def pack(message: RmrMessage) -> bytes:
    """One frame."""
    meid = message.meid.encode()[:MAX_MEID_BYTES]
    return HEAD.pack(MAGIC, int(message.mtype), message.sub_id, len(meid), len(message.payload)) + meid + message.payload


class Peer:
    """One connection, read frame by frame and written under a lock."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def write(self, message: RmrMessage) -> bool:
        """Whether the frame was handed to the kernel."""
        try:
            with self._lock:
                self._connection.sendall(pack(message))
        except OSError:
            return False
        return True

    def read(self) -> RmrMessage | None:
        """The next message; None at the end of the connection or of sense."""
        head = self._exactly(HEAD.size)
        if head is None:
            return None
        magic, mtype, sub_id, meid_bytes, payload_bytes = HEAD.unpack(head)
        if magic != MAGIC or payload_bytes > MAX_PAYLOAD_BYTES or meid_bytes > MAX_MEID_BYTES:
            return None
        meid, payload = self._exactly(meid_bytes), self._exactly(payload_bytes)
        if meid is None or payload is None:
            return None
        return RmrMessage(mtype, payload, sub_id, meid.decode("utf-8", "replace"), self if mtype in ANSWERED else None)

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _exactly(self, count: int) -> bytes | None:
        parts: list[bytes] = []
        while count:
            try:
                part = self._connection.recv(min(count, 65536))
            except OSError:
                return None
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class TcpRmr:
    """RmrTransport over TCP, listening on `port` (0: a free one) of `host`."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._host, self.port = host, port
        self._server: socket.socket | None = None
        self._peers: set[Peer] = set()
        self._lock = threading.Lock()
        self._closed = False

    def start(self, deliver: Callable[[RmrMessage], None]) -> None:
        """Listen."""
        try:
            self._server = socket.create_server((self._host, self.port))
        except OSError as error:
            raise UnavailableError(f"TWM_RIC_RMR_PORT: cannot listen on {self._host}:{self.port}: {error.strerror}") from error
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, args=(self._server, deliver), name="rmr-tcp", daemon=True).start()

    def send(self, message: RmrMessage) -> bool:
        """To every peer; True where one took it."""
        with self._lock:
            peers = tuple(self._peers)
        return len(message.payload) <= MAX_PAYLOAD_BYTES and sum(peer.write(message) for peer in peers) > 0

    def reply(self, received: RmrMessage, mtype: int, payload: bytes) -> bool:
        """To the peer that asked."""
        peer = received.sender
        return isinstance(peer, Peer) and peer.write(RmrMessage(mtype, payload, received.sub_id, received.meid))

    def release(self, received: RmrMessage) -> None:
        """Nothing is kept."""

    def routed(self) -> bool:
        """Whether there is a peer."""
        with self._lock:
            return bool(self._peers)

    def healthy(self) -> bool:
        """Whether it listens."""
        return self._server is not None and not self._closed

    def close(self) -> None:
        """Hang up everywhere."""
        self._closed = True
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
        with self._lock:
            peers = tuple(self._peers)
        for peer in peers:
            peer.close()

    def _accept(self, server: socket.socket, deliver: Callable[[RmrMessage], None]) -> None:
        while not self._closed:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(SEND_TIMEOUT_S), 0)
            )  # a peer that does not read blocks nobody for long
            peer = Peer(connection)
            with self._lock:
                taken = len(self._peers) < MAX_PEERS and not self._closed
                if taken:
                    self._peers.add(peer)
            if not taken:
                peer.close()
                continue
            threading.Thread(target=self._serve, args=(peer, deliver), name="rmr-tcp-peer", daemon=True).start()

    def _serve(self, peer: Peer, deliver: Callable[[RmrMessage], None]) -> None:
        try:
            while (message := peer.read()) is not None:
                try:
                    deliver(message)
                except Exception:  # a peer's connection outlives whatever one message does
                    log.exception("message %d failed", message.mtype)
        finally:
            with self._lock:
                self._peers.discard(peer)
            peer.close()
