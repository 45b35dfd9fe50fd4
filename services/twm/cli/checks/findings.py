"""Findings of a deployment check, the settings they are made from, and the secrets that never get into them."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.settings import ServiceSettings
from twm.core.text import clean

if TYPE_CHECKING:
    from twm.gateway.settings import GatewaySettings
    from twm.ric.settings import RicSettings

Level = Literal["OK", "WARN", "FAIL", "SKIP"]
LEVELS: tuple[Level, ...] = ("OK", "WARN", "FAIL", "SKIP")
MAX_TEXT = 400
_SECRET_NAME = re.compile(r"(PASSWORD|SECRET|TOKEN|API_KEY|PASSWD)", re.IGNORECASE)
_SECRET_FILE = re.compile(r"(SECRET|TOKEN|API_KEY|KEY)_FILE$", re.IGNORECASE)
_LEAST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    check: str
    level: Level
    message: str
    """What was found."""
    advice: str = ""
    """What to do about it; empty: nothing."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the checks are made from: the same environment as the services read."""

    base: ServiceSettings
    spec: NetworkSpec | None = None
    """None: the network spec cannot be read, which is a finding of its own."""
    gateway: GatewaySettings | None = None
    """None: its settings cannot be read, or its extra is not installed."""
    ric: RicSettings | None = None
    """None: no RIC process is configured here, or its settings cannot be read."""
    timeout_s: float = 5.0
    """Deadline of each call [s]."""
    probes: Sequence[tuple[str, str]] = ()
    """Processes to ask over HTTP: name and host:port."""
    problems: tuple[Finding, ...] = ()
    """What went wrong in reading the settings."""


Check = Callable[[Surroundings], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True)
class Secrets:
    """Takes secrets out of texts that are to be shown."""

    values: tuple[str, ...] = field(repr=False)

    @classmethod
    def of_environment(cls, environment: Iterable[tuple[str, str]]) -> Secrets:
        """Passwords in URLs, values of variables with telling names, and what stands in the files that they name."""
        found: set[str] = set()
        for name, value in environment:
            if "://" in value:
                try:
                    password = urlsplit(value).password
                except ValueError:
                    password = value.rpartition("@")[0].rpartition(":")[2]
                found |= {password or "", unquote(password or "")}
            if not name.startswith("TWM_"):
                continue
            if _SECRET_FILE.search(name):
                found.add(_first_line(value))
            elif _SECRET_NAME.search(name) and not name.endswith("_URL"):
                found.add(value)
        return cls(tuple(sorted((v for v in found if len(v) >= _LEAST_SECRET), key=len, reverse=True)))

    def without(self, text: str) -> str:
        """`text` with every secret replaced, safe to print, of bounded length."""
        for value in self.values:
            text = text.replace(value, "***")
        return clean(text, MAX_TEXT).text

    def cleaned(self, finding: Finding) -> Finding:
        """A finding without secrets."""
        return replace(finding, message=self.without(finding.message), advice=self.without(finding.advice))


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return ""


def surroundings(*, timeout_s: float, probes: Sequence[tuple[str, str]]) -> Surroundings:
    """Read the environment. What cannot be read is among `problems`; raises InvalidInputError where nothing can."""
    problems: list[Finding] = []
    base = ServiceSettings.load()
    spec: NetworkSpec | None = None
    try:
        spec = base.spec()
    except (InvalidInputError, OSError) as error:
        problems.append(
            Finding("network", "FAIL", str(error), "Set TWM_NETWORK to a shipped spec or to a readable network.yaml.")
        )
    return Surroundings(
        base=base,
        spec=spec,
        gateway=_gateway(problems),
        ric=_ric(problems),
        timeout_s=timeout_s,
        probes=probes,
        problems=tuple(problems),
    )


def _gateway(problems: list[Finding]) -> GatewaySettings | None:
    try:
        from twm.gateway.settings import GatewaySettings
    except ModuleNotFoundError as error:
        problems.append(
            Finding(
                "gateway settings",
                "SKIP",
                f"{error.name} is not installed here: A1, language model and tokens are not looked at",
            )
        )
        return None
    try:
        # Where this command listens says nothing of where the gateway does.
        return GatewaySettings.load(http_listen="127.0.0.1:0", grpc_listen="127.0.0.1:0")
    except InvalidInputError as error:
        problems.append(
            Finding("gateway settings", "FAIL", str(error), "Correct the variable; the gateway does not start with it.")
        )
        return None


def _ric(problems: list[Finding]) -> RicSettings | None:
    if not any(name.startswith(("TWM_RIC_", "TWM_PM_", "TWM_FLEXRIC_")) or name == "CONFIG_FILE" for name in os.environ):
        return None
    try:
        from twm.ric.settings import RicSettings
    except ModuleNotFoundError as error:
        problems.append(Finding("ric settings", "SKIP", f"{error.name} is not installed here: the RIC is not looked at"))
        return None
    try:
        return RicSettings.load()
    except InvalidInputError as error:
        problems.append(
            Finding("ric settings", "FAIL", str(error), "Correct the variable; the RIC process does not start with it.")
        )
        return None


def readable_file(path: Path | str) -> str:
    """Why a file cannot be read; empty: it can."""
    try:
        with open(path, "rb") as file:
            return "" if file.read(1) else f"{path} is empty"
    except OSError as error:
        return f"{path}: {error.strerror or error}"
