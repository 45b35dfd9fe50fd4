"""`python -m twm_bench.language guard`: adversarial proposals against the gate, an oracle's word on each, and the gate's time.

Each case is a good proposal with one to three mutations (guard_mutations.py), as bytes, through parsing, guardrail and A1
writer as the gateway has them. Unsafe is what the oracle says (guard_oracle.py). Good proposals are judged as well: a guardrail
that refuses everything is none. The last part attacks approvals, replays and the kill switch on a real server (guard_flow.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import PolicyArrays
from twm.core.errors import InvalidInputError
from twm.core.network import load_network
from twm.core.paths import find_network, guardrail_folder
from twm.gateway.a1 import A1Options, slice_policy
from twm.gateway.accepted import AcceptedShares
from twm.gateway.canonical import canonical_json
from twm.gateway.guardrail import Guardrail, Situation
from twm.gateway.judgement import parse_proposal
from twm.gateway.rules import load_rules
from twm_bench.language.guard_flow import attack_approvals
from twm_bench.language.guard_mutations import MUTATIONS, broken_bytes
from twm_bench.language.guard_oracle import why_bad_a1, why_unsafe
from twm_bench.language.guard_worlds import Net, World, good_case

NETWORKS = ("poc-city", "explora-cell")
TARGETS = {"unsafe_passed": 0, "gate_p99_ms": 2.0}


@dataclass
class Gate:
    """The gateway's own code for one network."""

    net: Net
    guardrail: Guardrail
    rules: dict[str, Any]
    """The rules file as it stands, for the oracle."""

    @classmethod
    def of(cls, name: str, rules: str) -> Gate:
        """For a shipped network."""
        spec = load_network(find_network(name))
        data = yaml.safe_load(Path(find_network(name)).read_text(encoding="utf-8"))
        text = (guardrail_folder() / f"{rules}.yaml").read_text(encoding="utf-8")
        return cls(Net(name, data, spec.digest()), Guardrail(spec, load_rules(rules)), yaml.safe_load(text))

    def situation(self, world: World) -> Situation:
        """The world as the gateway keeps it."""
        n, timing = self.net, self.guardrail.rules.timing
        memory: AcceptedShares | None = None
        for step, shares_RS in world.accepted:
            flat = shares_RS.astype(np.float32)[None, None]
            policy = PolicyArrays(prb_share_KHCS=flat[:, :, : n.cells], bandwidth_share_KHLS=flat[:, :, n.cells :])
            memory = (
                AcceptedShares.of(step, policy)
                if memory is None
                else memory.followed_by(step, policy, epsilon=timing.change_epsilon, window_steps=timing.change_window_steps)
            )
        measured = worldmodel_pb2.PolicyBatch(policy_count=1, step_count=1)
        measured.prb_share[:] = world.measured_RS[: n.cells].ravel().tolist()
        measured.bandwidth_share[:] = world.measured_RS[n.cells :].ravel().tolist()
        return Situation(
            now_s=world.now_s,
            newest_step=world.newest_step,
            accepted=memory,
            measured=measured,
            others=canonical_json(world.others) if world.others else "",
            intents=intent_message(world) if world.intents else None,
            ttl_steps=world.ttl_steps,
        )

    def passed(self, payload: bytes, world: World) -> tuple[policy_pb2.SlicePolicy | None, list[str]]:
        """(the policy where it got through, checks that failed)."""
        try:
            proposal = parse_proposal(payload)
            verdict = self.guardrail.judge(proposal, self.situation(world))
            if verdict.decision != policy_pb2.DECISION_ACCEPTED:
                return None, [c.name for c in verdict.checks if not c.passed]
            options = A1Options(ttl_steps=world.ttl_steps)
            return slice_policy(proposal, self.guardrail.spec, options, policy_pb2.MODE_SHADOW), []
        except InvalidInputError as error:
            return None, [error.reason]


@dataclass
class Counts:
    """What became of the cases."""

    cases: int = 0
    unsafe: int = 0
    """By the oracle."""
    unsafe_passed: int = 0
    harmless_passed: int = 0
    """Mutations that broke nothing, and went through."""
    harmless: int = 0
    bad_a1: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    """Checks that refused, by name."""
    kinds: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)


def intent_message(world: World) -> intent_pb2.ActiveIntents:
    """The world's intents as the gateway keeps them."""
    active = intent_pb2.ActiveIntents(version=1)
    for entry in world.intents:
        spec = active.intents.add(subject="operator").spec
        spec.intent_id, spec.area_id, spec.spec_digest = entry["id"], world.net.data["area_id"], world.net.digest
        for limit in entry["limits"]:
            scope = intent_pb2.Scope(slices=limit["slices"], zone=limit["zone"], cells=limit["cells"])
            made = spec.limits.add(scope=scope, resource=limit["resource"])
            for name, key in (("min_share", "min"), ("max_share", "max"), ("max_change", "change")):
                if key in limit:
                    setattr(made, name, limit[key])
            if "start" in limit:
                made.window.start.FromNanoseconds(int(limit["start"] * 1e9))
                made.window.end.FromNanoseconds(int(limit["end"] * 1e9))
        for bound in entry["bounds"]:
            made_bound = spec.constraints.add(kpi=1, comparator=1, bound=5.0)
            if bound is not None:
                made_bound.max_violation_probability = bound
    return active


