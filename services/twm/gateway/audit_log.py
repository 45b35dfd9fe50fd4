"""Append-only audit file, `audit-<area>.jsonl`: one canonical JSON line a record, fsynced, one writer at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from twm.api.policy.v1 import policy_pb2
from twm.core.errors import AuditError, UnavailableError
from twm.gateway.audit import MAX_LINE_BYTES, ChainHead, ChainVerifier, from_line, to_line

_BLOCK = 64 * 1024


class AuditLog:
    """The file of one area. Not thread-safe; blocking."""

    def __init__(self, path: Path) -> None:
        """Open or create it, drop a half-written last line, find its head.

        Raises UnavailableError where another process holds it, AuditError where its last line is no record.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        created = not path.exists()
        self._file: BinaryIO = path.open("a+b")
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UnavailableError(f"audit log {path}: another process writes it") from error
            if created:
                _sync_folder(path.parent)
            self._drop_partial_line()
            self.head = self._read_head()
        except BaseException:
            self._file.close()
            raise

    def append(self, records: Sequence[policy_pb2.AuditRecord]) -> int:
        """Write those records that are not there yet and fsync; returns how many were new.

        Raises AuditError, and writes nothing, where a record does not follow the head. An empty log may begin later than
        record 1 (the stream's begin was trimmed).
        """
        new = [r for r in records if r.sequence > self.head.sequence]
        for record in records:
            if record.sequence == self.head.sequence and record.hash != self.head.hash:
                raise AuditError(f"audit log {self.path}: record {record.sequence} differs from the stream's")
        if not new:
            return 0
        verifier = ChainVerifier(partial=self.head.sequence == 0)
        if self.head.sequence:
            verifier.head, verifier.first_sequence = self.head, self.head.sequence
        try:
            for record in new:
                verifier.feed(record)
        except AuditError as error:
            raise AuditError(f"audit log {self.path}: {error}") from error
        self._file.write(b"".join(to_line(record).encode() + b"\n" for record in new))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.head = verifier.head
        return len(new)

    def hash_at(self, sequence: int) -> str | None:
        """Hash of a record, None where the file does not hold it. Reads the file through."""
        for record in read_records(self.path):
            if record.sequence == sequence:
                return record.hash
        return None

    def close(self) -> None:
        """Close the file and let go of it."""
        self._file.close()

    def _drop_partial_line(self) -> None:
        size = self._file.seek(0, os.SEEK_END)
        end = size
        while end > 0:
            start = max(end - _BLOCK, 0)
            self._file.seek(start)
            found = self._file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            # Only the writer's own crash leaves a line without its end; the record still stands in the stream.
            self._file.truncate(end)
            os.fsync(self._file.fileno())

    def _read_head(self) -> ChainHead:
        size = self._file.seek(0, os.SEEK_END)
        if size == 0:
            return ChainHead()
        tail, start = b"", size
        while start > 0 and tail.count(b"\n") < 2 and len(tail) <= MAX_LINE_BYTES:
            start = max(start - _BLOCK, 0)
            self._file.seek(start)
            tail = self._file.read(size - start)
        try:
            record = from_line(tail.rstrip(b"\n").rpartition(b"\n")[2].decode("utf-8"))
        except (UnicodeDecodeError, AuditError) as error:
            raise AuditError(f"audit log {self.path}: last line: {error}") from error
        return ChainHead(record.sequence, record.hash)


def read_records(path: Path) -> Iterator[policy_pb2.AuditRecord]:
    """Records of a file in order. Raises AuditError naming the line, OSError where it cannot be read."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if not line.endswith(b"\n"):
                what = "cut off" if len(line) <= MAX_LINE_BYTES else f"longer than {MAX_LINE_BYTES} bytes"
                raise AuditError(f"line {number}: {what}")
            try:
                yield from_line(line[:-1].decode("utf-8"))
            except (UnicodeDecodeError, AuditError) as error:
                raise AuditError(f"line {number}: {error}") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
