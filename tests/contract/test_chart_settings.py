"""What the chart tells the processes is what they read, who talks to whom is what the architecture says, no value is idle."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml
from chart_render import (
    CHART,
    LOADER,
    NAMESPACE,
    RELEASE,
    REPO,
    VALUE_SETS,
    Object,
    component,
    container_environment,
    merged,
    of_kind,
    set_objects,
    value_set,
    workloads,
)
from pydantic import AliasChoices

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.settings import ServiceSettings
from twm.gateway.settings import GatewaySettings
from twm.inference.settings import InferenceSettings
from twm.ingester.settings import IngesterSettings
from twm.planner.settings import PlannerSettings
from twm.ric.nodes import load_nodes
from twm.ric.settings import RicSettings
from twm_twin.e2.settings import E2Settings
from twm_twin.settings import TwinSettings

SETTINGS: dict[str, type[ServiceSettings]] = {
    "ingester": IngesterSettings,
    "inference": InferenceSettings,
    "planner": PlannerSettings,
    "gateway": GatewaySettings,
    "ric": RicSettings,
    "twin": TwinSettings,
    "emulator": E2Settings,
}
MODULES = {
    "ingester": "twm.ingester",
    "inference": "twm.inference",
    "planner": "twm.planner",
    "gateway": "twm.gateway",
    "ric": "twm.ric",
    "twin": "twm_twin",
    "emulator": "twm_twin.e2",
}
NOT_SETTINGS = {"REDIS_PASSWORD", "NUMBA_CACHE_DIR", "RMR_SRC_ID", "RMR_RTG_SVC"}
"""Read by the kubelet's expansion of TWM_REDIS_URL, by numba, and by librmr."""
SECRETS = {("twm-redis", "url"): "rediss://:pw@sentinel:26379/0", ("redis-password", "password"): "secret"}

# The flows of architecture.md: (client, server, port of the server). Nothing else may pass between pods of a release.
FLOWS = {
    ("emulator", "ingester", "grpc"),
    ("ric", "ingester", "grpc"),
    ("ric", "gateway", "grpc"),  # A1 policies of an SMO
    ("planner", "inference", "grpc"),
    ("planner", "twin", "grpc"),
    ("gateway", "inference", "grpc"),  # what-if tools
    ("gateway", "twin", "grpc"),
    *((process, "redis", "redis") for process in ("ingester", "inference", "planner", "gateway", "ric")),
    *(("test", process, "http") for process in SETTINGS),
}


def names_of(settings: type[ServiceSettings]) -> set[str]:
    """Variables that a process reads."""
    found = set()
    for name, field in settings.model_fields.items():
        found.add(f"TWM_{name.upper()}")
        if isinstance(field.validation_alias, AliasChoices):
            found |= {str(choice) for choice in field.validation_alias.choices}
    return found


