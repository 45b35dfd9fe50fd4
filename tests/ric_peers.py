"""What stands around the RIC process in its tests: a subscription manager over real HTTP, an RMR peer, and how to start it."""

from __future__ import annotations

import http.server
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twm.ric.rmr.messages import RmrMessage
from twm.ric.rmr.tcp import Peer


class SubscriptionManagerPeer:
    """POST, GET and DELETE /ric/v1/subscriptions with asynchronous callbacks, as ric-plt-submgr has them."""

    def __init__(self, *, e2_up: bool = True) -> None:
        self.e2_up = e2_up
        self.posts: list[dict[str, Any]] = []
        self.active: dict[str, dict[str, Any]] = {}
        """SubscriptionId to request with the E2 instance it was given."""
        self.deleted: list[str] = []
        self.refuse = 0
        """How many of the next requests get a callback with an error."""
        self.forget_list = False
        """Answer GET with an empty list."""
        self._number = 0
        self._lock = threading.Lock()
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code, answer = peer._post(body)
                self._answer(code, answer)

            def do_GET(self) -> None:
                with peer._lock:
                    held = [] if peer.forget_list else list(peer.active.values())
                listed = [{"SubscriptionId": h["instance"], "Meid": h["body"]["Meid"], "ClientEndpoint": []} for h in held]
                self._answer(200, listed)

            def do_DELETE(self) -> None:
                subscription_id = self.path.rpartition("/")[2]
                with peer._lock:
                    peer.active.pop(subscription_id, None)
                    peer.deleted.append(subscription_id)
                self._answer(204, None)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

            def _answer(self, code: int, body: Any) -> None:
                data = b"" if body is None else json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def restart(self) -> None:
        """Forget everything, as after a restart without a database."""
        with self._lock:
            self.active.clear()

    def by_meid(self) -> dict[str, list[int]]:
        with self._lock:
            held = [(h["body"]["Meid"], h["instance"]) for h in self.active.values()]
        return {meid: sorted(i for m, i in held if m == meid) for meid, _ in held}

    def _post(self, body: dict[str, Any]) -> tuple[int, Any]:
        with self._lock:
            self.posts.append(body)
            if not self.e2_up:
                return 503, None
            self._number += 1
            subscription_id, instance = f"2KsG{self._number:023d}", self._number
            refused = self.refuse > 0
            self.refuse -= refused
            if not refused:
                self.active[subscription_id] = {"body": body, "instance": instance}
        answer = {
            "SubscriptionId": subscription_id,
            "SubscriptionInstances": [
                {
                    "XappEventInstanceId": body["SubscriptionDetails"][0]["XappEventInstanceId"],
                    "E2EventInstanceId": 0 if refused else instance,
                    "ErrorCause": "RICSubscriptionFailure" if refused else "",
                    "ErrorSource": "E2Node" if refused else "",
                    "TimeoutType": "",
                }
            ],
        }
        threading.Thread(target=self._notify, args=(body["ClientEndpoint"], answer), daemon=True).start()
        return 201, {"SubscriptionId": subscription_id, "SubscriptionInstances": []}

    @staticmethod
    def _notify(endpoint: dict[str, Any], answer: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"http://{endpoint['Host']}:{endpoint['HTTPPort']}/ric/v1/subscriptions/response",
            data=json.dumps(answer).encode(),
            headers={"Content-Type": "application/json"},
        )
        for _ in range(50):
            try:
                with urllib.request.urlopen(request, timeout=5):
                    return
            except OSError:
                time.sleep(0.05)


class RmrPeer:
    """The other end of TcpRmr: sends messages, keeps what comes back."""

    def __init__(self, port: int, timeout_s: float = 20.0) -> None:
        until = time.monotonic() + timeout_s
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", port), 1.0)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        connection.settimeout(None)
        self._peer = Peer(connection)
        self.received: queue.Queue[RmrMessage] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, message: RmrMessage) -> None:
        assert self._peer.write(message)

    def wait(self, mtype: int, timeout_s: float = 10.0) -> RmrMessage:
        until = time.monotonic() + timeout_s
        while True:
            message = self.received.get(timeout=max(until - time.monotonic(), 0.01))
            if message.mtype == mtype:
                return message

    def close(self) -> None:
        self._peer.close()

    def _read(self) -> None:
        while (message := self._peer.read()) is not None:
            self.received.put(message)


class RicProcess:
    """One `python -m twm.ric`."""

    def __init__(self, free_port: Callable[[], int], state: Path, **settings: object) -> None:
        self.http_port, self.rmr_port, self.probe_port = free_port(), free_port(), free_port()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TWM_")}
        self._env = {
            **kept,
            "TWM_STATE_DIR": str(state),
            "TWM_HTTP_LISTEN": f"127.0.0.1:{self.probe_port}",
            "TWM_RIC_TRANSPORT": "tcp",
            "TWM_RIC_RMR_PORT": str(self.rmr_port),
            "TWM_RIC_HTTP_LISTEN": f"127.0.0.1:{self.http_port}",
            "TWM_RIC_CLIENT_HOST": "127.0.0.1",
            "TWM_RIC_A1_TYPES": "",
            "TWM_RIC_SETTLE_S": "0.2",
            "TWM_RIC_RETRY_S": "0.1",
            **{name: str(value) for name, value in settings.items()},
        }
        self.log = state / "ric.log"
        state.mkdir(parents=True, exist_ok=True)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen([sys.executable, "-m", "twm.ric"], env=self._env, stdout=output, stderr=output)

    def restart(self) -> None:
        self.process = self._start()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def metrics(self) -> str:
        """What it exports; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/ric/v1/metrics", timeout=5) as answer:
                return bytes(answer.read()).decode()
        except OSError:
            return ""


def wait_until(check: Callable[[], object], timeout_s: float = 15.0, what: str = "condition") -> None:
    until = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < until, f"{what} did not come about"
        time.sleep(0.1)
