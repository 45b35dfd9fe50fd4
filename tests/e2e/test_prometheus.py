"""A real Prometheus scrapes a real run: every dashboard query returns data, every alert rule evaluates, none fires unasked."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from conftest import REPO_ROOT
from whole_run import Run, running

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(240)]
AREA = "test-area"
ALERTS = REPO_ROOT / "charts" / "twm" / "alerts" / "twm.yaml"
NOT_IN_THIS_NETWORK = ("twm_link_used_ratio", 'twm_slice_sla_bound{area=~".+",kpi="loss_ratio"}')
"""One cell, no transport, no SLA on loss."""


def dashboards() -> ModuleType:
    """deploy/dashboards.py."""
    spec = importlib.util.spec_from_file_location("dashboards", REPO_ROOT / "deploy" / "dashboards.py")
    assert spec is not None and spec.loader is not None
    import sys

    module = importlib.util.module_from_spec(spec)
    sys.modules["dashboards"] = module
    spec.loader.exec_module(module)
    return module


def ask(port: int, path: str, **parameters: str) -> Any:
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())["data"]


@asynccontextmanager
async def prometheus(run: Run, folder: Path, port: int) -> AsyncIterator[int]:
    """Scrapes every process of the run each half second, with the labels that the chart's PodMonitor sets."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus on this machine (Debian package prometheus)")
    targets = [
        {"targets": [f"127.0.0.1:{process['http_port']}"], "labels": {"process": name, "area": AREA}}
        for name, process in run.status()["processes"].items()
        if process.get("http_port")
    ]
    assert len(targets) >= 5
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "twm", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
        stdout=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def test_every_dashboard_query_returns_data(tmp_path: Path, free_port: Callable[[], int]) -> None:
    queries = [
        (page, panel, expr.replace("$area", ".+").replace("$__rate_interval", "5s"))
        for page, panel, expr in dashboards().queries()
    ]
    queries = [query for query in queries if not query[2].startswith(NOT_IN_THIS_NETWORK)]
    async with running(tmp_path) as run:
        streams = await run.connect()
        await streams.close()
        folder = tmp_path / "prometheus"
        folder.mkdir()
        async with prometheus(run, folder, free_port()) as port:
            until, empty = time.monotonic() + 90, queries
            while empty and time.monotonic() < until:
                await asyncio.sleep(2)
                try:
                    empty = [q for q in empty if not ask(port, "query", query=q[2])["result"]]
                except OSError:
                    continue
            assert not empty, empty
            rules = [rule for group in ask(port, "rules")["groups"] for rule in group["rules"]]
            assert {rule["name"] for rule in rules} >= {"TwmNoFrames", "TwmModelDrift", "TwmA1Failing"}
            assert {rule["health"] for rule in rules} == {"ok"}
            firing = {rule["name"] for rule in rules for alert in rule["alerts"] if alert["state"] == "firing"}
            # What a tiny model in a hurry may do; nothing that speaks of a fault of the system.
            assert firing <= {"TwmShadowScoreNegative", "TwmModelDrift", "TwmDeadLetters"}, firing
            names = set(ask(port, "label/__name__/values"))
    declared = {line.split()[2] for line in _exposed_names()}
    assert {name for name in names if name.startswith("twm_")} <= declared


def _exposed_names() -> list[str]:
    from prometheus_client import generate_latest

    from twm.core import metrics

    assert metrics.READY is not None
    text = generate_latest().decode()
    kinds = [line for line in text.splitlines() if line.startswith("# TYPE twm_")]
    extra = []
    for line in kinds:
        name, kind = line.split()[2], line.split()[3]
        if kind == "histogram":
            extra += [f"# TYPE {name}{part} x" for part in ("_bucket", "_count", "_sum")]
        extra.append(f"# TYPE {name.removesuffix('_total')}_created x")
    return kinds + extra
