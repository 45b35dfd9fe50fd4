"""Who may: tokens that hold and all the ways they do not, development mode, rate limits, roles of the routes."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import Depends, FastAPI
from httpx import ASGITransport, AsyncClient

from twm.core.clock import ManualClock
from twm.core.errors import AuthenticationError, InvalidInputError, RateLimitError, UnavailableError
from twm.gateway.access import APPROVER, OPERATOR, VIEWER, Access, FixedPrincipal, Principal, require
from twm.gateway.access.gate import FAILURE_BURST, BearerTokens, Development, is_loopback
from twm.gateway.access.keys import KeySource, parse_jwks
from twm.gateway.access.limits import Buckets
from twm.gateway.access.middleware import MAX_BODY_BYTES, BodyLimit
from twm.gateway.access.tokens import TokenOptions, TokenVerifier
from twm.gateway.rest import _twm_problem
from twm.gateway.settings import GatewaySettings

ISSUER, AUDIENCE = "https://issuer.test/realm", "twm"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def jwks(tmp_path_factory: pytest.TempPathFactory, rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey) -> Path:
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    keys = [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key.public_key())), "kid": "r1", "use": "sig"},
        {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec_key.public_key())), "kid": "e1", "alg": "ES256"},
    ]
    path.write_text(json.dumps({"keys": keys}))
    return path


@pytest.fixture
def verifier(jwks: Path) -> TokenVerifier:
    return TokenVerifier(TokenOptions(issuer=ISSUER, audience=AUDIENCE), KeySource(str(jwks)))


def claims(**changes: Any) -> Json:
    now = int(time.time())
    found = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 60, "roles": ["approver"], **changes}
    return {k: v for k, v in found.items() if v is not None}


def token(key: Any, algorithm: str = "RS256", kid: str | None = "r1", *, headers: Json | None = None, **changes: Any) -> str:
    head = {**({"kid": kid} if kid else {}), **(headers or {})}
    return jwt.encode(claims(**changes), key, algorithm, headers=head)


def raw(header: Json, payload: Json, signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts)


async def test_good_tokens_name_subject_and_roles(
    verifier: TokenVerifier, rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    assert await verifier.verify(token(rsa_key)) == Principal("alice", frozenset({APPROVER}))
    assert (await verifier.verify(token(rsa_key, "PS256"))).subject == "alice"
    bob = await verifier.verify(token(ec_key, "ES256", "e1", sub="bob", roles="viewer operator admin"))
    assert bob.roles == {VIEWER, OPERATOR}
    assert not bob.may(APPROVER)
    nobody = await verifier.verify(token(rsa_key, roles=None))
    assert nobody.role is None and not nobody.may(VIEWER)
    many = await verifier.verify(token(rsa_key, aud=["other", AUDIENCE]))
    assert many.may(APPROVER)


async def test_roles_are_found_by_path_and_prefix(jwks: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    options = TokenOptions(issuer=ISSUER, audience=AUDIENCE, roles_claim="realm_access.roles", role_prefix="twm-")
    keycloak = TokenVerifier(options, KeySource(str(jwks)))
    found = await keycloak.verify(token(rsa_key, realm_access={"roles": ["twm-operator", "approver", 7]}))
    assert found.roles == {OPERATOR}
    assert (await keycloak.verify(token(rsa_key, realm_access=["twm-operator"]))).roles == frozenset()


async def test_bad_tokens_are_refused(
    verifier: TokenVerifier, jwks: Path, rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    other = rsa.generate_private_key(65537, 2048)
    public = rsa_key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    now = int(time.time())
    good = token(rsa_key)
    head, body, signature = good.split(".")
    embedded = {"jwk": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(other.public_key())), "jku": "https://evil.test/"}
    hmac_algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    forged_input = raw({"alg": "HS256", "typ": "JWT", "kid": "r1"}, claims()).rpartition(".")[0]
    confused = forged_input + "." + base64.urlsafe_b64encode(hmac_algorithm.sign(forged_input.encode(), public)).decode()
    bad = {
        "none": (raw({"alg": "none", "kid": "r1"}, claims()), "alg"),
        "None": (raw({"alg": "None", "kid": "r1"}, claims()), "alg"),
        "no alg": (raw({"kid": "r1"}, claims()), "JWT|alg"),
        "alg list": (raw({"alg": ["RS256"], "kid": "r1"}, claims()), "JWT|alg"),
        "public key as secret": (confused, "alg"),
        "other key": (token(other), "no key"),
        "embedded key": (token(other, headers=embedded), "no key"),
        "unknown kid": (token(rsa_key, kid="r2"), "no key"),
        "no kid, two keys": (token(rsa_key, kid=None), "no key"),
        "key of another type": (token(ec_key, "ES256", "r1"), "no key"),
        "stripped signature": (f"{head}.{body}.", "no key|claims|JWT"),
        "changed body": (f"{head}.{raw({}, claims(sub='mallory')).split('.')[1]}.{signature}", "no key"),
        "expired": (token(rsa_key, exp=now - 60), "expired"),
        "not yet": (token(rsa_key, nbf=now + 600), "not valid yet"),
        "no expiry": (token(rsa_key, exp=None), "missing"),
        "expiry of text": (raw({"alg": "RS256", "kid": "r1"}, claims(exp="soon")), "no key"),
        "other issuer": (token(rsa_key, iss=ISSUER + "/"), "issuer"),
        "no issuer": (token(rsa_key, iss=None), "missing"),
        "other audience": (token(rsa_key, aud="else"), "audience"),
        "no audience": (token(rsa_key, aud=None), "audience|missing"),
        "no subject": (token(rsa_key, sub=None), "missing"),
        "subject that looks like another": (token(rsa_key, sub="al\u200bice"), "sub"),
        "subject of two lines": (token(rsa_key, sub="alice\nadmin"), "sub"),
        "critical extension": (token(rsa_key, headers={"crit": ["b64"], "b64": False}), "crit|JWT"),
        "typ": (token(rsa_key, headers={"typ": "secevent+jwt"}), "typ"),
        "garbage": ("a.b.c", "JWT"),
        "empty": ("", "JWT"),
        "not ascii": ("é.é.é", "ASCII"),
        "long": ("a" * 20_000, "longer"),
        "deep": (raw({"alg": "RS256", "kid": "r1"}, {}).split(".")[0] + "." + "W" * 9000 + ".AA", "no key|JWT|claims"),
    }
    for name, (text, words) in bad.items():
        with pytest.raises(AuthenticationError, match=words):
            pytest.fail(f"{name}: {await verifier.verify(text)}")


def test_options_take_no_symmetric_algorithm() -> None:
    for algorithms in (("HS256",), ("none",), ("RS256", "HS512"), ()):
        with pytest.raises(InvalidInputError, match="algorithms"):
            TokenOptions(issuer=ISSUER, audience=AUDIENCE, algorithms=algorithms)
    with pytest.raises(InvalidInputError, match="audience"):
        TokenOptions(issuer=ISSUER, audience="")


class TestKeys:
    def test_documents_are_checked(self) -> None:
        for data, words in (
            (b"[]", "keys"),
            (b"{", "JSON"),
            (b'{"keys": {}}', "list"),
            (b'{"keys": [{"kty": "oct", "k": "AA"}]}', "secret"),
            (b'{"keys": [{"kty": "RSA", "n": "AA", "e": "AQAB", "d": "AA"}]}', "secret"),
            (b'{"keys": [{}]}', "kty"),
            (b"x" * 300_000, "more than"),
        ):
            with pytest.raises(InvalidInputError, match=words):
                parse_jwks(data)
        assert parse_jwks(b'{"keys": [{"kty": "RSA", "use": "enc"}, {"kty": "weird"}]}') == []

    async def test_plain_http_is_for_loopback_only(self) -> None:
        with pytest.raises(InvalidInputError, match="https"):
            KeySource("http://issuer.test/keys")

    async def test_new_keys_are_found_and_old_ones_end(self, tmp_path: Path) -> None:
        clock = ManualClock()
        path = tmp_path / "jwks.json"
        source = KeySource(str(path), clock.monotonic_s, lifetime_s=300, stale_s=1000, retry_s=15)
        with pytest.raises(UnavailableError):
            await source.find("a")
        path.write_text('{"keys": [{"kty": "RSA", "kid": "a"}]}')
        with pytest.raises(UnavailableError):
            await source.find("a")  # asked a moment ago
        await clock.advance(16)
        assert [k["kid"] for k in await source.find("a")] == ["a"]
        assert [k["kid"] for k in await source.find(None)] == ["a"]
        path.write_text('{"keys": [{"kty": "RSA", "kid": "b"}]}')
        assert await source.find("b") == []
        await clock.advance(16)
        assert [k["kid"] for k in await source.find("b")] == ["b"]
        assert await source.find("a") == []
        path.unlink()
        await clock.advance(400)
        assert [k["kid"] for k in await source.find("b")] == ["b"]  # stale, and still good enough
        await clock.advance(700)
        with pytest.raises(UnavailableError):
            await source.find("b")

    async def test_slow_and_redirecting_servers_end_in_time(self, key_server: str) -> None:
        for path in ("/slow", "/redirect", "/large"):
            began = time.monotonic()
            with pytest.raises(UnavailableError):
                await KeySource(key_server + path, deadline_s=0.3).find("a")
            assert time.monotonic() - began < 5
        assert await KeySource(key_server + "/good").find("a") == [{"kty": "RSA", "kid": "a"}]

    @pytest.fixture
    def key_server(self) -> Iterator[str]:
        stop = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/redirect":
                    self.send_response(302)
                    self.send_header("Location", "/good")
                    self.end_headers()
                    return
                self.send_response(200)
                self.end_headers()
                if self.path == "/slow":
                    stop.wait(2)
                self.wfile.write(b" " * 400_000 if self.path == "/large" else b'{"keys": [{"kty": "RSA", "kid": "a"}]}')

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        stop.set()
        server.shutdown()
        server.server_close()


def test_buckets_fill_up_again_and_forget_in_order() -> None:
    now = [0.0]
    buckets = Buckets(2.0, 3.0, lambda: now[0], capacity=2)
    for _ in range(3):
        buckets.spend("a")
    with pytest.raises(RateLimitError, match="burst 3"):
        buckets.spend("a")
    buckets.spend("b")  # its own bucket
    now[0] = 0.5
    buckets.spend("a")
    with pytest.raises(RateLimitError) as caught:
        buckets.spend("a")
    assert caught.value.retry_after_s == pytest.approx(0.5)
    for name in "cdefg":
        buckets.spend(name)
    assert len(buckets) == 2


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("127.8.8.8", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.evil.test", False), ("", False),
        ("127.0.0.1.evil.test", False), ("0x7f000001", False),
    ],
)  # fmt: skip
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def app_with(access: Access | None) -> FastAPI:
    app = FastAPI()
    app.add_middleware(BodyLimit)
    from twm.core.errors import TwmError

    app.add_exception_handler(TwmError, _twm_problem)
    if access is not None:
        app.state.access = access

    @app.get("/read")
    async def read(principal: Principal = Depends(require(VIEWER))) -> str:  # noqa: B008
        return principal.subject

    @app.put("/write")
    async def write(body: Json, principal: Principal = Depends(require(APPROVER))) -> str:  # noqa: B008
        return principal.subject

    return app


def client_of(access: Access | None, host: str = "127.0.0.1:8080", peer: str = "127.0.0.1") -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app_with(access), client=(peer, 1)), base_url=f"http://{host}")


async def test_no_access_control_means_no_access() -> None:
    async with client_of(None) as client:
        assert (await client.get("/read")).status_code == 401


async def test_development_mode_is_for_this_machine_and_no_approver() -> None:
    records: list[tuple[str, Json]] = []

    async def record(kind: str, payload: Json) -> None:
        records.append((kind, payload))

    async with client_of(Access(Development(OPERATOR), record=record)) as client:
        assert (await client.get("/read")).json() == "development"
        refused = await client.put("/write", json={})
    assert refused.status_code == 403
    assert "approver is needed" in refused.json()["detail"]
    assert [(kind, p["subject"], p["action"], p["outcome"]) for kind, p in records] == [
        ("access", "development", "PUT /write", "denied")
    ]
    for host, peer in (("evil.test", "127.0.0.1"), ("127.0.0.1", "192.0.2.7"), ("localhost.evil.test:80", "127.0.0.1")):
        async with client_of(Access(Development(OPERATOR)), host, peer) as client:
            assert (await client.get("/read")).status_code == 401


async def test_pages_of_other_sites_change_nothing() -> None:
    async with client_of(Access(FixedPrincipal(Principal.of("alice", APPROVER)))) as client:
        for origin, status in (("http://evil.test", 403), ("null", 403), ("http://127.0.0.1:8080", 200)):
            assert (await client.put("/write", json={}, headers={"Origin": origin})).status_code == status
        assert (await client.get("/read", headers={"Origin": "http://evil.test"})).status_code == 200


async def test_bearer_tokens_on_routes(verifier: TokenVerifier, rsa_key: rsa.RSAPrivateKey) -> None:
    async with client_of(Access(BearerTokens(verifier)), "gateway.example", "192.0.2.7") as client:
        missing = await client.get("/read")
        assert (missing.status_code, missing.headers["www-authenticate"]) == (401, "Bearer")
        approver = {"Authorization": f"Bearer {token(rsa_key)}"}
        viewer = {"Authorization": f"bearer {token(rsa_key, sub='vera', roles=['viewer'])}"}
        assert (await client.get("/read", headers=viewer)).json() == "vera"
        assert (await client.put("/write", json={}, headers=viewer)).status_code == 403
        assert (await client.put("/write", json={}, headers=approver)).json() == "alice"
        assert (await client.get("/read", headers={"Authorization": "Basic YTpi"})).status_code == 401


async def test_failures_of_one_address_are_slowed_down(verifier: TokenVerifier) -> None:
    async with client_of(Access(BearerTokens(verifier))) as client:
        answers = [(await client.get("/read")).status_code for _ in range(int(FAILURE_BURST) + 3)]
    assert answers[:20] == [401] * 20
    assert answers[-1] == 429


async def test_writes_of_one_principal_are_bounded() -> None:
    async with client_of(Access(FixedPrincipal(Principal.of("alice", APPROVER)), clock=lambda: 0.0)) as client:
        answers = [(await client.put("/write", json={})).status_code for _ in range(31)]
        slow = await client.put("/write", json={})
        assert answers == [200] * 30 + [429]
        assert int(slow.headers["retry-after"]) >= 1
        assert (await client.get("/read")).status_code == 200


async def test_bodies_are_bounded_with_and_without_a_length() -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 8192

    async with client_of(Access(FixedPrincipal(Principal.of("alice", APPROVER)))) as client:
        assert (await client.put("/write", content=b"x" * (MAX_BODY_BYTES + 1))).status_code == 413
        assert (await client.put("/write", content=chunks())).status_code == 413
        assert (await client.put("/write", json={"a": "b" * 1000})).status_code == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auth": "jwt"}, "TWM_AUTH_ISSUER, TWM_AUTH_AUDIENCE, TWM_AUTH_JWKS"),
        ({"http_listen": "0.0.0.0:8080"}, "loopback only"),
        ({"grpc_listen": "[::]:50051"}, "loopback only"),
    ],
)
def test_settings_that_leave_the_door_open_are_refused(changes: Json, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GatewaySettings(**changes)
    GatewaySettings(auth="jwt", auth_issuer="i", auth_audience="a", auth_jwks="/k", http_listen="0.0.0.0:8080")
