"""Asks processes over HTTP whether they are well: for container health checks and `helm test`, where there is no curl.

    python -m twm.cli.healthcheck                       # /livez of the process whose TWM_HTTP_LISTEN is set here
    python -m twm.cli.healthcheck --wait=60 URL URL     # until all answer 200, at most so many seconds

Exit codes: 0 all answered 200, 1 one did not (told on standard error), 2 wrong usage. Standard library only, so it starts fast.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

TIMEOUT_S = 3.0
PERIOD_S = 1.0
MAX_WAIT_S = 600.0
MAX_URLS = 32


def status(url: str) -> str:
    """ "200", another HTTP status, or what went wrong. Plain http only; no proxies, no redirects."""
    parts = urlsplit(url)
    try:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", parts.path or "/", headers={"Connection": "close"})
            return str(connection.getresponse().status)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"[:200]


def own_url() -> str:
    """/livez of the process that runs in this container. Raises ValueError where TWM_HTTP_LISTEN names no fixed port."""
    listen = os.environ.get("TWM_HTTP_LISTEN", "")
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or port == "0":
        raise ValueError(f"TWM_HTTP_LISTEN: {listen!r} is not host:port with a port to ask")
    return f"http://{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}/livez"


def main(arguments: Sequence[str]) -> int:
    """Ask; the exit code."""
    try:
        waits = [float(a.partition("=")[2]) for a in arguments if a.startswith("--wait=")]
        urls = [a for a in arguments if not a.startswith("--")] or [own_url()]
        unknown = [a for a in arguments if a.startswith("--") and not a.startswith("--wait=")]
        if unknown:
            raise ValueError(f"{unknown[0][:80]!r}: the only option is --wait=SECONDS")
        bad = [u for u in urls if urlsplit(u).scheme != "http" or not urlsplit(u).hostname]
        if bad or len(urls) > MAX_URLS:
            raise ValueError(f"{(bad or urls)[0][:80]!r}: expected at most {MAX_URLS} http:// URLs")
    except ValueError as error:
        sys.stderr.write(f"healthcheck: {error}\n")
        return 2
    until = time.monotonic() + min(waits[0] if waits else 0.0, MAX_WAIT_S)
    while True:
        answers = {url: status(url) for url in urls}
        wrong = {url: answer for url, answer in answers.items() if answer != "200"}
        if not wrong:
            return 0
        if time.monotonic() >= until:
            sys.stderr.write("".join(f"healthcheck: {url}: {answer}\n" for url, answer in wrong.items()))
            return 1
        time.sleep(PERIOD_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
