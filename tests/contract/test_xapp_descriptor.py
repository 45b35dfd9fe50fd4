"""The committed xApp descriptor: up to date, and what the xApp onboarder of O-RAN SC takes.

The schema below states the onboarder's rules in our words: ric-plt-appmgr, xapp_orchestrater/dev/docs/xapp_onboarder/guide.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from twm.core.errors import InvalidInputError
from twm.ric.descriptor import write
from twm.ric.rmr.messages import MessageType
from twm.ric.settings import RicSettings, public_config

ROOT = Path(__file__).resolve().parents[2]
SEMVER = (
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$"
)


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def obj(required: str = "", **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split()}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


IMAGE = obj(
    "registry name tag", registry=text(pattern=r"^[A-Za-z0-9\.-]{1,}\.[A-Za-z]{1,}(?:\:\d+)?$"), name=text(), tag=text()
)
PROBE = {
    **obj(
        "",
        exec=obj("command", command=array(text())),
        httpGet=obj("path port", path=text(), port={"type": "integer"}),
        initialDelaySeconds={"type": "integer"},
        periodSeconds={"type": "integer"},
    ),
    "oneOf": [
        {"required": ["exec", "initialDelaySeconds", "periodSeconds"]},
        {"required": ["httpGet", "initialDelaySeconds", "periodSeconds"]},
    ],
}
PORT = {
    **obj(
        "name container port",
        name=text(),
        container=text(),
        port={"type": "integer"},
        description=text(),
        txMessages=array(text()),
        rxMessages=array(text()),
        policies=array({"type": "integer"}),
    ),
    "dependencies": {
        "txMessages": ["rxMessages", "policies"],
        "rxMessages": ["txMessages", "policies"],
        "policies": ["rxMessages", "txMessages"],
    },
}


def onboarding(controls: dict[str, Any]) -> dict[str, Any]:
    """The onboarder puts the schema of the controls in place of its own empty one."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **obj(
            "xapp_name version containers messaging",
            xapp_name=text(),
            version=text(pattern=SEMVER),
            containers=array(obj("name image", name=text(), image=IMAGE, command=text())),
            livenessProbe=PROBE,
            readinessProbe=PROBE,
            messaging=obj("ports", ports=array(PORT)),
            metrics=array(
                obj(
                    "objectName objectInstance name type description",
                    objectName=text(),
                    objectInstance=text(),
                    name=text(),
                    type=text(),
                    description=text(),
                )
            ),
            controls=controls,
        ),
    }


@pytest.fixture
def files() -> tuple[dict[str, Any], dict[str, Any]]:
    folder = ROOT / "deploy" / "xapp"
    return json.loads((folder / "config-file.json").read_text()), json.loads((folder / "schema.json").read_text())


def test_committed_files_are_what_the_command_writes(tmp_path: Path) -> None:
    write(tmp_path)
    for name in ("config-file.json", "schema.json"):
        committed = (ROOT / "deploy" / "xapp" / name).read_text()
        assert committed == (tmp_path / name).read_text(), f"run: python -m twm.ric.descriptor --out deploy/xapp ({name})"


def test_onboarder_takes_it(files: tuple[dict[str, Any], dict[str, Any]]) -> None:
    config, controls = files
    jsonschema.Draft7Validator.check_schema(controls)
    jsonschema.validate(config, onboarding(controls), cls=jsonschema.Draft7Validator)
    ports = {port["name"]: port for port in config["messaging"]["ports"]}
    assert {name: port["port"] for name, port in ports.items()} == {"http": 8080, "rmr-data": 4560, "rmr-route": 4561}
    assert set(ports["rmr-data"]["rxMessages"]) >= {"RIC_INDICATION", "A1_POLICY_REQ", "RIC_CONTROL_ACK", "RIC_CONTROL_FAILURE"}
    assert all(hasattr(MessageType, name) for key in ("rxMessages", "txMessages") for name in ports["rmr-data"][key])
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", config["xapp_name"]), "it becomes part of Kubernetes names"
    names = [metric["name"] for metric in config["metrics"]]
    assert len(names) == len(set(names)) > 5
    broken = {**config, "controls": {**config["controls"], "TWM_NONSENSE": "1"}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, onboarding(controls), cls=jsonschema.Draft7Validator)


def test_controls_become_settings_below_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"controls": {"TWM_NETWORK": "explora-cell", "TWM_RIC_A1_TYPES": "20103", "logger": {"level": 3}}}
    path = tmp_path / "config-file.json"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("CONFIG_FILE", str(path))
    monkeypatch.setenv("TWM_RIC_A1_TYPES", "20101,20103")
    settings = RicSettings.load()
    assert settings.network == "explora-cell"
    assert settings.a1_types == (20101, 20103), "the environment comes first"
    secret = {"controls": {"TWM_REDIS_URL": "redis://:hunter2@x:6379/0"}}
    assert "hunter2" not in json.dumps(public_config(secret)) and "redis://" in json.dumps(public_config(secret))
    path.write_text("no json")
    with pytest.raises(InvalidInputError, match="CONFIG_FILE"):
        RicSettings.load()
    monkeypatch.setenv("CONFIG_FILE", str(tmp_path / "absent.json"))
    assert RicSettings.load().network == "poc-city"
