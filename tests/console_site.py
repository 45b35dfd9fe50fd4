"""A gateway process with a filled Redis behind it, and a real browser before it: for the console's tests."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from gateway_samples import frame, good_proposal

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.core.frames import CELL_FEATURES, CELL_SLICE_FEATURES, LINK_FEATURES, LINK_SLICE_FEATURES, FrameArrays, FrameCodec
from twm.core.network import NetworkSpec
from twm.core.streams import Output, StreamNames, Streams
from twm.gateway.intents.store import ACTIVE_KEY

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine"),
]
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = '</script><img src=x onerror="window.hacked=1">\u202e<b>bold</b>'


class Site:
    """One gateway process."""

    def __init__(self, redis_url: str, state_dir: Path, port: int, **environment: str) -> None:
        self.url, self.redis_url = f"http://127.0.0.1:{port}", redis_url
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TWM_")}
        state_dir.mkdir(parents=True, exist_ok=True)
        own = {"TWM_REDIS_URL": redis_url, "TWM_STATE_DIR": str(state_dir), "TWM_HTTP_LISTEN": f"127.0.0.1:{port}"}
        self._log = (state_dir / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "twm.gateway"],
            env={**kept, **own, "TWM_INSTANCE": "console-test", "OMP_NUM_THREADS": "1", **environment},
            stdout=self._log,
            stderr=self._log,
        )

    def wait(self) -> Site:
        """Until it is ready."""
        until = time.monotonic() + 100
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=1) as answer:
                if answer.status == 200:
                    return self
            assert self.process.poll() is None, "the gateway has ended"
            time.sleep(0.1)
        raise AssertionError("the gateway is not ready")

    def ask(self, path: str, method: str = "GET", body: Any = None, token: str = "") -> Any:
        """JSON of a route."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def streams(self, act: Callable[[Streams], Awaitable[Any]]) -> Any:
        """Do something with its streams."""

        async def run() -> Any:
            streams = await Streams.connect(self.redis_url)
            try:
                return await act(streams)
            finally:
                await streams.close()

        with concurrent.futures.ThreadPoolExecutor(1) as pool:  # the browser's driver has this thread's event loop
            return pool.submit(lambda: asyncio.run(run())).result(30)

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self._log.close()


def lively_frame(spec: NetworkSpec, step: int, rng: np.random.Generator) -> FrameArrays:
    """A frame in which cells differ; the last link is down, the last cell is not measured."""
    out = frame(spec, step, loss=0.02 + 0.02 * float(rng.random()), delay_ms=9 + 3 * float(rng.random()))
    c, s, n_links = spec.sizes
    load = np.linspace(0.2, 1.25, c)[:, None] * (0.9 + 0.2 * rng.random((c, s)))
    mbps = spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz * 3.0
    out.cell_slice[..., CELL_SLICE_FEATURES.index("offered_mbps")] = load * mbps / s
    out.cell_slice[..., CELL_SLICE_FEATURES.index("e2e_delay_p99_ms")] = 8 + 14 * load
    out.cell[:, CELL_FEATURES.index("spectral_efficiency_bps_hz")] = 3.0
    out.cell[:, CELL_FEATURES.index("prb_used_ratio")] = np.minimum(load.mean(1), 1)
    out.cell_slice[-1], out.cell[-1] = np.nan, np.nan
    if n_links:
        out.link_slice[..., LINK_SLICE_FEATURES.index("served_mbps")] = 150.0
        out.link[:, LINK_FEATURES.index("up_ratio")] = 1.0
        out.link[-1, LINK_FEATURES.index("up_ratio")] = 0.0
    return out


async def put_frames(streams: Streams, spec: NetworkSpec, first: int, count: int) -> None:
    """Frames of `count` steps."""
    codec, rng, names = FrameCodec(spec), np.random.default_rng(7), StreamNames.of(spec.area_id)
    for step in range(first, first + count):
        await streams.append(Output(names.frames, codec.encode(lively_frame(spec, step, rng)).SerializeToString()))


