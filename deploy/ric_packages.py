"""The xApp descriptor and the rApp package, from the same values as the chart's release.

    python deploy/ric_packages.py --values my-values.yaml --namespace twm --out build/packages

Renders the chart with real Helm (PyPI helm-python-sdk, in the test extra) and writes
  xapp/config-file.json, schema.json   the RIC process as an xApp that the RIC's onboarder deploys, with controls that lead to
                                       the release's other processes; switch processes.ric off in the release then
  rapp/twm-<version>.csar              the whole chart with these values as an rApp of the O-RAN SC rApp manager
Exit 2 where the values cannot be an xApp's (a descriptor carries neither files nor secrets) or are refused by the chart.

The package layout is that of the samples of O-RAN SC's rApp manager (its README calls it a prototype); none has seen it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import uuid
import zipfile
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

from twm.core.errors import InvalidInputError
from twm.ric.descriptor import CONTROLS, controls_schema, descriptor

CHART = Path(__file__).resolve().parents[1] / "charts" / "twm"
RELEASE_DATE = "2026-01-01T00:00:00+00:00"
"""In the manifest; fixed, so that the same values give the same package."""
PLATFORM_OWN = ("TWM_HTTP_LISTEN", "TWM_RIC_CLIENT_HOST")
"""Controls that follow the onboarder's names and ports, not the chart's."""
LEFT_OUT = {"TWM_INSTANCE", "TWM_RIC_HTTP_LISTEN", "TWM_STATE_DIR", "TWM_RIC_GATEWAY_TOKEN_FILE"}
"""What the platform's chart sets, or what an xApp has no place for."""


def render(values: dict[str, Any], release: str, namespace: str) -> list[dict[str, Any]]:
    """Objects of the release. Raises helm.HelmError where the values are refused."""
    with helm.Chart.load(CHART) as chart:
        texts = chart.render(values, name=release, namespace=namespace)
    return [found for path, text in texts.items() if path.endswith(".yaml") for found in yaml.safe_load_all(text) if found]


def xapp(values: dict[str, Any], release: str, namespace: str) -> dict[str, Any]:
    """config-file.json with image and controls of these values. Raises InvalidInputError for what a descriptor cannot carry."""
    ric = {**values, "processes": {**values.get("processes", {})}}
    ric["processes"]["ric"] = {**ric["processes"].get("ric", {}), "enabled": True}
    found = render(ric, release, namespace)
    (workload,) = (o for o in found if o["kind"] == "StatefulSet" and o["metadata"]["name"].endswith("-ric"))
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    services = [o["metadata"]["name"] for o in found if o["kind"] == "Service"]
    controls = dict(CONTROLS)
    for entry in container["env"]:
        name = entry["name"]
        if name in PLATFORM_OWN or name in LEFT_OUT or not name.startswith("TWM_"):
            continue
        if "value" not in entry or "$(" in entry["value"]:
            if name == "TWM_REDIS_URL" and values.get("ric", {}).get("control", "none") == "none":
                controls.pop(name, None)  # read for E2 control only
                continue
            raise InvalidInputError(f"{name}: comes from a secret, which an xApp descriptor cannot carry")
        value = entry["value"]
        if value.startswith("/"):
            raise InvalidInputError(
                f"{name}: {value} is a file, which an xApp descriptor cannot carry: use what ships, by name"
            )
        for service in services:
            value = value.replace(f"{service}:", f"{service}.{namespace}:")
        controls[name] = value
    whole = descriptor()
    registry, _, image = container["image"].partition("/")
    image, _, tag = image.rpartition(":")
    whole["containers"][0]["image"] = {"registry": registry, "name": image, "tag": tag}
    whole["controls"] = controls
    for port in whole["messaging"]["ports"]:
        if "policies" in port:
            port["policies"] = [int(number) for number in controls["TWM_RIC_A1_TYPES"].split(",") if number]
    return whole


