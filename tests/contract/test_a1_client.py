"""The client of A1 terminations: deadlines, bounded answers, no redirects, tokens, certificates."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_pem_x509_certificate

from twm.core import metrics
from twm.core.errors import InvalidInputError
from twm.gateway.delivery import client as client_module
from twm.gateway.delivery.client import A1Client, ClientSettings
from twm.gateway.delivery.oauth import OAuthSettings
from twm.gateway.delivery.peer import Answer, Outcome
from twm.gateway.delivery.settings import DeliverySettings
from twm.gateway.delivery.tls import TlsFiles
from twm.gateway.settings import GatewaySettings
from twm_bench.ric.http_server import Handler, HttpServer, Lost, Request, Reset, Response


@asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[HttpServer]:
    server = HttpServer(handler, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def speaking(settings: ClientSettings) -> AsyncIterator[A1Client]:
    client = A1Client(settings)
    try:
        yield client
    finally:
        await client.close()


async def put(client: A1Client, path: str = "/p") -> Answer:
    return await client.call("put", "PUT", path, content="{}")


async def test_what_a_failure_means_is_told_apart() -> None:
    async def answer(request: Request) -> Response:
        match request.path:
            case "/lost":
                raise Lost
            case "/reset":
                raise Reset
            case "/text":
                return Response(200, b"OK", media_type="text/plain")
            case "/redirect":
                return Response(307, None, {"Location": "http://127.0.0.1:1/elsewhere"})
            case "/gzip":
                return Response(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})
            case "/busy":
                return Response(503, {"title": "Busy", "detail": "a\u202eb"}, {"Retry-After": "3"})
        return Response(int(request.path[1:]))

    async with serving(answer) as server, speaking(ClientSettings(base_url=server.url, timeout_s=0.5)) as client:
        found = {path: await put(client, path) for path in ("/lost", "/reset", "/text", "/redirect", "/gzip", "/busy")}
        codes = {
            code: (await put(client, f"/{code}")).outcome
            for code in (200, 201, 202, 204, 400, 403, 404, 409, 423, 429, 500, 507)
        }
    assert (found["/lost"].outcome, found["/lost"].reason) == (Outcome.UNKNOWN, "timeout")
    assert (found["/reset"].outcome, found["/reset"].reason) == (Outcome.UNKNOWN, "reset")
    assert found["/text"].done and found["/text"].body is None
    assert (found["/redirect"].outcome, found["/redirect"].code) == (Outcome.REJECTED, 307)
    assert (found["/gzip"].outcome, found["/gzip"].reason) == (Outcome.UNKNOWN, "bad_answer")
    assert (found["/busy"].retry_after_s, found["/busy"].detail) == (3, "Busy: ab")
    assert codes == {
        200: Outcome.DONE, 201: Outcome.DONE, 202: Outcome.DONE, 204: Outcome.DONE, 400: Outcome.REJECTED,
        403: Outcome.DENIED, 404: Outcome.ABSENT, 409: Outcome.CONFLICT, 423: Outcome.BUSY, 429: Outcome.BUSY,
        500: Outcome.BUSY, 507: Outcome.BUSY,
    }  # fmt: skip
    async with speaking(ClientSettings(base_url=server.url, timeout_s=0.5)) as client:
        refused = await put(client)
    assert (refused.outcome, refused.reason) == (Outcome.BUSY, "unreachable")


async def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_ANSWER_BYTES", 1000)

    async def answer(request: Request) -> Response:
        return Response(200, b" " * 100_000)

    async with serving(answer) as server, speaking(ClientSettings(base_url=server.url)) as client:
        assert (await put(client)).reason == "bad_answer"


class TokenServer:
    """Gives tokens, and takes the last few."""

    def __init__(self, lifetime_s: float = 3600.0) -> None:
        self.lifetime_s, self.given, self.good, self.forms = lifetime_s, 0, set[str](), list[tuple[str, bytes]]()
        self.status = 200

    async def __call__(self, request: Request) -> Response:
        if request.path == "/token":
            self.forms.append((request.headers.get("authorization", ""), request.body))
            await asyncio.sleep(0.05)
            if self.status != 200:
                return Response(self.status, {"error": "invalid_client"})
            self.given += 1
            self.good.add(f"t{self.given}")
            return Response(200, {"access_token": f"t{self.given}", "token_type": "Bearer", "expires_in": self.lifetime_s})
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return Response(200 if token in self.good else 401)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("s3cret&+\n")
    return path


def with_tokens(server: HttpServer, secret: Path, **changes: Any) -> ClientSettings:
    oauth = OAuthSettings(token_url=server.url + "/token", client_id="tw m", secret_file=str(secret), **changes)
    return ClientSettings(base_url=server.url, oauth=oauth, timeout_s=2.0)


async def test_one_token_serves_many_and_is_renewed_ahead_of_its_end(secret: Path) -> None:
    tokens = TokenServer(lifetime_s=2.0)
    async with serving(tokens) as server, speaking(with_tokens(server, secret, scope="a1")) as client:
        answers = await asyncio.gather(*(put(client) for _ in range(20)))
        assert all(a.done for a in answers) and tokens.given == 1
        assert tokens.forms[0] == ("Basic dHclMjBtOnMzY3JldCUyNiUyQg==", b"grant_type=client_credentials&scope=a1")
        await asyncio.sleep(1.7)  # a fifth of its life is left
        assert (await put(client)).done and tokens.given == 2


async def test_a_refused_token_is_exchanged_once(secret: Path) -> None:
    tokens = TokenServer()
    async with serving(tokens) as server, speaking(with_tokens(server, secret, in_body=True)) as client:
        assert (await put(client)).done
        tokens.good.clear()
        assert (await put(client)).done and tokens.given == 2
        assert b"client_secret=s3cret%26%2B" in tokens.forms[0][1] and tokens.forms[0][0] == ""
        tokens.good = set()

        async def never(request: Request) -> Response:
            return await tokens(request) if request.path == "/token" else Response(401)

        server._handler = never
        answer = await put(client)
        assert (answer.outcome, answer.code) == (Outcome.DENIED, 401) and tokens.given == 3


async def test_without_a_token_nothing_is_sent_and_no_secret_is_told(secret: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokens = TokenServer()
    tokens.status = 401
    async with serving(tokens) as server, speaking(with_tokens(server, secret)) as client:
        answer = await put(client)
        assert answer.outcome is Outcome.DENIED and "credentials" in answer.detail
        tokens.status = 500
        assert (await put(client)).outcome is Outcome.BUSY
        await asyncio.to_thread(secret.unlink)
        assert (await put(client)).outcome is Outcome.DENIED
    assert "s3cret" not in caplog.text + answer.detail and tokens.given == 0


class Authority:
    """A certificate authority, and files of certificates from it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self.key, None)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[str, str]:
        """(certificate file, key file)."""
        key = ec.generate_private_key(ec.SECP256R1())
        pair = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        pair[0].write_bytes(self._sign(name, key, self.name).public_bytes(serialization.Encoding.PEM))
        pair[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return str(pair[0]), str(pair[1])

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey, issuer: str | None) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        found = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer or name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if issuer is None:
            found = found.add_extension(
                x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True
            )
        return found.sign(self.key, hashes.SHA256())