@pytest.mark.parametrize("name", VALUE_SETS)
def test_every_variable_is_a_setting_of_its_process(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is read by the process it is given to, and the settings as a whole are accepted."""
    for process, workload in workloads(set_objects(name)).items():
        if process == "redis":
            continue
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["python", "-m", MODULES[process]]
        variables = [entry["name"] for entry in container["env"]]
        assert len(variables) == len(set(variables)), process
        environment = container_environment(container, SECRETS)
        assert set(environment) - NOT_SETTINGS <= names_of(SETTINGS[process]), process
        with monkeypatch.context() as patch:
            for key, value in environment.items():
                patch.setenv(key, value)
            loaded = SETTINGS[process].load()
        assert loaded.http_listen.endswith(":8080")
        assert all(len(entry.get("value", "")) < 4096 for entry in container["env"])


def test_reserved_settings_are_those_the_chart_sets() -> None:
    """`settings` of a process cannot shadow what the chart sets (targets may be given: an external twin is one)."""
    reserved = set(helm.Chart.load(CHART).schema["definitions"]["settings"]["propertyNames"]["not"]["enum"])  # type: ignore[index]
    written = set()
    for name in VALUE_SETS:
        values = merged(value_set(name))
        for process, workload in workloads(set_objects(name)).items():
            if process != "redis":
                env = workload["spec"]["template"]["spec"]["containers"][0]["env"]
                written |= {e["name"] for e in env} - set(values["processes"][process]["settings"])
    assert {n for n in written - NOT_SETTINGS if not n.endswith("_TARGET")} == reserved


def test_an_own_target_takes_the_place_of_the_chart_s() -> None:
    values = {"processes": {"twin": {"enabled": False}, "planner": {"settings": {"TWM_TWIN_TARGET": "twin.elsewhere:50051"}}}}
    with helm.Chart.load(CHART) as chart:
        text = chart.render(values, name=RELEASE, namespace=NAMESPACE)["twm/templates/workloads.yaml"]
    planner = workloads([o for o in yaml.load_all(text, Loader=LOADER) if o])["planner"]
    targets = [e for e in planner["spec"]["template"]["spec"]["containers"][0]["env"] if e["name"] == "TWM_TWIN_TARGET"]
    assert targets == [{"name": "TWM_TWIN_TARGET", "value": "twin.elsewhere:50051"}]


def test_the_gateway_is_open_only_with_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tokens it listens on loopback (its settings refuse anything else); with them kubelet and peers reach it."""
    closed = workloads(set_objects("default"))["gateway"]["spec"]["template"]["spec"]["containers"][0]
    environment = container_environment(closed, SECRETS)
    assert (environment["TWM_AUTH"], environment["TWM_HTTP_LISTEN"]) == ("development", "127.0.0.1:8080")
    assert "exec" in closed["readinessProbe"], "a kubelet does not reach the pod's loopback"
    opened = workloads(set_objects("production"))["gateway"]["spec"]["template"]["spec"]["containers"][0]
    assert container_environment(opened, SECRETS)["TWM_AUTH"] == "jwt"
    assert container_environment(opened, SECRETS)["TWM_HTTP_LISTEN"] == "0.0.0.0:8080"
    assert opened["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    for key, value in {**environment, "TWM_HTTP_LISTEN": "0.0.0.0:8080"}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(InvalidInputError, match="loopback only"):
        GatewaySettings.load()


def test_configured_files_are_what_ships() -> None:
    """A spec and rules given as values reach the process unchanged."""
    maps = {o["metadata"]["name"]: o["data"] for o in of_kind(set_objects("own-network"), "ConfigMap")}
    shipped = (REPO / "deploy/networks/explora-cell.yaml").read_text()
    assert yaml.safe_load(maps["twm-network"]["network.yaml"]) == yaml.safe_load(shipped)
    rules = (REPO / "deploy/guardrail/default.yaml").read_text()
    assert yaml.safe_load(maps["twm-guardrail"]["guardrail.yaml"]) == yaml.safe_load(rules)


def test_names_of_e2_nodes_reach_the_ric_process(spec: NetworkSpec, tmp_path: Path) -> None:
    (config,) = (o for o in of_kind(set_objects("production"), "ConfigMap") if o["metadata"]["name"] == "twm-ric-nodes")
    path = tmp_path / "nodes.yaml"
    path.write_text(config["data"]["nodes.yaml"])
    assert load_nodes(spec, path).ran_name("gnb-1") == "gnbd_001_001_00019b_0"


def policies(found: list[Object]) -> dict[str, Object]:
    """Network policies of single components."""
    return {component(o): o["spec"] for o in of_kind(found, "NetworkPolicy") if component(o)}


def flows(found: list[Object], side: str) -> set[tuple[str, str, str]]:
    """(client, server, port) between pods of the release, as the ingress or the egress side says."""
    result = set()
    for name, spec in policies(found).items():
        for rule in spec[side]:
            for peer in rule.get("from" if side == "ingress" else "to", []):
                labels = peer.get("podSelector", {}).get("matchLabels", {})
                if set(peer) == {"podSelector"}:
                    assert labels["app.kubernetes.io/instance"] == RELEASE
                    other = labels["app.kubernetes.io/component"]
                    for port in rule["ports"]:
                        result.add((other, name, port["port"]) if side == "ingress" else (name, other, port["port"]))
    return result


@pytest.mark.parametrize("name", [n for n in VALUE_SETS if n != "gateway-api"])
def test_network_policies_are_the_declared_flows(name: str) -> None:
    """Both sides of every flow are open, and no other; everything else is denied; DNS only for those who look names up."""
    found = set_objects(name)
    present = {*workloads(found), "test"}
    loopback = merged(value_set(name))["auth"]["mode"] == "loopback"
    expected = {f for f in FLOWS if f[0] in present and f[1] in present and not (loopback and f[1] == "gateway")}
    assert flows(found, "ingress") == expected
    assert flows(found, "egress") == expected
    assert set(policies(found)) == present
    (denied,) = (o["spec"] for o in of_kind(found, "NetworkPolicy") if not component(o))
    assert denied["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in denied and "egress" not in denied
    assert set(denied["podSelector"]["matchLabels"]) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
    for process, spec in policies(found).items():
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        asks_dns = [rule for rule in spec["egress"] if {"port": 53, "protocol": "UDP"} in rule["ports"]]
        traced = merged(value_set(name))["tracing"]["endpoint"] and process != "redis"
        assert bool(asks_dns) == (bool(traced) or process not in ("twin", "redis")), process


def test_what_reaches_outside_is_named() -> None:
    """Redis, identity provider and A1 peer where the values say; the twin and the inference service nowhere else."""
    spec = policies(set_objects("production"))
    inside = ("k8s-app", "app.kubernetes.io/instance")
    outside = {
        process: [rule for rule in its["egress"] if not any(word in str(rule) for word in inside)]
        for process, its in spec.items()
    }
    sentinel = {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "redis"}}}]}
    redis = {**sentinel, "ports": [{"port": 6379, "protocol": "TCP"}, {"port": 26379, "protocol": "TCP"}]}
    assert outside["twin"] == outside["test"] == []
    assert outside["planner"] == outside["inference"] == outside["ingester"] == [redis]
    assert outside["gateway"][0] == redis
    identity, a1, model, further = outside["gateway"][1:]
    assert [rule["to"][0]["ipBlock"]["cidr"] for rule in (identity, a1, further)] == [f"192.0.2.{n}/32" for n in (10, 30, 20)]
    assert [port["port"] for port in model["ports"]] == [8000]
    platform = outside["ric"][1]
    assert platform["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ricplt"}}}]
    assert outside["ric"][0] == redis
    callers = [rule["from"] for rule in spec["ric"]["ingress"] if {"port": "rmr-data", "protocol": "TCP"} in rule["ports"]]
    assert callers == [platform["to"]]


