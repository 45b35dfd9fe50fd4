"""The HTTP server behind probes and the xApp's callback: what a slow, endless or lying client can take of it."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from twm.core import http_listener
from twm.core.http_listener import HttpListener

DEADLINE_S = 0.4


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpListener]:
    monkeypatch.setattr(http_listener, "REQUEST_TIMEOUT_S", DEADLINE_S)
    server = HttpListener(
        "127.0.0.1",
        0,
        lambda path: (200, "text/plain", path.encode()),
        lambda path, body: (200, "text/plain", body),
        max_connections=2,
        max_body_bytes=1000,
        name="test",
    )
    yield server
    server.close()


def call(listener: HttpListener, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_answers_by_path_and_body(listener: HttpListener) -> None:
    assert call(listener, "GET", "/a/b?c=d") == (200, b"/a/b")
    assert call(listener, "POST", "/a", b"x" * 1000) == (200, b"x" * 1000)
    assert call(listener, "PUT", "/a", b"x")[0] == 501


@pytest.mark.parametrize(("length", "status"), [("1001", 413), ("9" * 5000, 413), ("-1", 411), ("1e3", 411), ("\xb2", 411)])
def test_a_body_of_a_length_out_of_bounds_is_refused(listener: HttpListener, length: str, status: int) -> None:
    assert call(listener, "POST", "/a", None, **{"Content-Length": length})[0] == status


def test_without_post_there_is_no_method_post() -> None:
    server = HttpListener("127.0.0.1", 0, lambda path: (200, "text/plain", b""), max_connections=1, name="test")
    try:
        assert call(server, "POST", "/", b"x")[0] == 501
    finally:
        server.close()


def answer_of(listener: HttpListener, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """What comes back for these bytes until the connection ends; nothing where it is torn down."""
    with socket.create_connection(("127.0.0.1", listener.port), 5) as raw:
        try:
            for part in parts:
                raw.sendall(part)
                time.sleep(pause_s)
            return b"".join(iter(lambda: raw.recv(65536), b""))
        except ConnectionError:
            return b""


@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\n"])
def test_a_client_that_drips_is_cut_off_at_one_deadline(listener: HttpListener, begin: bytes) -> None:
    drops = [b"a"] * 20
    assert b" 200 " in answer_of(listener, begin, *drops, b"\r\n\r\n")
    assert answer_of(listener, begin, *drops, b"\r\n\r\n", pause_s=DEADLINE_S / 10) == b""
    assert call(listener, "GET", "/")[0] == 200


def test_a_head_that_is_too_long_is_not_read_to_its_end(listener: HttpListener) -> None:
    head = [b"GET / HTTP/1.1\r\n", *(b"X%d: " % n + b"a" * 20_000 + b"\r\n" for n in range(90)), b"\r\n"]
    assert b" 200 " in answer_of(listener, head[0], head[1], head[-1])
    assert answer_of(listener, *head) == b""
    assert call(listener, "GET", "/")[0] == 200
