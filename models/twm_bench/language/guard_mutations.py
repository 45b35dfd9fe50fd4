"""What a broken or hostile planner, model or network could put in a proposal, as mutations of a good one. Seeded.

Some mutations are harmless by chance; whether one is unsafe is for the oracle (guard_oracle.py) to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from twm.api.planning.v1 import planning_pb2
from twm_bench.language.guard_worlds import Float, Rng, World, row_mix, toward

Proposal = planning_pb2.Proposal
Mutation = Callable[[Rng, Proposal, World], None]
WILD = (math.nan, math.inf, -math.inf, -0.0, 1e-45, 3.4e38, -1.0, 1.0, 2.0, 1.0000001, -1e-3, 5e-4)


def _rows(proposal: Proposal, world: World) -> Float:
    """Plan [H, R, S]."""
    net = world.net
    h = net.horizon
    prb = np.array(proposal.policy.prb_share, np.float64)
    bandwidth = np.array(proposal.policy.bandwidth_share, np.float64)
    if prb.size != h * net.cells * net.slices or bandwidth.size != h * net.links * net.slices:
        return np.zeros((h, net.cells + net.links, net.slices))  # another mutation was there first
    return np.concatenate([prb.reshape(h, net.cells, net.slices), bandwidth.reshape(h, net.links, net.slices)], 1)


def _put(proposal: Proposal, world: World, plan: Float) -> None:
    n = world.net.cells
    proposal.policy.prb_share[:] = plan[:, :n].astype(np.float32).ravel().tolist()
    proposal.policy.bandwidth_share[:] = plan[:, n:].astype(np.float32).ravel().tolist()


def _spot(rng: Rng, world: World) -> tuple[int, int]:
    net = world.net
    return int(rng.choice([0, 0, rng.integers(net.horizon)])), int(rng.integers(net.cells + net.links))


def not_finite(rng: Rng, p: Proposal, w: World) -> None:
    column = p.policy.prb_share if w.net.links == 0 or rng.random() < 0.5 else p.policy.bandwidth_share
    if rng.random() < 0.2:
        column = p.running.prb_share
    if len(column):
        column[int(rng.integers(len(column)))] = float(rng.choice([math.nan, math.inf, -math.inf]))


def wild_share(rng: Rng, p: Proposal, w: World) -> None:
    if len(p.policy.prb_share):
        p.policy.prb_share[int(rng.integers(len(p.policy.prb_share)))] = float(rng.choice(WILD))


def sum_trick(rng: Rng, p: Proposal, w: World) -> None:
    """A row that sums to a little or much more than 1, each share being innocent; or by negative shares to 1 exactly."""
    plan = _rows(p, w)
    h, r = _spot(rng, w)
    over = float(rng.choice([1e-6, 9e-5, 1.5e-4, 3e-4, 1e-3, 0.01, 0.2]))
    row = plan[h, r]
    if rng.random() < 0.2:
        row[0], row[-1] = row[0] + row[-1] + 0.2, -0.2
    else:
        row *= (1 + over) / max(row.sum(), 1e-9)
    _put(p, w, plan)


def below_floor(rng: Rng, p: Proposal, w: World) -> None:
    plan = _rows(p, w)
    h, r = _spot(rng, w)
    s = int(rng.integers(w.net.slices))
    plan[h, r, s] = w.net.floor_RS[r, s] - 0.002 - float(rng.choice([5e-5, 2e-4, 1e-3, 0.02, 0.04]))
    _put(p, w, plan)


def too_fast(rng: Rng, p: Proposal, w: World) -> None:
    """A jump, from what runs or within the plan."""
    plan = _rows(p, w)
    h, r = _spot(rng, w)
    order = rng.permutation(w.net.slices)
    low = w.net.floor_RS[r]
    row = low.copy()
    row[order[0]] += (0.99 - low.sum()) * float(rng.choice([0.9, 1.0]))
    plan[h, r] = row
    _put(p, w, plan)


def false_running(rng: Rng, p: Proposal, w: World) -> None:
    """A plan far away, and running shares that are said to be there already."""
    plan = np.broadcast_to(row_mix(rng, w.net), (w.net.horizon, *w.net.floor_RS.shape)).copy()
    _put(p, w, plan)
    n = w.net.cells
    p.running.prb_share[:] = plan[0, :n].astype(np.float32).ravel().tolist()
    p.running.bandwidth_share[:] = plan[0, n:].astype(np.float32).ravel().tolist()
    if rng.random() < 0.5:
        w.accepted.clear()


def oscillating(rng: Rng, p: Proposal, w: World) -> None:
    """A history of to and fro that the plan goes on with."""
    first = np.nan_to_num(_rows(p, w)[0], nan=0.1, posinf=1.0, neginf=0.0)
    away = toward(rng, first, w.net, float(rng.uniform(0.08, 0.3)))
    count = int(rng.integers(4, 12))
    w.accepted[:] = [(p.step - b, away if b % 2 else first.copy()) for b in range(count, 0, -1)]


def replayed(rng: Rng, p: Proposal, w: World) -> None:
    """A step that was accepted already."""
    ahead = int(rng.integers(0, 5))
    w.accepted.append((p.step + ahead, _rows(p, w)[0]))


def far_from_accepted(rng: Rng, p: Proposal, w: World) -> None:
    if w.accepted:
        w.accepted[-1] = (p.step - 1, row_mix(rng, w.net))
    else:
        w.accepted.append((p.step - 1, row_mix(rng, w.net)))


def stale(rng: Rng, p: Proposal, w: World) -> None:
    choice = int(rng.integers(6))
    if choice == 0:
        p.created.seconds -= int(rng.choice([29, 31, 89, 91, 3600, 10**9]))
    elif choice == 1:
        p.created.seconds += int(rng.choice([4, 59, 61, 70, 3600]))
    elif choice == 2:
        w.newest_step = p.step + int(rng.choice([11, 12, 13, 14, 100]))
    elif choice == 3:
        w.newest_step = p.step - int(rng.choice([1, 2, 1000]))
    elif choice == 4:
        p.effective.seconds += int(rng.choice([-3600, -31, 31, 3600, 10**12]))
    else:
        p.ClearField(str(rng.choice(["created", "effective"])))  # type: ignore[arg-type]


def future_step(rng: Rng, p: Proposal, w: World) -> None:
    p.step += int(rng.choice([1, 5, 100, 2**40]))
    p.proposal_id = f"{p.area_id}/{p.step}"
    if rng.random() < 0.5:
        p.effective.seconds = int((p.step + 1) * w.net.data["timing"]["slow_step_s"])


def other_identity(rng: Rng, p: Proposal, w: World) -> None:
    choice = int(rng.integers(6))
    if choice == 0:
        p.spec_digest = ("0" * 64, "", w.net.digest[::-1], w.net.digest[:63], w.net.digest.upper())[int(rng.integers(5))]
    elif choice == 1:
        p.area_id = ("elsewhere", "", p.area_id + "\u200b", p.area_id.upper())[int(rng.integers(4))]
    elif choice == 2:
        p.proposal_id = (f"{p.area_id}/{p.step + 1}", "x", p.proposal_id + "\n", f"{p.area_id}/0{p.step}")[int(rng.integers(4))]
    elif choice == 3:
        p.source = int(rng.choice([0, 4, 77]))  # type: ignore[assignment]
    elif choice == 4:
        p.source, p.fallback_reason = planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK, ""
    else:
        p.trace_id = str(rng.choice(["zz", "A" * 32, "a" * 31]))


def wrong_sizes(rng: Rng, p: Proposal, w: World) -> None:
    choice = int(rng.integers(8))
    message = p.policy if rng.random() < 0.7 else p.running
    if choice == 0 and len(message.prb_share):
        message.prb_share.pop()
    elif choice == 1:
        message.prb_share.append(0.1)
    elif choice == 2:
        message.policy_count = int(rng.choice([0, 2, 2**32 - 1]))
    elif choice == 3:
        message.step_count = int(rng.choice([0, 1, 11, 13, 2**32 - 1]))
    elif choice == 4:
        message.bandwidth_share.extend(message.prb_share[:3])
    elif choice == 5:
        p.ClearField("policy")
    elif choice == 6:
        p.ClearField("running")
    else:
        message.prb_share[:], message.bandwidth_share[:] = list(message.bandwidth_share), list(message.prb_share)


def bad_numbers(rng: Rng, p: Proposal, w: World) -> None:
    """Predictions that break a bound, are missing, or are no numbers."""
    name = str(rng.choice(["predicted_scm", "running_predicted_scm", "any_violation_probability", "disagreement", "ood_score"]))
    choice = int(rng.integers(4))
    if choice == 0:
        p.ClearField(name)  # type: ignore[arg-type]
    elif choice == 1:
        setattr(p, name, float(rng.choice(WILD)))
    elif choice == 2 and len(p.violation_probability):
        p.violation_probability[int(rng.integers(len(p.violation_probability)))] = float(
            rng.choice([math.nan, 0.93, 1.0, 1.5, -0.1, math.inf])
        )
    else:
        del p.violation_probability[int(rng.integers(0, len(p.violation_probability) + 1)) :]


def harmful(rng: Rng, p: Proposal, w: World) -> None:
    p.predicted_scm = p.running_predicted_scm - float(rng.choice([0.015, 0.03, 0.1, 0.5]))


def bad_cvar(rng: Rng, p: Proposal, w: World) -> None:
    if p.chosen_index < len(p.candidates):
        chosen = p.candidates[p.chosen_index]
        if rng.random() < 0.3:
            chosen.ClearField("scm_cvar")
        else:
            chosen.scm_cvar = float(rng.choice([-0.5, -0.01, math.nan, math.inf, 0.0]))
        if rng.random() < 0.5:
            p.candidates[-1].scm_cvar = float(rng.uniform(0.3, 0.6))


def false_lost_window(rng: Rng, p: Proposal, w: World) -> None:
    """Violations, and running shares that are said to violate as well: of all, of one slice, or in part."""
    p.any_violation_probability = 1.0
    p.violation_probability[:] = [1.0] * w.net.slices
    if p.candidates:
        idle = p.candidates[-1]
        idle.violation_probability = float(rng.choice([0.5, 0.89, 0.9, 0.95, 1.0, math.nan]))
        idle.slice_violation_probability[:] = rng.choice([0.1, 0.85, 0.92, 1.0], w.net.slices).tolist()
        if rng.random() < 0.3:
            idle.origin = str(rng.choice(["running ", "library:running", "Running"]))
        if rng.random() < 0.2:
            p.candidates.add(origin="running", violation_probability=0.1)


def bad_twin(rng: Rng, p: Proposal, w: World) -> None:
    choice = int(rng.integers(6))
    if choice == 0:
        del p.verifications[:]
    elif choice == 1:
        p.chosen_index = int(rng.choice([p.chosen_index + 1, 63, 2**32 - 1]))
    elif choice == 2:
        p.verifications.add(candidate_index=p.chosen_index, violation_ratio=0.0, passed=False)
    elif p.verifications:
        if choice == 3:
            p.verifications[0].passed = False
        elif choice == 4:
            p.verifications[0].violation_ratio = float(rng.choice([0.96, 1.0, math.nan, 2.0]))
        else:
            p.verifications[0].candidate_index += 1


def no_models(rng: Rng, p: Proposal, w: World) -> None:
    choice = int(rng.integers(3))
    if choice == 0 or not p.models:
        del p.models[:]
    else:
        setattr(p.models[0], ("name", "version", "digest")[int(rng.integers(3))], "")


def conflicting(rng: Rng, p: Proposal, w: World) -> None:
    """Another policy on the same shares."""
    net = w.net
    names = [s["id"] for s in net.data["slices"]]
    zones = [z["id"] for z in net.data.get("zones", [])]
    low = float(rng.uniform(0.0, 0.6))
    w.others.append(
        {
            "policy_id": "rival", "owner": "other-xapp", "resource": str(rng.choice(["prb", "bandwidth", "both"])),
            "slices": [names[int(rng.integers(net.slices))]] if rng.random() < 0.8 else [],
            "zone": str(rng.choice(zones)) if zones and rng.random() < 0.4 else "",
            "cells": [int(rng.integers(net.cells))] if rng.random() < 0.4 else [],
            "links": [int(rng.integers(net.links))] if net.links and rng.random() < 0.2 else [],
            "min_share": low, "max_share": min(low + float(rng.uniform(0.0, 0.3)), 1.0),
            "exclusive": bool(rng.random() < 0.3), "expires_s": w.now_s + float(rng.choice([-1.0, 0.5, 600.0])),
        }
    )  # fmt: skip


def against_intent(rng: Rng, p: Proposal, w: World) -> None:
    """An active intent's limit or constraint that the plan breaks."""
    net = w.net
    names = [s["id"] for s in net.data["slices"]]
    zones = [z["id"] for z in net.data.get("zones", [])]
    if rng.random() < 0.4:
        bound = float(rng.choice([0.05, 0.1, 0.3])) if rng.random() < 0.8 else None
        w.intents.append({"id": "kpi", "limits": [], "bounds": [bound]})
        outcome = p.intent_outcomes.add(
            intent_id="kpi", violation_probability=float(rng.choice([0.01, 0.2, 0.6, 1.0, math.nan]))
        )
        if rng.random() < 0.4:
            outcome.running_violation_probability = float(rng.choice([0.05, 0.5, 0.97, math.nan]))
        return
    limit: dict[str, object] = {
        "slices": [names[int(rng.integers(net.slices))]],
        "zone": str(rng.choice(zones)) if zones and rng.random() < 0.4 else "",
        "cells": [int(rng.integers(net.cells))] if rng.random() < 0.3 else [],
        "resource": int(rng.choice([0, 1, 2])),
    }
    kind = int(rng.integers(3))
    limit["max" if kind == 0 else "min" if kind == 1 else "change"] = float(rng.choice([0.0, 0.05, 0.2, 0.6, 0.9]))
    if rng.random() < 0.3:
        limit["start"] = w.now_s + float(rng.choice([-600.0, 5.0, 900.0]))
        limit["end"] = limit["start"] + 1200.0  # type: ignore[operator]
    w.intents.append({"id": "rule", "limits": [limit], "bounds": []})


def too_long(rng: Rng, p: Proposal, w: World) -> None:
    w.ttl_steps = float(rng.choice([9.0, 10.0, 11.0, 100.0, math.inf, math.nan]))


MUTATIONS: Mapping[str, Mutation] = {
    f.__name__: f
    for f in (
        not_finite, wild_share, sum_trick, below_floor, too_fast, false_running, oscillating, replayed, far_from_accepted,
        stale, future_step, other_identity, wrong_sizes, bad_numbers, harmful, bad_cvar, false_lost_window, bad_twin, no_models,
        conflicting, against_intent, too_long,
    )
}  # fmt: skip
"""By name."""


def broken_bytes(rng: Rng, payload: bytes) -> bytes:
    """Bits flipped, or the end cut off."""
    data = bytearray(payload)
    if rng.random() < 0.2:
        del data[int(rng.integers(len(data))) :]
    reach = min(len(data), 250) if rng.random() < 0.5 else len(data)
    for position in rng.integers(0, max(reach, 1), int(rng.integers(1, 6))):
        if position < len(data):
            data[position] ^= 1 << int(rng.integers(8))
    return bytes(data)