def rich_proposal(spec: NetworkSpec, step: int) -> planning_pb2.Proposal:
    """A proposal that passes, with a front, a runner-up and a hostile candidate."""
    proposal = good_proposal(spec, step)
    proposal.candidates.add(origin=HOSTILE, scm_mean=0.3, violation_probability=0.4, saving_ratio=0.2, score=0.2)
    proposal.candidates[0].saving_ratio = 0.1
    proposal.runner_up_index = 2
    for saving, scm, violation in ((0.05, 0.42, 0.15), (0.1, 0.4, 0.2), (0.2, 0.3, 0.4), (0.3, 0.1, 0.8)):
        proposal.front.add(saving_ratio=saving, scm_mean=scm, violation_probability=violation, origin="cem:5")
    return proposal


async def put_proposal(streams: Streams, spec: NetworkSpec, step: int) -> None:
    """A proposal of that step, made now, that says how it stands to the active intents."""
    names, proposal = StreamNames.of(spec.area_id), rich_proposal(spec, step)
    active = intent_pb2.ActiveIntents.FromString(await streams.get(names.key(ACTIVE_KEY)) or b"")
    proposal.intent_set_version = active.version
    for entry in active.intents:
        for index in range(len(entry.spec.constraints)):
            proposal.intent_outcomes.add(
                intent_id=entry.spec.intent_id,
                constraint_index=index,
                violation_probability=0.05,
                running_violation_probability=0.2,
            )
    await streams.append(Output(names.proposals, proposal.SerializeToString()))


def grid_network(folder: Path, cells: int) -> Path:
    """A generated network of so many cells on a grid, ten to an aggregation node."""
    side = int(np.ceil(np.sqrt(cells)))
    nodes = [f"N{i}" for i in range(1, cells // 10 + 1)]
    places = [(i, i // 10 % len(nodes) + 1) for i in range(cells)]
    spec = {
        "version": 1,
        "name": "grid",
        "area_id": "grid",
        "plmn": {"mcc": "001", "mnc": "01"},
        "timing": {"slow_step_s": 60, "fast_steps": 3, "horizon_steps": 12},
        "prb_grid": {"prb_count": 273, "subcarrier_spacing_khz": 30, "layers": 3, "share_step_prb": 1},
        "slices": [
            {"id": "embb", "s_nssai": {"sst": 1, "sd": "000001"}, "sla": {"loss_max_ratio": 0.25}},
            {"id": "urllc", "s_nssai": {"sst": 2, "sd": "000002"}, "sla": {"loss_max_ratio": 0.1, "delay_p99_max_ms": 20}},
            {"id": "fwa", "s_nssai": {"sst": 1, "sd": "000003"}, "sla": {"loss_max_ratio": 0.2}},
            {"id": "mcx", "s_nssai": {"sst": 3}, "sla": {"loss_max_ratio": 0.2}},
        ],
        "cells": [
            {
                "id": f"cell-{i}",
                "x_km": round(0.4 * (i % side), 2),
                "y_km": round(0.4 * (i // side), 2),
                "e2_node": "gnb-1",
                "transport_node": f"N{node}",
                "nr_cell_identity": 16 + i,
            }
            for i, node in places
        ],
        "zones": [{"id": f"zone-{z}", "cells": [f"cell-{i}" for i in range(z * 50, z * 50 + 50)]} for z in range(cells // 50)],
        "transport": {
            "nodes": ["N0", *nodes],
            "gateway_node": "N0",
            "links": [{"id": f"down-{n}", "source": "N0", "target": n, "capacity_mbps": 2000} for n in nodes],
            "routes": {f"cell-{i}": [f"down-N{node}"] for i, node in places},
        },
        "e2_nodes": [{"id": "gnb-1"}],
        "control": {"max_share_change": 0.5},
    }
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield found
        finally:
            found.close()