def rapp(values: dict[str, Any], release: str, namespace: str, out: Path) -> Path:
    """The CSAR; returns its path. The chart in it is the checkout's, the values are the instance's override parameters."""
    render(values, release, namespace)
    with helm.Chart.load(CHART) as chart:
        name, version = chart.name, chart.version
    out.mkdir(parents=True, exist_ok=True)
    archive = Path(helm.package(CHART, destination=out))
    files = {
        f"Artifacts/Deployment/HELM/{archive.name}": archive.read_bytes(),
        "Definitions/asd.yaml": _yaml(_service_descriptor(name, version, archive.name)),
        "Definitions/asd_types.yaml": _yaml(_TYPES),
        "Files/Acm/definition/compositions.json": _json(_composition()),
        "Files/Acm/instances/k8s-instance.json": _json(_instance(name, version, values, release, namespace)),
        "TOSCA-Metadata/TOSCA.meta": (
            b"TOSCA-Meta-File-Version: 1.0\nCSAR-Version: 1.0\nCreated-By: twm\nEntry-Definitions: Definitions/asd.yaml\n"
            b"ETSI-Entry-Manifest: asd.mf\n"
        ),
    }
    archive.unlink()
    manifest = f"metadata:\n  application_name: {name}\n  application_provider: twm\n  release_date_time: {RELEASE_DATE}\n"
    manifest += "  entry_definition_type: asd\n\nSource: asd.mf\n"
    for path, content in sorted(files.items()):
        manifest += f"Source: {path}\nAlgorithm: SHA-256\nHash: {hashlib.sha256(content).hexdigest()}\n"
    files["asd.mf"] = manifest.encode()
    package = out / f"{name}-{version}.csar"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, content in sorted(files.items()):
            packed.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), content)
    return package


def _service_descriptor(name: str, version: str, archive: str) -> dict[str, Any]:
    invariant = uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.rapp")
    return {
        "tosca_definitions_version": "tosca_simple_yaml_1_2",
        "description": "Telecom World Model as an rApp",
        "imports": ["asd_types.yaml"],
        "topology_template": {
            "node_templates": {
                "applicationServiceDescriptor": {
                    "type": "tosca.nodes.asd",
                    "description": "Plans slice shares in a world model; A1 policies out",
                    "properties": {
                        "descriptor_id": str(uuid.uuid5(invariant, version)),
                        "descriptor_invariant_id": str(invariant),
                        "descriptor_version": version,
                        "schema_version": "2.0",
                        "function_description": "Telecom World Model: measurement files in, slice SLA policies out",
                        "provider": "twm",
                        "application_name": name,
                        "application_version": version,
                    },
                    "artifacts": {
                        name: {
                            "type": "tosca.artifacts.asd.deploymentItem",
                            "file": f"Artifacts/Deployment/HELM/{archive}",
                            "properties": {
                                "artifact_type": "helm_chart",
                                "target_server": "chartmuseum",
                                "target_server_uri": "http://chartmuseum:8080/api/charts",
                                "item_id": 1,
                            },
                        }
                    },
                }
            }
        },
    }


def _property(description: str, *, required: bool = True) -> dict[str, Any]:
    return {"type": "string", "required": required, "description": description}


_TYPES: dict[str, Any] = {
    "tosca_definitions_version": "tosca_simple_yaml_1_2",
    "description": "Types of an application service descriptor",
    "node_types": {
        "tosca.nodes.asd": {
            "derived_from": "tosca.nodes.Root",
            "version": 0.1,
            "properties": {
                "descriptor_id": _property("UUID of this descriptor"),
                "descriptor_invariant_id": _property("UUID that versions share"),
                "descriptor_version": _property("version of the descriptor"),
                "schema_version": _property("version of its schema"),
                "function_description": _property("what the application does", required=False),
                "provider": _property("who provides it"),
                "application_name": _property("its name"),
                "application_version": _property("its version"),
            },
        }
    },
    "artifact_types": {
        "tosca.artifacts.asd.deploymentItem": {
            "version": 0.1,
            "derived_from": "tosca.artifacts.Root",
            "properties": {"item_id": _property("number of the item"), "artifact_type": _property("helm_chart")},
        }
    },
}
_ELEMENT = "onap.policy.clamp.ac.element.K8S_TwmAutomationCompositionElement"
_ACM = "org.onap.policy.clamp.acm"


