"""Twin: horizons per CPU-second, and what one verification costs. Prints figures; gates on ratios of one run."""

from __future__ import annotations

import time

import numpy as np
import pytest

from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm.planner.library import library_policies
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures, simulate
from twm_twin.scenarios import SCENARIOS
from twm_twin.simulator import Twin
from twm_twin.verification import Verifier

pytestmark = pytest.mark.bench


def test_horizons_per_cpu_second(spec: NetworkSpec) -> None:
    layout = TwinLayout.of(spec)
    futures = Futures.drawn(layout, [10000] * 4, list(SCENARIOS))
    policies, _ = library_policies(spec)
    simulate(layout, policies.take([0]), futures)
    began = time.process_time()
    simulate(layout, policies, futures)
    batch = policies.count * futures.count / (time.process_time() - began)
    b, h, (c, s, n_links) = 64, spec.timing.horizon_steps, spec.sizes
    twin = Twin(spec, b)
    began = time.process_time()
    twin.reset(np.arange(10000, 10064), list(SCENARIOS) * 16)
    reset = time.process_time() - began
    prb, bandwidth = np.full((b, c, s), 1 / s), np.full((b, n_links, s), 1 / s)
    twin.step(prb, bandwidth)
    began = time.process_time()
    for _ in range(1, h):
        twin.frames(twin.step(prb, bandwidth))
    stepped = b * (h - 1) / h / (time.process_time() - began)
    print(
        f"\ntwin: {batch:.0f} horizons per CPU-second in batches; {stepped:.0f} step-wise with frames; "
        f"{1e3 * reset / b:.1f} ms to reset one environment"
    )
    assert batch > stepped, "what a planner or an oracle calls must not be slower than what records frames"


def test_verification_of_three_finalists(spec: NetworkSpec) -> None:
    verifier = Verifier(spec)
    verifier.warm_up()
    h, (c, s, n_links) = spec.timing.horizon_steps, spec.sizes
    policies, _ = library_policies(spec, 3)
    capacity = np.broadcast_to(verifier.layout.topology.link_capacity_mbps, (4, h, n_links))
    arguments = (FrameArrays.missing(spec, 0), policies, np.full((4, h, c, s), 150.0), np.full((4, h, c), 10.0), capacity)
    spent = []
    for seed in range(20):
        began = time.perf_counter()
        verifier.verify(*arguments, seed=seed)
        spent.append(time.perf_counter() - began)
    print(f"\ntwin: 12 verification calls take {1e3 * float(np.median(spent)):.1f} ms")
    assert float(np.median(spent)) < 0.1
