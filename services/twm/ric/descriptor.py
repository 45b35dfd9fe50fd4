"""The xApp descriptor (config-file.json) and the schema of its controls: python -m twm.ric.descriptor --out deploy/xapp

One place for both: message types from the RMR table, metrics from twm.core.metrics, controls from RicSettings. The layout is
that of the xApp onboarder (ric-plt-appmgr: embedded-schema.json).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from twm.core import metrics
from twm.ric.rmr.messages import RECEIVED, SENT
from twm.ric.settings import RicSettings

NAME = "twm"
REGISTRY, IMAGE = "registry.local", "twm/ric"
HTTP_PORT, RMR_DATA_PORT, RMR_ROUTE_PORT = 8080, 4560, 4561
CONTROLS: dict[str, str] = {
    "TWM_NETWORK": "poc-city",
    "TWM_INGESTER_TARGET": "twm-ingester.twm:50051",
    "TWM_GATEWAY_TARGET": "twm-gateway.twm:50054",
    "TWM_REDIS_URL": "redis://twm-valkey.twm:6379/0",
    "TWM_HTTP_LISTEN": "0.0.0.0:9090",
    "TWM_RIC_CLIENT_HOST": "service-ricxapp-twm-rmr.ricxapp",
    "TWM_RIC_SUBMGR_URL": "http://service-ricplt-submgr-http.ricplt:8088",
    "TWM_RIC_APPMGR_URL": "http://service-ricplt-appmgr-http.ricplt:8080",
    "TWM_RIC_DISCOVERY": "e2mgr",
    "TWM_RIC_E2MGR_URL": "http://service-ricplt-e2mgr-http.ricplt:3800",
    "TWM_RIC_A1_TYPES": "20101,20103,20110",
    "TWM_RIC_CONTROL": "off",
}
"""Settings that a deployment is likely to change, with values that fit the platform's own names."""


def xapp_version() -> str:
    """The distribution's version."""
    try:
        return importlib.metadata.version("twm")
    except importlib.metadata.PackageNotFoundError:
        return "0.0.0"


def descriptor() -> dict[str, Any]:
    """config-file.json."""
    settings = RicSettings.model_fields
    policies = [int(part) for part in str(settings["ric_a1_types"].default).split(",")]
    return {
        "xapp_name": NAME,
        "version": xapp_version(),
        "containers": [{"name": NAME, "image": {"registry": REGISTRY, "name": IMAGE, "tag": xapp_version()}}],
        "livenessProbe": _probe("ric/v1/health/alive", 10, 15),
        "readinessProbe": _probe("ric/v1/health/ready", 5, 10),
        "messaging": {
            "ports": [
                {"name": "http", "container": NAME, "port": HTTP_PORT, "description": "health and subscription callbacks"},
                {
                    "name": "rmr-data",
                    "container": NAME,
                    "port": RMR_DATA_PORT,
                    "rxMessages": [kind.name for kind in RECEIVED],
                    "txMessages": [kind.name for kind in SENT],
                    "policies": policies,
                    "description": "RMR messages",
                },
                {"name": "rmr-route", "container": NAME, "port": RMR_ROUTE_PORT, "description": "RMR routing table"},
            ]
        },
        "controls": CONTROLS,
        "metrics": list(_metrics()),
    }


def controls_schema() -> dict[str, Any]:
    """schema.json: what the controls may hold. Every setting of the process is one, as text."""
    properties = {
        f"TWM_{name.upper()}": {"type": "string"} | ({"default": CONTROLS[f"TWM_{name.upper()}"]} if _is_control(name) else {})
        for name in sorted(RicSettings.model_fields)
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "#/controls",
        "type": "object",
        "title": "Settings of the process (services/twm/ric/README.md); variables of the environment come before them",
        "required": ["TWM_INGESTER_TARGET", "TWM_NETWORK"],
        "properties": properties,
        "additionalProperties": False,
    }


def write(folder: Path) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("config-file.json", descriptor()), ("schema.json", controls_schema())):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _is_control(name: str) -> bool:
    return f"TWM_{name.upper()}" in CONTROLS


def _probe(path: str, delay_s: int, period_s: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": HTTP_PORT}, "initialDelaySeconds": delay_s, "periodSeconds": period_s}


def _metrics() -> Iterator[dict[str, str]]:
    for value in vars(metrics).values():
        if not isinstance(value, MetricWrapperBase):
            continue
        (family,) = value.describe()
        if not family.name.startswith(("twm_ric_", "twm_ready")):
            continue
        name = family.name + ("_total" if family.type == "counter" else "")
        yield {
            "objectName": name,
            "objectInstance": NAME,
            "name": name,
            "type": family.type,
            "description": family.documentation,
        }


def main() -> int:
    """Write the files."""
    parser = argparse.ArgumentParser(prog="python -m twm.ric.descriptor", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("deploy/xapp"), help="folder to write into")
    write(parser.parse_args().out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
