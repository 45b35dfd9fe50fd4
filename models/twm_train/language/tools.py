"""Tasks for an agent and the first tool call they ask for, as `twm.gateway.language.offline` holds decoding to it."""

from __future__ import annotations

import json
import random
from typing import Any

from twm.gateway.language.calling import TOOL_RULES, tool_lines
from twm.gateway.tools.declarations import chat_tools
from twm_train.language.networks import MadeNetwork
from twm_train.language.parts import cells_of, shown_name


def tool_batch(rng: random.Random, net: MadeNetwork, size: int) -> tuple[str, tuple[tuple[str, str], ...]]:
    """(system, pairs) of tasks on one network."""
    return f"{TOOL_RULES}\n{tool_lines(chat_tools())}", tuple(_task(rng, net) for _ in range(size))


def _task(rng: random.Random, net: MadeNetwork) -> tuple[str, str]:
    kind = rng.choice(("state", "cells", "forecast", "candidates", "roll_out", "verify", "explain", "answer"))
    cells_words, scope = cells_of(rng, net)
    name = rng.choice(net.slices)
    said = shown_name(rng, name)
    if kind == "state":
        text = rng.choice(
            (
                "How is the network doing?",
                f"Are the SLAs of {said} met now?",
                "What is the loss now?",
                f"Show the delay of {said}.",
            )
        )
        return text, _call("query_state", {})
    if kind == "cells":
        return rng.choice((f"What is the load in {cells_words}?", f"Show me {cells_words} now.")), _call(
            "query_state", {"cells": scope["cells"]}
        )
    if kind == "forecast":
        if rng.random() < 0.5:
            text = rng.choice((f"What demand is expected in {cells_words}?", f"Forecast {cells_words}."))
            return text, _call("forecast_field", {"cells": scope["cells"]})
        return rng.choice(("What will demand be?", "Forecast the area.", "Where will traffic grow?")), _call(
            "forecast_field", {}
        )
    if kind == "candidates":
        return rng.choice(("Which plans are there?", "Show candidate plans.", "What could be done?")), _call(
            "propose_candidates", {}
        )
    if kind in ("roll_out", "verify"):
        change = rng.choice((0.05, 0.1, 0.15, 0.2))
        more = rng.random() < 0.6
        move = {"slice": name, "change": change if more else -change}
        plan = {"moves": [move]}
        act = f"{said} {100 * change:g} points {'more' if more else 'less'}"
        if kind == "verify":
            return rng.choice((f"Check in the twin: {act}.", f"Verify {act} in the twin.")), _call(
                "verify_in_twin", {"plans": [plan]}
            )
        return rng.choice((f"What happens if we give {act}?", f"Predict {act}.", f"What if {act}?")), _call(
            "roll_out", {"plans": [plan]}
        )
    if kind == "explain":
        if rng.random() < 0.5:
            step = rng.randrange(1, 30000)
            return rng.choice((f"Why was step {step} refused?", f"Explain step {step}.")), _call("explain", {"step": step})
        return rng.choice(("Why was the last plan chosen?", "Explain the newest decision.", "Why was it refused?")), _call(
            "explain", {}
        )
    asked = rng.choice(
        ("Change the policy now.", "Switch the mode to autonomous.", "Delete the audit log.", "Approve the plan.")
    )
    return asked, json.dumps({"answer": "I cannot change anything; I can only look."}, separators=(",", ":"))


def _call(name: str, arguments: dict[str, Any]) -> str:
    return json.dumps({"tool": name, "arguments": arguments}, separators=(",", ":"))