async def test_mutual_tls_and_its_renewal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TLS_LOOK_S", 0.1)
    ours, theirs, others = (Authority(tmp_path, name) for name in ("ours", "theirs", "others"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*theirs.issue("ric"))
    context.load_verify_locations(ours.path)
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(request: Request) -> Response:
        return Response(200, {}, {"Connection": "close"})

    async with serving(answer, tls=context) as server:
        certificate, key = others.issue("twm")  # not from the authority that the RIC trusts
        files = TlsFiles(certificate=certificate, key=key, authority=str(theirs.path))
        async with speaking(ClientSettings(base_url=server.url, tls=files, timeout_s=2.0)) as client:
            assert not (await put(client)).done
            ours.issue("twm")  # the same files, renewed
            await asyncio.sleep(0.15)
            assert (await put(client)).done
            ends_s = metrics.CERTIFICATE_EXPIRY.labels("a1_client")._value.get()
            text = await asyncio.to_thread(Path(certificate).read_bytes)
            assert ends_s == load_pem_x509_certificate(text).not_valid_after_utc.timestamp()
            await asyncio.to_thread(Path(key).write_text, "half written")
            await asyncio.sleep(0.15)
            assert (await put(client)).done, "what stands is still good"
        no_trust = replace(files, certificate="", key="", authority=str(others.path))
        async with speaking(ClientSettings(base_url=server.url, tls=no_trust, timeout_s=2.0)) as client:
            refused = await put(client)
            assert refused.outcome is Outcome.BUSY and "certificate" in refused.detail.lower()


def test_settings_that_do_not_hold_end_the_start(tmp_path: Path) -> None:
    secret = tmp_path / "s"
    secret.write_text("x")
    good = {"a1_peer": "pms2", "a1_url": "https://pms", "a1_ric_id": "ric1"}
    assert DeliverySettings.of(GatewaySettings(), "a") is None
    settings = DeliverySettings.of(GatewaySettings(**good), "a")
    assert (
        settings is not None
        and settings.client.base_url == "https://pms/a1-policy/v2"
        and settings.service.service_id == "twm-a"
    )
    for change, word in (
        ({"a1_url": ""}, "TWM_A1_URL"),
        ({"a1_ric_id": ""}, "TWM_A1_RIC_ID"),
        ({"a1_url": "http://u:p@pms"}, "user name"),
        ({"a1_tls_cert": "x"}, "a1_tls_key"),
        ({"a1_callback_url": "gopher://x"}, "TWM_A1_CALLBACK_URL"),
        ({"a1_oauth_token_url": "https://t"}, "TWM_A1_OAUTH_CLIENT_ID"),
        ({"a1_oauth_token_url": "http://t", "a1_oauth_client_id": "c", "a1_oauth_client_secret_file": str(secret)}, "https"),
        (
            {"a1_oauth_token_url": "https://t", "a1_oauth_client_id": "c", "a1_oauth_client_secret_file": "/none"},
            "cannot be read",
        ),
    ):
        with pytest.raises(InvalidInputError, match=word):
            DeliverySettings.of(GatewaySettings(**(good | change)), "a")
    with pytest.raises(InvalidInputError, match="cannot be used"):
        TlsFiles(certificate=str(secret), key=str(secret)).context()


async def test_a_connection_that_the_peer_has_closed_is_not_used_again() -> None:
    async def answer(request: Request) -> Response:
        return Response(200, {})

    async with serving(answer) as server, speaking(ClientSettings(base_url=server.url, timeout_s=2.0)) as client:
        assert (await put(client)).done
        await server.stop()
        await server.start()
        began = time.monotonic()
        assert (await put(client)).done and time.monotonic() - began < 1
