"""A server of the OpenAI API that behaves as the path says: a process of its own, standard library only.

`/BEHAVIOUR/v1/chat/completions`; `say-X` answers with what base64url X holds. Prints its port.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "sesame-4711"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        behaviour = self.path.split("/")[1]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        mode = body.get("response_format", {}).get("type", "plain")
        try:
            self.behave(behaviour, body, mode)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def behave(self, behaviour: str, body: dict, mode: str) -> None:
        if behaviour == "slow":
            time.sleep(30)
        elif behaviour == "drip":
            self.head(200, 10_000)
            for _ in range(300):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.1)
        elif behaviour == "huge":
            self.head(200, 50_000_000)
            for _ in range(500):
                self.wfile.write(b"x" * 100_000)
        elif behaviour == "html":
            self.reply(200, b"<html>busy</html>")
        elif behaviour == "deep":
            self.reply(200, b"[" * 100_000)
        elif behaviour == "closes":
            self.close_connection = True
        elif behaviour == "redirect":
            self.send_response(307)
            self.send_header("Location", "/say-e30/v1/chat/completions")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif behaviour == "no-choices":
            self.reply(200, b'{"choices": []}')
        elif behaviour == "echo":
            self.say(body["messages"][-1]["content"])
        elif behaviour.isdecimal():
            self.reply(int(behaviour), b"{}")
        elif behaviour == "locked" and self.headers.get("Authorization") != f"Bearer {SECRET}":
            self.reply(401, b"{}")
        elif behaviour in ("only-object", "only-plain") and mode == "json_schema":
            self.reply(500 if behaviour == "only-object" else 400, b"{}")
        elif behaviour == "only-plain" and mode == "json_object":
            self.reply(422, b"{}")
        elif behaviour in ("only-object", "only-plain", "locked"):
            told = "JSON schema of the answer" in body["messages"][0]["content"]
            self.say(json.dumps({"objective": {"saving_weight": 2 if told or behaviour == "locked" else 1}}))
        else:
            self.say(base64.urlsafe_b64decode(behaviour.removeprefix("say-") + "==").decode())

    def say(self, text: str) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self.reply(200, json.dumps({"choices": [choice]}).encode())

    def reply(self, status: int, data: bytes) -> None:
        self.head(status, len(data))
        self.wfile.write(data)

    def head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def said(text: str) -> str:
    """Path part that makes the server say `text`."""
    return "say-" + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
