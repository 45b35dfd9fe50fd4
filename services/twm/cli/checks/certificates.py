"""Certificates: our files (dates, key, authority) and what the peers behind https and rediss URLs show."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from twm.cli.checks import web
from twm.cli.checks.findings import Finding, Surroundings

WARN_DAYS = 21.0
_CERT_SUFFIXES = ("_TLS_CERT", "_CERT_FILE", "_TLS_CA", "_CA_FILE")
_URL_VARIABLES = (
    ("TWM_A1_URL", "TWM_A1_TLS_CA"),
    ("TWM_A1_OAUTH_TOKEN_URL", "TWM_A1_TLS_CA"),
    ("TWM_LLM_URL", ""),
    ("TWM_AUTH_JWKS", ""),
    ("TWM_RIC_SUBMGR_URL", ""),
    ("TWM_RIC_E2MGR_URL", ""),
)


async def check_certificates(around: Surroundings) -> list[Finding]:
    """Every certificate that the environment names or leads to."""
    files = [
        (name, path)
        for name, path in sorted(os.environ.items())
        if name.startswith("TWM_") and name.endswith(_CERT_SUFFIXES) and path
    ]
    found = [finding for name, path in files for finding in await asyncio.to_thread(_file, name, path)]
    peers = {(host, port, authority): variable for variable, host, port, authority in _peers(around)}
    found += await asyncio.gather(
        *(asyncio.to_thread(_peer, variable, *peer, around.timeout_s) for peer, variable in peers.items())
    )
    return found or [Finding("certificates", "SKIP", "none are configured, and no peer is https")]


def _peers(around: Surroundings) -> list[tuple[str, str, int, str]]:
    found = []
    for variable, authority in _URL_VARIABLES:
        try:
            parts = urlsplit(os.environ.get(variable, ""))
            if parts.scheme == "https" and parts.hostname:
                found.append((variable, parts.hostname, parts.port or 443, os.environ.get(authority, "") if authority else ""))
        except ValueError:
            continue  # said by the check of that peer
    try:
        parts = urlsplit(around.base.redis_url)
        if parts.scheme == "rediss" and parts.hostname:
            authority = parse_qs(parts.query).get("ssl_ca_certs", [""])[0]
            found.append(("TWM_REDIS_URL", parts.hostname, parts.port or 6379, authority))
    except ValueError:
        pass
    return found


def _file(name: str, path: str) -> list[Finding]:
    check = f"certificate {name}"
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
    except ModuleNotFoundError:
        return [Finding(check, "SKIP", "cryptography is not installed here (extra gateway)")]
    try:
        chain = x509.load_pem_x509_certificates(Path(path).read_bytes())
    except OSError as error:
        return [Finding(check, "FAIL", f"{path}: {error.strerror or error}", f"Mount it, and set {name} to its path.")]
    except ValueError:
        return [
            Finding(check, "FAIL", f"{path}: no certificate in PEM form", "It must begin with -----BEGIN CERTIFICATE-----.")
        ]
    now = datetime.now(UTC)
    found = [_dates(check, path, min(chain, key=lambda c: c.not_valid_after_utc).not_valid_after_utc, now)]
    if min(c.not_valid_before_utc for c in chain) > now:
        found = [Finding(check, "FAIL", f"{path}: not valid yet", "Is this machine's clock right?")]
    key_path = os.environ.get(name.removesuffix("_CERT") + "_KEY", "") if name.endswith("_CERT") else ""
    if key_path:
        try:
            key = load_pem_private_key(Path(key_path).read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            words = error.strerror if isinstance(error, OSError) else "no private key in PEM form without a passphrase"
            return [*found, Finding(check, "FAIL", f"key {key_path}: {words}", "Give the certificate's own key, unencrypted.")]
        forms = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*forms) != chain[0].public_key().public_bytes(*forms):
            return [*found, Finding(check, "FAIL", f"key {key_path} belongs to another certificate", "Give both of one pair.")]
        found.append(Finding(check, "OK", f"{key_path} is its key"))
    return found


def _dates(check: str, what: str, ends: datetime, now: datetime) -> Finding:
    days = (ends - now).total_seconds() / 86400
    if days < 0:
        return Finding(check, "FAIL", f"{what}: expired {-days:.1f} days ago ({ends:%Y-%m-%d %H:%M} UTC)", "Renew it.")
    if days < WARN_DAYS:
        return Finding(
            check, "WARN", f"{what}: ends in {days:.1f} days ({ends:%Y-%m-%d})", "Renew it, or look at what should have."
        )
    return Finding(check, "OK", f"{what}: good for {days:.0f} days")


def _peer(variable: str, host: str, port: int, authority: str, timeout_s: float) -> Finding:
    check = f"certificate of {host}:{port}"
    try:
        context = ssl.create_default_context(cafile=authority or None)
    except (OSError, ssl.SSLError) as error:
        return Finding(
            check,
            "FAIL",
            f"authority {authority}: {getattr(error, 'strerror', None) or error}",
            "Give the authority's PEM file.",
        )
    try:
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Finding(check, "FAIL", f"{variable}: {error.verify_message}", _advice(error))
    except (OSError, ValueError) as error:
        return Finding(
            check,
            "FAIL",
            f"{variable}: {web.words(error, timeout_s)}",
            "Is that the right host and port, and does it speak TLS?",
        )
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown.get("notAfter"))), UTC)
    return _dates(check, variable, ends, datetime.fromtimestamp(time.time(), UTC))


def _advice(error: ssl.SSLCertVerificationError) -> str:
    words = (error.verify_message or "").lower()
    if "expired" in words:
        return "The peer's certificate is over: have it renewed there."
    if "hostname" in words or "ip address" in words:
        return "The name in the URL does not stand in its certificate: use one that does."
    if "not yet valid" in words:
        return "Is this machine's clock right?"
    return "Give the authority that signed it (TWM_A1_TLS_CA, ?ssl_ca_certs= of a rediss URL, or the system's store)."