def _composition() -> dict[str, Any]:
    """One automation composition with one element: the chart, by the Kubernetes participant."""
    root = {"version": "1.0.1", "derived_from": "tosca.nodetypes.Root"}
    provider = {"provider": {"type": "string", "required": False}}
    identifier, common = "onap.datatypes.ToscaConceptIdentifier", {"common": True}
    return {
        "tosca_definitions_version": "tosca_simple_yaml_1_3",
        "data_types": {
            identifier: {
                "derived_from": "tosca.datatypes.Root",
                "properties": {key: {"type": "string", "required": True} for key in ("name", "version")},
            }
        },
        "node_types": {
            f"{_ACM}.Participant": {**root, "properties": provider},
            f"{_ACM}.AutomationCompositionElement": {
                **root,
                "properties": {
                    **provider,
                    "participantType": {"type": identifier, "required": True},
                    "startPhase": {"type": "integer", "required": False, "metadata": common},
                },
            },
            f"{_ACM}.AutomationComposition": {
                **root,
                "properties": {
                    "provider": {"type": "string", "required": False, "metadata": {"common": True}},
                    "elements": {
                        "type": "list",
                        "required": True,
                        "entry_schema": {"type": identifier},
                        "metadata": {"common": True},
                    },
                },
            },
            f"{_ACM}.K8SMicroserviceAutomationCompositionElement": {
                "version": "1.0.0",
                "derived_from": f"{_ACM}.AutomationCompositionElement",
                "properties": {"chart": {"type": "string", "required": True}, "values": {"type": "string", "required": True}},
            },
        },
        "topology_template": {
            "node_templates": {
                "org.onap.k8s.acm.K8SAutomationCompositionParticipant": {
                    "version": "2.3.4",
                    "type": f"{_ACM}.Participant",
                    "type_version": "1.0.1",
                    "properties": {"provider": "ONAP"},
                },
                _ELEMENT: {
                    "version": "1.2.3",
                    "type": f"{_ACM}.K8SMicroserviceAutomationCompositionElement",
                    "type_version": "1.0.0",
                    "properties": {
                        "provider": "ONAP",
                        "startPhase": 0,
                        "uninitializedToPassiveTimeout": 300,
                        "podStatusCheckInterval": 30,
                    },
                },
                "onap.policy.clamp.ac.element.AutomationCompositionDefinition": {
                    "version": "1.2.3",
                    "type": f"{_ACM}.AutomationComposition",
                    "type_version": "1.0.1",
                    "properties": {"provider": "ONAP", "elements": [{"name": _ELEMENT, "version": "1.2.3"}]},
                },
            }
        },
    }


def _instance(name: str, version: str, values: dict[str, Any], release: str, namespace: str) -> dict[str, Any]:
    element = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{namespace}.{release}.{name}.element"))
    return {
        "name": f"{name}-{release}",
        "version": "1.0.1",
        "compositionId": "DO_NOT_CHANGE_THIS_COMPOSITION_ID",  # the rApp manager puts it in
        "description": "Telecom World Model",
        "elements": {
            element: {
                "id": element,
                "definition": {"name": _ELEMENT, "version": "1.2.3"},
                "description": "The chart with the operator's values",
                "properties": {
                    "chart": {
                        "chartId": {"name": name, "version": version},
                        "namespace": namespace,
                        "releaseName": release,
                        "podName": release,
                        "repository": {"repoName": "chartmuseum", "address": "http://chartmuseum:8080"},
                        "overrideParams": dict(_flat(values)),
                    }
                },
            }
        },
    }


def _flat(values: Any, path: str = "") -> list[tuple[str, str]]:
    """Values as `helm --set` takes them: dotted path, text. Raises InvalidInputError for what --set cannot say."""
    if isinstance(values, dict) and values:
        pairs: list[tuple[str, str]] = []
        for key, value in values.items():
            escaped = str(key).replace(".", "\\.")
            pairs += _flat(value, f"{path}.{escaped}" if path else escaped)
        return pairs
    if isinstance(values, list):
        pairs = []
        for number, value in enumerate(values):
            pairs += _flat(value, f"{path}[{number}]")
        return pairs
    if isinstance(values, dict):
        return []
    return [(path, str(values).lower() if isinstance(values, bool) else str(values).replace(",", "\\,"))]


def _yaml(content: Any) -> bytes:
    return yaml.safe_dump(content, sort_keys=False).encode()


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()


def main(arguments: list[str]) -> int:
    """Write; the exit code."""
    parser = argparse.ArgumentParser(prog="python deploy/ric_packages.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--values", type=Path, help="values of the release; default: the chart's")
    parser.add_argument("--release", default="twm", help="name of the release")
    parser.add_argument("--namespace", default="twm", help="its namespace")
    parser.add_argument("--out", type=Path, default=Path("build/packages"), help="folder to write into")
    options = parser.parse_args(arguments)
    try:
        values = yaml.safe_load(options.values.read_text()) if options.values else {}
        config = xapp(values or {}, options.release, options.namespace)
        folder = options.out / "xapp"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config-file.json").write_bytes(_json(config))
        (folder / "schema.json").write_bytes(_json(controls_schema()))
        package = rapp(values or {}, options.release, options.namespace, options.out / "rapp")
    except (InvalidInputError, helm.HelmError, OSError, yaml.YAMLError) as error:
        sys.stderr.write(f"ric_packages: {error}\n")
        return 2
    sys.stdout.write(f"{folder}/config-file.json\n{folder}/schema.json\n{package}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
