"""The chart as real Helm renders it, and the value sets that the chart's tests render it with.

A value set is a file of charts/twm/ci; "own-network" gets a whole network spec and guardrail rules put in here, as an operator
would with `--values`. What no API server has seen stays unseen: admission, RBAC and scheduling are not tested here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

REPO = Path(__file__).resolve().parents[1]
CHART = REPO / "charts" / "twm"
RELEASE, NAMESPACE = "twm", "ran"

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: ten times as fast."""

Object = dict[str, Any]
Values = dict[str, Any]


@functools.cache
def _loaded() -> helm.Chart:
    return helm.Chart.load(CHART)


def value_set(name: str) -> Values:
    """Values of a set; "default": none."""
    if name == "default":
        return {}
    values: Values = yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text())
    if name == "own-network":
        values["network"]["spec"] = yaml.load((REPO / "deploy/networks/explora-cell.yaml").read_text(), Loader=LOADER)
        values["guardrail"] = {"rules": yaml.load((REPO / "deploy/guardrail/default.yaml").read_text(), Loader=LOADER)}
    return values


VALUE_SETS = ("default", *sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml")))


def merged(values: Values) -> Values:
    """The chart's defaults with these over them."""
    result: Values = _loaded().merge_values(values)
    return result


def render(values: Values) -> dict[str, str]:
    """Text by template. Raises helm.HelmError where the schema or a template refuses."""
    texts: dict[str, str] = _loaded().render(values, name=RELEASE, namespace=NAMESPACE, is_install=True)
    return texts


def objects(values: Values) -> list[Object]:
    """Every object that would be sent to the API server, hooks included."""
    return [
        found
        for path, text in sorted(render(values).items())
        if path.endswith(".yaml")
        for found in yaml.load_all(text, Loader=LOADER)
        if found
    ]


@functools.cache
def set_objects(name: str) -> list[Object]:
    """Objects of a value set, rendered once; not to be changed."""
    return objects(value_set(name))


def of_kind(found: list[Object], *kinds: str) -> list[Object]:
    """Objects of these kinds."""
    return [o for o in found if o["kind"] in kinds]


def workloads(found: list[Object]) -> dict[str, Object]:
    """Deployments and StatefulSets by component."""
    return {component(o): o for o in of_kind(found, "Deployment", "StatefulSet")}


def component(found: Object) -> str:
    """Value of the component label."""
    return str(found["metadata"]["labels"].get("app.kubernetes.io/component", ""))


def pods(found: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """(kind/name, metadata, pod spec) of everything that makes pods."""
    for o in found:
        if o["kind"] in ("Deployment", "StatefulSet"):
            yield f"{o['kind']}/{o['metadata']['name']}", o["spec"]["template"]["metadata"], o["spec"]["template"]["spec"]
        elif o["kind"] == "Pod":
            yield f"Pod/{o['metadata']['name']}", o["metadata"], o["spec"]


def container_environment(container: Mapping[str, Any], secrets: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """What the kubelet would put into the container's environment; `secrets` by (name, key). Pod name: <container>-0."""
    found: dict[str, str] = {}
    for entry in container.get("env", []):
        source = entry.get("valueFrom", {})
        if "secretKeyRef" in source:
            value = secrets[source["secretKeyRef"]["name"], source["secretKeyRef"]["key"]]
        elif "fieldRef" in source:
            assert source["fieldRef"]["fieldPath"] == "metadata.name"
            value = f"{container['name']}-0"
        elif "resourceFieldRef" in source:
            assert source["resourceFieldRef"]["resource"] == "limits.cpu"
            value = str(container["resources"]["limits"]["cpu"])
        else:
            value = entry["value"]
            for name, earlier in found.items():
                value = value.replace(f"$({name})", earlier)
        found[entry["name"]] = value
    return found
