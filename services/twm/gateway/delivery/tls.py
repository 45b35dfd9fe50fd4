"""TLS towards a peer: its authority, our certificate and key, read again when the files change."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from twm.core import metrics
from twm.core.errors import InvalidInputError


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """Files as configured; an empty path is none."""

    certificate: str = ""
    """Our certificate chain, PEM; with it, mutual TLS."""
    key: str = ""
    """Our private key, PEM, without a passphrase."""
    authority: str = ""
    """Authorities the peer's certificate must come from, PEM; empty: the system's."""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise InvalidInputError("a1_tls_cert, a1_tls_key: both or none are needed")

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Changes when a file changes (mounted secrets change by a new inode). Missing files count as a change too."""
        found = []
        for name in filter(None, (self.certificate, self.key, self.authority)):
            try:
                state = Path(name).stat()
                found.append((state.st_mtime_ns, state.st_size, state.st_ino))
            except OSError:
                found.append((0, 0, 0))
        return tuple(found)

    def context(self) -> ssl.SSLContext:
        """A context that checks the peer's name and chain. Raises InvalidInputError naming the file that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.authority or None)
        except (OSError, ssl.SSLError) as error:
            raise InvalidInputError(f"a1_tls_ca: {self.authority}: cannot be used: {_words(error)}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate:
            try:
                context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
            except (OSError, ssl.SSLError, ValueError) as error:
                raise InvalidInputError(
                    f"a1_tls_cert, a1_tls_key: {self.certificate}, {self.key}: cannot be used: {_words(error)}"
                ) from error
            _publish_expiry(self.certificate)
        return context


def _publish_expiry(path: str) -> None:
    """When the first certificate of our chain ends, for the alert."""
    from cryptography import x509

    ends = x509.load_pem_x509_certificates(Path(path).read_bytes())[0].not_valid_after_utc
    metrics.CERTIFICATE_EXPIRY.labels("a1_client").set(ends.timestamp())


def _no_passphrase() -> str:
    """Instead of a prompt on the terminal."""
    raise ValueError("the key has a passphrase")


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)[:120]
