"""From a notification to a file on disk: below the watched folder, or over http(s) from hosts that are allowed.

A notification comes from the network: it may name any path and any host. Paths stay below the folder, hosts in the list;
redirects are not followed. sftp and ftpes are left to a data file collector that writes into the folder.
"""

from __future__ import annotations

import http.client
import ssl
import tempfile
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.text import shown
from twm.ric.pm.xml_file import MAX_FILE_BYTES

TIMEOUT_S = 30.0


class Fetcher:
    """Opens what notifications name."""

    def __init__(self, folder: Path | None, hosts: str, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._folder = None if folder is None else folder.resolve()
        self._hosts = {host.strip().lower() for host in hosts.split(",") if host.strip()}

    def open(self, location: str) -> BinaryIO:
        """The file. Raises InvalidInputError where it may not be taken, UnavailableError where it cannot be had now."""
        parts = urlsplit(location)
        if parts.scheme in ("http", "https"):
            return self._download(location)
        if parts.scheme in ("", "file"):
            return self._below(unquote(parts.path))
        raise InvalidInputError(
            f"file location {shown(location)}: scheme {parts.scheme[:16]} is not fetched; let a data file collector write the "
            "file into TWM_PM_FOLDER",
            reason="unsupported_location",
        )

    def _below(self, path: str) -> BinaryIO:
        if self._folder is None:
            raise InvalidInputError("file location: a path, and TWM_PM_FOLDER is not set", reason="unsupported_location")
        wanted = Path(path)
        found = (wanted if wanted.is_absolute() else self._folder / wanted).resolve()
        if not found.is_relative_to(self._folder):
            raise InvalidInputError(f"file location {shown(path)}: outside TWM_PM_FOLDER", reason="forbidden_location")
        try:
            if found.stat().st_size > MAX_FILE_BYTES:
                raise InvalidInputError(f"{shown(path)}: more than {MAX_FILE_BYTES} bytes", reason="too_large")
            return found.open("rb")
        except OSError as error:
            raise UnavailableError(f"file {shown(path)}: {error.strerror}") from error

    def _download(self, location: str) -> BinaryIO:
        parts = urlsplit(location)
        host = (parts.hostname or "").lower()
        try:
            port = parts.port
        except ValueError as error:
            raise InvalidInputError(f"file location {shown(location)}: {error}", reason="forbidden_location") from error
        if host not in self._hosts and f"{host}:{port}" not in self._hosts:
            raise InvalidInputError(f"file location: host {shown(host)} is not in TWM_PM_HOSTS", reason="forbidden_location")
        connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=self._context or ssl.create_default_context())
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        )
        file = tempfile.SpooledTemporaryFile(max_size=1 << 20)  # noqa: SIM115 - the caller closes it
        try:
            connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
            answer = connection.getresponse()
            if answer.status != 200:
                raise UnavailableError(f"file {shown(location)}: HTTP {answer.status}")
            total = 0
            while chunk := answer.read(1 << 16):
                total += len(chunk)
                if total > MAX_FILE_BYTES:
                    raise InvalidInputError(f"{shown(location)}: more than {MAX_FILE_BYTES} bytes", reason="too_large")
                file.write(chunk)
        except (OSError, http.client.HTTPException) as error:
            file.close()
            raise UnavailableError(f"file {shown(location)}: {str(error)[:160]}") from error
        except BaseException:
            file.close()
            raise
        finally:
            connection.close()
        file.seek(0)
        return file  # type: ignore[return-value]
