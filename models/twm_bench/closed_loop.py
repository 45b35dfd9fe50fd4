"""Closed loop in the twin: what the planner is worth beside uniform shares and the reactive rule.

`python -m twm_bench.closed_loop`. Receding horizon: step t is decided from what was observed before t, and the first step of
each plan is enforced. A quiet horizon under uniform shares goes before the scored one, so that there is a history. Validation
seeds (0xB0000 and up) only: here weights and limits may be tuned; evaluation seeds are for the benchmark.

Shape suffixes: B horizons side by side, H slow steps, T fast steps, C cells, L links, S slices.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import PolicyArrays, decode_policies, saving_ratio
from twm.core.clock import SystemClock
from twm.core.errors import InvalidInputError, TwmError
from twm.core.frames import FrameArrays, FrameCodec
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.rpc import grpc_channel
from twm.planner.cycle import CycleSettings, PlanningCycle
from twm.planner.memory import LastPlan, keep_plan
from twm.planner.objective import ObjectiveWeights, PlanLimits
from twm.planner.peers import Peers
from twm.planner.reactive import reactive_shares
from twm.planner.search import SearchSettings
from twm_bench.peers import running_peers
from twm_twin.outcomes import horizon_outcome
from twm_twin.seeds import seeds
from twm_twin.simulator import StepResult, Twin

SCENARIOS = ("hotspot-id", "wave-id", "hotspot-ood", "wave-ood")
METHODS = ("uniform", "reactive", "twm")
HISTORY_STEPS = 16
Shares = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(PRB shares [.., C, S], bandwidth shares [.., L, S])."""


@dataclass
class Trace:
    """What a method did with one horizon besides its shares."""

    last: LastPlan | None = None
    reasons: Counter[str] = field(default_factory=Counter)
    predicted: list[float] = field(default_factory=list)
    verified: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    evaluations: int = 0
    origins: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Outcome:
    """B scored horizons of one method."""

    scm_B: NDArray[np.float64]
    saving_B: NDArray[np.float64]
    change_cost_B: NDArray[np.float64]
    """Part of the control cost that moving shares makes."""
    violated_BS: NDArray[np.bool_]
    loss_BS: NDArray[np.float64]
    delay_BS: NDArray[np.float64]
    traces: list[Trace]


class Contender:
    """Decides the next step's shares from frames."""

    def __init__(self, spec: NetworkSpec, method: str, cycle: PlanningCycle | None, settings: CycleSettings) -> None:
        self._spec, self._method, self._cycle, self._settings = spec, method, cycle, settings
        self._codec = FrameCodec(spec)

    async def decide(self, frames: Sequence[FrameArrays], running: PolicyArrays, trace: Trace) -> Shares:
        """Shares [C, S] and [L, S] for the step after the last frame."""
        c, s, n_links = self._spec.sizes
        if self._method == "uniform":
            return np.full((c, s), 1 / s, np.float32), np.full((n_links, s), 1 / s, np.float32)
        if self._method == "reactive":
            prb, bandwidth = reactive_shares(self._spec, frames[-1], running, self._settings.reactive)
            return np.asarray(prb, np.float32), np.asarray(bandwidth, np.float32)
        if self._cycle is None:
            raise InvalidInputError(f"method: {self._method!r} needs the planner")
        history: list[telemetry_pb2.KpiFrame] = [self._codec.encode(frame) for frame in frames[-HISTORY_STEPS:]]
        begin = time.perf_counter()
        proposal = await self._cycle.plan(history, trace.last)
        trace.seconds.append(time.perf_counter() - begin)
        note(trace, proposal)
        trace.last = LastPlan.from_bytes(keep_plan(proposal), self._spec, self._spec.digest())
        policy = decode_policies(proposal.policy, self._spec)
        return policy.prb_share_KHCS[0, 0], policy.bandwidth_share_KHLS[0, 0]


