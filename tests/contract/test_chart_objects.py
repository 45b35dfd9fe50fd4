"""What the chart renders is valid Kubernetes, and keeps to the rules one can check without a cluster.

Not checked by anything here, for want of an API server: admission (quotas, webhooks, Pod Security as enforced), RBAC,
scheduling, volumes, and what custom resources' own operators make of them.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from chart_render import (
    CHART,
    LOADER,
    NAMESPACE,
    RELEASE,
    REPO,
    VALUE_SETS,
    component,
    objects,
    of_kind,
    pods,
    render,
    set_objects,
    value_set,
    workloads,
)

KUBERNETES = "1.33"
CUSTOM = {
    ("cert-manager.io/v1", "Certificate"): {"secretName", "commonName", "dnsNames", "usages", "privateKey", "issuerRef"},
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): {"parentRefs", "hostnames", "rules"},
    ("keda.sh/v1alpha1", "ScaledObject"): {
        "scaleTargetRef",
        "minReplicaCount",
        "maxReplicaCount",
        "cooldownPeriod",
        "triggers",
    },
    ("keda.sh/v1alpha1", "TriggerAuthentication"): {"secretTargetRef"},
    ("monitoring.coreos.com/v1", "PodMonitor"): {"selector", "podTargetLabels", "podMetricsEndpoints"},
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {"selector", "endpoints"},
    ("monitoring.coreos.com/v1", "PrometheusRule"): {"groups"},
}
"""Kinds that no Kubernetes schema covers, and the fields of their spec that the chart may set."""

CLUSTER_WIDE = {"PriorityClass"}
VOLUME_TYPES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
    "image",
}
"""Of the `restricted` standard; `image` volumes are newer than its text and read-only."""


@pytest.fixture(autouse=True, scope="module")
def _schemas_read_once() -> Iterator[None]:
    """The package reads its 2 MB of definitions anew for each object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kubernetes_validate.utils, "schema_contents", functools.cache(kubernetes_validate.utils.schema_contents))
        yield


@functools.cache
def _fits_kubernetes(text: str) -> None:
    kubernetes_validate.validate(json.loads(text), KUBERNETES, strict=True)


