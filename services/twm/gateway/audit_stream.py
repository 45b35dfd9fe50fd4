"""The audit chain in Redis: its verification, and the follower that appends it to the file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

from twm.core import metrics
from twm.core.errors import AuditError, UnavailableError
from twm.core.stream_worker import Backoff, pause
from twm.core.streams import Entry, StreamNames, Streams
from twm.gateway.audit import ChainHead, ChainVerifier, from_payload
from twm.gateway.audit_log import AuditLog
from twm.gateway.recorder import HEAD_KEY

log = logging.getLogger(__name__)

_PAGE = 256
_POLL_S = 1.0
_LOCK_RETRY_S = 2.0


async def verify_stream(streams: Streams, names: StreamNames) -> ChainVerifier:
    """Check every record that the stream holds, and that it ends in the head key.

    Its begin may have been trimmed. Raises AuditError naming the first bad record.
    """
    verifier = ChainVerifier(partial=True)
    cursor = "-"
    while True:
        # The head first: records are written with it, so every one up to it is in the stream by then.
        head = ChainHead.decode(await streams.get(names.key(HEAD_KEY)) or b"")
        while entries := await streams.range(names.audit, after=cursor, count=_PAGE):
            await asyncio.to_thread(_feed, verifier, entries)
            cursor = entries[-1].id
        if verifier.head.sequence <= head.sequence:
            verifier.finish(head)
            return verifier


def _feed(verifier: ChainVerifier, entries: Sequence[Entry]) -> None:
    for entry in entries:
        verifier.feed(from_payload(entry.payload))


def log_path(state_dir: Path, names: StreamNames) -> Path:
    """The audit file of an area."""
    return state_dir / f"audit-{names.area_id}.jsonl"


class AuditFollower:
    """Appends the stream's records to the file, in order, each once, fsynced.

    An entry that is no next record of the chain (tampering, records lost before they were read) is left out, and told as
    `problem` until the chain goes on: the process stays up, not ready, and `verify-audit` names the entry.
    """

    def __init__(self, streams: Streams, names: StreamNames, path: Path, moved: asyncio.Event) -> None:
        """`moved`: set where this process has written a record; others' records are found by polling."""
        self.problem = ""
        """Why the file cannot follow; empty: it does."""
        self._streams = streams
        self._names = names
        self._path = path
        self._moved = moved
        self._log: AuditLog | None = None
        self._cursor = "-"

    @property
    def last_sequence(self) -> int | None:
        """Last record in the file; None while another process writes it."""
        return None if self._log is None else self._log.head.sequence

    async def open(self) -> AuditLog | None:
        """Open the file, once; None while another process writes it. Raises AuditError where its end is damaged."""
        if self._log is None:
            try:
                self._log = await asyncio.to_thread(AuditLog, self._path)
            except UnavailableError as error:
                log.warning("%s; waiting for it", error)
            except OSError as error:
                raise AuditError(f"audit log {self._path}: {error.strerror}") from error
        return self._log

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop`; what is in the stream by then is written. Raises AuditError where the file cannot be written."""
        backoff = Backoff()
        try:
            while await self.open() is None:
                await pause(stop, _LOCK_RETRY_S)
                if stop.is_set():
                    return
            while not stop.is_set():
                try:
                    await self._catch_up()
                    backoff.reset()
                except UnavailableError as error:
                    log.warning("audit stream: %s; trying again", error)
                    await backoff.wait(stop)
                    continue
                await self._wait(stop)
            with contextlib.suppress(UnavailableError):
                await self._catch_up()
        finally:
            if self._log is not None:
                self._log.close()
                self._log = None

    async def _catch_up(self) -> None:
        assert self._log is not None
        if self._cursor == "-" and (last := await self._streams.last(self._names.audit, 1)):
            # Most starts find the file up to date: one look at the stream's end saves reading it through.
            head = self._log.head
            with contextlib.suppress(AuditError):
                newest = from_payload(last[0].payload)
                if newest.sequence == head.sequence and newest.hash == head.hash:
                    self._cursor = last[0].id
        while entries := await self._streams.range(self._names.audit, after=self._cursor, count=_PAGE):
            try:
                await asyncio.to_thread(self._append, self._log, entries)
            except OSError as error:
                raise AuditError(f"audit log {self._path}: cannot be written: {error.strerror}") from error
            self._cursor = entries[-1].id

    def _append(self, file: AuditLog, entries: Sequence[Entry]) -> None:
        try:
            if file.append([from_payload(entry.payload) for entry in entries]):
                self.problem = ""
            return
        except AuditError:
            pass  # one entry is foreign: each is tried alone below, and that one is counted and reported
        for entry in entries:
            try:
                if file.append([from_payload(entry.payload)]):
                    self.problem = ""
            except AuditError as error:
                metrics.AUDIT_FOREIGN.inc()
                self.problem = f"entry {entry.id}: {error}"
                log.error("audit stream: %s", self.problem)

    async def _wait(self, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (stop, self._moved)]
        try:
            await asyncio.wait(waits, timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._moved.clear()