def note(trace: Trace, proposal: planning_pb2.Proposal) -> None:
    """Keep what the table shows of a proposal."""
    trace.reasons[proposal.fallback_reason.partition(":")[0] or "search"] += 1
    trace.evaluations += proposal.evaluation_count
    trace.origins[proposal.candidates[proposal.chosen_index].origin.partition(":")[0]] += 1
    trace.predicted.append(proposal.predicted_scm if proposal.HasField("predicted_scm") else float("nan"))
    chosen = [v.scm_mean for v in proposal.verifications if v.candidate_index == proposal.chosen_index]
    trace.verified.append(chosen[0] if chosen else float("nan"))


async def play(spec: NetworkSpec, contender: Contender, seed_list: list[int], names: list[str], title: str) -> Outcome:
    """Play one quiet horizon and one scored horizon of every seed and scenario."""
    b, (c, s, n_links), horizon = len(seed_list), spec.sizes, spec.timing.horizon_steps
    twin = Twin(spec, b)
    twin.reset(seed_list, names, quiet_steps=horizon)
    prb, bandwidth = np.full((b, c, s), 1 / s, np.float32), np.full((b, n_links, s), 1 / s, np.float32)
    frames: list[list[FrameArrays]] = [[] for _ in range(b)]
    traces = [Trace() for _ in range(b)]
    scored: list[StepResult] = []
    taken: list[Shares] = []
    begin = time.monotonic()
    for step in range(2 * horizon):
        if step >= horizon:
            for i in range(b):
                running = PolicyArrays(prb_share_KHCS=prb[i][None, None], bandwidth_share_KHLS=bandwidth[i][None, None])
                prb[i], bandwidth[i] = await contender.decide(frames[i], running, traces[i])
            print(
                f"{title}: step {step - horizon + 1}/{horizon}, {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True
            )
            taken.append((prb.copy(), bandwidth.copy()))
        result = twin.step(prb, bandwidth)
        if step >= horizon:
            scored.append(result)
        batch = twin.frames(result)
        for i in range(b):
            frames[i].append(batch.frame(i))
    return judge(spec, scored, taken, traces)


def judge(
    spec: NetworkSpec,
    results: list[StepResult],
    taken: list[Shares],
    traces: list[Trace],
) -> Outcome:
    """SCM from what truly happened, pooled over the horizon; saving of the shares taken, changes counted from uniform."""
    outcome = horizon_outcome(spec, results)
    policies = PolicyArrays(
        prb_share_KHCS=np.stack([prb for prb, _ in taken], 1), bandwidth_share_KHLS=np.stack([link for _, link in taken], 1)
    )
    saving = saving_ratio(policies, spec)
    still = spec.model_copy(update={"control": spec.control.model_copy(update={"change_cost_weight": 0.0})})
    return Outcome(
        scm_B=outcome.scm,
        saving_B=saving,
        change_cost_B=saving_ratio(policies, still) - saving,
        violated_BS=outcome.violated_S,
        loss_BS=outcome.loss_ratio_S,
        delay_BS=outcome.delay_p99_ms_S,
        traces=traces,
    )


