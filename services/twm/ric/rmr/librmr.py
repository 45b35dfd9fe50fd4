"""RMR by librmr, through the bindings of PyPI `ricxappframe` (its RMR part only, which needs neither SDL nor protobuf).

One thread receives; sends are serialised by a lock. A buffer received is used again at once unless its message will be
answered: return-to-sender needs the very buffer. The bindings' own exceptions are no `Exception`s, so they are named here.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from twm.core import metrics
from twm.core.errors import UnavailableError
from twm.ric.rmr.messages import ANSWERED, MAX_MEID_BYTES, MAX_PAYLOAD_BYTES, RmrMessage

log = logging.getLogger(__name__)

RECEIVE_WAIT_MS = 500
STUCK_S = 30.0
SEND_TRIES = 20
RETRY_WAIT_S = 0.005
_BUFFER_BYTES = 4096
_STATE_OK, _STATE_EMPTY, _STATE_RETRY, _STATE_TIMEOUT = 0, 3, 10, 12


def load_rmr() -> Any:
    """ricxappframe's RMR module. Raises UnavailableError saying what to install."""
    try:
        return importlib.import_module("ricxappframe.rmr.rmr")
    except ImportError as error:
        raise UnavailableError(
            "TWM_RIC_TRANSPORT=rmr: the RMR bindings are missing: pip install 'twm[ric-oransc]' (PyPI ricxappframe)"
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"TWM_RIC_TRANSPORT=rmr: librmr_si.so cannot be loaded ({str(error)[:120]}): install the package `rmr` of O-RAN SC "
            "and run ldconfig, or set LD_LIBRARY_PATH=/usr/local/lib"
        ) from error


class LibRmr:
    """RmrTransport over librmr, listening on `port`."""

    def __init__(self, port: int, rmr: Any = None) -> None:
        self._rmr = load_rmr() if rmr is None else rmr
        self._port = port
        self._context: Any = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_turn_s = 0.0

    def start(self, deliver: Callable[[RmrMessage], None]) -> None:
        """Listen. Does not wait for a routing table: the route manager sends it only to xApps that are up."""
        rmr = self._rmr
        try:
            self._context = rmr.rmr_init(str(self._port).encode(), int(rmr.RMR_MAX_RCV_BYTES or 65536), rmr.RMRFL_MTCALL)
        except (rmr.InitFailed, OSError) as error:
            raise UnavailableError(f"TWM_RIC_RMR_PORT: RMR cannot listen on port {self._port}: {error!r}") from error
        rmr.rmr_set_stimeout(self._context, 1)
        self._last_turn_s = time.monotonic()
        self._thread = threading.Thread(target=self._receive, args=(deliver,), name="rmr", daemon=True)
        self._thread.start()
        log.info("RMR listens on port %d", self._port)

    def send(self, message: RmrMessage) -> bool:
        """Send; short waits and another try where RMR asks for it."""
        if len(message.payload) > MAX_PAYLOAD_BYTES or self._context is None:
            return False
        rmr = self._rmr
        with self._lock:
            if self._stop.is_set():
                return False
            try:
                buffer = rmr.rmr_alloc_msg(
                    self._context,
                    max(len(message.payload), _BUFFER_BYTES),
                    payload=message.payload,
                    gen_transaction_id=True,
                    mtype=int(message.mtype),
                    meid=message.meid.encode()[:MAX_MEID_BYTES] or None,
                )
            except rmr.BadBufferAllocation:
                return False
            buffer.contents.sub_id = message.sub_id
            buffer.contents.state = _STATE_OK
            return self._sent(buffer, lambda again: rmr.rmr_send_msg(self._context, again))

    def reply(self, received: RmrMessage, mtype: int, payload: bytes) -> bool:
        """Return to sender."""
        if received.sender is None:
            return False
        rmr = self._rmr
        buffer: Any = received.sender
        with self._lock:
            if self._stop.is_set():
                return False
            return self._sent(buffer, lambda again: rmr.rmr_rts_msg(self._context, again, payload=payload, mtype=int(mtype)))

    def release(self, received: RmrMessage) -> None:
        """Free the buffer."""
        if received.sender is not None:
            with self._lock:
                self._rmr.rmr_free_msg(received.sender)

    def routed(self) -> bool:
        """Whether rmr_ready says so."""
        return self._context is not None and bool(self._rmr.rmr_ready(self._context))

    def healthy(self) -> bool:
        """Whether the receiving thread lives and turns."""
        alive = self._thread is not None and self._thread.is_alive()
        return alive and time.monotonic() - self._last_turn_s < STUCK_S

    def close(self) -> None:
        """End the thread, then the context."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)
            with self._lock:
                self._rmr.rmr_close(self._context)

    def _sent(self, buffer: Any, send: Callable[[Any], Any]) -> bool:
        """Send until RMR does not ask for another try, and free what it gives back."""
        for _ in range(SEND_TRIES):
            buffer = send(buffer)
            if not buffer:
                return False
            if buffer.contents.state != _STATE_RETRY:
                break
            time.sleep(RETRY_WAIT_S)
        sent = bool(buffer.contents.state == _STATE_OK)
        self._rmr.rmr_free_msg(buffer)
        return sent

    def _receive(self, deliver: Callable[[RmrMessage], None]) -> None:
        rmr = self._rmr
        buffer: Any = None
        while not self._stop.is_set():
            if buffer is None:
                try:
                    buffer = rmr.rmr_alloc_msg(self._context, _BUFFER_BYTES)
                except rmr.BadBufferAllocation:
                    time.sleep(1.0)
                    continue
            buffer = rmr.rmr_torcv_msg(self._context, buffer, RECEIVE_WAIT_MS)
            self._last_turn_s = time.monotonic()
            if not buffer:
                buffer = None
                continue
            state = buffer.contents.state
            if state not in (_STATE_OK, _STATE_EMPTY):
                if state != _STATE_TIMEOUT:
                    metrics.RIC_MESSAGES.labels("bad", "in", "receive_error").inc()
                    time.sleep(RETRY_WAIT_S)
                continue
            message = self._message(buffer)
            if message is None:
                continue
            if message.sender is not None:
                buffer = None
            try:
                deliver(message)
            except Exception:  # the receiving thread outlives whatever one message does
                log.exception("RMR message %d failed", message.mtype)
        if buffer is not None:
            rmr.rmr_free_msg(buffer)

    def _message(self, buffer: Any) -> RmrMessage | None:
        head = buffer.contents
        mtype, length = int(head.mtype), int(head.len)
        if not 0 <= length <= MAX_PAYLOAD_BYTES:
            metrics.RIC_MESSAGES.labels("bad", "in", "bad_length").inc()
            return None
        payload = ctypes.string_at(head.payload, length) if length else b""
        meid = self._rmr.rmr_get_meid(buffer).decode("utf-8", "replace")
        return RmrMessage(mtype, payload, int(head.sub_id), meid, buffer if mtype in ANSWERED else None)
