"""Frames in a file: KpiFrame messages, each behind its length as a varint ("delimited" protobuf, readable from any language).

Frames lie in the order they were written; reading gives them by rising step. A file whose writer was cut off ends in the middle
of a frame: what is whole is read, and the rest is counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.errors import DecodeError, FrameError, InvalidInputError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec

MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_FRAMES = 1_000_000
_VARINT_BYTES = 5


@dataclass(frozen=True)
class FrameFile:
    """What a file holds."""

    messages: list[telemetry_pb2.KpiFrame]
    """In the order of the file."""
    truncated_bytes: int
    """Bytes after the last whole frame: more than 0 where the writer was cut off."""


def write_frames(path: Path, frames: Iterable[telemetry_pb2.KpiFrame | bytes]) -> int:
    """Write frames (messages, or their bytes) to a new file that appears only when it is whole. Returns how many.

    Raises InvalidInputError where a frame is over MAX_FRAME_BYTES or the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    count = 0
    try:
        with partial.open("wb") as out:
            for frame in frames:
                data = frame if isinstance(frame, bytes) else frame.SerializeToString(deterministic=True)
                if len(data) > MAX_FRAME_BYTES:
                    raise InvalidInputError(f"frame {count}: {len(data)} bytes, at most {MAX_FRAME_BYTES}")
                out.write(_varint(len(data)) + data)
                count += 1
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def read_frames(path: Path) -> FrameFile:
    """Every whole frame of a file.

    Raises DecodeError where a length is over MAX_FRAME_BYTES or bytes are no KpiFrame, InvalidInputError where the file
    cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
    messages: list[telemetry_pb2.KpiFrame] = []
    end = 0
    for start, stop in _pieces(data, path):
        if len(messages) >= MAX_FRAMES:
            raise DecodeError(f"{path}: more than {MAX_FRAMES} frames")
        try:
            messages.append(telemetry_pb2.KpiFrame.FromString(data[start:stop]))
        except (ProtobufDecodeError, UnicodeDecodeError) as error:
            raise DecodeError(f"{path}: frame {len(messages)} at byte {start}: not a KpiFrame") from error
        end = stop
    return FrameFile(messages, len(data) - end)


def load_frames(path: Path, spec: NetworkSpec) -> list[FrameArrays]:
    """The frames of a file that must fit `spec`, by rising step; of two frames of one step the later one counts.

    Raises FrameError naming the frame where it does not fit, DecodeError and InvalidInputError as `read_frames`, and
    InvalidInputError where the file holds no frame.
    """
    codec = FrameCodec(spec)
    found: dict[int, FrameArrays] = {}
    for index, message in enumerate(read_frames(path).messages):
        try:
            frame = codec.decode(message)
        except FrameError as error:
            raise FrameError(f"{path}: frame {index}: {error}") from error
        found[frame.step] = frame
    if not found:
        raise InvalidInputError(f"{path}: no whole frame")
    return [found[step] for step in sorted(found)]


def _pieces(data: bytes, path: Path) -> Iterator[tuple[int, int]]:
    """Begin and end of each whole frame."""
    at = 0
    while at < len(data):
        size, start = _read_varint(data, at, path)
        if start < 0 or start + size > len(data):
            return
        yield start, start + size
        at = start + size


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int, path: Path) -> tuple[int, int]:
    """(value, offset after it); an offset of -1 where the data ends within it."""
    value = 0
    for index, byte in enumerate(data[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if value > MAX_FRAME_BYTES:
                raise DecodeError(f"{path}: byte {at}: a frame of {value} bytes, at most {MAX_FRAME_BYTES}")
            return value, at + index + 1
    if at + _VARINT_BYTES <= len(data):
        raise DecodeError(f"{path}: byte {at}: not the length of a frame")
    return 0, -1
