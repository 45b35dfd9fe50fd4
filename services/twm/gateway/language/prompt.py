"""What the model is told: the network's names, the moment, the form of the answer. The operator's text is data, cleaned.

`full` is for a general instruction model: the conventions and examples besides. `short` is what the small adapter of the zoo
was trained with (`twm_train.language`): they must not drift apart.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from twm.core.network import NetworkSpec
from twm.core.text import clean

Style = Literal["full", "short"]
MAX_NAMES = 512
"""Cells or links that are told one by one or in ranges; of a larger network the first ones."""
DAYS_TOLD = 7

RULES = """\
You turn one sentence of a radio network operator into JSON of the given schema. Write JSON only.
Use names of the network exactly as listed. Leave out what is not said. Figure, name or goal missing or unclear: {}.
- delay or latency without a statistic is kpi delay_p99_ms; "average", "mean" or "typical" is delay_mean_ms.
- reliability r is loss_ratio at_most 1 - r. bounds are in ms, Mbps, ratios 0..1 (2 % is 0.02).
- below, under, no more than: at_most. above, over, at least: at_least.
- shares ("give X at least 20 %", "cap X at 40 %") are limits with min_share, max_share; "don't touch" is max_change 0;
  resource is prb for PRB or radio, bandwidth for link or transport, else left out.
- "30 % more demand" is a surge of factor 1.3, "twice" is 2.
- work on a link or its failure is maintenance, capacity_factor 0 where none is said; "A-B" is both directions.
- "save energy" or "cut cost" without a figure: objective.saving_weight 2; by 10 %: saving_target_ratio 0.1.
- "without breaking SLAs": hold_slas true. "A over B over C": slice_weights A 4, B 2; ranks double, the last is left out.
- morning 06-12, afternoon 12-18, evening 18-23, night or tonight 20-06; a weekend is Saturday and Sunday, whole.
- a window that has begun has no start. "during the surge" is occasion surge. Times as 2026-11-25T14:00:00+01:00.
- a window for everything stands at the top, one for a part stands in that part.
- risk ("with 95 % certainty") is max_violation_probability 0.05. priority 1 is highest, 3 is usual."""

SHORT_RULES = "Intent to JSON. Unclear: {}"


def messages(text: str, spec: NetworkSpec, now: dt.datetime, style: Style) -> list[dict[str, Any]]:
    """The chat that asks for one intent. `now` is aware."""
    rules = RULES if style == "full" else SHORT_RULES
    made = [{"role": "system", "content": f"{rules}\n{network_lines(spec)}\n{moment_line(now)}"}]
    if style == "full":
        for said, meant in _examples(spec):
            made += [
                {"role": "user", "content": said},
                {"role": "assistant", "content": json.dumps(meant, separators=(",", ":"))},
            ]
    made.append({"role": "user", "content": clean(text, 2000).text})
    return made


def network_lines(spec: NetworkSpec) -> str:
    """Names of the network, one kind a line."""
    links = [(link.id, link.source, link.target) for link in spec.transport.links]
    return name_lines([s.id for s in spec.slices], [z.id for z in spec.zones], [c.id for c in spec.cells], links)


def name_lines(slices: Sequence[str], zones: Sequence[str], cells: Sequence[str], links: Sequence[tuple[str, str, str]]) -> str:
    """The same from names; links as (id, source, target)."""
    lines = {
        "slices": " ".join(slices),
        "zones": " ".join(zones),
        "cells": " ".join(ranges(cells[:MAX_NAMES])),
        "links": ", ".join(f"{name} {source}>{target}" for name, source, target in links[:MAX_NAMES]),
    }
    return "\n".join(f"{kind} {names}" for kind, names in lines.items() if names)


def moment_line(now: dt.datetime) -> str:
    """The moment and the days after it, so that no calendar has to be reckoned with."""
    days = [now.date() + dt.timedelta(days=i) for i in range(1, DAYS_TOLD)]
    offset = now.strftime("%z")
    later = ", ".join(f"{day:%a} {day:%m-%d}" for day in days)
    return f"now {now:%a} {now:%Y-%m-%dT%H:%M}{offset[:3]}:{offset[3:]}; {later}"


def ranges(ids: Sequence[str]) -> list[str]:
    """Ids with runs of numbered ones as "first..last"."""
    out: list[str] = []
    run: list[str] = []
    last: tuple[str, int] | None = None
    for name in [*ids, ""]:
        found = re.fullmatch(r"(.*?)(0|[1-9]\d{0,8})", name)
        here = (found.group(1), int(found.group(2))) if found else None
        if run and (here is None or last is None or here != (last[0], last[1] + 1)):
            out += [f"{run[0]}..{run[-1]}"] if len(run) > 2 else run
            run = []
        if name:
            run.append(name)
        last = here
    return out


def _examples(spec: NetworkSpec) -> list[tuple[str, dict[str, Any]]]:
    """Sentences about this network with what they mean."""
    first, last = spec.slices[0].id, spec.slices[-1].id
    found: list[tuple[str, dict[str, Any]]] = [
        (
            f"{first} loss must not exceed 2 percent, with 95 % certainty",
            {
                "constraints": [
                    {
                        "kpi": "loss_ratio",
                        "scope": {"slices": [first]},
                        "comparator": "at_most",
                        "bound": 0.02,
                        "max_violation_probability": 0.05,
                    }
                ]
            },
        ),
        (f"{last} should be better", {}),
        (
            f"reserve a quarter of the PRBs for {last} and trim cost by 5 %",
            {
                "objective": {"saving_target_ratio": 0.05},
                "limits": [{"scope": {"slices": [last]}, "min_share": 0.25, "resource": "prb"}],
            },
        ),
    ]
    if spec.zones:
        zone = spec.zones[0].id
        surge = {"scope": {"slices": [first], "zone": zone}, "factor": 1.4}
        found.append((f"expect 40 % more {first} traffic in {zone}", {"context": {"surges": [surge]}}))
    if spec.transport.links:
        link = spec.transport.links[0].id
        found.append((f"link {link} fails", {"context": {"maintenance": [{"link": link, "capacity_factor": 0}]}}))
    return found
