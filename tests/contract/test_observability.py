"""Metrics, alerts, dashboards and runbooks agree: nothing is queried that nobody exposes, nothing fires without a page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPO_ROOT
from prometheus_client import generate_latest

from twm.core import metrics

ALERTS = REPO_ROOT / "charts" / "twm" / "alerts" / "twm.yaml"
RUNBOOKS = REPO_ROOT / "deploy" / "docs" / "runbooks"
DASHBOARDS = sorted((REPO_ROOT / "charts" / "twm" / "dashboards").glob("*.json"))
NAME = re.compile(r"\btwm_[a-z0-9_]+")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def exposed() -> set[str]:
    assert metrics.READY is not None
    found = set()
    for line in generate_latest().decode().splitlines():
        if line.startswith("# TYPE twm_"):
            name, kind = line.split()[2:4]
            found |= {name, *(name + part for part in ("_bucket", "_count", "_sum") if kind == "histogram")}
    return found


def labels_of(name: str) -> set[str]:
    """Labels with which a metric is declared."""
    bare = re.sub(r"_(bucket|count|sum)$", "", name)
    for value in vars(metrics).values():
        if hasattr(value, "_labelnames") and value._name in (bare, bare.removesuffix("_total")):
            return {*value._labelnames, "le"}
    raise AssertionError(f"{name} is not declared")


@pytest.mark.parametrize("script", ["dashboards.py", "metrics_table.py"])
def test_what_is_generated_is_current(script: str) -> None:
    done = subprocess.run([sys.executable, str(REPO_ROOT / "deploy" / script), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_alert_has_a_page_that_tells_what_to_do_and_none_is_left_over() -> None:
    names = {rule["alert"] for rule in rules()}
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == names
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["runbook"] == f"{rule['alert']}.md"
        text = (RUNBOOKS / f"{rule['alert']}.md").read_text()
        assert f"Severity: {rule['labels']['severity']}." in text and "## Look first" in text and "## Then" in text


def test_pages_name_only_metrics_that_exist() -> None:
    known = exposed()
    for path in RUNBOOKS.glob("*.md"):
        for name in NAME.findall(path.read_text()):
            assert name in known, f"{path.name}: {name}"


@pytest.mark.parametrize("path", [ALERTS, *DASHBOARDS], ids=lambda path: path.stem)
def test_queries_name_metrics_and_labels_that_exist(path: Path) -> None:
    known = exposed()
    text = path.read_text().replace('\\"', '"')
    names = set(NAME.findall(text))
    assert names and names <= known, names - known
    for name, selector in re.findall(r"\b(twm_[a-z0-9_]+)\{([^}]*)\}", text):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
            assert label in labels_of(name) | {"area", "process"}, f"{path.name}: {name} has no label {label}"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine (Debian package prometheus)")
def test_rules_hold_and_alerts_fire_on_their_causes_alone() -> None:
    tests = REPO_ROOT / "tests" / "contract" / "data" / "alerts" / "twm_alerts.test.yaml"
    for command in (["check", "rules", str(ALERTS)], ["test", "rules", str(tests)]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, cwd=tests.parent)
        assert done.returncode == 0, done.stdout + done.stderr
    tested = {test["name"].split()[0] for test in yaml.safe_load(tests.read_text())["tests"]}
    assert tested == {rule["alert"] for rule in rules()}