def table(spec: NetworkSpec, outcomes: dict[str, Outcome], names: list[str]) -> str:
    """Mean SCM by scenario, saving, violations; for the planner also what it believed."""
    kinds = sorted(set(names), key=names.index)
    lines = ["method".ljust(16) + "".join(f"{kind:>13s}" for kind in kinds) + "     mean   saving   moving   P(viol)"]
    for method, outcome in outcomes.items():
        by_kind = [outcome.scm_B[np.array(names) == kind].mean() for kind in kinds]
        lines.append(
            method.ljust(16)
            + "".join(f"{value:13.3f}" for value in by_kind)
            + f"{outcome.scm_B.mean():9.3f}{outcome.saving_B.mean():9.3f}{outcome.change_cost_B.mean():9.3f}"
            + f"{outcome.violated_BS.any(1).mean():10.2f}"
        )
        slices = ", ".join(
            f"{piece.id}: loss {outcome.loss_BS[:, i].mean():.3f} p99 {outcome.delay_BS[:, i].mean():.1f} ms"
            for i, piece in enumerate(spec.slices)
        )
        lines.append(f"    {slices}")
        traces = outcome.traces
        reasons = sum((trace.reasons for trace in traces), Counter[str]())
        if reasons:
            seconds = np.concatenate([trace.seconds for trace in traces])
            origins = sum((trace.origins for trace in traces), Counter[str]())
            predicted, verified = (np.concatenate([getattr(t, name) for t in traces]) for name in ("predicted", "verified"))
            lines.append(
                f"    decisions {dict(reasons)}, chosen {dict(origins)}, predicted SCM {np.nanmean(predicted):.3f}, "
                f"verified {np.nanmean(verified) if np.isfinite(verified).any() else float('nan'):.3f}, "
                f"evaluations {sum(t.evaluations for t in traces) / len(seconds):.0f}, "
                f"seconds p50 {np.median(seconds):.2f} p99 {np.quantile(seconds, 0.99):.2f}"
            )
    return "\n".join(lines)


async def compare(arguments: argparse.Namespace) -> int:
    """Run what the command line asks for and print the table."""
    spec = load_network(find_network(arguments.network))
    chosen = [name.strip() for name in arguments.scenarios.split(",")]
    seed_list = [seed for seed in seeds("validation", arguments.seeds, arguments.first_seed) for _ in chosen]
    names = [name for _ in range(arguments.seeds) for name in chosen]
    settings = cycle_settings(arguments)
    outcomes: dict[str, Outcome] = {}
    for method in [m.strip() for m in arguments.methods.split(",")]:
        if method not in METHODS:
            raise InvalidInputError(f"methods: {method!r} is not one of {', '.join(METHODS)}")
        if method != "twm":
            outcomes[method] = await play(spec, Contender(spec, method, None, settings), seed_list, names, method)
            continue
        clock = SystemClock()
        with running_peers(arguments.network, Path(tempfile.gettempdir()) / "twm-closed-loop") as targets:
            async with grpc_channel(targets.inference) as world, grpc_channel(targets.twin) as twin:
                cycle = PlanningCycle(spec, settings, Peers.on(spec, world, twin, clock), clock)
                outcomes[method] = await play(spec, Contender(spec, method, cycle, settings), seed_list, names, method)
    print(table(spec, outcomes, names))
    return 0


def cycle_settings(arguments: argparse.Namespace) -> CycleSettings:
    """Planner settings: the defaults, with `--set name=value` of the cycle, `weights.`, `limits.` or `search.` changed."""
    own: dict[str, Any] = {"budget_s": arguments.budget_s}
    parts: dict[str, Any] = {"weights": ObjectiveWeights(), "limits": PlanLimits(), "search": SearchSettings()}
    for item in arguments.set:
        name, _, text = item.partition("=")
        try:
            value = json.loads(text)
            value = tuple(value) if isinstance(value, list) else value
            part, _, key = name.rpartition(".")
            if part:
                parts[part] = replace(parts[part], **{key: value})
            else:
                own[name] = value
        except (TypeError, KeyError, ValueError) as error:
            raise InvalidInputError(f"--set {item[:100]}: {error}") from error
    return CycleSettings(**own, **parts)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 on bad input, 1 where a peer is not to be had."""
    parser = argparse.ArgumentParser(prog="python -m twm_bench.closed_loop", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", default="poc-city", help="shipped network spec or path (default: %(default)s)")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=8, help="validation seeds per scenario (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="index of the first validation seed (default: %(default)s)")
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--budget-s", type=float, default=20.0, help="planner's wall time per decision (default: %(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="e.g. weights.risk=0.2")
    try:
        return asyncio.run(compare(parser.parse_args(argv)))
    except TwmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InvalidInputError) else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
