"""SLA accounting: a window's past and its remaining steps together are the window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.account import SlaAccount
from twm.core.errors import InvalidInputError
from twm.core.frames import FrameArrays, block_shapes
from twm.core.kpis import horizon_kpis, offered_by_slice, slice_kpis
from twm.core.network import NetworkSpec, load_network
from twm.core.scm import least_margin

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"


@pytest.fixture(scope="module")
def spec() -> NetworkSpec:
    return load_network(COAST)


def frames_of(spec: NetworkSpec, first: int, count: int) -> list[FrameArrays]:
    generator = np.random.default_rng(3)
    out = []
    for i in range(count):
        blocks = {n: generator.uniform(0.1, 1.0, s).astype(np.float32) for n, s in block_shapes(spec).items()}
        blocks["cell_slice"][..., 0] *= 100.0
        blocks["fast"][..., 1] *= 30.0
        out.append(FrameArrays(step=first + i, start_s=60.0 * i, **blocks))  # type: ignore[arg-type]
    return out


def test_past_and_rest_make_the_window(spec: NetworkSpec) -> None:
    """Splitting a window anywhere and pooling the parts gives what the whole window gives."""
    horizon = spec.timing.horizon_steps
    frames = frames_of(spec, 2 * horizon, horizon)
    kpi = np.stack([slice_kpis(f.blocks()) for f in frames]).astype(np.float64)
    offered = np.stack([offered_by_slice(f.blocks()) for f in frames]).astype(np.float64)
    whole = horizon_kpis(kpi, offered)
    for seen in (1, 5, horizon - 1):
        account = SlaAccount.of(frames[:seen], spec)
        assert account.remaining_steps == horizon - seen
        assert account.begun
        rest = horizon_kpis(kpi[seen:], offered[seen:])
        loss, delay = account.pooled(rest[0], rest[1], offered[seen:].sum(0))
        assert loss == pytest.approx(whole[0], rel=1e-6)
        assert delay == pytest.approx(whole[1], rel=1e-6)
        margin = account.least_margin(rest[0], rest[1], offered[seen:].sum(0), spec)
        assert margin == pytest.approx(least_margin(*whole, spec.topology()))


def test_windows_are_aligned_and_a_new_one_starts_empty(spec: NetworkSpec) -> None:
    horizon = spec.timing.horizon_steps
    account = SlaAccount.of(frames_of(spec, horizon - 3, 3), spec)
    assert account.remaining_steps == horizon
    assert not account.begun
    loss, delay = account.pooled(np.full(len(spec.slices), 0.2), np.full(len(spec.slices), 7.0), np.ones(len(spec.slices)))
    assert loss == pytest.approx(0.2)
    assert delay == pytest.approx(7.0)
    later = SlaAccount.of(frames_of(spec, horizon - 3, 5), spec)
    assert later.remaining_steps == horizon - 2
    only = SlaAccount.of(frames_of(spec, horizon - 3, 5)[-2:], spec)
    assert later.loss_S == pytest.approx(only.loss_S)


def test_what_was_not_measured_counts_for_nothing(spec: NetworkSpec) -> None:
    frames = frames_of(spec, 0, 2)
    gap = replace(frames[1], cell_slice=np.full_like(frames[1].cell_slice, np.nan), fast=np.full_like(frames[1].fast, np.nan))
    one, both = SlaAccount.of(frames[:1], spec), SlaAccount.of([frames[0], gap], spec)
    assert both.loss_S == pytest.approx(one.loss_S)
    assert both.delay_S == pytest.approx(one.delay_S)
    assert both.remaining_steps == one.remaining_steps - 1


def test_a_message_is_checked(spec: NetworkSpec) -> None:
    account = SlaAccount.of(frames_of(spec, 0, 3), spec)
    again = SlaAccount.from_message(account.to_message(), spec)
    assert again.offered_S == pytest.approx(account.offered_S)
    assert again.delay_S == pytest.approx(account.delay_S)
    message = account.to_message()
    message.remaining_steps = spec.timing.horizon_steps + 1
    with pytest.raises(InvalidInputError, match=r"account\.remaining_steps: 13, expected 1\.\.12"):
        SlaAccount.from_message(message, spec)
    broken = worldmodel_pb2.SlaAccount(remaining_steps=3, offered_mbps_steps=[1.0], loss_ratio=[0.0], delay_p99_ms=[0.0])
    with pytest.raises(InvalidInputError, match=r"account\.offered_mbps_steps: 1 values"):
        SlaAccount.from_message(broken, spec)
    message = account.to_message()
    message.loss_ratio[0] = float("nan")
    with pytest.raises(InvalidInputError, match=r"account\.loss_ratio.*finite"):
        SlaAccount.from_message(message, spec)