def test_nothing_leaves_while_a1_and_language_model_are_off() -> None:
    """In the default values no process may reach anything outside the release but DNS."""
    for process, its in policies(set_objects("default")).items():
        for rule in its["egress"]:
            assert "k8s-app" in str(rule) or "app.kubernetes.io/instance" in str(rule), process
    gateway = workloads(set_objects("default"))["gateway"]["spec"]["template"]["spec"]["containers"][0]
    assert not [e["name"] for e in gateway["env"] if e["name"].startswith(("TWM_A1", "TWM_LLM"))]


def leaves(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of every key that holds no further keys of the chart's."""
    if isinstance(values, dict) and values and path.rpartition(".")[2] not in OPEN_MAPS and path not in WHOLE_FILES:
        for key, value in values.items():
            yield from leaves(value, f"{path}.{key}".lstrip("."))
    else:
        yield path, values


OPEN_MAPS = {"settings", "requests", "limits", "namespaceSelector", "podSelector", "labels", "annotations", "nodeSelector"}
"""Maps whose keys are the operator's."""
WHOLE_FILES = {"network.spec", "guardrail.rules", "ric.nodes"}
FILLS: dict[str, Callable[[str], Any]] = {
    "settings": lambda mark: {f"TWM_{mark.upper()}": mark},
    "scheduling": lambda mark: {"nodeSelector": {mark: mark}},
    "secretMounts": lambda mark: [{"secretName": mark, "mountPath": "/m"}],
    "digests": lambda mark: {"planner": mark},
    "tolerations": lambda mark: [{"key": mark}],
    "configMaps": lambda mark: [{"name": mark, "items": []}],
    "parentRefs": lambda mark: [{"name": mark}],
    "to": lambda mark: [{"ipBlock": {"cidr": mark}}],
    "extraIngress": lambda mark: {"twin": [{"from": [mark]}]},
    "extraEgress": lambda mark: {"twin": [{"to": [mark]}]},
    "ports": lambda mark: [int(mark.removeprefix("mark"))],
}
"""What goes in, for maps and lists that a template looks into."""
SWITCHES = {
    *("network.name", "network.areaId", "network.existingConfigMap.name", "network.spec"),
    *("guardrail.name", "guardrail.existingConfigMap.name", "guardrail.rules"),
    *("redis.external.url", "redis.external.existingSecret.name", "redis.bundled.existingSecret.name"),
    *("ric.adapter", "ric.control", "ric.nodes", "ric.platform.e2Manager", "a1.oauth.tokenUrl", "a1.tls.clientSecret"),
    *("auth.jwksConfigMap.name", "auth.jwksUrl", "auth.mode", "models.source"),
    *("images.tag", "nameOverride", "fullnameOverride"),
}
"""Values that decide which others count: tried alone."""


def marked(path: str, value: Any, number: int) -> tuple[Any, str]:
    """Another value for a key, and the text by which it is found in what is rendered."""
    mark = f"mark{number}"
    fill = FILLS.get(path.rpartition(".")[2])
    if fill is not None:
        return fill(mark), str(number)
    if isinstance(value, dict):
        return {mark: mark}, mark
    if isinstance(value, list):
        return [mark], mark
    return (mark, mark) if isinstance(value, str) else (number, str(number))


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Values by dotted path as a tree."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *above, last = path.split(".")
        node = tree
        for key in above:
            node = node.setdefault(key, {})
        node[last] = value
    return tree


def put(base: Any, over: Any) -> Any:
    """`over` on `base`, map by map."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: put(base.get(key), value) for key, value in over.items()}}
    return over


def test_no_value_is_idle(tmp_path: Path) -> None:
    """Every key of values.yaml, changed, shows in what is rendered with one of the value sets, or is refused there."""
    bare = shutil.copytree(CHART, tmp_path / "twm", ignore=shutil.ignore_patterns("dashboards", "alerts", "README.md", "ci"))
    (bare / "values.schema.json").unlink()
    for folder, file, content in (("dashboards", "any.json", "{}"), ("alerts", "any.yaml", "groups: [{name: any}]")):
        (bare / folder).mkdir()
        (bare / folder / file).write_text(content)
    with helm.Chart.load(bare) as chart:

        def rendered(values: dict[str, Any]) -> str:
            try:
                return "\n".join(chart.render(values, name=RELEASE, namespace=NAMESPACE).values())
            except helm.HelmError as error:
                return str(error)

        waiting = {path for path, _ in leaves(chart.values)}
        for name in VALUE_SETS:
            whole = chart.merge_values(value_set(name))
            now = {path: value for path, value in leaves(whole) if path in waiting}
            together = {p: v for p, v in now.items() if not isinstance(v, bool) and p not in SWITCHES}
            marks = {p: marked(p, v, 70001 + i) for i, (p, v) in enumerate(sorted(together.items()))}
            text = rendered(put(whole, nested({p: value for p, (value, _) in marks.items()})))
            waiting -= {p for p, (_, mark) in marks.items() if mark in text}
        for name in VALUE_SETS:
            whole = chart.merge_values(value_set(name))
            before = rendered(whole)
            for path, value in leaves(whole):
                if path in waiting and (isinstance(value, bool) or path in SWITCHES):
                    other = (not value) if isinstance(value, bool) else {"a": "b"} if isinstance(value, dict) else f"{value}m"
                    if rendered(put(whole, nested({path: other}))) != before:
                        waiting.discard(path)
    assert sorted(waiting) == []
