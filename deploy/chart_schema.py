"""Writes charts/twm/values.schema.json from charts/twm/values.yaml: keys and descriptions stand there, types and bounds here.

    python deploy/chart_schema.py            # write
    python deploy/chart_schema.py --check    # exit 1 where the file differs

A key of values.yaml without a rule here gets the type of its default. Nothing that is not in values.yaml is taken.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[1] / "charts" / "twm"

Schema = dict[str, Any]

NAME: Schema = {"type": "string", "pattern": "^$|^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253}
"""Name of a Kubernetes object, or empty."""
GIVEN_NAME: Schema = {**NAME, "minLength": 1}
STRINGS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
URL: Schema = {"type": "string", "pattern": "^$|^https?://[^\\s@]+$", "maxLength": 1024}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}

# What the chart sets itself; a second value for the same variable would win or lose by chance.
CHART_SETTINGS = (
    "TWM_OTLP_ENDPOINT", "TWM_OTLP_RATIO",
    "TWM_NETWORK", "TWM_REDIS_URL", "TWM_GRPC_LISTEN", "TWM_HTTP_LISTEN", "TWM_INSTANCE", "TWM_LOG_LEVEL", "TWM_STATE_DIR",
    "TWM_ZOO", "TWM_USE_CUDA", "TWM_WORKER_THREADS", "TWM_GUARDRAIL", "TWM_AUTH", "TWM_AUTH_ISSUER", "TWM_AUTH_AUDIENCE",
    "TWM_AUTH_JWKS", "TWM_A1_PEER", "TWM_A1_URL", "TWM_A1_RIC_ID", "TWM_A1_ID_PREFIX", "TWM_A1_CALLBACK_URL", "TWM_A1_TLS_CA",
    "TWM_A1_TLS_CERT", "TWM_A1_TLS_KEY", "TWM_A1_OAUTH_TOKEN_URL", "TWM_A1_OAUTH_CLIENT_ID", "TWM_A1_OAUTH_SCOPE",
    "TWM_A1_OAUTH_CLIENT_SECRET_FILE", "TWM_LLM_URL", "TWM_LLM_MODEL", "TWM_LLM_PROMPT", "TWM_LLM_API_KEY_FILE",
    "TWM_RIC_ADAPTER", "TWM_RIC_CONTROL", "TWM_RIC_NODES", "TWM_RIC_HTTP_LISTEN", "TWM_RIC_CLIENT_HOST", "TWM_RIC_SUBMGR_URL",
    "TWM_RIC_DISCOVERY", "TWM_RIC_E2MGR_URL", "TWM_RIC_APPMGR_URL", "TWM_RIC_A1_TYPES", "TWM_RIC_GATEWAY_TOKEN_FILE",
    "TWM_PM_FOLDER",
    "TWM_AUTH_ROLES_CLAIM", "TWM_AUTH_ROLE_PREFIX", "TWM_AUTH_DEVELOPMENT_ROLE",
)  # fmt: skip


def ref(name: str) -> Schema:
    """Reference to a definition."""
    return {"$ref": f"#/definitions/{name}"}


def closed(properties: Schema, *required: str) -> Schema:
    """Object with these keys only."""
    needed: Schema = {"required": list(required)} if required else {}
    return {"type": "object", "additionalProperties": False, **needed, "properties": properties}


DEFINITIONS: Schema = {
    "settings": {
        "type": "object",
        "propertyNames": {"pattern": "^TWM_[A-Z0-9_]{1,60}$", "not": {"enum": list(CHART_SETTINGS)}},
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
    "quantities": {
        "type": "object",
        "additionalProperties": {
            "anyOf": [{"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(m|[kMGTPE]i?)?$"}, {"type": "number", "minimum": 0}]
        },
    },
    "resources": closed(
        {
            "requests": ref("quantities"),
            "limits": ref("quantities"),
            "claims": {"type": "array", "items": {"type": "object"}},
        }
    ),
    "toleration": closed(
        {
            "key": {"type": "string"},
            "operator": {"enum": ["Exists", "Equal"]},
            "value": {"type": "string"},
            "effect": {"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
            "tolerationSeconds": {"type": "integer"},
        }
    ),
    "scheduling": closed(
        {
            "nodeSelector": STRINGS,
            "tolerations": {"type": "array", "items": ref("toleration")},
            "affinity": {"type": "object"},
            "runtimeClassName": NAME,
        }
    ),
    "secretMounts": {
        "type": "array",
        "maxItems": 16,
        "items": closed(
            {"secretName": GIVEN_NAME, "mountPath": {"type": "string", "pattern": "^/[A-Za-z0-9_./-]+$"}},
            "secretName",
            "mountPath",
        ),
    },
    "peers": {
        "type": "array",
        "items": closed(
            {
                "podSelector": {"type": "object"},
                "namespaceSelector": {"type": "object"},
                "ipBlock": {"type": "object", "required": ["cidr"]},
            }
        ),
    },
    "strings": STRINGS,
    "size": {"type": "string", "pattern": "^[1-9][0-9]*(\\.[0-9]+)?[kMGTPE]i?$"},
}


def policy_rules(direction: str, processes: list[str]) -> Schema:
    """NetworkPolicy rules by process; `direction` is "from" or "to"."""
    port = closed(
        {"port": {"type": ["integer", "string"]}, "endPort": PORT, "protocol": {"enum": ["TCP", "UDP", "SCTP"]}}, "port"
    )
    rule = closed({direction: ref("peers"), "ports": {"type": "array", "items": port}})
    return closed({name: {"type": "array", "items": rule} for name in processes})


def by_path(processes: list[str]) -> dict[str, Schema]:
    """Rules for single keys."""
    items = closed(
        {"key": {"type": "string"}, "path": {"type": "string", "pattern": "^(cdwm|fwm|actor|active)/[A-Za-z0-9_./-]+$"}}
    )
    return {
        "nameOverride": {**NAME, "maxLength": 40},
        "fullnameOverride": {**NAME, "maxLength": 40},
        "commonLabels": ref("strings"),
        "images.registry": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?$"},
        "images.tag": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{0,128}$"},
        "images.digests": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {
                "^(ingester|inference|inference-gpu|planner|gateway|ric|twin)$": {
                    "type": "string",
                    "pattern": "^sha256:[0-9a-f]{64}$",
                }
            },
        },
        "images.pullSecrets": {"type": "array", "items": GIVEN_NAME},
        "network.name": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,128}$"},
        "network.areaId": {"type": "string", "pattern": "^[^{}:]{1,64}$"},
        "network.spec": {"type": "object"},
        "guardrail.name": {"type": "string", "minLength": 1},
        "guardrail.rules": {"type": "object"},
        "models.source": {"enum": ["image", "oci", "pvc", "configMap"]},
        "models.configMaps": {
            "type": "array",
            "items": closed({"name": GIVEN_NAME, "items": {"type": "array", "minItems": 1, "items": items}}, "name", "items"),
        },
        "auth.mode": {"enum": ["loopback", "jwt"]},
        "auth.loopbackRole": {"enum": ["viewer", "operator", "approver"]},
        "auth.jwksUrl": {"type": "string", "pattern": "^$|^https://"},
        "auth.rolesClaim": {"type": "string", "minLength": 1, "maxLength": 128},
        "redis.bundled.maxMemoryMb": {"type": "integer", "minimum": 64},
        "redis.external.url": {"type": "string", "pattern": "^$|^(rediss?|redis\\+sentinel|rediss\\+sentinel|unix)://"},
        "logLevel": {"enum": ["DEBUG", "INFO", "WARNING", "ERROR"]},
        "listenHost": {"enum": ["0.0.0.0", "[::]"]},
        "podSecurity.runAsUser": {"type": "integer", "minimum": 1},
        "podSecurity.runAsGroup": {"type": "integer", "minimum": 1},
        "terminationGracePeriodSeconds": {"type": "integer", "minimum": 15, "maximum": 600},
        "topologySpread.whenUnsatisfiable": {"enum": ["ScheduleAnyway", "DoNotSchedule"]},
        "topologySpread.topologyKeys": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "podDisruptionBudget.maxUnavailable": {
            "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]+%$"}]
        },
        "priorityClass.value": {"type": "integer", "maximum": 1_000_000_000},
        "networkPolicy.extraIngress": policy_rules("from", processes),
        "networkPolicy.extraEgress": policy_rules("to", processes),
        "httpRoute.parentRefs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "ingress.tls.certManager.issuerRef.kind": {"enum": ["Issuer", "ClusterIssuer"]},
        "ric.adapter": {"enum": ["oransc", "flexric", "pm"]},
        "ric.control": {"enum": ["none", "rc", "ccc"]},
        "ric.nodes": {"type": "object"},
        "ric.a1Types": {"type": "string", "pattern": "^$|^[0-9]+(,[0-9]+)*$"},
        "ric.platform.subscriptionManager": URL,
        "ric.platform.e2Manager": URL,
        "ric.platform.applicationManager": URL,
        "processes.ric.replicas": {"type": "integer", "minimum": 0, "maximum": 1},
        "a1.peer": {"enum": ["a1p", "oransc", "pms2", "pms3"]},
        "a1.url": URL,
        "a1.idPrefix": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,32}$"},
        "a1.callbackUrl": URL,
        "a1.oauth.tokenUrl": URL,
        "a1.tls.certManager.issuerRef.kind": {"enum": ["Issuer", "ClusterIssuer"]},
        "languageModel.url": URL,
        "tracing.endpoint": URL,
        "tracing.ratio": {"type": "number", "minimum": 0, "maximum": 1},
        "languageModel.prompt": {"enum": ["full", "short"]},
        "processes.emulator.replicas": {"type": "integer", "minimum": 0, "maximum": 1},
        "processes.inference.gpu.count": {"type": "integer", "minimum": 1},
        "processes.inference.gpu.tolerations": {"type": "array", "items": ref("toleration")},
    }


_REPLICAS: Schema = {"type": "integer", "minimum": 0, "maximum": 64}
_TEXTS = ("podAnnotations", "annotations", "labels", "namespaceSelector", "podSelector", "nodeSelector")
_NAMES = ("existingClaim", "caSecret", "secretName", "runtimeClassName", "storageClassName", "className", "name")
_DEFINED = ("settings", "resources", "scheduling", "secretMounts", "size")
BY_LAST_KEY: dict[str, Schema] = {
    **{key: ref(key) for key in _DEFINED},
    **{key: ref("strings") for key in _TEXTS},
    **dict.fromkeys(_NAMES, NAME),
    **{key: {**_REPLICAS, "minimum": 1} for key in ("minReplicas", "maxReplicas")},
    "replicas": _REPLICAS,
    "targetCPUUtilizationPercentage": {"type": "integer", "minimum": 10, "maximum": 100},
    "lagEntries": {"type": "integer", "minimum": 1},
    "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "to": ref("peers"),
    "ports": {"type": "array", "minItems": 1, "items": PORT},
    "host": {"type": "string", "pattern": "^(\\*\\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"},
    "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
}


def descriptions(source: str) -> dict[str, str]:
    """Text of the `# --` comment before each key, by dotted path."""
    found: dict[str, str] = {}
    path: list[str] = []
    text: str | None = None
    for line in source.splitlines():
        stripped = line.strip()
        key = re.match(r"^((?:  )*)([A-Za-z][A-Za-z0-9]*):", line)
        if stripped.startswith("# -- "):
            text = stripped[5:]
        elif stripped.startswith("#"):
            text = None if text is None else f"{text} {stripped[1:].strip()}"
        elif key:
            path = [*path[: len(key[1]) // 2], key[2]]
            if text is not None:
                found[".".join(path)] = text
            text = None
    return found


def schema_of(value: Any, path: str, rules: dict[str, Schema], texts: dict[str, str]) -> Schema:
    """Schema of one key and what is below it."""
    last = path.rpartition(".")[2]
    if path in rules:
        schema = rules[path]
    elif last in BY_LAST_KEY:
        schema = BY_LAST_KEY[last]
    elif isinstance(value, dict):
        schema = closed({k: schema_of(v, f"{path}.{k}".lstrip("."), rules, texts) for k, v in value.items()})
    else:
        schema = {"type": {bool: "boolean", int: "integer", float: "number", str: "string"}[type(value)]}
    if path not in texts:
        return schema
    return {"description": texts[path], **({"allOf": [schema]} if "$ref" in schema else schema)}


def build() -> str:
    """Content of values.schema.json."""
    source = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(source)
    rules = by_path([*values["processes"], "redis"])
    top = schema_of(values, "", rules, descriptions(source))
    top["properties"]["global"] = {"type": "object", "description": "What a parent chart may set; not used"}
    whole = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the twm chart", **top}
    return json.dumps({**whole, "definitions": DEFINITIONS}, indent=1) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    path, text = CHART / "values.schema.json", build()
    if arguments == ["--check"]:
        same = path.is_file() and path.read_text() == text
        if not same:
            sys.stderr.write(f"{path.name} is not what {Path(__file__).name} writes: run it\n")
        return 0 if same else 1
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
