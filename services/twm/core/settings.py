"""What every service reads from its environment, once, at start. Variables are the field names in capitals with TWM_ before.

A service subclasses ServiceSettings in its own settings.py, adds fields, and calls `load`.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, zoo_folder

Address = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):\d{1,5}$", max_length=260)]
"""host:port; an IPv6 host in brackets."""


class ServiceSettings(BaseSettings):
    """Common settings. Loopback and ephemeral ports by default."""

    model_config = SettingsConfigDict(env_prefix="TWM_", frozen=True, extra="ignore")

    network: str = "poc-city"
    """Name of a shipped network spec, or path of a network.yaml."""
    redis_url: str = Field(default="redis://127.0.0.1:6379/0", repr=False)
    """Redis-protocol server with the streams, or its Sentinels (redis+sentinel://host:port,host:port/master-name/0); may hold a
    password, so it is never logged as it is."""
    grpc_listen: Address = "127.0.0.1:0"
    """Where gRPC listens; port 0 takes a free one."""
    http_listen: Address = "127.0.0.1:0"
    """Where /livez, /readyz and /metrics (gateway: REST too) listen; port 0 takes a free one."""
    ingester_target: Address = "127.0.0.1:50051"
    """The ingester's gRPC address."""
    inference_target: Address = "127.0.0.1:50052"
    """The inference service's gRPC address."""
    twin_target: Address = "127.0.0.1:50053"
    """The twin's gRPC address."""
    zoo: Path = Field(default_factory=zoo_folder)
    """Folder of the model zoo."""
    state_dir: Path = Path("var")
    """Folder for files a process keeps."""
    instance: str = Field(default_factory=socket.gethostname, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")
    """Name of this process among its replicas; keep it over restarts, so that it finds its unfinished stream entries."""
    otlp_endpoint: Annotated[str, Field(max_length=512, pattern=r"^$|^https?://[^\s@]+$")] = ""
    """OpenTelemetry collector, OTLP over HTTP (http://collector:4318/v1/traces); empty: no traces. Needs the extra `otel`."""
    otlp_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the slow steps that are traced."""
    log_level: Annotated[str, Field(pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    """Least severity that is logged."""

    @classmethod
    def load(cls, **given: Any) -> Self:
        """From the environment, `given` before it. Raises InvalidInputError naming each wrong variable, its value and what was
        expected."""
        try:
            return cls(**given)
        except ValidationError as error:
            lines = []
            for e in error.errors():
                if not e["loc"]:  # two settings that do not fit together; the input would be all of them, passwords too
                    lines.append(str(e["msg"]))
                    continue
                name = "TWM_" + "_".join(str(part) for part in e["loc"]).upper()
                shown = "(hidden)" if "redis" in name.lower() else repr(e["input"])[:80]
                lines.append(f"{name}: {e['msg']} (got {shown})")
            raise InvalidInputError("environment: " + "; ".join(lines)) from None

    def spec(self) -> NetworkSpec:
        """The network spec. Raises InvalidInputError or NetworkSpecError."""
        return load_network(find_network(self.network))


def split_address(address: str) -> tuple[str, int]:
    """Host (without brackets) and port of "host:port". Raises InvalidInputError where the port is over 65535."""
    host, _, port = address.rpartition(":")
    if int(port) > 65535:
        raise InvalidInputError(f"address: port of {address!r} is over 65535")
    return host.strip("[]"), int(port)
