"""Made-up situations and good proposals for the guard's test: random, seeded, inside every rule; mutations break them.

Shares are flat rows: R = cells then links, S slices, H slow steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2

Float = NDArray[np.float64]
Rng = np.random.Generator
NOW_S = 1_700_000_000.0


@dataclass
class Net:
    """Sizes and bounds of a network, from its YAML as it stands in the file."""

    name: str
    data: dict[str, Any]
    digest: str
    cells: int = 0
    slices: int = 0
    links: int = 0
    horizon: int = 0
    rate: float = 1.0
    floor_RS: Float = field(default_factory=lambda: np.zeros((0, 0)))
    """Least shares, a little above the floors, so that good proposals do not stand on a bound."""

    def __post_init__(self) -> None:
        d = self.data
        self.cells, self.slices = len(d["cells"]), len(d["slices"])
        self.links = len(d.get("transport", {}).get("links", []))
        self.horizon = d["timing"]["horizon_steps"]
        self.rate = d["control"]["max_share_change"]
        floors = [[s.get(k, 0.0) + 0.002 for s in d["slices"]] for k in ("prb_floor", "bandwidth_floor")]
        self.floor_RS = np.array([floors[0]] * self.cells + [floors[1]] * self.links)


@dataclass
class World:
    """What the gateway knows, in plain numbers."""

    net: Net
    now_s: float
    newest_step: int
    accepted: list[tuple[int, Float]]
    """(step, shares [R, S]) of every accepted policy, oldest first."""
    measured_RS: Float
    """Shares the frame reports, NaN where it does not."""
    others: list[dict[str, Any]] = field(default_factory=list)
    """Policies of others as their JSON."""
    intents: list[dict[str, Any]] = field(default_factory=list)
    """Active intents: {"id", "limits": [...], "bounds": [...]}; see `intent_message` in guard.py."""
    ttl_steps: float = 2.0


def row_mix(rng: Rng, net: Net) -> Float:
    """Valid shares [R, S]: floors held, rows sum to less than 1."""
    free = 0.99 - net.floor_RS.sum(-1, keepdims=True)
    return net.floor_RS + free * rng.uniform(0.5, 1.0, (len(net.floor_RS), 1)) * rng.dirichlet(
        np.full(net.slices, 2.0), len(net.floor_RS)
    )


def toward(rng: Rng, start_RS: Float, net: Net, most: float) -> Float:
    """Valid shares at most `most` from `start_RS`."""
    target = row_mix(rng, net)
    reach = np.abs(target - start_RS).max()
    return start_RS + (target - start_RS) * min(1.0, most / max(reach, 1e-9))


def good_case(rng: Rng, net: Net) -> tuple[planning_pb2.Proposal, World]:
    """A proposal that every rule lets pass, and its situation."""
    step = int(rng.integers(50, 100_000))
    running = row_mix(rng, net)
    plan = [toward(rng, running, net, rng.uniform(0.0, 0.6) * min(net.rate, 0.5))]
    for _ in range(net.horizon - 1):
        plan.append(toward(rng, plan[-1], net, rng.uniform(0.0, 0.3) * min(net.rate, 0.5)))
    accepted = []
    for back in range(int(rng.integers(0, 12)), 0, -1):
        accepted.append((step - back, toward(rng, running, net, 0.04)))
    measured = running + rng.uniform(-0.008, 0.008, running.shape)
    measured[rng.random(len(measured)) < 0.1] = np.nan
    world = World(net, NOW_S + float(rng.integers(0, 1_000_000)), step + int(rng.integers(0, 4)), accepted, measured)
    proposal = planning_pb2.Proposal(
        proposal_id=f"{net.data['area_id']}/{step}", area_id=net.data["area_id"], step=step, spec_digest=net.digest,
        source=int(rng.choice([1, 1, 1, 3, 2])), evaluation_count=640, saving_ratio=float(rng.uniform(0, 0.4)),
    )  # fmt: skip
    put_shares(proposal, np.stack(plan), running, net)
    proposal.effective.seconds = int((step + 1) * net.data["timing"]["slow_step_s"])
    proposal.created.FromNanoseconds(int((world.now_s - rng.uniform(0.1, 60.0)) * 1e9))
    put_predictions(rng, proposal, net)
    add_neighbours(rng, world, np.stack(plan), running)
    return proposal, world


def put_shares(proposal: planning_pb2.Proposal, plan_HRS: Float, running_RS: Float, net: Net) -> None:
    """Shares into the packed columns."""
    for message, rows in ((proposal.policy, plan_HRS), (proposal.running, running_RS[None])):
        message.policy_count, message.step_count = 1, len(rows)
        message.prb_share[:] = rows[:, : net.cells].astype(np.float32).ravel().tolist()
        message.bandwidth_share[:] = rows[:, net.cells :].astype(np.float32).ravel().tolist()


def put_predictions(rng: Rng, proposal: planning_pb2.Proposal, net: Net) -> None:
    """Numbers inside the shipped rules; of a fallback, some or none; now and then a lost window."""
    fallback = proposal.source == 2
    if fallback:
        proposal.fallback_reason = "deadline: the search gave nothing in time"
        if rng.random() < 0.5:
            return
    lost = not fallback and rng.random() < 0.1
    scm = float(rng.uniform(0.2, 0.9))
    proposal.predicted_scm, proposal.running_predicted_scm = scm, scm - float(rng.uniform(-0.015, 0.2))
    slices = rng.uniform(0.0, 0.85, net.slices)
    running = np.clip(slices + rng.uniform(0.0, 0.1, net.slices), 0, 1)
    any_value, any_running = float(slices.max() + 0.05), float(running.max())
    if lost:
        slices[0], running[0], any_value, any_running = 1.0, rng.uniform(0.985, 1.0), 1.0, 0.99
    proposal.violation_probability[:] = slices.tolist()
    proposal.any_violation_probability = any_value
    proposal.disagreement, proposal.ood_score = float(rng.uniform(0, 0.24)), float(rng.uniform(0, 3.9))
    count = int(rng.integers(2, 6))
    proposal.chosen_index = int(rng.integers(0, count - 1))
    for index in range(count):
        idle = index == count - 1
        proposal.candidates.add(
            origin="running" if idle else f"elite:{index}",
            scm_mean=proposal.running_predicted_scm if idle else scm,
            violation_probability=any_running if idle else min(any_value, 1.0),
            scm_cvar=float(rng.uniform(0.05, 0.1)) if idle else float(rng.uniform(0.02, 0.2)),
            slice_violation_probability=(running if idle else slices).tolist(),
        )
    ratio = 0.99 if lost else float(rng.uniform(0, 0.9))
    proposal.verifications.add(candidate_index=proposal.chosen_index, scm_mean=scm, violation_ratio=ratio, passed=True)
    proposal.models.add(name="cdwm", version=f"{net.name}-1", digest="ab" * 32)


def add_neighbours(rng: Rng, world: World, plan_HRS: Float, running_RS: Float) -> None:
    """Policies of others and intents that the plan respects."""
    net = world.net
    names = [s["id"] for s in net.data["slices"]]
    for number in range(int(rng.choice([0, 0, 1, 2]))):
        s, cell = int(rng.integers(net.slices)), int(rng.integers(net.cells))
        seen = plan_HRS[:, cell, s]
        world.others.append(
            {
                "policy_id": f"x{number}", "owner": "xapp", "resource": "prb", "slices": [names[s]], "zone": "",
                "cells": [cell], "links": [], "min_share": max(float(seen.min()) - 0.03, 0.0),
                "max_share": min(float(seen.max()) + 0.03, 1.0), "exclusive": False, "expires_s": world.now_s + 600.0,
            }
        )  # fmt: skip
    for number in range(int(rng.choice([0, 0, 1, 2]))):
        s = int(rng.integers(net.slices))
        seen = plan_HRS[:, : net.cells, s]
        limit = {"slices": [names[s]], "zone": "", "cells": [], "resource": 1, "max": min(float(seen.max()) + 0.03, 1.0)}
        if rng.random() < 0.5:
            limit = {**limit, "min": max(float(seen.min()) - 0.03, 0.0)}
        world.intents.append({"id": f"i{number}", "limits": [limit], "bounds": []})