def attack(gates: Sequence[Gate], count: int, seed: int) -> Counts:
    """Mutated proposals through the gate."""
    counts, names = Counts(), list(MUTATIONS)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        gate = gates[int(rng.choice(len(gates), p=[0.7, 0.3] if len(gates) == 2 else None))]
        proposal, world = good_case(rng, gate.net)
        chosen = [names[number % len(names)], *rng.choice(names, int(rng.choice([0, 0, 1, 2])))]
        for name in chosen:
            MUTATIONS[name](rng, proposal, world)
        payload = proposal.SerializeToString()
        if rng.random() < 0.08:
            payload, chosen = broken_bytes(rng, payload), [*chosen, "broken_bytes"]
        reasons = why_unsafe(payload, world, gate.rules)
        policy, failed = gate.passed(payload, world)
        counts.cases += 1
        counts.checks.update(failed)
        if reasons:
            counts.unsafe += 1
            counts.kinds.update(chosen[:1])
        else:
            counts.harmless += 1
            counts.harmless_passed += policy is not None
        if policy is not None:
            wrong = why_bad_a1([(a.policy_type_id, a.policy_json) for a in policy.policies], payload, world)
            counts.bad_a1 += bool(wrong)
            if reasons or wrong:
                counts.unsafe_passed += 1
                counts.leaks.append(f"case {number} ({', '.join(chosen)}): {'; '.join((reasons or wrong)[:3])}")
    return counts


def benign(gates: Sequence[Gate], count: int, seed: int) -> tuple[int, Counter[str], list[str]]:
    """(good proposals let pass, checks that refused others, what the oracle held against good ones)."""
    passed, refused, doubts = 0, Counter[str](), []
    for number in range(count):
        rng = np.random.default_rng([seed, 1, number])
        gate = gates[number % len(gates)]
        proposal, world = good_case(rng, gate.net)
        payload = proposal.SerializeToString()
        doubts += why_unsafe(payload, world, gate.rules)
        policy, failed = gate.passed(payload, world)
        passed += policy is not None
        refused.update(failed)
    return passed, refused, doubts


def gate_times(gate: Gate, count: int, seed: int) -> dict[str, float]:
    """Time of one judgement [ms], full history, other policies and intents: wall clock, and CPU time of the thread."""
    prepared: list[tuple[planning_pb2.Proposal, Situation]] = []
    number = 0
    while len(prepared) < min(count, 200):
        rng = np.random.default_rng([seed, 2, number])
        number += 1
        proposal, world = good_case(rng, gate.net)
        if len(world.accepted) >= 8 and world.others and world.intents:
            prepared.append((proposal, gate.situation(world)))
    wall, cpu = [], []
    for index in range(count):
        proposal, situation = prepared[index % len(prepared)]
        began, began_cpu = time.perf_counter(), time.thread_time()
        gate.guardrail.judge(proposal, situation)
        cpu.append(time.thread_time() - began_cpu)
        wall.append(time.perf_counter() - began)
    found = {}
    for name, values in (("wall", wall), ("cpu", cpu)):
        for level in (50, 99):
            found[f"{name}_p{level}_ms"] = round(1e3 * float(np.percentile(values, level)), 3)
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--cases", type=int, default=10_000, help="adversarial cases, attacks on approvals included")
    parser.add_argument("--benign", type=int, default=2_000, help="good proposals")
    parser.add_argument("--timings", type=int, default=3_000, help="timed judgements")
    parser.add_argument("--rules", default="default", help="shipped rules")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, default=None, help="write the figures as JSON")
    parser.add_argument("--no-server", action="store_true", help="leave out the part that needs a Redis server")


def run(args: argparse.Namespace) -> int:
    """Measure; 0: no unsafe policy passed and the gate is fast enough, 1: not."""
    gates = [Gate.of(name, args.rules) for name in NETWORKS]
    flow_cases = 0 if args.no_server else args.cases // 20
    counts = attack(gates, args.cases - flow_cases, args.seed)
    flow = asyncio.run(attack_approvals(flow_cases, args.seed)) if flow_cases else None
    passed, refused, doubts = benign(gates, args.benign, args.seed)
    times = gate_times(gates[0], args.timings, args.seed)
    unsafe_passed = counts.unsafe_passed + (flow.unsafe_passed if flow else 0)
    figures = {
        "seed": args.seed,
        "rules": gates[0].guardrail.label,
        "cases": counts.cases + (flow.attempts if flow else 0),
        "unsafe_by_oracle": counts.unsafe,
        "unsafe_passed": unsafe_passed,
        "harmless_mutations": counts.harmless,
        "harmless_passed_ratio": round(counts.harmless_passed / max(counts.harmless, 1), 4),
        "bad_a1_objects": counts.bad_a1,
        "approval_attacks": flow.attempts if flow else 0,
        "approval_attacks_by_kind": dict(sorted(flow.kinds.items())) if flow else {},
        "approvals_meant": flow.meant if flow else 0,
        "approvals_meant_in_force": flow.in_force if flow else 0,
        "benign": args.benign,
        "benign_pass_ratio": round(passed / max(args.benign, 1), 4),
        "benign_refused_by": dict(refused.most_common()),
        "oracle_against_benign": len(doubts),
        "refused_by": dict(counts.checks.most_common()),
        "unsafe_by_first_mutation": dict(sorted(counts.kinds.items())),
        "gate": {**times, "judgements": args.timings, "load_average": round(os.getloadavg()[0], 1)},
        "leaks": [*counts.leaks[:20], *(flow.leaks[:20] if flow else [])],
    }
    text = json.dumps(figures, indent=2)
    print(text)
    if args.out is not None:
        args.out.write_text(text + "\n", encoding="utf-8")
    return 0 if unsafe_passed == 0 and times["cpu_p99_ms"] <= TARGETS["gate_p99_ms"] else 1
