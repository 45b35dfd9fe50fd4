"""URLs that an operator has configured, checked before anything is sent to them. Pure."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from twm.core.errors import InvalidInputError
from twm.gateway.access.gate import is_loopback


def checked_url(name: str, url: str, *, secret: bool = False, path: bool = True) -> str:
    """The URL without a slash at its end. Raises InvalidInputError naming the setting.

    `secret`: credentials travel to it, so it must be https, or a loopback address. User names, queries and fragments have no
    business in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInputError(f"{name}: not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InvalidInputError(f"{name}: expected http://host[:port][/path] or https://...")
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError(f"{name}: a user name or password in a URL is logged by others; use a file")
    if parts.query or parts.fragment or not url.isprintable() or not url.isascii() or any(c in url for c in ' \\<>"{}|^`'):
        raise InvalidInputError(f"{name}: query, fragment and odd characters are not taken")
    if not path and parts.path not in ("", "/"):
        raise InvalidInputError(f"{name}: a path is not taken")
    if any(part in (".", "..") for part in parts.path.split("/")):
        raise InvalidInputError(f"{name}: dots in the path are not taken")
    if secret and parts.scheme == "http" and not is_loopback(parts.hostname):
        raise InvalidInputError(f"{name}: https is needed where a token or secret is sent")
    return url.rstrip("/")


def segment(text: str) -> str:
    """A path segment."""
    return quote(text, safe="~")


def host_of(url: str) -> str:
    """Host and port, fit to be shown."""
    return urlsplit(url).netloc
