"""deploy/compose.yaml: valid by the Compose specification, and right about the processes. No engine has run it here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml
from test_chart_settings import MODULES, SETTINGS, names_of

from twm.gateway.settings import GatewaySettings

REPO = Path(__file__).resolve().parents[2]
FILE = REPO / "deploy" / "compose.yaml"
PROCESS = {**{name: name for name in SETTINGS}, "inference-gpu": "inference"}
"""Process of each service that is one of ours."""


def services() -> dict[str, Any]:
    """Services with YAML merges done, variables not yet put in."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def filled(text: str, given: dict[str, str]) -> str:
    """${NAME:-default} as Compose fills it in."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: given.get(match[1]) or match[2], text)


def test_it_is_a_compose_file() -> None:
    parsed = compose_spec.PyCompose.from_json(json.dumps(yaml.safe_load(filled(FILE.read_text(), {}))))
    assert set(parsed.service_names()) == set(services())


@pytest.mark.parametrize("name", services())
def test_containers_are_confined(name: str) -> None:
    """No rights, no writable root, nothing published beyond this machine, an image with a tag."""
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r":(\$\{TWM_TAG|v?\d)", service["image"])
    assert "privileged" not in service
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")
    if name != "vllm":  # writes its caches and runs as root in its image
        assert service["read_only"] is True
        assert int(service["user"].split(":")[0]) > 0
        assert "mem_limit" in service


@pytest.mark.parametrize("name", PROCESS)
def test_processes_get_settings_they_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = services()[name]
    environment = {key: filled(str(value), {}) for key, value in service["environment"].items()}
    settings = SETTINGS[PROCESS[name]]
    assert set(environment) <= names_of(settings)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    if name == "gateway":
        assert settings.load().http_listen == "127.0.0.1:8080"
        assert "volumes" in service
    else:
        settings.load()
    target = service["build"]["target"]
    assert target in {"twin" if name == "emulator" else name}
    if "entrypoint" in service:
        assert service["entrypoint"] == ["python", "-m", MODULES[name]]
    if service.get("network_mode") != "host":
        assert all(dependency in services() for dependency in service.get("depends_on", {}))


def test_tokens_open_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "TWM_AUTH": "jwt", "TWM_AUTH_ISSUER": "https://id", "TWM_AUTH_AUDIENCE": "twm", "TWM_AUTH_JWKS": "https://id/keys",
        "TWM_HTTP_LISTEN": "0.0.0.0:8080",
    }  # fmt: skip
    for key, value in services()["gateway"]["environment"].items():
        monkeypatch.setenv(key, filled(str(value), given))
    assert GatewaySettings.load().http_listen == "0.0.0.0:8080"


def test_targets_and_scrapes_lead_to_published_ports() -> None:
    """Addresses on the host's loopback are published by the service they mean; names are services; each process is scraped."""
    published = {
        port.rpartition(":")[0]: (name, port.rpartition(":")[2])
        for name, s in services().items()
        for port in s.get("ports", [])
    }
    assert len(published) == sum(len(s.get("ports", [])) for s in services().values()), "a port is published twice"
    for name in PROCESS:
        for key, value in services()[name]["environment"].items():
            if key.endswith("_TARGET"):
                host, _, port = filled(str(value), {}).rpartition(":")
                peer = key.removeprefix("TWM_").removesuffix("_TARGET").lower()
                if host == "127.0.0.1" and peer != "gateway":
                    assert published[f"{host}:{port}"] == (peer, "50051")
                elif host == "127.0.0.1":
                    assert filled(services()["gateway"]["environment"]["TWM_GRPC_LISTEN"], {}) == f"{host}:{port}"
                else:
                    assert (host, port) == (peer, "50051")
    configs = yaml.safe_load(FILE.read_text())["configs"]
    scraped = yaml.safe_load(filled(configs["prometheus"]["content"], {}))["scrape_configs"][0]["static_configs"]
    by_process = {entry["labels"]["process"]: entry["targets"][0] for entry in scraped}
    assert set(by_process) == {"gateway", "ingester", "inference", "planner", "twin"}
    for process, address in by_process.items():
        assert address == "127.0.0.1:8080" if process == "gateway" else published[address] == (process, "8080")
    for content in (configs["grafana-datasource"]["content"], configs["grafana-dashboards"]["content"]):
        assert yaml.safe_load(content)["apiVersion"] == 1
    assert {p.name for p in (REPO / "charts/twm/dashboards").glob("*.json")} >= {"overview.json"}


def test_volumes_and_configs_are_declared() -> None:
    whole = yaml.safe_load(FILE.read_text())
    for service in whole["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (REPO / "deploy" / source).is_dir() if source.startswith(".") else source in whole["volumes"]
        for config in service.get("configs", []):
            assert config["source"] in whole["configs"]
