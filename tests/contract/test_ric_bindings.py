"""librmr through the real bindings of PyPI ricxappframe, over a C library with librmr's calls and ownership rules.

The library of tests/fixtures/rmr is not librmr: it shows that our calls fit the bindings, that every buffer is freed once, and
that an answer goes out in the buffer that was received.
"""

from __future__ import annotations

import ctypes
import queue
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from twm.core.errors import UnavailableError
from twm.ric.rmr.librmr import LibRmr
from twm.ric.rmr.messages import MessageType, RmrMessage

SOURCE = Path(__file__).resolve().parents[1] / "fixtures" / "rmr" / "rmr_si.c"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    out = tmp_path_factory.mktemp("rmr") / "librmr_si.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wl,-soname,librmr_si.so", "-o", str(out), str(SOURCE)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    library = ctypes.CDLL(str(out), mode=ctypes.RTLD_GLOBAL)  # by its soname the bindings find this one
    pytest.importorskip("ricxappframe.rmr.rmr", reason="PyPI ricxappframe is not installed", exc_type=ImportError)
    return library


class End:
    """One RMR endpoint and what it received."""

    def __init__(self, port: int) -> None:
        self.rmr = LibRmr(port)
        self.received: queue.Queue[RmrMessage] = queue.Queue()
        self.rmr.start(self.received.put)

    def get(self) -> RmrMessage:
        return self.received.get(timeout=5)


@pytest.fixture
def ends(
    library: Any, free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[End, End]]:
    ours, theirs = free_port(), free_port()
    table = tmp_path / "routes.rt"
    routes = {12050: ours, 20010: ours, 100: ours, 12040: theirs, 20012: theirs}
    table.write_text("newrt|start\n" + "".join(f"rte|{t}|127.0.0.1:{p}\n" for t, p in routes.items()) + "newrt|end\n")
    monkeypatch.setenv("RMR_SEED_RT", str(table))
    before = library.rmr_test_live()
    pair = End(ours), End(theirs)
    yield pair
    for end in pair:
        end.rmr.close()
    assert library.rmr_test_live() == before, "every buffer was freed once"


def test_messages_pass_whole_and_answers_find_their_sender(ends: tuple[End, End]) -> None:
    xapp, platform = ends
    assert xapp.rmr.routed() and xapp.rmr.healthy()
    payload = bytes(range(256)) * 40
    assert platform.rmr.send(RmrMessage(MessageType.RIC_INDICATION, payload, 17, "gnbd_001_001_00019b_0"))
    got = xapp.get()
    assert (got.mtype, got.payload, got.sub_id, got.meid, got.sender) == (12050, payload, 17, "gnbd_001_001_00019b_0", None)
    assert platform.rmr.send(RmrMessage(MessageType.A1_POLICY_REQ, b'{"operation": "CREATE"}', 20103))
    request = xapp.get()
    assert request.sender is not None
    answer = b'{"status": "OK"}' * 100
    assert xapp.rmr.reply(request, MessageType.A1_POLICY_RESP, answer)
    back = platform.get()
    assert (back.mtype, back.payload, back.sub_id) == (20011, answer, 20103)
    assert platform.rmr.send(RmrMessage(MessageType.RIC_HEALTH_CHECK_REQ, b""))
    empty = xapp.get()
    assert (empty.mtype, empty.payload) == (100, b"")
    xapp.rmr.release(empty)
    assert xapp.rmr.send(RmrMessage(MessageType.RIC_CONTROL_REQ, b"\0\4", -1, "gnb"))
    control = platform.get()
    assert (control.mtype, control.sub_id, control.meid) == (12040, -1, "gnb")


def test_no_route_and_too_much(ends: tuple[End, End]) -> None:
    xapp, _ = ends
    assert not xapp.rmr.send(RmrMessage(12345, b"x"))
    assert not xapp.rmr.send(RmrMessage(MessageType.RIC_CONTROL_REQ, b"x" * ((1 << 20) + 1)))
    assert not xapp.rmr.reply(RmrMessage(MessageType.RIC_INDICATION, b"x"), 20011, b"x"), "nothing was kept for an answer"


def test_many_messages_leave_nothing_behind(ends: tuple[End, End], library: Any) -> None:
    xapp, platform = ends
    for i in range(1000):
        assert platform.rmr.send(RmrMessage(MessageType.RIC_INDICATION, i.to_bytes(4, "big"), i % 65536, "g"))
        if i % 50 == 49:
            for k in range(i - 49, i + 1):
                assert xapp.get().sub_id == k % 65536
    assert library.rmr_test_live() < 10


def test_a_port_that_is_taken_is_named(ends: tuple[End, End], library: Any) -> None:
    xapp, _ = ends
    with pytest.raises(UnavailableError, match="TWM_RIC_RMR_PORT"):
        LibRmr(xapp.rmr._port).start(lambda _: None)


def test_a_receiver_that_raises_goes_on(ends: tuple[End, End]) -> None:
    xapp, platform = ends
    seen: list[int] = []

    def deliver(message: RmrMessage) -> None:
        seen.append(message.sub_id)
        raise ValueError("broken")

    port = xapp.rmr._port
    xapp.rmr.close()
    xapp.rmr = LibRmr(port)
    xapp.rmr.start(deliver)
    for i in range(3):
        assert platform.rmr.send(RmrMessage(MessageType.RIC_INDICATION, b"x", i))
    until = time.monotonic() + 5
    while len(seen) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert seen == [0, 1, 2] and xapp.rmr.healthy()
