"""Frames in a file: what is written comes back, a cut-off file gives what is whole, and wrong bytes are refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf.proto import serialize_length_prefixed
from tiny_zoo import frames

from twm.core.errors import DecodeError, FrameError, InvalidInputError
from twm.core.frame_file import load_frames, read_frames, write_frames
from twm.core.frames import BLOCKS, FrameCodec
from twm.core.network import NetworkSpec, load_network

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"


def test_what_is_written_comes_back_by_step(tmp_path: Path, spec: NetworkSpec) -> None:
    codec = FrameCodec(spec)
    made = frames(spec, 5, first_step=40)
    path = tmp_path / "recent.frames"
    order = [3, 0, 1, 4, 2, 0]
    assert write_frames(path, [codec.encode(made[i]) for i in order]) == 6
    found = load_frames(path, spec)
    assert [frame.step for frame in found] == [40, 41, 42, 43, 44]
    for before, after in zip(made, found, strict=True):
        for name in BLOCKS:
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert [p.name for p in tmp_path.iterdir()] == ["recent.frames"]


def test_the_layout_is_delimited_protobuf(tmp_path: Path, spec: NetworkSpec) -> None:
    message = FrameCodec(spec).encode(frames(spec, 1)[0])
    path = tmp_path / "one"
    with path.open("wb") as out:
        serialize_length_prefixed(message, out)
    theirs = path.read_bytes()
    write_frames(path, [message])
    assert len(path.read_bytes()) == len(theirs)
    assert read_frames(path).messages == [message]


@pytest.mark.parametrize("cut", [1, 200, 40_000])
def test_a_cut_off_file_gives_its_whole_frames(tmp_path: Path, spec: NetworkSpec, cut: int) -> None:
    codec = FrameCodec(spec)
    path = tmp_path / "cut"
    one = codec.encode(frames(spec, 1)[0])
    size = len(one.SerializeToString())
    write_frames(path, [codec.encode(frame) for frame in frames(spec, 3)])
    path.write_bytes(path.read_bytes()[: -min(cut, size - 1)])
    found = read_frames(path)
    assert [m.step for m in found.messages] == [0, 1]
    assert found.truncated_bytes > 0


def test_what_is_no_frame_file_is_refused(tmp_path: Path, spec: NetworkSpec) -> None:
    path = tmp_path / "wrong"
    path.write_bytes(b"\x03\xff\xff\xff\x00")
    with pytest.raises(DecodeError, match="frame 0 at byte 1: not a KpiFrame"):
        read_frames(path)
    path.write_bytes(b"\xff\xff\xff\x7f" + bytes(100))
    with pytest.raises(DecodeError, match="at most"):
        read_frames(path)
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(DecodeError, match="not the length"):
        read_frames(path)
    path.write_bytes(b"")
    with pytest.raises(InvalidInputError, match="no whole frame"):
        load_frames(path, spec)
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_frames(tmp_path / "absent")
    write_frames(path, [FrameCodec(spec).encode(frames(spec, 1)[0])])
    with pytest.raises(FrameError, match=r"wrong: frame 0: area_id"):
        load_frames(path, load_network(COAST))
