"""Batches of tasks for an agent on one network as `twm.gateway.language.offline` serves them: calls, next acts, refusals."""

from __future__ import annotations

import random

from twm.gateway.language.calling import tool_prompt
from twm.gateway.language.prompt import name_lines
from twm.gateway.tools.declarations import chat_tools
from twm_train.language.networks import MadeNetwork
from twm_train.language.parts import percent, shown_name
from twm_train.language.tool_tasks import first
from twm_train.language.tool_turns import Chat, after, answered

CANNOT = "I cannot change anything; I can only look."
NO_TOOL = "I cannot tell: no tool of mine knows that."
_CHATTER = ("", "", "", "", "", "", "", "please ", "hi, ", "hey, ", "ok, ", "quick one: ", "can you tell me: ")
_TAILS = ("", "", "", "", "", "", "", " please", ", thanks", " thx")


def tool_batch(rng: random.Random, net: MadeNetwork, size: int) -> tuple[str, tuple[Chat, ...]]:
    """(system, chats) of tasks on one network; one in eight a refusal, one in six after a result."""
    names = name_lines(net.slices, net.zones, net.cells, net.links)
    made: list[Chat] = []
    for _ in range(size):
        kind = rng.random()
        if kind < 0.17:
            text, *rest = after(rng, net)
            made.append((_dressed(rng, text), *rest))
        elif kind < 0.30:
            made.append(refusal(rng, net))
        else:
            task = first(rng, net)
            made.append((_dressed(rng, task.text), task.written()))
    return tool_prompt(chat_tools(), names), tuple(made)


def refusal(rng: random.Random, net: MadeNetwork) -> Chat:
    """What no tool may do, or knows."""
    if rng.random() < 0.68:
        return _dressed(rng, _act(rng, net)), answered(CANNOT)
    return _dressed(rng, rng.choice(_UNKNOWN)), answered(NO_TOOL)


def _act(rng: random.Random, net: MadeNetwork) -> str:
    name, zone, cell = shown_name(rng, rng.choice(net.slices)), shown_name(rng, rng.choice(net.zones)), rng.choice(net.cells)
    link, share = rng.choice(net.links)[0], percent(rng, rng.choice((0.1, 0.2, 0.3, 0.5, 0.6)))
    now = rng.choice(("", " now", " at once", " immediately", " today", " for an hour"))
    verb, plan = (
        rng.choice(("apply", "activate", "enforce", "deploy", "send", "roll out to the network", "commit", "execute")),
        rng.choice(("the proposed plan", "the newest plan", "this policy", "plan 2")),
    )
    return rng.choice((
        f"give {name} {share} of the PRBs in the {zone}{now}", f"set the share of {name} to {share}{now}",
        f"cap {name} at {share} in {zone}{now}", f"change the policy{now}", f"reserve {share} for {name}{now}",
        f"{verb} {plan}{now}", f"send {plan} to the gNBs{now}", f"approve {plan}", f"approve it{now}", f"reject {plan}",
        f"withdraw {plan}", f"go back to the policy before{now}", f"undo the last change{now}", "restore yesterday's policy",
        f"switch the mode to {rng.choice(('shadow', 'advisory', 'autonomous'))}{now}", f"make it autonomous{now}",
        f"disable the {rng.choice(('guardrail', 'checks', 'limits', 'twin check', 'alarms'))}{now}",
        f"lower the {rng.choice(('risk limit', 'guardrail limits', 'thresholds'))}{now}", f"trip the kill switch{now}",
        f"stop all policies{now}", "release the kill switch", f"restart {cell}{now}", f"lock {cell}{now}",
        f"power down {cell}{now}", f"take {cell} out of service{now}", f"raise the transmit power of {cell}",
        f"tilt the antenna of {cell} down", f"take {link} down{now}", f"reroute {link} to its backup{now}",
        f"put {link} into maintenance{now}", f"double the capacity of {link}",
        f"change the SLA of {name} to {rng.choice((5, 10, 20))} ms", f"relax the loss bound of {name}",
        f"add a slice for the {zone}", f"remove {name}", f"block user {rng.randrange(100, 99999)}",
        f"move UE {rng.randrange(100, 9999)} to {name}", "throttle the customer with the most traffic",
        f"delete {rng.choice(('the audit trail', 'the logs', 'all alarms', 'the traces', 'step 12'))}{now}",
        f"acknowledge the alarm on {cell}", f"clear all alarms{now}",
        f"mail {rng.choice(('the shift lead', 'my boss', 'the field team'))} a report", f"open a ticket for {cell}",
        f"call the field crew for {cell}", f"schedule work on {link} for tonight", "train the models again",
        "update the twin's parameters", f"load another model{now}", "make me an approver", "reset the passwords",
        f"order more spectrum for the {zone}",
    ))  # fmt: skip


_UNKNOWN = (
    "who won the match last night?", "is it going to rain?", "temperature outside?",
    "what is the share price of our company?", "what does a gNB cost", "how high was the power bill",
    "how many customers cancelled in May?", "who is on call tonight?", "who is the landlord of the site?",
    "email address of the vendor's support?", "what is the capital of France?", "tell me a joke", "write a poem about radio",
    "translate good morning into Spanish", "what is 17 times 23?", "which firmware runs in the core routers?",
    "what did the competitor launch?", "what is the meaning of life", "book a room for tomorrow",
    "what did my colleague say yesterday", "where is the stadium's car park", "recommend a restaurant near the site",
    "how many kilowatt hours did we use last year", "what are the opening hours of the shop", "read me the news",
    "what is my salary", "who signed the contract with the tower company?", "what is the IMSI of that user?",
    "show me the messages of user 12", "which websites does this customer visit",
)  # fmt: skip


def _dressed(rng: random.Random, text: str) -> str:
    end = "?" if text.endswith("?") else ""
    body = text.removesuffix("?")
    body = f"{rng.choice(_CHATTER)}{body}"
    tail = rng.choice(_TAILS)
    out = f"{body}{end}{tail}" if end and tail in ("", " please", " thx") else f"{body}{tail or end}"
    style = rng.random()
    if style < 0.2:
        return out.lower()
    return out[:1].upper() + out[1:] if style < 0.6 else out
