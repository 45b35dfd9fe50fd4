"""`twm doctor` against things that are really broken: servers, certificates, files, streams."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from twm.cli import doctor
from twm.cli.checks.findings import Finding, Secrets
from twm.cli.embedded_redis import EmbeddedRedis
from twm.core.errors import InvalidInputError
from twm.core.streams import Output, StreamNames, Streams

LOCALHOST = ipaddress.ip_address("127.0.0.1")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_port: Callable[[], int]) -> None:
    """No variable of this machine, and nobody at the services' addresses."""
    for name in list(os.environ):
        if name.startswith("TWM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TWM_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("TWM_ZOO", str(tmp_path / "zoo"))
    for name in ("INGESTER", "INFERENCE", "TWIN"):
        monkeypatch.setenv(f"TWM_{name}_TARGET", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("TWM_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")


def _look(*arguments: str) -> dict[str, list[Finding]]:
    """Findings by check."""
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    found: dict[str, list[Finding]] = {}
    output: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", argparse.Namespace(write=output.append))
        code = doctor.run(parser.parse_args(["--json", "--timeout", "1", *arguments]))
    content = json.loads("".join(output))
    for row in content["checks"]:
        found.setdefault(row["check"], []).append(Finding(row["check"], row["level"], row["message"], row["advice"]))
    assert code == (1 if content["counts"]["FAIL"] else 0)
    return found


def _level(found: Mapping[str, list[Finding]], check: str) -> str:
    levels = [finding.level for finding in found[check]]
    return next((level for level in ("FAIL", "WARN", "OK", "SKIP") if level in levels), "")


class _Answers(BaseHTTPRequestHandler):
    """Answers by path: status and JSON; needs `token` where there is one."""

    pages: Mapping[str, tuple[int, Any]] = {}
    token = ""

    def do_GET(self) -> None:
        status, content = self.pages.get(self.path, (404, {}))
        if self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
            status, content = 401, {}
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on the test's output."""


@contextlib.contextmanager
def _web(pages: Mapping[str, tuple[int, Any]], *, token: str = "", context: ssl.SSLContext | None = None) -> Iterator[int]:
    handler = type("Handler", (_Answers,), {"pages": pages, "token": token})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _certificate(folder: Path, name: str, *, days: float, host: str = "127.0.0.1") -> tuple[Path, Path]:
    """A self-signed certificate that ends in `days`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    names: list[x509.GeneralName] = [x509.IPAddress(LOCALHOST) if host == "127.0.0.1" else x509.DNSName(host)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / f"{name}.crt", folder / f"{name}.key"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_path, key_path


# --- Redis


def test_no_redis_and_no_services_are_said_so_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWM_ZOO")
    found = _look()
    assert _level(found, "redis") == "FAIL"
    assert "nobody listens there" in found["redis"][0].message
    assert "--appendonly yes" in found["redis"][0].advice
    for name in ("ingester", "inference", "twin"):
        assert "nobody listens there" in found[f"{name} gRPC"][0].message
        assert f"TWM_{name.upper()}_TARGET" in found[f"{name} gRPC"][0].advice
    assert _level(found, "network") == "OK" and _level(found, "model cdwm") == "OK" and _level(found, "state folder") == "OK"


def test_something_else_on_redis_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with _web({}) as port:
        monkeypatch.setenv("TWM_REDIS_URL", f"redis://127.0.0.1:{port}/0")
        assert _level(_look(), "redis") == "FAIL"
    monkeypatch.setenv("TWM_REDIS_URL", "host:6379")
    assert "redis://" in _look()["redis"][0].advice


def test_redis_without_append_only_file(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    monkeypatch.setenv("TWM_REDIS_URL", redis_url)
    found = _look()
    assert _level(found, "redis") == "OK" and _level(found, "redis version") == "OK" and _level(found, "clock") == "OK"
    assert _level(found, "redis durability") == "FAIL"
    assert "append-only file off" in found["redis durability"][0].message
    assert "CONFIG SET appendonly yes" in found["redis durability"][0].advice
    assert _level(found, "planner process") == "FAIL"


async def _fill(url: str) -> None:
    streams = await Streams.connect(url)
    names = StreamNames.of("poc-city")
    for group, stream in (("ingester", names.intake), ("planner", names.frames)):
        await streams.ensure_group(stream, group)
    await streams.append_many([Output(names.frames, b"frame") for _ in range(100)])
    await streams.append_many([Output(names.intake, b"batch")])
    await streams.read(names.intake, "ingester", "ingester-0", count=1, block_ms=1)
    await streams.append(Output(names.dead, b"given up", extra={"reason": "malformed"}))
    await streams.close()


def test_a_planner_that_lags_and_dead_letters(
    monkeypatch: pytest.MonkeyPatch, redis_server: Callable[[], EmbeddedRedis]
) -> None:
    server = redis_server()
    monkeypatch.setenv("TWM_REDIS_URL", server.url)
    asyncio.run(_fill(server.url))
    found = _look()
    assert _level(found, "redis durability") == "OK" and _level(found, "redis memory") == "OK"
    assert found["lag of planner at frames"][0].message.startswith("100 entries not yet read")
    assert _level(found, "lag of planner at frames") == "WARN" and _level(found, "lag of ingester at intake") == "OK"
    assert _level(found, "dead letters") == "WARN"
    assert _level(found, "ingester process") == "OK" and _level(found, "planner process") == "FAIL"
    assert _level(found, "frames") == "OK"


def test_redis_refuses_our_password_and_nobody_sees_it(
    monkeypatch: pytest.MonkeyPatch, redis_server: Callable[[], EmbeddedRedis]
) -> None:
    server = redis_server()
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(b"CONFIG SET requirepass another\r\n")
        assert connection.recv(16).startswith(b"+OK")
    monkeypatch.setenv("TWM_REDIS_URL", f"redis://:hunter2-%21secret@127.0.0.1:{server.port}/0")
    found = _look()
    assert _level(found, "redis") == "FAIL"
    assert "user and password" in found["redis"][0].advice
    assert "hunter2" not in repr(found)


# --- processes


def test_grpc_health_ready_not_ready_and_not_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(status: Any) -> tuple[grpc.aio.Server, int]:
        server, servicer = grpc.aio.server(), health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        await servicer.set("", status)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    async def look() -> dict[str, list[Finding]]:
        good, good_port = await serve(health_pb2.HealthCheckResponse.SERVING)
        bad, bad_port = await serve(health_pb2.HealthCheckResponse.NOT_SERVING)
        with _web({"/readyz": (503, {})}) as web_port, _web({"/readyz": (200, {})}) as ready_port:
            monkeypatch.setenv("TWM_INGESTER_TARGET", f"127.0.0.1:{good_port}")
            monkeypatch.setenv("TWM_INFERENCE_TARGET", f"127.0.0.1:{bad_port}")
            monkeypatch.setenv("TWM_TWIN_TARGET", f"127.0.0.1:{web_port}")
            probes = ("--probe", f"planner=127.0.0.1:{web_port}", "--probe", f"gateway=127.0.0.1:{ready_port}")
            found = await asyncio.to_thread(_look, *probes)
        await good.stop(None)
        await bad.stop(None)
        return found

    found = asyncio.run(look())
    assert _level(found, "ingester gRPC") == "OK"
    assert "not ready" in found["inference gRPC"][0].message
    assert _level(found, "twin gRPC") == "FAIL"
    assert "not ready" in found["planner probe"][0].message and _level(found, "gateway probe") == "OK"


def test_servers_that_never_answer_cost_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def look() -> tuple[dict[str, list[Finding]], float]:
        server = await asyncio.start_server(swallow, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("TWM_REDIS_URL", f"redis://127.0.0.1:{port}/0")
        monkeypatch.setenv("TWM_TWIN_TARGET", f"127.0.0.1:{port}")
        for name, value in {"A1_PEER": "a1p", "A1_URL": f"http://127.0.0.1:{port}"}.items():
            monkeypatch.setenv(f"TWM_{name}", value)
        for name, value in {
            "LLM_URL": f"http://127.0.0.1:{port}/v1",
            "LLM_MODEL": "m",
            "RIC_SUBMGR_URL": f"http://127.0.0.1:{port}",
        }.items():
            monkeypatch.setenv(f"TWM_{name}", value)
        began_s = time.monotonic()
        found = await asyncio.to_thread(_look, "--timeout", "0.5")
        took_s = time.monotonic() - began_s
        server.close()
        return found, took_s

    found, took_s = asyncio.run(look())
    for check in ("redis", "twin gRPC", "a1 a1p", "language model", "subscription manager"):
        assert _level(found, check) == "FAIL", check
    assert "no answer within" in found["redis"][0].message
    assert took_s < 12


# --- peers


def test_the_ric_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWM_RIC_DISCOVERY", "e2mgr")
    with _web({"/ric/v1/subscriptions": (200, [{"SubscriptionId": 1}]), "/v1/nodeb/states": (200, [])}) as port:
        monkeypatch.setenv("TWM_RIC_SUBMGR_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("TWM_RIC_E2MGR_URL", f"http://127.0.0.1:{port}")
        found = _look()
        assert _level(found, "subscription manager") == "OK" and "1 subscriptions" in found["subscription manager"][0].message
        assert _level(found, "e2 manager") == "WARN" and "gNB" in found["e2 manager"][0].advice
        monkeypatch.setenv("TWM_RIC_SUBMGR_URL", f"http://127.0.0.1:{port}/wrong")
        assert "HTTP 404" in _look()["subscription manager"][0].message
    monkeypatch.setenv("TWM_RIC_CONTROL", "rc")
    monkeypatch.setenv("TWM_RIC_ADAPTER", "flexric")
    assert _level(_look(), "ric settings") == "FAIL"
    monkeypatch.setenv("TWM_RIC_CONTROL", "off")
    assert _level(_look(), "flexric sdk") == "FAIL"


def test_a1_terminations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWM_A1_PEER", "a1p")
    assert "TWM_A1_URL" in _look()["a1"][0].message
    pages = {
        "/A1-P/v2/policytypes": (200, ["ORAN_SliceSLATarget_1.0.0"]),
        "/a1-policy/v2/rics": (200, {"rics": [{"ric_id": "ric1", "state": "AVAILABLE"}]}),
        "/odd/policytypes": (200, {"hello": 1}),
    }
    with _web(pages) as port:
        monkeypatch.setenv("TWM_A1_URL", f"http://127.0.0.1:{port}")
        assert "1 policy types" in _look()["a1 a1p"][0].message
        monkeypatch.setenv("TWM_A1_PEER", "oransc")  # finds the second of the usual base paths
        assert _level(_look(), "a1 oransc") == "OK"
        monkeypatch.setenv("TWM_A1_URL", f"http://127.0.0.1:{port}/odd")
        assert "not as an A1" in _look()["a1 oransc"][0].message
        monkeypatch.setenv("TWM_A1_PEER", "pms2")
        monkeypatch.setenv("TWM_A1_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("TWM_A1_RIC_ID", "ric1")
        assert _level(_look(), "a1 pms2") == "OK"
        monkeypatch.setenv("TWM_A1_RIC_ID", "ric2")
        assert "it knows ric1" in _look()["a1 pms2"][0].message
        monkeypatch.setenv("TWM_A1_PEER", "pms3")
        assert "HTTP 404" in _look()["a1 pms3"][0].message


def test_a_language_models_key_is_used_and_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-very-secret-key\n")
    monkeypatch.setenv("TWM_LLM_API_KEY_FILE", str(key))
    monkeypatch.setenv("TWM_LLM_MODEL", "small")
    with _web({"/v1/models": (200, {"data": [{"id": "small"}]})}, token="sk-very-secret-key") as port:
        monkeypatch.setenv("TWM_LLM_URL", f"http://127.0.0.1:{port}/v1")
        assert _level(_look(), "language model") == "OK"
        monkeypatch.setenv("TWM_LLM_MODEL", "large")
        assert "'large' is not among its models (small)" in _look()["language model"][0].message
        key.write_text("sk-another-secret")
        found = _look()
        assert _level(found, "language model") == "FAIL" and "credentials" in found["language model"][0].advice
        assert "secret" not in repr(found).replace("_secret", "")
    key.unlink()
    assert "No such file" in _look()["language model"][0].message


def test_the_issuers_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = tmp_path / "jwks.json"
    document.write_text('{"keys": []}')
    for name, value in {
        "AUTH": "jwt",
        "AUTH_ISSUER": "https://idp.example",
        "AUTH_AUDIENCE": "twm",
        "AUTH_JWKS": str(document),
    }.items():
        monkeypatch.setenv(f"TWM_{name}", value)
    assert "no signature key" in _look()["tokens"][0].message
    document.write_text("{")
    assert _level(_look(), "tokens") == "FAIL"
    monkeypatch.setenv("TWM_AUTH_JWKS", str(tmp_path / "none.json"))
    assert "No such file" in _look()["tokens"][0].message
    monkeypatch.delenv("TWM_AUTH_ISSUER")
    assert "TWM_AUTH_ISSUER" in _look()["gateway settings"][0].message


# --- certificates


def test_certificate_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good, good_key = _certificate(tmp_path, "good", days=90)
    soon, _ = _certificate(tmp_path, "soon", days=5)
    over, _ = _certificate(tmp_path, "over", days=-2)
    check = "certificate TWM_A1_TLS_CERT"
    for path, key, level, words in (
        (good, good_key, "OK", "is its key"),
        (soon, good_key, "FAIL", "belongs to another certificate"),
        (over, good_key, "FAIL", "expired 2.0 days ago"),
        (good_key, good_key, "FAIL", "no certificate in PEM form"),
        (good, tmp_path / "none", "FAIL", "No such file"),
        (tmp_path / "none", good_key, "FAIL", "No such file"),
    ):
        monkeypatch.setenv("TWM_A1_TLS_CERT", str(path))
        monkeypatch.setenv("TWM_A1_TLS_KEY", str(key))
        found = _look()
        assert _level(found, check) == level, (path, found[check])
        assert words in " ".join(finding.message for finding in found[check])
    monkeypatch.delenv("TWM_A1_TLS_KEY")
    monkeypatch.setenv("TWM_A1_TLS_CERT", str(soon))
    assert _level(_look(), check) == "WARN"


@pytest.mark.parametrize(
    ("days", "host", "trusted", "level", "words"),
    [
        (90, "127.0.0.1", True, "OK", "good for"),
        (3, "127.0.0.1", True, "WARN", "ends in"),
        (-1, "127.0.0.1", True, "FAIL", "expired"),
        (90, "ric.example", True, "FAIL", "mismatch"),
        (90, "127.0.0.1", False, "FAIL", "self-signed"),
    ],
)
def test_what_an_https_peer_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, days: float, host: str, trusted: bool, level: str, words: str
) -> None:
    certificate, key = _certificate(tmp_path, "peer", days=days, host=host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with _web({"/A1-P/v2/policytypes": (200, [])}, context=context) as port:
        monkeypatch.setenv("TWM_A1_PEER", "a1p")
        monkeypatch.setenv("TWM_A1_URL", f"https://127.0.0.1:{port}")
        if trusted:
            monkeypatch.setenv("TWM_A1_TLS_CA", str(certificate))
        found = _look()
    check = f"certificate of 127.0.0.1:{port}"
    assert _level(found, check) == level
    assert words in found[check][0].message
    assert _level(found, "a1 a1p") == ("FAIL" if level == "FAIL" else "OK")


# --- this machine


def test_a_network_without_models_and_a_state_folder_that_is_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    monkeypatch.setenv("TWM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TWM_ZOO", str(tmp_path))
    found = _look()
    assert (
        _level(found, "state folder") == "FAIL"
        and _level(found, "model cdwm") == "FAIL"
        and _level(found, "model fwm") == "WARN"
    )
    monkeypatch.setenv("TWM_ZOO", str(tmp_path / "nowhere"))
    assert "no such folder" in _look()["model zoo"][0].message
    monkeypatch.setenv("TWM_NETWORK", str(tmp_path / "network.yaml"))
    assert _level(_look(), "network") == "FAIL"
    monkeypatch.setenv("TWM_LOG_LEVEL", "LOUD")
    assert "TWM_LOG_LEVEL" in _look()["settings"][0].message


def test_secrets_are_taken_out_of_everything(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("file-token-value\n")
    secrets = Secrets.of_environment(
        {
            "TWM_REDIS_URL": "redis://user:p%40ssword@host/0",
            "TWM_A1_OAUTH_CLIENT_SECRET_FILE": str(tmp_path / "token"),
            "TWM_SOME_PASSWORD": "plain-one",
            "HTTPS_PROXY": "http://me:proxy-pass@proxy:3128",
        }.items()
    )
    text = secrets.without("p%40ssword p@ssword file-token-value plain-one proxy-pass \x1b[31m")
    assert text == "*** *** *** *** ***"
    assert "plain-one" not in repr(secrets)


def test_a_run_is_found_by_its_folder(tmp_path: Path, redis_server: Callable[[], EmbeddedRedis]) -> None:
    server = redis_server()
    with _web({"/readyz": (200, {})}) as port:
        processes = {
            "redis": {"pid": 1, "http_port": None, "ports": {}},
            "planner": {"pid": 2, "http_port": port, "ports": {}},
            "ingester": {"pid": 3, "http_port": port, "ports": {"grpc": port}},
        }
        content = {"redis_url": server.url, "network": "poc-city", "processes": processes}
        (tmp_path / "run.json").write_text(json.dumps(content))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "environ", os.environ.copy())
            found = _look("--run", str(tmp_path))
    assert _level(found, "redis") == "OK" and _level(found, "planner probe") == "OK"
    assert f"127.0.0.1:{port}" in found["ingester gRPC"][0].message
    for content in (None, "[]", '{"redis_url": 1}'):
        (tmp_path / "run.json").unlink(missing_ok=True)
        if content is not None:
            (tmp_path / "run.json").write_text(content)
        with pytest.raises(InvalidInputError, match="run"):
            doctor.read_run(tmp_path)


def test_the_command_as_an_operator_runs_it() -> None:
    command = [sys.executable, "-m", "twm.cli", "doctor", "--timeout", "1"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "FAIL  redis" in result.stdout and "-> " in result.stdout and "failed," in result.stdout.splitlines()[-1]
    assert "SKIP" not in result.stdout
    assert not result.stderr
    bad = subprocess.run([*command, "--probe", "planner"], capture_output=True, text=True, timeout=60, check=False)
    assert bad.returncode == 2 and "NAME=HOST:PORT" in bad.stderr
