"""Settings of the RIC process, read once at start."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from twm.core.errors import InvalidInputError
from twm.core.redis_link import redact_url
from twm.core.settings import Address, ServiceSettings

Url = Annotated[str, Field(max_length=512, pattern=r"^(https?://\S+)?$")]
Adapter = Literal["oransc", "flexric", "pm"]
_TYPE_ID = re.compile(r"^\d{1,10}$", re.ASCII)
_HOST = r"^[A-Za-z0-9_.:-]+$"
CONFIG_FILE = "CONFIG_FILE"
"""Variable with the path of the xApp's config-file.json, as O-RAN SC's charts set it."""
MAX_CONFIG_BYTES = 1 << 20


def xapp_config() -> dict[str, Any]:
    """The xApp descriptor that the platform mounted; empty where there is none. Raises InvalidInputError."""
    path = os.environ.get(CONFIG_FILE, "")
    if not path:
        return {}
    try:
        with open(path, "rb") as file:
            data = json.loads(file.read(MAX_CONFIG_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"{CONFIG_FILE}: {path[:200]} is not a JSON file: {str(error)[:160]}") from error
    if not isinstance(data, dict):
        raise InvalidInputError(f"{CONFIG_FILE}: {path[:200]}: top level is no object")
    return data


def public_config(config: dict[str, Any]) -> dict[str, Any]:
    """The descriptor as others may read it: without the passwords that URLs in its controls may hold."""
    controls = config.get("controls")
    if not isinstance(controls, dict):
        return config
    return {**config, "controls": {k: redact_url(v) if isinstance(v, str) else v for k, v in controls.items()}}


class RicSettings(ServiceSettings):
    """Variables are the names in capitals with TWM_ before."""

    ric_adapter: Adapter = "oransc"
    """Which RIC: O-RAN SC near-RT RIC, FlexRIC, or measurement files (rApp)."""
    ric_nodes: Path | None = None
    """YAML file: how the RIC knows the E2 nodes of the network spec (twm.ric.nodes); default: by their ids in the spec."""
    ric_queue_reports: int = Field(default=8192, ge=16, le=1_000_000)
    """Reports that may wait for the ingester; beyond it the oldest are dropped."""
    ric_deadline_s: float = Field(default=30.0, gt=0.0, le=600.0)
    """Deadline of one call to the ingester [s]."""

    ric_tls_ca: Path | None = None
    """PEM file with the certificate authorities of https peers; default: the system's."""
    ric_tls_cert: Path | None = None
    """PEM file with our certificate, for peers that ask for one."""
    ric_tls_key: Path | None = None
    """PEM file with its key; default: in the same file."""

    # O-RAN SC: RMR and the xApp's HTTP side
    ric_transport: Literal["rmr", "tcp"] = "rmr"
    """RMR by librmr (PyPI ricxappframe), or its messages over plain TCP for a laboratory without it."""
    ric_rmr_port: int = Field(default=4560, ge=0, le=65535)
    """Port RMR listens on (rmr-data); the routing table comes in on RMR's own port, RMR_RTG_SVC (4561)."""
    ric_http_listen: Address = "0.0.0.0:8080"
    """Where the xApp's HTTP side listens: health, config, subscription callbacks."""
    ric_client_host: str = Field(
        default_factory=socket.gethostname, min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_.:-]+$"
    )
    """Host by which subscription manager and E2 termination reach us, e.g. service-ricxapp-twm-rmr.ricxapp."""
    ric_client_http_port: int = Field(default=0, ge=0, le=65535)
    """HTTP port by which we are reached; 0: the one we listen on."""
    ric_client_rmr_port: int = Field(default=0, ge=0, le=65535)
    """RMR port by which we are reached; 0: the one we listen on."""

    # O-RAN SC: subscriptions
    ric_submgr_url: Url = "http://service-ricplt-submgr-http.ricplt:8088"
    """Subscription manager; empty: subscribe to nothing (A1 and control only)."""
    ric_http_timeout_s: float = Field(default=5.0, gt=0.0, le=120.0)
    """Timeout of one HTTP call to the platform [s]."""
    ric_callback_s: float = Field(default=30.0, gt=0.0, le=600.0)
    """How long a subscription's callback may take [s]."""
    ric_retry_s: float = Field(default=1.0, gt=0.0, le=30.0)
    """Wait before a subscription that failed is asked for again [s]; it doubles with each failure, up to 30 s."""
    ric_silence_s: float | None = Field(default=None, gt=0.0, le=86400.0)
    """Silence after which a subscription is renewed [s]; default: five report periods, 10 s at least."""
    ric_settle_s: float = Field(default=6.0, ge=0.0, le=600.0)
    """Between deleting a subscription and asking for the same again [s]."""
    ric_check_s: float = Field(default=30.0, ge=0.0, le=3600.0)
    """Between two looks at what the subscription manager holds [s]; 0: never."""

    # O-RAN SC: inventory
    ric_discovery: Literal["none", "e2mgr", "sdl"] = "none"
    """Where E2 nodes and their RAN functions are looked up; none: TWM_RIC_NODES and its defaults."""
    ric_e2mgr_url: Url = "http://service-ricplt-e2mgr-http.ricplt:3800"
    """E2 manager."""
    ric_discovery_s: float = Field(default=15.0, gt=0.0, le=3600.0)
    """Between two looks at the inventory [s]."""
    ric_sdl_url: str = Field(default="", max_length=512, repr=False)
    """Redis of the shared data layer; default: DBAAS_SERVICE_HOST and _PORT of the pod."""
    ric_sdl_ue_namespace: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")
    """SDL namespace with the UE-to-slice map; empty: none is read."""

    # O-RAN SC: A1 and registration
    ric_a1_types: str = "20101,20103,20110"
    """A1 policy types (numbers) that are taken from RMR and asked for after start, separated by commas; empty: none."""
    ric_handler_id: str = Field(default="twm", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")
    """handler_id of our answers to A1."""
    gateway_target: Address = "127.0.0.1:50054"
    """The gateway's gRPC address."""
    ric_gateway_token_file: Path | None = None
    """File with the bearer token for the gateway; read again for each call, so that it may be renewed."""
    ric_appmgr_url: Url = ""
    """Application manager to register at, e.g. http://service-ricplt-appmgr-http.ricplt:8080; empty: do not register."""
    ric_xapp_name: str = Field(default="twm", min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Name to register by."""

    # E2 control
    ric_control: Literal["off", "rc", "ccc"] = "off"
    """Whether policies to be enforced go out as E2 control, and by which service model."""
    ric_control_ack_s: float = Field(default=5.0, gt=0.0, le=600.0)
    """How long an E2 node may take to acknowledge [s]."""
    ric_requestor_id: int = Field(default=1021, ge=0, le=65535)
    """ricRequestorID of our control requests."""

    # FlexRIC
    flexric_sdk: str = Field(default="xapp_sdk", max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")
    """Python module of the SDK."""
    flexric_args: str = Field(default="", max_length=1024)
    """Arguments for the SDK's init, as on a command line ("-c /usr/local/etc/flexric/flexric.conf")."""
    flexric_interval: Literal["ms_1", "ms_2", "ms_5", "ms_10", "ms_100", "ms_1000"] = "ms_1000"
    """Report interval; one that this SDK does not have becomes its longest."""
    flexric_wait_s: float = Field(default=5.0, gt=0.0, le=600.0)
    """Between two looks for newly connected E2 nodes [s]."""

    # PM files
    pm_folder: Path | None = None
    """Folder watched for 3GPP measurement files (TS 32.435, TS 28.532), .xml or .xml.gz."""
    pm_poll_s: float = Field(default=5.0, gt=0.0, le=3600.0)
    """Between two looks into the folder [s]."""
    pm_kafka: str = Field(default="", max_length=512, pattern=r"^[A-Za-z0-9_.:,-]*$")
    """Kafka brokers, host:port separated by commas, whose VES fileReady notifications name files."""
    pm_kafka_topic: str = Field(default="unauthenticated.VES_NOTIFICATION_OUTPUT", max_length=249, pattern=r"^[A-Za-z0-9_.-]+$")
    """Topic of the notifications."""
    pm_kafka_security: Literal["plaintext", "ssl", "sasl_ssl"] = "plaintext"
    """How brokers are spoken to; with TLS by TWM_RIC_TLS_CA, _CERT and _KEY."""
    pm_kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    """SASL mechanism."""
    pm_kafka_user: str = Field(default="", max_length=256)
    """SASL user."""
    pm_kafka_password_file: Path | None = None
    """File with the SASL password."""
    pm_hosts: str = Field(default="", max_length=2048)
    """Hosts (host or host:port, separated by commas) that files may be fetched from by http(s); empty: from none."""
    pm_volume_unit: Literal["mbit", "kbit"] = "mbit"
    """Unit of data volumes in the files; TS 28.552 says Mbit."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then the `controls` of the xApp descriptor: charts made by the onboarder pass no variables on."""
        controls = xapp_config().get("controls", {})
        given = {
            name.removeprefix("TWM_").lower(): value
            for name, value in (controls.items() if isinstance(controls, dict) else ())
            if name.startswith("TWM_") and name.removeprefix("TWM_").lower() in cls.model_fields
        }
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=given)

    @field_validator("ric_submgr_url", "ric_appmgr_url", "ric_e2mgr_url")
    @classmethod
    def _base(cls, value: str) -> str:
        """Other frameworks want the base path in the URL, here it is added."""
        bare = value.rstrip("/")
        for path in ("/ric/v1/subscriptions", "/ric/v1", "/v1"):
            if bare.endswith(path):
                return bare.removesuffix(path)
        return bare

    @field_validator("ric_a1_types")
    @classmethod
    def _numbers(cls, value: str) -> str:
        for item in filter(None, (part.strip() for part in value.split(","))):
            if not _TYPE_ID.match(item) or not 1 <= int(item) < 2**31:
                raise ValueError(f"{item[:40]!r} is not a policy type number 1..2147483647")
        return value

    @model_validator(mode="after")
    def _sources(self) -> RicSettings:
        if self.ric_adapter == "pm" and self.pm_folder is None and not self.pm_kafka:
            raise ValueError("TWM_RIC_ADAPTER=pm needs TWM_PM_FOLDER or TWM_PM_KAFKA")
        if self.ric_control != "off" and self.ric_adapter != "oransc":
            raise ValueError("TWM_RIC_CONTROL needs TWM_RIC_ADAPTER=oransc")
        if self.pm_kafka_security == "sasl_ssl" and not (self.pm_kafka_user and self.pm_kafka_password_file):
            raise ValueError("TWM_PM_KAFKA_SECURITY=sasl_ssl needs TWM_PM_KAFKA_USER and TWM_PM_KAFKA_PASSWORD_FILE")
        return self

    @property
    def a1_types(self) -> tuple[int, ...]:
        """Policy type numbers."""
        return tuple(int(part) for part in self.ric_a1_types.split(",") if part.strip())
