"""Questions to a gateway's REST from the command line: JSON in, JSON out, with a deadline and a bound on the answer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from twm.core.errors import ForbiddenError, InvalidInputError, UnavailableError

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024


def ask(gateway: str, method: str, path: str, body: dict[str, Any] | None = None, *, authorization: str = "") -> Any:
    """JSON answer of the gateway; 422 with questions is one.

    `authorization`: value of that header, "" none. Raises UnavailableError, InvalidInputError, ForbiddenError.
    """
    if not gateway.startswith(("http://", "https://")):
        raise InvalidInputError(f"--gateway: {gateway[:100]!a} is not an http or https URL")
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if authorization:
        headers["Authorization"] = authorization
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(gateway.rstrip("/") + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.loads(answer.read(MAX_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        content = error.read(MAX_ANSWER_BYTES)
        try:
            problem = dict(json.loads(content))
        except ValueError:
            problem = {}
        if "questions" in problem:
            return problem
        detail = str(problem.get("detail", error.reason))[:500]
        if error.code in (401, 403):
            raise ForbiddenError(f"gateway {gateway}: {detail}") from error
        if error.code < 500 and error.code != 429:
            raise InvalidInputError(f"gateway {gateway}: {detail}") from error
        raise UnavailableError(f"gateway {gateway}: {detail}") from error
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        raise UnavailableError(f"gateway {gateway}: {str(error)[:200]}") from error


def bearer(token: str) -> str:
    """Authorization header of a token; "" of none."""
    return f"Bearer {token}" if token else ""
