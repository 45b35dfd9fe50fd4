"""The experiments on recorded traces as one call, for the command and for the benchmark's report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twm.core.network import load_network
from twm.core.paths import find_network

EXPLORA, TRACTOR = "explora-colosseum-slicing", "tractor-colosseum-kpi"


def run(
    data: Path,
    *,
    seed: int = 1,
    network: str = "explora-cell",
    quick: bool = False,
    ablation: bool = False,
    only: str | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """The part "traces" of the benchmark's report.json. `data`: folder with those of the traces; absent ones are left out.

    `quick`: a few seconds of training that show that everything works; its figures say nothing.
    `only`: "explora" or "tractor", to run one of them.
    `ablation`: also gradient boosting that is given the memory our base prediction comes from.
    """
    import torch  # slow to import: only when something is run

    from twm_bench.traces.forecasts import Trace, compare, report
    from twm_bench.traces.judgement import judge
    from twm_train.traces import explora, tractor
    from twm_train.traces.fit import TraceRecipe

    torch.set_num_threads(1)
    spec = load_network(find_network(network))
    recipe = TraceRecipe()
    if quick:
        recipe = replace(recipe, steps=20, members=2)
    start = time.process_time()
    out: dict[str, Any] = {
        "units": "NRMSE and CRPS in standard deviations of the KPI over the training experiments; mean over test experiments",
        "seed": seed,
    }
    if only in (None, "explora") and (data / EXPLORA).is_dir():
        trace = Trace.of("explora", explora.read_all(data / EXPLORA), stride=40 if quick else 2)
        compared = compare(trace, recipe, seed=seed, memory_rival=ablation, note=note)
        out["explora"] = report(trace, compared)
        out["explora"]["off_policy"] = judge(trace, compared.model, spec)
        note("explora: off-policy evaluation done")
    if only in (None, "tractor") and (data / TRACTOR).is_dir():
        trace = Trace.of("tractor", tractor.read_all(data / TRACTOR, spec), stride=60 if quick else 6)
        out["tractor"] = report(trace, compare(trace, recipe, seed=seed, note=note))
        out["tractor"]["off_policy"] = "cannot be judged: no slicing action was taken or recorded"
    if "explora" not in out and "tractor" not in out:
        out["absent"] = f"no folder {EXPLORA} or {TRACTOR} in DIR that was asked for"
    out["cpu_s"] = round(time.process_time() - start, 1)
    return out


def table(result: dict[str, Any]) -> str:
    """The figures in brief."""
    lines = []
    for name in ("explora", "tractor"):
        if name not in result:
            continue
        part = result[name]
        n = len(part["split"]["test"])
        lines += [
            f"{name}: {n} test experiments, mean over {part['horizon_steps']} steps",
            "  method         NRMSE   (95 %)           CRPS    (95 %)           in 90 %",
        ]
        for method, figures in part["methods"].items():
            cells = [
                f"{figures[k]['mean']:.4f}  {figures[k]['interval'][0]:.3f}-{figures[k]['interval'][1]:.3f}"
                for k in ("nrmse", "crps")
            ]
            lines.append(f"  {method:13} {cells[0]:>20}  {cells[1]:>20}    {figures['coverage_90']['mean']:.3f}")
        for key, gain in part["against_best_baseline"].items():
            lines.append(
                f"  {key}: {gain['lower_by']:+.1%} lower than {gain['baseline']}, difference {gain['difference_interval']}, "
                f"better in {gain['experiments_better']} of {gain['experiments']}"
            )
        if isinstance(part["off_policy"], str):
            lines.append(f"  off-policy: {part['off_policy']}")
            continue
        for reward, lengths in part["off_policy"]["rewards"].items():
            for length, entries in lengths.items():
                for policy, e in entries.items():
                    lines.append(
                        f"  {reward} {length} {policy}: WIS {e['wis']:.3f} {e['wis_interval']}, "
                        f"DR {e['dr']:.3f} {e['dr_interval']}, "
                        f"ESS {e['effective_sample_size']:.0f}/{e['blocks']}; {e.get('verdict', '')}"
                    )
    return "\n".join(lines)