def test_the_schema_is_what_its_command_writes() -> None:
    done = subprocess.run(
        [sys.executable, REPO / "deploy/chart_schema.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_value_is_described() -> None:
    """Each key has a `# --` comment, which is its description in the schema."""
    silent = []

    def look(properties: dict[str, Any], path: str) -> None:
        for key, schema in properties.items():
            if "properties" in schema and "description" not in schema:
                look(schema["properties"], f"{path}.{key}")
            elif not schema.get("description"):
                silent.append(f"{path}.{key}")

    look(json.loads((CHART / "values.schema.json").read_text())["properties"], "")
    assert silent == []


def test_an_unreachable_gateway_is_not_scraped() -> None:
    """Without tokens it listens inside its pod; the alert that a process is down must not fire for it."""
    (closed,) = of_kind(set_objects("lab"), "PodMonitor")
    assert closed["spec"]["selector"]["matchExpressions"][0]["values"] == ["gateway"]
    (opened,) = of_kind(set_objects("production"), "PodMonitor")
    assert "matchExpressions" not in opened["spec"]["selector"]


@pytest.mark.parametrize("name", VALUE_SETS)
def test_lint_finds_nothing(name: str) -> None:
    report = helm.lint(CHART, value_set(name), strict=True, namespace=NAMESPACE)
    assert report["errors"] == []
    assert [m for m in report["messages"] if m["severity"] > 1] == []


@pytest.mark.parametrize("name", VALUE_SETS)
def test_every_object_fits_its_schema(name: str) -> None:
    found = set_objects(name)
    assert len({(o["kind"], o["metadata"]["name"]) for o in found}) == len(found), "two objects of one name"
    for o in found:
        kind = (o["apiVersion"], o["kind"])
        if kind in CUSTOM:
            assert set(o["spec"]) <= CUSTOM[kind], kind
        else:
            _fits_kubernetes(json.dumps(o, sort_keys=True))
        if o["kind"] not in CLUSTER_WIDE:
            assert o["metadata"]["namespace"] == NAMESPACE
        assert o["metadata"]["labels"]["app.kubernetes.io/instance"] == RELEASE
        assert len(o["metadata"]["name"]) <= 63


@pytest.mark.parametrize("name", VALUE_SETS)
def test_pods_are_restricted(name: str) -> None:
    """Pod Security Standard "restricted", and stricter: read-only root, no token, no service environment, limits on memory."""
    for where, _, pod in pods(set_objects(name)):
        for forbidden in ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"):
            assert forbidden not in pod, where
        assert pod["automountServiceAccountToken"] is False, where
        assert pod["enableServiceLinks"] is False, f"{where}: service links would set TWM_ variables"
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, where
        assert security["runAsUser"] > 0, where
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert not set(security) & {"sysctls", "seLinuxOptions", "windowsOptions", "appArmorProfile"}, where
        for volume in pod.get("volumes", []):
            assert set(volume) - {"name"} <= VOLUME_TYPES, f"{where}: {volume}"
        assert not pod.get("initContainers"), where
        assert not pod.get("ephemeralContainers"), where
        for container in pod["containers"]:
            its = container["securityContext"]
            assert its["allowPrivilegeEscalation"] is False, where
            assert its["capabilities"] == {"drop": ["ALL"]}, where
            assert its["readOnlyRootFilesystem"] is True, where
            assert its["runAsNonRoot"] is True, where
            assert set(its) == {"allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem", "runAsNonRoot"}, where
            assert "memory" in container["resources"]["limits"], where
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), where
            assert not [p for p in container.get("ports", []) if "hostPort" in p], where
            program = container["command"][0]
            assert program in ("python", "valkey-server"), f"{where}: {program} is no program of the images"


@pytest.mark.parametrize("name", VALUE_SETS)
def test_references_lead_somewhere(name: str) -> None:
    """Selectors select, services and probes name ports that exist, mounts have volumes, budgets and scalers have targets."""
    found = set_objects(name)
    labels = {where: meta["labels"] for where, meta, _ in pods(found)}
    accounts = {o["metadata"]["name"] for o in of_kind(found, "ServiceAccount")} | {"default"}
    config_maps = {o["metadata"]["name"] for o in of_kind(found, "ConfigMap")}
    brought = {"fwm", "cdwm", "my-network", "my-rules", "issuer-keys"}  # named in the value sets, made by the operator
    for where, _, pod in pods(found):
        assert pod.get("serviceAccountName", "default") in accounts, where
        claims = [o for o in of_kind(found, "StatefulSet") if where == f"StatefulSet/{o['metadata']['name']}"]
        volumes = {v["name"] for v in pod.get("volumes", [])}
        volumes |= {t["metadata"]["name"] for o in claims for t in o["spec"]["volumeClaimTemplates"]}
        for volume in pod.get("volumes", []):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in config_maps | brought, where
        for container in pod["containers"]:
            assert {m["name"] for m in container.get("volumeMounts", [])} <= volumes, where
            ports = {p["name"] for p in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe in container:
                    port = container[probe].get("httpGet", container[probe].get("tcpSocket", {})).get("port")
                    assert port is None or port in ports, where
            if not where.startswith("Pod/"):
                assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), where
    for service in of_kind(found, "Service"):
        chosen = [where for where, its in labels.items() if service["spec"]["selector"].items() <= its.items()]
        assert len(chosen) == 1, service["metadata"]["name"]
        (pod,) = [pod for where, _, pod in pods(found) if where == chosen[0]]
        assert {p["targetPort"] for p in service["spec"]["ports"]} <= {p["name"] for p in pod["containers"][0]["ports"]}
    targets = {(o["kind"], o["metadata"]["name"]) for o in workloads(found).values()}
    for scaler in of_kind(found, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in targets
        assert "replicas" not in next(o for o in workloads(found).values() if o["metadata"]["name"] == target["name"])["spec"]
    for budget in of_kind(found, "PodDisruptionBudget"):
        its = budget["spec"]["selector"]["matchLabels"]
        assert sum(its.items() <= o.items() for o in labels.values()) == 1, "a budget on a single pod blocks drains"
        replicas = workloads(found)[component(budget)]["spec"].get("replicas", 2)
        assert replicas > 1


def _refused(values: dict[str, Any]) -> str:
    with pytest.raises(helm.HelmError) as refused:
        render(values)
    return str(refused.value)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replicas": 3}, "replicas"),
        ({"processes": {"planer": {}}}, "planer"),
        ({"processes": {"planner": {"replicas": "two"}}}, "replicas"),
        ({"processes": {"planner": {"settings": {"REDIS_URL": "x"}}}}, "REDIS_URL"),
        ({"processes": {"planner": {"settings": {"TWM_REDIS_URL": "redis://elsewhere"}}}}, "TWM_REDIS_URL"),
        ({"processes": {"emulator": {"enabled": True, "replicas": 2}}}, "replicas"),
        ({"auth": {"mode": "none"}}, "auth"),
        ({"auth": {"mode": "jwt"}}, "auth.issuer"),
        ({"auth": {"mode": "jwt", "issuer": "i", "audience": "a"}}, "auth.jwksUrl"),
        ({"auth": {"jwksUrl": "http://id.example.org/keys"}}, "jwksUrl"),
        ({"ingress": {"enabled": True}}, "auth.mode jwt"),
        ({"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}}, "auth.mode jwt"),
        ({"redis": {"bundled": {"enabled": False}}}, "redis"),
        ({"redis": {"external": {"url": "redis://r:6379/0"}}}, "redis.bundled.enabled"),
        ({"redis": {"bundled": {"enabled": False}, "external": {"url": "memcached://x"}}}, "url"),
        ({"network": {"spec": {"area_id": "a"}}}, "network.areaId"),
        ({"network": {"areaId": "a{b}"}}, "areaId"),
        ({"models": {"source": "s3"}}, "source"),
        ({"models": {"source": "pvc"}}, "models.pvc.existingClaim"),
        ({"models": {"source": "configMap"}}, "models.configMaps"),
        ({"images": {"digests": {"gateway": "latest"}}}, "gateway"),
        ({"podSecurity": {"runAsUser": 0}}, "runAsUser"),
        ({"processes": {"planner": {"autoscaling": {"enabled": True}, "keda": {"enabled": True}}}}, "processes.planner"),
        ({"processes": {"ric": {"enabled": True, "replicas": 2}}}, "replicas"),
        ({"processes": {"ric": {"enabled": True}}, "ric": {"adapter": "pm"}}, "ric.pm.existingClaim"),
        ({"ric": {"adapter": "flexric", "control": "rc"}}, "ric.control"),
        ({"a1": {"enabled": True}}, "a1.url"),
        ({"a1": {"enabled": True, "url": "https://u:p@a1"}}, "url"),
        ({"a1": {"enabled": True, "url": "https://a1", "oauth": {"tokenUrl": "https://i"}}}, "a1.oauth"),
        ({"languageModel": {"url": "http://m:8000/v1"}}, "languageModel.model"),
        ({"networkPolicy": {"extraIngress": {"ingester": [{"to": []}]}}}, "extraIngress"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any], told: str) -> None:
    assert told in _refused(values)


def test_large_numbers_stay_numbers() -> None:
    """Helm holds numbers as floats; 1000650000 (an OpenShift user id) must not become 1.00065e+09."""
    found = objects(
        {"podSecurity": {"runAsUser": 1000650000}, "processes": {"inference": {"settings": {"TWM_MAX_ROWS": 1000000}}}}
    )
    inference = workloads(found)["inference"]["spec"]["template"]["spec"]
    assert inference["securityContext"]["runAsUser"] == 1000650000
    assert {"name": "TWM_MAX_ROWS", "value": "1000000"} in inference["containers"][0]["env"]


def test_gpu_pods_ask_for_a_gpu() -> None:
    pod = workloads(set_objects("gpu"))["inference"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"].rpartition("/")[2].startswith("inference-gpu:")
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["runtimeClassName"] == "nvidia"
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    others = [o for c, o in workloads(set_objects("gpu")).items() if c != "inference"]
    assert not [o for o in others if "nvidia.com/gpu" in str(o)]


def test_pods_start_anew_with_their_configuration() -> None:
    """A changed network or rule changes the checksum, so that a rollout follows; another replica count does not."""

    def checksum(values: dict[str, Any]) -> str:
        meta = workloads(objects(values))["planner"]["spec"]["template"]["metadata"]
        return str(meta["annotations"]["checksum/config"])

    base = value_set("own-network")
    before = checksum(base)
    base["processes"] = {"planner": {"replicas": 3}}
    assert checksum(base) == before
    base["network"]["spec"]["timing"]["slow_step_s"] = 30
    assert checksum(base) != before


def test_a_client_side_install_of_the_package_makes_the_same_objects(tmp_path: Path) -> None:
    """`helm package`, then `helm install --dry-run=client`: what is installed is what was rendered, less the hooks."""
    archive = helm.package(CHART, destination=tmp_path)
    with helm.Chart.load(archive) as chart, helm.Config(storage_driver="memory") as config:
        assert not [f for f in chart.files if f["name"].startswith("ci/")]
        release = config.install(chart, RELEASE, value_set("lab"), namespace=NAMESPACE, dry_run="client")
    assert "shadow mode" in release["notes"]
    installed = {(o["kind"], o["metadata"]["name"]): o for o in yaml.load_all(release["manifest"], Loader=LOADER) if o}
    rendered = {(o["kind"], o["metadata"]["name"]): o for o in set_objects("lab") if "helm.sh/hook" not in str(o["metadata"])}
    assert installed == rendered
