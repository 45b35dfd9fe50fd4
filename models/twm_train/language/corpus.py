"""Sentences with their plain intents, and tasks with their tool calls: batches that share a network, each from its own seed."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twm.gateway.language.prompt import SHORT_RULES, moment_line, name_lines
from twm_train.language import parts, times
from twm_train.language.networks import MadeNetwork, made_network
from twm_train.language.tools import tool_batch

TOOL_RATIO = 0.5
"""Share of batches that are tasks for tools; the others are intents."""
_ITEM_ORDER = (
    *("kpi", "scope", "comparator", "bound", "min_share", "max_share", "max_change", "resource", "factor", "link"),
    *("capacity_factor", "saving_target_ratio", "saving_weight", "slice_weights", "hold_slas", "window"),
    "max_violation_probability",
)
_TOP_ORDER = ("objective", "constraints", "limits", "context", "window", "priority")
_CHATTER = ("", "", "", "", "", "", "please ", "hi, ", "ok so ", "Team, ", "request: ", "from now on, ")
_TAILS = ("", "", "", "", ".", ".", ".", " please", ", thanks", "!")


@dataclass(frozen=True)
class Batch:
    """Examples that share what stands before them."""

    system: str
    chats: tuple[tuple[str, ...], ...]
    """What the user says, what the model is to write, and so on in turn."""


def batch(seed: int, size: int, negatives: Sequence[str] = (), tool_ratio: float = TOOL_RATIO) -> Batch:
    """The batch of a seed. `negatives`: public sentences that this network can do nothing with."""
    rng = random.Random(seed)
    if rng.random() < tool_ratio:
        return Batch(*tool_batch(rng, made_network(rng), size))
    net, now = made_network(rng), times.moment(rng)
    lines = name_lines(net.slices, net.zones, net.cells, net.links)
    found = []
    for _ in range(size):
        if negatives and rng.random() < 0.05:
            found.append((rng.choice(list(negatives))[:160], "{}"))
        elif rng.random() < 0.1:
            found.append((_dressed(rng, parts.unclear(rng, net)), "{}"))
        else:
            found.append(example(rng, net, now))
    return Batch(f"{SHORT_RULES}\n{lines}\n{moment_line(now)}", tuple(found))


def example(rng: random.Random, net: MadeNetwork, now: dt.datetime) -> tuple[str, str]:
    """One sentence and its plain intent as compact JSON, keys in the order of the schema."""
    chosen: list[list[parts.Part]] = []
    for _ in range(rng.choices((1, 2, 3), (66, 28, 6))[0]):
        made = _part(rng, net)
        if not any(p.path == "objective" for group in chosen for p in group) or made[0].path != "objective":
            chosen.append(made)
    out: dict[str, Any] = {}
    words = [group[0].words for group in chosen]
    for group in chosen:
        for part in group:
            _put(out, part)
    common = None
    if rng.random() < 0.42:
        said, common = times.window(rng, now)
        if len(chosen) > 1 and rng.random() < 0.3:  # its own part only
            i = rng.randrange(len(chosen))
            words[i] = f"{words[i]} {said}"
            for part in chosen[i]:
                part.value["window"] = common
            common = None
    text = rng.choice((" and ", ", ", "; ", ". ", ", and ", " and ")).join(words)
    if common is not None:
        out["window"] = common
        text = rng.choice((f"{said} {text}", f"{said}, {text}", f"{text} {said}", f"{text} {said}", f"{text}, {said}"))
    if rng.random() < 0.06:
        phrase, level = rng.choice(
            (("top priority", 1), ("highest priority", 1), ("high priority", 2), ("low priority", 4), ("lowest priority", 5))
        )
        out["priority"] = level
        text = rng.choice((f"{phrase}: {text}", f"{text}, {phrase}", f"{text} ({phrase})"))
    if rng.random() < 0.04:
        name = rng.choice(("derby", "marathon", "open air", "fair", "concert", "trade show"))
        out.setdefault("context", {})["event"] = name
        text = rng.choice((f"for the {name}: {text}", f"{name}: {text}"))
    return _dressed(rng, text), json.dumps(_ordered(out), separators=(",", ":"))


def _part(rng: random.Random, net: MadeNetwork) -> list[parts.Part]:
    kind = rng.choices(("constraint", "limit", "surge", "maintenance", "objective"), (36, 24, 13, 12, 17))[0]
    if kind == "maintenance":
        return parts.maintenance(rng, net)
    return [
        {"constraint": parts.constraint, "limit": parts.limit, "surge": parts.surge, "objective": parts.objective}[kind](
            rng, net
        )
    ]


def _put(out: dict[str, Any], part: parts.Part) -> None:
    if part.path in ("surges", "maintenance"):
        out.setdefault("context", {}).setdefault(part.path, []).append(part.value)
    elif part.path == "objective":
        out["objective"] = part.value
    else:
        out.setdefault(part.path, []).append(part.value)


def _dressed(rng: random.Random, text: str) -> str:
    text = " ".join(f"{rng.choice(_CHATTER)}{text}{rng.choice(_TAILS)}".split())
    style = rng.random()
    if style < 0.25:
        return text.lower()
    return text[:1].upper() + text[1:] if style < 0.7 else text


def _ordered(value: Any) -> Any:
    """Keys in the schema's order, whole numbers without a fraction."""
    if isinstance(value, dict):
        order = _TOP_ORDER if any(k in value for k in ("constraints", "limits", "context", "objective")) else _ITEM_ORDER
        keys = sorted(value, key=lambda k: order.index(k) if k in order else len(order))
        return {k: _ordered(value[k]) for k in keys}
    if isinstance(value, list):
        return [_ordered(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def public_negatives(folder: Path) -> list[str]:
    """Sentences of public collections about flows, services and strategy, of which an intent of this network says nothing.

    Read in place (../shared/data/intents-nl-to-structured); an empty list where the folder is absent.
    """
    found: list[str] = []
    for name in ("tmf921-experimentation/train.json", "oran-intent-mano/intents.txt", "ibns-nlu/nlu.md"):
        path = folder / name
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            found += [line.partition("'")[2].partition("'")[0] for line in json.loads(text) if line.count("'") >= 2]
        elif path.suffix == ".txt":
            found += [line for line in text.splitlines() if line and not line.startswith("#")]
        else:
            found += [_unmarked(line[2:]) for line in text.splitlines() if line.startswith("- ")][::10]
    return sorted({line.strip() for line in found if 8 < len(line) < 160})


def _unmarked(line: str) -> str:
    out, rest = "", line
    while "[" in rest and "](" in rest:
        before, _, rest = rest.partition("[")
        marked, _, rest = rest.partition("](")
        out += before + marked
        rest = rest.partition(")")[2]
    return out + rest
